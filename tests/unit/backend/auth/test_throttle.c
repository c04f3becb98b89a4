/* SPDX-License-Identifier: PostgreSQL */
#include "backend/auth/throttle.h"

#include <stdio.h>

#include "tests/support/unit.h"

enum { MAX = 3, KEYS = 4 };
static const Usec window = 300 * USEC_PER_SEC;

static const Slice ada = {"login:ada", 9};

static void fail_times(Throttle *t, Slice key, int times, Usec now)
{
    while (times-- > 0)
        throttle_failed(t, key, now);
}

static void refuses_after_enough_failures_until_the_window_ends(void **state UNUSED)
{
    _cleanup_(throttle_freep) Throttle *t = throttle_new(MAX, window, KEYS);
    Usec wait = 0;

    assert_false(throttle_is_blocked(t, ada, 1000, &wait));
    fail_times(t, ada, MAX - 1, 1000);
    assert_false(throttle_is_blocked(t, ada, 1000, &wait));
    throttle_failed(t, ada, 1000);
    assert_true(throttle_is_blocked(t, ada, 1000 + window / 2, &wait));
    assert_int_equal(wait, window / 2);
    assert_false(throttle_is_blocked(t, SLICE_LIT("login:bob"), 1000, &wait));
    assert_false(throttle_is_blocked(t, ada, 1000 + window, &wait));
    throttle_failed(t, ada, 1000 + window); /* a new window begins */
    assert_false(throttle_is_blocked(t, ada, 1000 + window, &wait));
}

static void a_success_forgets(void **state UNUSED)
{
    _cleanup_(throttle_freep) Throttle *t = throttle_new(MAX, window, KEYS);
    Usec wait;

    fail_times(t, ada, MAX, 1);
    throttle_succeeded(t, ada);
    throttle_succeeded(t, SLICE_LIT("nobody"));
    assert_false(throttle_is_blocked(t, ada, 1, &wait));
}

static void is_bounded_and_gives_up_the_oldest(void **state UNUSED)
{
    _cleanup_(throttle_freep) Throttle *t = throttle_new(MAX, window, KEYS);
    Usec wait;

    fail_times(t, ada, MAX, 1);
    for (int i = 0; i < KEYS; i++) {
        char key[24];
        (void)snprintf(key, sizeof key, "login:%d", i);
        fail_times(t, slice_cstr(key), MAX, 10 + i);
    }
    assert_false(throttle_is_blocked(t, ada, 20, &wait));
    assert_true(throttle_is_blocked(t, SLICE_LIT("login:0"), 20, &wait));
    assert_true(throttle_is_blocked(t, SLICE_LIT("login:3"), 20, &wait));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_after_enough_failures_until_the_window_ends),
        cmocka_unit_test(a_success_forgets),
        cmocka_unit_test(is_bounded_and_gives_up_the_oldest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
