/* SPDX-License-Identifier: PostgreSQL */
/*
 * COPY BINARY stream: an 11-byte signature, flags and extension length (both 0), then tuples: int16 field count, and
 * for each field an int32 length (-1 = NULL) and that many bytes in network order; int16 -1 ends it. Any thread.
 */
#include "lib/pg/copy.h"

#include <assert.h>

static void append_be16(Buf *out, uint16_t v)
{
    const unsigned char b[2] = {(unsigned char)(v >> 8), (unsigned char)v};
    buf_append(out, slice_from(b, sizeof(b)));
}

static void append_be32(Buf *out, uint32_t v)
{
    const unsigned char b[4] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                                (unsigned char)v};
    buf_append(out, slice_from(b, sizeof(b)));
}

/* A whole 8-byte field in one append: this is the writer's hottest path. */
static void append_field64(Buf *out, uint64_t v)
{
    const unsigned char b[12] = {0,
                                 0,
                                 0,
                                 8,
                                 (unsigned char)(v >> 56),
                                 (unsigned char)(v >> 48),
                                 (unsigned char)(v >> 40),
                                 (unsigned char)(v >> 32),
                                 (unsigned char)(v >> 24),
                                 (unsigned char)(v >> 16),
                                 (unsigned char)(v >> 8),
                                 (unsigned char)v};
    buf_append(out, slice_from(b, sizeof(b)));
}

void pg_copy_begin(Buf *out)
{
    static const char head[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0"; /* the last byte is the string's own NUL */
    _Static_assert(sizeof(head) == 11 + 4 + 4, "signature, flags, extension length");
    buf_append(out, slice_from(head, sizeof(head)));
}

void pg_copy_row(Buf *out, uint16_t field_count)
{
    assert(field_count <= INT16_MAX); /* 0xffff is the trailer */
    append_be16(out, field_count);
}

void pg_copy_null(Buf *out)
{
    append_be32(out, UINT32_MAX);
}

void pg_copy_int4(Buf *out, int32_t v)
{
    append_be32(out, 4);
    append_be32(out, (uint32_t)v);
}

void pg_copy_int8(Buf *out, int64_t v)
{
    append_field64(out, (uint64_t)v);
}

void pg_copy_float8(Buf *out, double v)
{
    uint64_t bits;
    _Static_assert(sizeof(bits) == sizeof(v), "float8 is IEEE 754 binary64");
    memcpy(&bits, &v, sizeof(bits));
    append_field64(out, bits);
}

void pg_copy_bool(Buf *out, bool v)
{
    append_be32(out, 1);
    buf_append_char(out, v ? 1 : 0);
}

void pg_copy_text(Buf *out, Slice v)
{
    assert(v.len <= INT32_MAX);
    append_be32(out, (uint32_t)v.len);
    buf_append(out, v);
}

void pg_copy_jsonb(Buf *out, Slice v)
{
    assert(v.len < INT32_MAX);
    append_be32(out, (uint32_t)v.len + 1);
    buf_append_char(out, 1);
    buf_append(out, v);
}

void pg_copy_timestamptz(Buf *out, Usec wall)
{
    append_field64(out, (uint64_t)(wall - USEC_POSTGRES_EPOCH));
}

void pg_copy_end(Buf *out)
{
    append_be16(out, UINT16_MAX);
}
