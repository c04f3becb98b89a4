/* SPDX-License-Identifier: PostgreSQL */
/*
 * A TOML document into a settings struct: every key must have a row or belong to a table that the caller reads itself;
 * whatever does not is a fault that names the nearest known one. Values of unknown keys are not shown: a misspelt
 * "password" has a password. The caller's thread.
 */
#include <assert.h>
#include <math.h>
#include <string.h>

#include "lib/conf/conf_private.h"

typedef struct Walk {
    const ConfKeys *keys;
    void *settings;
    const char *file;
    ConfDiags *diags;
} Walk;

/* ---- what the rows know ---- */

/* "a.b" under "a" is "b", under "a.b" is "", elsewhere absent. */
static Slice below(const char *path, const char *section)
{
    Slice s = slice_cstr(path);
    if (!slice_starts_with(s, slice_cstr(section)))
        return SLICE_NULL;
    s = slice_skip(s, strlen(section));
    if (s.len == 0 || *section == '\0')
        return s;
    return *s.ptr == '.' ? slice_skip(s, 1) : SLICE_NULL;
}

static const ConfKey *find_key(const ConfKeys *keys, const char *section, Slice name)
{
    for (size_t i = 0; i < keys->count; i++) {
        const ConfKey *key = &keys->rows[i];
        if (key->name && strcmp(key->section, section) == 0 && slice_eq_cstr(name, key->name))
            return key;
    }
    return NULL;
}

static const ConfKey *find_file_key(const ConfKeys *keys, const char *section, Slice name)
{
    for (size_t i = 0; i < keys->count; i++) {
        const ConfKey *key = &keys->rows[i];
        if (key->file_key && strcmp(key->section, section) == 0 && slice_eq_cstr(name, key->file_key))
            return key;
    }
    return NULL;
}

static bool is_elsewhere(const ConfKeys *keys, const char *path)
{
    for (size_t i = 0; keys->elsewhere && keys->elsewhere[i]; i++)
        if (strcmp(keys->elsewhere[i], path) == 0)
            return true;
    return false;
}

/* A quoted key with a dot or a NUL in it is not a path, whatever it looks like. */
static bool is_plain(Slice key)
{
    return key.len > 0 && !memchr(key.ptr, '.', key.len) && !memchr(key.ptr, '\0', key.len);
}

/* A table on the way to, or with, keys. */
static bool is_section(const ConfKeys *keys, const char *path)
{
    for (size_t i = 0; i < keys->count; i++)
        if (keys->rows[i].name && below(keys->rows[i].section, path).ptr)
            return true;
    for (size_t i = 0; keys->elsewhere && keys->elsewhere[i]; i++)
        if (below(keys->elsewhere[i], path).ptr)
            return true;
    return false;
}

/* ---- unknown keys ---- */

/* The first part of what is below @section in @path. */
static void offer_child(ConfNearest *nearest, const char *path, const char *section)
{
    Slice rest = below(path, section);
    Slice child = slice_split(&rest, '.');
    if (child.len > 0)
        conf_nearest_offer(nearest, child);
}

static void write_nearest(const ConfKeys *keys, const char *section, Slice name, Buf *hint)
{
    ConfNearest nearest = conf_nearest(name);
    for (size_t i = 0; i < keys->count; i++) {
        const ConfKey *key = &keys->rows[i];
        if (!key->name || (key->flags & CONF_HIDDEN))
            continue;
        offer_child(&nearest, key->section, section);
        if (strcmp(key->section, section) != 0)
            continue;
        conf_nearest_offer(&nearest, slice_cstr(key->name));
        if (key->file_key)
            conf_nearest_offer(&nearest, slice_cstr(key->file_key));
    }
    for (size_t i = 0; keys->elsewhere && keys->elsewhere[i]; i++)
        offer_child(&nearest, keys->elsewhere[i], section);
    if (nearest.best.ptr)
        buf_printf(hint, "did you mean \"%.*s\"?", SLICE_ARG(nearest.best));
}

/* Right name, wrong table? */
static void write_other_section(const ConfKeys *keys, Slice name, Buf *hint)
{
    for (size_t i = 0; i < keys->count && hint->len == 0; i++) {
        const ConfKey *key = &keys->rows[i];
        if (key->name && !(key->flags & CONF_HIDDEN) && slice_eq_cstr(name, key->name))
            buf_printf(hint, *key->section ? "it belongs in [%s]" : "it belongs before the first table", key->section);
    }
}

static void fault_unknown(const Walk *w, const TomlEntry *e, const char *section, const char *label)
{
    bool is_table = e->value.type == TOML_TABLE;
    bool kept = conf_diags_count(w->diags) < CONF_DIAGS_MAX; /* else nobody would read the hint, which costs time */
    _cleanup_buf_ Buf hint = BUF_INIT;
    if (kept && !is_table)
        write_other_section(w->keys, e->key, &hint);
    if (kept && hint.len == 0)
        write_nearest(w->keys, section, e->key, &hint);
    conf_diags_add(w->diags, &(ConfDiag){.file = w->file,
                                         .line = e->line,
                                         .column = e->column,
                                         .section = label,
                                         .key = e->key.ptr,
                                         .message = is_table ? "unknown table" : "unknown key",
                                         .hint = buf_cstr(&hint)});
}

/* ---- values ---- */

/* As it would be written in TOML; false for what is too long to show. */
static bool write_shown(const TomlValue *v, Buf *out)
{
    switch (v->type) {
    case TOML_STRING:
        buf_append_json_string(out, v->as.string);
        return true;
    case TOML_INTEGER:
        buf_append_int64(out, v->as.integer);
        return true;
    case TOML_FLOAT:
        buf_append_double(out, v->as.number);
        return true;
    case TOML_BOOL:
        buf_append_cstr(out, v->as.boolean ? "true" : "false");
        return true;
    case TOML_OFFSET_DATETIME:
    case TOML_LOCAL_DATETIME:
    case TOML_LOCAL_DATE:
    case TOML_LOCAL_TIME:
    case TOML_ARRAY:
    case TOML_TABLE:
    case _TOML_TYPE_MAX:
        break;
    }
    return false;
}

static bool duration_from_number(const TomlValue *v, int64_t *ret)
{
    if (v->type == TOML_INTEGER)
        return !__builtin_mul_overflow(v->as.integer, USEC_PER_SEC, ret);
    double usec = v->as.number * (double)USEC_PER_SEC;
    if (!(usec > -9e18 && usec < 9e18)) /* NaN, too */
        return false;
    *ret = llround(usec);
    return true;
}

static bool list_from_array(const TomlArray *array, ConfValue *ret)
{
    for (size_t i = 0; i < array->count; i++) {
        if (array->items[i].type != TOML_STRING)
            return false;
        slice_vec_push(&ret->items, array->items[i].as.string);
    }
    return true;
}

typedef enum Fit { FIT, FIT_TYPE_WRONG, FIT_VALUE_WRONG } Fit;

static Fit value_from_toml(const ConfKey *key, const TomlValue *v, ConfValue *ret)
{
    bool is_string = v->type == TOML_STRING;
    bool is_number = v->type == TOML_INTEGER || v->type == TOML_FLOAT;
    switch (key->type) {
    case CONF_STRING:
    case CONF_PATH:
    case CONF_SECRET:
        ret->text = is_string ? v->as.string : SLICE_NULL;
        return is_string ? FIT : FIT_TYPE_WRONG;
    case CONF_BOOL:
        ret->number = v->type == TOML_BOOL && v->as.boolean;
        return v->type == TOML_BOOL ? FIT : FIT_TYPE_WRONG;
    case CONF_STRING_LIST:
        return v->type == TOML_ARRAY && list_from_array(v->as.array, ret) ? FIT : FIT_TYPE_WRONG;
    case CONF_INT:
    case CONF_BYTES:
        if (v->type == TOML_INTEGER) {
            ret->number = v->as.integer;
            return FIT;
        }
        is_string = is_string && key->type == CONF_BYTES;
        break;
    case CONF_DECIMAL:
        if (is_number)
            return conf_decimal_from_double(v->type == TOML_INTEGER ? (double)v->as.integer : v->as.number,
                                            &ret->number)
                       ? FIT
                       : FIT_VALUE_WRONG;
        break;
    case CONF_DURATION:
        if (is_number)
            return duration_from_number(v, &ret->number) ? FIT : FIT_VALUE_WRONG;
        break;
    case CONF_ENUM:
    case _CONF_TYPE_MAX:
        break;
    }
    if (!is_string)
        return FIT_TYPE_WRONG;
    return conf_value_parse(key, v->as.string, ret) ? FIT : FIT_VALUE_WRONG;
}

static ConfSpot value_spot(const Walk *w, const TomlEntry *e, const char *label)
{
    return (ConfSpot){.place = {.file = w->file, .line = e->value.line, .column = e->value.column},
                      .name = {.section = label, .key = e->key.ptr},
                      .diags = w->diags};
}

static void apply_value(const Walk *w, const ConfKey *key, const TomlEntry *e, const char *label)
{
    const ConfSpot spot = value_spot(w, e, label);
    conf_diags_set_place(w->diags, w->settings, key, &spot.place);

    _cleanup_buf_ Buf text = BUF_INIT;
    const char *shown = key->type != CONF_SECRET && write_shown(&e->value, &text) ? buf_cstr(&text) : NULL;
    _cleanup_conf_value_ ConfValue value = {0};
    switch (value_from_toml(key, &e->value, &value)) {
    case FIT:
        conf_apply_value(&spot, key, w->settings, &value, shown);
        break;
    case FIT_TYPE_WRONG: {
        bool is_list = key->type == CONF_STRING_LIST && e->value.type == TOML_ARRAY;
        conf_fault_not_allowed(&spot, key, shown, SLICE_NULL,
                               is_list ? "an array of other things" : toml_type_to_string(e->value.type));
        break;
    }
    case FIT_VALUE_WRONG:
        conf_fault_not_allowed(&spot, key, shown, e->value.type == TOML_STRING ? e->value.as.string : SLICE_NULL, NULL);
        break;
    }
}

/* The key that names a secret's file. */
static void apply_file(const Walk *w, const ConfKey *key, const TomlEntry *e, const char *label)
{
    static const ConfKey path = {.type = CONF_PATH};
    const ConfSpot spot = value_spot(w, e, label);
    conf_diags_set_place(w->diags, w->settings, key, &spot.place);
    if (e->value.type != TOML_STRING)
        conf_fault_not_allowed(&spot, &path, NULL, SLICE_NULL, toml_type_to_string(e->value.type));
    else if (e->value.as.string.len > 0)
        conf_apply_secret_file(&spot, key, w->settings, e->value.as.string.ptr);
}

/* The file wins over the value beside it. */
static bool has_file(const ConfKey *key, const TomlTable *table)
{
    return key->file_key && toml_table_get_string(table, key->file_key).len > 0;
}

/* ---- tables ---- */

static void apply_table(const Walk *w, const TomlTable *table, const char *section, const char *label);

static void apply_section(const Walk *w, const TomlEntry *e, const char *section, const char *label)
{
    const TomlValue *v = &e->value;
    if (v->type == TOML_ARRAY && v->as.array->count == 1)
        v = &v->as.array->items[0];
    if (v->type == TOML_TABLE) {
        apply_table(w, v->as.table, section, label);
        return;
    }
    bool several = v->type == TOML_ARRAY && v->as.array->count > 1 && v->as.array->items[0].type == TOML_TABLE;
    conf_diags_add(w->diags, &(ConfDiag){.file = w->file,
                                         .line = several ? v->as.array->items[1].line : e->line,
                                         .column = several ? v->as.array->items[1].column : e->column,
                                         .section = label,
                                         .message = several ? "there can be only one such table" : "must be a table"});
}

/* @label is @section as messages name it. */
static void apply_table(const Walk *w, const TomlTable *table, const char *section, const char *label)
{
    for (const TomlEntry *e = toml_table_first(table); e; e = e->next) {
        const ConfKey *key = find_key(w->keys, section, e->key);
        if (key) {
            if (!has_file(key, table))
                apply_value(w, key, e, label);
            continue;
        }
        key = find_file_key(w->keys, section, e->key);
        if (key) {
            apply_file(w, key, e, label);
            continue;
        }

        _cleanup_buf_ Buf path = BUF_INIT;
        _cleanup_buf_ Buf shown = BUF_INIT;
        buf_printf(&path, "%s%s%.*s", section, *section ? "." : "", SLICE_ARG(e->key));
        buf_printf(&shown, "%s%s%.*s", label, *label ? "." : "", SLICE_ARG(e->key));
        bool plain = is_plain(e->key);
        if (plain && is_elsewhere(w->keys, buf_cstr(&path)))
            continue;
        if (plain && is_section(w->keys, buf_cstr(&path)))
            apply_section(w, e, buf_cstr(&path), buf_cstr(&shown));
        else
            fault_unknown(w, e, section, label);
    }
}

void conf_keys_apply_toml(const ConfKeys *keys, void *settings, const TomlTable *root, const char *file,
                          ConfDiags *diags)
{
    conf_keys_apply_table(keys, settings, root, "", NULL, file, diags);
}

void conf_keys_apply_table(const ConfKeys *keys, void *settings, const TomlTable *table, const char *section,
                           const char *label, const char *file, ConfDiags *diags)
{
    const Walk w = {.keys = keys, .settings = settings, .file = file, .diags = diags};
    apply_table(&w, table, section, label ? label : section);
}

/* ---- sections that may come several times ---- */

static const TomlValue *find_section(const TomlTable *root, const char *section)
{
    const TomlValue *v = NULL;
    for (Slice rest = slice_cstr(section); root && rest.ptr;) {
        const TomlEntry *e = toml_table_find(root, slice_split(&rest, '.'));
        v = e ? &e->value : NULL;
        root = v && v->type == TOML_TABLE ? v->as.table : NULL;
        if (!root && rest.ptr)
            return NULL;
    }
    return v;
}

size_t conf_section_count(const TomlTable *root, const char *section)
{
    const TomlValue *v = find_section(root, section);
    if (!v)
        return 0;
    if (v->type == TOML_TABLE)
        return 1;
    if (v->type != TOML_ARRAY)
        return 0;
    for (size_t i = 0; i < v->as.array->count; i++)
        if (v->as.array->items[i].type != TOML_TABLE)
            return 0;
    return v->as.array->count;
}

const TomlTable *conf_section_at(const TomlTable *root, const char *section, size_t index)
{
    assert(index < conf_section_count(root, section));
    const TomlValue *v = find_section(root, section);
    return v->type == TOML_TABLE ? v->as.table : v->as.array->items[index].as.table;
}
