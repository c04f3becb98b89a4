#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Requests and answers as handlers see them. The listener (backend/http/listener.c) reads a request on an I/O thread,
 * suspends it, and a worker thread runs the route's handler as a plain function. A handler answers at once, or returns
 * HTTP_LATER and has http_request_finish() called exactly once from any thread.
 */
#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"

typedef enum HttpMethod { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_PATCH, _HTTP_METHOD_MAX } HttpMethod;
typedef enum Role { ROLE_NONE, ROLE_VIEWER, ROLE_EDITOR, ROLE_ADMIN, _ROLE_MAX } Role; /* each may what those before may */

/* Who asks, filled by the access check of the route before the handler runs. */
typedef struct Principal {
    Role role;                 /* of a user */
    const char *user_id;       /* NULL: not a user */
    const char *login;
    const char *collector_id;  /* NULL: not a collector */
} Principal;

typedef struct HttpRequest HttpRequest;

struct HttpRequest {
    Arena *arena;              /* freed when the answer was sent */
    HttpMethod method;
    Slice path;                /* without the query */
    const char *request_id;    /* in the answer's X-Request-Id and in the log */
    const char *remote_address;
    Slice body;                /* as it came, not decompressed */
    Usec deadline;             /* monotonic: give up by then */
    Principal principal;
    const char *certificate_serial; /* of a client certificate that our CA signed and that is in its time; else NULL */
    const char *certificate_name;   /* its common name */
    const char *certificate_fault;  /* why a certificate that was shown was not accepted; else NULL */
    Slice path_values[4];      /* values of {name} parts of the route, in order */

    /* the answer */
    int status;                /* 200 unless set */
    const char *content_type;  /* "application/json" unless set */
    Buf answer;

    void *connection;          /* the listener's */
};

/* Results of handlers; negative: the Err is answered as {"error":{code,message,request_id}} with its status. */
enum { HTTP_DONE, HTTP_LATER };
typedef int (*HttpHandler)(HttpRequest *r, Err *reterr);

/* NULL when absent. Values live as long as the request. */
const char *http_request_header(HttpRequest *r, const char *name);
const char *http_request_query(HttpRequest *r, const char *name);
const char *http_request_cookie(HttpRequest *r, const char *name);
void http_request_add_header(HttpRequest *r, const char *name, const char *value); /* of the answer */
void http_request_finish(HttpRequest *r, int result, const Err *err); /* after HTTP_LATER */

/* Who may use a route; checked before the handler (backend/auth/access.c). */
typedef enum Access {
    ACCESS_ANYONE,
    ACCESS_VIEWER,
    ACCESS_EDITOR,
    ACCESS_ADMIN,
    ACCESS_REGISTRATION,     /* X-Registration-Secret */
    ACCESS_COLLECTOR_TOKEN,  /* collector's JWT (certificate checked too when one is shown) */
    ACCESS_COLLECTOR,        /* client certificate and JWT of the same collector */
    ACCESS_SCRAPE,           /* loopback, or the scrape token */
    _ACCESS_MAX
} Access;

typedef struct HttpRoute {
    HttpMethod method;
    const char *pattern;     /* "/api/v1/collectors/{id}" */
    Access access;
    HttpHandler handler;
    size_t body_limit;       /* bytes; 0: no body allowed */
    const char *summary;     /* for docs/api.md and the OpenAPI document */
    bool inline_answer;      /* answered on the I/O thread: must not block (health, static files) */
} HttpRoute;
