#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Slice: a borrowed run of bytes, not NUL-terminated. The owner must outlive it. A Slice with ptr NULL is "absent",
 * one with len 0 and ptr set is "empty". Pure functions, any thread.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Slice {
    const char *ptr;
    size_t len;
} Slice;

#define SLICE_NULL         ((Slice){0})
#define SLICE_LIT(literal) ((Slice){.ptr = (literal), .len = sizeof(literal) - 1})
/* For printf's "%.*s". */
#define SLICE_ARG(slice) (int)(slice).len, (slice).ptr

static inline Slice slice_from(const void *ptr, size_t len)
{
    return (Slice){.ptr = ptr, .len = len};
}

static inline Slice slice_cstr(const char *s)
{
    return (Slice){.ptr = s, .len = s ? strlen(s) : 0};
}

static inline bool slice_eq(Slice a, Slice b)
{
    return a.len == b.len && (a.len == 0 || (a.ptr && b.ptr && memcmp(a.ptr, b.ptr, a.len) == 0));
}

static inline bool slice_eq_cstr(Slice a, const char *b)
{
    return slice_eq(a, slice_cstr(b));
}

int slice_compare(Slice a, Slice b); /* byte order, like memcmp then length */
bool slice_starts_with(Slice s, Slice prefix);
bool slice_ends_with(Slice s, Slice suffix);
Slice slice_trim(Slice s);           /* without leading and trailing ASCII white space */
Slice slice_skip(Slice s, size_t n); /* without the first n bytes; empty when shorter */
/* Cuts *rest at the first @separator: returns what is before it, *rest becomes what follows (absent when none did). */
Slice slice_split(Slice *rest, char separator);
ptrdiff_t slice_find(Slice s, Slice needle); /* byte offset or -1 */
bool slice_is_utf8(Slice s);                 /* well-formed, no surrogates, no overlong forms */
size_t slice_utf8_length(Slice s);           /* bytes of the character that s begins with; 0: not well-formed */

int char_hex_value(int c); /* 0 to 15; -1: not a hexadecimal digit */
/* Whole-slice numbers, locale-independent, no leading '+'. False when anything is left over, out of range, or empty. */
bool slice_to_int64(Slice s, int64_t *ret);
bool slice_to_uint64(Slice s, uint64_t *ret);
bool slice_to_double(Slice s, double *ret); /* also NaN, Infinity, -Infinity as PostgreSQL writes them */
/* "256MB", "10kB", "4096": powers of 1024, PostgreSQL's unit names (B kB MB GB TB). */
bool slice_to_bytes(Slice s, uint64_t *ret);
/* "60", "60s", "15m" or "15min", "500ms", "2h", "14d", "2w", "2y" (365 days): a bare number means seconds.
 * Result in microseconds. */
bool slice_to_duration(Slice s, int64_t *ret_usec);

/* Edit distance with a cap, for "did you mean"; two exchanged neighbours are one edit. @limit when it is at least that,
 * or when a name is longer than any of ours. */
size_t slice_distance(Slice a, Slice b, size_t limit);
