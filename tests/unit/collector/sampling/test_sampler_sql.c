/* SPDX-License-Identifier: PostgreSQL */
#include "collector/sampling/sampler_sql.h"

#include "tests/support/unit.h"

static void columns_are_asked_for_only_where_they_are(void **state)
{
    (void)state;
    SamplerSql s = {0};
    sampler_sql_make(&s);
    const Buf *const OLD[] = {&s.sessions, &s.transactions, &s.blocked};
    for (size_t i = 0; i < ARRAY_LENGTH(OLD); i++) {
        assert_null(strstr(buf_cstr(OLD[i]), "query_id"));
        assert_null(strstr(buf_cstr(OLD[i]), "leader_pid"));
        assert_null(strstr(buf_cstr(OLD[i]), "waitstart"));
    }
    s.has_query_id = s.has_leader_pid = s.has_waitstart = true;
    sampler_sql_make(&s);
    assert_non_null(strstr(buf_cstr(&s.sessions), "query_id"));
    assert_non_null(strstr(buf_cstr(&s.sessions), "leader_pid"));
    assert_non_null(strstr(buf_cstr(&s.blocked), "waitstart"));
    sampler_sql_done(&s);
}

/* It stops the lock manager for a moment. */
static void blockers_are_asked_for_only_for_those_who_wait(void **state)
{
    (void)state;
    SamplerSql s = {0};
    sampler_sql_make(&s);
    assert_null(strstr(buf_cstr(&s.sessions), "pg_blocking_pids"));
    assert_null(strstr(buf_cstr(&s.sessions), "pg_locks"));
    assert_non_null(strstr(buf_cstr(&s.blocked), "where a.wait_event_type = 'Lock'"));
    sampler_sql_done(&s);
}

static void arrays_of_processes_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int expected[4]; /* -1 ends */
    } CASES[] = {
        {"{}", {-1}},       {"", {-1}},  {"{12}", {12, -1}},      {"{12,0,7}", {12, 0, 7, -1}},
        {"{x,7}", {7, -1}}, {"{", {-1}}, {"{99999999999}", {-1}}, {"{-3}", {-1}},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        Slice rest = slice_cstr(CASES[i].text);
        int pid;
        for (const int *expected = CASES[i].expected; *expected >= 0; expected++) {
            assert_true(sampler_sql_next_pid(&rest, &pid));
            assert_int_equal(pid, *expected);
        }
        assert_false(sampler_sql_next_pid(&rest, &pid));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_asked_for_only_where_they_are),
        cmocka_unit_test(blockers_are_asked_for_only_for_those_who_wait),
        cmocka_unit_test(arrays_of_processes_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
