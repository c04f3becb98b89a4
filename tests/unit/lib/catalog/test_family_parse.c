/* SPDX-License-Identifier: PostgreSQL */
/* Every fault of a family file is told with its place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/catalog/family.h"

static int add(Catalog **ret, const char *file, const char *text, Err *err)
{
    assert_int_equal(catalog_new(ret, NULL, 0, NULL), 0);
    return catalog_add(*ret, file, slice_cstr(text), err);
}

static void every_key_is_read(void **state)
{
    (void)state;
    static const char text[] =
        "name = 'my_family'\nhelp = 'What it is.'\nscope = 'database'\ninterval = 300\n"
        "from = ['a', 'b']\nneeds = 'my_ext'\nneeds_setting = 'my_ext.max'\n"
        "requires = ['f()', 'r']\nwhere = 'x > 0'\norder = 'x'\nprometheus = 'my_prefix'\n"
        "epoch = 'since'\ngate = 'standby'\nenabled = false\nkeyframe = 'always'\n"
        "top = 50\ntop_by = 'n'\nchange = 'my thing'\nroll_up = 'always'\nbefore = 'do $$ begin a; end $$'\n"
        "when = 'exists (select from a)'\n"
        "[[column]]\nname = 'n'\nkind = 'counter'\nunit = 'rows'\nhelp = 'N.'\n"
        "from = ['n', 'old_n']\nsetting = 'track_io_timing'\n"
        "[[column]]\nname = 'g'\nkind = 'gauge'\ntype = 'int8'\nhelp = 'G.'\ncast = 'bool'\n"
        "sql = 'x'\nrequires = 'x'\notherwise = 'false'\ncombine = 'max'\n"
        "[[column]]\nname = 'i'\nkind = 'info'\nhelp = 'I.'\nchange = 'part'\nitems = true\n"
        "[[column]]\nname = 'l'\nkind = 'label'\nroll_up = 'root'\n";
    Err err = ERR_INIT;
    _cleanup_(catalog_freep) Catalog *c = NULL;
    if (add(&c, "metrics.d/my_family.toml", text, &err) < 0)
        fail_msg("%s", err.detail);
    const Family *f = catalog_find(c, SLICE_LIT("my_family"));
    assert_non_null(f);
    assert_string_equal(f->help, "What it is.");
    assert_int_equal(f->scope, FAMILY_SCOPE_DATABASE);
    assert_int_equal(f->gate, FAMILY_GATE_STANDBY);
    assert_int_equal(f->mode, FAMILY_MODE_ROWS);
    assert_int_equal(f->interval_seconds, 300);
    assert_false(f->enabled);
    assert_int_equal(f->keyframe, FAMILY_KEYFRAME_ALWAYS);
    assert_string_equal(f->from[1], "b");
    assert_null(f->from[2]);
    assert_string_equal(f->needs, "my_ext");
    assert_string_equal(f->needs_setting, "my_ext.max");
    assert_string_equal(f->required[0], "f()");
    assert_string_equal(f->where, "x > 0");
    assert_string_equal(f->order, "x");
    assert_string_equal(f->prometheus, "my_prefix");
    assert_string_equal(f->epoch[0], "since");

    assert_int_equal(f->top, 50);
    assert_string_equal(f->top_by, "n");
    assert_string_equal(f->change, "my thing");
    assert_int_equal(f->roll_up, ROLL_UP_ALWAYS);
    assert_string_equal(f->before, "do $$ begin a; end $$");
    assert_string_equal(f->when, "exists (select from a)");

    assert_int_equal(f->column_count, 4);
    assert_int_equal(f->label_count, 1);
    assert_string_equal(f->columns[0].roll_up, "root");
    const FamilyColumn *i = family_find_column(f, SLICE_LIT("i"));
    assert_string_equal(i->change, "part");
    assert_true(i->items);
    assert_string_equal(f->columns[0].name, "l");
    assert_string_equal(f->columns[0].alternatives[0], "l");
    const FamilyColumn *n = family_find_column(f, SLICE_LIT("n")), *g = family_find_column(f, SLICE_LIT("g"));
    assert_int_equal(n->kind, COLUMN_COUNTER);
    assert_int_equal(n->type, COLUMN_INT8);
    assert_string_equal(n->unit, "rows");
    assert_string_equal(n->alternatives[1], "old_n");
    assert_string_equal(n->setting, "track_io_timing");
    assert_null(n->sql);
    assert_int_equal(g->type, COLUMN_INT8);
    assert_string_equal(g->sql, "x");
    assert_string_equal(g->required[0], "x");
    assert_string_equal(g->otherwise, "false");
    assert_string_equal(g->cast, "bool");
    assert_int_equal(g->combine, COMBINE_MAX);
    assert_string_equal(g->change, "");
    assert_false(g->items);
}

static void defaults(void **state)
{
    (void)state;
    Err err = ERR_INIT;
    _cleanup_(catalog_freep) Catalog *c = NULL;
    assert_int_equal(add(&c, "x.toml",
                         "name = 'x'\nhelp = 'h'\nfrom = 'v'\n[[column]]\nname = 'i'\nkind = 'info'\nhelp = 'h'\n"
                         "[[column]]\nname = 'g'\nkind = 'gauge'\nhelp = 'h'\n",
                         &err),
                     0);
    const Family *f = catalog_at(c, 0);
    assert_int_equal(f->scope, FAMILY_SCOPE_INSTANCE);
    assert_int_equal(f->gate, FAMILY_GATE_ANY);
    assert_true(f->enabled);
    assert_int_equal(f->keyframe, FAMILY_KEYFRAME_CHANGED);
    assert_int_equal(f->interval_seconds, 0);
    assert_int_equal(f->columns[0].type, COLUMN_TEXT);
    assert_int_equal(f->columns[1].type, COLUMN_FLOAT8);
    assert_string_equal(f->columns[1].unit, "");
}

#define HEAD   "name = 'x'\nhelp = 'h'\n"                               /* 2 lines */
#define FROM   HEAD "from = 'v'\n"                                      /* 3 */
#define HOST   HEAD "scope = 'host'\n"                                  /* 3 */
#define COLUMN "[[column]]\nname = 'a'\nkind = 'counter'\nhelp = 'h'\n" /* 4 */
#define NAMED  "[[column]]\nname = 'l'\nkind = 'label'\n"               /* 3 */
#define STATE  "row_id = '1'\nrow_state = 'a'\n"                        /* 2 */

typedef struct Fault {
    const char *text;
    uint32_t line, column; /* 0: none */
    const char *detail;    /* part of it */
} Fault;

static const Fault faults[] = {
    {"name = \n", 1, 0, "x.toml: "},
    {"", 0, 0, "has no name"},
    {"help = 'h'\n", 0, 0, "has no name"},
    {"name = 'y'\n", 1, 8, "name \"y\" is not the file's"},
    {"name = 'X'\n", 1, 8, "not valid"},
    {"name = 'user'\n", 1, 8, "reserved"},
    {"name = 5\n", 1, 8, "name must be a string"},
    {FROM "nam = 1\n" COLUMN, 4, 1, "unknown key \"nam\""},
    {FROM "interval = 'x'\n" COLUMN, 4, 12, "interval must be an integer"},
    {FROM "interval = -1\n" COLUMN, 4, 12, "not between 0 and 86400"},
    {FROM "interval = 86401\n" COLUMN, 4, 12, "not between 0 and 86400"},
    {FROM "scope = 'galaxy'\n" COLUMN, 4, 9, "not one of \"instance\", \"database\", \"host\""},
    {FROM "enabled = 'yes'\n" COLUMN, 4, 11, "enabled must be true or false"},
    {FROM "needs = 'Bad Name'\n" COLUMN, 4, 9, "not a plain name"},
    {FROM "where = ''\n" COLUMN, 4, 9, "where is empty"},
    {FROM "where = 'a;'\n" COLUMN, 4, 9, "semicolon"},
    {FROM "where = 'a -- b'\n" COLUMN, 4, 9, "comment"},
    {FROM "where = '{schema}.x > 1'\n" COLUMN, 4, 9, "needs no extension"},
    {FROM "limit = 5\n" COLUMN, 4, 9, "limit with a counter"},
    {FROM "top = 5\n[[column]]\nname = 'a'\nkind = 'gauge'\nhelp = 'h'\n", 4, 7, "top is for families with counters"},
    {FROM "top_by = 'b'\n" COLUMN, 4, 10, "\"b\" is no counter"},
    {FROM "change = 'A;b'\n" COLUMN, 4, 10, "plain name"},
    {FROM "change = 'index'\nmode = 'texts'\n[[column]]\nname = 'l'\nkind = 'label'\n" COLUMN, 4, 10, "mode rows"},
    {FROM "row_id = '1'\n" NAMED COLUMN, 4, 10, "go together"},
    {FROM "row_state = 'a'\n" NAMED COLUMN, 4, 13, "go together"},
    {FROM "row_id = '1; 2'\nrow_state = 'a'\n" NAMED COLUMN, 4, 10, "holds a semicolon"},
    {FROM "row_id = '1'\nrow_state = ['a', 'm']\n" NAMED COLUMN, 5, 13, "\"m\" is no column"},
    {FROM STATE COLUMN, 4, 10, "with labels"},
    {FROM STATE "keyframe = 'always'\n" NAMED COLUMN, 4, 10, "keyframe"},
    {FROM STATE "order = 'a'\n" NAMED COLUMN, 4, 10, "order"},
    {FROM STATE "change = 'thing'\n" NAMED COLUMN, 4, 10, "change"},
    {FROM STATE "when = 'true'\n" NAMED COLUMN, 4, 10, "when"},
    {FROM STATE "limit = 5\n" NAMED "[[column]]\nname = 'a'\nkind = 'gauge'\nhelp = 'h'\n", 4, 10, "without limit"},
    {HOST "row_id = '1'\nrow_state = 'a'\n" NAMED COLUMN, 4, 10, "not for host families"},
    {FROM "keyframe = 'weekly'\n" COLUMN, 4, 12, "not one of"},
    {FROM "roll_up = 'never'\n" COLUMN, 4, 11, "not one of"},
    {FROM "before = 'do x;'\n" COLUMN, 4, 10, "one block"},
    {FROM "before = 'do $$'\n" COLUMN, 4, 10, "one block"},
    {FROM "before = 'do $$ a $$; drop table t; do $$ b $$'\n" COLUMN, 4, 10, "one block"},
    {HOST "before = 'do $$ x $$'\n" COLUMN, 4, 10, "not for host families"},
    {HOST "when = 'true'\n" COLUMN, 4, 8, "not for host families"},
    {FROM "when = 'true; commit'\n" COLUMN, 4, 8, "semicolon"},
    {FROM COLUMN "roll_up = 'x'\n", 8, 11, "roll_up is for labels"},
    {FROM COLUMN "combine = 'sum'\n", 8, 11, "combine is for gauges"},
    {FROM COLUMN "change = 'x'\n", 8, 10, "change is for infos and gauges"},
    {FROM "[[column]]\nname = 'a'\nkind = 'info'\nhelp = 'h'\nchange = '-'\n", 8, 10, "plain name"},
    {FROM "[[column]]\nname = 'a'\nkind = 'info'\nhelp = 'h'\nitems = true\n", 8, 9, "infos with change"},
    {FROM "prometheus = 'a-b'\n" COLUMN, 4, 14, "not a plain name"},
    {FROM "mode = 'texts'\n" COLUMN, 4, 8, "with a label"},
    {FROM "epoch = 'a b'\n" COLUMN, 4, 9, "not a plain name"},
    {FROM "requires = 'a b'\n" COLUMN, 4, 12, "not a plain name"},
    {HEAD COLUMN, 0, 0, "neither from nor [[query]]"},
    {HEAD "from = []\n" COLUMN, 3, 8, "from must be a string or a list"},
    {HEAD "from = ['a', 1]\n" COLUMN, 3, 8, "from must be a string or a list"},
    {HEAD "from = 'v; drop table v'\n" COLUMN, 3, 8, "names no relation"},
    {HEAD "from = '{schema}.v'\n" COLUMN, 3, 8, "needs no extension"},
    {FROM "[[query]]\nsql = 's'\n" COLUMN, 4, 0, "not both"},
    {HEAD "where = 'a'\n[[query]]\nsql = 's'\n" COLUMN, 3, 9, "where goes with from"},
    {HEAD "epoch = 'a'\n[[query]]\nsql = 's'\n" COLUMN, 3, 9, "epoch goes with from"},
    {HEAD "[[query]]\nsince = 1\n" COLUMN, 4, 9, "a query has no sql"},
    {HEAD "[[query]]\nsql = 's'\nsince = 5\n[[query]]\nsql = 's'\nsince = 5\n" COLUMN, 7, 0, "order of since"},
    {HEAD "[[query]]\nsql = 's'\nbecause = 5\n" COLUMN, 5, 1, "unknown key \"because\""},
    {HEAD "query = 5\n" COLUMN, 3, 9, "list of tables"},
    {HOST "from = 'v'\n" COLUMN, 4, 8, "not for host families"},
    {HOST "needs = 'v'\n" COLUMN, 4, 9, "not for host families"},
    {HOST COLUMN "cast = 'bool'\n", 8, 8, "not for host families"},
    {HOST COLUMN "sql = 'a'\n", 8, 7, "for families with a from"},
    {FROM, 0, 0, "no columns"},
    {FROM "[[column]]\nname = 'l'\nkind = 'label'\n", 4, 0, "labels only"},
    {FROM "[[column]]\nkind = 'label'\n", 5, 8, "a column has no name"},
    {FROM "[[column]]\nname = 'l'\n", 5, 8, "has no kind"},
    {FROM "[[column]]\nname = 'l'\nkind = 'meter'\n", 6, 8, "not one of \"label\""},
    {FROM "[[column]]\nname = 'server_id'\nkind = 'gauge'\nhelp = 'h'\n", 5, 8, "not valid"},
    {FROM "[[column]]\nname = 'a'\nkind = 'gauge'\n", 5, 8, "has no help"},
    {FROM COLUMN "type = 'text'\n", 8, 8, "a counter is int8 or float8"},
    {FROM "[[column]]\nname = 'l'\nkind = 'label'\ntype = 'int8'\n", 7, 8, "a label is text"},
    {FROM "[[column]]\nname = 'l'\nkind = 'label'\ncast = 'bool'\n", 7, 8, "cast is for counters and gauges"},
    {FROM "[[column]]\nname = 'l'\nkind = 'label'\nsetting = 'a'\n", 7, 11, "a label cannot be unknown"},
    {FROM COLUMN COLUMN, 9, 8, "given twice"},
    {FROM COLUMN "from = 'v'\nsql = 'a'\n", 9, 7, "not both"},
    {FROM COLUMN "requires = 'v'\n", 8, 12, "requires goes with sql"},
    {FROM COLUMN "from = 'a b'\n", 8, 8, "not a plain name"},
    {FROM COLUMN "sql = 'a -- b'\n", 8, 7, "comment"},
    {FROM COLUMN "otherwise = ''\n", 8, 13, "otherwise is empty"},
    {FROM COLUMN "cast = 'epic'\n", 8, 8, "not one of"},
    {FROM COLUMN "setting = 'A'\n", 8, 11, "not a plain name"},
    {FROM COLUMN "unit = \"a\\u0000b\"\n", 8, 8, "NUL"},
};

static void every_fault_is_told_with_its_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        const Fault *f = &faults[i];
        Err err = ERR_INIT;
        _cleanup_(catalog_freep) Catalog *c = NULL;
        int r = add(&c, "x.toml", f->text, &err);
        bool place = f->line == err.line && (f->column == 0 || f->column == err.column);
        if (r >= 0 || !strstr(err.detail, f->detail) || !place)
            fail_msg("expected \"%s\" at %u:%u, got %d \"%s\" at %u:%u for:\n%s", f->detail, f->line, f->column, r,
                     err.detail, err.line, err.column, f->text);
        assert_true(slice_starts_with(slice_cstr(err.detail), SLICE_LIT("x.toml: ")));
        assert_int_equal(catalog_count(c), 0);
    }
}

static void misspelt_key_names_the_nearest(void **state)
{
    (void)state;
    Err err = ERR_INIT;
    _cleanup_(catalog_freep) Catalog *c = NULL;
    assert_true(add(&c, "x.toml", FROM "intervall = 5\n" COLUMN, &err) < 0);
    assert_string_equal(err.hint, "did you mean \"interval\"?");
}

static void too_many_columns_are_refused(void **state)
{
    (void)state;
    _cleanup_buf_ Buf text = BUF_INIT;
    buf_append_cstr(&text, FROM);
    for (int i = 0; i <= FAMILY_COLUMNS_MAX; i++)
        buf_printf(&text, "[[column]]\nname = 'c%d'\nkind = 'gauge'\nhelp = 'h'\n", i);
    Err err = ERR_INIT;
    _cleanup_(catalog_freep) Catalog *c = NULL;
    assert_true(add(&c, "x.toml", buf_cstr(&text), &err) < 0);
    assert_non_null(strstr(err.detail, "more than 120 columns"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_key_is_read),
        cmocka_unit_test(defaults),
        cmocka_unit_test(every_fault_is_told_with_its_place),
        cmocka_unit_test(misspelt_key_names_the_nearest),
        cmocka_unit_test(too_many_columns_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
