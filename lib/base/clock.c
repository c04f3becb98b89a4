/* SPDX-License-Identifier: PostgreSQL */
/* Clocks, and RFC 3339 in and out by the proleptic Gregorian calendar. Stateless, any thread. */
#include "lib/base/clock.h"

#include <time.h>

enum { SECS_PER_DAY = 86400 };

static Usec read_clock(clockid_t id)
{
    struct timespec t;
    (void)clock_gettime(id, &t); /* these clocks always exist */
    return (Usec)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

Usec clock_monotonic(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

Usec clock_wall(void)
{
    return read_clock(CLOCK_REALTIME);
}

Usec clock_thread_cpu(void)
{
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* Days since 1970-01-01. The year is counted from March, so that the leap day is its last. */
static int64_t days_from_date(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = y / 400;
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void put_digits(char *at, int64_t value, int width)
{
    for (int i = width - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
}

void clock_format_iso(Usec wall, char ret[CLOCK_ISO_SIZE])
{
    static const Usec last = (Usec)253402300800 * USEC_PER_SEC - 1; /* end of the year 9999 */
    if (wall < 0)
        wall = 0;
    if (wall > last)
        wall = last;
    int64_t secs = wall / USEC_PER_SEC;
    int64_t days = secs / SECS_PER_DAY + 719468; /* since 0000-03-01 */
    int64_t era = days / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153; /* from March */
    int64_t day = day_of_year - (153 * month + 2) / 5 + 1;
    month = month < 10 ? month + 3 : month - 9;

    memcpy(ret, "0000-00-00T00:00:00.000000Z", CLOCK_ISO_SIZE);
    put_digits(ret, era * 400 + year_of_era + (month <= 2), 4);
    put_digits(ret + 5, month, 2);
    put_digits(ret + 8, day, 2);
    put_digits(ret + 11, secs % SECS_PER_DAY / 3600, 2);
    put_digits(ret + 14, secs % 3600 / 60, 2);
    put_digits(ret + 17, secs % 60, 2);
    put_digits(ret + 20, wall % USEC_PER_SEC, 6);
}

/* Takes exactly @width digits off the front of *s, then @end (unless NUL). */
static bool take_number(Slice *s, size_t width, char end, int64_t *ret)
{
    if (s->len < width + (end != '\0') || (end != '\0' && s->ptr[width] != end))
        return false;
    uint64_t value;
    if (!slice_to_uint64(slice_from(s->ptr, width), &value))
        return false;
    *ret = (int64_t)value;
    *s = slice_skip(*s, width + (end != '\0'));
    return true;
}

static bool take_date(Slice *s, int64_t *ret_days)
{
    static const char month_days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int64_t year, month, day;
    if (!take_number(s, 4, '-', &year) || !take_number(s, 2, '-', &month) || !take_number(s, 2, '\0', &day))
        return false;
    if (year < 1969 || month < 1 || month > 12 || day < 1 || day > month_days[month - 1])
        return false; /* 1969 may be 1970 in UTC; the caller looks at the result */
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month == 2 && day == 29 && !leap)
        return false;
    *ret_days = days_from_date(year, month, day);
    return true;
}

/* ".5" or ".123456789": microseconds, further digits are cut off. No fraction is 0. */
static bool take_fraction(Slice *s, Usec *ret)
{
    *ret = 0;
    if (!slice_starts_with(*s, SLICE_LIT(".")))
        return true;
    *s = slice_skip(*s, 1);
    size_t n = 0;
    Usec unit = USEC_PER_SEC / 10;
    for (; n < s->len && s->ptr[n] >= '0' && s->ptr[n] <= '9'; n++, unit /= 10)
        *ret += (s->ptr[n] - '0') * unit;
    *s = slice_skip(*s, n);
    return n > 0;
}

/* "Z" or "+02:00" as the whole rest; seconds east of Greenwich. */
static bool take_offset(Slice s, int64_t *ret)
{
    *ret = 0;
    if (slice_eq(s, SLICE_LIT("Z")) || slice_eq(s, SLICE_LIT("z")))
        return true;
    if (s.len != 6 || (s.ptr[0] != '+' && s.ptr[0] != '-'))
        return false;
    int64_t sign = s.ptr[0] == '-' ? -1 : 1;
    int64_t hours, minutes;
    s = slice_skip(s, 1);
    if (!take_number(&s, 2, ':', &hours) || !take_number(&s, 2, '\0', &minutes) || hours > 23 || minutes > 59)
        return false;
    *ret = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool clock_parse_iso(Slice s, Usec *ret)
{
    int64_t days, hour, minute, second, offset;
    Usec fraction;
    if (!take_date(&s, &days) || s.len == 0 || (s.ptr[0] != 'T' && s.ptr[0] != 't' && s.ptr[0] != ' '))
        return false;
    s = slice_skip(s, 1);
    if (!take_number(&s, 2, ':', &hour) || !take_number(&s, 2, ':', &minute) || !take_number(&s, 2, '\0', &second))
        return false;
    if (!take_fraction(&s, &fraction) || !take_offset(s, &offset))
        return false;
    if (hour > 23 || minute > 59 || second > 60)
        return false; /* 60: a leap second, which counts as the one after it */

    Usec wall = (days * SECS_PER_DAY + hour * 3600 + minute * 60 + second - offset) * USEC_PER_SEC + fraction;
    if (wall < 0 || wall >= (Usec)253402300800 * USEC_PER_SEC)
        return false;
    *ret = wall;
    return true;
}
