#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Buf: a growing, owned run of bytes, always NUL-terminated behind len once anything was reserved.
 * Embedded or on the stack: BUF_INIT, then buf_done(). One thread at a time.
 *
 * Two policies. Plain functions abort when memory ends: for what our own code bounds. buf_try_* return -ENOMEM, or
 * -E2BIG at .limit: for what input sizes. After a failed try nothing was appended.
 */
#include <stdarg.h>

#include "lib/base/cleanup.h"
#include "lib/base/slice.h"

typedef struct Buf {
    char *ptr;
    size_t len;
    size_t capacity;
    size_t limit; /* most bytes that buf_try_* lets it hold; 0 = no limit */
} Buf;

#define BUF_INIT              ((Buf){0})
#define BUF_INIT_LIMIT(bytes) ((Buf){.limit = (bytes)})

void buf_done(Buf *b); /* frees; b is BUF_INIT again, the limit kept */
static inline void buf_donep(Buf *b)
{
    buf_done(b);
}
#define _cleanup_buf_ _cleanup_(buf_donep)

static inline Slice buf_slice(const Buf *b)
{
    return (Slice){.ptr = b->ptr ? b->ptr : "", .len = b->len};
}
void buf_wipe(Buf *b);              /* overwrites a secret, then buf_done() */
void buf_clear(Buf *b);             /* len 0, memory kept for reuse */
char *buf_take(Buf *b);             /* the C string, caller frees; b is empty again; never NULL */
const char *buf_cstr(const Buf *b); /* never NULL */
void buf_reserve(Buf *b, size_t more);
void buf_append(Buf *b, Slice s);
void buf_append_cstr(Buf *b, const char *s);
void buf_append_char(Buf *b, char c);
void buf_printf(Buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
void buf_vprintf(Buf *b, const char *format, va_list args) PRINTF_LIKE(2, 0);
void buf_append_int64(Buf *b, int64_t value);
/* An integer below 1e15, and not minus zero: buf_append_int64() prints all of it. */
bool buf_prints_as_integer(double value);
/* Shortest text that reads back to the same double (%.17g at worst); NaN and infinities as PostgreSQL writes them. */
void buf_append_double(Buf *b, double value);
/* A JSON string with its quotes; bytes that are not UTF-8 become U+FFFD. */
void buf_append_json_string(Buf *b, Slice s);

int buf_try_reserve(Buf *b, size_t more) MUST_CHECK;
int buf_try_append(Buf *b, Slice s) MUST_CHECK;

/* Little-endian integers for our disk formats. */
void buf_append_u8(Buf *b, uint8_t v);
void buf_append_u32le(Buf *b, uint32_t v);
void buf_append_u64le(Buf *b, uint64_t v);
