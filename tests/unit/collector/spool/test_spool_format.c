/* SPDX-License-Identifier: PostgreSQL */
/* The bytes are those that docs/spool.md promises, and the scanner finds what can be found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/spool/spool_format.h"
#include "lib/base/crc32c.h"

static const SpoolUuid id = {
    {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x46, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};

static void assert_bytes(Slice bytes, size_t offset, const void *expected, size_t len)
{
    assert_true(offset + len <= bytes.len);
    assert_memory_equal(bytes.ptr + offset, expected, len);
}

static void assert_checksum(Slice bytes, size_t from, size_t to, uint32_t before)
{
    Buf expected = BUF_INIT;
    buf_append_u32le(&expected, crc32c(before, slice_from(bytes.ptr + from, to - from)));
    assert_bytes(bytes, to, expected.ptr, 4);
    buf_done(&expected);
}

static void segment_header_has_the_documented_bytes(void **state)
{
    (void)state;
    const SpoolSegmentHeader header = {.id = id, .first_sequence = 0x0102030405060708, .dropped = 9, .made = 10};
    Buf bytes = BUF_INIT;
    spool_segment_header_encode(&header, &bytes);
    assert_int_equal(bytes.len, 64);
    assert_bytes(buf_slice(&bytes), 0, "PGAs\1\0\0\0", 8);
    assert_bytes(buf_slice(&bytes), 8, id.bytes, 16);
    assert_bytes(buf_slice(&bytes), 24, "\x08\x07\x06\x05\x04\x03\x02\x01\x09\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0", 24);
    assert_bytes(buf_slice(&bytes), 48, "\0\0\0\0\0\0\0\0\0\0\0", 12);
    assert_checksum(buf_slice(&bytes), 0, 60, 0);

    SpoolSegmentHeader back;
    uint32_t version;
    assert_int_equal(spool_segment_header_decode(buf_slice(&bytes), &back, &version), SPOOL_DECODED);
    assert_true(spool_uuid_eq(back.id, id));
    assert_int_equal(back.first_sequence, header.first_sequence);
    assert_int_equal(back.dropped, 9);
    assert_int_equal(back.made, 10);
    buf_done(&bytes);
}

static void head_slot_has_the_documented_bytes(void **state)
{
    (void)state;
    const SpoolHead head = {
        .generation = 1, .acknowledged = 2, .dropped = 3, .newest_first = 4, .emptied = 5, .id = id};
    Buf bytes = BUF_INIT;
    spool_head_encode(&head, &bytes);
    assert_int_equal(bytes.len, 128);
    assert_bytes(buf_slice(&bytes), 0,
                 "PGAh\1\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3\0\0\0\0\0\0\0\4\0\0\0\0\0\0\0\5\0\0\0\0\0\0\0", 48);
    assert_bytes(buf_slice(&bytes), 48, id.bytes, 16);
    assert_checksum(buf_slice(&bytes), 0, 124, 0);

    SpoolHead back;
    uint32_t version;
    assert_int_equal(spool_head_decode(buf_slice(&bytes), &back, &version), SPOOL_DECODED);
    assert_int_equal(back.generation, 1);
    assert_int_equal(back.acknowledged, 2);
    assert_int_equal(back.dropped, 3);
    assert_int_equal(back.newest_first, 4);
    assert_int_equal(back.emptied, 5);
    for (size_t i = 0; i < bytes.len; i++) {
        bytes.ptr[i] ^= 0x20;
        assert_int_not_equal(spool_head_decode(buf_slice(&bytes), &back, &version), SPOOL_DECODED);
        bytes.ptr[i] ^= 0x20;
        assert_int_equal(spool_head_decode(slice_from(bytes.ptr, i), &back, &version), SPOOL_DECODE_DAMAGED);
    }
    buf_done(&bytes);
}

static void append_record(Buf *out, SpoolUuid owner, uint64_t sequence, Slice payload)
{
    const SpoolRecord record = {
        .sequence = sequence, .time = 7, .length = (uint32_t)payload.len, .encoding = WIRE_ZSTD};
    spool_record_encode(owner, &record, payload, out);
}

static void record_has_the_documented_bytes(void **state)
{
    (void)state;
    Buf bytes = BUF_INIT;
    append_record(&bytes, id, 5, SLICE_LIT("abc"));
    assert_int_equal(bytes.len, 43);
    assert_bytes(buf_slice(&bytes), 0, "PGAr\3\0\0\0\5\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\2\0\0\0", 28);
    assert_bytes(buf_slice(&bytes), 32, "abc", 3);
    assert_bytes(buf_slice(&bytes), 39, "PGAe", 4);
    const uint32_t before = crc32c(0, slice_from(id.bytes, 16));
    assert_checksum(buf_slice(&bytes), 0, 28, before);
    /* The payload's leaves the header's out. */
    Buf whole = BUF_INIT;
    buf_append(&whole, slice_from(bytes.ptr, 28));
    buf_append_cstr(&whole, "abc");
    Buf expected = BUF_INIT;
    buf_append_u32le(&expected, crc32c(before, buf_slice(&whole)));
    assert_bytes(buf_slice(&bytes), 35, expected.ptr, 4);
    buf_done(&whole);
    buf_done(&expected);

    SpoolRecord back;
    Slice payload;
    assert_true(spool_record_decode(id, buf_slice(&bytes), &back, &payload));
    assert_int_equal(back.sequence, 5);
    assert_int_equal(back.time, 7);
    assert_int_equal(back.encoding, WIRE_ZSTD);
    assert_true(slice_eq_cstr(payload, "abc"));
    assert_false(spool_record_decode(spool_uuid_new(), buf_slice(&bytes), &back, &payload)); /* another spool's */
    buf_done(&bytes);
}

static void every_flipped_bit_of_a_record_is_noticed(void **state)
{
    (void)state;
    Buf bytes = BUF_INIT;
    append_record(&bytes, id, 5, SLICE_LIT("payload"));
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        SpoolRecord back;
        Slice payload;
        bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
        assert_false(spool_record_decode(id, buf_slice(&bytes), &back, &payload));
        assert_int_not_equal(bytes.ptr[bytes.len - 1], 0); /* S9: never looks torn */
        bytes.ptr[bit / 8] = (char)(bytes.ptr[bit / 8] ^ 1 << bit % 8);
    }
    buf_done(&bytes);
}

static void payload_is_bound_to_its_header(void **state)
{
    (void)state;
    Buf one = BUF_INIT, two = BUF_INIT;
    append_record(&one, id, 5, SLICE_LIT("payload"));
    append_record(&two, id, 6, SLICE_LIT("PAYLOAD"));
    memcpy(two.ptr, one.ptr, SPOOL_RECORD_HEADER_SIZE); /* blocks of two writes, mixed by a crash */
    SpoolRecord back;
    Slice payload;
    assert_true(spool_record_header_decode(id, buf_slice(&two), &back));
    assert_false(spool_record_decode(id, buf_slice(&two), &back, &payload));
    buf_done(&one);
    buf_done(&two);
}

static void ids_are_version_4_and_differ(void **state)
{
    (void)state;
    char text[SPOOL_UUID_TEXT_SIZE], other[SPOOL_UUID_TEXT_SIZE];
    spool_uuid_format(id, text);
    assert_string_equal(text, "00112233-4455-4677-8899-aabbccddeeff");
    spool_uuid_format(spool_uuid_new(), text);
    spool_uuid_format(spool_uuid_new(), other);
    assert_string_not_equal(text, other);
    assert_int_equal(text[14], '4');
    assert_non_null(strchr("89ab", text[19]));
}

/* --- the scanner ------------------------------------------------------------------------------------------------ */

/* Three records, 4 to 6, of 10 bytes payload: 50 bytes each, from 64 on. */
enum { FIRST = 4, RECORD = 50, SEGMENT = SPOOL_SEGMENT_HEADER_SIZE + 3 * RECORD };

static const struct {
    const char *name;
    int flip[3];        /* offsets of damaged bytes; 0 ends */
    size_t cut;         /* size afterwards; 0: as it is */
    size_t zeros;       /* appended */
    const char *expect; /* R record, D damaged, L lost, T torn, X lost tail */
    uint64_t last;
} scans[] = {
    {"whole", {0}, 0, 0, "RRR", 6},
    {"cut in a payload", {0}, SEGMENT - 20, 0, "RRT", 5},
    {"cut in a header", {0}, SEGMENT - 30, 0, "RRT", 5},
    {"cut behind one byte", {0}, SEGMENT - RECORD + 1, 0, "RRT", 5},
    {"cut between", {0}, SEGMENT - RECORD, 0, "RR", 5},
    {"nothing but the header", {0}, SPOOL_SEGMENT_HEADER_SIZE, 0, "", 3},
    {"less than the header", {0}, 10, 0, "", 3},
    {"payload in the middle", {64 + RECORD + 35}, 0, 0, "RDR", 6},
    {"payload at the end", {64 + 2 * RECORD + 35}, 0, 0, "RRD", 6},
    {"end mark in the middle", {64 + 2 * RECORD - 1}, 0, 0, "RDR", 6},
    {"header in the middle", {64 + RECORD + 9}, 0, 0, "RLR", 6},
    {"header at the beginning", {64}, 0, 0, "LRR", 6},
    {"header at the end", {64 + 2 * RECORD + 9}, 0, 0, "RRX", 5},
    {"two headers", {64, 64 + RECORD + 9}, 0, 0, "LR", 6},
    {"all headers", {64, 64 + RECORD + 9, 64 + 2 * RECORD}, 0, 0, "X", 3},
    {"zeros behind", {0}, 0, 100, "RRRT", 6},
    {"header, then zeros", {0}, SEGMENT - 18, 18, "RRT", 5},
    {"half a header, then zeros", {0}, SEGMENT - 40, 40, "RRT", 5},
};

static void scanner_finds_what_can_be_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(scans); i++) {
        Buf bytes = BUF_INIT;
        spool_segment_header_encode(&(SpoolSegmentHeader){.id = id, .first_sequence = FIRST}, &bytes);
        for (uint64_t sequence = FIRST; sequence < FIRST + 3; sequence++)
            append_record(&bytes, id, sequence, SLICE_LIT("0123456789"));
        assert_int_equal(bytes.len, SEGMENT);
        for (size_t j = 0; j < ARRAY_LENGTH(scans[i].flip) && scans[i].flip[j] > 0; j++)
            bytes.ptr[scans[i].flip[j]] ^= 0x04;
        if (scans[i].cut > 0)
            bytes.len = scans[i].cut;
        for (size_t j = 0; j < scans[i].zeros; j++)
            buf_append_u8(&bytes, 0);

        Buf found = BUF_INIT;
        SpoolScan scan = {
            .bytes = buf_slice(&bytes), .id = id, .offset = SPOOL_SEGMENT_HEADER_SIZE, .last_sequence = FIRST - 1};
        for (;;) {
            SpoolRecord record;
            const SpoolFound f = spool_scan_next(&scan, &record);
            if (f == SPOOL_FOUND_END)
                break;
            buf_append_char(&found, "?RDLTX"[f]);
            if (f == SPOOL_FOUND_TORN || f == SPOOL_FOUND_LOST_TAIL)
                break;
        }
        if (strcmp(buf_cstr(&found), scans[i].expect) != 0 || scan.last_sequence != scans[i].last)
            fail_msg("%s: found %s, last %d", scans[i].name, buf_cstr(&found), (int)scan.last_sequence);
        buf_done(&found);
        buf_done(&bytes);
    }
}

static void scanner_skips_payloads_that_look_like_records(void **state)
{
    (void)state;
    Buf inner = BUF_INIT;
    append_record(&inner, spool_uuid_new(), 99, SLICE_LIT("made by somebody"));
    Buf bytes = BUF_INIT;
    spool_segment_header_encode(&(SpoolSegmentHeader){.id = id, .first_sequence = 1}, &bytes);
    append_record(&bytes, id, 1, buf_slice(&inner));
    append_record(&bytes, id, 2, SLICE_LIT("real"));
    bytes.ptr[SPOOL_SEGMENT_HEADER_SIZE + 8] ^= 1; /* framing of the outer one is lost */

    SpoolScan scan = {.bytes = buf_slice(&bytes), .id = id, .offset = SPOOL_SEGMENT_HEADER_SIZE};
    SpoolRecord record;
    assert_int_equal(spool_scan_next(&scan, &record), SPOOL_FOUND_LOST);
    assert_int_equal(spool_scan_next(&scan, &record), SPOOL_FOUND_RECORD);
    assert_int_equal(record.sequence, 2);
    buf_done(&inner);
    buf_done(&bytes);
}

static void scanner_takes_no_lower_sequence(void **state)
{
    (void)state;
    Buf bytes = BUF_INIT;
    spool_segment_header_encode(&(SpoolSegmentHeader){.id = id, .first_sequence = 5}, &bytes);
    append_record(&bytes, id, 5, SLICE_LIT("five"));
    append_record(&bytes, id, 5, SLICE_LIT("five again"));
    append_record(&bytes, id, 4, SLICE_LIT("four"));
    SpoolScan scan = {.bytes = buf_slice(&bytes), .id = id, .offset = SPOOL_SEGMENT_HEADER_SIZE, .last_sequence = 4};
    SpoolRecord record;
    assert_int_equal(spool_scan_next(&scan, &record), SPOOL_FOUND_RECORD);
    assert_int_equal(spool_scan_next(&scan, &record), SPOOL_FOUND_LOST_TAIL);
    buf_done(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segment_header_has_the_documented_bytes),
        cmocka_unit_test(head_slot_has_the_documented_bytes),
        cmocka_unit_test(record_has_the_documented_bytes),
        cmocka_unit_test(every_flipped_bit_of_a_record_is_noticed),
        cmocka_unit_test(payload_is_bound_to_its_header),
        cmocka_unit_test(ids_are_version_4_and_differ),
        cmocka_unit_test(scanner_finds_what_can_be_found),
        cmocka_unit_test(scanner_skips_payloads_that_look_like_records),
        cmocka_unit_test(scanner_takes_no_lower_sequence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
