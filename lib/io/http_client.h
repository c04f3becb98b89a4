#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * One HTTPS client over libcurl: one connection kept open, TLS 1.3, optional client certificate, total deadlines,
 * bounded answers, no redirects. One thread at a time.
 */
#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"

typedef struct HttpClient HttpClient;

typedef struct HttpClientOptions {
    const char *ca_file;   /* NULL: the system's */
    const char *cert_file; /* NULL: no client certificate */
    const char *key_file;
    bool verify;            /* false is unsafe; the program says so */
    Usec connect_timeout;   /* 0: 10 s */
    Usec total_timeout;     /* 0: 60 s */
    size_t answer_limit;    /* 0: 1 MiB */
    const char *user_agent; /* NULL: "pganalytics" */
} HttpClientOptions;

typedef struct HttpClientRequest {
    const char *method; /* "GET", "POST", ... */
    const char *url;
    const char *const *headers; /* NULL-terminated "Name: value"; may be NULL */
    Slice body;                 /* absent: none */
} HttpClientRequest;

typedef struct HttpAnswer {
    int status;
    Usec retry_after; /* from Retry-After in seconds or as a date; 0 when not given */
    Usec date;        /* wall time by the server's Date, whole seconds; 0 when not given */
    char etag[128];   /* "" when not given */
    Buf body;
} HttpAnswer;

#define HTTP_ANSWER_INIT ((HttpAnswer){.status = 0})

int http_client_new(HttpClient **ret, const HttpClientOptions *options, Err *reterr) MUST_CHECK;
HttpClient *http_client_free(HttpClient *c);
DEFINE_CLEANUP(HttpClient *, http_client_free)
/* Any HTTP status is success here; failures are ERR_CONNECT, ERR_TLS, ERR_TIMEOUT, ERR_TOO_LARGE with the cause. */
int http_client_send(HttpClient *c, const HttpClientRequest *request, HttpAnswer *ret, Err *reterr) MUST_CHECK;
/* From the next request on: these files, read anew, over a new connection. A failure leaves all as it was. */
int http_client_use_files(HttpClient *c, const char *ca_file, const char *cert_file, const char *key_file,
                          Err *reterr) MUST_CHECK;
/* Makes http_client_send() in another thread return soon, and every later one fail. */
void http_client_abort(HttpClient *c);
void http_answer_done(HttpAnswer *a);
static inline void http_answer_donep(HttpAnswer *a)
{
    http_answer_done(a);
}
