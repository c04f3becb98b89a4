/* SPDX-License-Identifier: PostgreSQL */
/* What is kept, for how long, and what is not. */
#include "collector/exporter/snapshots.h"

#include "tests/support/readings.h"

#define GAUGE(name)                                                                                                    \
    "name = \"" name "\"\nhelp = \"T.\"\nfrom = \"t\"\nprometheus = \"x\"\n"                                           \
    "[[column]]\nname = \"id\"\nkind = \"label\"\n[[column]]\nname = \"n\"\nkind = \"gauge\"\nhelp = \"N.\"\n"

static Catalog *catalog;
static Arena *arena;
static const Family *family;

static int setup(void **state)
{
    (void)state;
    arena = arena_new(0);
    if (catalog_new(&catalog, NULL, 0, NULL) < 0)
        return -1;
    family = test_family(catalog, "one.toml", GAUGE("one"));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    catalog = catalog_free(catalog);
    arena = arena_free(arena);
    return 0;
}

static void put(Snapshots *s, const char *server, const char *database, const Family *f)
{
    Reading r = test_reading(arena, f, (const char *[]){"a 1", "b 2", NULL});
    r.database = database;
    snapshots_put(s, NULL, server, f, &r, 60 * USEC_PER_SEC);
}

static size_t count_at(Snapshots *s, Usec wall)
{
    size_t count = snapshots_lock(s, wall).count;
    snapshots_unlock(s);
    return count;
}

static void a_new_reading_takes_the_place_of_the_old(void **state)
{
    (void)state;
    _cleanup_(snapshots_freep) Snapshots *s = snapshots_new(0);
    SnapshotsStats first, second;
    put(s, "b", NULL, family);
    snapshots_stats(s, &first);
    put(s, "b", NULL, family);
    snapshots_stats(s, &second);
    assert_int_equal(second.count, 1);
    assert_int_equal(second.bytes, first.bytes);
    assert_true(second.version > first.version);
    put(s, "b", "x", family);
    put(s, "a", NULL, family);
    SnapshotsView view = snapshots_lock(s, 0);
    assert_int_equal(view.count, 3);
    assert_string_equal(view.items[0]->server, "a");
    assert_string_equal(view.items[1]->database, "");
    assert_string_equal(view.items[2]->database, "x");
    snapshots_unlock(s);
}

/* Read at 1000 s, every 60 s. */
static void what_is_not_renewed_is_forgotten(void **state)
{
    (void)state;
    _cleanup_(snapshots_freep) Snapshots *s = snapshots_new(0);
    put(s, "a", NULL, family);
    assert_int_equal(count_at(s, (1000 + 5 * 60 + 300) * USEC_PER_SEC), 1);
    assert_int_equal(count_at(s, (1001 + 5 * 60 + 300) * USEC_PER_SEC), 0);
    SnapshotsStats stats;
    snapshots_stats(s, &stats);
    assert_int_equal(stats.bytes, 0);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    _cleanup_(snapshots_freep) Snapshots *s = snapshots_new(2000);
    SnapshotsStats stats;
    char name[] = "a";
    for (; name[0] <= 'z'; name[0]++)
        put(s, name, NULL, family);
    snapshots_stats(s, &stats);
    assert_true(stats.count > 1 && stats.bytes <= 2000);
    assert_int_equal(stats.count + stats.readings_left_out, 26);
    uint64_t left_out = stats.readings_left_out;
    put(s, "a", NULL, family); /* one that is known has its place */
    snapshots_stats(s, &stats);
    assert_int_equal(stats.readings_left_out, left_out);
}

static void servers_come_and_go(void **state)
{
    (void)state;
    _cleanup_(snapshots_freep) Snapshots *s = snapshots_new(0);
    put(s, "b", NULL, family);
    put(s, "a", NULL, family);
    snapshots_note_server(s, "b", &(SnapshotsServer){.reachable = true, .last_wall = 7});
    snapshots_note_server(s, "a", &(SnapshotsServer){.reachable = true});
    snapshots_note_server(s, "b", &(SnapshotsServer){.reachable = false});
    SnapshotsView view = snapshots_lock(s, 0);
    assert_int_equal(view.server_count, 2);
    assert_string_equal(view.servers[0].name, "a");
    assert_false(view.servers[1].reachable);
    assert_int_equal(view.servers[1].last_wall, 7); /* when it was read last is not forgotten */
    assert_int_equal(view.count, 1);
    snapshots_unlock(s);
    snapshots_forget_server(s, "a");
    snapshots_forget_server(s, "nobody");
    view = snapshots_lock(s, 0);
    assert_int_equal(view.server_count, 1);
    assert_int_equal(view.count, 0);
    snapshots_unlock(s);
}

/* Two heads of one name would spoil the whole scrape. */
static void a_name_belongs_to_one_family(void **state)
{
    (void)state;
    _cleanup_(snapshots_freep) Snapshots *s = snapshots_new(0);
    const Family *other = test_family(catalog, "other.toml", GAUGE("other"));
    put(s, "a", NULL, family);
    put(s, "a", NULL, other);
    SnapshotsView view = snapshots_lock(s, 0);
    assert_false(view.items[0]->plan->metrics[0].hidden);
    assert_true(view.items[1]->plan->metrics[0].hidden);
    assert_null(view.items[1]->values[0]);
    assert_null(metric_plan_find(view.items[1]->plan, "x_n"));
    snapshots_unlock(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_reading_takes_the_place_of_the_old, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_renewed_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(memory_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(servers_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(a_name_belongs_to_one_family, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
