/* SPDX-License-Identifier: PostgreSQL */
/* When a family need not be read; that the conditions are true on real servers is in tests/sql/test_families.py. */
#include "collector/server/presence.h"

#include "tests/support/unit.h"

#define MINUTE (60 * USEC_PER_SEC)

static const Family VACUUM = {.name = "vacuum", .when = "v"}, LOCKS = {.name = "locks", .when = "l"},
                    TABLES = {.name = "tables", .when = ""};
static Presence *presence;

static int setup(void **state)
{
    (void)state;
    presence = presence_new();
    presence_add(presence, &(ResolvedFamily){.family = &VACUUM, .when = "v"});
    presence_add(presence, &(ResolvedFamily){.family = &TABLES});
    presence_add(presence, &(ResolvedFamily){.family = &LOCKS, .when = "l"});
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    presence = presence_free(presence);
    return 0;
}

/* A tick in which the server gives these answers to the two conditions; NULL: the statement failed with @err. */
static void answer(const char *values, const Err *err)
{
    PgStep step;
    assert_true(presence_step(presence, &step));
    step.on_begin(step.arg);
    if (values) {
        PGresult *row = PQmakeEmptyPGresult(NULL, PGRES_SINGLE_TUPLE);
        PGresAttDesc columns[] = {{.name = (char[]){"a"}}, {.name = (char[]){"b"}}};
        assert_true(PQsetResultAttrs(row, 2, columns));
        for (int i = 0; i < 2; i++)
            assert_true(PQsetvalue(row, 0, i, (char[]){values[i], '\0'}, 1));
        assert_int_equal(step.on_row(step.arg, row, 0), 0);
        PQclear(row);
    }
    Err none = ERR_INIT;
    step.on_end(step.arg, &(PgStepEnd){.result = values ? 0 : -1, .err = err ? err : &none});
}

static void all_conditions_are_one_statement(void **state)
{
    (void)state;
    PgStep step;
    assert_true(presence_step(presence, &step));
    assert_string_equal(step.query.sql, "select (v), (l)");
    Presence *none = presence_new();
    assert_false(presence_step(none, &step));
    presence_free(none);
}

static void a_family_is_empty_when_it_was_and_nothing_has_come(void **state)
{
    (void)state;
    answer("ft", NULL);
    assert_false(presence_is_empty(presence, &VACUUM, NULL, 0)); /* never read */
    presence_note(presence, &VACUUM, NULL, false, 0, 0);
    presence_note(presence, &LOCKS, NULL, false, 0, 0);
    presence_note(presence, &TABLES, NULL, false, 0, 0);
    assert_true(presence_is_empty(presence, &VACUUM, NULL, MINUTE));
    assert_false(presence_is_empty(presence, &LOCKS, NULL, MINUTE));  /* its condition holds */
    assert_false(presence_is_empty(presence, &TABLES, NULL, MINUTE)); /* it has none */
    answer("tf", NULL);
    assert_false(presence_is_empty(presence, &VACUUM, NULL, MINUTE));
    assert_true(presence_is_empty(presence, &LOCKS, NULL, MINUTE));
}

static void the_last_rows_are_seen_to_go(void **state)
{
    (void)state;
    answer("ff", NULL);
    presence_note(presence, &VACUUM, NULL, false, 3, 0);
    assert_false(presence_is_empty(presence, &VACUUM, NULL, MINUTE));
    presence_note(presence, &VACUUM, NULL, false, 0, MINUTE);
    assert_true(presence_is_empty(presence, &VACUUM, NULL, 2 * MINUTE));
    presence_note(presence, &VACUUM, NULL, true, 0, 2 * MINUTE);
    assert_false(presence_is_empty(presence, &VACUUM, NULL, 3 * MINUTE));
}

static void each_database_is_known_by_itself(void **state)
{
    (void)state;
    answer("ff", NULL);
    presence_note(presence, &VACUUM, "a", false, 0, 0);
    assert_true(presence_is_empty(presence, &VACUUM, "a", MINUTE));
    assert_false(presence_is_empty(presence, &VACUUM, "b", MINUTE));
    assert_false(presence_is_empty(presence, &VACUUM, NULL, MINUTE));
}

static void it_is_read_every_quarter_of_an_hour_all_the_same(void **state)
{
    (void)state;
    answer("ff", NULL);
    presence_note(presence, &VACUUM, NULL, false, 0, MINUTE);
    assert_true(presence_is_empty(presence, &VACUUM, NULL, 16 * MINUTE - 1));
    assert_false(presence_is_empty(presence, &VACUUM, NULL, 16 * MINUTE));
}

static void without_an_answer_everything_is_read(void **state)
{
    (void)state;
    presence_note(presence, &VACUUM, NULL, false, 0, 0);
    answer("ff", NULL);
    assert_true(presence_is_empty(presence, &VACUUM, NULL, MINUTE));
    answer(NULL, NULL); /* of an old answer nothing is left */
    assert_false(presence_is_empty(presence, &VACUUM, NULL, MINUTE));
}

static void what_is_refused_is_not_asked_again(void **state)
{
    (void)state;
    Err late = {.code = ERR_SQL, .sqlstate = "55P03"}, refused = {.code = ERR_SQL, .sqlstate = "42501"};
    PgStep step;
    answer(NULL, &late);
    assert_true(presence_step(presence, &step));
    answer(NULL, &refused);
    assert_false(presence_step(presence, &step));
    presence_note(presence, &VACUUM, NULL, false, 0, 0);
    assert_false(presence_is_empty(presence, &VACUUM, NULL, MINUTE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_conditions_are_one_statement, setup, teardown),
        cmocka_unit_test_setup_teardown(a_family_is_empty_when_it_was_and_nothing_has_come, setup, teardown),
        cmocka_unit_test_setup_teardown(the_last_rows_are_seen_to_go, setup, teardown),
        cmocka_unit_test_setup_teardown(each_database_is_known_by_itself, setup, teardown),
        cmocka_unit_test_setup_teardown(it_is_read_every_quarter_of_an_hour_all_the_same, setup, teardown),
        cmocka_unit_test_setup_teardown(without_an_answer_everything_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_refused_is_not_asked_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
