/* SPDX-License-Identifier: PostgreSQL */
#include "collector/reading/family_costs.h"

#include <pthread.h>

#include "tests/support/unit.h"

static void costs_of_a_family_add_up(void **state)
{
    (void)state;
    _cleanup_(family_costs_freep) FamilyCosts *c = family_costs_new();
    FamilyCost cost;
    assert_false(family_costs_at(c, 0, &cost));
    family_costs_add(c, &(FamilyCost){.family = "a", .runs = 1, .rows = 10, .sql = 500});
    family_costs_add(c, &(FamilyCost){.family = "b", .runs = 1, .errors = 1});
    family_costs_add(c, &(FamilyCost){.family = "a", .runs = 1, .rows = 5, .bytes = 77, .sql = 250});
    assert_true(family_costs_at(c, 0, &cost));
    assert_string_equal(cost.family, "a");
    assert_int_equal(cost.runs, 2);
    assert_int_equal(cost.rows, 15);
    assert_int_equal(cost.bytes, 77);
    assert_int_equal(cost.sql, 750);
    assert_int_equal(cost.errors, 0);
    assert_true(family_costs_at(c, 1, &cost));
    assert_int_equal(cost.errors, 1);
    assert_false(family_costs_at(c, 2, &cost));
}

static void more_families_than_there_is_room_for_are_left_out(void **state)
{
    (void)state;
    static char names[FAMILY_COSTS_MAX + 1][2];
    _cleanup_(family_costs_freep) FamilyCosts *c = family_costs_new();
    FamilyCost cost;
    for (int i = 0; i <= FAMILY_COSTS_MAX; i++) {
        names[i][0] = (char)('A' + i);
        family_costs_add(c, &(FamilyCost){.family = names[i], .runs = 1});
    }
    assert_true(family_costs_at(c, FAMILY_COSTS_MAX - 1, &cost));
    assert_false(family_costs_at(c, FAMILY_COSTS_MAX, &cost));
}

static void *add_many(void *arg)
{
    for (int i = 0; i < 10000; i++)
        family_costs_add(arg, &(FamilyCost){.family = "a", .runs = 1});
    return NULL;
}

static void threads_do_not_lose_costs(void **state)
{
    (void)state;
    _cleanup_(family_costs_freep) FamilyCosts *c = family_costs_new();
    pthread_t other;
    FamilyCost cost;
    assert_int_equal(pthread_create(&other, NULL, add_many, c), 0);
    add_many(c);
    pthread_join(other, NULL);
    assert_true(family_costs_at(c, 0, &cost));
    assert_int_equal(cost.runs, 20000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(costs_of_a_family_add_up),
        cmocka_unit_test(more_families_than_there_is_room_for_are_left_out),
        cmocka_unit_test(threads_do_not_lose_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
