/* SPDX-License-Identifier: PostgreSQL */
#include "collector/exporter/metric_plan.h"

#include "tests/support/readings.h"

static void metrics_with_the_same_labels_share_a_layout(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *catalog = NULL;
    assert_int_equal(catalog_new(&catalog, NULL, 0, NULL), 0);
    const Family *f = test_family(catalog, "t.toml",
                                  "name = \"t\"\nhelp = \"T.\"\nfrom = \"t\"\n"
                                  "[[column]]\nname = \"a\"\nkind = \"label\"\n"
                                  "[[column]]\nname = \"n\"\nkind = \"gauge\"\nhelp = \"N.\"\n"
                                  "[[column]]\nname = \"m\"\nkind = \"gauge\"\nhelp = \"M.\"\n"
                                  "prometheus = [\"t_m\", \"t_low{a=lower(a)}\", \"t_need{a!}\", \"t_n\"]\n");
    _cleanup_(metric_plan_unrefp) MetricPlan *p = metric_plan_new(NULL, f);
    assert_int_equal(p->metric_count, 4); /* the second t_n is not one */
    assert_int_equal(p->layout_count, 3);
    assert_int_equal(p->metrics[0].layout, p->metrics[1].layout);
    assert_string_equal(metric_plan_find(p, "t_n")->metric.column->name, "n");
    assert_null(metric_plan_find(p, "t_x"));
    p->metrics[0].hidden = true;
    assert_null(metric_plan_find(p, "t_n"));
}

static void a_family_without_numbers_has_none(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *catalog = NULL;
    assert_int_equal(catalog_new(&catalog, NULL, 0, NULL), 0);
    const Family *f = test_family(catalog, "t.toml",
                                  "name = \"t\"\nhelp = \"T.\"\nfrom = \"t\"\n"
                                  "[[column]]\nname = \"n\"\nkind = \"info\"\nhelp = \"N.\"\n");
    assert_null(metric_plan_new(NULL, f));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_with_the_same_labels_share_a_layout),
        cmocka_unit_test(a_family_without_numbers_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
