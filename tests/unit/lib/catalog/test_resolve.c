/* SPDX-License-Identifier: PostgreSQL */
/* The statement for what a server has. That servers accept the statements is shown in tests/sql/test_families.py. */
#include "lib/catalog/resolve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "scripted_facts.h"

typedef struct Fixture {
    Arena *arena;
    Catalog *catalog;
    PgFacts facts;
    ResolvedFamily resolved;
    const char *reason;
} Fixture;

static void fixture_done(Fixture *x)
{
    pg_facts_done(&x->facts);
    catalog_free(x->catalog);
    arena_free(x->arena);
}

/* Resolves the family x of @text. */
static int resolve(Fixture *x, const char *text, const ScriptedFacts *script)
{
    *x = (Fixture){.arena = arena_new(0)};
    Err err = ERR_INIT;
    if (catalog_new(&x->catalog, NULL, 0, &err) < 0 || catalog_add(x->catalog, "x.toml", slice_cstr(text), &err) < 0)
        fail_msg("%s", err.detail);
    x->facts = scripted_facts(x->arena, script);
    return family_resolve(catalog_at(x->catalog, 0), &x->facts, x->arena, &x->resolved, &x->reason, NULL);
}

#define HEAD                "name = \"x\"\nhelp = \"h\"\n"
#define LABEL(name)         "[[column]]\nname = \"" name "\"\nkind = \"label\"\n"
#define COUNTER(name, more) "[[column]]\nname = \"" name "\"\nkind = \"counter\"\nhelp = \"h\"\n" more "\n"
#define GAUGE(name, more)   "[[column]]\nname = \"" name "\"\nkind = \"gauge\"\nhelp = \"h\"\n" more "\n"
#define INFO(name, more)    "[[column]]\nname = \"" name "\"\nkind = \"info\"\nhelp = \"h\"\n" more "\n"

typedef struct Case {
    const char *what;
    const char *family;
    ScriptedFacts facts;
    const char *sql;    /* NULL: absent */
    const char *reason; /* part of it */
} Case;

#define FROM_V HEAD "from = \"v\"\n"
#define V_ABC                                                                                                          \
    {                                                                                                                  \
        .version_num = 150000, .relations = "v: a b c l"                                                               \
    }

static const Case cases[] = {
    {"columns are cast by type", FROM_V LABEL("l") COUNTER("a", "") COUNTER("b", "type = \"float8\"") GAUGE("c", ""),
     V_ABC,
     "select coalesce((\"l\")::text, '') as \"l\",\n       (\"a\")::int8 as \"a\",\n       (\"b\")::float8 as \"b\",\n"
     "       (\"c\")::float8 as \"c\"\n  from v",
     NULL},
    {"labels come first", FROM_V COUNTER("a", "") LABEL("l"), V_ABC,
     "select coalesce((\"l\")::text, '') as \"l\",\n       (\"a\")::int8 as \"a\"\n  from v", NULL},
    {"the first alternative that exists is read", FROM_V COUNTER("n", "from = [\"new_n\", \"b\", \"a\"]"), V_ABC,
     "select (\"b\")::int8 as \"n\"\n  from v", NULL},
    {"a column that is missing is left out", FROM_V COUNTER("a", "") COUNTER("z", ""), V_ABC,
     "select (\"a\")::int8 as \"a\"\n  from v", NULL},
    {"a required column that is missing leaves the expression out",
     FROM_V COUNTER("a", "") COUNTER("e", "sql = \"a + z\"\nrequires = [\"a\", \"z\"]"), V_ABC,
     "select (\"a\")::int8 as \"a\"\n  from v", NULL},
    {"required columns that are there let it in", FROM_V COUNTER("e", "sql = \"a + b\"\nrequires = [\"a\", \"b\"]"),
     V_ABC, "select (a + b)::int8 as \"e\"\n  from v", NULL},
    {"otherwise stands in", FROM_V COUNTER("e", "sql = \"z\"\nrequires = \"z\"\notherwise = \"a * 8192\""), V_ABC,
     "select (a * 8192)::int8 as \"e\"\n  from v", NULL},
    {"a label may have an otherwise", FROM_V LABEL("t") "otherwise = \"'true'\"\n" COUNTER("a", ""), V_ABC,
     "select coalesce(('true')::text, '') as \"t\",\n       (\"a\")::int8 as \"a\"\n  from v", NULL},
    {"a label that the server lacks makes the family absent", FROM_V LABEL("t") COUNTER("a", ""), V_ABC, NULL,
     "PostgreSQL 15 cannot tell the label t"},
    {"no column left makes the family absent", FROM_V LABEL("l") COUNTER("z", ""), V_ABC, NULL, "none of its columns"},
    {"a setting that is off gives unknown", FROM_V GAUGE("a", "setting = \"track_io_timing\""), V_ABC,
     "select case when (select current_setting('track_io_timing', true) = 'on') then (\"a\")::float8 end as \"a\"\n  "
     "from v",
     NULL},
    {"casts", FROM_V GAUGE("a", "cast = \"epoch\"") GAUGE("b", "cast = \"ms\"") COUNTER("c", "cast = \"lsn\""), V_ABC,
     "select (date_part('epoch', (\"a\")))::float8 as \"a\",\n"
     "       (date_part('epoch', (\"b\")) * 1000)::float8 as \"b\",\n"
     "       ((\"c\") - '0/0'::pg_lsn)::int8 as \"c\"\n  from v",
     NULL},
    {"bool becomes a number", FROM_V GAUGE("a", "cast = \"bool\"\ntype = \"int8\""), V_ABC,
     "select ((\"a\")::int)::int8 as \"a\"\n  from v", NULL},
    {"the epoch goes behind the columns", FROM_V "epoch = [\"since\", \"b\"]\n" COUNTER("a", ""), V_ABC,
     "select (\"a\")::int8 as \"a\",\n       (\"b\")::text as \"epoch\"\n  from v", NULL},
    {"no epoch column, no epoch", FROM_V "epoch = \"since\"\n" COUNTER("a", ""), V_ABC,
     "select (\"a\")::int8 as \"a\"\n  from v", NULL},
    {"where, order and limit", FROM_V "where = \"a > 0\"\norder = \"a desc\"\nlimit = 5\n" GAUGE("a", ""), V_ABC,
     "select (\"a\")::float8 as \"a\"\n  from v\n where a > 0\n order by a desc\n limit 5", NULL},
    {"a missing relation makes the family absent",
     FROM_V COUNTER("a", ""),
     {.version_num = 120000},
     NULL,
     "PostgreSQL 12 has no relation v"},
    {"what is there for others is named with its grants",
     FROM_V "requires = [\"w\", \"v\", \"g()\"]\n" COUNTER("a", ""),
     {.version_num = 150000, .relations = "v: a", .denied = "w g()"},
     NULL,
     "this role may not use w; as a superuser in database \"app\": grant w to me; grant g() to me"},
    {"what is not there for anyone is told before what is denied",
     FROM_V "requires = [\"w\", \"x\"]\n" COUNTER("a", ""),
     {.version_num = 150000, .relations = "v: a", .denied = "w"},
     NULL,
     "PostgreSQL 15 has no x for this role"},
    {"a source that is denied",
     FROM_V COUNTER("a", ""),
     {.version_num = 150000, .denied = "v"},
     NULL,
     "this role may not use v; as a superuser in database \"app\": grant v to me"},
    {"a function that is denied",
     HEAD "from = \"f()\"\n" COUNTER("a", ""),
     {.version_num = 150000, .denied = "f()"},
     NULL,
     "this role may not use f(); as a superuser in database \"app\": grant f() to me"},
    {"the first source that exists is read", HEAD "from = [\"w\", \"v\"]\n" COUNTER("n", "from = [\"n\", \"a\"]"),
     V_ABC, "select (\"a\")::int8 as \"n\"\n  from v", NULL},
    {"joined relations are all needed", HEAD "from = \"v join w using (l)\"\n" COUNTER("a", ""), V_ABC, NULL,
     "no relation w"},
    {"columns of joined relations",
     HEAD "from = \"v join w using (l)\"\n" COUNTER("a", "") COUNTER("d", ""),
     {.version_num = 150000, .relations = "v: l a; w: l d"},
     "select (\"a\")::int8 as \"a\",\n       (\"d\")::int8 as \"d\"\n  from v join w using (l)",
     NULL},
    {"a function's columns are those of its view",
     HEAD "from = \"{schema}.f(false) s left join v on v.a = s.dbid\"\nneeds = \"ext\"\n" COUNTER("s1", "")
         COUNTER("s2", "") COUNTER("b", "from = \"v.b\""),
     {.version_num = 150000, .relations = "v: a b; f: s1 dbid", .functions = "f", .extension = "ext"},
     "select (\"s1\")::int8 as \"s1\",\n       (v.b)::int8 as \"b\"\n"
     "  from \"my ext\".f(false) s left join v on v.a = s.dbid",
     NULL},
    {"a function without a view is trusted",
     HEAD "from = \"f()\"\n" COUNTER("a", ""),
     {.version_num = 150000, .functions = "f"},
     "select (\"a\")::int8 as \"a\"\n  from f()",
     NULL},
    {"a subselect is not looked into",
     HEAD "from = \"v left join lateral (select sum(f(w.x)) as s from w where (w.x) = v.a) i on true join u using "
          "(a)\"\n" COUNTER("d", "sql = \"i.s\""),
     {.version_num = 150000, .relations = "v: a; u: a"},
     "select (i.s)::int8 as \"d\"\n"
     "  from v left join lateral (select sum(f(w.x)) as s from w where (w.x) = v.a) i on true join u using (a)",
     NULL},
    {"what stands behind a subselect is needed",
     HEAD "from = \"v join (select 1) i on true join u using (a)\"\n" COUNTER("a", ""), V_ABC, NULL, "no relation u"},
    {"an expression may need functions",
     FROM_V COUNTER("d", "sql = \"f(a)\"\nrequires = [\"a\", \"f()\"]")
         COUNTER("e", "sql = \"g(a)\"\nrequires = [\"g()\"]"),
     {.version_num = 150000, .relations = "v: a", .functions = "f"},
     "select (f(a))::int8 as \"d\"\n  from v",
     NULL},
    {"a missing function makes the family absent", HEAD "from = \"f()\"\n" COUNTER("a", ""), V_ABC, NULL,
     "no function f"},
    {"a missing extension is named with its cure", HEAD "from = \"v\"\nneeds = \"ext\"\n" COUNTER("a", ""), V_ABC, NULL,
     "create extension ext"},
    {"an extension that was not upgraded is named with its cure",
     HEAD "from = \"{schema}.info\"\nneeds = \"ext\"\n" COUNTER("a", ""),
     {.version_num = 150000, .extension = "ext", .extension_default = "1.10"},
     NULL,
     "alter extension ext update"},
    {"a library that is not loaded is named with its cure",
     HEAD "from = \"v\"\nneeds = \"ext\"\nneeds_setting = \"ext.max\"\n" COUNTER("a", ""),
     {.version_num = 150000, .relations = "v: a", .extension = "ext"},
     NULL,
     "shared_preload_libraries"},
    {"a library that is loaded lets it in",
     HEAD "from = \"v\"\nneeds = \"ext\"\nneeds_setting = \"ext.max\"\n" COUNTER("a", ""),
     {.version_num = 150000, .relations = "v: a", .extension = "ext", .settings = "ext.max=1"},
     "select (\"a\")::int8 as \"a\"\n  from v",
     NULL},
    {"primary only, on a standby",
     FROM_V "gate = \"primary\"\n" COUNTER("a", ""),
     {.version_num = 150000, .in_recovery = true, .relations = "v: a"},
     NULL,
     "this server is a standby"},
    {"standby only, on a primary", FROM_V "gate = \"standby\"\n" COUNTER("a", ""), V_ABC, NULL,
     "this server is a primary"},
    {"standby only, on a standby",
     FROM_V "gate = \"standby\"\n" COUNTER("a", ""),
     {.version_num = 150000, .in_recovery = true, .relations = "v: a"},
     "select (\"a\")::int8 as \"a\"\n  from v",
     NULL},
    {"required function", HEAD "from = \"v\"\nrequires = [\"g()\"]\n" COUNTER("a", ""), V_ABC, NULL, "no g()"},
    {"required function that is there",
     HEAD "from = \"v\"\nrequires = [\"g()\", \"v\"]\n" COUNTER("a", ""),
     {.version_num = 150000, .relations = "v: a", .functions = "g"},
     "select (\"a\")::int8 as \"a\"\n  from v",
     NULL},
    {"a hand-written query is wrapped",
     HEAD "[[query]]\nsql = \"select 1 as a, 't' as l\"\n" LABEL("l") COUNTER("a", "") INFO("i", ""),
     {.version_num = 150000},
     "select coalesce((\"l\")::text, '') as \"l\",\n       (\"a\")::int8 as \"a\",\n       (\"i\")::text as \"i\"\n"
     "  from (\nselect 1 as a, 't' as l\n) as family",
     NULL},
    {"the newest query that fits is taken",
     HEAD "[[query]]\nsql = \"old\"\n[[query]]\nsince = 140000\nsql = \"mid\"\n[[query]]\nsince = 160000\nsql = "
          "\"new\"\n" COUNTER("a", ""),
     {.version_num = 150020},
     "select (\"a\")::int8 as \"a\"\n  from (\nmid\n) as family",
     NULL},
    {"no query for so old a server",
     HEAD "[[query]]\nsince = 160000\nsql = \"new\"\n" COUNTER("a", ""),
     {.version_num = 150020},
     NULL,
     "needs PostgreSQL 16"},
};

static void statement_fits_the_server(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const Case *c = &cases[i];
        Fixture x;
        int r = resolve(&x, c->family, &c->facts);
        if (c->sql && (r != RESOLVE_OK || strcmp(x.resolved.sql, c->sql) != 0))
            fail_msg("%s:\n--- expected\n%s\n--- got (%s)\n%s", c->what, c->sql, x.reason ? x.reason : "",
                     x.resolved.sql ? x.resolved.sql : "");
        if (!c->sql && (r != RESOLVE_ABSENT || !strstr(x.reason, c->reason)))
            fail_msg("%s: expected absent, %s; got %d %s", c->what, c->reason, r, x.reason ? x.reason : "");
        assert_true((r == RESOLVE_OK) == (x.resolved.sql != NULL));
        fixture_done(&x);
    }
}

static void a_condition_names_what_the_server_has(void **state)
{
    (void)state;
    static const struct {
        const char *when, *resolved;
    } conditions[] = {
        {"exists (select from v)", "exists (select from v)"},
        {"exists (select from f() where a > 1)", "exists (select from f() where a > 1)"},
        {"1 > 0", "1 > 0"},
        {"exists (select from u)", NULL},
        {"exists (select from v) or exists (select from g())", NULL},
    };
    ScriptedFacts facts = {.version_num = 150000, .relations = "v: a", .functions = "f"};
    for (size_t i = 0; i < ARRAY_LENGTH(conditions); i++) {
        _cleanup_buf_ Buf text = BUF_INIT;
        buf_printf(&text, FROM_V "when = \"%s\"\n" COUNTER("a", ""), conditions[i].when);
        Fixture x;
        assert_int_equal(resolve(&x, buf_cstr(&text), &facts), RESOLVE_OK);
        if (conditions[i].resolved)
            assert_string_equal(x.resolved.when, conditions[i].resolved);
        else
            assert_null(x.resolved.when);
        fixture_done(&x);
    }
}

static void columns_are_those_of_the_statement(void **state)
{
    (void)state;
    Fixture x;
    const ScriptedFacts facts = {.version_num = 150000, .relations = "v: l b since"};
    int r = resolve(&x, FROM_V "epoch = \"since\"\n" LABEL("l") COUNTER("a", "") COUNTER("b", ""), &facts);
    assert_int_equal(r, RESOLVE_OK);
    assert_int_equal(x.resolved.column_count, 2);
    assert_int_equal(x.resolved.label_count, 1);
    assert_string_equal(x.resolved.columns[0]->name, "l");
    assert_string_equal(x.resolved.columns[1]->name, "b");
    assert_true(x.resolved.has_epoch);
    fixture_done(&x);
}

static void rows_in_a_known_state_are_left_out(void **state)
{
    (void)state;
    Fixture x;
    const ScriptedFacts facts = {.version_num = 150000, .relations = "v: l a b since"};
    int r = resolve(
        &x,
        FROM_V "epoch = \"since\"\nrow_id = \"id(l)\"\nrow_state = [\"l\", \"a\", \"b\", \"c\", \"g\"]\n" LABEL("l")
            COUNTER("a", "setting = \"one\"\n") COUNTER("b", "setting = \"one\"\n") COUNTER("c", "")
                GAUGE("g", "sql = \"b / 2\"\nsetting = \"two\"\n"),
        &facts);
    assert_int_equal(r, RESOLVE_OK);
    assert_true(x.resolved.has_state);
    assert_string_equal(
        x.resolved.sql,
        "select read.*, case when read.id is null then known.id end as \"gone\"\n  from (\n"
        "select own.\"l\", own.\"a\", own.\"b\", own.\"g\", own.\"epoch\", "
        "hashtextextended(coalesce(own.\"l\", ''), own.id) as \"id\", "
        "(hashfloat8extended(coalesce(own.\"g\", -1), coalesce(own.\"a\", -1) + coalesce(own.\"b\", -1)))::int8 as "
        "\"state\"\n"
        "  from (\n"
        "select coalesce((\"l\")::text, '') as \"l\",\n"
        "       case when (select current_setting('one', true) = 'on') then (\"a\")::int8 end as \"a\",\n"
        "       case when (select current_setting('one', true) = 'on') then (\"b\")::int8 end as \"b\",\n"
        "       case when (select current_setting('two', true) = 'on') then (b / 2)::float8 end as \"g\",\n"
        "       (\"since\")::text as \"epoch\",\n"
        "       hashint8extended((select hashtextextended(concat(current_setting('one', true)) || ' ' || "
        "concat(current_setting('two', true)), 0)), (id(l))::int8) as \"id\"\n"
        "  from v\noffset 0\n) as own\n) as read\n"
        "  full join unnest((select $1::int8[]), (select $2::int8[])) as known(id, state) on read.id = known.id\n"
        " where read.id is null or known.id is null or read.state <> known.state");
    fixture_done(&x);
}

static void labels_are_followed_by_those_they_are_added_up_under(void **state)
{
    (void)state;
    Fixture x;
    const ScriptedFacts facts = {.version_num = 150000, .relations = "v: l k b"};
    int r = resolve(&x, FROM_V LABEL("l") "roll_up = \"root(l)\"\n" LABEL("k") COUNTER("b", ""), &facts);
    assert_int_equal(r, RESOLVE_OK);
    assert_true(x.resolved.has_roll_up);
    assert_int_equal(x.resolved.column_count, 3);
    assert_non_null(strstr(x.resolved.sql, "(root(l))::text as \"rolled_1\",\n       (null)::text as \"rolled_2\"\n"));
    fixture_done(&x);
}

static void host_families_have_all_columns_and_no_statement(void **state)
{
    (void)state;
    Fixture x;
    const ScriptedFacts facts = {.version_num = 150000};
    assert_int_equal(resolve(&x, HEAD "scope = \"host\"\n" LABEL("l") GAUGE("a", ""), &facts), RESOLVE_OK);
    assert_null(x.resolved.sql);
    assert_int_equal(x.resolved.column_count, 2);
    assert_int_equal(x.resolved.label_count, 1);
    fixture_done(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statement_fits_the_server),
        cmocka_unit_test(a_condition_names_what_the_server_has),
        cmocka_unit_test(columns_are_those_of_the_statement),
        cmocka_unit_test(labels_are_followed_by_those_they_are_added_up_under),
        cmocka_unit_test(rows_in_a_known_state_are_left_out),
        cmocka_unit_test(host_families_have_all_columns_and_no_statement),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
