/* SPDX-License-Identifier: PostgreSQL */
#include "collector/sources/backup_model.h"

#include "tests/unit/collector/sources/sources_fixture.h"

static const char *const NAMES[] = {"backup_state", "backup", "backup_archive", NULL};

static void the_last_backup_ended_last(void **state)
{
    (void)state;
    BackupModel m;
    backup_model_init(&m);
    BackupRepository *r = backup_model_repository(&m, SLICE_LIT("s"), SLICE_LIT("1"));
    const struct {
        const char *label;
        BackupType type;
        double stop;
        bool failed, obsolete;
    } cases[] = {
        {"f2", BACKUP_FULL, 200, false, false},        {"f1", BACKUP_FULL, 100, false, true},
        {"i1", BACKUP_INCREMENTAL, 250, false, false}, {"bad", BACKUP_FULL, 900, true, false},
        {"i0", BACKUP_INCREMENTAL, -1, false, true},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        BackupEntry entry = BACKUP_ENTRY_INIT;
        entry.label = slice_cstr(cases[i].label);
        entry.type = cases[i].type;
        entry.start = cases[i].stop - 10;
        entry.stop = cases[i].stop;
        entry.failed = cases[i].failed;
        entry.obsolete = cases[i].obsolete;
        backup_model_add(&m, r, &entry);
    }
    BackupArchive *a = backup_model_archive(&m, SLICE_LIT("s"), SLICE_LIT("1"), SLICE_LIT("15-1"));
    a->max_wal = SLICE_LIT("000000010000000000000003");
    begin(NAMES);
    BackupFill fill = {.families = fixture.families,
                       .source = "x",
                       .tool = "wal-g",
                       .now = 1000 * USEC_PER_SEC,
                       .wal = {.position = 0x5000000, .segment_size = 16 << 20}};
    backup_model_fill(&m, &fill);
    backup_model_done(&m);
    end(true);
    (void)next_reading();
    (void)next_reading();
    assert_cell(0, "stanza", "s");
    assert_cell(0, "backups", "4");
    assert_cell(0, "failed_backups", "1");
    assert_cell(0, "obsolete_backups", "2");
    assert_cell(0, "oldest_time", "100.0");
    assert_cell(0, "last_label", "i1");
    assert_cell(0, "last_type", "incremental");
    assert_cell(0, "last_age", "750.0");
    assert_cell(0, "last_duration", "10.0");
    assert_cell(0, "last_size", "null");
    assert_cell(0, "full_backups", "2");
    assert_cell(0, "last_full_time", "200.0");
    assert_cell(0, "differential_backups", "0");
    assert_cell(0, "last_differential_time", "null");
    assert_cell(0, "last_incremental_time", "250.0");
    (void)next_reading();
    assert_cell(0, "database", "15-1");
    assert_cell(0, "archived_position", "67108864");
    assert_cell(0, "lag", "16777216");
    assert_cell(0, "missing_segments", "null");
}

static void ends_of_segments(void **state)
{
    (void)state;
    const struct {
        const char *name;
        int64_t size, end;
    } cases[] = {
        {"000000010000000000000001", 16 << 20, 2 * (16 << 20)},
        {"0000000A00000001000000FF", 16 << 20, (int64_t)2 << 32},
        {"000000010000000100000000", 1 << 30, ((int64_t)1 << 32) + (1 << 30)},
        {"000000010000000000000100", 16 << 20, -1}, /* a 4 GB piece has 256 */
        {"00000001000000000000000g", 16 << 20, -1},
        {"00000001000000000000000a", 16 << 20, -1},
        {"0000000100000000000000", 16 << 20, -1},
        {"00000001FFFFFFFF000000FF", 16 << 20, -1},
        {"000000010000000000000001", 0, -1},
        {"", 16 << 20, -1},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(backup_segment_end(slice_cstr(cases[i].name), cases[i].size), cases[i].end);
}

static void keys_are_found_again_and_bounded(void **state)
{
    (void)state;
    BackupModel m;
    backup_model_init(&m);
    for (int i = 0; i < BACKUP_ARCHIVES_MAX + 1; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "%d", i);
        assert_int_equal(backup_model_archive(&m, SLICE_LIT("s"), SLICE_LIT("1"), slice_cstr(name)) != NULL,
                         i < BACKUP_ARCHIVES_MAX);
        assert_int_equal(backup_model_repository(&m, slice_cstr(name), SLICE_LIT("1")) != NULL,
                         i < BACKUP_REPOSITORIES_MAX);
    }
    assert_ptr_equal(backup_model_archive(&m, SLICE_LIT("s"), SLICE_LIT("1"), SLICE_LIT("7")), &m.archives.items[7]);
    assert_ptr_equal(backup_model_repository(&m, SLICE_LIT("7"), SLICE_LIT("1")), &m.repositories.items[7]);
    backup_model_clear(&m);
    assert_int_equal(m.archives.len + m.repositories.len, 0);
    backup_model_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCES_TEST(the_last_backup_ended_last),
        SOURCES_TEST(ends_of_segments),
        SOURCES_TEST(keys_are_found_again_and_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
