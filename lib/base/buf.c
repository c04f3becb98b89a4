/* SPDX-License-Identifier: PostgreSQL */
/* Growing bytes: see buf.h. Invariant: ptr is NULL, or capacity > len and ptr[len] is NUL. */
#include "lib/base/buf.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>

enum { BUF_FIRST = 64 };

void buf_done(Buf *b)
{
    free(b->ptr);
    *b = (Buf){.limit = b->limit};
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
    *b = (Buf){.limit = b->limit};
    return text;
}

const char *buf_cstr(const Buf *b)
{
    return b->ptr ? b->ptr : "";
}

/* 0, or -ENOMEM with nothing changed. */
static int grow(Buf *b, size_t more)
{
    size_t needed, capacity = b->capacity ? b->capacity : BUF_FIRST;

    if (__builtin_add_overflow(b->len, more, &needed) || __builtin_add_overflow(needed, 1, &needed))
        return -ENOMEM;
    if (b->ptr && needed <= b->capacity)
        return 0;
    while (capacity < needed)
        if (__builtin_mul_overflow(capacity, 2, &capacity))
            capacity = needed;
    char *ptr = realloc(b->ptr, capacity);
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
        abort();
}

int buf_try_reserve(Buf *b, size_t more)
{
    if (b->limit && (more > b->limit || b->len > b->limit - more))
        return -E2BIG;
    return grow(b, more);
}

static void put(Buf *b, const void *bytes, size_t len)
{
    if (len > 0)
        memcpy(b->ptr + b->len, bytes, len);
    b->len += len;
    b->ptr[b->len] = '\0';
}

void buf_append(Buf *b, Slice s)
{
    buf_reserve(b, s.len);
    put(b, s.ptr, s.len);
}

int buf_try_append(Buf *b, Slice s)
{
    int r = buf_try_reserve(b, s.len);
    if (r < 0)
        return r;
    put(b, s.ptr, s.len);
    return 0;
}

void buf_append_cstr(Buf *b, const char *s)
{
    buf_append(b, slice_cstr(s));
}

void buf_append_char(Buf *b, char c)
{
    buf_append(b, slice_from(&c, 1));
}

void buf_vprintf(Buf *b, const char *format, va_list args)
{
    va_list again;

    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (length < 0)
        abort(); /* a broken format: a programming error */
    buf_reserve(b, (size_t)length);
    (void)vsnprintf(b->ptr + b->len, (size_t)length + 1, format, args); /* measured above */
    b->len += (size_t)length;
}

void buf_printf(Buf *b, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_append_int64(Buf *b, int64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (value < 0)
        digits[--at] = '-';
    buf_append(b, slice_from(digits + at, sizeof digits - at));
}

void buf_append_double(Buf *b, double value)
{
    if (isnan(value)) {
        buf_append_cstr(b, "NaN");
        return;
    }
    if (isinf(value)) {
        buf_append_cstr(b, value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    /* Fewest of 15, 16 or 17 digits that read back to the same number. */
    char text[40];
    double back;
    int length = 0;
    for (int digits = 15; digits <= 17; digits++) {
        length = snprintf(text, sizeof text, "%.*g", digits, value);
        for (char *p = text; *p; p++)
            if (*p == ',')
                *p = '.'; /* another LC_NUMERIC */
        if (slice_to_double(slice_from(text, (size_t)length), &back) && back == value)
            break;
    }
    buf_append(b, slice_from(text, (size_t)length));
}

/* Length of the UTF-8 sequence at the start of @s, 0 when it is not one. */
static size_t utf8_length(Slice s)
{
    for (size_t n = 1; n <= 4 && n <= s.len; n++)
        if (slice_is_utf8(slice_from(s.ptr, n)))
            return n;
    return 0;
}

static void append_json_escape(Buf *b, unsigned char c)
{
    static const char names[] = "\bb\ff\nn\rr\tt\"\"\\\\";

    for (const char *p = names; *p; p += 2)
        if ((unsigned char)*p == c) {
            buf_append(b, slice_from((const char[]){'\\', p[1]}, 2));
            return;
        }
    buf_printf(b, "\\u%04x", c);
}

void buf_append_json_string(Buf *b, Slice s)
{
    buf_append_char(b, '"');
    while (s.len > 0) {
        size_t plain = 0;
        while (plain < s.len && (unsigned char)s.ptr[plain] >= 0x20 && (unsigned char)s.ptr[plain] < 0x7f &&
               s.ptr[plain] != '"' && s.ptr[plain] != '\\')
            plain++;
        if (plain > 0) {
            buf_append(b, slice_from(s.ptr, plain));
            s = slice_skip(s, plain);
            continue;
        }
        unsigned char c = (unsigned char)s.ptr[0];
        size_t length = c < 0x80 ? 1 : utf8_length(s);
        if (length == 0) {
            buf_append_cstr(b, "\xef\xbf\xbd"); /* U+FFFD */
            length = 1;
        } else if (length == 1) {
            append_json_escape(b, c);
        } else {
            buf_append(b, slice_from(s.ptr, length));
        }
        s = slice_skip(s, length);
    }
    buf_append_char(b, '"');
}

void buf_append_u8(Buf *b, uint8_t v)
{
    buf_append(b, slice_from(&v, 1));
}

static void append_le(Buf *b, uint64_t v, size_t bytes)
{
    uint8_t out[8];

    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(v >> (8 * i));
    buf_append(b, slice_from(out, bytes));
}

void buf_append_u32le(Buf *b, uint32_t v)
{
    append_le(b, v, 4);
}

void buf_append_u64le(Buf *b, uint64_t v)
{
    append_le(b, v, 8);
}
