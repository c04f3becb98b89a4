/* SPDX-License-Identifier: PostgreSQL */
/* Time: see clock.h. */
#include "lib/base/clock.h"

#include <stdio.h>
#include <time.h>

static Usec clock_read(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t); /* cannot fail for these clocks */
    return (Usec)t.tv_sec * USEC_PER_SEC + t.tv_nsec / 1000;
}

Usec clock_monotonic(void)
{
    return clock_read(CLOCK_MONOTONIC);
}

Usec clock_wall(void)
{
    return clock_read(CLOCK_REALTIME);
}

void clock_format_iso(Usec wall, char ret[CLOCK_ISO_SIZE])
{
    time_t seconds = (time_t)(wall / USEC_PER_SEC);
    int micro = (int)(wall % USEC_PER_SEC);
    struct tm t;

    if (micro < 0) {
        micro += (int)USEC_PER_SEC;
        seconds--;
    }
    (void)gmtime_r(&seconds, &t); /* years beyond int do not fit into Usec */
    (void)snprintf(ret, CLOCK_ISO_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", (t.tm_year + 1900) % 10000u,
                   t.tm_mon + 1, t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, micro);
}

/* Takes @count digits off *s. */
static bool take_digits(Slice *s, size_t count, int *ret)
{
    int value = 0;

    if (s->len < count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (s->ptr[i] < '0' || s->ptr[i] > '9')
            return false;
        value = value * 10 + (s->ptr[i] - '0');
    }
    *s = slice_skip(*s, count);
    *ret = value;
    return true;
}

static bool take_char(Slice *s, const char *any_of)
{
    if (s->len == 0 || s->ptr[0] == '\0' || !strchr(any_of, s->ptr[0]))
        return false;
    *s = slice_skip(*s, 1);
    return true;
}

/* ".123456789": digits beyond microseconds are dropped. */
static bool take_fraction(Slice *s, Usec *ret)
{
    Usec unit = USEC_PER_SEC / 10, value = 0;
    size_t count = 0;

    *ret = 0;
    if (!take_char(s, "."))
        return true;
    for (; s->len > 0 && s->ptr[0] >= '0' && s->ptr[0] <= '9'; count++, unit /= 10) {
        value += (s->ptr[0] - '0') * unit;
        *s = slice_skip(*s, 1);
    }
    *ret = value;
    return count > 0;
}

static bool take_offset(Slice *s, Usec *ret)
{
    int hours, minutes;

    *ret = 0;
    if (take_char(s, "Zz"))
        return true;
    bool west = s->len > 0 && s->ptr[0] == '-';
    if (!take_char(s, "+-") || !take_digits(s, 2, &hours) || !take_char(s, ":") || !take_digits(s, 2, &minutes) ||
        hours > 23 || minutes > 59)
        return false;
    *ret = (hours * 60 + minutes) * 60 * USEC_PER_SEC * (west ? -1 : 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && leap);
}

bool clock_parse_iso(Slice s, Usec *ret)
{
    struct tm t = {0};
    int year, month, day;
    Usec fraction, offset;

    if (!take_digits(&s, 4, &year) || !take_char(&s, "-") || !take_digits(&s, 2, &month) || !take_char(&s, "-") ||
        !take_digits(&s, 2, &day) || !take_char(&s, "Tt ") || !take_digits(&s, 2, &t.tm_hour) || !take_char(&s, ":") ||
        !take_digits(&s, 2, &t.tm_min) || !take_char(&s, ":") || !take_digits(&s, 2, &t.tm_sec) ||
        !take_fraction(&s, &fraction) || !take_offset(&s, &offset) || s.len != 0)
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) || t.tm_hour > 23 ||
        t.tm_min > 59 || t.tm_sec > 60)
        return false;
    t.tm_year = year - 1900;
    t.tm_mon = month - 1;
    t.tm_mday = day;
    *ret = (Usec)timegm(&t) * USEC_PER_SEC + fraction - offset;
    return true;
}
