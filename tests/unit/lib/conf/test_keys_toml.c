/* SPDX-License-Identifier: PostgreSQL */
/* A TOML document into settings: every type, every fault with its place, unknown keys, repeated sections. */
#include "tests/unit/lib/conf/keys_support.h"

static TomlDoc *parse(const char *text)
{
    TomlDoc *doc = NULL;
    Err err = ERR_INIT;
    if (toml_parse(slice_cstr(text), NULL, &doc, &err) < 0)
        fail_msg("%u:%u: %s in\n%s", err.line, err.column, err.detail, text);
    return doc;
}

/* Applies @text to defaults; the caller frees the settings. */
static void apply(const char *text, Settings *s, ConfDiags *d)
{
    _cleanup_(toml_doc_freep) TomlDoc *doc = parse(text);
    conf_keys_init_defaults(&keys, s);
    conf_keys_apply_toml(&keys, s, toml_root(doc), "f", d);
}

static void every_type_is_applied(void **state)
{
    (void)state;
    Settings s;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    apply("title = 't'\n[server]\nname = 'n'\nkey_file = '/k'\ntoken = 's3cret!!'\nverify = false\nport = 1\n"
          "niceness = -20\nworkers = 4294967295\n[server.limits]\nmax_bytes = '1GB'\nquota = 0\ninterval = 90\n"
          "grace = 0.25\nnames = ['x', 'y,z']\nhosts = []\nmode = 'Off'\nnote = 'abcd'\n",
          &s, d);
    expect_faults(d, "");
    assert_string_equal(s.title, "t");
    assert_string_equal(s.name, "n");
    assert_string_equal(s.key_file, "/k");
    assert_string_equal(s.token, "s3cret!!");
    assert_false(s.verify);
    assert_int_equal(s.port, 1);
    assert_int_equal(s.niceness, -20);
    assert_int_equal(s.workers, UINT32_MAX);
    assert_int_equal(s.max_bytes, 1 << 30);
    assert_int_equal(s.quota, 0);
    assert_int_equal(s.interval, 90 * USEC_PER_SEC);
    assert_int_equal(s.grace, 250 * USEC_PER_MSEC);
    assert_int_equal(s.names.count, 2);
    assert_string_equal(s.names.items[1], "y,z");
    assert_int_equal(s.mode, MODE_OFF);
    assert_string_equal(s.note, "abcd");
    assert_true(conf_keys_given(&keys, &s, &s.port, d));
    assert_false(conf_keys_given(&keys, &s, &s.big, d));
    conf_keys_free(&keys, &s);
}

static void durations_and_sizes_are_also_texts(void **state)
{
    (void)state;
    Settings s;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    apply("[server.limits]\nmax_bytes = 2097152\ninterval = '15m'\n", &s, d);
    expect_faults(d, "");
    assert_int_equal(s.max_bytes, 2 << 20);
    assert_int_equal(s.interval, 900 * USEC_PER_SEC);
    conf_keys_free(&keys, &s);
}

static void expect_one(const char *text, const char *expected)
{
    Settings s, defaults;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    apply(text, &s, d);
    expect_faults(d, expected);
    /* What is at fault leaves the setting as it was. */
    conf_keys_init_defaults(&keys, &defaults);
    assert_int_equal(s.port, defaults.port);
    assert_int_equal(s.interval, defaults.interval);
    assert_int_equal(s.mode, defaults.mode);
    assert_string_equal(s.name, defaults.name);
    assert_string_equal(s.token, defaults.token);
    assert_int_equal(s.names.count, defaults.names.count);
    conf_keys_free(&keys, &s);
    conf_keys_free(&keys, &defaults);
}

#define DURATION "a duration from 1s to 1d, such as 90 or 90s, 15m, 2h, 14d"
#define SIZE     "a size from 1MB to 1TB, such as 64kB, 256MB or 1GB"

static void faults_name_place_value_and_what_is_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"title = 1", "f:1:9: title = 1: must be a string, not an integer\n"},
        {"title = 1.5", "f:1:9: title = 1.5: must be a string, not a float\n"},
        {"title = true", "f:1:9: title = true: must be a string, not a boolean\n"},
        {"title = false", "f:1:9: title = false: must be a string, not a boolean\n"},
        {"title = []", "f:1:9: title: must be a string, not an array\n"},
        {"[title]", "f:1:2: title: must be a string, not a table\n"},
        {"title = 2000-01-01", "f:1:9: title: must be a string, not a local date\n"},
        {"title = 'a\\b'\nserver.name = \"\"", "f:2:15: [server] name = \"\": must be a string of 1 to 12 bytes\n"},
        {"[server]\nname = \"a\\nb\\u0000\"", "f:2:8: [server] name: must not hold a NUL character\n"},
        {"[server]\nname = \"much too long\"",
         "f:2:8: [server] name = \"much too long\": must be a string of 1 to 12 bytes\n"},
        {"[server]\nverify = 'yes'", "f:2:10: [server] verify = \"yes\": must be true or false, not a string\n"},
        {"[server]\nport = 0", "f:2:8: [server] port = 0: must be an integer from 1 to 65535\n"},
        {"[server]\nport = 65536", "f:2:8: [server] port = 65536: must be an integer from 1 to 65535\n"},
        {"[server]\nport = '5432'",
         "f:2:8: [server] port = \"5432\": must be an integer from 1 to 65535, not a string\n"},
        {"[server]\nport = 1.0", "f:2:8: [server] port = 1: must be an integer from 1 to 65535, not a float\n"},
        {"[server.limits]\nmax_bytes = -1", "f:2:13: [server.limits] max_bytes = -1: must be " SIZE "\n"},
        {"[server.limits]\nmax_bytes = '1 elephant'",
         "f:2:13: [server.limits] max_bytes = \"1 elephant\": must be " SIZE "\n"},
        {"[server.limits]\nmax_bytes = 1.5",
         "f:2:13: [server.limits] max_bytes = 1.5: must be " SIZE ", not a float\n"},
        {"[server.limits]\nquota = -1",
         "f:2:9: [server.limits] quota = -1: must be a size, such as 64kB, 256MB or 1GB\n"},
        {"[server.limits]\ninterval = 0", "f:2:12: [server.limits] interval = 0: must be " DURATION "\n"},
        {"[server.limits]\ninterval = 9223372036854775807",
         "f:2:12: [server.limits] interval = 9223372036854775807: must be " DURATION "\n"},
        {"[server.limits]\ninterval = 1e300", "f:2:12: [server.limits] interval = 1e+300: must be " DURATION "\n"},
        {"[server.limits]\ninterval = nan", "f:2:12: [server.limits] interval = NaN: must be " DURATION "\n"},
        {"[server.limits]\ngrace = 1e300",
         "f:2:9: [server.limits] grace = 1e+300: must be a duration, such as 90 or 90s, 15m, 2h, 14d\n"},
        {"[server.limits]\ngrace = nan",
         "f:2:9: [server.limits] grace = NaN: must be a duration, such as 90 or 90s, 15m, 2h, 14d\n"},
        {"[server.limits]\ngrace = -1.5",
         "f:2:9: [server.limits] grace = -1.5: must be a duration, such as 90 or 90s, 15m, 2h, 14d\n"},
        {"[server.limits]\ninterval = 'soon'", "f:2:12: [server.limits] interval = \"soon\": must be " DURATION "\n"},
        {"[server.limits]\ninterval = true",
         "f:2:12: [server.limits] interval = true: must be " DURATION ", not a boolean\n"},
        {"[server.limits]\nnames = 'x'",
         "f:2:9: [server.limits] names = \"x\": must be a list of strings, 1 to 3 of them, not a string\n"},
        {"[server.limits]\nnames = ['x', 1]",
         "f:2:9: [server.limits] names: must be a list of strings, 1 to 3 of them, not an array of other things\n"},
        {"[server.limits]\nnames = []", "f:2:9: [server.limits] names: must be a list of strings, 1 to 3 of them\n"},
        {"[server.limits]\nnames = [\"\\u0000\"]", "f:2:9: [server.limits] names: must not hold a NUL character\n"},
        {"[server.limits]\nmode = 'sfae'",
         "f:2:8: [server.limits] mode = \"sfae\": must be one of fast, safe, off (did you mean \"safe\"?)\n"},
        {"[server.limits]\nmode = 'whatever'",
         "f:2:8: [server.limits] mode = \"whatever\": must be one of fast, safe, off\n"},
        {"[server.limits]\nmode = 1",
         "f:2:8: [server.limits] mode = 1: must be one of fast, safe, off, not an integer\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        expect_one(cases[i].text, cases[i].expected);
}

static void secrets_are_never_shown(void **state)
{
    (void)state;
    expect_one("[server]\ntoken = 'hunter2'", "f:2:9: [server] token: must be a string of at least 8 bytes\n");
    expect_one("[server]\ntoken = 12345678",
               "f:2:9: [server] token: must be a string of at least 8 bytes, not an integer\n");
    expect_one("[server]\ntokn = 'hunter2hunter2'", "f:2:1: [server] tokn: unknown key (did you mean \"token\"?)\n");
}

static void unknown_keys_name_the_nearest_known_one(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"titel = 1", "f:1:1: titel: unknown key (did you mean \"title\"?)\n"},
        {"[server]\n  prot = 1", "f:2:3: [server] prot: unknown key (did you mean \"port\"?)\n"},
        {"[server]\nelephants = 1", "f:2:1: [server] elephants: unknown key\n"},
        {"[server]\nintervall = 1", "f:2:1: [server] intervall: unknown key\n"}, /* another table has the near one */
        {"[servre]\nport = 1", "f:1:2: servre: unknown table (did you mean \"server\"?)\n"},
        {"[server.limts]", "f:1:9: [server] limts: unknown table (did you mean \"limits\"?)\n"},
        {"[server]\ntoken_fil = 'x'", "f:2:1: [server] token_fil: unknown key (did you mean \"token_file\"?)\n"},
        {"[elephants]", "f:1:2: elephants: unknown table\n"},
        {"[postgers]", "f:1:2: postgers: unknown table (did you mean \"postgres\"?)\n"},
        {"[metrics.famly]", "f:1:10: [metrics] famly: unknown table (did you mean \"family\"?)\n"},
        {"[metrics]\nport = 1", "f:2:1: [metrics] port: unknown key (it belongs in [server])\n"},
        {"port = 1", "f:1:1: port: unknown key (it belongs in [server])\n"},
        {"[port]", "f:1:2: port: unknown table\n"},
        {"[server]\ntitle = 'x'", "f:2:1: [server] title: unknown key (it belongs before the first table)\n"},
        {"[server.limits]\nnot = 1\n", "f:2:1: [server.limits] not: unknown key\n"}, /* "note" is hidden */
        {"server = 1", "f:1:1: [server]: must be a table\n"},
        {"server = []", "f:1:1: [server]: must be a table\n"},
        {"server = [1, 2]", "f:1:1: [server]: must be a table\n"},
        {"[[server]]\nport = 5432\n[[server]]", "f:3:3: [server]: there can be only one such table\n"},
        {"\"a\\nb\" = 1", "f:1:1: a\\nb: unknown key\n"},
        {"\"server.limits\" = 1", "f:1:1: server.limits: unknown key\n"},
        {"\"server\\u0000\" = {}", "f:1:1: server: unknown table (did you mean \"server\"?)\n"},
        {"\"\" = 1", "f:1:1: unknown key\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        expect_one(cases[i].text, cases[i].expected);
}

static void all_faults_are_collected(void **state)
{
    (void)state;
    expect_one("x = 1\n[server]\nport = 'a'\nname = 1\n[server.limits]\nmode = 'b'\n[y]\n",
               "f:1:1: x: unknown key\n"
               "f:3:8: [server] port = \"a\": must be an integer from 1 to 65535, not a string\n"
               "f:4:8: [server] name = 1: must be a string of 1 to 12 bytes, not an integer\n"
               "f:6:8: [server.limits] mode = \"b\": must be one of fast, safe, off\n"
               "f:7:2: y: unknown table\n");
}

static void tables_of_the_caller_are_left_alone(void **state)
{
    (void)state;
    expect_one("[postgres]\nwhat = 'ever'\n[metrics.family.x]\ny = 1\n", "");
    expect_one("[[postgres]]\n[[postgres]]\n[metrics]\n", "");
}

static void a_single_element_array_serves_as_a_section(void **state)
{
    (void)state;
    Settings s;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    apply("[[server]]\nport = 7\n[[server.limits]]\nquota = 8\n", &s, d);
    expect_faults(d, "");
    assert_int_equal(s.port, 7);
    assert_int_equal(s.quota, 8);
    conf_keys_free(&keys, &s);
}

static void repeated_sections_are_applied_one_by_one(void **state)
{
    (void)state;
    _cleanup_(toml_doc_freep) TomlDoc *doc =
        parse("[[server]]\nport = 1\n[[server]]\nport = 0\nlimits.x = 1\n[[metrics.family]]\n[a]\nb = 1\nc = [1]\n");
    const TomlTable *root = toml_root(doc);
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    assert_int_equal(conf_section_count(root, "server"), 2);
    for (size_t i = 0; i < 2; i++) {
        Settings s;
        char label[32];
        (void)snprintf(label, sizeof(label), "server #%zu", i + 1);
        conf_keys_init_defaults(&keys, &s);
        conf_keys_apply_table(&keys, &s, conf_section_at(root, "server", i), "server", label, "f", d);
        assert_int_equal(s.port, i == 0 ? 1 : 5432);
        conf_keys_free(&keys, &s);
    }
    expect_faults(d, "f:4:8: [server #2] port = 0: must be an integer from 1 to 65535\n"
                     "f:5:8: [server #2.limits] x: unknown key\n");

    assert_int_equal(conf_section_count(root, "metrics.family"), 1);
    assert_int_equal(conf_section_count(root, "metrics"), 1);
    assert_ptr_equal(conf_section_at(root, "metrics", 0), toml_table_get_table(root, "metrics"));
    assert_int_equal(conf_section_count(root, "absent"), 0);
    assert_int_equal(conf_section_count(root, "absent.x"), 0);
    assert_int_equal(conf_section_count(root, "server.x"), 0);
    assert_int_equal(conf_section_count(root, "a.b"), 0);
    assert_int_equal(conf_section_count(root, "a.c"), 0);
    assert_int_equal(conf_section_count(root, "a.b.c"), 0);
}

static void one_table_is_applied_under_its_own_name(void **state)
{
    (void)state;
    _cleanup_(toml_doc_freep) TomlDoc *doc = parse("port = 0");
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    Settings s;
    conf_keys_init_defaults(&keys, &s);
    conf_keys_apply_table(&keys, &s, toml_root(doc), "server", NULL, "f", d);
    expect_faults(d, "f:1:8: [server] port = 0: must be an integer from 1 to 65535\n");
    conf_keys_free(&keys, &s);
}

static void a_secret_file_wins_over_the_value_beside_it(void **state)
{
    (void)state;
    TempFile file = write_file(SLICE_LIT("from the file\n"));
    static const char *const forms[] = {"[server]\ntoken_file = '%s'\ntoken = 'from the text'\n",
                                        "[server]\ntoken = 'from the text'\ntoken_file = '%s'\n",
                                        "[server]\ntoken_file = '%s'\n"};
    for (size_t i = 0; i < ARRAY_LENGTH(forms); i++) {
        _cleanup_buf_ Buf text = BUF_INIT;
        Slice form = slice_cstr(forms[i]);
        ptrdiff_t at = slice_find(form, SLICE_LIT("%s"));
        buf_append(&text, slice_from(form.ptr, (size_t)at));
        buf_append_cstr(&text, file.path);
        buf_append(&text, slice_skip(form, (size_t)at + 2));
        Settings s;
        _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
        apply(buf_cstr(&text), &s, d);
        expect_faults(d, "");
        assert_string_equal(s.token, "from the file");
        assert_true(conf_keys_given(&keys, &s, &s.token, d));
        conf_keys_free(&keys, &s);
    }
    remove_file(&file);
}

static void an_empty_secret_file_name_counts_as_not_given(void **state)
{
    (void)state;
    Settings s;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    apply("[server]\ntoken = 'from the text'\ntoken_file = ''\n", &s, d);
    expect_faults(d, "");
    assert_string_equal(s.token, "from the text");
    conf_keys_free(&keys, &s);
    expect_one("[server]\ntoken_file = 1\n", "f:2:14: [server] token_file: must be a path, not an integer\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_applied),
        cmocka_unit_test(durations_and_sizes_are_also_texts),
        cmocka_unit_test(faults_name_place_value_and_what_is_allowed),
        cmocka_unit_test(secrets_are_never_shown),
        cmocka_unit_test(unknown_keys_name_the_nearest_known_one),
        cmocka_unit_test(all_faults_are_collected),
        cmocka_unit_test(tables_of_the_caller_are_left_alone),
        cmocka_unit_test(a_single_element_array_serves_as_a_section),
        cmocka_unit_test(repeated_sections_are_applied_one_by_one),
        cmocka_unit_test(one_table_is_applied_under_its_own_name),
        cmocka_unit_test(a_secret_file_wins_over_the_value_beside_it),
        cmocka_unit_test(an_empty_secret_file_name_counts_as_not_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
