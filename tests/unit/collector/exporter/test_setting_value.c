/* SPDX-License-Identifier: PostgreSQL */
/* Settings as numbers in base units. */
#include "tests/support/unit.h"

#include "collector/exporter/setting_value.h"

static void reads_units_and_switches(void **state)
{
    (void)state;
    static const struct {
        const char *name, *setting, *unit, *metric; /* NULL: not taken */
        double value;
    } cases[] = {
        {"shared_buffers", "16384", "8kB", "shared_buffers_bytes", 134217728},
        {"work_mem", "4096", "kB", "work_mem_bytes", 4194304},
        {"max_wal_size", "1024", "MB", "max_wal_size_bytes", 1073741824},
        {"min_wal_size", "5", "16MB", "min_wal_size_bytes", 83886080},
        {"track_activity_query_size", "1024", "B", "track_activity_query_size_bytes", 1024},
        {"statement_timeout", "1500", "ms", "statement_timeout_seconds", 1.5},
        {"autovacuum_naptime", "60", "s", "autovacuum_naptime_seconds", 60},
        {"log_rotation_age", "1440", "min", "log_rotation_age_seconds", 86400},
        {"log_min_duration_statement", "-1", "ms", "log_min_duration_statement_seconds", -1},
        {"fsync", "on", "", "fsync", 1},
        {"ssl", "off", "", "ssl", 0},
        {"random_page_cost", "1.1", "", "random_page_cost", 1.1},
        {"pg_stat_statements.Max", "5000", "", "pg_stat_statements_max", 5000},
        {"data_directory", "/var/lib", "", NULL, 0},
        {"wal_level", "replica", "", NULL, 0},
        {"wal_summary_keep_time", "864000", "s", NULL, 0},
        {"x", "", "", NULL, 0},
        {"x", "5", "parsecs", NULL, 0},
        {"x", "5", "99999999999999999999kB", NULL, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_buf_ Buf name = BUF_INIT;
        double value = 0;
        bool taken = setting_value_read(slice_cstr(cases[i].name), slice_cstr(cases[i].setting),
                                        slice_cstr(cases[i].unit), &name, &value);
        if (taken != (cases[i].metric != NULL))
            fail_msg("%s = %s %s is %staken", cases[i].name, cases[i].setting, cases[i].unit, taken ? "" : "not ");
        if (!taken)
            continue;
        assert_slice(buf_slice(&name), cases[i].metric);
        if (value != cases[i].value)
            fail_msg("%s is %g", cases[i].name, value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_units_and_switches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
