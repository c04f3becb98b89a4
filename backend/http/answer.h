#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Making answers complete: error bodies, compression, the headers that every answer carries. Pure; any thread. */
#include "backend/http/http.h"

/* {"error":{"code","message","hint"?,"request_id"}} with a line end. Details of internal faults (5xx without a use for
 * the client) are left out: they are in the log under the request's id. */
void http_answer_write_error(const Err *err, const char *request_id, Buf *out);

/* Turns what a handler gave (@result, @err) into the final status, body and headers in the request. */
void http_answer_compose(HttpRequest *r, int result, const Err *err);

/* Replaces the JSON, text or script in r->answer by its gzip when the client takes it and it is worth it. */
void http_answer_compress(HttpRequest *r);
bool http_answer_accepts_gzip(const char *accept_encoding); /* NULL: no */

/* The value of Access-Control-Allow-Origin for a request's Origin; NULL: not allowed. @origins: comma list. */
const char *http_answer_allowed_origin(const char *origins, const char *origin, Arena *arena);

/* Security headers for all answers, in order; NULL name ends. HSTS is the first, for TLS with .hsts only. */
extern const HttpField http_answer_security_headers[];
