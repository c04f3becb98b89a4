/* SPDX-License-Identifier: PostgreSQL */
/* Errors: what is set, what is cut, what goes with it; the table itself. */
#include "tests/support/unit.h"

#include <errno.h>

#include "lib/base/log.h"

static void sets_code_and_detail_and_clears_the_rest(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    e.line = 7;
    (void)err_set(&e, ERR_SQL, "old");
    memcpy(e.sqlstate, "42P01", 6);
    err_hint(&e, "old hint");
    err_at(&e, 3, 4);
    errno = ENOSPC;
    assert_int_equal(err_set(&e, ERR_CONFIG, "port %d is not between 1 and %d", 0, 65535), -EINVAL);
    assert_int_equal(errno, ENOSPC);
    assert_int_equal(e.code, ERR_CONFIG);
    assert_string_equal(e.detail, "port 0 is not between 1 and 65535");
    assert_string_equal(e.hint, "");
    assert_string_equal(e.sqlstate, "");
    assert_int_equal(e.line, 0);
    assert_int_equal(e.column, 0);
}

static void appends_the_system_s_reason(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    assert_int_equal(err_set_errno(&e, ERR_IO, EACCES, "opening %s", "/x"), -EACCES);
    assert_string_equal(e.detail, "opening /x: Permission denied");
    assert_int_equal(e.code, ERR_IO);
    (void)err_set_errno(&e, ERR_IO, EACCES, "%0500d", 1);
    assert_int_equal(strlen(e.detail), sizeof(e.detail) - 1);
}

static void goes_without_an_error_object(void **state)
{
    (void)state;
    assert_int_equal(err_set(NULL, ERR_NOT_FOUND, "x"), -ENOENT);
    assert_int_equal(err_set_errno(NULL, ERR_IO, EPIPE, "x"), -EPIPE);
    err_hint(NULL, "x");
    err_prefix(NULL, "x");
    err_at(NULL, 1, 1);
}

static void may_be_printed_into_itself(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    (void)err_set(&e, ERR_IO, "inner");
    err_hint(&e, "first");
    (void)err_set(&e, ERR_CONFIG, "outer: %s (%s)", e.detail, e.hint);
    assert_string_equal(e.detail, "outer: inner (first)");
    err_hint(&e, "[%s]", e.detail);
    err_hint(&e, "<%s>", e.hint);
    assert_string_equal(e.hint, "<[outer: inner (first)]>");
    err_prefix(&e, "file %s", "a.toml");
    assert_string_equal(e.detail, "file a.toml: outer: inner (first)");
    assert_int_equal(e.code, ERR_CONFIG);
    err_at(&e, 3, 9);
    assert_int_equal(e.line, 3);
    assert_int_equal(e.column, 9);
}

/* Every length of text before a character of two, three and four bytes: the cut never splits it. */
static void cuts_between_characters(void **state)
{
    (void)state;
    static const char *const characters[] = {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"};
    char text[1200];
    for (size_t c = 0; c < ARRAY_LENGTH(characters); c++) {
        for (size_t before = 0; before < 8; before++) {
            size_t at = before, len = strlen(characters[c]);
            memset(text, 'x', before);
            for (; at + len < sizeof(text); at += len)
                memcpy(text + at, characters[c], len);
            text[at] = '\0';

            Err e = ERR_INIT;
            (void)err_set(&e, ERR_IO, "%s", text);
            err_hint(&e, "%s", text);
            assert_true(slice_is_utf8(slice_cstr(e.detail)));
            assert_true(slice_is_utf8(slice_cstr(e.hint)));
            assert_in_range(strlen(e.detail), sizeof(e.detail) - 4, sizeof(e.detail) - 1);
            assert_in_range(strlen(e.hint), sizeof(e.hint) - 4, sizeof(e.hint) - 1);
            assert_null(strchr(e.detail, '?'));
            assert_null(strchr(e.hint, '?'));
            err_prefix(&e, "p%.*s", (int)before, "12345678");
            assert_true(slice_is_utf8(slice_cstr(e.detail)));
            assert_null(strchr(e.detail, '?'));
        }
    }
}

static void replaces_what_is_not_utf8(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    (void)err_set(&e, ERR_SQL, "column \"gr\xF6\xDF\x65\" is missing\xE2\x82");
    assert_string_equal(e.detail, "column \"gr??e\" is missing??");
}

static void table_is_complete(void **state)
{
    (void)state;
    for (int i = 0; i < _ERR_CODE_MAX; i++) {
        ErrCode code = (ErrCode)i;
        assert_non_null(err_code_slug(code));
        assert_true(strlen(err_code_slug(code)) > 0);
        assert_true(strlen(err_code_text(code)) > 0);
        assert_in_range(err_code_http_status(code), 200, 599);
        assert_true(err_code_errno(code) > 0 || code == ERR_NONE);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(err_code_slug(code), err_code_slug((ErrCode)j));
    }
    assert_string_equal(err_code_slug(_ERR_CODE_MAX), "internal");
}

static void keep_line(void *arg, LogLevel level, Slice line)
{
    (void)level;
    size_t n = line.len < 499 ? line.len : 499;
    memcpy(arg, line.ptr, n);
    ((char *)arg)[n] = '\0';
}

static void leaves_a_trace_at_debug_only(void **state)
{
    (void)state;
    char line[500] = "";
    log_setup("test", LOG_FORMAT_JSON, LOG_LEVEL_INFO);
    log_capture(keep_line, line);
    assert_int_equal(err_trace(-EIO), -EIO);
    assert_string_equal(line, "");
    log_set_level(LOG_LEVEL_DEBUG);
    assert_int_equal(err_trace(0), 0);
    assert_int_equal(err_trace(3), 3);
    assert_string_equal(line, "");
    assert_int_equal(err_trace(-EIO), -EIO);
    log_capture(NULL, NULL);
    assert_non_null(strstr(line, "\"function\":\"leaves_a_trace_at_debug_only\""));
    assert_non_null(strstr(line, "\"result\":-5"));
    assert_non_null(strstr(line, "\"source\":\"tests/unit/lib/base/test_err.c:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_code_and_detail_and_clears_the_rest),
        cmocka_unit_test(appends_the_system_s_reason),
        cmocka_unit_test(goes_without_an_error_object),
        cmocka_unit_test(may_be_printed_into_itself),
        cmocka_unit_test(cuts_between_characters),
        cmocka_unit_test(replaces_what_is_not_utf8),
        cmocka_unit_test(table_is_complete),
        cmocka_unit_test(leaves_a_trace_at_debug_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
