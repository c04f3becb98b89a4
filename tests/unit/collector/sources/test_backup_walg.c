/* SPDX-License-Identifier: PostgreSQL */
/* Answers in the form of WAL-G's source: no WAL-G was run for them. */
#include "tests/unit/collector/sources/backup_fixture.h"

#define TOOL (&backup_walg)
enum { LIST, WAL };

static void backups_and_deltas(void **state)
{
    (void)state;
    assert_ok(parse(TOOL, LIST, "walg_list"), &failure);
    assert_ok(parse(TOOL, WAL, "walg_wal"), &failure);
    fill_model();
    assert_cell(0, "stanza", "");
    assert_cell(0, "backups", "2");
    assert_cell(0, "full_backups", "1");
    assert_cell(0, "last_full_time", "1793494804.5");
    assert_cell(0, "last_full_duration", "4.0");
    assert_cell(0, "last_full_size", "23042042");
    assert_cell(0, "incremental_backups", "1");
    assert_cell(0, "last_type", "incremental");
    assert_cell(0, "last_delta_size", "1442057");
    assert_cell(0, "last_size", "null");
    assert_cell(0, "last_repository_delta_size", "209074");
    (void)next_reading();
    assert_cell(0, "database", "1");
    assert_cell(0, "max_wal", "000000010000000000000006");
    assert_cell(0, "missing_segments", "1");
}

static void no_backups(void **state)
{
    (void)state;
    static const char *const answers[] = {"", "\n", "[]", "null"};
    for (size_t i = 0; i < ARRAY_LENGTH(answers); i++) {
        backup_model_clear(&model);
        assert_ok(parse_text(TOOL, LIST, answers[i]), &failure);
        assert_int_equal(model.repositories.len, 1);
    }
    fill_model();
    assert_cell(0, "backups", "0");
}

static void other_answers_are_refused(void **state)
{
    (void)state;
    assert_fails(parse_text(TOOL, LIST, "{}"), &failure, ERR_UNPROCESSABLE, "list of backups");
    assert_fails(parse_text(TOOL, WAL, "{}"), &failure, ERR_UNPROCESSABLE, "list of timelines");
    assert_fails(parse_text(TOOL, LIST, "No backups found"), &failure, ERR_SYNTAX, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BACKUP_TEST(backups_and_deltas),
        BACKUP_TEST(no_backups),
        BACKUP_TEST(other_answers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
