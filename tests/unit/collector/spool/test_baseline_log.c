/* SPDX-License-Identifier: PostgreSQL */
/* B1 ... are the invariants of docs/spool.md, section 6. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/spool/baseline_log.h"
#include "lib/io/file.h"
#include "tests/support/scratch.h"

static const char id[] = "00112233-4455-4677-8899-aabbccddeeff";
static const char other_id[] = "10112233-4455-4677-8899-aabbccddeeff";

static Scratch scratch;
static BaselineLog *baselines;

static int setup(void **state)
{
    (void)state;
    scratch = scratch_make(NULL);
    baselines = baseline_log_new(scratch.path);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    io_fault_set(NULL, NULL);
    baselines = baseline_log_free(baselines);
    scratch_remove(&scratch);
    return 0;
}

static int append_part(void *arg, Slice content, bool whole, Err *reterr)
{
    (void)reterr;
    Buf *parts = arg;
    buf_append_char(parts, whole ? '=' : '+');
    buf_append(parts, content);
    return 0;
}

/* What the next process finds: "=WHOLE+CHANGE+CHANGE"; "" when absent. */
static void expect(const char *spool_id, uint64_t sequence, const char *parts)
{
    _cleanup_(baseline_log_freep) BaselineLog *next = baseline_log_new(scratch.path);
    _cleanup_buf_ Buf found = BUF_INIT;
    Err err = ERR_INIT;
    int r = baseline_log_read(next, spool_id, sequence, append_part, &found, &err);
    assert_int_equal(r, parts[0] ? BASELINE_OK : BASELINE_ABSENT);
    assert_string_equal(buf_cstr(&found), parts);
}

static void restart(uint64_t sequence)
{
    baseline_log_free(baselines);
    baselines = baseline_log_new(scratch.path);
    _cleanup_buf_ Buf ignored = BUF_INIT;
    assert_true(baseline_log_read(baselines, id, sequence, append_part, &ignored, NULL) >= 0);
}

static void write_one(uint64_t sequence, const char *content, bool whole)
{
    assert_int_equal(baseline_log_wants_whole(baselines), whole);
    assert_int_equal(baseline_log_write(baselines, id, sequence, slice_cstr(content), NULL), 0);
}

static void keep_one(uint64_t sequence, const char *content, bool whole)
{
    write_one(sequence, content, whole);
    baseline_log_kept(baselines);
}

static void begins_with_a_whole_and_goes_on_with_changes(void **state)
{
    (void)state;
    expect(id, 0, "");
    expect(id, 1, "");
    keep_one(1, "one", true);
    keep_one(2, "two", false);
    keep_one(3, "", false);
    expect(id, 1, "=one");
    expect(id, 2, "=one+two");
    expect(id, 3, "=one+two+");
    expect(id, 4, ""); /* B3 */
    expect(id, 0, "");
    expect(other_id, 2, "");
}

static void B2_until_the_batch_is_kept_the_one_before_is_there(void **state)
{
    (void)state;
    keep_one(6, "six", true);
    write_one(7, "seven", false);
    expect(id, 6, "=six");
    expect(id, 7, "=six+seven");
    write_one(7, "seven again", true);
    expect(id, 6, "=six");
    write_one(7, "seven for the third time", true);
    expect(id, 6, "=six");
    expect(id, 7, "=seven for the third time");
    baseline_log_kept(baselines);
    keep_one(8, "eight", false);
    expect(id, 8, "=seven for the third time+eight");
}

static void B5_of_two_ways_the_later_one_counts(void **state)
{
    (void)state;
    keep_one(1, "one", true);
    write_one(2, "forgotten", false);
    keep_one(2, "two", true); /* in the other file; the first one leads to 2 as well */
    expect(id, 2, "=two");
    keep_one(3, "three", false);
    write_one(4, "forgotten", false);
    keep_one(4, "four", true);
    expect(id, 4, "=four");
}

static void B6_a_file_of_an_earlier_process_is_not_appended_to(void **state)
{
    (void)state;
    keep_one(1, "one", true);
    keep_one(2, "two", false);
    restart(2);
    keep_one(3, "three", true);
    expect(id, 2, "=one+two");
    expect(id, 3, "=three");
    restart(3);
    keep_one(4, "four", true);
    expect(id, 3, "=three");
    expect(id, 4, "=four");
}

static void without_a_baseline_nothing_of_old_stays(void **state)
{
    (void)state;
    keep_one(1, "one", true);
    restart(1);
    write_one(2, "forgotten", true); /* in slot 1 */
    restart(9);                      /* whatever the reason: none fits */
    keep_one(2, "two", true);
    expect(id, 1, "");
    expect(id, 2, "=two");
}

static void a_new_whole_is_written_when_the_changes_outgrow_the_old_one(void **state)
{
    (void)state;
    keep_one(1, "one", true);
    uint64_t sequence = 2;
    while (!baseline_log_wants_whole(baselines))
        keep_one(sequence++, "xxx", false);
    assert_int_equal(sequence, 5); /* three of the same size */
    keep_one(5, "five", true);
    expect(id, 4, "=one+xxx+xxx+xxx");
    expect(id, 5, "=five");
}

static void what_the_two_slots_have_is_read(void **state)
{
    (void)state;
    for (uint64_t sequence = 1; sequence <= 4; sequence++)
        assert_int_equal(baseline_write(scratch.path, id, sequence, SLICE_LIT("as it was"), NULL), 0);
    expect(id, 3, "=as it was");
    expect(id, 4, "=as it was");
    restart(4);
    keep_one(5, "five", true);
    expect(id, 4, "=as it was");
    expect(id, 5, "=five");
}

static void every_cut_and_every_flipped_byte_end_the_way(void **state)
{
    (void)state;
    keep_one(1, "one", true);
    keep_one(2, "two", false);
    _cleanup_buf_ Buf path = scratch_path(&scratch, "baseline-0"), file = scratch_read(buf_cstr(&path));
    const size_t first = 64 + 3;
    for (size_t i = 0; i < file.len; i++) {
        scratch_write(buf_cstr(&path), slice_from(file.ptr, i));
        expect(id, 2, "");
        expect(id, 1, i < first ? "" : "=one");
        scratch_write(buf_cstr(&path), buf_slice(&file));
        scratch_flip(buf_cstr(&path), i, 0x01);
        expect(id, 2, "");
        expect(id, 1, i < first ? "" : "=one");
    }
    scratch_write(buf_cstr(&path), buf_slice(&file));
    expect(id, 2, "=one+two");
}

static void bytes_are_the_documented_ones(void **state)
{
    (void)state;
    keep_one(3, "abc", true);
    keep_one(4, "de", false);
    _cleanup_buf_ Buf path = scratch_path(&scratch, "baseline-0"), file = scratch_read(buf_cstr(&path));
    assert_int_equal(file.len, 64 + 3 + 64 + 2);
    assert_memory_equal(file.ptr, "PGAb\1\0\0\0", 8);
    assert_memory_equal(file.ptr + 64, "abc", 3);
    assert_memory_equal(file.ptr + 67, "PGAi\1\0\0\0", 8);
    assert_memory_equal(file.ptr + 67 + 8, id, 36);
    assert_memory_equal(file.ptr + 67 + 44, "\4\0\0\0\0\0\0\0\2\0\0\0", 12);
    assert_memory_equal(file.ptr + 67 + 64, "de", 2);
}

typedef struct Fault {
    unsigned skip; /* calls that succeed first */
    bool fired;
} Fault;

static int fault_one(void *arg, IoCall call)
{
    (void)call;
    Fault *fault = arg;
    if (fault->fired || fault->skip-- > 0)
        return 0;
    fault->fired = true;
    return EIO;
}

/* Tries @sequence with each call failing in turn; the number of calls. */
static unsigned fail_each_call(uint64_t sequence, const char *before)
{
    for (unsigned skip = 0;; skip++) {
        Fault fault = {.skip = skip};
        io_fault_set(fault_one, &fault);
        int r = baseline_log_write(baselines, id, sequence, SLICE_LIT("x"), NULL);
        io_fault_set(NULL, NULL);
        expect(id, sequence - 1, before);
        if (!fault.fired) {
            assert_int_equal(r, 0);
            return skip;
        }
    }
}

static void B1_a_write_that_fails_leaves_the_one_before(void **state)
{
    (void)state;
    keep_one(1, "one", true);
    assert_true(fail_each_call(2, "=one") >= 5); /* the first as a change, then as a whole */
    baseline_log_kept(baselines);
    expect(id, 2, "=x");
    restart(2);
    assert_true(fail_each_call(3, "=x") >= 5); /* opening it for what follows is the last */
    baseline_log_kept(baselines);
    expect(id, 3, "=x");
}

static void a_change_that_is_not_on_disk_is_no_way(void **state)
{
    (void)state;
    keep_one(1, "one", true);
    Fault fault = {.skip = 0}; /* torn in the middle */
    io_fault_set(fault_one, &fault);
    assert_int_equal(baseline_log_write(baselines, id, 2, SLICE_LIT("two"), NULL), -EIO);
    io_fault_set(NULL, NULL);
    expect(id, 2, "");
    expect(id, 1, "=one");
    keep_one(2, "two again", true);
    expect(id, 2, "=two again");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(begins_with_a_whole_and_goes_on_with_changes),
        TEST(B2_until_the_batch_is_kept_the_one_before_is_there),
        TEST(B5_of_two_ways_the_later_one_counts),
        TEST(B6_a_file_of_an_earlier_process_is_not_appended_to),
        TEST(without_a_baseline_nothing_of_old_stays),
        TEST(a_new_whole_is_written_when_the_changes_outgrow_the_old_one),
        TEST(what_the_two_slots_have_is_read),
        TEST(every_cut_and_every_flipped_byte_end_the_way),
        TEST(bytes_are_the_documented_ones),
        TEST(B1_a_write_that_fails_leaves_the_one_before),
        TEST(a_change_that_is_not_on_disk_is_no_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
