/* SPDX-License-Identifier: PostgreSQL */
/* Slices: cutting and comparing, UTF-8, and the numbers people and PostgreSQL write. */
#include "tests/support/unit.h"

#include <math.h>
#include <stdio.h>

#include "lib/base/clock.h"
#include "tests/unit/lib/base/comma_locale.h"

#define S(literal) SLICE_LIT(literal)

static void compares_like_memcmp_then_by_length(void **state)
{
    (void)state;
    assert_int_equal(slice_compare(S("a"), S("b")), -1);
    assert_int_equal(slice_compare(S("b"), S("a")), 1);
    assert_int_equal(slice_compare(S("a"), S("ab")), -1);
    assert_int_equal(slice_compare(S("ab"), S("a")), 1);
    assert_int_equal(slice_compare(S("ab"), S("ab")), 0);
    assert_int_equal(slice_compare(S("\x7f"), S("\x80")), -1);
    assert_int_equal(slice_compare(SLICE_NULL, S("")), 0);
    assert_true(slice_eq(SLICE_NULL, S("")));
    assert_false(slice_eq_cstr(S("ab"), "abc"));
}

static void knows_its_ends(void **state)
{
    (void)state;
    assert_true(slice_starts_with(S("abc"), S("ab")));
    assert_true(slice_starts_with(S("abc"), S("")));
    assert_false(slice_starts_with(S("a"), S("ab")));
    assert_false(slice_starts_with(slice_from("abc", 1), S("ab"))); /* what lies behind it does not count */
    assert_true(slice_ends_with(S("abc"), S("bc")));
    assert_false(slice_ends_with(S("c"), S("bc")));
    assert_false(slice_ends_with(S("abd"), S("bc")));
}

static void trims_ascii_white_space_only(void **state)
{
    (void)state;
    assert_slice(slice_trim(S(" \t\r\n\v\f a b \n")), "a b");
    assert_slice(slice_trim(S("  ")), "");
    assert_slice(slice_trim(S("")), "");
    assert_slice(slice_trim(S("\xC2\xA0x")), "\xC2\xA0x");
}

static void skips_no_further_than_its_end(void **state)
{
    (void)state;
    assert_slice(slice_skip(S("abc"), 1), "bc");
    assert_slice(slice_skip(S("abc"), 9), "");
    assert_slice(slice_skip(SLICE_NULL, 3), NULL);
}

static void splits_until_nothing_is_left(void **state)
{
    (void)state;
    Slice rest = S("a,,b");
    assert_slice(slice_split(&rest, ','), "a");
    assert_slice(slice_split(&rest, ','), "");
    assert_slice(slice_split(&rest, ','), "b");
    assert_null(rest.ptr);

    rest = S("a,");
    assert_slice(slice_split(&rest, ','), "a");
    assert_non_null(rest.ptr); /* an empty field follows the last separator */
    assert_slice(slice_split(&rest, ','), "");
    assert_null(rest.ptr);
    assert_slice(slice_split(&rest, ','), NULL);
}

static void finds_a_needle(void **state)
{
    (void)state;
    assert_int_equal(slice_find(S("hello"), S("l")), 2);
    assert_int_equal(slice_find(S("hello"), S("lo")), 3);
    assert_int_equal(slice_find(S("hello"), S("")), 0);
    assert_int_equal(slice_find(S("hello"), S("lol")), -1);
    assert_int_equal(slice_find(S("h"), S("hello")), -1);
    assert_int_equal(slice_find(SLICE_NULL, S("x")), -1);
}

static void accepts_exactly_well_formed_utf8(void **state)
{
    (void)state;
    static const struct {
        Slice text;
        bool valid;
    } cases[] = {
        {S(""), true},
        {S("plain"), true},
        {S("\x7F"), true},
        {S("\xC2\x80"), true},          /* U+0080, the first of two bytes */
        {S("\xDF\xBF"), true},          /* U+07FF */
        {S("\xE0\xA0\x80"), true},      /* U+0800 */
        {S("\xED\x9F\xBF"), true},      /* U+D7FF, the last before the surrogates */
        {S("\xEE\x80\x80"), true},      /* U+E000 */
        {S("\xF0\x90\x80\x80"), true},  /* U+10000 */
        {S("\xF4\x8F\xBF\xBF"), true},  /* U+10FFFF */
        {S("a\0b"), true},              /* NUL is a character */
        {S("\x80"), false},             /* continuation alone */
        {S("\xC0\x80"), false},         /* overlong NUL */
        {S("\xC1\xBF"), false},         /* overlong U+007F */
        {S("\xE0\x9F\xBF"), false},     /* overlong U+07FF */
        {S("\xED\xA0\x80"), false},     /* surrogate */
        {S("\xF0\x8F\xBF\xBF"), false}, /* overlong U+FFFF */
        {S("\xF4\x90\x80\x80"), false}, /* U+110000 */
        {S("\xF5\x80\x80\x80"), false},
        {S("\xFF"), false},
        {S("\xC2"), false}, /* cut */
        {S("\xE2\x82"), false},
        {S("\xF0\x9F\x98"), false},
        {S("\xE2\x82\x41"), false}, /* wrong third byte */
        {S("\xF0\x9F\x98\x41"), false},
        {S("ok \xE2\x28\xA1"), false},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        if (slice_is_utf8(cases[i].text) != cases[i].valid)
            fail_msg("case %zu", i);
    assert_int_equal(slice_utf8_length(S("\xE2\x82\xACx")), 3);
    assert_int_equal(slice_utf8_length(S("")), 0);
}

static void reads_whole_integers_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"007", true, 7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"99999999999999999999999", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {"+5", false, 0},
        {" 5", false, 0},
        {"5 ", false, 0},
        {"5x", false, 0},
        {"1.0", false, 0},
        {"0x10", false, 0},
        {"--5", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int64_t value = 42;
        bool valid = slice_to_int64(slice_cstr(cases[i].text), &value);
        if (valid != cases[i].valid || value != (valid ? cases[i].value : 42))
            fail_msg("\"%s\" gives %d, %lld", cases[i].text, valid, (long long)value);
    }

    uint64_t large;
    assert_true(slice_to_uint64(S("18446744073709551615"), &large));
    assert_int_equal(large, UINT64_MAX);
    assert_false(slice_to_uint64(S("18446744073709551616"), &large));
    assert_false(slice_to_uint64(S("-1"), &large));
}

static void reads_decimal_numbers_only(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        double value;
    } cases[] = {
        {"0", true, 0},
        {"-1.5", true, -1.5},
        {"1e3", true, 1000},
        {"1E+3", true, 1000},
        {"1.25e-2", true, 0.0125},
        {"1.7976931348623157e308", true, 1.7976931348623157e308},
        {"5e-324", true, 5e-324},
        {"1e-400", true, 0}, /* too small is zero, as everywhere */
        {"Infinity", true, (double)INFINITY},
        {"-Infinity", true, (double)-INFINITY},
        {"1e400", false, 0},
        {"-1e400", false, 0},
        {"", false, 0},
        {"-", false, 0},
        {".5", false, 0},
        {"5.", false, 0},
        {"1e", false, 0},
        {"1e+", false, 0},
        {"0x1p3", false, 0},
        {"inf", false, 0},
        {"nan", false, 0},
        {"infinity", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"1,5", false, 0},
        {"+1", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        double value = 42;
        bool valid = slice_to_double(slice_cstr(cases[i].text), &value);
        if (valid != cases[i].valid || value != (valid ? cases[i].value : 42))
            fail_msg("\"%s\" gives %d, %g", cases[i].text, valid, value);
    }

    double value = 0;
    assert_true(slice_to_double(S("NaN"), &value));
    assert_true(isnan(value));

    char long_text[2000];
    memset(long_text, '0', sizeof(long_text));
    assert_false(slice_to_double(slice_from(long_text, sizeof(long_text)), &value));
    assert_true(slice_to_double(slice_from(long_text, 1000), &value));
    assert_true(slice_to_double(slice_from("1.5xyz", 3), &value)); /* bounded by its length, not by a NUL */
    assert_true(value == 1.5);
}

static void reads_a_point_where_the_locale_has_a_comma(void **state)
{
    (void)state;
    if (!comma_locale_enter())
        skip();
    double value = 0;
    bool point = slice_to_double(S("1.5"), &value);
    bool comma = slice_to_double(S("1,5"), &(double){0});
    comma_locale_leave();
    assert_true(point);
    assert_true(value == 1.5);
    assert_false(comma);
}

static void reads_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        uint64_t value;
    } cases[] = {
        {"4096", true, 4096},
        {"0", true, 0},
        {"7B", true, 7},
        {"10kB", true, 10240},
        {"256MB", true, 268435456},
        {"2GB", true, 2147483648},
        {"1TB", true, 1099511627776},
        {"8 MB", true, 8388608},
        {"18446744073709551615", true, UINT64_MAX},
        {"16777216TB", false, 0},
        {"18446744073709551616", false, 0},
        {"", false, 0},
        {"MB", false, 0},
        {"-1MB", false, 0},
        {"1.5GB", false, 0},
        {"1mb", false, 0},
        {"1KB", false, 0},
        {"1MB ", false, 0},
        {"1 ", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint64_t value = 42;
        bool valid = slice_to_bytes(slice_cstr(cases[i].text), &value);
        if (valid != cases[i].valid || value != (valid ? cases[i].value : 42))
            fail_msg("\"%s\" gives %d, %llu", cases[i].text, valid, (unsigned long long)value);
    }
}

static void reads_durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        Usec value;
    } cases[] = {
        {"60", true, 60 * USEC_PER_SEC},
        {"60s", true, 60 * USEC_PER_SEC},
        {"15m", true, 900 * USEC_PER_SEC},
        {"15min", true, 900 * USEC_PER_SEC},
        {"500ms", true, 500 * USEC_PER_MSEC},
        {"9us", true, 9},
        {"2h", true, 7200 * USEC_PER_SEC},
        {"14d", true, 14 * 86400 * USEC_PER_SEC},
        {"2w", true, 14 * 86400 * USEC_PER_SEC},
        {"2y", true, 730 * 86400 * USEC_PER_SEC},
        {"9223372036854775807us", true, INT64_MAX},
        {"9223372036854775808us", false, 0},
        {"300000y", false, 0},
        {"-1s", false, 0},
        {"1.5h", false, 0},
        {"s", false, 0},
        {"", false, 0},
        {"1 month", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Usec value = 42;
        bool valid = slice_to_duration(slice_cstr(cases[i].text), &value);
        if (valid != cases[i].valid || value != (valid ? cases[i].value : 42))
            fail_msg("\"%s\" gives %d, %lld", cases[i].text, valid, (long long)value);
    }
}

static void measures_distance_between_names(void **state)
{
    (void)state;
    static const struct {
        const char *a;
        const char *b;
        size_t limit;
        size_t distance;
    } cases[] = {
        {"", "", 9, 0},
        {"abc", "", 9, 3},
        {"", "abc", 9, 3},
        {"kitten", "sitting", 9, 3},
        {"pasword", "password", 9, 1},
        {"hsot", "host", 9, 1}, /* neighbours exchanged */
        {"ca", "abc", 9, 3},    /* restricted: nothing is edited twice */
        {"interval", "port", 3, 3},
        {"same", "same", 3, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        size_t d = slice_distance(slice_cstr(cases[i].a), slice_cstr(cases[i].b), cases[i].limit);
        if (d != cases[i].distance)
            fail_msg("\"%s\" to \"%s\" is %zu", cases[i].a, cases[i].b, d);
    }
    char name[500] = "";
    memset(name, 'x', sizeof(name));
    assert_int_equal(slice_distance(slice_from(name, sizeof(name)), S("x"), 4), 4);
    assert_int_equal(slice_distance(S("x"), slice_from(name, sizeof(name)), 4), 4);
    assert_int_equal(slice_distance(slice_from(name, 128), slice_from(name, 128), 4), 0);
}

static void values_hexadecimal_digits(void **state)
{
    (void)state;
    static const char DIGITS[] = "0123456789abcdefABCDEF";
    for (int c = -1; c < 256; c++) {
        const char *at = c > 0 ? strchr(DIGITS, c) : NULL;
        ptrdiff_t expected = at ? (at - DIGITS < 16 ? at - DIGITS : at - DIGITS - 6) : -1;
        assert_int_equal(char_hex_value(c), expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares_like_memcmp_then_by_length),
        cmocka_unit_test(knows_its_ends),
        cmocka_unit_test(values_hexadecimal_digits),
        cmocka_unit_test(trims_ascii_white_space_only),
        cmocka_unit_test(skips_no_further_than_its_end),
        cmocka_unit_test(splits_until_nothing_is_left),
        cmocka_unit_test(finds_a_needle),
        cmocka_unit_test(accepts_exactly_well_formed_utf8),
        cmocka_unit_test(reads_whole_integers_only),
        cmocka_unit_test(reads_decimal_numbers_only),
        cmocka_unit_test(reads_a_point_where_the_locale_has_a_comma),
        cmocka_unit_test(reads_sizes),
        cmocka_unit_test(reads_durations),
        cmocka_unit_test(measures_distance_between_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
