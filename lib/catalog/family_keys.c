/* SPDX-License-Identifier: PostgreSQL */
/* Keys of family files: their types, their values, their faults. Pure, any thread. */
#include "lib/catalog/family_keys.h"

#include "lib/base/buf.h"

enum { LIST_MAX = 32 };

int family_keys_fail(const FamilyParser *p, const TomlValue *value, const char *format, ...)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    int r = err_set(p->reterr, ERR_CONFIG, "%s: %s", p->file_name, buf_cstr(&text));
    if (value)
        err_at(p->reterr, value->line, value->column);
    return r;
}

/* --- keys and their types ---------------------------------------------------------------------------------------- */

static bool value_is_list(const TomlValue *v)
{
    if (v->type == TOML_STRING)
        return true;
    if (v->type != TOML_ARRAY || v->as.array->count == 0 || v->as.array->count > LIST_MAX)
        return false;
    for (size_t i = 0; i < v->as.array->count; i++) {
        const TomlValue *item = &v->as.array->items[i];
        if (item->type != TOML_STRING || memchr(item->as.string.ptr, '\0', item->as.string.len))
            return false;
    }
    return true;
}

static bool value_is_tables(const TomlValue *v)
{
    if (v->type != TOML_ARRAY || v->as.array->count == 0)
        return false;
    for (size_t i = 0; i < v->as.array->count; i++) {
        if (v->as.array->items[i].type != TOML_TABLE)
            return false;
    }
    return true;
}

static const char *value_fault(const TomlValue *v, int type)
{
    switch (type) {
    case KEY_TEXT:
        return v->type == TOML_STRING ? NULL : "a string";
    case KEY_LIST:
        return value_is_list(v) ? NULL : "a string or a list of 1 to 32 strings";
    case KEY_INTEGER:
        return v->type == TOML_INTEGER ? NULL : "an integer";
    case KEY_BOOL:
        return v->type == TOML_BOOL ? NULL : "true or false";
    default:
        return value_is_tables(v) ? NULL : "a list of tables, [[...]]";
    }
}

static const FamilyKey *nearest_key(const FamilyKey *keys, size_t count, Slice key)
{
    const FamilyKey *best = NULL;
    size_t best_distance = 4;
    for (size_t i = 0; i < count; i++) {
        size_t d = slice_distance(key, slice_cstr(keys[i].name), best_distance);
        if (d < best_distance) {
            best_distance = d;
            best = &keys[i];
        }
    }
    return best;
}

int family_keys_check(const FamilyParser *p, const TomlTable *table, const FamilyKey *keys, size_t count)
{
    for (const TomlEntry *e = toml_table_first(table); e; e = e->next) {
        const FamilyKey *spec = NULL;
        for (size_t i = 0; i < count && !spec; i++)
            spec = slice_eq_cstr(e->key, keys[i].name) ? &keys[i] : NULL;
        if (!spec) {
            const FamilyKey *near = nearest_key(keys, count, e->key);
            int r = family_keys_fail(p, &e->value, "unknown key \"%.*s\"", SLICE_ARG(e->key));
            err_at(p->reterr, e->line, e->column);
            if (near)
                err_hint(p->reterr, "did you mean \"%s\"?", near->name);
            return r;
        }
        const char *wanted = value_fault(&e->value, spec->type);
        if (wanted)
            return family_keys_fail(p, &e->value, "%s must be %s", spec->name, wanted);
        if (e->value.type == TOML_STRING && memchr(e->value.as.string.ptr, '\0', e->value.as.string.len))
            return family_keys_fail(p, &e->value, "%s holds a NUL character", spec->name);
    }
    return 0;
}

const char *family_keys_text(const FamilyParser *p, const TomlTable *table, const char *key)
{
    Slice s = slice_trim(toml_table_get_string(table, key));
    return s.ptr ? arena_dup(p->arena, s).ptr : "";
}

const char *const *family_keys_list(const FamilyParser *p, const TomlTable *table, const char *key)
{
    const TomlValue *v = toml_table_get(table, key);
    if (!v)
        return NULL;
    size_t count = v->type == TOML_STRING ? 1 : v->as.array->count;
    const TomlValue *items = v->type == TOML_STRING ? v : v->as.array->items;
    const char **list = arena_new_array(p->arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++)
        list[i] = arena_dup(p->arena, slice_trim(items[i].as.string)).ptr;
    return list;
}

int family_keys_choice(const FamilyParser *p, const TomlTable *table, const char *key, const char *const *names)
{
    const TomlValue *v = toml_table_get(table, key);
    if (!v)
        return 0;
    _cleanup_buf_ Buf allowed = BUF_INIT;
    for (int i = 0; names[i]; i++) {
        if (slice_eq_cstr(v->as.string, names[i]))
            return i;
        if (names[i][0])
            buf_printf(&allowed, "%s\"%s\"", allowed.len ? ", " : "", names[i]);
    }
    (void)family_keys_fail(p, v, "%s = \"%.*s\" is not one of %s", key, SLICE_ARG(v->as.string), buf_cstr(&allowed));
    return -1;
}

int family_keys_integer(const FamilyParser *p, const TomlTable *table, const char *key, int max, int *ret)
{
    const TomlValue *v = toml_table_get(table, key);
    *ret = 0;
    if (!v)
        return 0;
    if (v->as.integer < 0 || v->as.integer > max)
        return family_keys_fail(p, v, "%s = %lld is not between 0 and %d", key, (long long)v->as.integer, max);
    *ret = (int)v->as.integer;
    return 0;
}

/* --- pieces of SQL ----------------------------------------------------------------------------------------------- */

/* A semicolon that is no part of a 'text' or a "name". Dollar quotes are not known here: what stands in them is looked
 * at as well. */
static bool has_semicolon(Slice s)
{
    char quote = '\0';
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (quote)
            quote = c == quote ? '\0' : quote;
        else if (c == '\'' || c == '"')
            quote = c;
        else if (c == ';')
            return true;
    }
    return false;
}

int family_keys_check_sql(const FamilyParser *p, const TomlTable *table, const char *key, const Family *f)
{
    const TomlValue *v = toml_table_get(table, key);
    if (!v || v->type != TOML_STRING)
        return 0;
    Slice s = slice_trim(v->as.string);
    if (s.len == 0)
        return family_keys_fail(p, v, "%s is empty", key);
    if (has_semicolon(s))
        return family_keys_fail(p, v, "%s holds a semicolon: it is one statement, without one at the end", key);
    if (slice_find(s, SLICE_LIT("--")) >= 0)
        return family_keys_fail(p, v, "%s holds a comment", key);
    if (slice_find(s, SLICE_LIT("{schema}")) >= 0 && f->needs[0] == '\0')
        return family_keys_fail(p, v, "%s uses {schema}, but the family needs no extension", key);
    return 0;
}

bool family_keys_made_of(const char *text, const char *allowed)
{
    return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

int family_keys_check_words(const FamilyParser *p, const TomlTable *table, const char *key, const char *const *list,
                            const char *allowed)
{
    for (; list && *list; list++) {
        if (!family_keys_made_of(*list, allowed))
            return family_keys_fail(p, toml_table_get(table, key), "%s: \"%s\" is not a plain name", key, *list);
    }
    return 0;
}
