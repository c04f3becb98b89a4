/* SPDX-License-Identifier: PostgreSQL */
/* Environment variables into settings: types, faults, secrets and their files, what counts as given. */
#include "tests/unit/lib/conf/keys_support.h"

static void apply(const char *const *environment, Settings *s, ConfDiags *d)
{
    conf_keys_init_defaults(&keys, s);
    const ConfSource source = conf_source_environment(environment);
    conf_keys_apply_environment(&keys, s, &source, d);
}

static void variables_are_applied(void **state)
{
    (void)state;
    static const char *const environment[] = {
        "SERVER_NAME=n", "KEY_FILE=/k", "TOKEN=s3cret!!", "VERIFY=off",  "PORT=1",   "MAX_BYTES=1GB",  "INTERVAL=2m",
        "NAMES=x, y",    "MODE=fast",   "ONLY_ENV= a=b ", "PORTABLE=no", "title=no", "NO_EQUALS_SIGN", NULL};
    Settings s;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    apply(environment, &s, d);
    expect_faults(d, "");
    assert_string_equal(s.name, "n");
    assert_string_equal(s.key_file, "/k");
    assert_string_equal(s.token, "s3cret!!");
    assert_false(s.verify);
    assert_int_equal(s.port, 1);
    assert_int_equal(s.max_bytes, 1 << 30);
    assert_int_equal(s.interval, 120 * USEC_PER_SEC);
    assert_int_equal(s.names.count, 2);
    assert_string_equal(s.names.items[1], "y");
    assert_int_equal(s.mode, MODE_FAST);
    assert_string_equal(s.only_env, " a=b ");
    assert_string_equal(s.title, "none");
    assert_true(conf_keys_given(&keys, &s, &s.port, d));
    conf_keys_free(&keys, &s);
}

static void empty_variables_count_as_not_given(void **state)
{
    (void)state;
    static const char *const environment[] = {"PORT=", "TOKEN=", "TOKEN_FILE=", "KEY_FILE=", NULL};
    Settings s;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    apply(environment, &s, d);
    expect_faults(d, "");
    assert_int_equal(s.port, 5432);
    assert_string_equal(s.key_file, "/etc/key.pem");
    assert_false(conf_keys_given(&keys, &s, &s.port, d));
    assert_false(conf_keys_given(&keys, &s, &s.token, d));
    conf_keys_free(&keys, &s);
}

static void no_environment_changes_nothing(void **state)
{
    (void)state;
    Settings s;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    apply(NULL, &s, d);
    expect_faults(d, "");
    assert_int_equal(s.port, 5432);
    conf_keys_free(&keys, &s);
}

static void all_faults_are_collected_under_the_name_of_the_variable(void **state)
{
    (void)state;
    static const char *const environment[] = {
        "SERVER_NAME=\xff", "TOKEN=hunter2", "VERIFY=maybe", "PORT=0",        "MAX_BYTES=elephant",
        "NAMES=,",          "MODE=sfe",      "INTERVAL=2d",  "KEY_FILE=\xff", NULL};
    Settings s;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    apply(environment, &s, d);
    expect_faults(d, "environment: SERVER_NAME: must be valid UTF-8\n"
                     "environment: TOKEN: must be a string of at least 8 bytes\n"
                     "environment: VERIFY = maybe: must be true or false\n"
                     "environment: PORT = 0: must be an integer from 1 to 65535\n"
                     "environment: MAX_BYTES = elephant: must be a size from 1MB to 1TB, such as 64kB, 256MB or 1GB\n"
                     "environment: INTERVAL = 2d: must be a duration from 1s to 1d, such as 90 or 90s, 15m, 2h, 14d\n"
                     "environment: NAMES = ,: must be a list of strings, 1 to 3 of them\n"
                     "environment: MODE = sfe: must be one of fast, safe, off (did you mean \"safe\"?)\n");
    assert_string_equal(s.key_file, "\xff"); /* a path may be any bytes */
    assert_int_equal(s.port, 5432);
    assert_string_equal(s.name, "");
    conf_keys_free(&keys, &s);
}

static void a_secret_may_come_from_a_file_but_not_from_both(void **state)
{
    (void)state;
    TempFile file = write_file(SLICE_LIT("from the file\n"));
    char variable[80];
    (void)snprintf(variable, sizeof(variable), "TOKEN_FILE=%s", file.path);
    const char *const by_file[] = {variable, NULL};
    const char *const by_both[] = {variable, "TOKEN=from the text", NULL};
    const char *const absent[] = {"TOKEN_FILE=/nonexistent/token", NULL};

    Settings s;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    apply(by_file, &s, d);
    expect_faults(d, "");
    assert_string_equal(s.token, "from the file");
    assert_true(conf_keys_given(&keys, &s, &s.token, d));
    conf_keys_free(&keys, &s);

    apply(by_both, &s, d);
    expect_faults(d, "environment: TOKEN_FILE: the secret itself is given, too (give only one of them)\n");
    assert_string_equal(s.token, "");
    conf_keys_free(&keys, &s);

    apply(absent, &s, d);
    assert_int_equal(conf_diags_count(d), 2);
    assert_string_equal(conf_diags_at(d, 1)->key, "TOKEN_FILE");
    conf_keys_free(&keys, &s);
    remove_file(&file);
}

static void the_environment_wins_over_the_file(void **state)
{
    (void)state;
    _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
    assert_int_equal(toml_parse(SLICE_LIT("[server]\nport = 1\nname = 'x'\n"), NULL, &doc, NULL), 0);
    static const char *const environment[] = {"PORT=2", NULL};
    Settings s;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    conf_keys_init_defaults(&keys, &s);
    conf_keys_apply_toml(&keys, &s, toml_root(doc), "f", d);
    const ConfSource source = conf_source_environment(environment);
    conf_keys_apply_environment(&keys, &s, &source, d);
    assert_int_equal(s.port, 2);
    conf_keys_fault(&keys, &s, &s.port, "f", d, NULL, "is taken");
    conf_keys_fault(&keys, &s, &s.name, "f", d, NULL, "is taken");
    expect_faults(d, "environment: PORT = 2: is taken\nf:3:8: [server] name = x: is taken\n");
    conf_keys_free(&keys, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_applied),
        cmocka_unit_test(empty_variables_count_as_not_given),
        cmocka_unit_test(no_environment_changes_nothing),
        cmocka_unit_test(all_faults_are_collected_under_the_name_of_the_variable),
        cmocka_unit_test(a_secret_may_come_from_a_file_but_not_from_both),
        cmocka_unit_test(the_environment_wins_over_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
