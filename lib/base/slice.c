/* SPDX-License-Identifier: PostgreSQL */
/* Slices: see slice.h. */
#include "lib/base/slice.h"

#include <errno.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>

#include "lib/base/clock.h"

int slice_compare(Slice a, Slice b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;

    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
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
    if (n >= s.len)
        return slice_from(s.ptr ? s.ptr + s.len : NULL, 0);
    return slice_from(s.ptr + n, s.len - n);
}

Slice slice_split(Slice *rest, char separator)
{
    Slice whole = *rest;
    const char *at = whole.len ? memchr(whole.ptr, separator, whole.len) : NULL;

    if (!at) {
        *rest = SLICE_NULL;
        return whole;
    }
    size_t length = (size_t)(at - whole.ptr);
    *rest = slice_from(at + 1, whole.len - length - 1);
    return slice_from(whole.ptr, length);
}

ptrdiff_t slice_find(Slice s, Slice needle)
{
    if (needle.len == 0)
        return 0;
    if (s.len == 0)
        return -1;
    const char *at = memmem(s.ptr, s.len, needle.ptr, needle.len);
    return at ? at - s.ptr : -1;
}

/* Length of the well-formed sequence at @p of at most @left bytes, 0 when there is none. Unicode, table 3-7. */
static size_t utf8_sequence(const unsigned char *p, size_t left)
{
    unsigned char c = p[0];
    size_t need = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;

    if (need == 0 || need > left)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && p[1] < 0xa0) || (c == 0xed && p[1] > 0x9f) || (c == 0xf0 && p[1] < 0x90) ||
        (c == 0xf4 && p[1] > 0x8f))
        return 0;
    return need;
}

bool slice_is_utf8(Slice s)
{
    const unsigned char *p = (const unsigned char *)s.ptr;

    for (size_t at = 0; at < s.len;) {
        size_t length = utf8_sequence(p + at, s.len - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

bool slice_to_uint64(Slice s, uint64_t *ret)
{
    uint64_t value = 0;

    if (s.len == 0)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        unsigned digit = (unsigned)(unsigned char)s.ptr[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *ret = value;
    return true;
}

bool slice_to_int64(Slice s, int64_t *ret)
{
    bool negative = s.len > 0 && s.ptr[0] == '-';
    bool sign = negative || (s.len > 0 && s.ptr[0] == '+');
    uint64_t value;

    if (!slice_to_uint64(sign ? slice_skip(s, 1) : s, &value))
        return false;
    if (negative) {
        if (value > (uint64_t)INT64_MAX + 1)
            return false;
        *ret = (int64_t)(0 - value);
        return true;
    }
    if (value > INT64_MAX)
        return false;
    *ret = (int64_t)value;
    return true;
}

static locale_t c_locale;
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void c_locale_init(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool slice_to_double(Slice s, double *ret)
{
    char text[400]; /* 1.8e308 written out has 309 digits */
    char *end;

    if (s.len == 0 || s.len >= sizeof text || is_space(s.ptr[0]))
        return false;
    /* strtod also takes hexadecimal and "inf..." forms that PostgreSQL does not write. */
    if (memchr(s.ptr, 'x', s.len) || memchr(s.ptr, 'X', s.len) || memchr(s.ptr, '(', s.len))
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    (void)pthread_once(&c_locale_once, c_locale_init);
    errno = 0;
    double value = strtod_l(text, &end, c_locale);
    if (end != text + s.len || (errno == ERANGE && (value > 1 || value < -1)))
        return false;
    *ret = value;
    return true;
}

typedef struct UnitRow {
    const char *name;
    uint64_t factor;
} UnitRow;

/* "12kB": the number, then one of @units; none means @bare. */
static bool number_with_unit(Slice s, const UnitRow *units, size_t count, uint64_t bare, uint64_t *ret)
{
    size_t digits = 0;
    uint64_t number, factor = bare;

    while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
        digits++;
    if (!slice_to_uint64(slice_from(s.ptr, digits), &number))
        return false;
    Slice unit = slice_trim(slice_skip(s, digits));
    if (unit.len > 0) {
        factor = 0;
        for (size_t i = 0; i < count; i++)
            if (slice_eq_cstr(unit, units[i].name))
                factor = units[i].factor;
        if (factor == 0)
            return false;
    }
    return !__builtin_mul_overflow(number, factor, ret);
}

bool slice_to_bytes(Slice s, uint64_t *ret)
{
    static const UnitRow units[] = {
        {"B", 1}, {"kB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}, {"TB", (uint64_t)1 << 40},
    };

    return number_with_unit(s, units, sizeof units / sizeof units[0], 1, ret);
}

bool slice_to_duration(Slice s, int64_t *ret_usec)
{
    static const UnitRow units[] = {
        {"us", 1},
        {"ms", (uint64_t)USEC_PER_MSEC},
        {"s", (uint64_t)USEC_PER_SEC},
        {"m", (uint64_t)USEC_PER_SEC * 60},
        {"min", (uint64_t)USEC_PER_SEC * 60},
        {"h", (uint64_t)USEC_PER_SEC * 3600},
        {"d", (uint64_t)USEC_PER_SEC * 86400},
        {"w", (uint64_t)USEC_PER_SEC * 86400 * 7},
        {"y", (uint64_t)USEC_PER_SEC * 86400 * 365},
    };
    uint64_t value;

    if (!number_with_unit(s, units, sizeof units / sizeof units[0], (uint64_t)USEC_PER_SEC, &value) ||
        value > INT64_MAX)
        return false;
    *ret_usec = (int64_t)value;
    return true;
}

enum { DISTANCE_WORD_MAX = 64 };

size_t slice_distance(Slice a, Slice b, size_t limit)
{
    size_t row[DISTANCE_WORD_MAX + 1];

    if (a.len > DISTANCE_WORD_MAX || b.len > DISTANCE_WORD_MAX)
        return slice_eq(a, b) ? 0 : limit;
    for (size_t j = 0; j <= b.len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t replaced = diagonal + (a.ptr[i - 1] != b.ptr[j - 1]);
            size_t best = row[j] + 1 < row[j - 1] + 1 ? row[j] + 1 : row[j - 1] + 1;
            diagonal = row[j];
            row[j] = replaced < best ? replaced : best;
        }
    }
    return row[b.len] < limit ? row[b.len] : limit;
}
