/* SPDX-License-Identifier: PostgreSQL */
/* Results as libpq gives them, with the columns of several versions of PgBouncer. */
#include "collector/sources/pgbouncer_read.h"

#include "tests/unit/collector/sources/sources_fixture.h"

enum { COLUMNS_MAX = 20 };

static void put_cell(PGresult *result, int row, int column, const char *value)
{
    char copy[64];
    (void)snprintf(copy, sizeof(copy), "%s", value);
    assert_true(PQsetvalue(result, row, column, copy, (int)strlen(copy)));
}

/* "-" is NULL. */
static PGresult *make_result(const char *columns, const char *const *rows, size_t row_count)
{
    PGresult *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    PGresAttDesc descriptions[COLUMNS_MAX] = {{.name = NULL}};
    static char names[COLUMNS_MAX][64];
    int count = 0;
    for (Slice rest = slice_cstr(columns); rest.ptr; count++) {
        Slice name = slice_split(&rest, ' ');
        (void)snprintf(names[count], sizeof(names[count]), "%.*s", SLICE_ARG(name));
        descriptions[count].name = names[count];
    }
    assert_true(PQsetResultAttrs(result, count, descriptions));
    for (size_t row = 0; row < row_count; row++) {
        int column = 0;
        for (Slice rest = slice_cstr(rows[row]); rest.ptr; column++) {
            char value[64];
            Slice word = slice_split(&rest, ' ');
            (void)snprintf(value, sizeof(value), "%.*s", SLICE_ARG(word));
            if (strcmp(value, "-") != 0)
                put_cell(result, (int)row, column, value);
        }
    }
    return result;
}

static void read_one(const char *family, const char *columns, const char *const *rows, size_t row_count)
{
    const char *const names[] = {family, NULL};
    _cleanup_pgresult_ PGresult *result = make_result(columns, rows, row_count);
    begin(names);
    PgbouncerRows to = {.families = fixture.families, .source = "main", .epoch = "e"};
    pgbouncer_read_table(&to, result);
    end(true);
    (void)next_reading();
}

static void pools_of_all_versions(void **state)
{
    (void)state;
    static const char *const old[] = {"app joe 1 2 3 4 5 6 7 8 9 250000 session", "pgbouncer x 1 0 0 0 0 0 0 0 0 0 -"};
    read_one("pgbouncer_pools",
             "database user cl_active cl_waiting cl_cancel_req sv_active sv_idle sv_used sv_tested sv_login maxwait "
             "maxwait_us pool_mode",
             old, 2);
    assert_int_equal(fixture.reading->row_count, 1); /* the console is no pool of anybody's */
    assert_slice(fixture.reading->row_epochs[0], "e");
    assert_cell(0, "pgbouncer", "main");
    assert_cell(0, "database", "app");
    assert_cell(0, "user_name", "joe");
    assert_cell(0, "cl_waiting", "2");
    assert_cell(0, "cl_waiting_cancel_req", "3");
    assert_cell(0, "cl_active_cancel_req", "null");
    assert_cell(0, "sv_login", "8");
    assert_cell(0, "maxwait", "9.2"); /* 9.25 */
    assert_cell(0, "pool_mode", "session");

    static const char *const now[] = {"app joe 1 2 3 4 5 6 7 -"};
    read_one(
        "pgbouncer_pools",
        "database user cl_active_cancel_req cl_waiting_cancel_req sv_active_cancel sv_being_canceled something_new "
        "maxwait maxwait_us pool_mode",
        now, 1);
    assert_cell(0, "cl_active_cancel_req", "1");
    assert_cell(0, "cl_waiting_cancel_req", "2");
    assert_cell(0, "sv_being_canceled", "4");
    assert_cell(0, "maxwait", "6.0");
    assert_cell(0, "sv_idle", "null");
    assert_cell(0, "pool_mode", "null");
}

static void counters_have_the_names_of_the_console(void **state)
{
    (void)state;
    static const char *const rows[] = {"app 10 20 30 40 wrong"};
    read_one("pgbouncer_stats",
             "database total_xact_count total_query_count total_received total_bind_count "
             "total_sent",
             rows, 1);
    assert_cell(0, "xact_count", "10");
    assert_cell(0, "query_count", "20");
    assert_cell(0, "received", "30");
    assert_cell(0, "bind_count", "40");
    assert_cell(0, "sent", "null");
}

static void databases_keep_the_reserve_under_either_name(void **state)
{
    (void)state;
    static const char *const rows[] = {"app h 5432 real - 20 7 1"};
    static const char *const names[] = {"reserve_pool", "reserve_pool_size"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        _cleanup_buf_ Buf columns = BUF_INIT;
        buf_printf(&columns, "name host port database force_user pool_size %s paused", names[i]);
        read_one("pgbouncer_databases", buf_cstr(&columns), rows, 1);
        assert_cell(0, "database", "app");
        assert_cell(0, "server_database", "real");
        assert_cell(0, "reserve_pool", "7");
        assert_cell(0, "paused", "1");
        fixture.reading = NULL;
        inbox_take(fixture.inbox);
    }
}

static void pairs_are_columns(void **state)
{
    (void)state;
    static const char *const names[] = {"pgbouncer_totals", NULL};
    static const char *const rows[] = {"total_xact_count 5", "avg_xact_count 1", "total_client_bytes 7",
                                       "total_sent -"};
    _cleanup_pgresult_ PGresult *result = make_result("name value", rows, ARRAY_LENGTH(rows));
    static const char *const names_only[] = {"total_xact_count"};
    _cleanup_pgresult_ PGresult *narrow = make_result("name", names_only, 1);
    begin(names);
    Rows *to = source_families_add(fixture.families, 0, "main", "");
    pgbouncer_read_pairs(to, narrow);
    pgbouncer_read_pairs(to, result);
    end(true);
    (void)next_reading();
    assert_cell(0, "xact_count", "5");
    assert_cell(0, "received", "7");
    assert_cell(0, "sent", "null");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCES_TEST(pools_of_all_versions),
        SOURCES_TEST(counters_have_the_names_of_the_console),
        SOURCES_TEST(databases_keep_the_reserve_under_either_name),
        SOURCES_TEST(pairs_are_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
