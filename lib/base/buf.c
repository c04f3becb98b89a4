/* SPDX-License-Identifier: PostgreSQL */
/*
 * Growing byte buffer. Invariants: capacity 0 and ptr NULL together; otherwise len < capacity and ptr[len] == '\0'.
 * An appended slice must not lie inside the buffer itself. One thread at a time.
 */
#include "lib/base/buf.h"

#include <assert.h>
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/base/c_locale.h"

enum { CAPACITY_FIRST = 64 };

void buf_done(Buf *b)
{
    free(b->ptr);
    *b = BUF_INIT_LIMIT(b->limit);
}

void buf_wipe(Buf *b)
{
    if (b->ptr)
        explicit_bzero(b->ptr, b->capacity);
    buf_done(b);
}

void buf_clear(Buf *b)
{
    b->len = 0;
    if (b->ptr)
        b->ptr[0] = '\0';
}

char *buf_take(Buf *b)
{
    buf_reserve(b, 0);
    char *text = b->ptr;
    *b = BUF_INIT_LIMIT(b->limit);
    return text;
}

const char *buf_cstr(const Buf *b)
{
    return b->ptr ? b->ptr : "";
}

/* -ENOMEM when memory ends; also for a size that no allocator could give, before the sum can wrap. */
static int grow(Buf *b, size_t more)
{
    if (more < b->capacity - b->len)
        return 0;
    bool possible = more < (size_t)PTRDIFF_MAX - b->len;
    size_t needed = b->len + more + 1;
    size_t capacity = b->capacity * 2 > needed ? b->capacity * 2 : needed;
    if (capacity < CAPACITY_FIRST)
        capacity = CAPACITY_FIRST;
    char *ptr = possible ? realloc(b->ptr, capacity) : NULL;
    if (!ptr)
        return -ENOMEM;
    b->ptr = ptr;
    b->capacity = capacity;
    b->ptr[b->len] = '\0';
    return 0;
}

void buf_reserve(Buf *b, size_t more)
{
    if (grow(b, more) < 0)
        abort(); /* GCOV_EXCL_LINE: the caller bounded it, so memory has ended */
}

int buf_try_reserve(Buf *b, size_t more)
{
    if (b->limit > 0 && (b->len > b->limit || more > b->limit - b->len))
        return -E2BIG;
    return grow(b, more);
}

/* There is room. */
static void put(Buf *b, Slice s)
{
    if (s.len == 0)
        return;
    memcpy(b->ptr + b->len, s.ptr, s.len);
    b->len += s.len;
    b->ptr[b->len] = '\0';
}

void buf_append(Buf *b, Slice s)
{
    buf_reserve(b, s.len);
    put(b, s);
}

int buf_try_append(Buf *b, Slice s)
{
    int r = buf_try_reserve(b, s.len);
    if (r < 0)
        return r;
    put(b, s);
    return 0;
}

void buf_append_cstr(Buf *b, const char *s)
{
    buf_append(b, slice_cstr(s));
}

void buf_append_char(Buf *b, char c)
{
    if (b->capacity - b->len < 2) /* the one behind it ends the text */
        buf_reserve(b, 1);
    b->ptr[b->len++] = c;
    b->ptr[b->len] = '\0';
}

void buf_printf(Buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_vprintf(Buf *b, const char *format, va_list args)
{
    buf_reserve(b, 0);
    size_t room = b->capacity - b->len;
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(b->ptr + b->len, room, format, args);
    assert(n >= 0); /* only wide characters and INT_MAX can fail, and we print neither */
    if ((size_t)n >= room) {
        buf_reserve(b, (size_t)n);
        (void)vsnprintf(b->ptr + b->len, (size_t)n + 1, format, again);
    }
    va_end(again);
    b->len += (size_t)n;
}

void buf_append_int64(Buf *b, int64_t value)
{
    char text[20]; /* "-9223372036854775808" */
    size_t at = sizeof(text);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0)
        text[--at] = '-';
    buf_append(b, slice_from(text + at, sizeof(text) - at));
}

bool buf_prints_as_integer(double value)
{
    return fabs(value) < 1e15 && (double)(int64_t)value == value && (value != 0 || !signbit(value));
}

/*
 * A normal double that has a decimal form of up to DBL_DIG digits prints as that form with %.15g (trailing zeros are
 * dropped), so 15, 16, 17 find the shortest. Subnormal numbers have fewer digits than that and are tried from one.
 */
void buf_append_double(Buf *b, double value)
{
    if (isnan(value)) {
        buf_append_cstr(b, "NaN");
        return;
    }
    if (isinf(value)) {
        buf_append_cstr(b, value < 0 ? "-Infinity" : "Infinity");
        return;
    }
    if (buf_prints_as_integer(value)) {
        buf_append_int64(b, (int64_t)value); /* most of what counters and gauges hold */
        return;
    }

    char text[40]; /* "-1.2345678901234567e-308" */
    locale_t before = uselocale(c_locale());
    int precision = fabs(value) < DBL_MIN ? 1 : DBL_DIG;
    do {
        (void)snprintf(text, sizeof(text), "%.*g", precision, value);
    } while (precision++ < DBL_DECIMAL_DIG && strtod(text, NULL) != value);
    (void)uselocale(before);
    buf_append_cstr(b, text);
}

/* Appends the escape of @c, which JSON does not allow as it is. */
static void append_json_escape(Buf *b, unsigned char c)
{
    static const char *const short_forms[256] = {['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
                                                 ['\n'] = "\\n", ['\r'] = "\\r",  ['\t'] = "\\t"};
    if (short_forms[c])
        buf_append_cstr(b, short_forms[c]);
    else if (c < 0x20)
        buf_printf(b, "\\u%04x", c);
    else
        buf_append_cstr(b, "\xEF\xBF\xBD"); /* U+FFFD: not UTF-8 */
}

/* Bytes at the front of @s that stand in a JSON string as they are. */
static size_t plain_length(Slice s)
{
    size_t at = 0;
    while (at < s.len) {
        unsigned char c = (unsigned char)s.ptr[at];
        if (c < 0x20 || c == '"' || c == '\\')
            break;
        size_t n = c < 0x80 ? 1 : slice_utf8_length(slice_skip(s, at));
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

void buf_append_json_string(Buf *b, Slice s)
{
    buf_reserve(b, s.len + 2);
    buf_append_char(b, '"');
    for (;;) {
        size_t plain = plain_length(s);
        buf_append(b, slice_from(s.ptr, plain));
        if (plain == s.len)
            break;
        append_json_escape(b, (unsigned char)s.ptr[plain]);
        s = slice_skip(s, plain + 1);
    }
    buf_append_char(b, '"');
}

static void append_le(Buf *b, uint64_t v, size_t bytes)
{
    char raw[8];
    for (size_t i = 0; i < bytes; i++)
        raw[i] = (char)(v >> (8 * i));
    buf_append(b, slice_from(raw, bytes));
}

void buf_append_u8(Buf *b, uint8_t v)
{
    buf_append_char(b, (char)v);
}

void buf_append_u32le(Buf *b, uint32_t v)
{
    append_le(b, v, 4);
}

void buf_append_u64le(Buf *b, uint64_t v)
{
    append_le(b, v, 8);
}
