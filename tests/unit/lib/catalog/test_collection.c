/* SPDX-License-Identifier: PostgreSQL */
/* Documents from afar: what they may say, and that every fault is told with its place. */
#include "lib/catalog/collection.h"

#include "tests/support/unit.h"

#define OWN                                                                                                            \
    "[[family]]\nname = \"shop\"\nhelp = \"h\"\n[[family.query]]\nsql = \"select 1 as open\"\n"                        \
    "[[family.column]]\nname = \"open\"\nkind = \"gauge\"\nhelp = \"h\"\n"

static void assert_faults(const char *text, const char *expected)
{
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_buf_ Buf printed = BUF_INIT;
    collection_check(slice_cstr(text), "doc", diags);
    conf_diags_print(diags, &printed);
    if (strcmp(buf_cstr(&printed), expected) != 0)
        fail_msg("of\n%s\nexpected\n%s\nfound\n%s", text, expected, buf_cstr(&printed));
}

static void documents_without_fault(void **state UNUSED)
{
    static const char *const GOOD[] = {
        "",
        "[collector]\ninterval = 30\n",
        "[metrics]\npreset = \"minimal\"\nenable_replication = false\n",
        "[metrics.family.pg_locks]\nenabled = false\n[metrics.family.pg_stat_database]\ninterval = \"5m\"\n",
        "[metrics.family.shop]\ninterval = 5\n" OWN,
    };
    for (size_t i = 0; i < ARRAY_LENGTH(GOOD); i++)
        assert_faults(GOOD[i], "");
}

static void all_faults_are_told_at_once(void **state UNUSED)
{
    assert_faults(
        "[collector]\ninterval = 0\n[metrics]\npreset = \"all\"\n[metrics.family.pg_lock]\nenabled = 1\n",
        "doc:2:12: [collector] interval = 0: must be a duration from 1s to 1h, such as 90 or 90s, 15m, 2h, 14d\n"
        "doc:4:10: [metrics] preset = \"all\": must be one of standard, minimal, full\n"
        "doc:5:17: [metrics.family] pg_lock: no such metric family (did you mean pg_locks?)\n");
}

static void how_things_are_reached_is_not_said_from_afar(void **state UNUSED)
{
    static const char *const FORBIDDEN[] = {
        "[collector]\nstate_dir = \"/tmp\"\n", "[collector]\nid = \"x\"\n",        "[backend]\nurl = \"https://x\"\n",
        "[security]\njwt_token = \"x\"\n",     "[postgres]\nhost = \"x\"\n",       "[metrics]\ndirectory = \"/etc\"\n",
        "[buffer]\nmax_size = 10\n",           "[logs]\npath = \"/etc/passwd\"\n",
    };
    for (size_t i = 0; i < ARRAY_LENGTH(FORBIDDEN); i++) {
        _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
        collection_check(slice_cstr(FORBIDDEN[i]), "doc", diags);
        if (conf_diags_count(diags) == 0)
            fail_msg("allowed: %s", FORBIDDEN[i]);
    }
}

static void own_families_are_checked(void **state UNUSED)
{
    assert_faults("family = 5\n", "doc:1:10: [family]: must be 1 to 64 tables, [[family]]\n");
    assert_faults("[[family]]\nname = \"pg_locks\"\nhelp = \"h\"\nfrom = \"x\"\n[[family.column]]\nname = \"a\"\n"
                  "kind = \"gauge\"\nhelp = \"h\"\n",
                  "doc:2:1: [[family]] 1: there is a family pg_locks already\n");
    assert_faults("[[family]]\nname = \"a\"\nhelp = \"h\"\nscope = \"host\"\n[[family.column]]\nname = \"a\"\n"
                  "kind = \"gauge\"\nhelp = \"h\"\n",
                  "doc:2:1: [[family]] 1: scope \"host\" is for built-in families: their code is the collector's\n");
    assert_faults("[[family]]\nname = \"a\"\nhelp = \"h\"\nfrom = \"x\"\nbefore = \"do $$ begin commit; end $$\"\n"
                  "[[family.column]]\nname = \"a\"\nkind = \"gauge\"\nhelp = \"h\"\n",
                  "doc:2:1: [[family]] 1: before is for built-in families\n");
    assert_faults("[[family]]\nname = \"a\"\nhelp = \"h\"\nfrom = \"x\"\nwhen = \"true\"\n"
                  "[[family.column]]\nname = \"a\"\nkind = \"gauge\"\nhelp = \"h\"\n",
                  "doc:2:1: [[family]] 1: when is for built-in families\n");
    assert_faults("[[family]]\nname = \"a\"\nhelp = \"h\"\nfrom = \"x\"\nrow_id = \"1\"\nrow_state = \"a\"\n"
                  "[[family.column]]\nname = \"l\"\nkind = \"label\"\n"
                  "[[family.column]]\nname = \"a\"\nkind = \"gauge\"\nhelp = \"h\"\n",
                  "doc:2:1: [[family]] 1: row_id is for built-in families\n");
    assert_faults("[[family]]\nname = \"a\"\nhelp = \"h\"\n[[family.query]]\nsql = \"select 1; commit\"\n"
                  "[[family.column]]\nname = \"a\"\nkind = \"gauge\"\nhelp = \"h\"\n",
                  "doc:5:7: [[family]] 1: sql holds a semicolon: it is one statement, without one at the end\n");
}

static void a_later_document_stands_above_an_earlier_one(void **state UNUSED)
{
    static const char *const TEXTS[] = {
        "[metrics.family.a]\nenabled = false\ninterval = 5\n[metrics.family.b]\ninterval = 6\n",
        "[metrics.family.a]\ninterval = 7\n[metrics.family.c]\nenabled = true\n"};
    FamilySettingsList list = {0};
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    for (size_t i = 0; i < ARRAY_LENGTH(TEXTS); i++) {
        _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
        assert_int_equal(toml_parse(slice_cstr(TEXTS[i]), NULL, &doc, NULL), 0);
        collection_read_families(&list, NULL, toml_root(doc), "doc", diags);
    }
    assert_int_equal(conf_diags_count(diags), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.items[0].name, "a");
    assert_true(list.items[0].enabled_given && !list.items[0].enabled);
    assert_true(list.items[0].interval == 7 * USEC_PER_SEC && list.items[1].interval == 6 * USEC_PER_SEC);
    assert_true(list.items[2].enabled_given && list.items[2].enabled && !list.items[1].enabled_given);
    collection_free_families(&list);
}

static void the_minimal_preset_names_families_that_there_are(void **state UNUSED)
{
    _cleanup_(catalog_freep) Catalog *catalog = NULL;
    size_t count = 0;
    assert_int_equal(catalog_new_builtin(&catalog, NULL), 0);
    for (size_t i = 0; i < catalog_count(catalog); i++)
        count += collection_is_minimal(catalog_at(catalog, i));
    assert_int_equal(count, 14);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_without_fault),
        cmocka_unit_test(all_faults_are_told_at_once),
        cmocka_unit_test(how_things_are_reached_is_not_said_from_afar),
        cmocka_unit_test(own_families_are_checked),
        cmocka_unit_test(a_later_document_stands_above_an_earlier_one),
        cmocka_unit_test(the_minimal_preset_names_families_that_there_are),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
