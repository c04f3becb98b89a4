/* SPDX-License-Identifier: PostgreSQL */
/* Dates and times of TOML (RFC 3339 with its local forms), checked against the calendar. Pure functions, any thread. */
#include "lib/conf/toml_private.h"

static bool has_digits(Slice s, size_t from, size_t count)
{
    if (s.len < from + count)
        return false;
    for (size_t i = from; i < from + count; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return true;
}

bool toml_looks_like_date(Slice s)
{
    return has_digits(s, 0, 4) && s.len > 4 && s.ptr[4] == '-';
}

bool toml_looks_like_time(Slice s)
{
    return has_digits(s, 0, 2) && s.len > 2 && s.ptr[2] == ':';
}

/* @count digits, then moves past them. */
static bool take_number(Slice *rest, size_t count, int *ret)
{
    if (!has_digits(*rest, 0, count))
        return false;
    *ret = 0;
    for (size_t i = 0; i < count; i++)
        *ret = *ret * 10 + (rest->ptr[i] - '0');
    *rest = slice_skip(*rest, count);
    return true;
}

static bool take_char(Slice *rest, char c)
{
    if (rest->len == 0 || *rest->ptr != c)
        return false;
    *rest = slice_skip(*rest, 1);
    return true;
}

static int days_in_month(int year, int month)
{
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

static const char *take_date(Slice *rest, TomlDatetime *ret)
{
    int year, month, day;
    if (!take_number(rest, 4, &year) || !take_char(rest, '-') || !take_number(rest, 2, &month) ||
        !take_char(rest, '-') || !take_number(rest, 2, &day))
        return "a date is written YYYY-MM-DD";
    if (month < 1 || month > 12 || day < 1 || day > days_in_month(year, month))
        return "there is no such day in the calendar";
    ret->year = (int16_t)year;
    ret->month = (int8_t)month;
    ret->day = (int8_t)day;
    return NULL;
}

static const char *take_fraction(Slice *rest, TomlDatetime *ret)
{
    int scale = 100000000;
    size_t digits = 0;
    for (; rest->len > 0 && has_digits(*rest, 0, 1); *rest = slice_skip(*rest, 1), digits++) {
        ret->nanosecond += (*rest->ptr - '0') * scale;
        scale /= 10;
    }
    return digits > 0 ? NULL : "a fraction of a second needs digits";
}

static const char *take_time(Slice *rest, TomlDatetime *ret)
{
    int hour, minute, second;
    if (!take_number(rest, 2, &hour) || !take_char(rest, ':') || !take_number(rest, 2, &minute) ||
        !take_char(rest, ':') || !take_number(rest, 2, &second))
        return "a time is written HH:MM:SS";
    if (hour > 23 || minute > 59 || second > 60)
        return "there is no such time of day";
    ret->hour = (int8_t)hour;
    ret->minute = (int8_t)minute;
    ret->second = (int8_t)second;
    return take_char(rest, '.') ? take_fraction(rest, ret) : NULL;
}

static const char *take_offset(Slice *rest, TomlDatetime *ret)
{
    if (take_char(rest, 'Z') || take_char(rest, 'z'))
        return NULL;
    bool west = *rest->ptr == '-';
    int hour, minute;
    if (!(take_char(rest, '+') || take_char(rest, '-')) || !take_number(rest, 2, &hour) || !take_char(rest, ':') ||
        !take_number(rest, 2, &minute))
        return "an offset is written Z, +HH:MM or -HH:MM";
    if (hour > 23 || minute > 59)
        return "there is no such offset from UTC";
    ret->offset_minutes = (int16_t)((west ? -1 : 1) * (hour * 60 + minute));
    return NULL;
}

const char *toml_read_datetime(Slice rest, TomlValue *ret)
{
    TomlDatetime *dt = &ret->as.datetime;
    *dt = (TomlDatetime){0};
    const char *fault = NULL;
    if (toml_looks_like_date(rest)) {
        ret->type = TOML_LOCAL_DATE;
        fault = take_date(&rest, dt);
        if (fault || rest.len == 0)
            return fault;
        if (!take_char(&rest, 'T') && !take_char(&rest, 't') && !take_char(&rest, ' '))
            return "a date is written YYYY-MM-DD, a time after it begins with T";
        ret->type = TOML_LOCAL_DATETIME;
        fault = take_time(&rest, dt);
        if (fault || rest.len == 0)
            return fault;
        ret->type = TOML_OFFSET_DATETIME;
        fault = take_offset(&rest, dt);
    } else {
        ret->type = TOML_LOCAL_TIME;
        fault = take_time(&rest, dt);
    }
    if (!fault && rest.len > 0)
        return "something stands after the time";
    return fault;
}
