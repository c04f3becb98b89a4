/* SPDX-License-Identifier: PostgreSQL */
/* The spool's behaviour. S1 ... are the invariants of docs/spool.md; tests/fault goes through all cuts and failures. */
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

/* --- what it is for --------------------------------------------------------------------------------------------- */

static void new_spool_is_empty_and_has_an_id(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    assert_int_equal(strlen(spool_id(s)), 36);
    assert_int_equal(spool_last_sequence(s), 0);
    assert_int_equal(must_peek(s), 0);
    const SpoolStats stats = stats_of(s);
    assert_int_equal(stats.batches + stats.bytes + stats.dropped_batches + stats.damaged_records, 0);
    assert_int_equal(stats.oldest, 0);
    spool_close(s);
}

static void batches_come_out_in_order_and_stay_until_acknowledged(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    must_append(s, 3);
    assert_int_equal(must_peek(s), 1);
    assert_int_equal(must_peek(s), 1);
    assert_int_equal(stats_of(s).batches, 3);
    assert_int_equal(stats_of(s).oldest, batch_time(1));
    must_ack(s, 1);
    assert_int_equal(must_peek(s), 2);
    assert_int_equal(stats_of(s).oldest, batch_time(2));
    must_ack(s, 3);
    assert_int_equal(must_peek(s), 0);
    assert_int_equal(stats_of(s).batches, 0);
    assert_int_equal(stats_of(s).bytes, 0);
    spool_close(s);
}

static void appending_and_acknowledging_may_alternate(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, 0, 0);
    for (uint64_t i = 1; i <= 4000; i++) { /* past the compaction of the entries */
        must_append(s, 1);
        if (i % 2 == 0)
            must_ack(s, i / 2);
    }
    assert_int_equal(must_peek(s), 2001);
    assert_int_equal(stats_of(s).batches, 2000);
    spool_close(s);
}

static void everything_survives_reopening(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    char id[64];
    (void)snprintf(id, sizeof(id), "%s", spool_id(s));
    must_append(s, 5);
    must_ack(s, 2);
    const SpoolStats before = stats_of(s);
    spool_close(s);

    s = open_roomy();
    const SpoolStats after = stats_of(s);
    assert_string_equal(spool_id(s), id);
    assert_int_equal(spool_last_sequence(s), 5);
    assert_int_equal(after.batches, before.batches);
    assert_int_equal(after.bytes, before.bytes);
    assert_int_equal(after.oldest, batch_time(3));
    assert_int_equal(after.damaged_records, 0);
    uint64_t first, last;
    assert_int_equal(must_drain(s, &first, &last), 3);
    assert_int_equal(first, 3);
    assert_int_equal(last, 5);
    spool_close(s);
}

static void S1_last_sequence_survives_when_everything_was_acknowledged(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 4; round++) {
        Spool *s = open_roomy();
        assert_int_equal(spool_last_sequence(s), round * 5);
        must_append(s, 5);
        must_ack(s, spool_last_sequence(s));
        spool_close(s);
    }
    Spool *s = open_roomy();
    assert_int_equal(spool_last_sequence(s), 20);
    assert_int_equal(count_files(scratch.path, ".seg"), 1); /* S14 */
    spool_close(s);
}

static void S14_acknowledged_segments_are_deleted(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, ROOMY, 32); /* two batches a segment */
    must_append(s, 20);
    assert_int_equal(count_files(scratch.path, ".seg"), 10);
    must_ack(s, 13);
    assert_int_equal(count_files(scratch.path, ".seg"), 4);
    must_ack(s, 20);
    assert_int_equal(count_files(scratch.path, ".seg"), 1);
    spool_close(s);
}

static void acknowledging_too_much_or_twice_is_harmless(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    must_append(s, 2);
    must_ack(s, 100);
    must_ack(s, 1);
    must_append(s, 1);
    assert_int_equal(must_peek(s), 3);
    spool_close(s);
}

static void second_opener_is_told(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    Spool *other = NULL;
    Err err = ERR_INIT;
    const SpoolOptions options = {.directory = scratch.path};
    assert_true(spool_open(&other, &options, &err) < 0);
    assert_int_equal(err.code, ERR_CONFLICT);
    spool_close(s);
}

static void directory_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    Buf path = scratch_path(&scratch, "file");
    scratch_write(buf_cstr(&path), SLICE_LIT("x"));
    Spool *s = NULL;
    Err err = ERR_INIT;
    const SpoolOptions options = {.directory = buf_cstr(&path)};
    assert_true(spool_open(&s, &options, &err) < 0);
    assert_non_null(strstr(err.detail, buf_cstr(&path)));
    buf_done(&path);
}

/* --- bounds ----------------------------------------------------------------------------------------------------- */

static void S16_batches_are_bounded_and_dropped_ones_counted(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, ROOMY, 32);
    must_append(s, 100);
    SpoolStats stats = stats_of(s);
    assert_in_range(stats.batches, 31, 32);
    assert_int_equal(stats.batches + stats.dropped_batches, 100);
    assert_int_equal(must_peek(s), stats.dropped_batches + 1);
    spool_close(s);

    s = must_open(scratch.path, ROOMY, 32); /* S15: the count is durable */
    assert_int_equal(stats_of(s).dropped_batches, stats.dropped_batches);
    assert_int_equal(stats_of(s).batches, stats.batches);
    spool_close(s);
}

static void one_batch_is_enough_of_a_bound(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, ROOMY, 1);
    must_append(s, 5);
    assert_int_equal(must_peek(s), 5);
    assert_int_equal(stats_of(s).dropped_batches, 4);
    spool_close(s);
}

static uint64_t bytes_of_segments(void)
{
    uint64_t bytes = 0;
    DIR *dir = opendir(scratch.path);
    assert_non_null(dir);
    for (const struct dirent *entry; (entry = readdir(dir));) {
        if (!slice_ends_with(slice_cstr(entry->d_name), SLICE_LIT(".seg")))
            continue;
        Buf path = scratch_path(&scratch, entry->d_name);
        bytes += scratch_size(buf_cstr(&path));
        buf_done(&path);
    }
    closedir(dir);
    return bytes;
}

static void S16_bytes_are_bounded(void **state)
{
    (void)state;
    enum { BOUND = 20000 };
    Spool *s = must_open(scratch.path, BOUND, 0);
    for (unsigned i = 0; i < 500; i++) {
        must_append(s, 1);
        assert_true(bytes_of_segments() <= BOUND);
    }
    const SpoolStats stats = stats_of(s);
    assert_int_equal(stats.batches + stats.dropped_batches, 500);
    assert_true(stats.bytes > BOUND / 2);
    spool_close(s);
}

static void batch_that_never_fits_is_refused_and_nothing_dropped(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, 10000, 0);
    must_append(s, 2);
    Buf large = BUF_INIT;
    for (unsigned i = 0; i < 10000; i++)
        buf_append_char(&large, 'x');
    Err err = ERR_INIT;
    assert_true(spool_append(s, WIRE_IDENTITY, buf_slice(&large), 0, &err) < 0);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_true(spool_append(s, WIRE_IDENTITY, SLICE_LIT(""), 0, &err) < 0);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    must_append(s, 1);
    uint64_t first, last;
    assert_int_equal(must_drain(s, &first, &last), 3);
    spool_close(s);
    buf_done(&large);
}

static void batch_of_half_the_bound_pushes_out_its_like(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, 10000, 0);
    Buf half = BUF_INIT;
    for (unsigned i = 0; i < 6000; i++)
        buf_append_char(&half, 'x');
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(spool_append(s, WIRE_IDENTITY, buf_slice(&half), 0, NULL), 0);
    assert_int_equal(stats_of(s).batches, 1);
    assert_int_equal(stats_of(s).dropped_batches, 2);
    spool_close(s);
    buf_done(&half);
}

/* --- while it is open -------------------------------------------------------------------------------------------- */

static void S17_newest_segment_is_emptied_and_the_sequence_survives(void **state)
{
    (void)state;
    Buf large = BUF_INIT;
    for (unsigned i = 0; i < 40000; i++)
        buf_append_char(&large, 'x');
    Spool *s = must_open(scratch.path, 0, 0);
    char id[64];
    (void)snprintf(id, sizeof(id), "%s", spool_id(s));
    for (unsigned i = 1; i <= 2; i++)
        assert_int_equal(spool_append(s, WIRE_IDENTITY, buf_slice(&large), 0, NULL), 0);
    must_ack(s, 1);
    Buf path = segment_path(scratch.path, 1);
    assert_true(scratch_size(buf_cstr(&path)) > 80000);
    must_ack(s, 2);
    assert_int_equal(scratch_size(buf_cstr(&path)), SPOOL_SEGMENT_HEADER_SIZE);
    spool_close(s);

    s = must_open(scratch.path, 0, 0);
    assert_string_equal(spool_id(s), id);
    assert_int_equal(spool_last_sequence(s), 2);
    must_append(s, 2);
    spool_close(s);
    s = must_open(scratch.path, 0, 0);
    assert_int_equal(spool_last_sequence(s), 4);
    assert_int_equal(stats_of(s).batches, 2);
    assert_int_equal(stats_of(s).damaged_records, 0);
    spool_close(s);
    buf_done(&path);
    buf_done(&large);
}

static void S11_batch_that_goes_bad_while_open_is_skipped(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    must_append(s, 3);
    flip_in_segment(1, record_offset(1, 1) + SPOOL_RECORD_HEADER_SIZE);
    assert_int_equal(must_peek(s), 2);
    assert_int_equal(stats_of(s).damaged_records, 1);
    assert_int_equal(stats_of(s).batches, 2);
    spool_close(s);
}

static void S11_segment_that_somebody_removes_is_skipped(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, ROOMY, 32);
    must_append(s, 6);
    Buf path = segment_path(scratch.path, 1);
    assert_int_equal(unlink(buf_cstr(&path)), 0);
    buf_done(&path);
    assert_int_equal(must_peek(s), 3);
    assert_int_equal(stats_of(s).damaged_records, 2);
    spool_close(s);
}

/* --- failing disks (tests/fault has every call in turn) --------------------------------------------------------- */

typedef struct Fault {
    IoCall call;
    int number;
    unsigned times;
} Fault;

static int fault_some(void *arg, IoCall call)
{
    Fault *fault = arg;
    if (call != fault->call || fault->times == 0)
        return 0;
    fault->times--;
    return fault->number;
}

static void disk_full_fails_the_append_and_nothing_else(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    must_append(s, 2);
    Fault fault = {.call = IO_CALL_WRITE, .number = ENOSPC, .times = 1};
    io_fault_set(fault_some, &fault);
    Err err = ERR_INIT;
    assert_true(try_append(s, &err) < 0);
    assert_int_equal(err.code, ERR_DISK_FULL);
    assert_int_equal(spool_last_sequence(s), 2);
    assert_true(spool_append(s, WIRE_IDENTITY, SLICE_LIT("x"), 0, &err) < 0); /* S4: not before spool_prepare() */
    assert_int_equal(err.code, ERR_INTERNAL);
    must_append(s, 1);
    assert_int_equal(count_files(scratch.path, ".seg"), 1); /* cut back, not begun anew */
    uint64_t first, last;
    assert_int_equal(must_drain(s, &first, &last), 3);
    spool_close(s);
}

static void S4_after_a_failed_fsync_the_segment_is_left(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    must_append(s, 2);
    Fault fault = {.call = IO_CALL_FSYNC, .number = EIO, .times = 1};
    io_fault_set(fault_some, &fault);
    assert_true(try_append(s, NULL) < 0);
    assert_int_equal(stats_of(s).batches, 2); /* S2: never visible */
    uint64_t sequence;
    assert_int_equal(spool_prepare(s, &sequence, NULL), 0);
    assert_int_equal(sequence, 3);
    assert_int_equal(count_files(scratch.path, ".seg"), 2);
    must_append(s, 1);
    spool_close(s);

    s = open_roomy();
    assert_int_equal(stats_of(s).damaged_records, 0);
    uint64_t first, last;
    assert_int_equal(must_drain(s, &first, &last), 3);
    assert_int_equal(last, 3);
    spool_close(s);
}

static void S3_record_of_a_failed_append_is_void_even_if_it_cannot_be_cut(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    must_append(s, 2);
    Fault fault = {.call = IO_CALL_FSYNC, .number = EIO, .times = 1};
    io_fault_set(fault_some, &fault);
    assert_true(spool_append(s, WIRE_IDENTITY, SLICE_LIT("never seen"), 0, NULL) < 0);
    fault = (Fault){.call = IO_CALL_TRUNCATE, .number = EIO, .times = UINT32_MAX};
    must_append(s, 2);
    spool_close(s);
    s = open_roomy();
    uint64_t first, last;
    assert_int_equal(must_drain(s, &first, &last), 4); /* each payload is checked */
    spool_close(s);
}

static void prepare_fails_while_nothing_can_be_undone(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    must_append(s, 1);
    Fault fault = {.call = IO_CALL_FSYNC, .number = EIO, .times = 4};
    io_fault_set(fault_some, &fault);
    uint64_t sequence;
    assert_true(try_append(s, NULL) < 0);
    for (unsigned i = 0; i < 3; i++)
        assert_true(spool_prepare(s, &sequence, NULL) < 0);
    assert_int_equal(must_peek(s), 1); /* what is there can be sent meanwhile */
    must_append(s, 1);
    assert_int_equal(count_files(scratch.path, ".tmp"), 0);
    spool_close(s);
}

static void S15_count_that_cannot_be_noted_drops_nothing(void **state)
{
    (void)state;
    Spool *s = must_open(scratch.path, ROOMY, 1);
    must_append(s, 1);
    /* fsyncs of the next append: new segment, directory, then the head's. */
    for (unsigned allowed = 0; allowed < 3; allowed++) {
        Fault fault = {.call = IO_CALL_FSYNC, .number = EIO, .times = 1};
        io_fault_set(fault_some, &fault);
        Err err = ERR_INIT;
        assert_true(try_append(s, &err) < 0);
        assert_int_equal(must_peek(s), 1);
        assert_int_equal(stats_of(s).dropped_batches, 0);
        io_fault_set(NULL, NULL);
        uint64_t sequence;
        assert_int_equal(spool_prepare(s, &sequence, NULL), 0);
        if (allowed == 0)
            assert_int_equal(count_files(scratch.path, ".seg"), 2);
    }
    must_append(s, 1);
    assert_int_equal(must_peek(s), 2);
    assert_int_equal(stats_of(s).dropped_batches, 1);
    spool_close(s);
}

static void S13_acknowledgement_that_cannot_be_noted_is_told_and_holds(void **state)
{
    (void)state;
    Spool *s = open_roomy();
    must_append(s, 3);
    Fault fault = {.call = IO_CALL_WRITE, .number = EIO, .times = 1};
    io_fault_set(fault_some, &fault);
    assert_true(spool_ack(s, 2, NULL) < 0);
    assert_int_equal(must_peek(s), 3);
    must_ack(s, 2); /* noted now */
    spool_close(s);
    s = open_roomy();
    assert_int_equal(must_peek(s), 3);
    spool_close(s);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(new_spool_is_empty_and_has_an_id),
        TEST(batches_come_out_in_order_and_stay_until_acknowledged),
        TEST(appending_and_acknowledging_may_alternate),
        TEST(everything_survives_reopening),
        TEST(S1_last_sequence_survives_when_everything_was_acknowledged),
        TEST(S14_acknowledged_segments_are_deleted),
        TEST(acknowledging_too_much_or_twice_is_harmless),
        TEST(second_opener_is_told),
        TEST(directory_that_cannot_be_made_is_named),
        TEST(S16_batches_are_bounded_and_dropped_ones_counted),
        TEST(one_batch_is_enough_of_a_bound),
        TEST(S16_bytes_are_bounded),
        TEST(batch_that_never_fits_is_refused_and_nothing_dropped),
        TEST(batch_of_half_the_bound_pushes_out_its_like),
        TEST(S17_newest_segment_is_emptied_and_the_sequence_survives),
        TEST(S11_batch_that_goes_bad_while_open_is_skipped),
        TEST(S11_segment_that_somebody_removes_is_skipped),
        TEST(disk_full_fails_the_append_and_nothing_else),
        TEST(S4_after_a_failed_fsync_the_segment_is_left),
        TEST(S3_record_of_a_failed_append_is_void_even_if_it_cannot_be_cut),
        TEST(prepare_fails_while_nothing_can_be_undone),
        TEST(S15_count_that_cannot_be_noted_drops_nothing),
        TEST(S13_acknowledgement_that_cannot_be_noted_is_told_and_holds),
    };
    log_set_level(LOG_LEVEL_ERROR); /* damage is the point here */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
