/* SPDX-License-Identifier: PostgreSQL */
#include "collector/sampling/sample_pace.h"

#include "tests/support/unit.h"

#define SECOND USEC_PER_SEC
#define START  (1700000000 * SECOND) /* a multiple of ten seconds */

static SamplePace new_pace(Usec interval, Usec phase)
{
    SamplePace p;
    sample_pace_init(&p, interval, 10 * SECOND, phase);
    return p;
}

/* Takes every slot from @from to @to, each at its time. */
static void take_all(SamplePace *p, Usec from, Usec to)
{
    for (Usec wall = from; wall < to; wall += p->interval) {
        assert_true(sample_pace_begin(p, wall));
        sample_pace_count(p, true);
    }
}

static void assert_window(const SampleWindow *w, Usec end, Usec length, uint64_t taken, uint64_t lost)
{
    assert_int_equal(w->end, end);
    assert_int_equal(w->length, length);
    assert_int_equal(w->taken, taken);
    assert_int_equal(w->lost, lost);
}

static void a_full_window_has_a_sample_for_each_second(void **state)
{
    (void)state;
    SamplePace p = new_pace(SECOND, SECOND / 2);
    SampleWindow w;
    assert_false(sample_pace_close(&p, START, &w));
    assert_false(sample_pace_begin(&p, START)); /* only starts the count */
    assert_int_equal(sample_pace_next(&p), START + SECOND / 2);
    take_all(&p, START + SECOND / 2, START + 10 * SECOND);
    assert_false(sample_pace_close(&p, START + 10 * SECOND - 1, &w));
    assert_true(sample_pace_close(&p, START + 10 * SECOND, &w));
    assert_window(&w, START + 10 * SECOND, 10 * SECOND - SECOND / 2, 10, 0); /* it began with the first slot */
    assert_false(sample_pace_close(&p, START + 10 * SECOND, &w));
    take_all(&p, START + 10 * SECOND + SECOND / 2, START + 20 * SECOND);
    assert_true(sample_pace_close(&p, START + 20 * SECOND, &w));
    assert_window(&w, START + 20 * SECOND, 10 * SECOND, 10, 0);
}

static void the_first_window_is_as_short_as_it_was(void **state)
{
    (void)state;
    SamplePace p = new_pace(SECOND, 0);
    SampleWindow w;
    (void)sample_pace_begin(&p, START + 6 * SECOND + 300000);
    take_all(&p, START + 7 * SECOND, START + 10 * SECOND);
    assert_true(sample_pace_close(&p, START + 10 * SECOND, &w));
    assert_window(&w, START + 10 * SECOND, 3 * SECOND, 3, 0);
}

static void too_early_is_no_slot_and_late_takes_the_one_of_its_time(void **state)
{
    (void)state;
    SamplePace p = new_pace(SECOND, 0);
    (void)sample_pace_begin(&p, START);
    assert_true(sample_pace_begin(&p, START + SECOND));
    assert_false(sample_pace_begin(&p, START + SECOND + 1));
    assert_true(sample_pace_begin(&p, START + 2 * SECOND + 900000));
    assert_int_equal(p.lost, 0);
    assert_int_equal(sample_pace_next(&p), START + 3 * SECOND);
}

static void a_sample_that_takes_long_loses_those_that_were_due(void **state)
{
    (void)state;
    SamplePace p = new_pace(SECOND, 0);
    SampleWindow w;
    (void)sample_pace_begin(&p, START);
    take_all(&p, START + SECOND, START + 5 * SECOND);
    /* the one at +5 s comes back at +8.4 s */
    assert_true(sample_pace_begin(&p, START + 5 * SECOND));
    sample_pace_count(&p, true);
    assert_false(sample_pace_close(&p, START + 8 * SECOND + 400000, &w));
    take_all(&p, START + 8 * SECOND + 400000, START + 10 * SECOND);
    assert_true(sample_pace_close(&p, START + 10 * SECOND, &w));
    assert_window(&w, START + 10 * SECOND, 9 * SECOND, 7, 2); /* 1 to 5, 8, 9; 6 and 7 are lost */
}

static void windows_without_a_turn_are_one_stretch_of_lost_samples(void **state)
{
    (void)state;
    SamplePace p = new_pace(SECOND, 0);
    SampleWindow w;
    (void)sample_pace_begin(&p, START);
    take_all(&p, START + SECOND, START + 5 * SECOND);
    Usec back = START + 47 * SECOND;
    assert_true(sample_pace_close(&p, back, &w));
    assert_window(&w, START + 10 * SECOND, 9 * SECOND, 4, 5);
    assert_true(sample_pace_close(&p, back, &w));
    assert_window(&w, START + 40 * SECOND, 30 * SECOND, 0, 30);
    assert_false(sample_pace_close(&p, back, &w));
    take_all(&p, back, START + 50 * SECOND);
    assert_true(sample_pace_close(&p, START + 50 * SECOND, &w));
    assert_window(&w, START + 50 * SECOND, 10 * SECOND, 3, 7);
}

static void failures_are_lost_samples(void **state)
{
    (void)state;
    SamplePace p = new_pace(5 * SECOND, 0);
    SampleWindow w;
    (void)sample_pace_begin(&p, START);
    assert_true(sample_pace_begin(&p, START + 5 * SECOND));
    sample_pace_count(&p, false);
    assert_true(sample_pace_close(&p, START + 10 * SECOND, &w));
    assert_window(&w, START + 10 * SECOND, 5 * SECOND, 0, 1);
}

static void a_clock_set_back_ends_the_window_and_begins_anew(void **state)
{
    (void)state;
    SamplePace p = new_pace(SECOND, 0);
    SampleWindow w;
    (void)sample_pace_begin(&p, START);
    take_all(&p, START + SECOND, START + 4 * SECOND);
    assert_true(sample_pace_close(&p, START - 3600 * SECOND, &w));
    assert_window(&w, START + 4 * SECOND, 3 * SECOND, 3, 0);
    assert_false(sample_pace_close(&p, START - 3600 * SECOND, &w));
    assert_false(sample_pace_begin(&p, START - 3600 * SECOND));
    assert_int_equal(sample_pace_next(&p), START - 3599 * SECOND);
}

static void what_is_open_at_the_end_is_given(void **state)
{
    (void)state;
    SamplePace p = new_pace(SECOND, 0);
    SampleWindow w;
    assert_false(sample_pace_finish(&p, START, &w));
    (void)sample_pace_begin(&p, START);
    assert_false(sample_pace_finish(&p, START + 100, &w)); /* no slot yet */
    (void)sample_pace_begin(&p, START);
    take_all(&p, START + SECOND, START + 3 * SECOND);
    assert_true(sample_pace_finish(&p, START + 2 * SECOND + 500000, &w));
    assert_window(&w, START + 2 * SECOND + 500000, SECOND + 500000, 2, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_window_has_a_sample_for_each_second),
        cmocka_unit_test(the_first_window_is_as_short_as_it_was),
        cmocka_unit_test(too_early_is_no_slot_and_late_takes_the_one_of_its_time),
        cmocka_unit_test(a_sample_that_takes_long_loses_those_that_were_due),
        cmocka_unit_test(windows_without_a_turn_are_one_stretch_of_lost_samples),
        cmocka_unit_test(failures_are_lost_samples),
        cmocka_unit_test(a_clock_set_back_ends_the_window_and_begins_anew),
        cmocka_unit_test(what_is_open_at_the_end_is_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
