/* SPDX-License-Identifier: PostgreSQL */
/* Asking the facts; reading them from servers of every version is in tests/sql/test_families.py. */
#include "lib/pg/facts.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static char mark[] = "1";
static char grant[] = "grant execute on function pg_hba_file_rules() to monitor";
static char on[] = "on", off[] = "off";

static int make(void **state)
{
    static PgFacts f;
    f = (PgFacts){.columns = map_new(NULL),
                  .functions = map_new(NULL),
                  .denied = map_new(NULL),
                  .extensions = map_new(NULL),
                  .settings = map_new(NULL)};
    static PgExtension extension = {.version = "1.10", .schema = "public", .default_version = "1.10"};
    map_put(f.columns, SLICE_LIT("pg_stat_wal"), mark);
    map_put(f.columns, SLICE_LIT("pg_stat_wal.wal_bytes"), mark);
    map_put(f.functions, SLICE_LIT("pg_ls_waldir"), mark);
    map_put(f.functions, SLICE_LIT("pg_ls_waldir/0"), mark);
    map_put(f.denied, SLICE_LIT("pg_hba_file_rules()"), grant);
    map_put(f.extensions, SLICE_LIT("pg_stat_statements"), &extension);
    map_put(f.settings, SLICE_LIT("track_io_timing"), on);
    map_put(f.settings, SLICE_LIT("track_wal_io_timing"), off);
    *state = &f;
    return 0;
}

static int discard(void **state)
{
    pg_facts_done(*state);
    return 0;
}

static void relations_columns_and_functions_are_found(void **state)
{
    const PgFacts *f = *state;
    assert_true(pg_facts_has_relation(f, SLICE_LIT("pg_stat_wal")));
    assert_false(pg_facts_has_relation(f, SLICE_LIT("pg_stat_io")));
    assert_true(pg_facts_has_column(f, SLICE_LIT("pg_stat_wal"), SLICE_LIT("wal_bytes")));
    assert_false(pg_facts_has_column(f, SLICE_LIT("pg_stat_wal"), SLICE_LIT("wal_write")));
    assert_false(pg_facts_has_column(f, SLICE_LIT("pg_stat_io"), SLICE_LIT("wal_bytes")));
    assert_true(pg_facts_has_function(f, SLICE_LIT("pg_ls_waldir")));
    assert_false(pg_facts_has_function(f, SLICE_LIT("pg_ls_dir")));
    assert_string_equal(pg_facts_grant(f, SLICE_LIT("pg_hba_file_rules()")), grant);
    assert_null(pg_facts_grant(f, SLICE_LIT("pg_hba_file_rules")));
    assert_string_equal(pg_facts_extension(f, SLICE_LIT("pg_stat_statements"))->schema, "public");
    assert_null(pg_facts_extension(f, SLICE_LIT("pg_buffercache")));
}

static void only_on_is_on(void **state)
{
    const PgFacts *f = *state;
    assert_true(pg_facts_setting_on(f, "track_io_timing"));
    assert_false(pg_facts_setting_on(f, "track_wal_io_timing"));
    assert_false(pg_facts_setting_on(f, "track_planets"));
}

static void done_may_be_repeated(void **state)
{
    (void)state;
    PgFacts f = {.columns = map_new(NULL)};
    pg_facts_done(&f);
    pg_facts_done(&f);
    assert_null(f.columns);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(relations_columns_and_functions_are_found, make, discard),
        cmocka_unit_test_setup_teardown(only_on_is_on, make, discard),
        cmocka_unit_test(done_may_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
