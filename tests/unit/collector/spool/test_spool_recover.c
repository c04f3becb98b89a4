/* SPDX-License-Identifier: PostgreSQL */
/* What an earlier process, a crash or a bad disk left is found. S1 ... are the invariants of docs/spool.md. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/spool/spool.h"
#include "collector/spool/spool_format.h"
#include "lib/base/crc32c.h"
#include "lib/base/log.h"
#include "lib/io/file.h"
#include "tests/support/spool_files.h"
#include "tests/unit/collector/spool/roomy.h"

static void S9_torn_tail_frees_its_sequence(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    char id[64];
    (void)snprintf(id, sizeof(id), "%s", spool_id(s));
    must_append(s, 3);
    spool_close(s);
    Buf path = segment_path(scratch.path, 1);
    scratch_truncate(buf_cstr(&path), scratch_size(buf_cstr(&path)) - 5);
    buf_done(&path);

    s = open_roomy();
    assert_string_equal(spool_id(s), id);
    assert_int_equal(spool_last_sequence(s), 2);
    assert_int_equal(stats_of(s).damaged_records, 1);
    must_append(s, 1);
    uint64_t first, last;
    assert_int_equal(must_drain(s, &first, &last), 3);
    assert_int_equal(last, 3);
    spool_close(s);

    s = open_roomy();
    assert_int_equal(spool_last_sequence(s), 3);
    assert_int_equal(stats_of(s).damaged_records, 0);
    spool_close(s);
}

static void S9_allocated_but_unwritten_space_is_torn(void **state)
{
    (void)state;
    static const size_t zeros[] = {1, 8, 31, 32, 40, 4096};
    for (size_t i = 0; i < ARRAY_LENGTH(zeros); i++) {
        Spool *s = open_roomy();
        const uint64_t last = spool_last_sequence(s);
        must_append(s, 1);
        spool_close(s);
        Buf path = segment_path(scratch.path, last + 1);
        scratch_truncate(buf_cstr(&path), scratch_size(buf_cstr(&path)) + zeros[i]);
        buf_done(&path);
        s = open_roomy();
        assert_int_equal(spool_last_sequence(s), last + 1);
        assert_int_equal(stats_of(s).damaged_records, 1);
        spool_close(s);
    }
}

/* Appends five, changes the segment, reopens. */
static Spool *reopen_flipped(size_t offset, bool *ret_same_id)
{
    Spool *s = open_roomy();
    char id[64];
    (void)snprintf(id, sizeof(id), "%s", spool_id(s));
    must_append(s, 5);
    spool_close(s);
    flip_in_segment(1, offset);
    s = open_roomy();
    *ret_same_id = strcmp(id, spool_id(s)) == 0;
    return s;
}

static void S10_damaged_payload_costs_one_batch(void **state)
{
    (void)state;
    bool same_id;
    Spool *s = reopen_flipped(record_offset(1, 3) + SPOOL_RECORD_HEADER_SIZE + 2, &same_id);
    assert_true(same_id);
    assert_int_equal(stats_of(s).damaged_records, 1);
    must_ack(s, 2);
    assert_int_equal(must_peek(s), 4);
    assert_int_equal(spool_last_sequence(s), 5);
    spool_close(s);
}

static void S10_damaged_header_costs_one_batch(void **state)
{
    (void)state;
    bool same_id;
    Spool *s = reopen_flipped(record_offset(1, 3) + 5, &same_id);
    assert_true(same_id);
    assert_int_equal(stats_of(s).damaged_records, 1);
    uint64_t first, last;
    assert_int_equal(must_drain(s, &first, &last), 4);
    assert_int_equal(last, 5);
    spool_close(s);
}

static void S10_damaged_last_payload_uses_its_sequence_up(void **state)
{
    (void)state;
    bool same_id;
    Spool *s = reopen_flipped(record_offset(1, 5) + SPOOL_RECORD_HEADER_SIZE + 2, &same_id);
    assert_true(same_id);
    assert_int_equal(spool_last_sequence(s), 5);
    assert_int_equal(stats_of(s).batches, 4);
    spool_close(s);
}

static void S7_damaged_last_header_takes_a_new_id(void **state)
{
    (void)state;
    bool same_id;
    Spool *s = reopen_flipped(record_offset(1, 5) + 9, &same_id);
    assert_false(same_id);
    assert_true(spool_last_sequence(s) >= 4);
    assert_int_equal(stats_of(s).batches, 4); /* S8: those of the old id are still sent */
    must_append(s, 1);
    uint64_t first, last;
    assert_int_equal(must_drain(s, &first, &last), 5);
    spool_close(s);
}

static void S10_damaged_segment_header_is_mended(void **state)
{
    (void)state;
    bool same_id;
    Spool *s = reopen_flipped(30, &same_id);
    assert_true(same_id); /* the head names it */
    assert_int_equal(stats_of(s).batches, 5);
    must_append(s, 1);
    spool_close(s);
    Buf path = scratch_path(&scratch, "head");
    assert_int_equal(unlink(buf_cstr(&path)), 0);
    buf_done(&path);
    s = open_roomy();
    assert_int_equal(stats_of(s).batches, 6);
    spool_close(s);
}

static void S7_damaged_header_that_nothing_tells_takes_a_new_id(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    char id[64];
    (void)snprintf(id, sizeof(id), "%s", spool_id(s));
    must_append(s, 2);
    spool_close(s);
    flip_in_segment(1, 30);
    Buf path = scratch_path(&scratch, "head");
    assert_int_equal(unlink(buf_cstr(&path)), 0);
    buf_done(&path);
    s = open_roomy();
    assert_string_not_equal(spool_id(s), id);
    assert_int_equal(stats_of(s).damaged_records, 1);
    must_append(s, 1);
    assert_true(must_peek(s) > 1);
    spool_close(s);
}

static void S7_lost_segments_are_noticed(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, ROOMY, 32);
    char id[64];
    (void)snprintf(id, sizeof(id), "%s", spool_id(s));
    must_append(s, 8);
    spool_close(s);
    Buf path = segment_path(scratch.path, 7);
    assert_int_equal(unlink(buf_cstr(&path)), 0);
    buf_done(&path);

    s = must_open(scratch.path, ROOMY, 32);
    assert_string_not_equal(spool_id(s), id);
    assert_int_equal(stats_of(s).batches, 6);
    assert_true(spool_last_sequence(s) >= 6);
    spool_close(s);
}

static void S7_numbers_go_on_beyond_those_of_lost_segments(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, ROOMY, 32);
    must_append(s, 8);
    spool_close(s);
    for (uint64_t first = 3; first <= 7; first += 2) {
        Buf path = segment_path(scratch.path, first);
        assert_int_equal(unlink(buf_cstr(&path)), 0);
        buf_done(&path);
    }
    s = must_open(scratch.path, ROOMY, 32);
    assert_int_equal(stats_of(s).batches, 2);
    assert_true(spool_last_sequence(s) >= 6); /* the head knows that a segment began with 7 */
    must_append(s, 1);
    spool_close(s);
    s = must_open(scratch.path, ROOMY, 32);
    assert_int_equal(stats_of(s).batches, 3);
    spool_close(s);
}

static void S7_acknowledged_beyond_the_last_record_takes_a_new_id(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    char id[64];
    (void)snprintf(id, sizeof(id), "%s", spool_id(s));
    must_append(s, 3);
    must_ack(s, 3);
    spool_close(s);
    Buf path = segment_path(scratch.path, 1);
    scratch_truncate(buf_cstr(&path), record_offset(1, 3)); /* a fsynced record is gone without a trace */
    buf_done(&path);

    s = open_roomy();
    assert_string_not_equal(spool_id(s), id);
    assert_true(spool_last_sequence(s) >= 3);
    spool_close(s);
}

static void lost_directory_content_takes_a_new_id(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    char id[64];
    (void)snprintf(id, sizeof(id), "%s", spool_id(s));
    must_append(s, 3);
    spool_close(s);
    scratch_remove(&scratch);

    s = open_roomy();
    assert_string_not_equal(spool_id(s), id);
    assert_int_equal(spool_last_sequence(s), 0);
    spool_close(s);
}

static void S7_lost_head_takes_a_new_id_and_sends_again(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, ROOMY, 32);
    char id[64];
    (void)snprintf(id, sizeof(id), "%s", spool_id(s));
    must_append(s, 40);
    const uint64_t dropped = stats_of(s).dropped_batches;
    assert_true(dropped >= 8);
    const uint64_t front = must_peek(s);
    must_ack(s, front);
    spool_close(s);
    Buf path = scratch_path(&scratch, "head");
    assert_int_equal(unlink(buf_cstr(&path)), 0);
    buf_done(&path);

    s = must_open(scratch.path, ROOMY, 32);
    assert_string_not_equal(spool_id(s), id);
    assert_true(spool_last_sequence(s) >= 40);
    assert_int_equal(must_peek(s), front);                              /* S13 */
    assert_in_range(stats_of(s).dropped_batches, dropped - 2, dropped); /* S15: as of the newest segment's making */
    spool_close(s);
}

static void S17_emptied_segment_with_a_damaged_head_slot_is_noticed(void **state)
{
    (void)state;
    Buf large = BUF_INIT;
    for (unsigned i = 0; i < 70000; i++)
        buf_append_char(&large, 'x');
    Spool *s = must_open(scratch.path, 0, 0);
    char id[64];
    (void)snprintf(id, sizeof(id), "%s", spool_id(s));
    assert_int_equal(spool_append(s, WIRE_IDENTITY, buf_slice(&large), 0, NULL), 0);
    must_ack(s, 1);
    spool_close(s);
    Buf path = scratch_path(&scratch, "head");
    Buf content = scratch_read(buf_cstr(&path));
    SpoolHead head;
    uint32_t version;
    const bool second =
        spool_head_decode(slice_skip(buf_slice(&content), SPOOL_HEAD_SLOT_STRIDE), &head, &version) == SPOOL_DECODED &&
        head.emptied > 0;
    scratch_flip(buf_cstr(&path), (second ? SPOOL_HEAD_SLOT_STRIDE : 0) + 9, 1);
    s = must_open(scratch.path, 0, 0);
    assert_string_not_equal(spool_id(s), id);
    spool_close(s);
    buf_done(&content);
    buf_done(&path);
    buf_done(&large);
}

static void head_with_one_bad_slot_falls_back_to_the_other(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    must_append(s, 4);
    must_ack(s, 1);
    must_ack(s, 2);
    must_ack(s, 3);
    spool_close(s);
    Buf path = scratch_path(&scratch, "head");
    Buf content = scratch_read(buf_cstr(&path));
    SpoolHead slots[2];
    for (size_t i = 0; i < 2; i++) {
        uint32_t version;
        const Slice bytes = slice_skip(buf_slice(&content), i * SPOOL_HEAD_SLOT_STRIDE);
        assert_int_equal(spool_head_decode(bytes, &slots[i], &version), SPOOL_DECODED);
    }
    const size_t newer = slots[1].generation > slots[0].generation;
    assert_int_equal(slots[newer].acknowledged, 3);
    assert_int_equal(slots[!newer].acknowledged, 2);
    scratch_flip(buf_cstr(&path), newer * SPOOL_HEAD_SLOT_STRIDE + 17, 1);
    s = open_roomy();
    assert_int_equal(must_peek(s), 3);
    spool_close(s);
    buf_done(&content);
    buf_done(&path);
}

static void unreadable_segment_is_counted_and_removed(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, ROOMY, 32);
    must_append(s, 6);
    spool_close(s);
    Buf path = segment_path(scratch.path, 3);
    scratch_write(buf_cstr(&path), SLICE_LIT("this was a segment once, and nobody knows what happened to it, really."));
    s = must_open(scratch.path, ROOMY, 32);
    assert_int_equal(stats_of(s).damaged_records, 1);
    uint64_t first, last;
    assert_int_equal(must_drain(s, &first, &last), 4);
    assert_int_equal(last, 6);
    assert_false(file_exists(buf_cstr(&path)));
    spool_close(s);
    buf_done(&path);
}

static void unfinished_segments_and_foreign_files_are_left_out(void **state)
{
    (void)state;
    static const char *const names[] = {
        "00000000000000000009.seg.tmp", "notes.txt", "9.seg", "0000000000000000000x.seg", "99999999999999999999.seg",
        "00000000000000000000.seg"};
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        Buf path = scratch_path(&scratch, names[i]);
        scratch_write(buf_cstr(&path), SLICE_LIT("x"));
        buf_done(&path);
    }
    Spool *s = open_roomy();
    must_append(s, 1);
    assert_int_equal(stats_of(s).damaged_records, 0);
    assert_int_equal(count_files(scratch.path, ".tmp"), 0);
    assert_int_equal(count_files(scratch.path, ".txt"), 1);
    spool_close(s);
}

/* Replaces the version in @path at @offset and makes the checksum good again. */
static void write_version_2(const char *path, size_t block, size_t size)
{
    Buf content = scratch_read(path);
    content.ptr[block + 4] = 2;
    Buf checked = BUF_INIT;
    buf_append_u32le(&checked, crc32c(0, slice_from(content.ptr + block, size - 4)));
    memcpy(content.ptr + block + size - 4, checked.ptr, 4);
    scratch_write(path, buf_slice(&content));
    buf_done(&checked);
    buf_done(&content);
}

static void newer_versions_are_refused_untouched(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        Spool *s = open_roomy();
        must_append(s, 1);
        spool_close(s);
        Buf path = i == 0 ? scratch_path(&scratch, "head") : segment_path(scratch.path, 1);
        Buf content = scratch_read(buf_cstr(&path));
        if (i == 0) {
            SpoolHead head;
            uint32_t version;
            const bool second = spool_head_decode(buf_slice(&content), &head, &version) != SPOOL_DECODED;
            write_version_2(buf_cstr(&path), second ? SPOOL_HEAD_SLOT_STRIDE : 0, SPOOL_HEAD_SLOT_SIZE);
        } else {
            write_version_2(buf_cstr(&path), 0, SPOOL_SEGMENT_HEADER_SIZE);
        }
        Err err = ERR_INIT;
        const SpoolOptions options = {.directory = scratch.path};
        assert_true(spool_open(&s, &options, &err) < 0);
        assert_int_equal(err.code, ERR_CORRUPT);
        assert_non_null(strstr(err.detail, "version 2"));
        buf_done(&content);
        buf_done(&path);
        scratch_remove(&scratch);
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(S9_torn_tail_frees_its_sequence),
        TEST(S9_allocated_but_unwritten_space_is_torn),
        TEST(S10_damaged_payload_costs_one_batch),
        TEST(S10_damaged_header_costs_one_batch),
        TEST(S10_damaged_last_payload_uses_its_sequence_up),
        TEST(S7_damaged_last_header_takes_a_new_id),
        TEST(S10_damaged_segment_header_is_mended),
        TEST(S7_damaged_header_that_nothing_tells_takes_a_new_id),
        TEST(S7_lost_segments_are_noticed),
        TEST(S7_numbers_go_on_beyond_those_of_lost_segments),
        TEST(S7_acknowledged_beyond_the_last_record_takes_a_new_id),
        TEST(lost_directory_content_takes_a_new_id),
        TEST(S7_lost_head_takes_a_new_id_and_sends_again),
        TEST(S17_emptied_segment_with_a_damaged_head_slot_is_noticed),
        TEST(head_with_one_bad_slot_falls_back_to_the_other),
        TEST(unreadable_segment_is_counted_and_removed),
        TEST(unfinished_segments_and_foreign_files_are_left_out),
        TEST(newer_versions_are_refused_untouched),
    };
    log_set_level(LOG_LEVEL_ERROR); /* damage is the point here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
