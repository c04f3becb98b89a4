/* SPDX-License-Identifier: PostgreSQL */
#include "tests/unit/collector/sources/backup_fixture.h"

static void the_first_line_that_says_something(void **state)
{
    (void)state;
    const struct {
        const char *text, *expected;
    } cases[] = {
        {"", ""},
        {"\n\n", ""},
        {"ERROR: [041]: unable to open file\nmore\n", "ERROR: [041]: unable to open file"},
        {"INFO: 2026/11/21 10:00:00.1 starting\nERROR: 2026/11/21 no bucket\n", "ERROR: 2026/11/21 no bucket"},
        {"INFO: only this\n", "INFO: only this"},
        {"cannot connect to postgres://u:geheim@h/db\n", "cannot connect to postgres://u:***@h/db"},
        {"conninfo host=h password=geheim failed", "conninfo host=h password=*** failed"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_buf_ Buf out = BUF_INIT;
        backup_message(slice_cstr(cases[i].text), &out);
        assert_string_equal(buf_cstr(&out), cases[i].expected);
    }
}

static void a_long_line_is_cut(void **state)
{
    (void)state;
    _cleanup_buf_ Buf text = BUF_INIT, out = BUF_INIT;
    for (size_t i = 0; i < 1000; i++)
        buf_append_char(&text, 'x');
    backup_message(buf_slice(&text), &out);
    assert_int_equal(out.len, 300);
}

static void answers_are_bounded(void **state)
{
    (void)state;
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    Err err = ERR_INIT;
    _cleanup_buf_ Buf deep = BUF_INIT;
    for (size_t i = 0; i < BACKUP_DEPTH_MAX + 1; i++)
        buf_append_char(&deep, '[');
    assert_fails(backup_json_parse(buf_slice(&deep), &doc, &err), &err, ERR_TOO_LARGE, "");
    assert_fails(backup_fail_form(&err, "of no use"), &err, ERR_UNPROCESSABLE, "of no use");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SOURCES_TEST(the_first_line_that_says_something),
        SOURCES_TEST(a_long_line_is_cut),
        SOURCES_TEST(answers_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
