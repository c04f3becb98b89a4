/* SPDX-License-Identifier: PostgreSQL */
/* What barman 3.4 printed for a real server; backups of other states and failed checks in the form of its source. */
#include "tests/unit/collector/sources/backup_fixture.h"

#define TOOL (&backup_barman)
enum { LIST, LATEST, CHECK };

static void a_real_server(void **state)
{
    (void)state;
    assert_ok(parse(TOOL, LIST, "barman_list"), &failure);
    assert_ok(parse(TOOL, LATEST, "barman_latest"), &failure);
    assert_ok(parse(TOOL, CHECK, "barman_check"), &failure);
    fill_model();
    assert_cell(0, "stanza", "main");
    assert_cell(0, "status", "ok");
    assert_cell(0, "errors", "0");
    assert_cell(0, "backups", "1");
    assert_cell(0, "obsolete_backups", "0");
    assert_cell(0, "last_label", "20261121T104311");
    assert_cell(0, "last_type", "full");
    assert_cell(0, "last_time", "1795257802.0");
    assert_cell(0, "last_duration", "11.0");
    assert_cell(0, "last_size", "23179795");
    assert_cell(0, "last_repository_size", "23196275");
    (void)next_reading();
    assert_cell(0, "max_wal", "000000010000000000000003");
    assert_cell(0, "failing", "0");
}

static void states_of_backups(void **state)
{
    (void)state;
    assert_ok(parse(TOOL, LIST, "barman_list_mixed"), &failure);
    assert_ok(parse(TOOL, LATEST, "barman_latest"), &failure); /* of another backup: tells of the archive only */
    fill_model();
    assert_cell(0, "backups", "2");
    assert_cell(0, "failed_backups", "1");
    assert_cell(0, "obsolete_backups", "1");
    assert_cell(0, "full_backups", "1");
    assert_cell(0, "last_type", "incremental");
    assert_cell(0, "last_duration", "null");
    assert_cell(0, "last_size", "100");
}

static void checks_that_fail_are_counted_and_named(void **state)
{
    (void)state;
    assert_ok(parse(TOOL, CHECK, "barman_check_failed"), &failure);
    fill_model();
    assert_cell(0, "errors", "2");
    assert_cell(0, "status",
                "archiver_errors (duplicates: 2), backup_maximum_age (interval provided: 1 day, latest backup age: 3 "
                "days)");
    (void)next_reading();
    assert_cell(0, "failing", "1");
}

static void other_answers_are_refused(void **state)
{
    (void)state;
    assert_fails(parse(TOOL, LIST, "barman_unknown"), &failure, ERR_UNPROCESSABLE, "barman says: Unknown server");
    assert_fails(parse_text(TOOL, LIST, "{}"), &failure, ERR_UNPROCESSABLE, "nothing about \"main\"");
    assert_fails(parse_text(TOOL, LIST, "{\"main\": {}}"), &failure, ERR_UNPROCESSABLE, "no list");
    assert_fails(parse_text(TOOL, CHECK, "{\"main\": []}"), &failure, ERR_UNPROCESSABLE, "no object");
    assert_fails(parse_text(TOOL, LATEST, "Traceback"), &failure, ERR_SYNTAX, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACKUP_TEST(a_real_server),
        BACKUP_TEST(states_of_backups),
        BACKUP_TEST(checks_that_fail_are_counted_and_named),
        BACKUP_TEST(other_answers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
