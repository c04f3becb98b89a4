/* SPDX-License-Identifier: PostgreSQL */
/*
 * A family file of any bytes, then resolved against a server that has little and one that has much. Held to: no crash,
 * a refusal has a message, an accepted family keeps the bounds and resolves to columns that are its own.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/catalog/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

static char present[] = "1";

static void check_family(const Family *f)
{
    CHECK(f->column_count > f->label_count && f->column_count <= FAMILY_COLUMNS_MAX);
    for (size_t i = 0; i < f->column_count; i++) {
        const FamilyColumn *c = &f->columns[i];
        CHECK(column_name_is_valid(slice_cstr(c->name)));
        CHECK(family_find_column(f, slice_cstr(c->name)) == c);
        CHECK((c->kind == COLUMN_LABEL) == (i < f->label_count));
        CHECK((c->type == COLUMN_TEXT) == (c->kind == COLUMN_LABEL || c->kind == COLUMN_INFO));
        CHECK(c->alternatives || c->sql);
    }
}

static void check_resolved(const Family *f, const PgFacts *facts)
{
    Arena *arena = arena_new(0);
    ResolvedFamily resolved;
    const char *reason = NULL;
    int r = family_resolve(f, facts, arena, &resolved, &reason, NULL);
    CHECK(r == RESOLVE_OK || (r == RESOLVE_ABSENT && reason && reason[0]));
    for (size_t i = 0; i < resolved.column_count; i++)
        CHECK(family_find_column(f, slice_cstr(resolved.columns[i]->name)) == resolved.columns[i]);
    if (r == RESOLVE_OK && resolved.sql)
        CHECK(slice_starts_with(slice_cstr(resolved.sql), SLICE_LIT("select ")) && !strstr(resolved.sql, "{schema}"));
    (void)arena_free(arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Catalog *c = NULL;
    Err err = ERR_INIT;
    CHECK(catalog_new(&c, NULL, 0, &err) == 0);
    if (catalog_add(c, "x.toml", slice_from((const char *)data, size), &err) < 0) {
        CHECK(err.detail[0] != '\0');
        CHECK(catalog_count(c) == 0);
        (void)catalog_free(c);
        return 0;
    }
    const Family *f = catalog_at(c, 0);
    check_family(f);

    PgExtension extension = {.version = "1", .schema = "a \"b\"", .default_version = "2"};
    PgFacts facts = {.version_num = 150000,
                     .database = "d",
                     .columns = map_new(NULL),
                     .functions = map_new(NULL),
                     .denied = map_new(NULL),
                     .extensions = map_new(NULL),
                     .settings = map_new(NULL)};
    check_resolved(f, &facts);
    facts.in_recovery = true;
    map_put(facts.extensions, SLICE_LIT("ext"), &extension);
    map_put(facts.functions, SLICE_LIT("f"), present);
    map_put(facts.denied, SLICE_LIT("u"), present);
    map_put(facts.denied, SLICE_LIT("g()"), present);
    map_put(facts.settings, SLICE_LIT("s"), present);
    static const char *const columns[] = {"v", "v.a", "v.b", "v.l", "w", "w.a"};
    for (size_t i = 0; i < ARRAY_LENGTH(columns); i++)
        map_put(facts.columns, slice_cstr(columns[i]), present);
    check_resolved(f, &facts);
    pg_facts_done(&facts);
    (void)catalog_free(c);
    return 0;
}
