#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* The collector's token: when it expires, and getting the next one. The sender's thread. */
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/io/http_client.h"

enum { TOKEN_RENEW_BEFORE_DAYS = 30 };

/* The "exp" of a JWT, whose signature is the backend's business; 0 when @token is none or has none. */
Usec token_expiry(Slice token);
/* Whether to renew it: it ends within TOKEN_RENEW_BEFORE_DAYS of @now (wall). */
bool token_is_due(Usec expiry, Usec now);

typedef struct TokenRenewal {
    HttpClient *http;
    const char *api_url;
    const char *collector_id;
    const char *token;     /* the present one */
    const char *state_dir; /* where the new one is written; NULL: nowhere */
} TokenRenewal;

/* Asks for the next token. *ret (owned; wipe it with token_wipe()) is set when it succeeds, even if it could not be
 * written: then *ret_unwritten tells why, else its code is ERR_NONE. */
int token_renew(const TokenRenewal *renewal, char **ret, Err *ret_unwritten, Err *reterr) MUST_CHECK;
/* Overwrites and frees; NULL allowed. Returns NULL. */
char *token_wipe(char *token);
