#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Router: from method and path to a row of the route table. Built once from constant rows, read by any thread.
 * A path is compared part by part before percent-decoding, so %2F never makes a new part.
 */
#include "backend/http/http.h"

typedef struct HttpRouter HttpRouter;

/* Refuses a table with a broken pattern, two rows for one method and shape, a missing handler, or an inline route
 * that needs an access check. The rows are kept as pointers. */
int http_router_new(HttpRouter **ret, const HttpRoute *routes, size_t count, Err *reterr) MUST_CHECK;
HttpRouter *http_router_free(HttpRouter *r);
DEFINE_CLEANUP(HttpRouter *, http_router_free)

typedef struct HttpMatch {
    const HttpRoute *route;
    size_t index;                            /* of the row in the table */
    Slice path_values[HTTP_PATH_VALUES_MAX]; /* decoded, in the arena, NUL-terminated */
    unsigned allowed;                        /* HTTP_ROUTER_NO_METHOD: bit (1 << HttpMethod) for those there are */
} HttpMatch;

enum { HTTP_ROUTER_FOUND, HTTP_ROUTER_NO_PATH, HTTP_ROUTER_NO_METHOD };
/* Literal parts win over {name} parts, those over {name...}. A part that does not decode (bad escape, NUL, control
 * characters, not UTF-8) is ERR_PARAMETER_INVALID. {name...} rows of other methods do not make
 * NO_METHOD out of NO_PATH. */
int http_router_match(const HttpRouter *r, HttpMethod method, Slice path, Arena *arena, HttpMatch *ret,
                      Err *reterr) MUST_CHECK;

/* "GET, HEAD, POST" for an Allow header. */
void http_router_write_allowed(unsigned allowed, Buf *out);
