#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Inside of the TOML reader. toml.c owns the tree, toml_parse.c the statements, toml_string.c and toml_scalar.c the
 * leaves. A parser lives on the stack of toml_parse(); everything it allocates belongs to the document.
 *
 * Invariants:
 *   1. parser.at never passes parser.end; the text has no NUL terminator to lean on.
 *   2. The text is valid UTF-8 before the first character is looked at.
 *   3. parser.line and the column cache belong to the line that parser.at is on: whoever consumes a newline calls
 *      toml_newline().
 */
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/map.h"
#include "lib/conf/toml.h"

typedef enum TomlTableKind {
    TOML_TABLE_IMPLICIT, /* named on the way to a header's last key; its own header may still come */
    TOML_TABLE_HEADER,   /* has had its [header], or is an element of [[header]] */
    TOML_TABLE_DOTTED,   /* made by a dotted key: closed to headers, open to further dotted keys */
} TomlTableKind;

/* [[x]]: the array as readers see it, and what appending to it needs. */
typedef struct TomlTables {
    TomlArray array;
    TomlValue *items; /* == array.items */
    size_t capacity;
    TomlTable *last;
} TomlTables;

/* An entry and the writable side of its value. Both NULL: a plain value, or an inline table or array, which are closed.
 */
typedef struct TomlNode {
    TomlEntry entry; /* first */
    struct TomlNode *next;
    TomlTable *table;
    TomlTables *tables;
} TomlNode;

struct TomlTable {
    TomlNode *first;
    TomlNode *last;
    size_t count;
    Map *index; /* of nodes by key; only of large tables */
    TomlTable *next_indexed;
    TomlTableKind kind;
    unsigned depth; /* the root has 0 */
};

struct TomlDoc {
    Arena *arena;
    TomlTable *root;
    TomlTable *indexed; /* tables that own an index */
};

typedef struct TomlPlace {
    uint32_t line;
    uint32_t column;
} TomlPlace;

typedef struct TomlParser {
    TomlDoc *doc;
    const char *at;
    const char *end;
    uint32_t line;
    const char *counted; /* the column of this position is known: */
    uint32_t column;
    size_t values;
    TomlLimits limits;
    Buf scratch; /* string being decoded */
    Err *reterr;
} TomlParser;

/* toml.c */
TomlTable *toml_table_new(TomlDoc *doc, TomlTableKind kind, unsigned depth);
TomlNode *toml_table_find_node(const TomlTable *t, Slice key);
/* @key is not there yet and lives in the arena. The value is to be filled by the caller. */
TomlNode *toml_table_add(TomlDoc *doc, TomlTable *t, Slice key, TomlPlace place);
/* Room for one more in an arena array of values that grows by doubling. */
TomlValue *toml_values_grow(Arena *arena, TomlValue *items, size_t count, size_t *capacity);

/* toml_parse.c: what the leaves share */
TomlPlace toml_here(TomlParser *p);
void toml_newline(TomlParser *p); /* parser.at stands behind a line feed */
int toml_fail(TomlParser *p, TomlPlace place, const char *format, ...) PRINTF_LIKE(3, 4);
/* "unexpected X, " and what was expected instead. */
int toml_fail_expected(TomlParser *p, const char *expected);
static inline int toml_peek(const TomlParser *p, size_t ahead)
{
    return ahead < (size_t)(p->end - p->at) ? (unsigned char)p->at[ahead] : -1; /* -1: the end */
}

/* toml_string.c: parser.at stands on the opening quote. */
int toml_parse_string(TomlParser *p, Slice *ret) MUST_CHECK;           /* on one line: values and keys */
int toml_parse_multiline_string(TomlParser *p, Slice *ret) MUST_CHECK; /* on three quotes */

/* toml_scalar.c: numbers, booleans, dates and times. */
int toml_parse_scalar(TomlParser *p, TomlValue *ret) MUST_CHECK;
/* toml_datetime.c: @text is a whole token. Returns what is wrong with it, NULL when nothing is. */
const char *toml_read_datetime(Slice text, TomlValue *ret);
bool toml_looks_like_date(Slice text);
bool toml_looks_like_time(Slice text);
