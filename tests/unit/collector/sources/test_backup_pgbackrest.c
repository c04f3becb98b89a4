/* SPDX-License-Identifier: PostgreSQL */
/* What pgBackRest 2.45 printed for a real stanza. */
#include "tests/unit/collector/sources/backup_fixture.h"

#define TOOL (&backup_pgbackrest)

static void a_real_stanza(void **state)
{
    (void)state;
    assert_ok(parse(TOOL, 0, "pgbackrest_backups"), &failure);
    fill_model();
    assert_int_equal(fixture.reading->row_count, 1);
    assert_cell(0, "stanza", "main");
    assert_cell(0, "repository", "1");
    assert_cell(0, "status", "ok");
    assert_cell(0, "errors", "0");
    assert_cell(0, "backups", "3");
    assert_cell(0, "full_backups", "1");
    assert_cell(0, "last_full_time", "1795257732.0");
    assert_cell(0, "last_full_duration", "3.0");
    assert_cell(0, "last_full_size", "23042042");
    assert_cell(0, "last_full_repository_delta_size", "3517617");
    assert_cell(0, "last_incremental_time", "1795257735.0");
    assert_cell(0, "last_label", "20261121-104209F_20261121-104216D");
    assert_cell(0, "last_type", "differential");
    assert_cell(0, "last_delta_size", "1442058");
    assert_cell(0, "last_repository_size", "3523118");
    assert_cell(0, "last_age", "4742263.0");
    assert_cell(0, "obsolete_backups", "null");
    (void)next_reading();
    assert_int_equal(fixture.reading->row_count, 1);
    assert_cell(0, "database", "15-1");
    assert_cell(0, "min_wal", "000000010000000000000001");
    assert_cell(0, "max_wal", "000000010000000000000006");
}

static void a_stanza_without_backups_is_no_error(void **state)
{
    (void)state;
    assert_ok(parse(TOOL, 0, "pgbackrest_none"), &failure);
    fill_model();
    assert_cell(0, "status", "no valid backups");
    assert_cell(0, "errors", "0");
    assert_cell(0, "backups", "0");
    assert_cell(0, "last_time", "null");
    (void)next_reading();
    assert_cell(0, "max_wal", "null");
}

static void a_repository_that_fails_is_one_row(void **state)
{
    (void)state;
    assert_ok(parse(TOOL, 0, "pgbackrest_second_fails"), &failure);
    fill_model();
    assert_int_equal(fixture.reading->row_count, 2);
    assert_cell(0, "repository", "1");
    assert_cell(0, "errors", "0");
    assert_cell(0, "backups", "4");
    assert_cell(1, "repository", "2");
    assert_cell(1, "errors", "1");
    assert_cell(1, "status", "missing stanza path");
    assert_cell(1, "backups", "0");
}

static void an_unknown_stanza_is_an_error_of_its_repositories(void **state)
{
    (void)state;
    assert_ok(parse(TOOL, 0, "pgbackrest_unknown_stanza"), &failure);
    fill_model();
    assert_int_equal(fixture.reading->row_count, 2);
    assert_cell(0, "stanza", "other");
    assert_cell(0, "errors", "1");
}

static void what_old_versions_say(void **state)
{
    (void)state;
    assert_ok(
        parse_text(TOOL, 0,
                   "[{\"name\": \"old\", \"status\": {\"code\": 0, \"message\": \"ok\"}, \"backup\": [{\"label\": "
                   "\"a\", \"type\": \"full\", \"error\": true, \"timestamp\": {\"start\": 1, \"stop\": 2}}, "
                   "{\"label\": \"b\", \"timestamp\": {\"start\": 5, \"stop\": 7}, \"info\": {\"size\": -4}}]}]"),
        &failure);
    fill_model();
    assert_cell(0, "repository", "1");
    assert_cell(0, "failed_backups", "1");
    assert_cell(0, "backups", "1");
    assert_cell(0, "last_label", "b");
    assert_cell(0, "last_size", "null");
}

static void other_answers_are_refused(void **state)
{
    (void)state;
    assert_fails(parse_text(TOOL, 0, "{}"), &failure, ERR_UNPROCESSABLE, "list of stanzas");
    assert_fails(parse_text(TOOL, 0, "[{}]"), &failure, ERR_UNPROCESSABLE, "no name");
    assert_fails(parse_text(TOOL, 0, ""), &failure, ERR_SYNTAX, "");
    assert_fails(parse_text(TOOL, 0, "ERROR: no"), &failure, ERR_SYNTAX, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACKUP_TEST(a_real_stanza),
        BACKUP_TEST(a_stanza_without_backups_is_no_error),
        BACKUP_TEST(a_repository_that_fails_is_one_row),
        BACKUP_TEST(an_unknown_stanza_is_an_error_of_its_repositories),
        BACKUP_TEST(what_old_versions_say),
        BACKUP_TEST(other_answers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
