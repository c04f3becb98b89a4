/* SPDX-License-Identifier: PostgreSQL */
/*
 * TOML statements: headers, dotted keys, arrays, inline tables, and which table may be opened again by what. Runs on
 * the caller's thread; the parser is its stack, the result is the document.
 *
 * Keys are followed while they are read: each part before a '.' descends, the last one is bound. Messages never repeat
 * a value, because it may be a secret.
 */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/memory.h"
#include "lib/conf/toml.h"
#include "lib/conf/toml_private.h"

enum {
    DEFAULT_BYTES = 1 << 20,
    DEFAULT_DEPTH = 64,
    DEFAULT_VALUES = 100000,
    SHOWN_KEY_BYTES = 80,
};

/* ---- places and failures ---- */

TomlPlace toml_here(TomlParser *p)
{
    for (; p->counted < p->at; p->counted++)
        if (((unsigned char)*p->counted & 0xC0) != 0x80) /* columns count characters: no continuation bytes */
            p->column++;
    return (TomlPlace){.line = p->line, .column = p->column};
}

void toml_newline(TomlParser *p)
{
    p->line++;
    p->counted = p->at;
    p->column = 1;
}

int toml_fail(TomlParser *p, TomlPlace place, const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof(text), format, args); /* a cut message is still a message */
    va_end(args);

    int r = err_set(p->reterr, ERR_SYNTAX, "%s", text);
    err_at(p->reterr, place.line, place.column);
    return r;
}

static int fail_limit(TomlParser *p, TomlPlace place, const char *what, size_t limit)
{
    int r = err_set(p->reterr, ERR_TOO_LARGE, "%s than the allowed %zu", what, limit);
    err_at(p->reterr, place.line, place.column);
    return r;
}

int toml_fail_expected(TomlParser *p, const char *expected)
{
    int c = toml_peek(p, 0);
    TomlPlace here = toml_here(p);
    if (c < 0)
        return toml_fail(p, here, "unexpected end of the file, %s", expected);
    if (c == '\n' || (c == '\r' && toml_peek(p, 1) == '\n'))
        return toml_fail(p, here, "unexpected end of the line, %s", expected);
    if (c < 0x20 || c == 0x7F)
        return toml_fail(p, here, "unexpected control character 0x%02x, %s", (unsigned)c, expected);

    int length = 1;
    while ((toml_peek(p, (size_t)length) & 0xC0) == 0x80 && toml_peek(p, (size_t)length) >= 0)
        length++;
    return toml_fail(p, here, "unexpected '%.*s', %s", length, p->at, expected);
}

/* A key as text for messages: printable, quoted where it must be. */
static const char *shown_key(TomlParser *p, Slice key)
{
    bool cut = key.len > SHOWN_KEY_BYTES;
    if (cut)
        for (key.len = SHOWN_KEY_BYTES; ((unsigned char)key.ptr[key.len] & 0xC0) == 0x80;)
            key.len--;

    buf_clear(&p->scratch);
    buf_append_json_string(&p->scratch, key);
    if (cut)
        buf_append_cstr(&p->scratch, "...");
    return buf_cstr(&p->scratch);
}

/* ---- white space ---- */

static void skip_blanks(TomlParser *p)
{
    while (p->at < p->end && (*p->at == ' ' || *p->at == '\t'))
        p->at++;
}

static bool take_newline(TomlParser *p)
{
    if (toml_peek(p, 0) == '\n')
        p->at++;
    else if (toml_peek(p, 0) == '\r' && toml_peek(p, 1) == '\n')
        p->at += 2;
    else
        return false;
    toml_newline(p);
    return true;
}

/* To the end of the line, which is left. */
static int skip_comment(TomlParser *p)
{
    for (int c; (c = toml_peek(p, 0)) >= 0 && c != '\n'; p->at++) {
        if (c == '\r' && toml_peek(p, 1) == '\n')
            break;
        if ((c < 0x20 && c != '\t') || c == 0x7F)
            return toml_fail_expected(p, "which a comment may not hold");
    }
    return 0;
}

/* Blanks, newlines and comments, as between array elements. */
static int skip_space(TomlParser *p)
{
    for (;;) {
        skip_blanks(p);
        if (toml_peek(p, 0) == '#') {
            int r = skip_comment(p);
            if (r < 0)
                return r;
        } else if (!take_newline(p)) {
            return 0;
        }
    }
}

/* ---- keys ---- */

static bool is_bare(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

/* One part of a key; blanks around it are skipped. */
static int parse_key_part(TomlParser *p, Slice *ret, TomlPlace *ret_place)
{
    skip_blanks(p);
    *ret_place = toml_here(p);
    int c = toml_peek(p, 0);
    if (c == '"' || c == '\'') {
        int r = toml_parse_string(p, ret);
        if (r < 0)
            return r;
    } else {
        const char *start = p->at;
        while (is_bare(toml_peek(p, 0)))
            p->at++;
        if (p->at == start)
            return toml_fail_expected(p, "expected a key (letters, digits, '_', '-', or quoted)");
        *ret = arena_dup(p->doc->arena, slice_from(start, (size_t)(p->at - start)));
    }
    skip_blanks(p);
    return 0;
}

static int count_value(TomlParser *p, TomlPlace place)
{
    if (++p->values > p->limits.values)
        return fail_limit(p, place, "more keys and array elements", p->limits.values);
    return 0;
}

static int check_depth(TomlParser *p, TomlPlace place, unsigned depth)
{
    if (depth > p->limits.depth)
        return fail_limit(p, place, "tables and arrays are nested deeper", p->limits.depth);
    return 0;
}

static int add_table(TomlParser *p, TomlTable *parent, Slice key, TomlPlace place, TomlTableKind kind, TomlTable **ret)
{
    int r = check_depth(p, place, parent->depth + 1);
    if (r == 0)
        r = count_value(p, place);
    if (r < 0)
        return r;

    TomlNode *node = toml_table_add(p->doc, parent, key, place);
    node->table = toml_table_new(p->doc, kind, parent->depth + 1);
    node->entry.value =
        (TomlValue){.type = TOML_TABLE, .line = place.line, .column = place.column, .as.table = node->table};
    *ret = node->table;
    return 0;
}

/* What stands where a key would like to be, for messages. */
static const char *node_kind(const TomlNode *node)
{
    if (node->tables)
        return "an array of tables";
    if (node->entry.value.type == TOML_TABLE && !node->table)
        return "an inline table";
    return toml_type_to_string(node->entry.value.type);
}

static int fail_taken(TomlParser *p, TomlPlace place, const TomlNode *node, const char *so)
{
    return toml_fail(p, place, "%s is already %s since line %u, %s", shown_key(p, node->entry.key), node_kind(node),
                     (unsigned)node->entry.line, so);
}

/* ---- key = value ---- */

static int parse_value(TomlParser *p, unsigned depth, TomlValue *ret);

/* a.b.c = x: only tables that dotted keys made may be entered again, and only one's own section reaches those. */
static int descend_dotted(TomlParser *p, TomlTable **table, Slice key, TomlPlace place)
{
    TomlNode *node = toml_table_find_node(*table, key);
    if (!node)
        return add_table(p, *table, key, place, TOML_TABLE_DOTTED, table);
    if (!node->table)
        return fail_taken(p, place, node, "a dotted key cannot extend it");
    if (node->table->kind != TOML_TABLE_DOTTED)
        return fail_taken(p, place, node, "defined by a header; a dotted key cannot extend it");
    *table = node->table;
    return 0;
}

static int parse_key_value(TomlParser *p, TomlTable *table)
{
    Slice key = SLICE_NULL;
    TomlPlace place;
    int r = parse_key_part(p, &key, &place);
    if (r < 0)
        return r;
    while (toml_peek(p, 0) == '.') {
        p->at++;
        r = descend_dotted(p, &table, key, place);
        if (r == 0)
            r = parse_key_part(p, &key, &place);
        if (r < 0)
            return r;
    }

    if (toml_peek(p, 0) != '=')
        return toml_fail_expected(p, "expected '=' after a key");
    p->at++;
    const TomlNode *taken = toml_table_find_node(table, key);
    if (taken)
        return fail_taken(p, place, taken, "it cannot be given twice");
    r = count_value(p, place);
    if (r < 0)
        return r;

    TomlValue value;
    skip_blanks(p);
    r = parse_value(p, table->depth + 1, &value);
    if (r < 0)
        return r;
    toml_table_add(p->doc, table, key, place)->entry.value = value;
    return 0;
}

/* ---- values ---- */

static int parse_array_item(TomlParser *p, unsigned depth, TomlArray *array, TomlValue **items, size_t *capacity)
{
    int r = count_value(p, toml_here(p));
    if (r < 0)
        return r;
    TomlValue value;
    r = parse_value(p, depth + 1, &value);
    if (r < 0)
        return r;
    *items = toml_values_grow(p->doc->arena, *items, array->count, capacity);
    (*items)[array->count++] = value;
    return 0;
}

static int parse_array(TomlParser *p, unsigned depth, TomlValue *ret)
{
    TomlArray *array = arena_new_object(p->doc->arena, TomlArray);
    TomlValue *items = NULL;
    size_t capacity = 0;
    unsigned opened = p->line;

    p->at++;
    for (bool after_item = false;;) {
        int r = skip_space(p);
        if (r < 0)
            return r;
        int c = toml_peek(p, 0);
        if (c < 0)
            return toml_fail(p, toml_here(p), "unexpected end of the file, the array of line %u is not closed", opened);
        if (c == ']')
            break;
        if (!after_item) {
            r = parse_array_item(p, depth, array, &items, &capacity);
            if (r < 0)
                return r;
            after_item = true;
        } else if (c == ',') {
            p->at++;
            after_item = false;
        } else {
            return toml_fail_expected(p, "expected ',' or ']' in an array");
        }
    }
    p->at++;
    array->items = items;
    ret->type = TOML_ARRAY;
    ret->as.array = array;
    return 0;
}

/* { k = v, k = v }: on one line, no comma at the end; closed for ever at its brace. */
static int parse_inline_table(TomlParser *p, unsigned depth, TomlValue *ret)
{
    TomlTable *table = toml_table_new(p->doc, TOML_TABLE_DOTTED, depth);
    ret->type = TOML_TABLE;
    ret->as.table = table;

    p->at++;
    skip_blanks(p);
    if (toml_peek(p, 0) == '}') {
        p->at++;
        return 0;
    }
    for (;;) {
        int r = parse_key_value(p, table);
        if (r < 0)
            return r;
        skip_blanks(p);
        int c = toml_peek(p, 0);
        if (c != ',' && c != '}')
            return toml_fail_expected(p, "expected ',' or '}' in an inline table");
        p->at++;
        if (c == '}')
            return 0;
    }
}

static int parse_value(TomlParser *p, unsigned depth, TomlValue *ret)
{
    TomlPlace place = toml_here(p);
    *ret = (TomlValue){.line = place.line, .column = place.column};
    int c = toml_peek(p, 0);
    switch (c) {
    case '[':
    case '{': {
        int r = check_depth(p, place, depth);
        if (r < 0)
            return r;
        return c == '[' ? parse_array(p, depth, ret) : parse_inline_table(p, depth, ret);
    }
    case '"':
    case '\'':
        ret->type = TOML_STRING;
        if (toml_peek(p, 1) == c && toml_peek(p, 2) == c)
            return toml_parse_multiline_string(p, &ret->as.string);
        return toml_parse_string(p, &ret->as.string);
    default:
        return toml_parse_scalar(p, ret);
    }
}

/* ---- [header] and [[header]] ---- */

static int descend_header(TomlParser *p, TomlTable **table, Slice key, TomlPlace place)
{
    TomlNode *node = toml_table_find_node(*table, key);
    if (!node)
        return add_table(p, *table, key, place, TOML_TABLE_IMPLICIT, table);
    if (node->table)
        *table = node->table;
    else if (node->tables)
        *table = node->tables->last; /* what follows [[x]] belongs to its latest element */
    else
        return fail_taken(p, place, node, "a header cannot extend it");
    return 0;
}

static int open_table(TomlParser *p, TomlTable *parent, Slice key, TomlPlace place, TomlTable **ret)
{
    TomlNode *node = toml_table_find_node(parent, key);
    if (!node)
        return add_table(p, parent, key, place, TOML_TABLE_HEADER, ret);
    if (!node->table || node->table->kind != TOML_TABLE_IMPLICIT)
        return fail_taken(p, place, node, "it cannot be defined again by a header");

    /* From now on the place of its definition is here, not where it was passed by. */
    node->table->kind = TOML_TABLE_HEADER;
    node->entry.line = node->entry.value.line = place.line;
    node->entry.column = node->entry.value.column = place.column;
    *ret = node->table;
    return 0;
}

static int open_array_element(TomlParser *p, TomlTable *parent, Slice key, TomlPlace place, TomlTable **ret)
{
    TomlNode *node = toml_table_find_node(parent, key);
    if (node && !node->tables)
        return fail_taken(p, place, node, "[[...]] cannot add to it");
    int r = check_depth(p, place, parent->depth + 2); /* the array is a level, too */
    if (r == 0)
        r = count_value(p, place);
    if (r < 0)
        return r;

    if (!node) {
        node = toml_table_add(p->doc, parent, key, place);
        node->tables = arena_new_object(p->doc->arena, TomlTables);
        node->entry.value = (TomlValue){
            .type = TOML_ARRAY, .line = place.line, .column = place.column, .as.array = &node->tables->array};
    }
    TomlTables *tables = node->tables;
    tables->last = toml_table_new(p->doc, TOML_TABLE_HEADER, parent->depth + 2);
    tables->items = toml_values_grow(p->doc->arena, tables->items, tables->array.count, &tables->capacity);
    tables->items[tables->array.count++] =
        (TomlValue){.type = TOML_TABLE, .line = place.line, .column = place.column, .as.table = tables->last};
    tables->array.items = tables->items;
    *ret = tables->last;
    return 0;
}

static int parse_header(TomlParser *p, TomlTable **ret_table)
{
    bool is_array = toml_peek(p, 1) == '[';
    p->at += is_array ? 2 : 1;

    TomlTable *table = p->doc->root;
    Slice key = SLICE_NULL;
    TomlPlace place;
    int r = parse_key_part(p, &key, &place);
    if (r < 0)
        return r;
    while (toml_peek(p, 0) == '.') {
        p->at++;
        r = descend_header(p, &table, key, place);
        if (r == 0)
            r = parse_key_part(p, &key, &place);
        if (r < 0)
            return r;
    }
    if (toml_peek(p, 0) != ']' || (is_array && toml_peek(p, 1) != ']'))
        return toml_fail_expected(p, is_array ? "expected ']]' after a header" : "expected ']' after a header");
    p->at += is_array ? 2 : 1;
    return is_array ? open_array_element(p, table, key, place, ret_table) : open_table(p, table, key, place, ret_table);
}

/* ---- the document ---- */

static int parse_document(TomlParser *p)
{
    TomlTable *table = p->doc->root;
    for (;;) {
        int r = skip_space(p);
        if (r < 0)
            return r;
        int c = toml_peek(p, 0);
        if (c < 0)
            return 0;
        r = c == '[' ? parse_header(p, &table) : parse_key_value(p, table);
        if (r < 0)
            return r;

        skip_blanks(p);
        if (toml_peek(p, 0) == '#')
            r = skip_comment(p);
        if (r < 0)
            return r;
        if (toml_peek(p, 0) >= 0 && !take_newline(p))
            return toml_fail_expected(p, c == '[' ? "expected the end of the line after a header"
                                                  : "expected the end of the line after a value");
    }
}

/* Bytes of the character that begins here, going by its first byte alone. */
static size_t character_length(unsigned char first)
{
    return first < 0xC0 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
}

/* The text is not UTF-8: find out where. */
static int fail_encoding(TomlParser *p)
{
    for (;;) {
        assert(p->at < p->end);
        size_t length = character_length((unsigned char)*p->at);
        if (length > (size_t)(p->end - p->at) || !slice_is_utf8(slice_from(p->at, length)))
            break;
        p->at += length;
        if (p->at[-1] == '\n')
            toml_newline(p);
    }
    return toml_fail(p, toml_here(p), "byte 0x%02x is not valid UTF-8 here", (unsigned)(unsigned char)*p->at);
}

static int parse(TomlParser *p, Slice text)
{
    if (text.len > p->limits.bytes)
        return err_set(p->reterr, ERR_TOO_LARGE, "the text has %zu bytes, more than the allowed %zu", text.len,
                       p->limits.bytes);
    if (!slice_is_utf8(text))
        return fail_encoding(p);
    if (slice_starts_with(text, SLICE_LIT("\xEF\xBB\xBF"))) /* byte order mark, as some editors leave it */
        p->counted = p->at += 3;
    return parse_document(p);
}

int toml_parse(Slice text, const TomlLimits *limits, TomlDoc **ret, Err *reterr)
{
    TomlLimits l = limits ? *limits : (TomlLimits){0};
    TomlParser p = {
        .at = text.ptr,
        .end = text.ptr ? text.ptr + text.len : NULL,
        .line = 1,
        .counted = text.ptr,
        .column = 1,
        .limits = {.bytes = l.bytes ? l.bytes : DEFAULT_BYTES,
                   .depth = l.depth ? l.depth : DEFAULT_DEPTH,
                   .values = l.values ? l.values : DEFAULT_VALUES},
        .reterr = reterr,
    };
    p.doc = mem_alloc(sizeof(*p.doc));
    p.doc->arena = arena_new(0);
    p.doc->root = toml_table_new(p.doc, TOML_TABLE_HEADER, 0);

    int r = parse(&p, text);
    buf_done(&p.scratch);
    if (r < 0)
        (void)toml_doc_free(p.doc);
    else
        *ret = p.doc;
    return r;
}
