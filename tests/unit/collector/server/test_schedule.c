/* SPDX-License-Identifier: PostgreSQL */
#include "collector/server/schedule.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SECONDS(n) ((n)*USEC_PER_SEC)

enum { HOUR = 3600 };

static void the_first_turn_is_at_the_start(void **state)
{
    (void)state;
    Schedule s;
    schedule_init(&s, SECONDS(60), SECONDS(1000));
    assert_true(schedule_next(&s) == USEC_NEVER);
    size_t fast = schedule_add(&s, SECONDS(60)), slow = schedule_add(&s, SECONDS(600));
    assert_true(schedule_next(&s) == SECONDS(1000));
    assert_true(schedule_take(&s, fast, SECONDS(1000)));
    assert_true(schedule_take(&s, slow, SECONDS(1000)));
    assert_false(schedule_take(&s, fast, SECONDS(1001)));
    assert_true(schedule_next(&s) == SECONDS(1060));
    schedule_done(&s);
}

static void a_late_turn_does_not_push_the_next_ones(void **state)
{
    (void)state;
    Schedule s;
    schedule_init(&s, SECONDS(60), 0);
    size_t e = schedule_add(&s, SECONDS(60));
    assert_true(schedule_take(&s, e, SECONDS(0)));
    assert_true(schedule_take(&s, e, SECONDS(75)));
    assert_true(schedule_next(&s) == SECONDS(120));
    schedule_done(&s);
}

static void missed_turns_are_left_out(void **state)
{
    (void)state;
    Schedule s;
    schedule_init(&s, SECONDS(60), 0);
    size_t e = schedule_add(&s, SECONDS(60));
    assert_true(schedule_take(&s, e, 0));
    assert_true(schedule_take(&s, e, SECONDS(305))); /* due since 60: 60, 120, 180, 240 are gone */
    assert_true(schedule_next(&s) == SECONDS(360));
    assert_true(schedule_take(&s, e, SECONDS(415))); /* 420 is too near to be worth a turn */
    assert_true(schedule_next(&s) == SECONDS(480));
    schedule_done(&s);
}

static void what_is_nearly_due_shares_the_tick(void **state)
{
    (void)state;
    Schedule s;
    schedule_init(&s, SECONDS(60), 0);
    size_t e = schedule_add(&s, SECONDS(60));
    assert_true(schedule_take(&s, e, 0));
    assert_false(schedule_take(&s, e, SECONDS(56)));
    assert_true(schedule_take(&s, e, SECONDS(58)));
    assert_true(schedule_next(&s) == SECONDS(120));
    schedule_done(&s);
}

static void a_family_faster_than_the_base_keeps_its_own_pace(void **state)
{
    (void)state;
    Schedule s;
    schedule_init(&s, SECONDS(HOUR), 0);
    (void)schedule_add(&s, SECONDS(HOUR));
    size_t fast = schedule_add(&s, SECONDS(30));
    int turns = 0;
    for (int second = 0; second < HOUR; second++) /* whatever wakes the thread meanwhile */
        turns += schedule_take(&s, fast, SECONDS(second));
    assert_int_equal(turns, HOUR / 30 + 1); /* the last second is near enough to the next one */

    for (int i = 0; i < 2; i++)
        schedule_report_cost(&s, fast, SECONDS(1)); /* worth a run each 50 s: every other one, and not one an hour */
    assert_true(s.entries.items[fast].effective == SECONDS(60));
    schedule_done(&s);
}

static void something_is_due_when_it_would_be_taken(void **state)
{
    (void)state;
    Schedule s;
    schedule_init(&s, SECONDS(60), 0);
    assert_false(schedule_due(&s, 0));
    size_t slow = schedule_add(&s, SECONDS(600)), fast = schedule_add(&s, SECONDS(30));
    assert_true(schedule_due(&s, 0));
    assert_true(schedule_take(&s, slow, 0) && schedule_take(&s, fast, 0));
    assert_false(schedule_due(&s, SECONDS(28)));
    assert_true(schedule_due(&s, SECONDS(29)));
    schedule_done(&s);
}

static void slow_families_do_not_bunch(void **state)
{
    (void)state;
    enum { FAMILIES = 5, TICKS = 6 * 30 };
    Schedule s;
    schedule_init(&s, SECONDS(60), 0);
    for (size_t i = 0; i < FAMILIES; i++)
        assert_int_equal(schedule_add(&s, SECONDS(600)), i);

    int turns[FAMILIES] = {0};
    for (int tick = 0; tick < TICKS; tick++) {
        int at_once = 0;
        for (size_t i = 0; i < FAMILIES; i++) {
            bool due = schedule_take(&s, i, SECONDS(60) * tick);
            turns[i] += due;
            at_once += due;
        }
        assert_true(tick == 0 ? at_once == FAMILIES : at_once <= 1);
    }
    for (size_t i = 0; i < FAMILIES; i++)
        assert_in_range(turns[i], TICKS / 10, TICKS / 10 + 1);
    schedule_done(&s);
}

static void dear_families_are_stretched_and_come_back(void **state)
{
    (void)state;
    Schedule s;
    schedule_init(&s, SECONDS(60), 0);
    size_t e = schedule_add(&s, SECONDS(60));
    assert_true(schedule_take(&s, e, 0));
    schedule_report_cost(&s, e, SECONDS(1)); /* a fiftieth of the time is affordable: 1 s each 50 s */
    schedule_report_cost(&s, e, SECONDS(1));
    assert_true(schedule_next(&s) == SECONDS(60));
    schedule_report_cost(&s, e, SECONDS(5)); /* once is no rule */
    assert_true(schedule_next(&s) == SECONDS(60));
    schedule_report_cost(&s, e, SECONDS(5)); /* 5 s: every 250 s, on the grid of ticks */
    assert_true(schedule_next(&s) == SECONDS(300));
    assert_true(schedule_take(&s, e, SECONDS(300)));
    assert_true(schedule_next(&s) == SECONDS(600));
    schedule_report_cost(&s, e, SECONDS(1) / 10);
    assert_true(schedule_next(&s) == SECONDS(360));
    schedule_report_cost(&s, e, INT64_MAX); /* no overflow */
    schedule_report_cost(&s, e, INT64_MAX);
    assert_true(schedule_next(&s) == SECONDS(360));
    schedule_done(&s);
}

/* Runs the schedule for @hours of minutes; each entry costs costs[i] a run. Returns what was spent as a share. */
static double spend(Schedule *s, const Usec *costs, size_t count, Usec from, int minutes, int *ret_runs)
{
    Usec spent = 0;
    for (int minute = 0; minute < minutes; minute++) {
        for (size_t i = 0; i < count; i++) {
            if (!schedule_take(s, i, from + SECONDS(60) * minute))
                continue;
            schedule_report_cost(s, i, costs[i]);
            spent += costs[i];
            ret_runs[i]++;
        }
    }
    return (double)spent / (double)(SECONDS(60) * minutes);
}

static void the_budget_of_all_stretches_the_dearest_first(void **state)
{
    (void)state;
    enum { CHEAP, DEAR, DEARER, ENTRIES };
    static const Usec quiet[ENTRIES] = {10 * USEC_PER_MSEC, 20 * USEC_PER_MSEC, 30 * USEC_PER_MSEC};
    static const Usec busy[ENTRIES] = {10 * USEC_PER_MSEC, 600 * USEC_PER_MSEC, 900 * USEC_PER_MSEC};
    Schedule s;
    schedule_init(&s, SECONDS(60), 0);
    schedule_set_budget(&s, 0.005);
    for (size_t i = 0; i < ENTRIES; i++)
        (void)schedule_add(&s, SECONDS(60));

    int runs[ENTRIES] = {0};
    double share = spend(&s, quiet, ENTRIES, 0, 60, runs);
    assert_true(share < 0.0011);
    for (size_t i = 0; i < ENTRIES; i++)
        assert_int_equal(runs[i], 60);
    assert_int_equal(schedule_stretched(&s, NULL), 0);

    memset(runs, 0, sizeof(runs));
    share = spend(&s, busy, ENTRIES, SECONDS(3600), 10, runs); /* within a few ticks */
    memset(runs, 0, sizeof(runs));
    share = spend(&s, busy, ENTRIES, SECONDS(3600 + 600), 600, runs);
    assert_true(share > 0.0035 && share <= 0.005);
    assert_true(schedule_share(&s) > 0.0035 && schedule_share(&s) <= 0.005);
    assert_int_equal(runs[CHEAP], 600);
    assert_true(runs[DEAR] > runs[DEARER] && runs[DEARER] > 60);
    size_t dearest = 99;
    assert_int_equal(schedule_stretched(&s, &dearest), 2);
    assert_int_equal(dearest, DEARER);

    memset(runs, 0, sizeof(runs));
    (void)spend(&s, quiet, ENTRIES, SECONDS(40200), 60, runs); /* each comes back with its next cheap run */
    assert_int_equal(schedule_stretched(&s, NULL), 0);
    for (size_t i = 0; i < ENTRIES; i++)
        assert_true(runs[i] >= 50);
    schedule_done(&s);
}

/* What the cheap ones leave is for the dear ones, whatever their order. */
static void what_cheap_ones_leave_is_for_the_dear(void **state)
{
    (void)state;
    enum { DEAREST, DEAR, ENTRIES = 12 };
    Schedule s;
    schedule_init(&s, SECONDS(60), 0);
    schedule_set_budget(&s, 0.005);
    for (size_t i = 0; i < ENTRIES; i++) {
        size_t e = schedule_add(&s, SECONDS(60));
        Usec cost = i == DEAREST ? 300 * USEC_PER_MSEC : i == DEAR ? 200 * USEC_PER_MSEC : USEC_PER_MSEC;
        schedule_report_cost(&s, e, cost);
        schedule_report_cost(&s, e, cost);
    }
    /* Ten at 1 ms a minute take 0.17 of 5 thousandths; the rest in two halves of 2.4: 124 s and 83 s, in whole minutes.
     */
    assert_true(s.entries.items[DEAREST].effective == SECONDS(180));
    assert_true(s.entries.items[DEAR].effective == SECONDS(120));
    assert_true(s.entries.items[ENTRIES - 1].effective == SECONDS(60));
    size_t dearest = 99;
    assert_int_equal(schedule_stretched(&s, &dearest), 2);
    assert_int_equal(dearest, DEAREST);
    schedule_done(&s);
}

static void what_never_ends_is_still_read_once_a_day(void **state)
{
    (void)state;
    Schedule s;
    schedule_init(&s, SECONDS(60), 0);
    schedule_set_budget(&s, 0.00001);
    size_t e = schedule_add(&s, SECONDS(60));
    for (int i = 0; i < 2; i++)
        schedule_report_cost(&s, e, SECONDS(15));
    assert_true(s.entries.items[e].effective == SCHEDULE_STRETCH_MAX);
    schedule_done(&s);
}

static void an_expired_turn_is_due_at_once(void **state)
{
    (void)state;
    Schedule s;
    schedule_init(&s, SECONDS(60), 0);
    size_t e = schedule_add(&s, HOUR * USEC_PER_SEC);
    assert_true(schedule_take(&s, e, 0));
    assert_false(schedule_take(&s, e, SECONDS(61)));
    schedule_expire(&s, e, SECONDS(62));
    assert_true(schedule_take(&s, e, SECONDS(62)));
    schedule_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_turn_is_at_the_start),
        cmocka_unit_test(a_late_turn_does_not_push_the_next_ones),
        cmocka_unit_test(missed_turns_are_left_out),
        cmocka_unit_test(what_is_nearly_due_shares_the_tick),
        cmocka_unit_test(a_family_faster_than_the_base_keeps_its_own_pace),
        cmocka_unit_test(something_is_due_when_it_would_be_taken),
        cmocka_unit_test(slow_families_do_not_bunch),
        cmocka_unit_test(dear_families_are_stretched_and_come_back),
        cmocka_unit_test(the_budget_of_all_stretches_the_dearest_first),
        cmocka_unit_test(what_cheap_ones_leave_is_for_the_dear),
        cmocka_unit_test(what_never_ends_is_still_read_once_a_day),
        cmocka_unit_test(an_expired_turn_is_due_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
