/* SPDX-License-Identifier: PostgreSQL */
/*
 * The catalog: families sorted by name. Owns the arena in which those that were read live. Filled by one thread,
 * constant afterwards.
 */
#include "lib/catalog/family.h"

#include <stdlib.h>

#include "lib/base/memory.h"
#include "lib/base/vec.h"
#include "lib/catalog/catalog_private.h"

DEFINE_VEC(FamilyVec, family_vec, const Family *)

struct Catalog {
    Arena *arena;
    FamilyVec families; /* sorted by name */
};

/* Reserved in SQL (as column names they need quotes, or read as something else), then what the store adds. */
static const char *const reserved_names[] = {
    "all",          "analyse",
    "analyze",      "and",
    "any",          "array",
    "as",           "asc",
    "asymmetric",   "both",
    "case",         "cast",
    "check",        "collate",
    "column",       "constraint",
    "create",       "current_date",
    "current_role", "current_time",
    "current_user", "default",
    "deferrable",   "desc",
    "distinct",     "do",
    "else",         "end",
    "except",       "false",
    "fetch",        "for",
    "foreign",      "from",
    "grant",        "group",
    "having",       "in",
    "initially",    "intersect",
    "into",         "lateral",
    "leading",      "limit",
    "localtime",    "localtimestamp",
    "not",          "null",
    "offset",       "on",
    "only",         "or",
    "order",        "placing",
    "primary",      "references",
    "returning",    "select",
    "session_user", "some",
    "symmetric",    "system_user",
    "table",        "then",
    "to",           "trailing",
    "true",         "union",
    "unique",       "user",
    "using",        "variadic",
    "when",         "where",
    "window",       "with",
    "collector_id", "interval_ms",
    "labels",       "metric_name",
    "series_id",    "server_name",
    "server_id",    "time",
    "timestamp",    "value",
};

static bool name_is_plain(Slice name, size_t max)
{
    if (name.len == 0 || name.len > max || name.ptr[0] < 'a' || name.ptr[0] > 'z')
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'))
            return false;
    }
    return true;
}

static bool name_is_reserved(Slice name)
{
    for (size_t i = 0; i < ARRAY_LENGTH(reserved_names); i++) {
        if (slice_eq_cstr(name, reserved_names[i]))
            return true;
    }
    return false;
}

bool family_name_is_valid(Slice name)
{
    return name_is_plain(name, FAMILY_NAME_MAX) && !name_is_reserved(name);
}

bool column_name_is_valid(Slice name)
{
    return name_is_plain(name, COLUMN_NAME_MAX) && !name_is_reserved(name);
}

const char *column_kind_to_string(ColumnKind kind)
{
    static const char *const names[_COLUMN_KIND_MAX] = {"label", "counter", "gauge", "info"};
    return kind < _COLUMN_KIND_MAX ? names[kind] : "";
}

const char *column_type_to_string(ColumnType type)
{
    static const char *const names[_COLUMN_TYPE_MAX] = {"int8", "float8", "text"};
    return type < _COLUMN_TYPE_MAX ? names[type] : "";
}

/* Index of the first family whose name is not below @name. */
static size_t position_of(const Catalog *c, Slice name)
{
    size_t low = 0, high = c->families.len;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (slice_compare(slice_cstr(c->families.items[middle]->name), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t catalog_count(const Catalog *c)
{
    return c->families.len;
}

const Family *catalog_at(const Catalog *c, size_t index)
{
    return index < c->families.len ? c->families.items[index] : NULL;
}

const Family *catalog_find(const Catalog *c, Slice name)
{
    const Family *f = catalog_at(c, position_of(c, name));
    return f && slice_eq_cstr(name, f->name) ? f : NULL;
}

const FamilyColumn *family_find_column(const Family *f, Slice name)
{
    for (size_t i = 0; i < f->column_count; i++) {
        if (slice_eq_cstr(name, f->columns[i].name))
            return &f->columns[i];
    }
    return NULL;
}

/* Takes in a family that was read into the catalog's arena, or that stays where it is. */
static int add(Catalog *c, const char *label, const Family *f, Err *reterr)
{
    Slice name = slice_cstr(f->name);
    if (c->families.len >= CATALOG_FAMILIES_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "%s: more than %d families", label, CATALOG_FAMILIES_MAX);
    if (catalog_find(c, name))
        return err_set(reterr, ERR_CONFLICT, "%s: there is a family %s already", label, f->name);
    size_t at = position_of(c, name);
    family_vec_push(&c->families, f);
    memmove(&c->families.items[at + 1], &c->families.items[at], (c->families.len - 1 - at) * sizeof(const Family *));
    c->families.items[at] = f;
    return 0;
}

int catalog_add(Catalog *c, const char *file_name, Slice text, Err *reterr)
{
    Family *f = arena_new_object(c->arena, Family);
    int r = family_parse(c->arena, file_name, text, f, reterr);
    return r < 0 ? err_trace(r) : err_trace(add(c, file_name, f, reterr));
}

static int add_own(Catalog *c, const char *label, Family *f, Err *reterr)
{
    if (f->scope == FAMILY_SCOPE_HOST)
        return err_set(reterr, ERR_CONFIG, "%s: scope \"host\" is for built-in families: their code is the collector's",
                       label);
    if (f->mode != FAMILY_MODE_ROWS)
        return err_set(reterr, ERR_CONFIG, "%s: mode \"texts\" is for built-in families", label);
    if (f->before[0]) /* a block may end the transaction that keeps it from writing */
        return err_set(reterr, ERR_CONFIG, "%s: before is for built-in families", label);
    if (f->when[0]) /* one that fails would be everybody's fault: they are asked together */
        return err_set(reterr, ERR_CONFIG, "%s: when is for built-in families", label);
    if (f->row_id[0]) /* one that misses a change would show old numbers as new ones */
        return err_set(reterr, ERR_CONFIG, "%s: row_id is for built-in families", label);
    f->own = true;
    return err_trace(add(c, label, f, reterr));
}

int catalog_add_own(Catalog *c, const char *file_name, Slice text, Err *reterr)
{
    Family *f = arena_new_object(c->arena, Family);
    int r = family_parse(c->arena, file_name, text, f, reterr);
    return r < 0 ? err_trace(r) : err_trace(add_own(c, file_name, f, reterr));
}

int catalog_add_own_table(Catalog *c, const char *label, const TomlTable *table, Err *reterr)
{
    Family *f = arena_new_object(c->arena, Family);
    int r = family_parse_table(c->arena, label, table, f, reterr);
    return r < 0 ? err_trace(r) : err_trace(add_own(c, label, f, reterr));
}

int catalog_new(Catalog **ret, const Family *families, size_t count, Err *reterr)
{
    Catalog *c = mem_alloc(sizeof(*c));
    c->arena = arena_new(0);
    for (size_t i = 0; i < count; i++) {
        int r = add(c, families[i].name, &families[i], reterr);
        if (r < 0) {
            catalog_free(c);
            return err_trace(r);
        }
    }
    *ret = c;
    return 0;
}

Catalog *catalog_free(Catalog *c)
{
    if (!c)
        return NULL;
    family_vec_done(&c->families);
    arena_free(c->arena);
    free(c);
    return NULL;
}

/* --- fingerprint ------------------------------------------------------------------------------------------------- */

/* FNV-1a, each text with its end, so that what moves from one key to the next is seen. */
static void mix(uint64_t *hash, const char *text)
{
    static const uint64_t PRIME = 0x100000001b3u;
    for (const char *c = text ? text : "\1"; *c; c++)
        *hash = (*hash ^ (unsigned char)*c) * PRIME;
    *hash = *hash * PRIME;
}

static void mix_list(uint64_t *hash, const char *const *list)
{
    for (; list && *list; list++)
        mix(hash, *list);
    mix(hash, NULL);
}

static void mix_number(uint64_t *hash, uint64_t number)
{
    char digits[17] = "";
    for (size_t i = 0; i < 16; i++, number >>= 4)
        digits[i] = "0123456789abcdef"[number & 15];
    mix(hash, digits);
}

static void mix_column(uint64_t *hash, const FamilyColumn *c)
{
    const char *const texts[] = {c->name, c->unit,    c->help,   c->sql,    c->otherwise,
                                 c->cast, c->setting, c->change, c->roll_up};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        mix(hash, texts[i]);
    mix_number(hash, c->kind);
    mix_number(hash, c->type);
    mix_number(hash, c->combine);
    mix_number(hash, c->items);
    mix_list(hash, c->alternatives);
    mix_list(hash, c->required);
}

uint64_t family_fingerprint(const Family *f)
{
    uint64_t hash = 0xcbf29ce484222325u;
    const char *const texts[] = {f->name,       f->help,   f->needs,  f->needs_setting, f->where, f->order,
                                 f->prometheus, f->before, f->top_by, f->change,        f->when,  f->row_id};
    const uint64_t numbers[] = {f->scope,   f->gate,           f->mode,          (uint64_t)f->interval_seconds,
                                f->enabled, f->keyframe,       (uint64_t)f->top, f->roll_up,
                                f->own,     (uint64_t)f->limit};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++)
        mix(&hash, texts[i]);
    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++)
        mix_number(&hash, numbers[i]);
    mix_list(&hash, f->from);
    mix_list(&hash, f->required);
    mix_list(&hash, f->epoch);
    mix_list(&hash, f->row_state);
    for (size_t i = 0; i < f->query_count; i++) {
        mix_number(&hash, (uint64_t)f->queries[i].since);
        mix(&hash, f->queries[i].sql);
    }
    for (size_t i = 0; i < f->column_count; i++)
        mix_column(&hash, &f->columns[i]);
    return hash ? hash : 1;
}

uint64_t family_metrics_fingerprint(const Family *f)
{
    uint64_t hash = 0xcbf29ce484222325u;
    mix(&hash, f->prometheus);
    mix(&hash, f->prometheus_order);
    mix_number(&hash, (uint64_t)f->prometheus_limit);
    for (size_t i = 0; i < f->column_count; i++) {
        mix(&hash, f->columns[i].name);
        mix_list(&hash, f->columns[i].prometheus);
    }
    return hash ? hash : 1;
}
