/* SPDX-License-Identifier: PostgreSQL */
/*
 * A spool of several segments is cut at every byte of every segment, and has random bits turned over; opened again,
 * everything that is whole is there, nothing that was not appended is, and no number is given twice.
 * S1 ... are the invariants of docs/spool.md. PGA_TEST_SEED repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "collector/spool/spool_format.h"
#include "lib/base/log.h"
#include "tests/support/spool_files.h"

enum {
    BATCHES = 11,
    ACKNOWLEDGED = 4, /* all of the first segment, one of the second */
    PER_SEGMENT = 3,
    MAX_BATCHES = PER_SEGMENT * 16,
    MAX_BYTES = 1 << 20,
    FLIP_ROUNDS = 1500,
};

typedef struct Original {
    Scratch at;
    char id[40];
} Original;

static Original original; /* segments 4-6, 7-9, 10-11; batches 5 to 11 wait */
static Scratch work;

static int make_original(void **state)
{
    (void)state;
    original.at = scratch_make_fast();
    work = scratch_make_fast();
    Spool *s = must_open(original.at.path, MAX_BYTES, MAX_BATCHES);
    (void)snprintf(original.id, sizeof(original.id), "%s", spool_id(s));
    must_append(s, BATCHES);
    must_ack(s, ACKNOWLEDGED);
    spool_close(s);
    assert_int_equal(count_files(original.at.path, ".seg"), 3);
    return 0;
}

static int remove_original(void **state)
{
    (void)state;
    scratch_remove(&original.at);
    scratch_remove(&work);
    return 0;
}

static void fresh_copy(void)
{
    scratch_remove(&work);
    scratch_copy(original.at.path, work.path);
}

/* Every waiting batch, each checked by must_peek(), as a set of bits; acknowledges none that was not read. */
static uint32_t waiting_set(Spool *s)
{
    uint32_t set = 0;
    uint64_t last = 0;
    for (uint64_t sequence; (sequence = must_peek(s)) != 0;) {
        assert_true(sequence > last);
        last = sequence;
        if (sequence <= BATCHES)
            set |= 1u << sequence;
        must_ack(s, sequence);
    }
    return set;
}

static uint32_t range_set(uint64_t first, uint64_t last)
{
    uint32_t set = 0;
    for (uint64_t i = first; i <= last; i++)
        set |= 1u << i;
    return set;
}

/* The number of whole records in the first @size bytes of the segment that begins with @first. */
static uint64_t whole_records(uint64_t first, uint64_t last, size_t size)
{
    size_t end = SPOOL_SEGMENT_HEADER_SIZE;
    for (uint64_t i = first; i <= last; i++) {
        Buf text = batch_text(i);
        end += text.len + SPOOL_RECORD_OVERHEAD;
        buf_done(&text);
        if (end > size)
            return i - first;
    }
    return last - first + 1;
}

/* S7: a new batch has a number of its own, and is found again. */
static void check_goes_on(Spool *s, uint64_t least_sequence)
{
    const bool same_id = strcmp(spool_id(s), original.id) == 0;
    must_append(s, 1);
    const uint64_t sequence = spool_last_sequence(s);
    if (same_id)
        assert_true(sequence >= least_sequence);
    spool_close(s);

    s = must_open(work.path, MAX_BYTES, MAX_BATCHES);
    assert_int_equal(spool_last_sequence(s), sequence);
    uint64_t last = 0;
    for (uint64_t next; (next = must_peek(s)) != 0; last = next)
        must_ack(s, next);
    assert_int_equal(last, sequence);
    spool_close(s);
}

static void cut_at(uint64_t first, uint64_t last, size_t size)
{
    fresh_copy();
    Buf path = segment_path(work.path, first);
    scratch_truncate(buf_cstr(&path), size);
    buf_done(&path);

    const uint64_t found = whole_records(first, last, size);
    uint32_t expected = range_set(ACKNOWLEDGED + 1, BATCHES) & ~range_set(first + found, last);
    Spool *s = must_open(work.path, MAX_BYTES, MAX_BATCHES);
    const bool newest = last == BATCHES;
    if (newest && size >= SPOOL_SEGMENT_HEADER_SIZE) { /* S9: what was torn was never fsynced, its number is free */
        assert_string_equal(spool_id(s), original.id);
        assert_int_equal(spool_last_sequence(s), first + found - 1);
    } else if (newest) {
        assert_string_not_equal(spool_id(s), original.id); /* S7: a header is never torn, so this is damage */
    } else {
        assert_string_equal(spool_id(s), original.id);
        assert_int_equal(spool_last_sequence(s), BATCHES);
    }
    assert_int_equal(waiting_set(s), expected);
    check_goes_on(s, newest ? first + found : BATCHES + 1);
}

static void cut_at_every_byte_keeps_every_whole_record(void **state)
{
    (void)state;
    static const uint64_t segments[][2] = {{4, 6}, {7, 9}, {10, 11}};
    for (size_t i = 0; i < ARRAY_LENGTH(segments); i++) {
        Buf path = segment_path(original.at.path, segments[i][0]);
        const size_t size = scratch_size(buf_cstr(&path));
        buf_done(&path);
        for (size_t cut = 0; cut < size; cut++)
            cut_at(segments[i][0], segments[i][1], cut);
    }
}

static void head_cut_at_every_byte_loses_nothing(void **state)
{
    (void)state;
    for (size_t cut = 0; cut < SPOOL_HEAD_SIZE; cut += cut < 200 || (cut >= 4090 && cut < 4300) ? 1 : 97) {
        fresh_copy();
        Buf path = scratch_path(&work, "head");
        scratch_truncate(buf_cstr(&path), cut);
        buf_done(&path);
        Spool *s = must_open(work.path, MAX_BYTES, MAX_BATCHES);
        const uint32_t expected = range_set(ACKNOWLEDGED + 1, BATCHES);
        assert_int_equal(waiting_set(s) & expected, expected); /* S13: acknowledged ones may be there again */
        check_goes_on(s, BATCHES + 1);
    }
}

/* xorshift: the same run for the same seed on every machine. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t make_seed(void)
{
    const char *given = getenv("PGA_TEST_SEED");
    uint64_t seed;
    if (!given || !slice_to_uint64(slice_cstr(given), &seed) || seed == 0)
        seed = (uint64_t)time(NULL) | 1;
    print_message("PGA_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

/* Flips one bit somewhere; returns whether it hit a segment. */
static bool flip_somewhere(uint64_t *random)
{
    static const uint64_t firsts[] = {4, 7, 10, 0};
    const uint64_t first = firsts[next_random(random) % ARRAY_LENGTH(firsts)];
    Buf path = first ? segment_path(work.path, first) : scratch_path(&work, "head");
    size_t size = scratch_size(buf_cstr(&path));
    size_t offset = next_random(random) % size;
    if (!first) /* into a slot, not into the emptiness between them */
        offset = offset % SPOOL_HEAD_SLOT_SIZE + (offset % 2) * SPOOL_HEAD_SLOT_STRIDE;
    scratch_flip(buf_cstr(&path), offset, (uint8_t)(1 << next_random(random) % 8));
    buf_done(&path);
    return first != 0;
}

static void one_flipped_bit_costs_at_most_one_batch(void **state)
{
    (void)state;
    uint64_t random = make_seed();
    for (unsigned i = 0; i < FLIP_ROUNDS; i++) {
        fresh_copy();
        const bool segment_hit = flip_somewhere(&random);
        Spool *s = must_open(work.path, MAX_BYTES, MAX_BATCHES);
        const SpoolStats stats = stats_of(s);
        const uint32_t expected = range_set(ACKNOWLEDGED + 1, BATCHES);
        const uint32_t missing = expected & ~waiting_set(s);
        assert_true(__builtin_popcount(missing) <= (segment_hit ? 1 : 0));
        if (missing)
            assert_int_equal(stats.damaged_records, 1);
        check_goes_on(s, BATCHES + 1); /* S7 */
    }
}

static void many_flipped_bits_crash_nothing_and_invent_nothing(void **state)
{
    (void)state;
    uint64_t random = make_seed();
    for (unsigned i = 0; i < FLIP_ROUNDS; i++) {
        fresh_copy();
        for (uint64_t flips = 2 + next_random(&random) % 30; flips > 0; flips--)
            (void)flip_somewhere(&random);
        Spool *s = must_open(work.path, MAX_BYTES, MAX_BATCHES);
        (void)waiting_set(s); /* each that is found is as it was appended */
        check_goes_on(s, BATCHES + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_at_every_byte_keeps_every_whole_record),
        cmocka_unit_test(head_cut_at_every_byte_loses_nothing),
        cmocka_unit_test(one_flipped_bit_costs_at_most_one_batch),
        cmocka_unit_test(many_flipped_bits_crash_nothing_and_invent_nothing),
    };
    log_set_level(LOG_LEVEL_ERROR); /* damage is the point here */
    return cmocka_run_group_tests(tests, make_original, remove_original);
}
