/* SPDX-License-Identifier: PostgreSQL */
/* Slices: comparing, cutting, UTF-8, and the numbers people and PostgreSQL write. Pure functions, any thread. */
#include "lib/base/slice.h"

#include <math.h>
#include <stdlib.h>

#include "lib/base/c_locale.h"
#include "lib/base/clock.h"

int slice_compare(Slice a, Slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order != 0)
        return order < 0 ? -1 : 1;
    return (a.len > b.len) - (a.len < b.len);
}

bool slice_starts_with(Slice s, Slice prefix)
{
    return s.len >= prefix.len && slice_eq(slice_from(s.ptr, prefix.len), prefix);
}

bool slice_ends_with(Slice s, Slice suffix)
{
    return s.len >= suffix.len && slice_eq(slice_skip(s, s.len - suffix.len), suffix);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

Slice slice_trim(Slice s)
{
    while (s.len > 0 && is_space(s.ptr[0]))
        s = slice_skip(s, 1);
    while (s.len > 0 && is_space(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

Slice slice_skip(Slice s, size_t n)
{
    if (n > s.len)
        n = s.len;
    return (Slice){.ptr = n > 0 ? s.ptr + n : s.ptr, .len = s.len - n};
}

Slice slice_split(Slice *rest, char separator)
{
    Slice all = *rest;
    const char *at = all.len > 0 ? memchr(all.ptr, separator, all.len) : NULL;
    if (!at) {
        *rest = SLICE_NULL;
        return all;
    }
    size_t len = (size_t)(at - all.ptr);
    *rest = slice_skip(all, len + 1);
    return slice_from(all.ptr, len);
}

ptrdiff_t slice_find(Slice s, Slice needle)
{
    if (needle.len == 0)
        return 0;
    const char *at = s.len >= needle.len ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return at ? at - s.ptr : -1;
}

/* The table of well-formed byte sequences of the Unicode standard (table 3-7), row by row. */
size_t slice_utf8_length(Slice s)
{
    if (s.len == 0)
        return 0;
    const unsigned char *p = (const unsigned char *)s.ptr;
    unsigned char low = 0x80;
    unsigned char high = 0xBF;
    size_t n;
    if (p[0] < 0x80)
        return 1;
    else if (p[0] >= 0xC2 && p[0] <= 0xDF)
        n = 2;
    else if (p[0] >= 0xE0 && p[0] <= 0xEF)
        n = 3;
    else if (p[0] >= 0xF0 && p[0] <= 0xF4)
        n = 4;
    else
        return 0;

    if (p[0] == 0xE0)
        low = 0xA0; /* shorter forms exist below */
    else if (p[0] == 0xED)
        high = 0x9F; /* surrogates above */
    else if (p[0] == 0xF0)
        low = 0x90;
    else if (p[0] == 0xF4)
        high = 0x8F; /* U+10FFFF is the last */

    if (s.len < n || p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return n;
}

bool slice_is_utf8(Slice s)
{
    while (s.len > 0) {
        size_t n = slice_utf8_length(s);
        if (n == 0)
            return false;
        s = slice_skip(s, n);
    }
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Takes digits off the front of *s. False: none, or above UINT64_MAX. */
static bool take_uint64(Slice *s, uint64_t *ret)
{
    uint64_t value = 0;
    size_t i = 0;
    for (; i < s->len && is_digit(s->ptr[i]); i++)
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (unsigned)(s->ptr[i] - '0'), &value))
            return false;
    *s = slice_skip(*s, i);
    *ret = value;
    return i > 0;
}

bool slice_to_uint64(Slice s, uint64_t *ret)
{
    uint64_t value;
    if (!take_uint64(&s, &value) || s.len > 0)
        return false;
    *ret = value;
    return true;
}

int char_hex_value(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool slice_to_int64(Slice s, int64_t *ret)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    uint64_t value;
    if (!slice_to_uint64(slice_skip(s, negative), &value))
        return false;
    if (value > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

static size_t count_digits(Slice s)
{
    size_t n = 0;
    while (n < s.len && is_digit(s.ptr[n]))
        n++;
    return n;
}

/* -?digits[.digits][e[+-]digits], nothing else: no hexadecimal, no "inf", no white space, which strtod() would take. */
static bool is_decimal(Slice s)
{
    if (slice_starts_with(s, SLICE_LIT("-")))
        s = slice_skip(s, 1);
    size_t n = count_digits(s);
    if (n == 0)
        return false;
    s = slice_skip(s, n);
    if (slice_starts_with(s, SLICE_LIT("."))) {
        n = count_digits(slice_skip(s, 1));
        if (n == 0)
            return false;
        s = slice_skip(s, n + 1);
    }
    if (slice_starts_with(s, SLICE_LIT("e")) || slice_starts_with(s, SLICE_LIT("E"))) {
        s = slice_skip(s, 1);
        if (slice_starts_with(s, SLICE_LIT("+")) || slice_starts_with(s, SLICE_LIT("-")))
            s = slice_skip(s, 1);
        n = count_digits(s);
        if (n == 0)
            return false;
        s = slice_skip(s, n);
    }
    return s.len == 0;
}

bool slice_to_double(Slice s, double *ret)
{
    if (slice_eq(s, SLICE_LIT("NaN"))) {
        *ret = (double)NAN;
        return true;
    }
    if (slice_eq(s, SLICE_LIT("Infinity")) || slice_eq(s, SLICE_LIT("-Infinity"))) {
        *ret = s.ptr[0] == '-' ? (double)-INFINITY : (double)INFINITY;
        return true;
    }

    char text[1100]; /* the exact decimal form of any double is shorter */
    if (s.len >= sizeof(text) || !is_decimal(s))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';

    double value = strtod_l(text, NULL, c_locale());
    if (isinf(value))
        return false;
    *ret = value;
    return true;
}

typedef struct Unit {
    const char *name;
    uint64_t factor;
} Unit;

/* "number [spaces] unit"; the empty unit is a row like the others. Result at most @max. */
static bool to_scaled(Slice s, const Unit *units, size_t units_count, uint64_t max, uint64_t *ret)
{
    uint64_t value;
    if (!take_uint64(&s, &value))
        return false;
    while (s.len > 1 && s.ptr[0] == ' ')
        s = slice_skip(s, 1);
    for (size_t i = 0; i < units_count; i++) {
        if (!slice_eq_cstr(s, units[i].name))
            continue;
        if (__builtin_mul_overflow(value, units[i].factor, &value) || value > max)
            return false;
        *ret = value;
        return true;
    }
    return false;
}

bool slice_to_bytes(Slice s, uint64_t *ret)
{
    static const Unit units[] = {
        {"", 1}, {"B", 1}, {"kB", 1ull << 10}, {"MB", 1ull << 20}, {"GB", 1ull << 30}, {"TB", 1ull << 40}};
    return to_scaled(s, units, sizeof(units) / sizeof(units[0]), UINT64_MAX, ret);
}

bool slice_to_duration(Slice s, int64_t *ret_usec)
{
    static const uint64_t sec = (uint64_t)USEC_PER_SEC;
    const Unit units[] = {{"", sec},
                          {"us", 1},
                          {"ms", (uint64_t)USEC_PER_MSEC},
                          {"s", sec},
                          {"m", 60 * sec},
                          {"min", 60 * sec},
                          {"h", 3600 * sec},
                          {"d", 86400 * sec},
                          {"w", 7 * 86400 * sec},
                          {"y", 365 * 86400 * sec}};
    uint64_t value;
    if (!to_scaled(s, units, sizeof(units) / sizeof(units[0]), INT64_MAX, &value))
        return false;
    *ret_usec = (int64_t)value;
    return true;
}

enum { NAME_MAX_LEN = 128 };

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t low = a < b ? a : b;
    return low < c ? low : c;
}

/* Optimal string alignment: the textbook table, of which three rows are kept. */
size_t slice_distance(Slice a, Slice b, size_t limit)
{
    if (a.len > NAME_MAX_LEN || b.len > NAME_MAX_LEN)
        return limit;

    size_t rows[3][NAME_MAX_LEN + 1];
    size_t *before = rows[0];
    size_t *last = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= b.len; j++)
        last[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = a.ptr[i - 1] == b.ptr[j - 1];
            row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + !same);
            bool exchanged = i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1];
            if (exchanged && before[j - 2] + 1 < row[j])
                row[j] = before[j - 2] + 1;
        }
        size_t *oldest = before;
        before = last;
        last = row;
        row = oldest;
    }
    return last[b.len] < limit ? last[b.len] : limit;
}
