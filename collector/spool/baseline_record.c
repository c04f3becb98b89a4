/* SPDX-License-Identifier: PostgreSQL */
/* See baseline_record.h. A record is good when its header is, byte for byte, the one that would be written for it. */
#include "collector/spool/baseline_record.h"

#include <assert.h>

#include "lib/base/crc32c.h"

enum { VERSION = 1, SPOOL_ID_SIZE = 36, SEQUENCE_AT = 44, LENGTH_AT = 52 };

static const char *const MAGICS[] = {[BASELINE_WHOLE] = "PGAb", [BASELINE_CHANGE] = "PGAi"};

static void append_header(Buf *out, BaselineKind kind, const char *spool_id, uint64_t sequence, Slice content)
{
    assert(strlen(spool_id) == SPOOL_ID_SIZE);
    size_t start = out->len;
    buf_append_cstr(out, MAGICS[kind]);
    buf_append_u32le(out, VERSION);
    buf_append(out, slice_from(spool_id, SPOOL_ID_SIZE));
    buf_append_u64le(out, sequence);
    buf_append_u32le(out, (uint32_t)content.len);
    buf_append_u32le(out, crc32c(0, content));
    buf_append_u32le(out, crc32c(0, slice_from(out->ptr + start, out->len - start)));
    assert(out->len - start == BASELINE_RECORD_HEADER_SIZE);
}

void baseline_record_encode(BaselineKind kind, const char *spool_id, uint64_t sequence, Slice content, Buf *out)
{
    buf_reserve(out, BASELINE_RECORD_HEADER_SIZE + content.len);
    append_header(out, kind, spool_id, sequence, content);
    buf_append(out, content);
}

static uint64_t read_le(Slice bytes, size_t at, size_t size)
{
    uint64_t value = 0;
    while (size-- > 0)
        value = value << 8 | (uint8_t)bytes.ptr[at + size];
    return value;
}

bool baseline_record_take(Slice *bytes, BaselineKind kind, const char *spool_id, uint64_t *ret_sequence,
                          Slice *ret_content)
{
    if (bytes->len < BASELINE_RECORD_HEADER_SIZE)
        return false;
    uint64_t sequence = read_le(*bytes, SEQUENCE_AT, 8), length = read_le(*bytes, LENGTH_AT, 4);
    Slice rest = slice_skip(*bytes, BASELINE_RECORD_HEADER_SIZE);
    if (length > rest.len)
        return false;
    Slice content = slice_from(rest.ptr, (size_t)length);
    _cleanup_buf_ Buf expected = BUF_INIT;
    append_header(&expected, kind, spool_id, sequence, content);
    if (!slice_eq(buf_slice(&expected), slice_from(bytes->ptr, BASELINE_RECORD_HEADER_SIZE)))
        return false;
    *bytes = slice_skip(rest, content.len);
    *ret_sequence = sequence;
    *ret_content = content;
    return true;
}
