/* SPDX-License-Identifier: PostgreSQL */
#include "tests/unit/collector/sources/sources_fixture.h"

static const char *const NAMES[] = {"pgbouncer_state", "pgbouncer_stats", "system_cpu_of_nobody", NULL};
enum { STATE, STATS, UNKNOWN };

static void rows_of_all_sources_are_one_reading(void **state)
{
    (void)state;
    begin(NAMES);
    Rows *rows = source_families_add(fixture.families, STATE, "a", "");
    rows_set_int(rows, "up", 1);
    rows = source_families_add(fixture.families, STATE, "b", "");
    rows_set_int(rows, "up", 0);
    assert_null(source_families_rows(fixture.families, UNKNOWN));
    assert_null(source_families_add(fixture.families, UNKNOWN, "a", ""));
    end(true);
    const Reading *r = next_reading();
    assert_string_equal(r->family, "pgbouncer_state");
    assert_int_equal(r->row_count, 2);
    assert_true(r->keyframe);
    assert_cell(0, "pgbouncer", "a");
    assert_cell(1, "up", "0");
    assert_slice(r->row_epochs[0], "");
    assert_string_equal(next_reading()->family, "pgbouncer_stats");
    assert_int_equal(fixture.reading->row_count, 0);
    assert_null(next_reading());
}

/* Rows that were missing come back with an unknown start, or their whole count would be taken for an increase. */
static void a_source_that_failed_makes_two_readings_partial(void **state)
{
    (void)state;
    const struct {
        bool complete, partial;
    } turns[] = {{true, true}, {true, false}, {false, true}, {true, true}, {true, false}};
    begin(NAMES); /* the first one of a process has no complete one before it */
    for (size_t i = 0; i < ARRAY_LENGTH(turns); i++) {
        source_families_begin(fixture.families, clock_monotonic(), true);
        end(turns[i].complete);
        assert_int_equal(next_reading()->partial, turns[i].partial);
        (void)next_reading();
    }
}

static void families_keep_their_own_intervals(void **state)
{
    (void)state;
    static char name[] = "pgbouncer_stats";
    FamilySettings own = {.name = name, .enabled = true, .interval = 150 * USEC_PER_SEC};
    fixture.settings.families = (FamilySettingsList){.items = &own, .count = 1};
    SourceFamilies *f = fixture.families = source_families_new(&fixture.options, NAMES);
    Usec now = 1000 * USEC_PER_SEC;
    source_families_begin(f, now, false);
    assert_non_null(source_families_rows(f, STATE));
    assert_non_null(source_families_rows(f, STATS));
    source_families_end(f, now, true);
    assert_int_equal(source_families_next(f), now + 60 * USEC_PER_SEC);
    source_families_begin(f, now + 60 * USEC_PER_SEC, false);
    assert_non_null(source_families_rows(f, STATE));
    assert_null(source_families_rows(f, STATS));
    source_families_end(f, now, true);
    source_families_begin(f, now + 1000 * USEC_PER_SEC, false); /* after a long sleep they are due once, not often */
    source_families_end(f, now, true);
    assert_int_equal(source_families_next(f), now + 1060 * USEC_PER_SEC);
}

static void a_family_that_is_off_takes_no_rows(void **state)
{
    (void)state;
    static char name[] = "pgbouncer_stats";
    FamilySettings own = {.name = name, .enabled = false, .enabled_given = true};
    fixture.settings.families = (FamilySettingsList){.items = &own, .count = 1};
    begin(NAMES);
    assert_null(source_families_rows(fixture.families, STATS));
    end(true);
    assert_string_equal(next_reading()->family, "pgbouncer_state");
    assert_null(next_reading());
}

static void a_failure_waits_and_is_told(void **state)
{
    (void)state;
    SourceHead head = {.name = "a", .server = "main"};
    SourceStatus s;
    source_status_init(&s, SOURCE_PGBOUNCER, &head);
    assert_true(source_status_is_due(&s, 0));
    Err err = ERR_INIT;
    (void)err_set(&err, ERR_CONNECT, "no route");
    err_hint(&err, "find one");
    Usec latest = 0;
    for (unsigned i = 0; i < 50; i++) {
        source_status_note(&s, &err, 100 * USEC_PER_SEC);
        assert_in_range(s.retry_at, 100 * USEC_PER_SEC, 160 * USEC_PER_SEC);
        latest = s.retry_at > latest ? s.retry_at : latest;
    }
    assert_true(latest > 102 * USEC_PER_SEC); /* it grows */
    assert_false(source_status_is_due(&s, s.retry_at - 1));
    assert_true(source_status_is_due(&s, s.retry_at));
    begin(NAMES);
    source_status_fill(&s, source_families_add(fixture.families, STATE, "a", ""));
    source_status_note(&s, NULL, 200 * USEC_PER_SEC);
    assert_true(source_status_is_due(&s, 0));
    source_status_fill(&s, source_families_add(fixture.families, STATE, "b", ""));
    end(false);
    (void)next_reading();
    assert_cell(0, "up", "0");
    assert_cell(0, "error", "no route (find one)");
    assert_cell(1, "up", "1");
    assert_cell(1, "error", "null");
}

static void a_source_belongs_to_its_server(void **state)
{
    (void)state;
    PgbouncerSettings items[] = {{.head = {.name = "x", .server = "other"}}, {.head = {.name = "y", .server = "main"}}};
    fixture.settings.sources[SOURCE_PGBOUNCER] = (SourceList){.items = items, .count = 1};
    assert_false(source_kind_is_wanted(&fixture.options, SOURCE_PGBOUNCER));
    fixture.settings.sources[SOURCE_PGBOUNCER].count = 2;
    assert_true(source_kind_is_wanted(&fixture.options, SOURCE_PGBOUNCER));
    assert_false(source_kind_is_wanted(&fixture.options, SOURCE_BACKUP));
    assert_true(source_is_of(&fixture.options, &items[1].head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCES_TEST(rows_of_all_sources_are_one_reading),
        SOURCES_TEST(a_source_that_failed_makes_two_readings_partial),
        SOURCES_TEST(families_keep_their_own_intervals),
        SOURCES_TEST(a_family_that_is_off_takes_no_rows),
        SOURCES_TEST(a_failure_waits_and_is_told),
        SOURCES_TEST(a_source_belongs_to_its_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
