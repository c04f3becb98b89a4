/* SPDX-License-Identifier: PostgreSQL */
/* The four kinds of dates and times, the calendar, and how they are told from other values. */
#include "tests/unit/lib/conf/toml_support.h"

static const ValidCase valid[] = {
    {"offset date-times", "a = 1979-05-27T07:32:00Z\nb = 1979-05-27t00:32:00z\nc = 1979-05-27 00:32:00-07:30",
     "{\"a\":1979-05-27T07:32:00+0min,\"b\":1979-05-27T00:32:00+0min,\"c\":1979-05-27T00:32:00-450min}"},
    {"offsets at their edges", "a = 2000-01-01T00:00:00+23:59\nb = 2000-01-01T00:00:00-00:00",
     "{\"a\":2000-01-01T00:00:00+1439min,\"b\":2000-01-01T00:00:00+0min}"},
    {"fractions", "a = 1979-05-27T07:32:00.5Z\nb = 07:32:00.000000001\nc = 07:32:00.1234567899999",
     "{\"a\":1979-05-27T07:32:00.500000000+0min,\"b\":07:32:00.000000001,\"c\":07:32:00.123456789}"},
    {"local date-times", "a = 1979-05-27T07:32:00\nb = 1979-05-27 07:32:00.5",
     "{\"a\":1979-05-27T07:32:00,\"b\":1979-05-27T07:32:00.500000000}"},
    {"local dates", "a = 0000-01-01\nb = 9999-12-31 # c", "{\"a\":0000-01-01,\"b\":9999-12-31}"},
    {"local times", "a = 00:00:00\nb = 23:59:59", "{\"a\":00:00:00,\"b\":23:59:59}"},
    {"leap years", "a = 2000-02-29\nb = 2024-02-29", "{\"a\":2000-02-29,\"b\":2024-02-29}"},
    {"leap second", "a = 1990-12-31T23:59:60Z", "{\"a\":1990-12-31T23:59:60+0min}"},
    {"a date, a blank, then no time", "a = [2000-01-01 ,2000-01-02 ]\nb = 2000-01-03 # 1",
     "{\"a\":[2000-01-01,2000-01-02],\"b\":2000-01-03}"},
    {"months have their days",
     "a = [2001-01-31, 2001-02-28, 2001-03-31, 2001-04-30, 2001-05-31, 2001-06-30, 2001-07-31, 2001-08-31, 2001-09-30, "
     "2001-10-31, 2001-11-30, 2001-12-31]",
     "{\"a\":[2001-01-31,2001-02-28,2001-03-31,2001-04-30,2001-05-31,2001-06-30,2001-07-31,2001-08-31,2001-09-30,"
     "2001-10-31,2001-11-30,2001-12-31]}"},
};

static const InvalidCase invalid[] = {
    {"day zero", "a = 2000-01-00", 1, 5, "there is no such day"},
    {"day too large", "a = 2000-04-31", 1, 5, "there is no such day"},
    {"month zero", "a = 2000-00-01", 1, 5, "there is no such day"},
    {"month too large", "a = 2000-13-01", 1, 5, "there is no such day"},
    {"no leap year", "a = 2001-02-29", 1, 5, "there is no such day"},
    {"no leap year by the century", "a = 1900-02-29", 1, 5, "there is no such day"},
    {"month of one digit", "a = 2000-1-01", 1, 5, "a date is written YYYY-MM-DD"},
    {"day of one digit", "a = 2000-01-1", 1, 5, "a date is written YYYY-MM-DD"},
    {"no second hyphen", "a = 2000-0101", 1, 5, "a date is written YYYY-MM-DD"},
    {"date cut", "a = 2000-01", 1, 5, "a date is written YYYY-MM-DD"},
    {"year of five digits", "a = 20000-01-01", 1, 5, "not a number"},
    {"text after a date", "a = 2000-01-01x", 1, 5, "a time after it begins with T"},
    {"T alone", "a = 2000-01-01T", 1, 5, "a time is written HH:MM:SS"},
    {"hour too large", "a = 24:00:00", 1, 5, "there is no such time"},
    {"minute too large", "a = 00:60:00", 1, 5, "there is no such time"},
    {"second too large", "a = 00:00:61", 1, 5, "there is no such time"},
    {"no seconds", "a = 07:32", 1, 5, "a time is written HH:MM:SS"},
    {"no minutes", "a = 07:", 1, 5, "a time is written HH:MM:SS"},
    {"hour of one digit", "a = 7:32:00", 1, 5, "not a number"},
    {"second of one digit", "a = 07:32:0", 1, 5, "a time is written HH:MM:SS"},
    {"no colon before the seconds", "a = 07:3200", 1, 5, "a time is written HH:MM:SS"},
    {"no digits in the fraction", "a = 07:32:00.", 1, 5, "a fraction of a second needs digits"},
    {"no digits in the fraction before Z", "a = 2000-01-01T07:32:00.Z", 1, 5, "a fraction of a second needs digits"},
    {"offset at a local time", "a = 07:32:00Z", 1, 5, "something stands after the time"},
    {"offset without colon", "a = 2000-01-01T00:00:00+0100", 1, 5, "an offset is written"},
    {"offset without minutes", "a = 2000-01-01T00:00:00+01", 1, 5, "an offset is written"},
    {"offset with one digit of minutes", "a = 2000-01-01T00:00:00+01:0", 1, 5, "an offset is written"},
    {"offset without sign", "a = 2000-01-01T00:00:00x", 1, 5, "an offset is written"},
    {"offset hour too large", "a = 2000-01-01T00:00:00+24:00", 1, 5, "there is no such offset"},
    {"offset minute too large", "a = 2000-01-01T00:00:00-00:60", 1, 5, "there is no such offset"},
    {"text after an offset", "a = 2000-01-01T00:00:00Zx", 1, 5, "something stands after the time"},
    {"two blanks before the time", "a = 2000-01-01  07:32:00", 1, 17, "expected the end of the line"},
    {"time that is none after a blank", "a = 2000-01-01 7", 1, 5, "a time is written HH:MM:SS"},
};

static void valid_times_are_read(void **state)
{
    (void)state;
    check_valid(valid, ARRAY_LENGTH(valid));
}

static void invalid_times_are_refused_with_the_place(void **state)
{
    (void)state;
    check_invalid(invalid, ARRAY_LENGTH(invalid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_times_are_read),
        cmocka_unit_test(invalid_times_are_refused_with_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
