/* SPDX-License-Identifier: PostgreSQL */
/* What pushes say of families that are not built in, before the store is asked. */
#include "backend/ingest/own_family.h"

#include "tests/unit/backend/ingest/fixture.h"

#define LABEL "{\"name\":\"who\",\"kind\":\"label\",\"type\":\"text\"}"
#define GAUGE "{\"name\":\"n\",\"kind\":\"gauge\",\"type\":\"float8\",\"unit\":\"s\",\"help\":\"h\"}"

static OwnFamily define(Arena *arena, const char *name, const char *members, const char *columns)
{
    _cleanup_(catalog_freep) Catalog *catalog = fixture_catalog();
    PushBatch push = fixture_push(
        arena, arena_printf(arena, "\"families\":[{\"name\":\"%s\",%s\"columns\":[%s]}]", name, members, columns));
    OwnFamily own;
    own_family_define(&push.families[0], catalog, arena, &own);
    return own;
}

static void a_family_is_made_with_its_labels_first(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    OwnFamily own = define(arena, "shop", "\"scope\":\"database\",\"help\":\"H\",\"interval\":5,", GAUGE "," LABEL);
    assert_null(own.fault);
    const Family *f = own.family;
    assert_string_equal(f->name, "shop");
    assert_string_equal(f->help, "H");
    assert_true(f->own && f->scope == FAMILY_SCOPE_DATABASE && f->mode == FAMILY_MODE_ROWS);
    assert_int_equal(f->interval_seconds, 5);
    assert_int_equal(f->label_count, 1);
    assert_int_equal(f->column_count, 2);
    assert_string_equal(f->columns[0].name, "who");
    assert_string_equal(f->columns[1].unit, "s");
    assert_true(f->columns[1].kind == COLUMN_GAUGE && f->columns[1].type == COLUMN_FLOAT8);

    OwnFamily same = define(arena, "shop", "\"scope\":\"database\",\"help\":\"H\",\"interval\":5,", GAUGE "," LABEL);
    OwnFamily other = define(arena, "shop", "\"scope\":\"database\",\"help\":\"H\",\"interval\":5,", GAUGE);
    assert_true(own.fingerprint == same.fingerprint && own.fingerprint != other.fingerprint);
}

static void what_cannot_be_is_told(void **state UNUSED)
{
    static const struct {
        const char *name, *members, *columns, *fault;
    } CASES[] = {
        {"fam", "\"scope\":\"instance\",", GAUGE, "a built-in family has this name"},
        {"a\\\"; drop table x", "\"scope\":\"instance\",", GAUGE, "its name is not valid"},
        {"user", "\"scope\":\"instance\",", GAUGE, "its name is not valid"},
        {"a", "\"scope\":\"host\",", GAUGE, "its scope is neither"},
        {"a", "\"scope\":\"instance\",\"mode\":\"texts\",", GAUGE, "its mode is not rows"},
        {"a", "\"scope\":\"instance\",\"interval\":86401,", GAUGE, "its interval is longer"},
        {"a", "\"scope\":\"instance\",", LABEL, "it has labels only"},
        {"a", "\"scope\":\"instance\",", "", "it has labels only"},
        {"a", "\"scope\":\"instance\",", GAUGE "," GAUGE, "column n is there twice"},
        {"a", "\"scope\":\"instance\",", "{\"name\":\"time\",\"kind\":\"gauge\",\"type\":\"int8\"}",
         "the column name \"time\""},
        {"a", "\"scope\":\"instance\",", "{\"name\":\"b\",\"kind\":\"x\",\"type\":\"int8\"}", "column b: its kind"},
        {"a", "\"scope\":\"instance\",", "{\"name\":\"b\",\"kind\":\"gauge\",\"type\":\"x\"}", "column b: its type"},
        {"a", "\"scope\":\"instance\",", "{\"name\":\"b\",\"kind\":\"label\",\"type\":\"int8\"}",
         "column b: a label is not int8"},
    };
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        OwnFamily own = define(arena, CASES[i].name, CASES[i].members, CASES[i].columns);
        if (own.family || !own.fault || strncmp(own.fault, CASES[i].fault, strlen(CASES[i].fault)) != 0)
            fail_msg("case %zu: expected %s, found %s", i, CASES[i].fault, own.fault ? own.fault : "none");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_family_is_made_with_its_labels_first),
        cmocka_unit_test(what_cannot_be_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
