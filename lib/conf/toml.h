#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * TOML 1.0 reader: text to a tree in which every key and value knows its line and column. Strict: whatever the
 * specification forbids is refused with the place and the fault. The tree lives in the document's arena, is constant
 * after toml_parse() and may then be read by any thread.
 *
 *     for (const TomlEntry *e = toml_table_first(toml_root(doc)); e; e = e->next) ...   // in file order
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/cleanup.h"
#include "lib/base/err.h"
#include "lib/base/slice.h"

typedef struct TomlDoc TomlDoc;
typedef struct TomlTable TomlTable;
typedef struct TomlEntry TomlEntry;
typedef struct TomlArray TomlArray;

typedef enum TomlType {
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOL,
    TOML_OFFSET_DATETIME,
    TOML_LOCAL_DATETIME,
    TOML_LOCAL_DATE,
    TOML_LOCAL_TIME,
    TOML_ARRAY, /* array of tables included */
    TOML_TABLE,
    _TOML_TYPE_MAX
} TomlType;

/* What the type does not have is 0. */
typedef struct TomlDatetime {
    int16_t year;
    int8_t month; /* 1 to 12 */
    int8_t day;
    int8_t hour;
    int8_t minute;
    int8_t second;          /* 60 in a leap second */
    int16_t offset_minutes; /* east of UTC */
    int32_t nanosecond;     /* further digits are cut */
} TomlDatetime;

typedef struct TomlValue {
    TomlType type;
    uint32_t line;   /* 1-based */
    uint32_t column; /* 1-based, in characters */
    union {
        Slice string; /* NUL-terminated behind len; may hold NUL itself (\u0000) */
        int64_t integer;
        double number;
        bool boolean;
        TomlDatetime datetime;
        const TomlArray *array;
        const TomlTable *table;
    } as;
} TomlValue;

struct TomlEntry {
    Slice key;     /* NUL-terminated behind len */
    uint32_t line; /* of the key */
    uint32_t column;
    TomlValue value;
    const TomlEntry *next; /* in the order of the file */
};

struct TomlArray {
    const TomlValue *items;
    size_t count;
};

/* 0 in a member means its default. */
typedef struct TomlLimits {
    size_t bytes;   /* of the text; default 1 MiB */
    unsigned depth; /* of tables and arrays in each other; default 64 */
    size_t values;  /* keys and array elements together; default 100,000 */
} TomlLimits;

/* Copies what it needs of @text. @limits NULL: all defaults. ERR_SYNTAX, or ERR_TOO_LARGE at a limit, with the place.
 */
int toml_parse(Slice text, const TomlLimits *limits, TomlDoc **ret, Err *reterr) MUST_CHECK;
TomlDoc *toml_doc_free(TomlDoc *doc); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(TomlDoc *, toml_doc_free)

const TomlTable *toml_root(const TomlDoc *doc);
size_t toml_table_count(const TomlTable *t);
const TomlEntry *toml_table_first(const TomlTable *t); /* NULL when empty */
const TomlEntry *toml_table_find(const TomlTable *t, Slice key);
const TomlValue *toml_table_get(const TomlTable *t, const char *key); /* NULL when absent */

/* By type; NULL, SLICE_NULL or false when absent or of another type. */
const TomlTable *toml_table_get_table(const TomlTable *t, const char *key);
const TomlArray *toml_table_get_array(const TomlTable *t, const char *key);
Slice toml_table_get_string(const TomlTable *t, const char *key);
bool toml_table_get_integer(const TomlTable *t, const char *key, int64_t *ret);
bool toml_table_get_bool(const TomlTable *t, const char *key, bool *ret);

/* "a string", "an integer", ... for messages. */
const char *toml_type_to_string(TomlType type);
