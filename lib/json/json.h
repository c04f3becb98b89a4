#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reading JSON with errors that name the place, over yyjson. A reader walks an object and remembers the first fault:
 *
 *     JsonReader r;  json_reader_init(&r, root, "", reterr);
 *     Slice name = json_take_string(&r, "name", 1, 200);
 *     Slice csr  = json_take_optional_string(&r, "csr", 16384);
 *     return json_reader_finish(&r);      // unknown and repeated members are errors, the nearest known one is named
 *
 * One thread at a time. Writing is done with yyjson's mutable documents or Buf.
 */
#include <stdbool.h>
#include <stdint.h>
#include <yyjson.h>

#include "lib/base/cleanup.h"
#include "lib/base/err.h"
#include "lib/base/slice.h"

static inline void json_doc_freep(yyjson_doc **doc)
{
    yyjson_doc_free(*doc);
}
#define _cleanup_json_doc_ _cleanup_(json_doc_freep)

typedef struct JsonLimits {
    size_t bytes;   /* of the text */
    unsigned depth; /* of nesting; checked before the tree is built */
} JsonLimits;

/* Strict RFC 8259, UTF-8 checked. ERR_SYNTAX with line and column, ERR_TOO_LARGE at a limit. */
int json_parse(Slice text, JsonLimits limits, yyjson_doc **ret, Err *reterr) MUST_CHECK;

enum { JSON_READER_MEMBERS_MAX = 32 };

typedef struct JsonReader {
    yyjson_val *object;
    const char *path; /* for messages: "" or "frames[3]" */
    Err *reterr;
    int result; /* 0, or the first failure */
    const char *known[JSON_READER_MEMBERS_MAX];
    size_t known_count;
} JsonReader;

/* @object other than an object is the first fault. */
void json_reader_init(JsonReader *r, yyjson_val *object, const char *path, Err *reterr);
/* Lengths in bytes. After a fault the takes return absent/0. Strings point into the document. */
Slice json_take_string(JsonReader *r, const char *name, size_t min, size_t max);
Slice json_take_optional_string(JsonReader *r, const char *name, size_t max); /* absent or null: SLICE_NULL */
int64_t json_take_int(JsonReader *r, const char *name, int64_t min, int64_t max);
int64_t json_take_optional_int(JsonReader *r, const char *name, int64_t min, int64_t max, int64_t otherwise);
bool json_take_optional_bool(JsonReader *r, const char *name, bool otherwise);
yyjson_val *json_take_array(JsonReader *r, const char *name);    /* required */
yyjson_val *json_take_optional(JsonReader *r, const char *name); /* any type; NULL when absent or null */
int json_reader_finish(JsonReader *r) MUST_CHECK;
