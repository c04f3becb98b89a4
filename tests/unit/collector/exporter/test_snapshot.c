/* SPDX-License-Identifier: PostgreSQL */
/* Rows to samples: grouping, forms, limits, events. */
#include "collector/exporter/snapshot.h"

#include <math.h>
#include <stdio.h>

#include "lib/base/memory.h"
#include "tests/support/readings.h"

static Catalog *catalog;
static Arena *arena;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(0);
    return catalog_new(&catalog, NULL, 0, NULL);
}

static int teardown(void **state)
{
    (void)state;
    catalog = catalog_free(catalog);
    arena = arena_free(arena);
    return 0;
}

#define LABELS                                                                                                         \
    "[[column]]\nname = \"datname\"\nkind = \"label\"\n[[column]]\nname = \"state\"\nkind = \"label\"\n"               \
    "[[column]]\nname = \"note\"\nkind = \"info\"\nhelp = \"N.\"\n"

/* Of the metric @index: `labels=value ...`. */
static const char *describe(const Snapshot *s, size_t index)
{
    _cleanup_buf_ Buf out = BUF_INIT;
    const SnapshotGroups *groups = &s->groups[s->plan->metrics[index].layout];
    const char *labels = groups->labels;
    for (size_t i = 0; s->values[index] && i < groups->count; i++, labels += strlen(labels) + 1) {
        buf_printf(&out, "%s%s=", i ? " " : "", labels);
        buf_append_double(&out, s->values[index][i]);
    }
    return arena_dup(arena, buf_slice(&out)).ptr;
}

static void rows_that_share_labels_are_put_together(void **state)
{
    (void)state;
    const Family *f =
        test_family(catalog, "t.toml",
                    "name = \"t\"\nhelp = \"T.\"\nfrom = \"t\"\n" LABELS
                    "[[column]]\nname = \"n\"\nkind = \"gauge\"\ntype = \"int8\"\nhelp = \"N.\"\n"
                    "prometheus = [\"n_all{}\", \"n_db{d=lower(datname)!}\", \"max n_max{}\"]\n"
                    "[[column]]\nname = \"at\"\nkind = \"gauge\"\nhelp = \"A.\"\nprometheus = \"age at_age{state}\"\n");
    MetricPlan *plan = metric_plan_new(NULL, f);
    Reading r = test_reading(arena, f, (const char *[]){"App on x 5 990", "APP off x 2 -", "- on x 7 980", NULL});
    SnapshotSource source = {.plan = plan, .server = "main", .reading = &r};
    _cleanup_(snapshot_freep) Snapshot *s = snapshot_new(&source);
    assert_int_equal(plan->metric_count, 4);
    assert_string_equal(describe(s, 0), "=14");
    assert_string_equal(describe(s, 1), "d=\"app\"=7"); /* the row without a database is not one of them */
    assert_string_equal(describe(s, 2), "=7");
    assert_string_equal(describe(s, 3), "state=\"on\"=20 state=\"off\"=NaN"); /* the older of two */
    assert_int_equal(s->left_out, 0);
    metric_plan_unref(plan);
}

static void infos_are_labels_of_a_one(void **state)
{
    (void)state;
    const Family *f = test_family(catalog, "t.toml",
                                  "name = \"t\"\nhelp = \"T.\"\nfrom = \"t\"\n"
                                  "[[column]]\nname = \"note\"\nkind = \"info\"\nhelp = \"N.\"\n"
                                  "prometheus = \"one t_note{note}\"\n");
    MetricPlan *plan = metric_plan_new(NULL, f);
    Reading r = test_reading(arena, f, (const char *[]){"17.1", NULL});
    SnapshotSource source = {.plan = plan, .server = "main", .reading = &r};
    _cleanup_(snapshot_freep) Snapshot *s = snapshot_new(&source);
    assert_string_equal(describe(s, 0), "note=\"17.1\"=1");
    metric_plan_unref(plan);
}

static void a_limit_shows_the_largest(void **state)
{
    (void)state;
    const Family *f = test_family(catalog, "t.toml",
                                  "name = \"t\"\nhelp = \"T.\"\nfrom = \"t\"\nprometheus_limit = 2\n"
                                  "prometheus_order = \"n\"\n[[column]]\nname = \"id\"\nkind = \"label\"\n"
                                  "[[column]]\nname = \"n\"\nkind = \"counter\"\nhelp = \"N.\"\n");
    MetricPlan *plan = metric_plan_new(NULL, f);
    Reading r = test_reading(arena, f, (const char *[]){"a 1", "b 5", "c -", "d 5", "e 5", NULL});
    SnapshotSource source = {.plan = plan, .server = "main", .reading = &r};
    Snapshot *s = snapshot_new(&source);
    assert_string_equal(describe(s, 0), "id=\"b\"=5 id=\"d\"=5");
    snapshot_free(s);
    r = test_reading(arena, f, (const char *[]){"a 1", "b 5", NULL});
    s = snapshot_new(&source);
    assert_string_equal(describe(s, 0), "id=\"a\"=1 id=\"b\"=5");
    snapshot_free(s);
    metric_plan_unref(plan);
}

/* Increases are added to what was there; what does not come again stays; gauges are of the interval. */
static void events_add_up(void **state)
{
    (void)state;
    const Family *f = test_family(catalog, "t.toml",
                                  "name = \"t\"\nhelp = \"T.\"\nscope = \"host\"\nmode = \"events\"\n"
                                  "[[column]]\nname = \"id\"\nkind = \"label\"\n"
                                  "[[column]]\nname = \"n\"\nkind = \"counter\"\nhelp = \"N.\"\n"
                                  "[[column]]\nname = \"g\"\nkind = \"gauge\"\nhelp = \"G.\"\n");
    MetricPlan *plan = metric_plan_new(NULL, f);
    Reading r = test_reading(arena, f, (const char *[]){"a 1 10", "b 5 20", NULL});
    r.events_since = 1;
    SnapshotSource source = {.plan = plan, .server = "main", .reading = &r};
    _cleanup_(snapshot_freep) Snapshot *first = snapshot_new(&source);
    r = test_reading(arena, f, (const char *[]){"c 7 30", "b 2 40", NULL});
    r.events_since = 1;
    source.before = first;
    _cleanup_(snapshot_freep) Snapshot *second = snapshot_new(&source);
    assert_string_equal(describe(second, 0), "id=\"a\"=1 id=\"b\"=7 id=\"c\"=7");
    assert_string_equal(describe(second, 1), "id=\"a\"=NaN id=\"b\"=40 id=\"c\"=30");
    metric_plan_unref(plan);
}

static void too_many_series_are_left_out_and_counted(void **state)
{
    (void)state;
    const Family *f = test_family(catalog, "t.toml",
                                  "name = \"t\"\nhelp = \"T.\"\nfrom = \"t\"\n"
                                  "[[column]]\nname = \"id\"\nkind = \"label\"\n"
                                  "[[column]]\nname = \"n\"\nkind = \"gauge\"\nhelp = \"N.\"\n"
                                  "prometheus = [\"t_n\", \"t_all{}\"]\n");
    MetricPlan *plan = metric_plan_new(NULL, f);
    const char **rows = mem_alloc_array(sizeof(char *), SNAPSHOT_SERIES_MAX + 4);
    for (size_t i = 0; i < SNAPSHOT_SERIES_MAX + 3; i++)
        rows[i] = arena_printf(arena, "x%zu 1", i);
    Reading r = test_reading(arena, f, rows);
    SnapshotSource source = {.plan = plan, .server = "main", .reading = &r};
    _cleanup_(snapshot_freep) Snapshot *s = snapshot_new(&source);
    assert_int_equal(s->groups[0].count, SNAPSHOT_SERIES_MAX);
    assert_int_equal(s->left_out, 3);
    assert_string_equal(describe(s, 1), "=20003"); /* a sum is of all */
    free(rows);
    metric_plan_unref(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_that_share_labels_are_put_together, setup, teardown),
        cmocka_unit_test_setup_teardown(infos_are_labels_of_a_one, setup, teardown),
        cmocka_unit_test_setup_teardown(a_limit_shows_the_largest, setup, teardown),
        cmocka_unit_test_setup_teardown(events_add_up, setup, teardown),
        cmocka_unit_test_setup_teardown(too_many_series_are_left_out_and_counted, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
