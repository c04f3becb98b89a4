/* SPDX-License-Identifier: PostgreSQL */
/*
 * An array's binary form: int32 number of dimensions (0 for an empty one), int32 1 when it has NULLs, the elements'
 * type, for each dimension int32 length and int32 lower bound; then for each element int32 length and that many bytes.
 * All in network order.
 */
#include "lib/pg/array.h"

#include <assert.h>
#include <endian.h>
#include <string.h>

enum { INT8_OID = 20 };

static void append_int32(Buf *out, uint32_t value)
{
    value = htobe32(value);
    buf_append(out, slice_from(&value, sizeof(value)));
}

void pg_array_begin_int8(Buf *out, size_t count)
{
    assert(count <= INT32_MAX);
    append_int32(out, count > 0);
    append_int32(out, 0);
    append_int32(out, INT8_OID);
    if (count == 0)
        return;
    append_int32(out, (uint32_t)count);
    append_int32(out, 1);
}

void pg_array_add_int8(Buf *out, int64_t value)
{
    const uint32_t length = htobe32(sizeof(value));
    const uint64_t bits = htobe64((uint64_t)value);
    char element[sizeof(length) + sizeof(bits)];
    memcpy(element, &length, sizeof(length));
    memcpy(element + sizeof(length), &bits, sizeof(bits));
    buf_append(out, slice_from(element, sizeof(element)));
}
