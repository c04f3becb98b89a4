/* SPDX-License-Identifier: PostgreSQL */
/* From a push's description to a Family: see own_family.h. */
#include "backend/ingest/own_family.h"

/* Index of @word among what @to_string gives; -1: it is none of them. */
static int word_index(Slice word, const char *(*to_string)(int), int count)
{
    for (int i = 0; i < count; i++) {
        if (slice_eq_cstr(word, to_string(i)))
            return i;
    }
    return -1;
}

static const char *kind_name(int kind)
{
    return column_kind_to_string((ColumnKind)kind);
}

static const char *type_name(int type)
{
    return column_type_to_string((ColumnType)type);
}

static const char *text_or_empty(Arena *arena, Slice s)
{
    return s.ptr ? arena_dup(arena, s).ptr : "";
}

/* NULL, or what is wrong with it. */
static const char *define_column(const PushColumn *push, Arena *arena, FamilyColumn *ret)
{
    int kind = word_index(push->kind, kind_name, _COLUMN_KIND_MAX);
    int type = word_index(push->type, type_name, _COLUMN_TYPE_MAX);
    if (!column_name_is_valid(push->name))
        return arena_printf(arena, "the column name \"%.*s\" is not valid", SLICE_ARG(push->name));
    if (kind < 0 || type < 0)
        return arena_printf(arena, "column %.*s: %s is not known", SLICE_ARG(push->name),
                            kind < 0 ? "its kind" : "its type");
    *ret = (FamilyColumn){
        .name = arena_dup(arena, push->name).ptr,
        .kind = (ColumnKind)kind,
        .type = (ColumnType)type,
        .unit = text_or_empty(arena, push->unit),
        .help = text_or_empty(arena, push->help),
        .cast = "",
        .setting = "",
    };
    bool is_text = ret->kind == COLUMN_LABEL || ret->kind == COLUMN_INFO;
    if (is_text != (ret->type == COLUMN_TEXT))
        return arena_printf(arena, "column %s: a %s is not %s", ret->name, kind_name(kind), type_name(type));
    return NULL;
}

/* Labels first, as everywhere. */
static const char *define_columns(const PushFamily *push, Arena *arena, Family *f)
{
    if (push->column_count > FAMILY_COLUMNS_MAX)
        return arena_printf(arena, "it has more than %d columns", FAMILY_COLUMNS_MAX);
    FamilyColumn *read = arena_new_array(arena, FamilyColumn, push->column_count + 1);
    FamilyColumn *columns = arena_new_array(arena, FamilyColumn, push->column_count + 1);
    for (size_t i = 0; i < push->column_count; i++) {
        const char *fault = define_column(&push->columns[i], arena, &read[i]);
        if (fault)
            return fault;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(read[k].name, read[i].name) == 0)
                return arena_printf(arena, "column %s is there twice", read[i].name);
        }
    }
    for (int labels = 1; labels >= 0; labels--) {
        for (size_t i = 0; i < push->column_count; i++) {
            if ((read[i].kind == COLUMN_LABEL) == (labels == 1))
                columns[f->column_count++] = read[i];
        }
        if (labels)
            f->label_count = f->column_count;
    }
    f->columns = columns;
    return f->column_count == f->label_count ? "it has labels only" : NULL;
}

static const char *define(const PushFamily *push, const Catalog *catalog, Arena *arena, Family *f)
{
    static const int INTERVAL_MAX_S = 86400;
    if (!family_name_is_valid(push->name))
        return "its name is not valid: lower-case letters, digits, _, at most 48, and no reserved word";
    if (catalog_find(catalog, push->name))
        return "a built-in family has this name";
    bool is_database = slice_eq_cstr(push->scope, "database");
    if (!is_database && !slice_eq_cstr(push->scope, "instance"))
        return "its scope is neither instance nor database";
    if (push->mode.ptr && !slice_eq_cstr(push->mode, "rows"))
        return "its mode is not rows";
    if (push->interval_s > INTERVAL_MAX_S)
        return "its interval is longer than a day";
    *f = (Family){
        .name = arena_dup(arena, push->name).ptr,
        .help = text_or_empty(arena, push->help),
        .scope = is_database ? FAMILY_SCOPE_DATABASE : FAMILY_SCOPE_INSTANCE,
        .mode = FAMILY_MODE_ROWS,
        .own = true,
        .interval_seconds = (int)push->interval_s,
        .enabled = true,
        .needs = "",
        .needs_setting = "",
        .where = "",
        .when = "",
        .order = "",
        .prometheus = "",
    };
    return define_columns(push, arena, f);
}

void own_family_define(const PushFamily *push, const Catalog *catalog, Arena *arena, OwnFamily *ret)
{
    Family *f = arena_new_object(arena, Family);
    *ret = (OwnFamily){.name = push->name, .fault = define(push, catalog, arena, f)};
    if (ret->fault)
        return;
    ret->family = f;
    ret->fingerprint = family_fingerprint(f);
}
