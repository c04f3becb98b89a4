/* SPDX-License-Identifier: PostgreSQL */
#include "collector/agent/connect_gate.h"

#include "tests/support/unit.h"

static ConnectGate *gate;

static int setup(void **state)
{
    (void)state;
    gate = connect_gate_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    gate = connect_gate_free(gate);
    return 0;
}

/* All that there is room for; the first of them has the first ticket. */
static Usec fill(Usec now)
{
    Usec first = 0, ticket;
    for (size_t i = 0; i < CONNECT_GATE_PLACES; i++) {
        assert_true(connect_gate_enter(gate, now, &ticket));
        first = first ? first : ticket;
    }
    assert_false(connect_gate_enter(gate, now, &ticket));
    return first;
}

static void who_leaves_makes_room_for_one(void **state)
{
    (void)state;
    Usec ticket, first = fill(5);
    connect_gate_leave(gate, first);
    assert_true(connect_gate_enter(gate, 5, &ticket));
    assert_false(connect_gate_enter(gate, 5, &ticket));
}

static void a_place_is_not_kept_for_ever(void **state)
{
    (void)state;
    Usec ticket;
    (void)fill(7);
    assert_false(connect_gate_enter(gate, 7 + CONNECT_GATE_HOLD - 1, &ticket));
    (void)fill(7 + CONNECT_GATE_HOLD + CONNECT_GATE_PLACES);
}

static void who_comes_late_takes_nobodys_place(void **state)
{
    (void)state;
    Usec ticket, late = fill(0);
    (void)fill(CONNECT_GATE_HOLD + CONNECT_GATE_PLACES);
    connect_gate_leave(gate, late); /* its place is somebody else's */
    assert_false(connect_gate_enter(gate, CONNECT_GATE_HOLD + CONNECT_GATE_PLACES, &ticket));
    connect_gate_leave(gate, 0); /* who had none */
    assert_false(connect_gate_enter(gate, CONNECT_GATE_HOLD + CONNECT_GATE_PLACES, &ticket));
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
