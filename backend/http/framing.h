#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Is it beyond doubt where this request ends? A proxy in front that reads the head differently from us would let one
 * client put words into another's mouth (request smuggling), so whatever can be read in two ways is refused. Pure.
 */
#include "backend/http/http.h"

typedef struct HttpFraming {
    bool chunked;
    bool has_length;
    uint64_t length; /* 0 without has_length */
} HttpFraming;

/* ERR_FRAMING names the fault. @version: "HTTP/1.1". */
int http_framing_check(const HttpFieldVec *headers, const char *version, HttpFraming *ret, Err *reterr) MUST_CHECK;
