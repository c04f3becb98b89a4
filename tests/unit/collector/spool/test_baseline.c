/* SPDX-License-Identifier: PostgreSQL */
/* B1 ... are the invariants of docs/spool.md, section 6. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collector/spool/baseline.h"
#include "lib/io/file.h"
#include "tests/support/scratch_fixture.h"

static const char id[] = "00112233-4455-4677-8899-aabbccddeeff";
static const char other_id[] = "10112233-4455-4677-8899-aabbccddeeff";

/* Reads: true and checks the content, false when absent. */
static bool has(const char *spool_id, uint64_t sequence, const char *content)
{
    Buf bytes = BUF_INIT;
    Err err = ERR_INIT;
    const int r = baseline_read(scratch.path, spool_id, sequence, &bytes, &err);
    assert_true(r >= 0);
    if (r == BASELINE_OK)
        assert_string_equal(buf_cstr(&bytes), content);
    buf_done(&bytes);
    return r == BASELINE_OK;
}

static void must_write(uint64_t sequence, const char *content)
{
    assert_int_equal(baseline_write(scratch.path, id, sequence, slice_cstr(content), NULL), 0);
}

static void nothing_is_absent(void **state)
{
    (void)state;
    assert_false(has(id, 0, ""));
    assert_false(has(id, 1, ""));
}

static void two_slots_are_written_in_turn(void **state)
{
    (void)state;
    must_write(1, "one");
    must_write(2, "two");
    assert_true(has(id, 1, "one")); /* B2: until batch 2 is in the spool, 1 may be the truth */
    assert_true(has(id, 2, "two"));
    must_write(3, "three");
    assert_false(has(id, 1, "one"));
    assert_true(has(id, 2, "two"));
    assert_true(has(id, 3, "three"));
    must_write(3, "three again");
    assert_true(has(id, 3, "three again"));
}

static void B3_only_the_exact_id_and_sequence_fit(void **state)
{
    (void)state;
    must_write(7, "seven");
    assert_true(has(id, 7, "seven"));
    assert_false(has(id, 5, ""));
    assert_false(has(id, 9, ""));
    assert_false(has(id, 6, ""));
    assert_false(has(other_id, 7, ""));
}

static void empty_content_is_content(void **state)
{
    (void)state;
    must_write(4, "");
    assert_true(has(id, 4, ""));
}

static void every_cut_and_every_flipped_byte_make_it_absent(void **state)
{
    (void)state;
    must_write(1, "the previous reading");
    Buf path = scratch_path(&scratch, "baseline-1");
    Buf whole = scratch_read(buf_cstr(&path));
    for (size_t i = 0; i < whole.len; i++) {
        scratch_write(buf_cstr(&path), slice_from(whole.ptr, i));
        assert_false(has(id, 1, ""));
        scratch_write(buf_cstr(&path), buf_slice(&whole));
        scratch_flip(buf_cstr(&path), i, 0x01);
        assert_false(has(id, 1, ""));
    }
    buf_append_char(&whole, 'x');
    scratch_write(buf_cstr(&path), buf_slice(&whole));
    assert_false(has(id, 1, ""));
    buf_done(&whole);
    buf_done(&path);
}

static void bytes_are_the_documented_ones(void **state)
{
    (void)state;
    must_write(3, "abc");
    Buf path = scratch_path(&scratch, "baseline-1");
    Buf file = scratch_read(buf_cstr(&path));
    assert_int_equal(file.len, 67);
    assert_memory_equal(file.ptr, "PGAb\1\0\0\0", 8);
    assert_memory_equal(file.ptr + 8, id, 36);
    assert_memory_equal(file.ptr + 44, "\3\0\0\0\0\0\0\0\3\0\0\0", 12);
    assert_memory_equal(file.ptr + 64, "abc", 3);
    struct stat status;
    assert_int_equal(stat(buf_cstr(&path), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    buf_done(&file);
    buf_done(&path);
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

static void B1_a_write_that_fails_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    must_write(1, "one");
    must_write(2, "two");
    unsigned failures = 0;
    for (unsigned skip = 0;; skip++) {
        Fault fault = {.skip = skip};
        io_fault_set(fault_one, &fault);
        const int r = baseline_write(scratch.path, id, 3, SLICE_LIT("three"), NULL);
        io_fault_set(NULL, NULL);
        assert_true(has(id, 2, "two")); /* the slot of the last batch is not touched */
        assert_true(has(id, 1, "one") || has(id, 3, "three"));
        if (!fault.fired) {
            assert_int_equal(r, 0);
            break;
        }
        assert_true(r < 0);
        failures++;
        must_write(1, "one");
    }
    assert_true(failures >= 4); /* open, write, fsync, rename at least */
    assert_true(has(id, 3, "three"));
}

static void directory_is_made(void **state)
{
    (void)state;
    Buf path = scratch_path(&scratch, "servers/main");
    assert_int_equal(baseline_write(buf_cstr(&path), id, 1, SLICE_LIT("one"), NULL), 0);
    Buf bytes = BUF_INIT;
    assert_int_equal(baseline_read(buf_cstr(&path), id, 1, &bytes, NULL), BASELINE_OK);
    buf_done(&bytes);
    buf_done(&path);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(nothing_is_absent),
        TEST(two_slots_are_written_in_turn),
        TEST(B3_only_the_exact_id_and_sequence_fit),
        TEST(empty_content_is_content),
        TEST(every_cut_and_every_flipped_byte_make_it_absent),
        TEST(bytes_are_the_documented_ones),
        TEST(B1_a_write_that_fails_leaves_the_old_or_the_new),
        TEST(directory_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
