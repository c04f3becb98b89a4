/* SPDX-License-Identifier: PostgreSQL */
#include "collector/agent/gate.h"

#include "tests/support/unit.h"

static Gate *gate;

static int setup(void **state)
{
    (void)state;
    gate = gate_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate = gate_free(gate);
    return 0;
}

/* All that there is room for; the first of them has the first ticket. */
static Usec fill(Usec now)
{
    Usec first = 0, ticket;
    for (size_t i = 0; i < GATE_PLACES; i++) {
        assert_true(gate_enter(gate, now, &ticket));
        first = first ? first : ticket;
    }
    assert_false(gate_enter(gate, now, &ticket));
    return first;
}

static void who_leaves_makes_room_for_one(void **state)
{
    (void)state;
    Usec ticket, first = fill(5);
    gate_leave(gate, first);
    assert_true(gate_enter(gate, 5, &ticket));
    assert_false(gate_enter(gate, 5, &ticket));
}

static void a_place_is_not_kept_for_ever(void **state)
{
    (void)state;
    Usec ticket;
    (void)fill(7);
    assert_false(gate_enter(gate, 7 + GATE_HOLD - 1, &ticket));
    (void)fill(7 + GATE_HOLD + GATE_PLACES);
}

static void who_comes_late_takes_nobodys_place(void **state)
{
    (void)state;
    Usec ticket, late = fill(0);
    (void)fill(GATE_HOLD + GATE_PLACES);
    gate_leave(gate, late); /* its place is somebody else's */
    assert_false(gate_enter(gate, GATE_HOLD + GATE_PLACES, &ticket));
    gate_leave(gate, 0); /* who had none */
    assert_false(gate_enter(gate, GATE_HOLD + GATE_PLACES, &ticket));
}

int main(void)
{
#define GATE_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        GATE_TEST(who_leaves_makes_room_for_one),
        GATE_TEST(a_place_is_not_kept_for_ever),
        GATE_TEST(who_comes_late_takes_nobodys_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
