#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Request targets: "/path?name=value". Pure; what is returned lives in the arena. */
#include "backend/http/http.h"

/* Decodes %XX, and '+' as a blank where @plus_is_blank. NUL-terminated. ERR_PARAMETER_INVALID: broken escape, NUL or
 * another control character, not UTF-8. */
int http_target_decode(Slice text, bool plus_is_blank, Arena *arena, Slice *ret, Err *reterr) MUST_CHECK;

/* The same for text that may have line ends (a PEM certificate in a header). Negative when it does not decode. */
int http_target_decode_lines(Slice text, Arena *arena, Slice *ret) MUST_CHECK;

enum { HTTP_QUERY_MAX = 64 }; /* parameters */

/* Splits an origin-form or absolute-form target. @ret_path stays as it came; @query gets the decoded parameters. */
int http_target_parse(Slice target, Arena *arena, Slice *ret_path, HttpFieldVec *query, Err *reterr) MUST_CHECK;
