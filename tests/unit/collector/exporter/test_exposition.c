/* SPDX-License-Identifier: PostgreSQL */
/* Readings in, the text that Prometheus reads out. */
#include "collector/exporter/exposition.h"

#include "lib/base/memory.h"
#include "tests/support/readings.h"

static const char TABLES[] =
    "name = \"tables\"\nhelp = \"T.\"\nscope = \"database\"\nfrom = \"t\"\n"
    "[[column]]\nname = \"relname\"\nkind = \"label\"\n"
    "[[column]]\nname = \"scans\"\nkind = \"counter\"\nhelp = \"Scans.\"\n"
    "[[column]]\nname = \"spent\"\nkind = \"counter\"\ntype = \"float8\"\nunit = \"ms\"\nhelp = \"Time.\"\n"
    "prometheus = [\"old_spent\", \"tables_spent_seconds_total\"]\n";
static const char SETTINGS[] = "name = \"conf\"\nhelp = \"S.\"\nfrom = \"s\"\n"
                               "[[column]]\nname = \"name\"\nkind = \"label\"\n"
                               "[[column]]\nname = \"setting\"\nkind = \"info\"\nhelp = \"Value.\"\n"
                               "prometheus = \"setting pg_settings\"\n"
                               "[[column]]\nname = \"unit\"\nkind = \"info\"\nhelp = \"Unit.\"\n";
static const char HOST[] = "name = \"host\"\nhelp = \"H.\"\nscope = \"host\"\n"
                           "[[column]]\nname = \"load\"\nkind = \"gauge\"\nhelp = \"Load.\"\n";

static Catalog *catalog;
static Arena *arena;
static Snapshots *store;
static const Family *tables, *settings, *host;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(0);
    store = snapshots_new(0);
    if (catalog_new(&catalog, NULL, 0, NULL) < 0)
        return -1;
    tables = test_family(catalog, "tables.toml", TABLES);
    settings = test_family(catalog, "conf.toml", SETTINGS);
    host = test_family(catalog, "host.toml", HOST);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    store = snapshots_free(store);
    catalog = catalog_free(catalog);
    arena = arena_free(arena);
    return 0;
}

static void put(const char *server, const Family *f, const char *database, const char *const *rows)
{
    Reading r = test_reading(arena, f, rows);
    r.database = database;
    snapshots_put(store, NULL, server, f, &r, 60 * USEC_PER_SEC);
}

static void assert_text(ExpositionFormat format, const char *server, const char *expected)
{
    _cleanup_buf_ Buf out = BUF_INIT;
    ExpositionOptions options = {.format = format, .server = server, .now_wall = 1010 * USEC_PER_SEC};
    assert_true(exposition_write(store, &options, &out));
    assert_slice(buf_slice(&out), expected);
}

static void put_two_servers(void)
{
    put("b", tables, "app", (const char *[]){"x\"y 5 1500", "z - 0.5", NULL});
    put("a", tables, "app", (const char *[]){"t 1 -", NULL});
    put("a", tables, "other", (const char *[]){"t 2 3", NULL});
}

/* All samples of a metric stand together, whatever server and database they are of. */
static void samples_of_a_metric_stand_together(void **state)
{
    (void)state;
    put_two_servers();
    assert_text(EXPOSITION_TEXT, NULL,
                "# HELP tables_scans_total Scans.\n# TYPE tables_scans_total counter\n"
                "tables_scans_total{server=\"a\",datname=\"app\",relname=\"t\"} 1\n"
                "tables_scans_total{server=\"a\",datname=\"other\",relname=\"t\"} 2\n"
                "tables_scans_total{server=\"b\",datname=\"app\",relname=\"x\\\"y\"} 5\n"
                "# HELP old_spent Time.\n# TYPE old_spent untyped\n"
                "old_spent{server=\"a\",datname=\"other\",relname=\"t\"} 3\n"
                "old_spent{server=\"b\",datname=\"app\",relname=\"x\\\"y\"} 1500\n"
                "old_spent{server=\"b\",datname=\"app\",relname=\"z\"} 0.5\n"
                "# HELP tables_spent_seconds_total Time.\n# TYPE tables_spent_seconds_total counter\n"
                "tables_spent_seconds_total{server=\"a\",datname=\"other\",relname=\"t\"} 0.003\n"
                "tables_spent_seconds_total{server=\"b\",datname=\"app\",relname=\"x\\\"y\"} 1.5\n"
                "tables_spent_seconds_total{server=\"b\",datname=\"app\",relname=\"z\"} 0.0005\n");
}

static void openmetrics_names_counters_without_their_suffix(void **state)
{
    (void)state;
    put("a", tables, "app", (const char *[]){"t 1 2", NULL});
    assert_text(EXPOSITION_OPENMETRICS, NULL,
                "# HELP tables_scans Scans.\n# TYPE tables_scans counter\n"
                "tables_scans_total{server=\"a\",datname=\"app\",relname=\"t\"} 1\n"
                "# HELP old_spent Time.\n# TYPE old_spent unknown\n"
                "old_spent{server=\"a\",datname=\"app\",relname=\"t\"} 2\n"
                "# HELP tables_spent_seconds Time.\n# TYPE tables_spent_seconds counter\n"
                "tables_spent_seconds_total{server=\"a\",datname=\"app\",relname=\"t\"} 0.002\n");
}

/* Each setting is a metric; servers that have the same stand together. */
static void settings_are_metrics_of_their_own(void **state)
{
    (void)state;
    put("b", settings, NULL, (const char *[]){"work_mem 4 kB", "fsync on -", NULL});
    put("a", settings, NULL, (const char *[]){"x_count 3 -", "path /tmp -", "fsync off -", NULL});
    assert_text(EXPOSITION_TEXT, NULL,
                "# HELP pg_settings_fsync Setting fsync of the server.\n# TYPE pg_settings_fsync gauge\n"
                "pg_settings_fsync{server=\"a\"} 0\npg_settings_fsync{server=\"b\"} 1\n"
                "# HELP pg_settings_work_mem_bytes Setting work_mem_bytes of the server.\n"
                "# TYPE pg_settings_work_mem_bytes gauge\npg_settings_work_mem_bytes{server=\"b\"} 4096\n"
                "# HELP pg_settings_x_count Setting x_count of the server.\n# TYPE pg_settings_x_count untyped\n"
                "pg_settings_x_count{server=\"a\"} 3\n");
}

static void one_server_can_be_asked_for(void **state)
{
    (void)state;
    put_two_servers();
    snapshots_note_server(store, "a", &(SnapshotsServer){.reachable = true, .families = 3, .last_wall = 5000000});
    snapshots_note_server(store, "b", &(SnapshotsServer){.reachable = true, .families = 3, .failing = 1});
    _cleanup_buf_ Buf out = BUF_INIT;
    ExpositionOptions options = {.server = "nobody", .now_wall = 1010 * USEC_PER_SEC};
    assert_false(exposition_write(store, &options, &out));
    assert_int_equal(out.len, 0);
    put("b", host, NULL, (const char *[]){"0.25", NULL});
    snapshots_note_server(store, "b", &(SnapshotsServer){.reachable = false, .families = 3});
    /* What was read of a server that is away is gone; its host is not away. */
    assert_text(EXPOSITION_TEXT, "b",
                "# HELP pg_up 1 when the server could be read at the last turn.\n# TYPE pg_up gauge\n"
                "pg_up{server=\"b\"} 0\n"
                "# HELP pg_exporter_last_scrape_error 1 when the server could not be read at the last turn, or a "
                "metric family of it.\n# TYPE pg_exporter_last_scrape_error gauge\n"
                "pg_exporter_last_scrape_error{server=\"b\"} 1\n"
                "# HELP pganalytics_failing_families Metric families whose last reading failed.\n"
                "# TYPE pganalytics_failing_families gauge\npganalytics_failing_families{server=\"b\"} 0\n"
                "# HELP pganalytics_families Metric families that are read of the server.\n"
                "# TYPE pganalytics_families gauge\npganalytics_families{server=\"b\"} 3\n"
                "# HELP host_load Load.\n# TYPE host_load gauge\nhost_load{server=\"b\"} 0.25\n");
}

/* After a reload some servers are read with new settings, some with the old ones: a family in two versions. */
static void a_family_in_two_versions_is_written_once(void **state)
{
    (void)state;
    _cleanup_(catalog_freep) Catalog *other = NULL;
    assert_int_equal(catalog_new(&other, NULL, 0, NULL), 0);
    _cleanup_free_ char *changed = mem_strdup(TABLES);
    memcpy(strstr(changed, "\"scans\""), "\"scan2\"", 7);
    const Family *newer = test_family(other, "tables.toml", changed);
    put("a", tables, "app", (const char *[]){"t 1 2", NULL});
    put("b", newer, "app", (const char *[]){"t 3 4", NULL});
    assert_text(EXPOSITION_TEXT, NULL,
                "# HELP tables_scans_total Scans.\n# TYPE tables_scans_total counter\n"
                "tables_scans_total{server=\"a\",datname=\"app\",relname=\"t\"} 1\n"
                "# HELP old_spent Time.\n# TYPE old_spent untyped\n"
                "old_spent{server=\"a\",datname=\"app\",relname=\"t\"} 2\n"
                "old_spent{server=\"b\",datname=\"app\",relname=\"t\"} 4\n"
                "# HELP tables_spent_seconds_total Time.\n# TYPE tables_spent_seconds_total counter\n"
                "tables_spent_seconds_total{server=\"a\",datname=\"app\",relname=\"t\"} 0.002\n"
                "tables_spent_seconds_total{server=\"b\",datname=\"app\",relname=\"t\"} 0.004\n"
                "# HELP tables_scan2_total Scans.\n# TYPE tables_scan2_total counter\n"
                "tables_scan2_total{server=\"b\",datname=\"app\",relname=\"t\"} 3\n");
    store = snapshots_free(store); /* before the other catalog */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(samples_of_a_metric_stand_together, setup, teardown),
        cmocka_unit_test_setup_teardown(openmetrics_names_counters_without_their_suffix, setup, teardown),
        cmocka_unit_test_setup_teardown(settings_are_metrics_of_their_own, setup, teardown),
        cmocka_unit_test_setup_teardown(one_server_can_be_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(a_family_in_two_versions_is_written_once, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
