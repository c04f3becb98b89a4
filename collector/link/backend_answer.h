#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What an HTTP answer of the backend means. Between us and it there may be proxies and strangers that answer in its
 * place: only a body in the backend's own form is taken as its word. Pure, any thread.
 */
#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/io/http_client.h"

typedef struct BackendError {
    bool ours;         /* the body has the backend's form */
    char code[64];     /* "token_expired"; "" when not ours */
    char message[400]; /* cut to fit */
    char hint[240];
} BackendError;

void backend_error_read(const HttpAnswer *answer, BackendError *ret);
/* Sets *reterr from an answer that is no success: "@doing: the backend answered 403: certificate_invalid: ...". */
int backend_error_set(Err *reterr, const char *doing, const HttpAnswer *answer);

/* What to do with a batch after its answer. */
typedef enum PushVerdict {
    PUSH_ACCEPTED,    /* 2xx; the body must still be the backend's */
    PUSH_REFUSED,     /* never acceptable: give it up */
    PUSH_REENCODE,    /* send it again in another encoding */
    PUSH_RENEW_TOKEN, /* get a new token, send it again */
    PUSH_WAIT_ALL,    /* keep it; nothing else would be taken now either */
    PUSH_WAIT_THIS,   /* keep it; batches of other servers may do better */
    _PUSH_VERDICT_MAX
} PushVerdict;

const char *push_verdict_to_string(PushVerdict verdict);
PushVerdict push_verdict_of(int status, const BackendError *error);
