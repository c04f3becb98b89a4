/* SPDX-License-Identifier: PostgreSQL */
/* Time: RFC 3339 in and out, checked against the C library's calendar. */
#include "tests/support/unit.h"

#include <stdio.h>
#include <time.h>

#include "lib/base/clock.h"

#define END_OF_9999 ((Usec)253402300800 * USEC_PER_SEC - 1)

static void clocks_go_forward(void **state)
{
    (void)state;
    Usec before = clock_monotonic();
    assert_true(clock_monotonic() >= before);
    assert_true(clock_wall() / USEC_PER_SEC - (Usec)time(NULL) <= 1);
    assert_true(clock_wall() / USEC_PER_SEC - (Usec)time(NULL) >= -1);
}

static void work_takes_processor_time(void **state)
{
    (void)state;
    Usec before = clock_thread_cpu(), deadline = clock_monotonic() + 30 * USEC_PER_SEC;
    while (clock_thread_cpu() < before + 2000)
        assert_true(clock_monotonic() < deadline);
    assert_true(clock_thread_cpu() - before <= clock_monotonic() - deadline + 30 * USEC_PER_SEC + 1000);
}

static void formats_known_times(void **state)
{
    (void)state;
    static const struct {
        Usec wall;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {1, "1970-01-01T00:00:00.000001Z"},
        {(Usec)951782399 * USEC_PER_SEC + 999999, "2000-02-28T23:59:59.999999Z"},
        {(Usec)951782400 * USEC_PER_SEC, "2000-02-29T00:00:00.000000Z"},
        {(Usec)951868800 * USEC_PER_SEC, "2000-03-01T00:00:00.000000Z"},
        {(Usec)4107542400 * USEC_PER_SEC, "2100-03-01T00:00:00.000000Z"},
        {USEC_POSTGRES_EPOCH, "2000-01-01T00:00:00.000000Z"},
        {-5, "1970-01-01T00:00:00.000000Z"}, /* out of range is the nearest in range */
        {USEC_NEVER, "9999-12-31T23:59:59.999999Z"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[CLOCK_ISO_SIZE];
        clock_format_iso(cases[i].wall, text);
        assert_string_equal(text, cases[i].text);
    }
}

static void agrees_with_the_c_library_every_day(void **state)
{
    (void)state;
    for (Usec secs = 0; secs < (Usec)253402300800; secs += 86400 * 7 + 3671) {
        time_t t = (time_t)secs;
        struct tm utc;
        assert_non_null(gmtime_r(&t, &utc));
        char expected[64], text[CLOCK_ISO_SIZE];
        (void)strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S.000000Z", &utc);
        clock_format_iso(secs * USEC_PER_SEC, text);
        assert_string_equal(text, expected);
        Usec back = -1;
        assert_true(clock_parse_iso(slice_cstr(text), &back));
        assert_int_equal(back, secs * USEC_PER_SEC);
    }
}

static void parses_rfc_3339(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool valid;
        Usec value;
    } cases[] = {
        {"1970-01-01T00:00:00Z", true, 0},
        {"2026-11-21T02:18:34.123456Z", true, (Usec)1795227514 * USEC_PER_SEC + 123456},
        {"2026-11-21t02:18:34z", true, (Usec)1795227514 * USEC_PER_SEC},
        {"2026-11-21 02:18:34Z", true, (Usec)1795227514 * USEC_PER_SEC},
        {"2026-11-21T04:18:34+02:00", true, (Usec)1795227514 * USEC_PER_SEC},
        {"2026-11-20T20:48:34-05:30", true, (Usec)1795227514 * USEC_PER_SEC},
        {"2026-11-21T02:18:34.1Z", true, (Usec)1795227514 * USEC_PER_SEC + 100000},
        {"2026-11-21T02:18:34.123456999Z", true, (Usec)1795227514 * USEC_PER_SEC + 123456},
        {"2000-02-29T00:00:00Z", true, (Usec)951782400 * USEC_PER_SEC},
        {"2016-12-31T23:59:60Z", true, (Usec)1483228800 * USEC_PER_SEC}, /* leap second */
        {"1969-12-31T23:00:00-01:00", true, 0},
        {"9999-12-31T23:59:59.999999Z", true, END_OF_9999},
        {"9999-12-31T23:59:59-00:01", false, 0},
        {"1970-01-01T00:00:00+00:01", false, 0}, /* before 1970 */
        {"1969-12-31T23:59:59Z", false, 0},
        {"1900-02-29T00:00:00Z", false, 0},
        {"2100-02-29T00:00:00Z", false, 0},
        {"2023-02-29T00:00:00Z", false, 0},
        {"2026-04-31T00:00:00Z", false, 0},
        {"2026-00-01T00:00:00Z", false, 0},
        {"2026-13-01T00:00:00Z", false, 0},
        {"2026-01-00T00:00:00Z", false, 0},
        {"2026-01-01T24:00:00Z", false, 0},
        {"2026-01-01T00:60:00Z", false, 0},
        {"2026-01-01T00:00:61Z", false, 0},
        {"2026-01-01T00:00:00", false, 0}, /* no offset: which place's time? */
        {"2026-01-01T00:00:00+24:00", false, 0},
        {"2026-01-01T00:00:00+02:60", false, 0},
        {"2026-01-01T00:00:00+0200", false, 0},
        {"2026-01-01T00:00:00+02", false, 0},
        {"2026-01-01T00:00:00.Z", false, 0},
        {"2026-01-01T00:00:00,5Z", false, 0},
        {"2026-01-01T00:00:00Zx", false, 0},
        {"2026-01-01", false, 0},
        {"2026-1-1T00:00:00Z", false, 0},
        {"2026-01-01T0:00:00Z", false, 0},
        {"2026-01-01x00:00:00Z", false, 0},
        {"-026-01-01T00:00:00Z", false, 0},
        {"", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Usec value = 42;
        bool valid = clock_parse_iso(slice_cstr(cases[i].text), &value);
        if (valid != cases[i].valid || value != (valid ? cases[i].value : 42))
            fail_msg("\"%s\" gives %d, %lld", cases[i].text, valid, (long long)value);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_go_forward),   cmocka_unit_test(work_takes_processor_time),
        cmocka_unit_test(formats_known_times), cmocka_unit_test(agrees_with_the_c_library_every_day),
        cmocka_unit_test(parses_rfc_3339),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
