/* SPDX-License-Identifier: PostgreSQL */
/* The spool's bytes. Offsets, and the invariants cited as S1 ..., are those of docs/spool.md. Pure, any thread. */
#include "collector/spool/spool_format.h"

#include <assert.h>
#include <stdio.h>

#include "lib/base/crc32c.h"
#include "lib/base/random.h"

static const char segment_magic[] = "PGAs";
static const char record_magic[] = "PGAr";
static const char record_end_mark[] = "PGAe"; /* never ends in a zero byte, whichever bit flips: S9 relies on it */
static const char head_magic[] = "PGAh";

enum { MAGIC_SIZE = 4 };

static uint32_t read_u32le(Slice bytes, size_t offset)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr + offset;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint64_t read_u64le(Slice bytes, size_t offset)
{
    return read_u32le(bytes, offset) | (uint64_t)read_u32le(bytes, offset + 4) << 32;
}

static void append_zeros(Buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_append_u8(out, 0);
}

static void append_id(Buf *out, SpoolUuid id)
{
    buf_append(out, slice_from(id.bytes, sizeof(id.bytes)));
}

static SpoolUuid read_id(Slice bytes, size_t offset)
{
    SpoolUuid id;
    memcpy(id.bytes, bytes.ptr + offset, sizeof(id.bytes));
    return id;
}

/* Checksum of what was appended since @start. */
static void append_checksum(Buf *out, uint32_t before, size_t start)
{
    buf_append_u32le(out, crc32c(before, slice_from(out->ptr + start, out->len - start)));
}

/* Segment headers and head slots: magic, version, fields, checksum in the last four bytes. */
static SpoolDecoded block_check(Slice bytes, size_t size, const char *magic, uint32_t *ret_version)
{
    *ret_version = 0;
    if (bytes.len < size || memcmp(bytes.ptr, magic, MAGIC_SIZE) != 0)
        return SPOOL_DECODE_DAMAGED;
    if (crc32c(0, slice_from(bytes.ptr, size - 4)) != read_u32le(bytes, size - 4))
        return SPOOL_DECODE_DAMAGED;
    *ret_version = read_u32le(bytes, 4);
    return *ret_version == SPOOL_VERSION ? SPOOL_DECODED : SPOOL_DECODE_VERSION;
}

SpoolUuid spool_uuid_new(void)
{
    SpoolUuid id;
    random_bytes(id.bytes, sizeof(id.bytes));
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x40); /* version 4 */
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80); /* RFC 4122 variant */
    return id;
}

void spool_uuid_format(SpoolUuid id, char ret[SPOOL_UUID_TEXT_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    char *to = ret;
    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *to++ = '-';
        *to++ = digits[id.bytes[i] >> 4];
        *to++ = digits[id.bytes[i] & 0x0f];
    }
    *to = '\0';
}

void spool_segment_header_encode(const SpoolSegmentHeader *header, Buf *out)
{
    const size_t start = out->len;
    buf_append(out, slice_from(segment_magic, MAGIC_SIZE));
    buf_append_u32le(out, SPOOL_VERSION);
    append_id(out, header->id);
    buf_append_u64le(out, header->first_sequence);
    buf_append_u64le(out, header->dropped);
    buf_append_u64le(out, (uint64_t)header->made);
    append_zeros(out, 12);
    append_checksum(out, 0, start);
    assert(out->len - start == SPOOL_SEGMENT_HEADER_SIZE);
}

SpoolDecoded spool_segment_header_decode(Slice bytes, SpoolSegmentHeader *ret, uint32_t *ret_version)
{
    const SpoolDecoded decoded = block_check(bytes, SPOOL_SEGMENT_HEADER_SIZE, segment_magic, ret_version);
    if (decoded != SPOOL_DECODED)
        return decoded;
    *ret = (SpoolSegmentHeader){
        .id = read_id(bytes, 8),
        .first_sequence = read_u64le(bytes, 24),
        .dropped = read_u64le(bytes, 32),
        .made = (Usec)read_u64le(bytes, 40),
    };
    return ret->first_sequence > 0 && ret->first_sequence <= SPOOL_SEQUENCE_MAX ? SPOOL_DECODED : SPOOL_DECODE_DAMAGED;
}

void spool_head_encode(const SpoolHead *head, Buf *out)
{
    const size_t start = out->len;
    buf_append(out, slice_from(head_magic, MAGIC_SIZE));
    buf_append_u32le(out, SPOOL_VERSION);
    buf_append_u64le(out, head->generation);
    buf_append_u64le(out, head->acknowledged);
    buf_append_u64le(out, head->dropped);
    buf_append_u64le(out, head->newest_first);
    buf_append_u64le(out, head->emptied);
    append_id(out, head->id);
    append_zeros(out, 60);
    append_checksum(out, 0, start);
    assert(out->len - start == SPOOL_HEAD_SLOT_SIZE);
}

SpoolDecoded spool_head_decode(Slice bytes, SpoolHead *ret, uint32_t *ret_version)
{
    const SpoolDecoded decoded = block_check(bytes, SPOOL_HEAD_SLOT_SIZE, head_magic, ret_version);
    if (decoded != SPOOL_DECODED)
        return decoded;
    *ret = (SpoolHead){
        .generation = read_u64le(bytes, 8),
        .acknowledged = read_u64le(bytes, 16),
        .dropped = read_u64le(bytes, 24),
        .newest_first = read_u64le(bytes, 32),
        .emptied = read_u64le(bytes, 40),
        .id = read_id(bytes, 48),
    };
    return ret->acknowledged <= SPOOL_SEQUENCE_MAX && ret->newest_first <= SPOOL_SEQUENCE_MAX &&
                   ret->emptied <= SPOOL_SEQUENCE_MAX
               ? SPOOL_DECODED
               : SPOOL_DECODE_DAMAGED;
}

static uint32_t crc_of_id(SpoolUuid id)
{
    return crc32c(0, slice_from(id.bytes, sizeof(id.bytes)));
}

void spool_record_encode(SpoolUuid id, const SpoolRecord *record, Slice payload, Buf *out)
{
    assert(payload.len == record->length && payload.len > 0 && payload.len <= SPOOL_PAYLOAD_MAX);

    const size_t start = out->len;
    buf_reserve(out, payload.len + SPOOL_RECORD_OVERHEAD);
    buf_append(out, slice_from(record_magic, MAGIC_SIZE));
    buf_append_u32le(out, record->length);
    buf_append_u64le(out, record->sequence);
    buf_append_u64le(out, (uint64_t)record->time);
    buf_append_u8(out, (uint8_t)record->encoding);
    append_zeros(out, 3);
    const uint32_t header_checksum = crc32c(crc_of_id(id), slice_from(out->ptr + start, out->len - start));
    buf_append_u32le(out, header_checksum);
    buf_append(out, payload);
    buf_append_u32le(out, crc32c(header_checksum, payload)); /* goes on from the header's, so that it binds the two */
    buf_append(out, slice_from(record_end_mark, MAGIC_SIZE));
}

bool spool_record_header_decode(SpoolUuid id, Slice bytes, SpoolRecord *ret)
{
    if (bytes.len < SPOOL_RECORD_HEADER_SIZE || memcmp(bytes.ptr, record_magic, MAGIC_SIZE) != 0)
        return false;
    if (crc32c(crc_of_id(id), slice_from(bytes.ptr, 28)) != read_u32le(bytes, 28))
        return false;

    /* Its checksum is good, so it was written by us; checked all the same, because what follows relies on it (S12). */
    const uint32_t length = read_u32le(bytes, 4);
    const uint64_t sequence = read_u64le(bytes, 8);
    const uint8_t encoding = (uint8_t)bytes.ptr[24];
    if (length == 0 || length > SPOOL_PAYLOAD_MAX || sequence == 0 || sequence > SPOOL_SEQUENCE_MAX ||
        encoding >= _WIRE_ENCODING_MAX)
        return false;
    *ret = (SpoolRecord){
        .sequence = sequence,
        .time = (Usec)read_u64le(bytes, 16),
        .length = length,
        .encoding = (WireEncoding)encoding,
    };
    return true;
}

bool spool_record_decode(SpoolUuid id, Slice bytes, SpoolRecord *ret, Slice *ret_payload)
{
    if (!spool_record_header_decode(id, bytes, ret) || bytes.len != (size_t)ret->length + SPOOL_RECORD_OVERHEAD)
        return false;

    const Slice payload = slice_from(bytes.ptr + SPOOL_RECORD_HEADER_SIZE, ret->length);
    const size_t trailer = SPOOL_RECORD_HEADER_SIZE + payload.len;
    if (crc32c(read_u32le(bytes, 28), payload) != read_u32le(bytes, trailer) ||
        memcmp(bytes.ptr + trailer + 4, record_end_mark, MAGIC_SIZE) != 0)
        return false;
    *ret_payload = payload;
    return true;
}

/* S10: the next place at or behind @from where a good header with a higher sequence stands. */
static bool scan_find_header(const SpoolScan *scan, size_t from, size_t *ret)
{
    const Slice magic = slice_from(record_magic, MAGIC_SIZE);
    for (size_t at = from; at < scan->bytes.len;) {
        const ptrdiff_t found = slice_find(slice_skip(scan->bytes, at), magic);
        if (found < 0)
            return false;
        at += (size_t)found;
        SpoolRecord record;
        if (spool_record_header_decode(scan->id, slice_skip(scan->bytes, at), &record) &&
            record.sequence > scan->last_sequence) {
            *ret = at;
            return true;
        }
        at++;
    }
    return false;
}

/* S9 */
static bool scan_ends_torn(const SpoolScan *scan)
{
    return scan->bytes.ptr[scan->bytes.len - 1] == '\0';
}

SpoolFound spool_scan_next(SpoolScan *scan, SpoolRecord *ret)
{
    *ret = (SpoolRecord){0};
    if (scan->offset >= scan->bytes.len)
        return SPOOL_FOUND_END;

    const Slice rest = slice_skip(scan->bytes, scan->offset);
    SpoolRecord record;
    if (!spool_record_header_decode(scan->id, rest, &record) || record.sequence <= scan->last_sequence) {
        size_t next;
        if (scan_find_header(scan, scan->offset + 1, &next)) {
            scan->offset = next;
            return SPOOL_FOUND_LOST;
        }
        return rest.len < SPOOL_RECORD_HEADER_SIZE || scan_ends_torn(scan) ? SPOOL_FOUND_TORN : SPOOL_FOUND_LOST_TAIL;
    }

    const size_t whole = (size_t)record.length + SPOOL_RECORD_OVERHEAD;
    record.offset = scan->offset;
    *ret = record;
    Slice payload;
    const bool good =
        whole <= rest.len && spool_record_decode(scan->id, slice_from(rest.ptr, whole), &record, &payload);
    if (!good && (whole > rest.len || (whole == rest.len && scan_ends_torn(scan))))
        return SPOOL_FOUND_TORN;
    scan->offset += whole;
    scan->last_sequence = ret->sequence;
    return good ? SPOOL_FOUND_RECORD : SPOOL_FOUND_DAMAGED;
}
