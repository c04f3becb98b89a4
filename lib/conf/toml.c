/* SPDX-License-Identifier: PostgreSQL */
/*
 * The tree of a TOML document: tables, their look-up, and the accessors that readers use. The document owns all of it
 * in one arena, plus an index for each large table. Written by the parser's thread only, then constant.
 */
#include "lib/conf/toml.h"

#include <assert.h>

#include "lib/conf/toml_private.h"

/* From here on a table has an index: looking through so few keys is faster than hashing one. */
enum { INDEX_FROM_KEYS = 16 };

TomlTable *toml_table_new(TomlDoc *doc, TomlTableKind kind, unsigned depth)
{
    TomlTable *t = arena_new_object(doc->arena, TomlTable);
    t->kind = kind;
    t->depth = depth;
    return t;
}

TomlNode *toml_table_find_node(const TomlTable *t, Slice key)
{
    if (t->index)
        return map_get(t->index, key);
    for (TomlNode *n = t->first; n; n = n->next)
        if (slice_eq(n->entry.key, key))
            return n;
    return NULL;
}

static void index_node(TomlDoc *doc, TomlTable *t, TomlNode *node)
{
    if (t->index) {
        map_put(t->index, node->entry.key, node);
        return;
    }
    if (t->count < INDEX_FROM_KEYS)
        return;

    t->index = map_new(NULL);
    t->next_indexed = doc->indexed;
    doc->indexed = t;
    for (TomlNode *n = t->first; n; n = n->next)
        map_put(t->index, n->entry.key, n);
}

TomlNode *toml_table_add(TomlDoc *doc, TomlTable *t, Slice key, TomlPlace place)
{
    TomlNode *node = arena_new_object(doc->arena, TomlNode);
    node->entry.key = key;
    node->entry.line = place.line;
    node->entry.column = place.column;

    if (t->last) {
        t->last->next = node;
        t->last->entry.next = &node->entry;
    } else {
        t->first = node;
    }
    t->last = node;
    t->count++;
    index_node(doc, t, node);
    return node;
}

TomlValue *toml_values_grow(Arena *arena, TomlValue *items, size_t count, size_t *capacity)
{
    if (count < *capacity)
        return items;
    *capacity = *capacity ? 2 * *capacity : 4;
    TomlValue *grown = arena_new_array(arena, TomlValue, *capacity);
    if (count > 0)
        memcpy(grown, items, count * sizeof(*items));
    return grown;
}

TomlDoc *toml_doc_free(TomlDoc *doc)
{
    if (!doc)
        return NULL;
    for (TomlTable *t = doc->indexed; t; t = t->next_indexed)
        (void)map_free(t->index);
    (void)arena_free(doc->arena);
    free(doc);
    return NULL;
}

const TomlTable *toml_root(const TomlDoc *doc)
{
    return doc->root;
}

size_t toml_table_count(const TomlTable *t)
{
    return t->count;
}

const TomlEntry *toml_table_first(const TomlTable *t)
{
    return t->first ? &t->first->entry : NULL;
}

const TomlEntry *toml_table_find(const TomlTable *t, Slice key)
{
    const TomlNode *node = toml_table_find_node(t, key);
    return node ? &node->entry : NULL;
}

const TomlValue *toml_table_get(const TomlTable *t, const char *key)
{
    const TomlEntry *e = toml_table_find(t, slice_cstr(key));
    return e ? &e->value : NULL;
}

static const TomlValue *get_typed(const TomlTable *t, const char *key, TomlType type)
{
    const TomlValue *v = toml_table_get(t, key);
    return v && v->type == type ? v : NULL;
}

const TomlTable *toml_table_get_table(const TomlTable *t, const char *key)
{
    const TomlValue *v = get_typed(t, key, TOML_TABLE);
    return v ? v->as.table : NULL;
}

const TomlArray *toml_table_get_array(const TomlTable *t, const char *key)
{
    const TomlValue *v = get_typed(t, key, TOML_ARRAY);
    return v ? v->as.array : NULL;
}

Slice toml_table_get_string(const TomlTable *t, const char *key)
{
    const TomlValue *v = get_typed(t, key, TOML_STRING);
    return v ? v->as.string : SLICE_NULL;
}

bool toml_table_get_integer(const TomlTable *t, const char *key, int64_t *ret)
{
    const TomlValue *v = get_typed(t, key, TOML_INTEGER);
    if (v)
        *ret = v->as.integer;
    return v != NULL;
}

bool toml_table_get_bool(const TomlTable *t, const char *key, bool *ret)
{
    const TomlValue *v = get_typed(t, key, TOML_BOOL);
    if (v)
        *ret = v->as.boolean;
    return v != NULL;
}

const char *toml_type_to_string(TomlType type)
{
    static const char *const names[_TOML_TYPE_MAX] = {
        [TOML_STRING] = "a string",
        [TOML_INTEGER] = "an integer",
        [TOML_FLOAT] = "a float",
        [TOML_BOOL] = "a boolean",
        [TOML_OFFSET_DATETIME] = "a date-time with offset",
        [TOML_LOCAL_DATETIME] = "a local date-time",
        [TOML_LOCAL_DATE] = "a local date",
        [TOML_LOCAL_TIME] = "a local time",
        [TOML_ARRAY] = "an array",
        [TOML_TABLE] = "a table",
    };
    assert((unsigned)type < _TOML_TYPE_MAX);
    return names[type];
}
