/* SPDX-License-Identifier: PostgreSQL */
/* KEY=value files: the lines that are read, those that are refused, unknown names, the file as a source of settings. */
#include "lib/conf/env_file.h"
#include "tests/unit/lib/conf/keys_support.h"

static const char *get(const EnvFile *f, const char *name, uint32_t *ret_line)
{
    ConfSource source = env_file_source(f);
    *ret_line = 0;
    return source.get(source.arg, name, ret_line);
}

static void lines_are_read_as_written(void **state)
{
    (void)state;
    static const char text[] = "# comment\n"
                               "\n"
                               "A=1\r\n"
                               "  B_2 =no\n"
                               "export C= x y # z \n"
                               "D=\n"
                               "E='it\\n \"q\" '\n"
                               "F=\"a\\\"b\\\\c\\$d\\`e\\nf\\g'h\"\n"
                               "_zZ09=a=b\n"
                               "H=\"\"\n"
                               "I=\"open";
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    _cleanup_(env_file_freep) EnvFile *f = env_file_parse(slice_cstr(text), "x.env", d);
    static const struct {
        const char *name, *value;
        uint32_t line;
    } expected[] = {
        {"A", "1", 3},
        {"C", "x y # z", 5},
        {"D", "", 6},
        {"E", "it\\n \"q\" ", 7},
        {"F", "a\"b\\c$d`e\nf\\g'h", 8},
        {"_zZ09", "a=b", 9},
        {"H", "", 10},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        uint32_t line;
        const char *value = get(f, expected[i].name, &line);
        if (!value)
            fail_msg("%s is absent", expected[i].name);
        assert_string_equal(value, expected[i].value);
        assert_int_equal(line, expected[i].line);
    }
    uint32_t line;
    assert_null(get(f, "Z", &line));
    assert_null(get(f, "I", &line));
    expect_faults(d, "x.env:4: expected NAME=value (comments begin with '#')\n"
                     "x.env:11: I: the quotes around the value are not closed (a value is on one line)\n");
}

static void wrong_lines_are_faults_and_the_others_are_kept(void **state)
{
    (void)state;
    static const char text[] =
        "just words\n=x\n1A=x\nA-B=x\nOK=1\nOK=hunter2\nQ='hunter2\nR=\"hunter2\" x\nN=a\0b\nZ=26";
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    _cleanup_(env_file_freep) EnvFile *f = env_file_parse(slice_from(text, sizeof(text) - 1), "x.env", d);
    expect_faults(d, "x.env:1: expected NAME=value (comments begin with '#')\n"
                     "x.env:2: expected NAME=value (comments begin with '#')\n"
                     "x.env:3: expected NAME=value (comments begin with '#')\n"
                     "x.env:4: expected NAME=value (comments begin with '#')\n"
                     "x.env:6: OK: is given already in line 5\n"
                     "x.env:7: Q: the quotes around the value are not closed (a value is on one line)\n"
                     "x.env:8: R: the quotes around the value are not closed (a value is on one line)\n"
                     "x.env:9: a NUL character in the line\n");
    uint32_t line;
    assert_string_equal(get(f, "OK", &line), "1");
    assert_string_equal(get(f, "Z", &line), "26");
}

static void the_block_holds_the_densest_file(void **state)
{
    (void)state;
    /* Every line takes as much room as it can: values stay where they were. */
    _cleanup_buf_ Buf text = BUF_INIT;
    char first[16] = "A0=0";
    buf_append_cstr(&text, first);
    for (int i = 1; i < 2000; i++)
        buf_printf(&text, "\nA%d=%d", i, i);
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    _cleanup_(env_file_freep) EnvFile *f = env_file_parse(buf_slice(&text), "x.env", d);
    expect_faults(d, "");
    for (int i = 0; i < 2000; i++) {
        char name[16], value[16];
        uint32_t line;
        (void)snprintf(name, sizeof(name), "A%d", i);
        (void)snprintf(value, sizeof(value), "%d", i);
        assert_string_equal(get(f, name, &line), value);
    }
}

static void a_file_is_a_source_with_lines(void **state)
{
    (void)state;
    static const char text[] = "\nPORT=0\nMODE=fast\nTOKEN=hunter2\n";
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    _cleanup_(env_file_freep) EnvFile *f = env_file_parse(slice_cstr(text), "x.env", d);
    Settings s;
    conf_keys_init_defaults(&keys, &s);
    const ConfSource source = env_file_source(f);
    conf_keys_apply_environment(&keys, &s, &source, d);
    expect_faults(d, "x.env:4: TOKEN: must be a string of at least 8 bytes\n"
                     "x.env:2: PORT = 0: must be an integer from 1 to 65535\n");
    assert_int_equal(s.mode, MODE_FAST);
    conf_keys_free(&keys, &s);
}

static void unknown_names_are_faults(void **state)
{
    (void)state;
    static const char text[] = "PORT=1\nPROT=2\nTOKEN_FILE=/x\nKEY_FILE=/x\nPORT_FILE=/x\nELEPHANT=hunter2\n";
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    _cleanup_(env_file_freep) EnvFile *f = env_file_parse(slice_cstr(text), "x.env", d);
    env_file_check_names(f, &keys, d);
    expect_faults(d, "x.env:2: PROT: unknown name (did you mean \"PORT\"?)\n"
                     "x.env:5: PORT_FILE: unknown name\n"
                     "x.env:6: ELEPHANT: unknown name\n");
}

static void files_are_read_from_disk(void **state)
{
    (void)state;
    TempFile file = write_file(SLICE_LIT("PORT=7\n"));
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    _cleanup_(env_file_freep) EnvFile *f = env_file_read(file.path, d);
    uint32_t line;
    assert_string_equal(get(f, "PORT", &line), "7");
    expect_faults(d, "");
    remove_file(&file);

    assert_null(env_file_read("/nonexistent/x.env", d));
    assert_int_equal(conf_diags_count(d), 1);
    assert_string_equal(conf_diags_at(d, 0)->file, "/nonexistent/x.env");
}

static void nothing_is_an_empty_file(void **state)
{
    (void)state;
    _cleanup_(conf_diags_freep) ConfDiags *d = conf_diags_new();
    _cleanup_(env_file_freep) EnvFile *f = env_file_parse(SLICE_NULL, "x.env", d);
    env_file_check_names(f, &keys, d);
    expect_faults(d, "");
    assert_null(env_file_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_as_written),
        cmocka_unit_test(wrong_lines_are_faults_and_the_others_are_kept),
        cmocka_unit_test(the_block_holds_the_densest_file),
        cmocka_unit_test(a_file_is_a_source_with_lines),
        cmocka_unit_test(unknown_names_are_faults),
        cmocka_unit_test(files_are_read_from_disk),
        cmocka_unit_test(nothing_is_an_empty_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
