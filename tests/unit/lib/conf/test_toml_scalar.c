/* SPDX-License-Identifier: PostgreSQL */
/* Booleans, integers, floats, and what an unquoted word is answered with. */
#include "tests/unit/lib/conf/toml_support.h"

#include <math.h>

static const ValidCase valid[] = {
    {"booleans", "a = true\nb = false", "{\"a\":true,\"b\":false}"},
    {"decimal", "a = 0\nb = +0\nc = -0\nd = 42\ne = +99\nf = -17",
     "{\"a\":0,\"b\":0,\"c\":0,\"d\":42,\"e\":99,\"f\":-17}"},
    {"edges of 64 bits", "a = 9223372036854775807\nb = -9223372036854775808",
     "{\"a\":9223372036854775807,\"b\":-9223372036854775808}"},
    {"underscores", "a = 1_000\nb = 1_2_3\nc = 0xdead_beef\nd = 0b1_0",
     "{\"a\":1000,\"b\":123,\"c\":3735928559,\"d\":2}"},
    {"bases", "a = 0xff\nb = 0xFF\nc = 0o755\nd = 0b1101\ne = 0x00\nf = 0x7fffffffffffffff\ng = 0xe1",
     "{\"a\":255,\"b\":255,\"c\":493,\"d\":13,\"e\":0,\"f\":9223372036854775807,\"g\":225}"},
    {"floats", "a = 1.5\nb = -0.25\nc = +3.0\nd = 0.0",
     "{\"a\":float 1.5,\"b\":float -0.25,\"c\":float 3,\"d\":float 0}"},
    {"exponents", "a = 1e3\nb = 1E+2\nc = -2E-2\nd = 6.5e-1\ne = 1e06\nf = 0e0",
     "{\"a\":float 1000,\"b\":float 100,\"c\":float -0.02,\"d\":float 0.65,\"e\":float 1000000,\"f\":float 0}"},
    {"floats with underscores", "a = 1_0.2_5\nb = 1_0e1_0", "{\"a\":float 10.25,\"b\":float 100000000000}"},
    {"infinities", "a = inf\nb = +inf\nc = -inf", "{\"a\":float Infinity,\"b\":float Infinity,\"c\":float -Infinity}"},
    {"values end at delimiters", "a = [1,true,1.5]\nb = {c=1,d=false}\ne = 1#x\nf = 2\t",
     "{\"a\":[1,true,float 1.5],\"b\":{\"c\":1,\"d\":false},\"e\":1,\"f\":2}"},
};

static const InvalidCase invalid[] = {
    {"word", "a = hunter2", 1, 5, "not a value: strings need quotes"},
    {"wrong case", "a = True", 1, 5, "not a value"},
    {"word that begins like true", "a = truer", 1, 5, "not a value"},
    {"wrong infinity", "a = Inf", 1, 5, "not a value"},
    {"letters after digits", "a = 12ab", 1, 5, "not a number: strings need quotes"},
    {"leading zero", "a = 01", 1, 5, "must not begin with a zero"},
    {"leading zero with sign", "a = -01", 1, 5, "must not begin with a zero"},
    {"leading zero with underscore", "a = 0_1", 1, 5, "must not begin with a zero"},
    {"sign alone", "a = +", 1, 5, "a number needs digits"},
    {"two signs", "a = ++1", 1, 5, "not a number"},
    {"prefix alone", "a = 0x", 1, 5, "a number needs digits"},
    {"sign before a prefix", "a = +0xff", 1, 5, "not a number"},
    {"upper-case prefix", "a = 0Xff", 1, 5, "not a number"},
    {"digit too large for the base", "a = 0o8", 1, 5, "not a number"},
    {"digit too large for binary", "a = 0b2", 1, 5, "not a number"},
    {"letter beyond hexadecimal", "a = 0xg", 1, 5, "not a number"},
    {"underscore first", "a = _1", 1, 5, "not a value"},
    {"underscore last", "a = 1_", 1, 5, "an underscore must stand between digits"},
    {"two underscores", "a = 1__2", 1, 5, "an underscore must stand between digits"},
    {"underscore after a sign", "a = +_1", 1, 5, "an underscore must stand between digits"},
    {"underscore after a prefix", "a = 0x_1", 1, 5, "an underscore must stand between digits"},
    {"one too many", "a = 9223372036854775808", 1, 5, "does not fit 64 bits"},
    {"one too few", "a = -9223372036854775809", 1, 5, "does not fit 64 bits"},
    {"ten times too many", "a = 92233720368547758070", 1, 5, "does not fit 64 bits"},
    {"hexadecimal too large", "a = 0x8000000000000000", 1, 5, "does not fit 64 bits"},
    {"no digit before the point", "a = .5", 1, 5, "not a value"},
    {"no digit before the point with sign", "a = -.5", 1, 5, "a float needs digits"},
    {"no digit after the point", "a = 5.", 1, 5, "a float needs digits"},
    {"no digit between point and exponent", "a = 5.e1", 1, 5, "a float needs digits"},
    {"no digit in the exponent", "a = 5e", 1, 5, "a float needs digits"},
    {"no digit in the signed exponent", "a = 5e+", 1, 5, "a float needs digits"},
    {"two points", "a = 1.2.3", 1, 5, "not a number"},
    {"point in the exponent", "a = 1e2.3", 1, 5, "not a number"},
    {"leading zero of a float", "a = 00.5", 1, 5, "must not begin with a zero"},
    {"leading zero of a signed float", "a = +0_0.5", 1, 5, "must not begin with a zero"},
    {"underscore before the point", "a = 1_.5", 1, 5, "an underscore must stand between digits"},
    {"underscore after the point", "a = 1._5", 1, 5, "an underscore must stand between digits"},
    {"underscore at the end", "a = 1.5_", 1, 5, "an underscore must stand between digits"},
    {"two underscores in a float", "a = 1__0.5", 1, 5, "an underscore must stand between digits"},
    {"underscore in the exponent", "a = 1e_5", 1, 5, "an underscore must stand between digits"},
    {"float out of range", "a = 1e400", 1, 5, "the float is out of range"},
    {"version number", "a = 1.2.3-beta", 1, 5, "not a number"},
};

static void valid_scalars_are_read(void **state)
{
    (void)state;
    check_valid(valid, ARRAY_LENGTH(valid));
}

static void invalid_scalars_are_refused_with_the_place(void **state)
{
    (void)state;
    check_invalid(invalid, ARRAY_LENGTH(invalid));
}

static void nan_is_read_with_any_sign(void **state)
{
    (void)state;
    _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
    assert_int_equal(toml_parse(SLICE_LIT("a = [nan, +nan, -nan]"), NULL, &doc, NULL), 0);
    const TomlArray *a = toml_table_get_array(toml_root(doc), "a");
    assert_int_equal(a->count, 3);
    for (size_t i = 0; i < a->count; i++)
        assert_true(isnan(a->items[i].as.number));
}

static void messages_do_not_repeat_what_may_be_a_secret(void **state)
{
    (void)state;
    static const char *const texts[] = {"password = hunter2", "password = 1hunter2", "password = \"hunter2",
                                        "password = [hunter2]", "password = 2024-hunter2"};
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        TomlDoc *doc = NULL;
        Err err = ERR_INIT;
        assert_true(toml_parse(slice_cstr(texts[i]), NULL, &doc, &err) < 0);
        assert_null(strstr(err.detail, "hunter2"));
        assert_null(strstr(err.hint, "hunter2"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_scalars_are_read),
        cmocka_unit_test(invalid_scalars_are_refused_with_the_place),
        cmocka_unit_test(nan_is_read_with_any_sign),
        cmocka_unit_test(messages_do_not_repeat_what_may_be_a_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
