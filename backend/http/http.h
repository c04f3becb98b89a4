#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Requests and answers as handlers see them. The listener (backend/http/listener.c) reads a request on an I/O thread,
 * suspends it, and a worker thread runs the access check and the route's handler as plain functions. A handler answers
 * at once, or returns HTTP_LATER and has http_request_finish() called exactly once from any thread.
 *
 * A request lives until its answer was sent and its handler is done with it, whichever comes last: a handler that is
 * still busy when the deadline passed (the client then has its 503) may go on using the request.
 */
#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/vec.h"

typedef enum HttpMethod { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE, HTTP_PATCH, _HTTP_METHOD_MAX } HttpMethod;
typedef enum Role {
    ROLE_NONE,
    ROLE_VIEWER,
    ROLE_EDITOR,
    ROLE_ADMIN,
    _ROLE_MAX
} Role; /* each may what those before may */

const char *http_method_to_string(HttpMethod m);
const char *role_to_string(Role role);     /* "none", "viewer", ... */
bool role_from_string(Slice s, Role *ret); /* "none" is refused */

/* Who asks, filled by the access check of the route before the handler runs. */
typedef struct Principal {
    Role role;           /* of a user */
    const char *user_id; /* NULL: not a user */
    const char *login;
    const char *collector_id; /* NULL: not a collector */
} Principal;

/* A header or a query parameter. */
typedef struct HttpField {
    const char *name;
    const char *value;
} HttpField;
DEFINE_VEC(HttpFieldVec, http_field_vec, HttpField)

enum { HTTP_PATH_VALUES_MAX = 4 };

struct Backend;      /* backend/context.h */
struct HttpExchange; /* backend/http/exchange.h */
struct HttpRoute;
typedef struct HttpRequest HttpRequest;

struct HttpRequest {
    Arena *arena;
    struct Backend *backend;
    const struct HttpRoute *route;
    HttpMethod method; /* HEAD is HTTP_GET with head set */
    bool head;
    bool tls;                /* came over TLS, to us or to a trusted proxy: cookies get Secure */
    bool remote_is_loopback; /* the peer itself, and no proxy spoke for another address */
    Slice path;              /* as it came, without the query */
    const char *request_id;  /* in the answer's X-Request-Id and in the log */
    const char *remote_address;
    Slice body;    /* as it came, not decompressed; empty when there was none */
    Usec deadline; /* monotonic: give up by then */
    Principal principal;
    const char *certificate_serial; /* of a client certificate that our CA signed and that is in its time; else NULL */
    const char *certificate_name;   /* its common name */
    const char *certificate_fault;  /* why a certificate that was shown was not accepted; else NULL */
    Slice path_values[HTTP_PATH_VALUES_MAX]; /* of {name} parts of the route, in order, decoded, NUL-terminated */
    HttpFieldVec headers;                    /* in order; use http_request_header() */
    HttpFieldVec query;                      /* decoded; use http_request_query() */

    /* the answer */
    int status;               /* 200 unless set */
    const char *content_type; /* "application/json" unless set; NULL with an empty answer: none */
    Buf answer;
    Slice static_answer; /* instead of .answer: bytes that outlive every request (embedded files) */
    HttpFieldVec answer_headers;

    struct HttpExchange *exchange; /* the listener's; NULL in unit tests of handlers */
};

/*
 * Results of handlers; negative: the Err is answered as {"error":{code,message,hint?,request_id}} with its status, and
 * what the handler had put into the answer is dropped. Headers that it added stay (Retry-After, WWW-Authenticate).
 */
enum { HTTP_DONE, HTTP_LATER };
typedef int (*HttpHandler)(HttpRequest *r, Err *reterr);

/* NULL when absent. Names of headers in any case. Values live as long as the request. */
const char *http_request_header(const HttpRequest *r, const char *name);
const char *http_request_query(const HttpRequest *r, const char *name);
const char *http_request_cookie(HttpRequest *r, const char *name);
/* Of the answer; both are copied. CR and LF in @value are refused by assertion. The same name may come twice. */
void http_request_add_header(HttpRequest *r, const char *name, const char *value);
/* After HTTP_LATER; @result and @err as a handler gives them, @err is copied. The request is gone afterwards. */
void http_request_finish(HttpRequest *r, int result, const Err *err);

/* For tests of handlers and for the listener: an empty request with defaults; _done frees what it owns. */
void http_request_init(HttpRequest *r, Arena *arena);
void http_request_done(HttpRequest *r);

/* Who may use a route; checked before the handler (backend/auth/access.c). */
typedef enum Access {
    ACCESS_ANYONE,
    ACCESS_VIEWER,
    ACCESS_EDITOR,
    ACCESS_ADMIN,
    ACCESS_REGISTRATION,       /* X-Registration-Secret */
    ACCESS_COLLECTOR_TOKEN,    /* collector's JWT (certificate checked too when one is shown) */
    ACCESS_COLLECTOR,          /* client certificate and JWT of the same collector */
    ACCESS_COLLECTOR_OR_ADMIN, /* ACCESS_COLLECTOR when a client certificate or a collector's JWT is shown */
    ACCESS_SCRAPE,             /* loopback, or the scrape token */
    _ACCESS_MAX
} Access;

/* The access check of all routes: 0 and r->principal filled, or a negative with the error to answer. Runs on a worker
 * thread before the handler (ACCESS_ANYONE: not called), so it may wait until r->deadline. */
typedef int (*HttpAccessFn)(HttpRequest *r, Access access, Err *reterr);

typedef struct HttpRoute {
    HttpMethod method;
    const char *pattern; /* "/api/v1/collectors/{id}"; a last part {name...} takes the rest of the path */
    Access access;
    HttpHandler handler;
    size_t body_limit;   /* bytes; 0: no body allowed */
    const char *summary; /* for docs/api.md and the OpenAPI document */
    bool inline_answer;  /* answered on the I/O thread: must not block, ACCESS_ANYONE only (static files) */
} HttpRoute;
