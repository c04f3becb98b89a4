/* SPDX-License-Identifier: PostgreSQL */
/* Which families are wanted, and how often. */
#include "tests/unit/collector/settings_fixture.h"

static bool wants(const SettingsRef *ref, const char *family, Usec *ret_interval)
{
    const Family *f = catalog_find(settings_get(ref)->catalog, slice_cstr(family));
    assert_non_null(f);
    return settings_family(settings_get(ref), f, ret_interval);
}

static void families_can_be_turned_off_and_paced(void **state)
{
    (void)state;
    _cleanup_(settings_unrefp) SettingsRef *ref = load("[metrics]\nenable_pg_stat_statements = false\n"
                                                       "enable_replication = false\nenable_wal_level = false\n"
                                                       "[metrics.family.pg_stat_wal]\nenabled = true\n"
                                                       "[metrics.family.pg_locks]\nenabled = false\n"
                                                       "[metrics.family.pg_stat_replication]\ninterval = 5\n"
                                                       "[metrics.family.pg_stat_database]\ninterval = \"2m\"\n",
                                                       NULL);
    assert_non_null(ref);
    Usec interval;
    assert_false(wants(ref, "pg_stat_statements", &interval));
    assert_false(wants(ref, "statement_text", &interval));
    assert_false(wants(ref, "pg_stat_replication", &interval));
    assert_false(wants(ref, "pg_replication_slots", &interval));
    assert_false(wants(ref, "pg_stat_archiver", &interval));
    assert_true(wants(ref, "pg_stat_wal", &interval));
    assert_false(wants(ref, "pg_locks", &interval));
    assert_true(wants(ref, "pg_stat_database", &interval));
    assert_true(interval == 120 * USEC_PER_SEC);
}

static void presets(void **state)
{
    (void)state;
    static const char MINIMAL[] = "[collector]\ninterval = 5\n[metrics]\npreset = \"minimal\"\n"
                                  "[metrics.family.pg_locks]\nenabled = true\n"
                                  "[metrics.family.system_load]\ninterval = 7\n";
    _cleanup_(settings_unrefp) SettingsRef *minimal = load(MINIMAL, NULL);
    assert_non_null(minimal);
    Usec interval;
    assert_true(wants(minimal, "pg_stat_database", &interval) && interval == 60 * USEC_PER_SEC);
    assert_true(wants(minimal, "system_load", &interval) && interval == 7 * USEC_PER_SEC);
    assert_true(wants(minimal, "pg_locks", &interval));
    assert_false(wants(minimal, "pg_stat_statements", &interval));

    _cleanup_(settings_unrefp) SettingsRef *full = load("[metrics]\npreset = \"full\"\n", NULL);
    for (size_t i = 0; i < catalog_count(settings_get(full)->catalog); i++)
        assert_true(settings_family(settings_get(full), catalog_at(settings_get(full)->catalog, i), &interval));
}

/* Above the file in what it may say, and only there. */
static void what_the_backend_says(void **state)
{
    (void)state;
    static const char FILE_TEXT[] = "[collector]\ninterval = 10\n[metrics]\nenable_wal_level = false\n"
                                    "[metrics.family.pg_locks]\nenabled = false\ninterval = 20\n";
    static const char REMOTE[] = "[collector]\ninterval = 30\n[metrics.family.pg_locks]\nenabled = true\n"
                                 "[[family]]\nname = \"shop\"\nhelp = \"h\"\nfrom = \"x\"\n"
                                 "[[family.column]]\nname = \"a\"\nkind = \"gauge\"\nhelp = \"h\"\n";
    _cleanup_buf_ Buf path = scratch_path(&scratch, "r.toml");
    assert_int_equal(file_write_atomic(buf_cstr(&path), 0600, slice_cstr(FILE_TEXT), NULL), 0);
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *ref =
        settings_load_with(buf_cstr(&path), slice_cstr(REMOTE), "configuration 1", diags);
    assert_non_null(ref);
    const Settings *s = settings_get(ref);
    Usec interval;
    assert_true(s->interval == 30 * USEC_PER_SEC && !s->enable_wal_level);
    assert_true(wants(ref, "pg_locks", &interval) && interval == 20 * USEC_PER_SEC);
    assert_true(wants(ref, "shop", &interval) && catalog_find(s->catalog, SLICE_LIT("shop"))->own);

    assert_null(settings_load_with(buf_cstr(&path), SLICE_LIT("[backend]\nurl = 'https://x'\n"), "c 2", diags));
    assert_string_equal(conf_diags_at(diags, 0)->file, "c 2");
}

static void families_of_the_users_own(void **state)
{
    (void)state;
    _cleanup_buf_ Buf directory = scratch_path(&scratch, "metrics.d"), text = BUF_INIT, file = BUF_INIT;
    assert_int_equal(dir_ensure(buf_cstr(&directory), 0700, NULL), 0);
    buf_printf(&file, "%s/shop_orders.toml", buf_cstr(&directory));
    static const char FAMILY[] = "name = \"shop_orders\"\nhelp = \"Orders.\"\nscope = \"instance\"\n"
                                 "[[query]]\nsince = 0\nsql = \"select 1 as open\"\n"
                                 "[[column]]\nname = \"open\"\nkind = \"gauge\"\nhelp = \"Open.\"\n";
    assert_int_equal(file_write_atomic(buf_cstr(&file), 0600, slice_cstr(FAMILY), NULL), 0);
    buf_printf(&text, "[metrics]\ndirectory = \"%s\"\n", buf_cstr(&directory));
    _cleanup_(settings_unrefp) SettingsRef *ref = load(buf_cstr(&text), NULL);
    assert_non_null(ref);
    Usec interval;
    assert_true(wants(ref, "shop_orders", &interval));

    assert_int_equal(file_write_atomic(buf_cstr(&file), 0600, SLICE_LIT("name = 5\n"), NULL), 0);
    _cleanup_buf_ Buf printed = BUF_INIT;
    assert_null(load(buf_cstr(&text), &printed));
    assert_non_null(strstr(buf_cstr(&printed), "shop_orders.toml:1:"));
}

static void settings_that_collect_alike(void **state)
{
    (void)state;
    static const char *const OTHERS[] = {
        "[collector]\ninterval = 11\n",
        "[collector]\ninterval = 10\n[metrics]\npartitions = \"each\"\n",
        "[collector]\ninterval = 10\n[metrics.family.pg_locks]\nenabled = false\n",
        "[collector]\ninterval = 10\n[metrics.family.pg_locks]\ninterval = 77\n",
        "[collector]\ninterval = 10\n[metrics.family.pg_stat_statements]\ntop = 77\n",
    };
    _cleanup_(settings_unrefp) SettingsRef *a = load("[collector]\ninterval = 10\n", NULL);
    _cleanup_(settings_unrefp) SettingsRef *b = load("[collector]\ninterval = 10\n[buffer]\nmax_size = 20\n", NULL);
    assert_true(settings_collect_alike(settings_get(a), settings_get(b)));
    for (size_t i = 0; i < ARRAY_LENGTH(OTHERS); i++) {
        _cleanup_(settings_unrefp) SettingsRef *other = load(OTHERS[i], NULL);
        assert_non_null(other);
        if (settings_collect_alike(settings_get(a), settings_get(other)))
            fail_msg("%s", OTHERS[i]);
    }
}

/* A family of the user's own with other keys, one after the other, from the one before. */
static void a_family_with_other_keys_is_another_one(void **state)
{
    (void)state;
    static const char *const OTHERS[][2] = {
        {"", ""},
        {"interval = 7\n", ""},
        {"prometheus = \"shop\"\n", ""},
        {"prometheus = \"shop\"\nprometheus_limit = 5\nprometheus_order = \"open\"\n", ""},
        {"prometheus = \"shop\"\nprometheus_limit = 6\nprometheus_order = \"open\"\n", ""},
        {"prometheus = \"shop\"\nprometheus_limit = 6\nprometheus_order = \"done\"\n", ""},
        {"", "prometheus = \"orders_open\"\n"},
        {"", "prometheus = [\"orders_open\", \"orders\"]\n"},
        {"", "prometheus = \"-\"\n"},
    };
    SettingsRef *before = NULL;
    for (size_t i = 0; i < ARRAY_LENGTH(OTHERS); i++) {
        _cleanup_buf_ Buf text = BUF_INIT;
        buf_printf(&text,
                   "[[family]]\nname = \"shop\"\nhelp = \"h\"\nfrom = \"x\"\n%s"
                   "[[family.column]]\nname = \"done\"\nkind = \"gauge\"\nhelp = \"h\"\n"
                   "[[family.column]]\nname = \"open\"\nkind = \"gauge\"\nhelp = \"h\"\n%s",
                   OTHERS[i][0], OTHERS[i][1]);
        _cleanup_buf_ Buf faults = BUF_INIT;
        _cleanup_(settings_unrefp) SettingsRef *same = load(buf_cstr(&text), NULL);
        SettingsRef *now = load(buf_cstr(&text), &faults);
        if (!now || !same)
            fail_msg("%zu: %s", i, buf_cstr(&faults));
        assert_true(settings_collect_alike(settings_get(same), settings_get(now)));
        if (before && settings_collect_alike(settings_get(before), settings_get(now)))
            fail_msg("%zu is taken for the one before", i);
        settings_unref(before);
        before = now;
    }
    settings_unref(before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SETTINGS_TEST(families_can_be_turned_off_and_paced),
        SETTINGS_TEST(presets),
        SETTINGS_TEST(what_the_backend_says),
        SETTINGS_TEST(families_of_the_users_own),
        SETTINGS_TEST(settings_that_collect_alike),
        SETTINGS_TEST(a_family_with_other_keys_is_another_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
