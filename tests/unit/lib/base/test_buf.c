/* SPDX-License-Identifier: PostgreSQL */
/* Buf: growing, limits, numbers and JSON strings. */
#include "tests/support/unit.h"

#include <errno.h>
#include <float.h>
#include <math.h>

#include "lib/base/buf.h"
#include "lib/base/random.h"
#include "tests/unit/lib/base/comma_locale.h"

static void is_usable_when_empty(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT;
    assert_string_equal(buf_cstr(&b), "");
    assert_slice(buf_slice(&b), "");
    buf_clear(&b);
    buf_append(&b, SLICE_NULL);
    assert_int_equal(b.len, 0);
}

static void grows_and_stays_terminated(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT;
    for (size_t i = 0; i < 10000; i++) {
        buf_append_char(&b, (char)('a' + i % 26));
        assert_int_equal(b.len, i + 1);
        assert_true(b.capacity > b.len);
        assert_int_equal(b.ptr[b.len], '\0');
    }
    assert_int_equal(b.ptr[9999], 'a' + 9999 % 26);
    size_t capacity = b.capacity;
    buf_clear(&b);
    assert_slice(buf_slice(&b), "");
    assert_int_equal(b.capacity, capacity);
}

static void prints_short_and_long(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT;
    buf_printf(&b, "%d-%s", 7, "x");
    assert_slice(buf_slice(&b), "7-x");
    buf_clear(&b);
    buf_printf(&b, "%0500d|%s", 1, "end"); /* longer than what it has */
    assert_int_equal(b.len, 504);
    assert_true(slice_ends_with(buf_slice(&b), SLICE_LIT("01|end")));

    buf_clear(&b); /* exactly what fits and one more */
    for (int width = 60; width < 70; width++) {
        _cleanup_buf_ Buf small = BUF_INIT;
        buf_printf(&small, "%*d", width, 5);
        assert_int_equal(small.len, width);
        assert_int_equal(strlen(small.ptr), width);
    }
}

static void hands_its_text_over(void **state)
{
    (void)state;
    Buf b = BUF_INIT_LIMIT(7);
    char *empty = buf_take(&b);
    assert_string_equal(empty, "");
    free(empty);
    buf_append_cstr(&b, "text");
    char *text = buf_take(&b);
    assert_string_equal(text, "text");
    free(text);
    assert_null(b.ptr);
    assert_int_equal(b.limit, 7);
    buf_append_cstr(&b, "more");
    buf_done(&b);
    assert_int_equal(b.limit, 7);
    assert_int_equal(b.len, 0);
}

static void refuses_above_the_limit_and_appends_nothing(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT_LIMIT(4);
    assert_int_equal(buf_try_append(&b, SLICE_LIT("abc")), 0);
    assert_int_equal(buf_try_append(&b, SLICE_LIT("de")), -E2BIG);
    assert_slice(buf_slice(&b), "abc");
    assert_int_equal(buf_try_append(&b, SLICE_LIT("d")), 0);
    assert_int_equal(buf_try_reserve(&b, 1), -E2BIG);
    assert_int_equal(buf_try_reserve(&b, SIZE_MAX), -E2BIG);
    buf_append_cstr(&b, "plain functions go on");
    assert_int_equal(buf_try_append(&b, SLICE_LIT("")), -E2BIG);
}

static void reports_sizes_no_memory_has(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT;
    buf_append_cstr(&b, "kept");
    assert_int_equal(buf_try_reserve(&b, SIZE_MAX), -ENOMEM);
    assert_int_equal(buf_try_reserve(&b, SIZE_MAX - 4), -ENOMEM);
    assert_int_equal(buf_try_reserve(&b, (size_t)PTRDIFF_MAX), -ENOMEM);
    assert_slice(buf_slice(&b), "kept");
}

static void writes_integers(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        const char *text;
    } cases[] = {
        {0, "0"}, {-1, "-1"}, {10, "10"}, {INT64_MAX, "9223372036854775807"}, {INT64_MIN, "-9223372036854775808"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_buf_ Buf b = BUF_INIT;
        buf_append_int64(&b, cases[i].value);
        assert_slice(buf_slice(&b), cases[i].text);
    }
}

static void writes_the_shortest_double(void **state)
{
    (void)state;
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {-42, "-42"},
        {0.1, "0.1"},
        {-2.5, "-2.5"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {123456789012345678.0, "1.2345678901234568e+17"},
        {999999999999999.0, "999999999999999"},
        {1e15, "1e+15"},
        {1e300, "1e+300"},
        {DBL_MAX, "1.7976931348623157e+308"},
        {DBL_MIN, "2.2250738585072014e-308"},
        {5e-324, "5e-324"}, /* the smallest number has one digit */
        {1.5e-320, "1.5e-320"},
        {(double)NAN, "NaN"},
        {(double)INFINITY, "Infinity"},
        {(double)-INFINITY, "-Infinity"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_buf_ Buf b = BUF_INIT;
        buf_append_double(&b, cases[i].value);
        assert_slice(buf_slice(&b), cases[i].text);
    }
}

static void writes_doubles_that_read_back(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT;
    for (int i = 0; i < 20000; i++) {
        union {
            uint64_t bits;
            double number;
        } v = {.bits = 0};
        random_bytes(&v, sizeof(v));
        if (!isfinite(v.number))
            continue;
        double back = 0;
        buf_clear(&b);
        buf_append_double(&b, v.number);
        if (!slice_to_double(buf_slice(&b), &back) || back != v.number)
            fail_msg("%.17g became %s", v.number, b.ptr);
    }
}

static void writes_a_point_where_the_locale_has_a_comma(void **state)
{
    (void)state;
    if (!comma_locale_enter())
        skip();
    _cleanup_buf_ Buf b = BUF_INIT;
    buf_append_double(&b, 1.5);
    _cleanup_buf_ Buf after = BUF_INIT;
    buf_printf(&after, "%.1f", 1.5);
    comma_locale_leave();
    assert_slice(buf_slice(&b), "1.5");
    assert_slice(buf_slice(&after), "1,5"); /* the caller's locale is back */
}

static void writes_json_strings(void **state)
{
    (void)state;
    static const struct {
        Slice text;
        const char *json;
    } cases[] = {
        {SLICE_LIT(""), "\"\""},
        {SLICE_NULL, "\"\""},
        {SLICE_LIT("plain"), "\"plain\""},
        {SLICE_LIT("a\"b\\c/"), "\"a\\\"b\\\\c/\""},
        {SLICE_LIT("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {SLICE_LIT("\x01\x1f\x7f"), "\"\\u0001\\u001f\x7f\""},
        {SLICE_LIT("a\0b"), "\"a\\u0000b\""},
        {SLICE_LIT("\xE2\x82\xAC \xF0\x9F\x98\x80"), "\"\xE2\x82\xAC \xF0\x9F\x98\x80\""},
        {SLICE_LIT("x\xFFy"), "\"x\xEF\xBF\xBDy\""},
        {SLICE_LIT("cut \xE2\x82"), "\"cut \xEF\xBF\xBD\xEF\xBF\xBD\""},
        {SLICE_LIT("\xED\xA0\x80"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_buf_ Buf b = BUF_INIT;
        buf_append_json_string(&b, cases[i].text);
        assert_slice(buf_slice(&b), cases[i].json);
    }
}

static void writes_little_endian(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT;
    buf_append_u8(&b, 0xFE);
    buf_append_u32le(&b, 0x01020304);
    buf_append_u64le(&b, 0x1112131415161718);
    static const unsigned char expected[] = {0xFE, 4, 3, 2, 1, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11};
    assert_int_equal(b.len, sizeof(expected));
    assert_memory_equal(b.ptr, expected, sizeof(expected));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_usable_when_empty),
        cmocka_unit_test(grows_and_stays_terminated),
        cmocka_unit_test(prints_short_and_long),
        cmocka_unit_test(hands_its_text_over),
        cmocka_unit_test(refuses_above_the_limit_and_appends_nothing),
        cmocka_unit_test(reports_sizes_no_memory_has),
        cmocka_unit_test(writes_integers),
        cmocka_unit_test(writes_the_shortest_double),
        cmocka_unit_test(writes_doubles_that_read_back),
        cmocka_unit_test(writes_a_point_where_the_locale_has_a_comma),
        cmocka_unit_test(writes_json_strings),
        cmocka_unit_test(writes_little_endian),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
