/* SPDX-License-Identifier: PostgreSQL */
/* The list of faults: form of a line, printable texts, the bound, the summary. */
#include "lib/conf/conf_private.h"
#include "tests/unit/lib/conf/keys_support.h"

static void a_line_leaves_out_what_is_absent(void **state)
{
    (void)state;
    static const struct {
        ConfDiag diag;
        const char *line;
    } cases[] = {
        {{"f.toml", 3, 9, "backend", "url", "\"x\"", "must be good", "see the docs"},
         "f.toml:3:9: [backend] url = \"x\": must be good (see the docs)\n"},
        {{"f.toml", 3, 9, "backend", "url", NULL, "is required", NULL}, "f.toml:3:9: [backend] url: is required\n"},
        {{"f.toml", 3, 0, "", "title", NULL, "unknown key", ""}, "f.toml:3: title: unknown key\n"},
        {{"f.toml", 0, 0, "backend", NULL, NULL, "must be a table", NULL}, "f.toml: [backend]: must be a table\n"},
        {{"environment", 0, 0, NULL, "PORT", "x", "must be an integer", NULL},
         "environment: PORT = x: must be an integer\n"},
        {{NULL, 0, 0, NULL, NULL, NULL, "nothing works", NULL}, "nothing works\n"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
        conf_diags_add(d, &cases[i].diag);
        expect_faults(d, cases[i].line);
    }
}

static void texts_are_copied_and_made_printable(void **state)
{
    (void)state;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    char key[] = "a\nb\x1b[2J";
    conf_diags_add(d, &(ConfDiag){.file = "f", .key = key, .value = "\xff\x7f", .message = "m\tn \xc3\xa4"});
    memset(key, 'x', sizeof(key) - 1);
    expect_faults(d, "f: a\\nb\\x1b[2J = ?\\x7f: m\\x09n \xc3\xa4\n");
    assert_int_equal(conf_diags_count(d), 1);
    assert_string_equal(conf_diags_at(d, 0)->key, "a\\nb\\x1b[2J");
}

static void long_texts_are_cut_at_a_character(void **state)
{
    (void)state;
    _cleanup_buf_ Buf value = BUF_INIT;
    buf_append_char(&value, 'x');
    for (int i = 0; i < 100; i++)
        buf_append_cstr(&value, "\xc3\xa4"); /* byte 80 is in the middle of one */
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    conf_diags_add(d, &(ConfDiag){.value = buf_cstr(&value), .message = "m"});
    const char *shown = conf_diags_at(d, 0)->value;
    assert_int_equal(strlen(shown), 79 + 3);
    assert_true(slice_is_utf8(slice_cstr(shown)));
    assert_true(slice_ends_with(slice_cstr(shown), SLICE_LIT("\xc3\xa4...")));
}

static void beyond_the_bound_faults_are_only_counted(void **state)
{
    (void)state;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    for (int i = 0; i < CONF_DIAGS_MAX + 5; i++)
        conf_diags_add(d, &(ConfDiag){.message = "m"});
    assert_int_equal(conf_diags_count(d), CONF_DIAGS_MAX);
    _cleanup_buf_ Buf text = BUF_INIT;
    conf_diags_print(d, &text);
    assert_true(slice_ends_with(buf_slice(&text), SLICE_LIT("m\n5 more faults are not shown\n")));
    Err err = ERR_INIT;
    assert_true(conf_diags_result(d, &err) < 0);
    assert_string_equal(err.detail, "1005 faults, the first: m");
}

static void the_result_names_the_first_fault(void **state)
{
    (void)state;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    Err err = ERR_INIT;
    assert_int_equal(conf_diags_result(d, &err), 0);
    assert_int_equal(err.code, ERR_NONE);

    conf_diags_add(d, &(ConfDiag){.file = "f", .line = 2, .column = 7, .key = "k", .message = "is wrong"});
    assert_true(conf_diags_result(d, &err) < 0);
    assert_int_equal(err.code, ERR_CONFIG);
    assert_string_equal(err.detail, "f:2:7: k: is wrong");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.column, 7);
    conf_diags_add(d, &(ConfDiag){.message = "another"});
    assert_true(conf_diags_result(d, &err) < 0);
    assert_string_equal(err.detail, "2 faults, the first: f:2:7: k: is wrong");
}

static void errors_of_readers_become_faults(void **state)
{
    (void)state;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    TomlDoc *doc = NULL;
    Err err = ERR_INIT;
    assert_true(toml_parse(SLICE_LIT("a = 1\nb ="), NULL, &doc, &err) < 0);
    err_hint(&err, "look at %s", "it");
    conf_diags_add_err(d, "f.toml", &err);
    conf_diags_add_err(d, "g.toml", &(Err){.code = ERR_IO});
    expect_faults(d, "f.toml:2:4: unexpected end of the file, expected a value (look at it)\n"
                     "g.toml: a file or socket operation failed\n");
}

static void faults_can_be_printed_to_a_stream(void **state)
{
    (void)state;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    conf_diags_add(d, &(ConfDiag){.message = "m"});
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    conf_diags_print_file(d, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "m\n");
    free(text);
}

static void the_latest_place_of_a_setting_counts(void **state)
{
    (void)state;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    int first, second;
    conf_diags_set_place(d, &first, row("port"), &(ConfPlace){.file = "f", .line = 1});
    conf_diags_set_place(d, &first, row("port"), &(ConfPlace){.file = "g", .line = 2, .environment = true});
    assert_string_equal(conf_diags_place(d, &first, row("port"))->file, "g");
    assert_int_equal(conf_diags_place(d, &first, row("port"))->line, 2);
    assert_null(conf_diags_place(d, &first, row("name")));
    assert_null(conf_diags_place(d, &second, row("port")));
}

static void freeing_nothing_is_allowed(void **state)
{
    (void)state;
    assert_null(conf_diags_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_leaves_out_what_is_absent),  cmocka_unit_test(texts_are_copied_and_made_printable),
        cmocka_unit_test(long_texts_are_cut_at_a_character), cmocka_unit_test(beyond_the_bound_faults_are_only_counted),
        cmocka_unit_test(the_result_names_the_first_fault),  cmocka_unit_test(errors_of_readers_become_faults),
        cmocka_unit_test(faults_can_be_printed_to_a_stream), cmocka_unit_test(the_latest_place_of_a_setting_counts),
        cmocka_unit_test(freeing_nothing_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
