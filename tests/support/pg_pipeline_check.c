/* SPDX-License-Identifier: PostgreSQL */
/* lib/pg/pipeline.h against a real server; run by tests/sql/test_pg_conn.py, which gives PGA_TEST_DSN. Built twice:
 * with libpq's pipeline mode and with what stands in for it. */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "lib/pg/pipeline.h"

enum { STEPS_MAX = 64 };

typedef struct Seen {
    int begins, ends, rows, stop_at;
    int together; /* rows of the largest piece */
    int64_t sum;
    int result;
    Err err;
    Usec begun, ended;
} Seen;

typedef struct Script {
    PgConn *conn;
    PgStep steps[STEPS_MAX];
    Seen seen[STEPS_MAX];
    size_t count;
} Script;

static PgConn *connect_to_server(void)
{
    PgConn *c = NULL;
    Err err = ERR_INIT;
    PgConnOptions options = {.conninfo = getenv("PGA_TEST_DSN")};
    if (pg_conn_open(&c, &options, &err) < 0)
        fail_msg("%s", err.detail);
    return c;
}

static int open_script(void **state)
{
    Script *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->conn = connect_to_server();
    *state = s;
    return 0;
}

static int close_script(void **state)
{
    Script *s = *state;
    pg_conn_close(s->conn);
    free(s);
    return 0;
}

static void on_begin(void *arg)
{
    Seen *seen = arg;
    assert_int_equal(seen->rows, 0);
    seen->begins++;
}

static int on_row(void *arg, const PGresult *result, int row)
{
    Seen *seen = arg;
    assert_int_equal(seen->begins, seen->ends + 1);
    assert_true(row >= 0 && row < PQntuples(result));
    seen->together = PQntuples(result) > seen->together ? PQntuples(result) : seen->together;
    seen->rows++;
    seen->sum += strtoll(PQgetvalue(result, row, 0), NULL, 10);
    return seen->rows == seen->stop_at ? -7 : 0;
}

static void on_end(void *arg, const PgStepEnd *end)
{
    Seen *seen = arg;
    seen->ends++;
    seen->result = end->result;
    seen->err = *end->err;
    seen->begun = end->begun;
    seen->ended = end->ended;
}

static Seen *add(Script *s, const char *name, const char *sql)
{
    assert_true(s->count < STEPS_MAX);
    Seen *seen = &s->seen[s->count];
    s->steps[s->count++] = (PgStep){
        .query = {.sql = sql, .prepared_name = name},
        .arg = seen,
        .on_begin = on_begin,
        .on_row = on_row,
        .on_end = on_end,
    };
    return seen;
}

static int run(Script *s, Err *reterr)
{
    for (size_t i = 0; i < s->count; i++)
        s->seen[i] = (Seen){.stop_at = s->seen[i].stop_at};
    return pg_conn_pipeline(s->conn, s->steps, s->count, reterr);
}

static void run_well(Script *s)
{
    Err err = ERR_INIT;
    if (run(s, &err) < 0)
        fail_msg("%s", err.detail);
    assert_true(pg_conn_usable(s->conn));
    for (size_t i = 0; i < s->count; i++) {
        assert_int_equal(s->seen[i].begins, 1);
        assert_int_equal(s->seen[i].ends, 1);
    }
}

/* The connection does ordinary work, and its next answer is its own. */
static void assert_clean(PgConn *c)
{
    for (int i = 0; i < 20; i++) {
        _cleanup_pgresult_ PGresult *r = NULL;
        assert_int_equal(pg_conn_query(c, &(PgQuery){.sql = "select 42", .shape = PG_SHAPE_ONE}, &r, NULL), 0);
        assert_string_equal(PQgetvalue(r, 0, 0), "42");
    }
}

static void answers_come_in_order_and_row_by_row(void **state)
{
    Script *s = *state;
    Seen *many = add(s, "many", "select generate_series(1, 100000)");
    Seen *none = add(s, "none", "select 1 where false");
    Seen *once = add(s, NULL, "select 7");
    Seen *again = add(s, "many", "select generate_series(1, 100000)");
    for (int round = 0; round < 3; round++) {
        run_well(s);
        assert_int_equal(many->rows, 100000);
        assert_int_equal(many->sum, 5000050000);
        assert_int_equal(none->rows, 0);
        assert_int_equal(once->sum, 7);
        assert_int_equal(again->rows, 100000);
        for (size_t i = 0; i < s->count; i++) {
            assert_int_equal(s->seen[i].result, 0);
            assert_int_equal(s->seen[i].err.code, ERR_NONE);
        }
        assert_clean(s->conn);
    }
}

static void small_results_come_in_one_piece(void **state)
{
    Script *s = *state;
    enum { ROWS = 1000 };
    Seen *rows = add(s, "rows", "select generate_series(1, 1000)");
    Seen *piece = add(s, "rows", "select generate_series(1, 1000)");
    Seen *stopped = add(s, NULL, "select generate_series(1, 1000)");
    Seen *broken = add(s, NULL, "select 1 / (900 - i) from generate_series(1, 1000) i");
    Seen *none = add(s, NULL, "select 1 where false");
    Seen *last = add(s, NULL, "select 7");
    for (size_t i = 1; i < s->count; i++)
        s->steps[i].one_piece = true;
    stopped->stop_at = 3;
    run_well(s);
    assert_int_equal(rows->rows, ROWS);
    assert_true(rows->together < ROWS);
    assert_int_equal(piece->rows, ROWS);
#ifndef PIPELINE_FALLBACK /* one statement after the other: always row by row */
    assert_int_equal(piece->together, ROWS);
    assert_int_equal(broken->rows, 0);
#endif
    assert_int_equal(piece->sum, ROWS * (ROWS + 1) / 2);
    assert_int_equal(stopped->rows, 3);
    assert_int_equal(stopped->result, -7);
    assert_string_equal(broken->err.sqlstate, "22012");
    assert_int_equal(none->result, 0);
    assert_int_equal(last->sum, 7);
    assert_clean(s->conn);
}

static void nothing_to_do_is_fine(void **state)
{
    Script *s = *state;
    run_well(s);
    assert_clean(s->conn);
}

static void a_failure_costs_itself_alone(void **state)
{
    Script *s = *state;
    Seen *first = add(s, "first", "select 1");
    Seen *unknown = add(s, "unknown", "select no_such_function(1)"); /* its PREPARE fails */
    Seen *second = add(s, "second", "select 2");
    Seen *division = add(s, "division", "select 1 / (3 - i) from generate_series(1, 5) i"); /* after two rows */
    Seen *unnamed = add(s, NULL, "select * from no_such_table");
    Seen *last = add(s, "last", "select 3");
    for (int round = 0; round < 3; round++) { /* what was prepared stays so, what was not is tried anew */
        run_well(s);
        assert_int_equal(first->sum, 1);
        assert_int_equal(second->sum, 2);
        assert_int_equal(last->sum, 3);
        assert_true(division->rows <= 2);
        assert_true(unknown->result < 0 && division->result < 0 && unnamed->result < 0);
        assert_string_equal(unknown->err.sqlstate, "42883");
        assert_string_equal(division->err.sqlstate, "22012");
        assert_string_equal(unnamed->err.sqlstate, "42P01");
    }
    assert_clean(s->conn);
}

static void each_is_a_transaction_of_its_own(void **state)
{
    Script *s = *state;
    add(s, NULL, "create temp table t as select 5 as a");
    Seen *broken = add(s, NULL, "insert into t select 1 / (a - 5) from t returning a");
    Seen *inside = add(s, NULL, "select 1 where pg_current_xact_id_if_assigned() is not null");
    Seen *kept = add(s, NULL, "select sum(a) from t");
    if (pg_conn_version(s->conn) < 130000)
        s->steps[2].query.sql = "select 1 where txid_current_if_assigned() is not null";
    run_well(s);
    assert_string_equal(broken->err.sqlstate, "22012");
    assert_int_equal(inside->rows, 0);
    assert_int_equal(kept->sum, 5);
}

static void rows_that_nobody_wants_harm_nobody(void **state)
{
    Script *s = *state;
    Seen *stopped = add(s, "stopped", "select generate_series(1, 50000)");
    Seen *next = add(s, "next", "select 9");
    stopped->stop_at = 3;
    run_well(s);
    assert_int_equal(stopped->rows, 3);
    assert_int_equal(stopped->result, -7);
    assert_int_equal(next->sum, 9);
    assert_clean(s->conn);
}

static void a_slow_step_is_cancelled_and_the_others_are_read(void **state)
{
    Script *s = *state;
    Seen *before = add(s, "before", "select 1");
    Seen *slow = add(s, "slow", "select pg_sleep(60)");
    Seen *after = add(s, "after", "select generate_series(1, 1000)");
    s->steps[1].query.timeout = 150 * USEC_PER_MSEC;
    for (int round = 0; round < 2; round++) {
        Usec started = clock_monotonic();
        run_well(s);
        assert_in_range(clock_monotonic() - started, 150 * USEC_PER_MSEC, 40 * USEC_PER_SEC);
        assert_int_equal(before->sum, 1);
        assert_true(slow->result < 0);
        assert_int_equal(slow->err.code, ERR_TIMEOUT);
        assert_int_equal(after->result, 0);
        assert_int_equal(after->rows, 1000);
    }
    assert_clean(s->conn);
}

static void the_servers_own_timeout_counts_for_each(void **state)
{
    Script *s = *state;
    assert_int_equal(pg_conn_command(s->conn, "set statement_timeout = 1500", 0, NULL), 0);
    Seen *sleeps[4];
    for (size_t i = 0; i < 4; i++)
        sleeps[i] = add(s, NULL, i == 2 ? "select pg_sleep(60)" : "select 1 from pg_sleep(0.6)");
    run_well(s);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(sleeps[i]->result == 0, i != 2);
    assert_int_equal(sleeps[2]->err.code, ERR_TIMEOUT);
    assert_string_equal(sleeps[2]->err.sqlstate, "57014");
}

static void spans_are_the_servers_and_leave_no_hole(void **state)
{
    Script *s = *state;
    Seen *quick = add(s, NULL, "select 1");
    Seen *slow = add(s, NULL, "select 1 from pg_sleep(0.5)");
    Seen *behind = add(s, NULL, "select 2");
    run_well(s);
    /* An end is when the answer was seen, which a busy machine does late: bounds from below, and on the sum. */
    assert_true(behind->ended - quick->begun >= 500 * USEC_PER_MSEC);
    assert_true(slow->ended - slow->begun > 250 * USEC_PER_MSEC);
    assert_int_equal(quick->ended, slow->begun);
    assert_int_equal(slow->ended, behind->begun);
}

static void a_killed_backend_is_told_and_the_rest_has_not_begun(void **state)
{
    Script *s = *state;
    Seen *before = add(s, "before", "select 1");
    Seen *killed = add(s, NULL, "select pg_terminate_backend(pg_backend_pid()), pg_sleep(10)");
    Seen *after = add(s, "after", "select 2");
    Err err = ERR_INIT;
    assert_true(run(s, &err) < 0);
    assert_int_equal(err.code, ERR_CONNECT);
    assert_false(pg_conn_usable(s->conn));
    assert_int_equal(before->sum, 1);
    assert_int_equal(killed->ends, 1);
    assert_true(killed->result < 0);
    assert_int_equal(after->begins, 0);
    assert_int_equal(after->ends, 0);
    assert_true(run(s, &err) < 0); /* and it stays lost */
    assert_int_equal(before->begins, 0);
}

static void stale_statements_are_prepared_anew(void **state)
{
    Script *s = *state;
    assert_int_equal(pg_conn_command(s->conn, "create temp table t as select 1 as a", 0, NULL), 0);
    Seen *all = add(s, "all", "select * from t");
    Seen *other = add(s, "other", "select 2");
    run_well(s);
    assert_int_equal(all->sum, 1);
    for (int round = 0; round < 2; round++) {
        const char *spoil = round == 0 ? "alter table t add b int" : "deallocate all";
        assert_int_equal(pg_conn_command(s->conn, spoil, 0, NULL), 0);
        run_well(s);
        assert_string_equal(all->err.sqlstate, round == 0 ? "0A000" : "26000");
        assert_int_equal(other->result < 0, round == 1);
        run_well(s);
        assert_int_equal(all->sum, 1);
        assert_int_equal(other->sum, 2);
    }
}

/* More than the sockets hold, both ways: statements that are still to be sent while answers come. */
static void long_statements_and_long_answers_pass_each_other(void **state)
{
    Script *s = *state;
    enum { TEXT_BYTES = 2 << 20 };
    char *sql = malloc(TEXT_BYTES + 64);
    assert_non_null(sql);
    int at = snprintf(sql, 64, "select length(repeat('y', 4000000)::text || '");
    memset(sql + at, 'x', TEXT_BYTES);
    (void)snprintf(sql + at + TEXT_BYTES, 16, "')");
    Seen *large[8];
    for (size_t i = 0; i < 8; i++)
        large[i] = add(s, NULL, i % 2 ? sql : "select i || repeat('z', 1000) from generate_series(1, 5000) i");
    run_well(s);
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(large[i]->result, 0);
        assert_int_equal(large[i]->rows, i % 2 ? 1 : 5000);
    }
    assert_int_equal(large[1]->sum, 4000000 + TEXT_BYTES);
    free(sql);
}

/* Segments with data that we have sent; skips the test where the connection is not of TCP. */
static uint32_t segments_sent(const PgConn *c)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof(info);
    if (getsockopt(pg_conn_socket(c), IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        skip();
    return info.tcpi_data_segs_out;
}

static void small_statements_leave_in_one_piece(void **state)
{
    Script *s = *state;
    for (size_t i = 0; i < STEPS_MAX; i++)
        add(s, NULL, "select 1");
    const uint32_t before = segments_sent(s->conn);
    run_well(s);
    const uint32_t sent = segments_sent(s->conn) - before;
#ifdef PIPELINE_FALLBACK
    assert_in_range(sent, STEPS_MAX, 2 * STEPS_MAX);
#else
    assert_in_range(sent, 1, STEPS_MAX / 16);
#endif
}

static void a_copy_is_refused(void **state)
{
    Script *s = *state;
    Seen *copy = add(s, NULL, "copy (select 1) to stdout");
    Err err = ERR_INIT;
    (void)run(s, &err); /* may cost the connection */
    assert_int_equal(copy->ends, 1);
    assert_true(copy->result < 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, open_script, close_script)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(answers_come_in_order_and_row_by_row),
        TEST(small_results_come_in_one_piece),
        TEST(nothing_to_do_is_fine),
        TEST(a_failure_costs_itself_alone),
        TEST(each_is_a_transaction_of_its_own),
        TEST(rows_that_nobody_wants_harm_nobody),
        TEST(a_slow_step_is_cancelled_and_the_others_are_read),
        TEST(the_servers_own_timeout_counts_for_each),
        TEST(spans_are_the_servers_and_leave_no_hole),
        TEST(a_killed_backend_is_told_and_the_rest_has_not_begun),
        TEST(stale_statements_are_prepared_anew),
        TEST(long_statements_and_long_answers_pass_each_other),
        TEST(small_statements_leave_in_one_piece),
        TEST(a_copy_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
