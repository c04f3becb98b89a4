#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* A small catalog of its own and pushes as text, decoded: the tests of the ingest read like what collectors send. */
#include "lib/catalog/family.h"
#include "lib/wire/push.h"
#include "tests/support/unit.h"

static const char FIXTURE_FAMILY[] =
    "name = \"fam\"\nhelp = \"A family.\"\nfrom = \"pg_stat_database\"\n"
    "[[column]]\nname = \"a\"\nkind = \"label\"\nhelp = \"Label.\"\n"
    "[[column]]\nname = \"b\"\nkind = \"label\"\nhelp = \"Label.\"\n"
    "[[column]]\nname = \"n\"\nkind = \"counter\"\nhelp = \"Whole counter.\"\n"
    "[[column]]\nname = \"f\"\nkind = \"gauge\"\ntype = \"float8\"\nhelp = \"Gauge.\"\n"
    "[[column]]\nname = \"t\"\nkind = \"info\"\nhelp = \"Text.\"\n";
static const char FIXTURE_TEXTS[] =
    "name = \"statement_text\"\nhelp = \"Texts.\"\nfrom = \"pg_stat_database\"\nmode = \"texts\"\n"
    "[[column]]\nname = \"queryid\"\nkind = \"label\"\nhelp = \"Id.\"\n"
    "[[column]]\nname = \"query\"\nkind = \"info\"\nhelp = \"Text.\"\n";

static inline Catalog *fixture_catalog(void)
{
    Catalog *catalog = NULL;
    Err err = ERR_INIT;
    int r = catalog_new(&catalog, NULL, 0, &err);
    assert_int_equal(r, 0);
    r = catalog_add(catalog, "fam.toml", slice_cstr(FIXTURE_FAMILY), &err);
    if (r != 0)
        fail_msg("%s", err.detail);
    r = catalog_add(catalog, "statement_text.toml", slice_cstr(FIXTURE_TEXTS), &err);
    if (r != 0)
        fail_msg("%s", err.detail);
    return catalog;
}

/* @members: what stands in the push besides its collector. */
static inline PushBatch fixture_push(Arena *arena, const char *members)
{
    PushBatch batch;
    Err err = ERR_INIT;
    const char *text = arena_printf(arena, "{\"collector_id\":\"c\"%s%s}", *members ? "," : "", members);
    if (push_decode(slice_cstr(text), arena, &batch, &err) != 0)
        fail_msg("%s", err.detail);
    return batch;
}
