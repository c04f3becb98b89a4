/* SPDX-License-Identifier: PostgreSQL */
/* Names, types, units and labels of metrics, from what a family's file says; and that no two families share a name. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/base/map.h"
#include "lib/catalog/catalog_private.h"
#include "lib/catalog/family_metrics.h"

static const char HEAD[] = "name = \"t\"\nhelp = \"T.\"\nfrom = \"t\"\n";
static const char LABELS[] =
    "[[column]]\nname = \"db\"\nkind = \"label\"\n[[column]]\nname = \"server\"\nkind = \"label\"\n"
    "[[column]]\nname = \"note\"\nkind = \"info\"\nhelp = \"N.\"\n";

typedef struct Made {
    Arena *arena;
    Family family;
    FamilyMetrics metrics;
    Err err;
    int r;
} Made;

/* @keys of the family, @column: the keys of a column v. */
static Made make(const char *keys, const char *column)
{
    Made m = {.arena = arena_new(0)};
    _cleanup_buf_ Buf text = BUF_INIT;
    buf_printf(&text, "%s%s%s[[column]]\nname = \"v\"\nhelp = \"V.\"\n%s", HEAD, keys, LABELS, column);
    m.r = family_parse(m.arena, "t.toml", buf_slice(&text), &m.family, &m.err);
    if (m.r == 0)
        m.r = family_metrics_make(m.arena, &m.family, &m.metrics, &m.err);
    return m;
}

static void describe(const Metric *metric, Buf *out)
{
    static const char *const forms[] = {"sum", "max", "age", "one", "setting"};
    buf_printf(out, "%s %s %s*%g{", metric->name, metric_type_to_string(metric->type), forms[metric->form],
               metric->factor);
    if (metric->database)
        buf_append_cstr(out, "+datname ");
    for (size_t i = 0; i < metric->label_count; i++)
        buf_printf(out, "%s%s=%s%s%s", i ? "," : "", metric->labels[i].name, metric->labels[i].column->name,
                   metric->labels[i].lower ? " lower" : "", metric->labels[i].needed ? " needed" : "");
    buf_append_cstr(out, "}\n");
}

static void check(const char *keys, const char *column, const char *expected)
{
    Made m = make(keys, column);
    if (m.r < 0)
        fail_msg("%s: %s", column, m.err.detail);
    _cleanup_buf_ Buf text = BUF_INIT;
    for (size_t i = 0; i < m.metrics.count; i++)
        describe(&m.metrics.items[i], &text);
    assert_slice(buf_slice(&text), expected);
    arena_free(m.arena);
}

static void names_follow_the_conventions(void **state)
{
    (void)state;
    /* A label that the exporter gives itself is renamed. */
    check("", "kind = \"gauge\"\n", "t_v gauge sum*1{db=db,t_server=server}\n");
    check("", "kind = \"counter\"\nunit = \"ms\"\n", "t_v_seconds_total counter sum*0.001{db=db,t_server=server}\n");
    check("", "kind = \"gauge\"\nunit = \"s\"\n", "t_v_seconds gauge sum*1{db=db,t_server=server}\n");
    check("prometheus = \"my\"\n", "kind = \"gauge\"\nunit = \"bytes\"\n",
          "my_v_bytes gauge sum*1{db=db,t_server=server}\n");
    check("prometheus = \"-\"\n", "kind = \"gauge\"\n", "");
    check("scope = \"database\"\n", "kind = \"gauge\"\n", "t_v gauge sum*1{+datname db=db,t_server=server}\n");
}

static void names_that_are_given_are_taken(void **state)
{
    (void)state;
    check("", "kind = \"counter\"\nprometheus = \"old_v\"\n", "old_v unknown sum*1{db=db,t_server=server}\n");
    check("", "kind = \"counter\"\nunit = \"ms\"\nprometheus = [\"old_v\", \"new_v_seconds_total{}\"]\n",
          "old_v unknown sum*1{db=db,t_server=server}\nnew_v_seconds_total counter sum*0.001{}\n");
    check("", "kind = \"gauge\"\nprometheus = \"max x_count{a=lower(db)!, note}\"\n",
          "x_count unknown max*1{a=db lower needed,note=note}\n");
    check("", "kind = \"gauge\"\nprometheus = \"age x_age{db!}\"\n", "x_age gauge age*1{db=db needed}\n");
    check("", "kind = \"info\"\nprometheus = \"one x{v}\"\n", "x gauge one*1{v=v}\n");
    check("", "kind = \"gauge\"\nprometheus = \"-\"\n", "");
}

static void faults_name_the_column(void **state)
{
    (void)state;
    static const struct {
        const char *keys, *column, *part;
    } cases[] = {
        {"", "kind = \"gauge\"\nprometheus = \"Big\"\n", "column v: prometheus = \"Big\": not NAME"},
        {"", "kind = \"gauge\"\nprometheus = \"x{db\"\n", "not NAME"},
        {"", "kind = \"gauge\"\nprometheus = \"x db}\"\n", "not NAME"},
        {"", "kind = \"gauge\"\nprometheus = \"\"\n", "not NAME"},
        {"", "kind = \"gauge\"\nprometheus = \"x{nobody}\"\n", "a label is not a text column"},
        {"", "kind = \"gauge\"\nprometheus = \"x{v}\"\n", "a label is not a text column"},
        {"", "kind = \"gauge\"\nprometheus = \"x{db,}\"\n", "a label is not a text column"},
        {"", "kind = \"gauge\"\nprometheus = \"x{db,db}\"\n", "given twice"},
        {"", "kind = \"gauge\"\nprometheus = \"one x{db}\"\n", "an info is one or setting"},
        {"", "kind = \"info\"\nprometheus = \"x{db}\"\n", "an info is one or setting"},
        {"", "kind = \"info\"\nprometheus = \"setting x\"\n", "families with one label"},
        {"", "kind = \"gauge\"\nprometheus = [\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"]\n", "more than 8"},
        {"prometheus_limit = 5\n", "kind = \"gauge\"\n", "go together"},
        {"prometheus_order = \"v\"\n", "kind = \"gauge\"\n", "go together"},
        {"prometheus_limit = 5\nprometheus_order = \"db\"\n", "kind = \"gauge\"\n", "no number of the family"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Made m = make(cases[i].keys, cases[i].column);
        if (m.r >= 0)
            fail_msg("%s is taken", cases[i].column);
        assert_err(&m.err, ERR_CONFIG, cases[i].part);
        assert_err(&m.err, ERR_CONFIG, "t.toml");
        arena_free(m.arena);
    }
}

/* promtool refuses them. The key `prometheus` of the family or the column gives another name. */
static void no_name_tells_a_type_or_a_short_unit(void **state)
{
    (void)state;
    static const char *const words[] = {"counter", "gauge", "summary", "histogram", "ms", "us", "s", "kb", "mb", "gb"};
    _cleanup_(catalog_freep) Catalog *c = NULL;
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    assert_int_equal(catalog_new_builtin(&c, NULL), 0);
    for (size_t i = 0; i < catalog_count(c); i++) {
        FamilyMetrics metrics;
        assert_int_equal(family_metrics_make(arena, catalog_at(c, i), &metrics, NULL), 0);
        for (size_t k = 0; k < metrics.count; k++) {
            for (Slice rest = slice_cstr(metrics.items[k].name); rest.ptr;) {
                Slice word = slice_split(&rest, '_');
                for (size_t w = 0; w < ARRAY_LENGTH(words); w++) {
                    if (slice_eq_cstr(word, words[w]))
                        fail_msg("%s: metric %s", catalog_at(c, i)->name, metrics.items[k].name);
                }
            }
        }
    }
}

/* OpenMetrics knows a counter without its suffix: that name must be free too. */
static void no_two_metrics_of_the_catalog_share_a_name(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *c = NULL;
    _cleanup_(map_freep) Map *owners = map_new(NULL);
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    assert_int_equal(catalog_new_builtin(&c, NULL), 0);
    for (size_t i = 0; i < catalog_count(c); i++) {
        FamilyMetrics metrics;
        assert_int_equal(family_metrics_make(arena, catalog_at(c, i), &metrics, NULL), 0);
        for (size_t k = 0; k < metrics.count; k++) {
            Slice name = slice_cstr(metrics.items[k].name);
            if (metrics.items[k].type == METRIC_COUNTER)
                name.len -= 6;
            const char *owner = map_get(owners, name);
            if (owner)
                fail_msg("%s: metric %.*s is also of %s", catalog_at(c, i)->name, SLICE_ARG(name), owner);
            map_put(owners, name, (void *)(uintptr_t)catalog_at(c, i)->name);
        }
    }
    assert_true(map_len(owners) > 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_the_conventions),
        cmocka_unit_test(names_that_are_given_are_taken),
        cmocka_unit_test(faults_name_the_column),
        cmocka_unit_test(no_name_tells_a_type_or_a_short_unit),
        cmocka_unit_test(no_two_metrics_of_the_catalog_share_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
