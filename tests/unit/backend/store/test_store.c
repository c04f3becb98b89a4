/* SPDX-License-Identifier: PostgreSQL */
/* What needs no server; the rest is proved on a real one in tests/sql. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "backend/store/store_private.h"

static Store *open_away(void)
{
    Store *s = NULL;
    Err err = ERR_INIT;
    StoreOptions options = {.conninfo = "host=/nonexistent dbname=x user=x", .connections = 2};
    assert_int_equal(store_open(&s, &options, &err), 0);
    return s;
}

static void an_empty_connection_string_is_refused(void **state)
{
    (void)state;
    Store *s = NULL;
    Err err = ERR_INIT;
    assert_true(store_open(&s, &(StoreOptions){.conninfo = ""}, &err) < 0);
    assert_int_equal(err.code, ERR_CONFIG);
}

static void a_store_that_is_away_answers_at_once_and_is_unhealthy(void **state)
{
    (void)state;
    _cleanup_(store_closep) Store *s = open_away();
    Err err = ERR_INIT;
    assert_true(store_is_healthy(s, &err));
    for (int i = 0; i < 20; i++) { /* more often than there are connections: none may be leaked */
        _cleanup_buf_ Buf answer = BUF_INIT;
        err = ERR_INIT;
        assert_true(store_query(s, "families", STORE_NO_PARAMS, clock_monotonic() + 10 * USEC_PER_SEC, &answer, &err) <
                    0);
        assert_int_equal(err.code, ERR_UNAVAILABLE);
    }
    assert_int_equal(pool_open_count(s->pool), 0);
    assert_false(store_is_healthy(s, &err));
}

static void causes_become_what_a_client_may_know(void **state)
{
    (void)state;
    static const struct {
        const char *sqlstate;
        ErrCode code;
        ErrCode expected;
        bool passing;
    } CASES[] = {
        {"23505", ERR_SQL, ERR_CONFLICT, false},       {"PGA01", ERR_SQL, ERR_PARAMETER_INVALID, false},
        {"PGA04", ERR_SQL, ERR_NOT_FOUND, false},      {"57014", ERR_TIMEOUT, ERR_TIMEOUT, true},
        {"25006", ERR_SQL, ERR_UNAVAILABLE, true},     {"57P01", ERR_CONNECT, ERR_UNAVAILABLE, true},
        {"53300", ERR_CONNECT, ERR_UNAVAILABLE, true}, {"40P01", ERR_SQL, ERR_UNAVAILABLE, true},
        {"", ERR_CONNECT, ERR_UNAVAILABLE, true},      {"42601", ERR_SQL, ERR_INTERNAL, false},
        {"23503", ERR_SQL, ERR_INTERNAL, false},
    };
    _cleanup_(store_closep) Store *s = open_away();
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        Err cause = ERR_INIT;
        Err err = ERR_INIT;
        (void)err_set(&cause, CASES[i].code, "secret detail"); /* filled for the case */
        memcpy(cause.sqlstate, CASES[i].sqlstate, strlen(CASES[i].sqlstate));
        assert_true(store_report_failure(s, "query", &cause, &err) < 0);
        assert_int_equal(err.code, CASES[i].expected);
        assert_int_equal(store_failure_is_passing(&cause), CASES[i].passing);
        bool told = strstr(err.detail, "secret detail") != NULL;
        assert_int_equal(told, CASES[i].expected == ERR_PARAMETER_INVALID || CASES[i].expected == ERR_NOT_FOUND);
    }
}

static void every_query_has_a_short_unique_name(void **state)
{
    (void)state;
    assert_true(STORE_QUERIES_count > 0);
    _cleanup_(map_freep) Map *seen = map_new(NULL);
    for (size_t i = 0; i < STORE_QUERIES_count; i++) {
        Slice name = slice_cstr(STORE_QUERIES[i].name);
        assert_true(name.len < 50); /* it is part of a prepared statement's name */
        assert_false(map_has(seen, name));
        map_put(seen, name, (void *)1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_connection_string_is_refused),
        cmocka_unit_test(a_store_that_is_away_answers_at_once_and_is_unhealthy),
        cmocka_unit_test(causes_become_what_a_client_may_know),
        cmocka_unit_test(every_query_has_a_short_unique_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
