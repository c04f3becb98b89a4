/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "backend/store/cluster_place.h"

static void versions_are_read_from_what_postgres_says(void **state)
{
    (void)state;
    static const struct {
        const char *line;
        int major;
    } CASES[] = {
        {"postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)\n", 15},
        {"postgres (PostgreSQL) 18beta1\n", 18},
        {"postgres (PostgreSQL) 9.6.24\n", 9},
        {"postgres (PostgreSQL)\n", 0},
        {"bash: postgres: not found", 0},
        {"", 0},
        {"x) 99999999999999999999", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++)
        assert_int_equal(cluster_parse_version(slice_cstr(CASES[i].line)), CASES[i].major);
}

static void the_process_is_the_first_line_of_the_pid_file(void **state)
{
    (void)state;
    static const struct {
        const char *content;
        pid_t pid;
    } CASES[] = {
        {"4711\n/data\n1700000000\n5432\n", 4711},
        {"4711", 4711},
        {"", 0},
        {"\n4711\n", 0},
        {"-1\n", 0},
        {"1\n", 0},
        {"x\n", 0},
        {"99999999999\n", 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++)
        assert_int_equal(cluster_parse_pid(slice_cstr(CASES[i].content)), CASES[i].pid);
}

static void a_process_is_a_server_only_where_it_works_in_the_data_directory(void **state)
{
    (void)state;
    char here[PATH_MAX];
    assert_non_null(getcwd(here, sizeof here));
    assert_true(cluster_pid_is_server(getpid(), here));
    assert_false(cluster_pid_is_server(getpid(), "/"));
    assert_false(cluster_pid_is_server(0, here));
    assert_false(cluster_pid_is_server(INT_MAX, here));
}

static void a_long_directory_has_its_socket_elsewhere(void **state)
{
    (void)state;
    char longer[200];
    memset(longer, 'x', sizeof longer);
    longer[0] = '/';
    longer[sizeof longer - 1] = '\0';
    _cleanup_buf_ Buf near = BUF_INIT;
    _cleanup_buf_ Buf far = BUF_INIT;
    _cleanup_buf_ Buf again = BUF_INIT;
    cluster_socket_dir("/var/lib/pganalytics/postgres", &near);
    cluster_socket_dir(longer, &far);
    cluster_socket_dir(longer, &again);
    assert_string_equal(buf_cstr(&near), "/var/lib/pganalytics/postgres/run");
    assert_true(slice_starts_with(buf_slice(&far), SLICE_LIT("/tmp/pganalytics-")));
    assert_string_equal(buf_cstr(&far), buf_cstr(&again));
    assert_true(far.len + strlen("/.s.PGSQL.5432.lock") < sizeof(((struct sockaddr_un *)0)->sun_path));
}

static void programs_are_found_or_their_absence_is_explained(void **state)
{
    (void)state;
    _cleanup_buf_ Buf dir = BUF_INIT;
    Err err = ERR_INIT;
    assert_true(cluster_find_programs("/nonexistent", 0, &dir, &err) < 0);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_non_null(strstr(err.detail, "/nonexistent"));
    assert_true(err.hint[0] != '\0');
    assert_true(cluster_find_programs(NULL, 999, &dir, &err) < 0);
    assert_non_null(strstr(err.detail, "PostgreSQL 999"));
    if (cluster_find_programs(NULL, 0, &dir, &err) >= 0) { /* a machine without PostgreSQL has none to find */
        buf_append_cstr(&dir, "/initdb");
        assert_int_equal(access(buf_cstr(&dir), X_OK), 0);
    }
}

static void a_closed_directory_on_the_way_is_named(void **state)
{
    (void)state;
    char base[] = "/tmp/pga-place-XXXXXX";
    Err err = ERR_INIT;
    assert_non_null(mkdtemp(base)); /* mode 0700, ours */
    _cleanup_buf_ Buf inside = BUF_INIT;
    buf_printf(&inside, "%s/postgres", base);
    if (geteuid() == 0) {
        assert_true(cluster_check_reachable(buf_cstr(&inside), "nobody", &err) < 0);
        assert_non_null(strstr(err.detail, base));
    }
    assert_int_equal(chmod(base, 0711), 0);
    assert_int_equal(cluster_check_reachable(buf_cstr(&inside), "nobody", &err), 0);
    assert_int_equal(cluster_check_reachable(buf_cstr(&inside), NULL, &err), 0);
    rmdir(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_read_from_what_postgres_says),
        cmocka_unit_test(the_process_is_the_first_line_of_the_pid_file),
        cmocka_unit_test(a_process_is_a_server_only_where_it_works_in_the_data_directory),
        cmocka_unit_test(a_long_directory_has_its_socket_elsewhere),
        cmocka_unit_test(programs_are_found_or_their_absence_is_explained),
        cmocka_unit_test(a_closed_directory_on_the_way_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
