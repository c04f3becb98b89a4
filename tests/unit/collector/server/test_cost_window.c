/* SPDX-License-Identifier: PostgreSQL */
#include "collector/server/cost_window.h"

#include "tests/support/unit.h"

#define SECONDS(n) ((n)*USEC_PER_SEC)

static int per_mille(CostWindow *w, Usec now)
{
    return (int)(cost_window_share(w, now) * 1000 + 0.5);
}

static void it_forgets_slot_by_slot(void **state)
{
    (void)state;
    CostWindow w;
    cost_window_init(&w, SECONDS(60), SECONDS(7000));
    assert_int_equal(per_mille(&w, SECONDS(7000)), 0);
    cost_window_add(&w, SECONDS(6), SECONDS(7001));
    assert_int_equal(per_mille(&w, SECONDS(7002)), 100); /* of a minute, though only two seconds have passed */
    assert_int_equal(per_mille(&w, SECONDS(7120)), 50);
    cost_window_add(&w, SECONDS(3), SECONDS(7300));
    assert_int_equal(per_mille(&w, SECONDS(7599)), 15); /* 9 s of 599 s */
    assert_int_equal(per_mille(&w, SECONDS(7630)), 5);  /* the first minute is out: 3 s of 570 s */
    assert_int_equal(per_mille(&w, SECONDS(7950)), 0);
    cost_window_add(&w, SECONDS(30), SECONDS(99000));    /* after a long pause nothing old comes back */
    assert_int_equal(per_mille(&w, SECONDS(99000)), 54); /* 30 s of 560 s */
}

static void a_long_pause_empties_it(void **state)
{
    (void)state;
    CostWindow w;
    cost_window_init(&w, SECONDS(60), 0);
    cost_window_add(&w, SECONDS(6), SECONDS(1));
    assert_int_equal(per_mille(&w, SECONDS(60 * 25)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_forgets_slot_by_slot),
        cmocka_unit_test(a_long_pause_empties_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
