/* SPDX-License-Identifier: PostgreSQL */
/* The durable steps of the spool's files, each alone. */
#include "tests/support/unit.h"

#include <sys/mman.h>

#include "collector/spool/spool_files.c" /* for read_chunk() */
#include "lib/io/file.h"
#include "tests/support/scratch_fixture.h"
#include "tests/support/spool_files.h"

static int open_head(SpoolHead *ret, bool *ret_known)
{
    int fd = -1;
    Err err = ERR_INIT;
    assert_ok(spool_head_open(scratch.path, &fd, ret, ret_known, &err), &err);
    return fd;
}

static void head_is_not_known_until_it_was_written(void **state)
{
    (void)state;
    SpoolHead head;
    bool known;
    int fd = open_head(&head, &known);
    assert_false(known);
    assert_int_equal(head.generation, 0);
    (void)close(fd);
    fd = open_head(&head, &known); /* an empty file is there now */
    assert_false(known);
    (void)close(fd);
}

static void head_slots_are_written_in_turn_and_the_higher_generation_counts(void **state)
{
    (void)state;
    SpoolHead head;
    bool known;
    int fd = open_head(&head, &known);
    assert_int_equal(spool_head_reset(fd, &(SpoolHead){.generation = 1, .acknowledged = 10}, NULL), 0);
    for (uint64_t generation = 2; generation < 6; generation++) {
        const SpoolHead next = {.generation = generation, .acknowledged = generation * 10};
        assert_int_equal(spool_head_write(fd, &next, generation % 2, NULL), 0);
        (void)close(fd);
        fd = open_head(&head, &known);
        assert_true(known);
        assert_int_equal(head.generation, generation);
        assert_int_equal(head.acknowledged, generation * 10);
    }
    (void)close(fd);
    Buf path = scratch_path(&scratch, "head");
    assert_int_equal(scratch_size(buf_cstr(&path)), SPOOL_HEAD_SIZE);
    buf_done(&path);
}

static void head_reset_fills_either_slot(void **state)
{
    (void)state;
    for (uint64_t generation = 1; generation < 3; generation++) {
        SpoolHead head;
        bool known;
        int fd = open_head(&head, &known);
        assert_int_equal(spool_head_reset(fd, &(SpoolHead){.generation = generation}, NULL), 0);
        (void)close(fd);
        fd = open_head(&head, &known);
        assert_int_equal(head.generation, generation);
        (void)close(fd);
        Buf path = scratch_path(&scratch, "head");
        assert_int_equal(scratch_size(buf_cstr(&path)), SPOOL_HEAD_SIZE);
        buf_done(&path);
    }
}

static void segments_are_listed_in_order_of_their_numbers(void **state)
{
    (void)state;
    static const uint64_t firsts[] = {100, 9, 1, 12345678901234567890u % SPOOL_SEQUENCE_MAX, 10};
    for (size_t i = 0; i < ARRAY_LENGTH(firsts); i++) {
        int fd = -1;
        const SpoolSegmentHeader header = {.id = spool_uuid_new(), .first_sequence = firsts[i]};
        assert_int_equal(spool_segment_create(scratch.path, &header, &fd, NULL), 0);
        (void)close(fd);
    }
    SpoolNumbers numbers = {0};
    assert_int_equal(spool_segments_list(scratch.path, &numbers, NULL), 0);
    assert_int_equal(numbers.len, ARRAY_LENGTH(firsts));
    for (size_t i = 1; i < numbers.len; i++)
        assert_true(numbers.items[i - 1] < numbers.items[i]);
    spool_numbers_done(&numbers);
}

static void missing_directory_is_named(void **state)
{
    (void)state;
    SpoolNumbers numbers = {0};
    Err err = ERR_INIT;
    assert_true(spool_segments_list("/nonexistent/spool", &numbers, &err) < 0);
    assert_non_null(strstr(err.detail, "/nonexistent/spool"));
    assert_true(spool_segment_remove("/nonexistent/spool", 1, &err) == 0); /* it is gone, as wanted */
}

static int fault_at(void *arg, IoCall call)
{
    (void)call;
    int *left = arg;
    return (*left)-- == 0 ? ENOSPC : 0;
}

static void S1_segment_that_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    const SpoolSegmentHeader header = {.id = spool_uuid_new(), .first_sequence = 1};
    for (int step = 0; step < 4; step++) { /* open, write, fsync, rename */
        int left = step;
        io_fault_set(fault_at, &left);
        int fd = -1;
        Err err = ERR_INIT;
        assert_fails(spool_segment_create(scratch.path, &header, &fd, &err), &err, ERR_DISK_FULL,
                     "00000000000000000001.seg");
        io_fault_set(NULL, NULL);
        assert_int_equal(fd, -1);
        assert_int_equal(count_files(scratch.path, ".seg") + count_files(scratch.path, ".tmp"), 0);
    }
}

static void segment_is_read_whole_and_replaced_whole(void **state)
{
    (void)state;
    const SpoolSegmentHeader header = {.id = spool_uuid_new(), .first_sequence = 7};
    int fd = -1;
    assert_int_equal(spool_segment_create(scratch.path, &header, &fd, NULL), 0);
    Buf large = BUF_INIT;
    for (unsigned i = 0; i < 300000; i++) /* more than one chunk */
        buf_append_char(&large, (char)i);
    assert_int_equal(io_write_all(fd, buf_slice(&large)), 0); /* it stands behind the header */
    (void)close(fd);
    Buf bytes = BUF_INIT;
    assert_int_equal(spool_segment_read(scratch.path, 7, &bytes, NULL), 0);
    assert_true(slice_eq(slice_skip(buf_slice(&bytes), SPOOL_SEGMENT_HEADER_SIZE), buf_slice(&large)));

    assert_int_equal(spool_segment_create(scratch.path, &header, &fd, NULL), 0);
    (void)close(fd);
    assert_int_equal(spool_segment_read(scratch.path, 7, &bytes, NULL), 0);
    assert_int_equal(bytes.len, SPOOL_SEGMENT_HEADER_SIZE);
    Err err = ERR_INIT;
    assert_true(spool_segment_read(scratch.path, 8, &bytes, &err) < 0);
    buf_done(&bytes);
    buf_done(&large);
}

static void S10_sectors_that_cannot_be_read_come_as_ff(void **state)
{
    (void)state;
    /* Our own memory as a file: reading where nothing is mapped is a real EIO. */
    enum { READABLE = 3 };
    char *memory = mmap(NULL, READ_CHUNK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    memset(memory, 'x', READ_CHUNK);
    assert_int_equal(munmap(memory + READABLE * READ_SECTOR, READ_CHUNK - READABLE * READ_SECTOR), 0);
    const int fd = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);

    char *chunk = malloc(READ_CHUNK);
    size_t size;
    assert_int_equal(read_chunk(fd, chunk, (off_t)(uintptr_t)memory, &size), 0);
    assert_int_equal(size, READ_CHUNK);
    for (size_t i = 0; i < READ_CHUNK; i++)
        if ((unsigned char)chunk[i] != (i < READABLE * READ_SECTOR ? 'x' : 0xff))
            fail_msg("byte %zu", i);
    free(chunk);
    (void)close(fd);
    assert_int_equal(munmap(memory, READABLE * READ_SECTOR), 0);
}

static void mending_changes_the_header_only(void **state)
{
    (void)state;
    const SpoolSegmentHeader header = {.id = spool_uuid_new(), .first_sequence = 7};
    Buf path = segment_path(scratch.path, 7);
    scratch_write(buf_cstr(&path),
                  SLICE_LIT("...............................................................!content"));
    assert_int_equal(spool_segment_mend(scratch.path, &header, NULL), 0);
    Buf bytes = scratch_read(buf_cstr(&path));
    SpoolSegmentHeader back;
    uint32_t version;
    assert_int_equal(spool_segment_header_decode(buf_slice(&bytes), &back, &version), SPOOL_DECODED);
    assert_true(spool_uuid_eq(back.id, header.id));
    assert_string_equal(buf_cstr(&bytes) + SPOOL_SEGMENT_HEADER_SIZE, "content");
    buf_done(&bytes);
    buf_done(&path);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup_fast, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(head_is_not_known_until_it_was_written),
        TEST(head_slots_are_written_in_turn_and_the_higher_generation_counts),
        TEST(head_reset_fills_either_slot),
        TEST(segments_are_listed_in_order_of_their_numbers),
        TEST(missing_directory_is_named),
        TEST(S1_segment_that_cannot_be_made_leaves_nothing),
        TEST(segment_is_read_whole_and_replaced_whole),
        TEST(S10_sectors_that_cannot_be_read_come_as_ff),
        TEST(mending_changes_the_header_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
