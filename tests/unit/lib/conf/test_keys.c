/* SPDX-License-Identifier: PostgreSQL */
/* Key tables as a whole: defaults, copies, changes, required keys, faults across keys, secrets in files. */
#include "lib/conf/conf_private.h"
#include "tests/unit/lib/conf/keys_support.h"

static void defaults_fill_an_uninitialised_struct(void **state)
{
    (void)state;
    Settings s;
    memset(&s, 0xAA, sizeof(s));
    conf_keys_init_defaults(&keys, &s);
    assert_string_equal(s.title, "none");
    assert_string_equal(s.name, "");
    assert_string_equal(s.key_file, "/etc/key.pem");
    assert_string_equal(s.token, "");
    assert_true(s.verify);
    assert_int_equal(s.port, 5432);
    assert_int_equal(s.niceness, 0);
    assert_int_equal(s.max_bytes, 256 << 20);
    assert_int_equal(s.quota, 4096);
    assert_int_equal(s.interval, 60 * USEC_PER_SEC);
    assert_int_equal(s.grace, 0);
    assert_int_equal(s.names.count, 2);
    assert_string_equal(s.names.items[0], "a");
    assert_string_equal(s.names.items[1], "b");
    assert_null(s.names.items[2]);
    assert_int_equal(s.hosts.count, 0);
    assert_null(s.hosts.items);
    assert_int_equal(s.mode, MODE_SAFE);
    conf_keys_free(&keys, &s);
    assert_null(s.title);
    assert_null(s.names.items);
    conf_keys_free(&keys, &s);
}

static void a_copy_is_equal_and_its_own(void **state)
{
    (void)state;
    Settings a, b;
    conf_keys_init_defaults(&keys, &a);
    memset(&b, 0xAA, sizeof(b));
    conf_keys_dup(&keys, &b, &a);
    assert_ptr_not_equal(a.title, b.title);
    for (size_t i = 0; i < keys.count; i++)
        assert_true(conf_value_equal(&rows[i], &a, &b));
    conf_keys_free(&keys, &a);
    assert_string_equal(b.title, "none");
    assert_string_equal(b.names.items[1], "b");
    conf_keys_free(&keys, &b);
}

static void note_change(void *arg, const ConfKey *key)
{
    buf_printf(arg, "%s%s ", key->name, key->flags & CONF_RELOADABLE ? "" : "!");
}

static void changes_between_two_structs_are_reported_by_row(void **state)
{
    (void)state;
    Settings a, b;
    conf_keys_init_defaults(&keys, &a);
    conf_keys_dup(&keys, &b, &a);
    b.port = 1;
    b.interval = 1;
    conf_value_store(row("token"), &b, &(ConfValue){.text = SLICE_LIT("new")});
    _cleanup_buf_ Buf changed = BUF_INIT;
    conf_keys_changed(&keys, &a, &b, note_change, &changed);
    assert_string_equal(buf_cstr(&changed), "token! port! interval ");
    conf_keys_free(&keys, &a);
    conf_keys_free(&keys, &b);
}

static void required_keys_that_are_empty_are_faults(void **state)
{
    (void)state;
    Settings s;
    conf_keys_init_defaults(&keys, &s);
    _cleanup_(conf_diags_freep) ConfDiags *all = conf_diags_new();
    conf_keys_check_required(&keys, &s, NULL, "f.toml", all);
    expect_faults(all, "f.toml: [server] name: is required (or set SERVER_NAME in the environment)\n"
                       "f.toml: [server.limits] hosts: is required\n"
                       "environment: ONLY_ENV: is required\n");

    _cleanup_(conf_diags_freep) ConfDiags *one = conf_diags_new();
    conf_diags_set_place(one, &s, row("hosts"), &(ConfPlace){.file = "g.toml", .line = 4, .column = 2});
    conf_keys_check_required(&keys, &s, "server.limits", "f.toml", one);
    expect_faults(one, "g.toml:4:2: [server.limits] hosts: is required\n");

    conf_value_store(row("name"), &s, &(ConfValue){.text = SLICE_LIT("x")});
    _cleanup_(conf_diags_freep) ConfDiags *none = conf_diags_new();
    conf_keys_check_required(&keys, &s, "server", "f.toml", none);
    assert_int_equal(conf_diags_count(none), 0);
    conf_keys_free(&keys, &s);
}

static void faults_across_keys_point_to_where_the_key_was_given(void **state)
{
    (void)state;
    Settings s;
    conf_keys_init_defaults(&keys, &s);
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    conf_diags_set_place(d, &s, row("port"), &(ConfPlace){.file = "g.toml", .line = 4, .column = 2});
    conf_diags_set_place(d, &s, row("name"), &(ConfPlace){.file = "environment", .environment = true});
    assert_true(conf_keys_given(&keys, &s, &s.port, d));
    assert_false(conf_keys_given(&keys, &s, &s.mode, d));

    conf_value_store(row("token"), &s, &(ConfValue){.text = SLICE_LIT("s3cret!!")});
    conf_keys_fault(&keys, &s, &s.port, "f.toml", d, "pick another", "is taken by %s", "ssh");
    conf_keys_fault(&keys, &s, &s.mode, "f.toml", d, NULL, "does not go with it");
    conf_keys_fault(&keys, &s, &s.name, "f.toml", d, NULL, "is empty");
    conf_keys_fault(&keys, &s, &s.token, "f.toml", d, NULL, "is too simple");
    conf_keys_fault(&keys, &s, &s.only_env, "f.toml", d, NULL, "is missing");
    expect_faults(d, "g.toml:4:2: [server] port = 5432: is taken by ssh (pick another)\n"
                     "f.toml: [server.limits] mode = safe: does not go with it\n"
                     "environment: SERVER_NAME: is empty\n"
                     "f.toml: [server] token: is too simple\n"
                     "environment: ONLY_ENV: is missing\n");
    conf_keys_free(&keys, &s);
}

static void apply_file(Slice content, const char *expected_value, const char *expected_fault)
{
    TempFile file = write_file(content);
    Settings s;
    conf_keys_init_defaults(&keys, &s);
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    const ConfSpot spot = {.place = {.file = "f"}, .name = {"", "TOKEN_FILE"}, .diags = d};
    conf_apply_secret_file(&spot, row("token"), &s, file.path);
    assert_string_equal(s.token, expected_value);
    _cleanup_buf_ Buf text = BUF_INIT;
    conf_diags_print(d, &text);
    if (expected_fault ? !strstr(buf_cstr(&text), expected_fault) : text.len > 0)
        fail_msg("got %s, expected %s", buf_cstr(&text), expected_fault);
    conf_keys_free(&keys, &s);
    remove_file(&file);
}

static void secrets_are_read_from_files(void **state)
{
    (void)state;
    apply_file(SLICE_LIT("s3cret!!"), "s3cret!!", NULL);
    apply_file(SLICE_LIT(" s3cret!! \r\n\n"), " s3cret!! ", NULL);
    apply_file(SLICE_LIT("\xff\xfe\x01\x02\x03\x04\x05\x06"), "\xff\xfe\x01\x02\x03\x04\x05\x06", NULL);
    apply_file(SLICE_LIT("\n"), "", "f: TOKEN_FILE: the file is empty (/tmp/pga-conf-");
    apply_file(SLICE_LIT("short"), "", "f: TOKEN_FILE: must be a string of at least 8 bytes\n");
    apply_file(SLICE_LIT("nul\0byte"), "", "f: TOKEN_FILE: must not hold a NUL character\n");

    _cleanup_buf_ Buf large = BUF_INIT;
    for (size_t i = 0; i < (64 << 10) + 1; i++)
        buf_append_char(&large, 'x');
    apply_file(buf_slice(&large), "", "f: TOKEN_FILE: ");
}

static void a_secret_file_that_is_absent_is_a_fault(void **state)
{
    (void)state;
    Settings s;
    conf_keys_init_defaults(&keys, &s);
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    const ConfSpot spot = {.place = {.file = "f"}, .name = {"server", "token_file"}, .diags = d};
    conf_apply_secret_file(&spot, row("token"), &s, "/nonexistent/token");
    assert_int_equal(conf_diags_count(d), 1);
    assert_non_null(strstr(conf_diags_at(d, 0)->message, "/nonexistent/token"));
    conf_keys_free(&keys, &s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_fill_an_uninitialised_struct),
        cmocka_unit_test(a_copy_is_equal_and_its_own),
        cmocka_unit_test(changes_between_two_structs_are_reported_by_row),
        cmocka_unit_test(required_keys_that_are_empty_are_faults),
        cmocka_unit_test(faults_across_keys_point_to_where_the_key_was_given),
        cmocka_unit_test(secrets_are_read_from_files),
        cmocka_unit_test(a_secret_file_that_is_absent_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
