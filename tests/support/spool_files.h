#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* What tests of the spool share: batches that can be told apart, and the files of a spool. Assertions are cmocka's. */
#include <inttypes.h>

#include "collector/spool/spool.h"
#include "tests/support/scratch.h"
#include "tests/support/unit.h"

/* Batch N is "batch N " and a run of letters, so that sizes differ; the text ends in a letter. */
static inline UNUSED Buf batch_text(uint64_t sequence)
{
    Buf text = BUF_INIT;
    buf_printf(&text, "batch %" PRIu64 " ", sequence);
    for (uint64_t i = 0; i < 20 + sequence * 7 % 40; i++)
        buf_append_char(&text, (char)('a' + (sequence + i) % 26));
    return text;
}

static inline UNUSED Usec batch_time(uint64_t sequence)
{
    return (Usec)(1700000000 + sequence) * USEC_PER_SEC;
}

static inline UNUSED WireEncoding batch_encoding(uint64_t sequence)
{
    return (WireEncoding)(sequence % _WIRE_ENCODING_MAX);
}

static inline UNUSED Spool *must_open(const char *directory, uint64_t max_bytes, uint32_t max_batches)
{
    Err err = ERR_INIT;
    Spool *s = NULL;
    const SpoolOptions options = {.directory = directory, .max_bytes = max_bytes, .max_batches = max_batches};
    if (spool_open(&s, &options, &err) < 0)
        fail_msg("spool_open: %s", err.detail);
    return s;
}

static inline UNUSED int try_append(Spool *s, Err *reterr)
{
    uint64_t sequence;
    int r = spool_prepare(s, &sequence, reterr);
    if (r < 0)
        return r;
    assert_int_equal(sequence, spool_last_sequence(s) + 1);
    Buf text = batch_text(sequence);
    r = spool_append(s, batch_encoding(sequence), buf_slice(&text), batch_time(sequence), reterr);
    buf_done(&text);
    return r;
}

static inline UNUSED void must_append(Spool *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        Err err = ERR_INIT;
        if (try_append(s, &err) < 0)
            fail_msg("append: %s", err.detail);
    }
}

/* The sequence of the oldest batch, whose content is checked; 0 when there is none. */
static inline UNUSED uint64_t must_peek(Spool *s)
{
    Err err = ERR_INIT;
    Buf payload = BUF_INIT;
    WireEncoding encoding;
    uint64_t sequence = 0;
    const int r = spool_peek(s, &payload, &encoding, &sequence, &err);
    if (r < 0)
        fail_msg("spool_peek: %s", err.detail);
    if (r == SPOOL_OK) {
        Buf text = batch_text(sequence);
        assert_true(slice_eq(buf_slice(&text), buf_slice(&payload)));
        assert_int_equal(encoding, batch_encoding(sequence));
        buf_done(&text);
    }
    buf_done(&payload);
    return r == SPOOL_OK ? sequence : 0;
}

static inline UNUSED void must_ack(Spool *s, uint64_t sequence)
{
    Err err = ERR_INIT;
    if (spool_ack(s, sequence, &err) < 0)
        fail_msg("spool_ack: %s", err.detail);
}

/* Takes everything that waits: checks that sequences ascend, returns how many there were. */
static inline UNUSED size_t must_drain(Spool *s, uint64_t *ret_first, uint64_t *ret_last)
{
    size_t count = 0;
    *ret_first = *ret_last = 0;
    for (uint64_t sequence; (sequence = must_peek(s)) != 0; count++) {
        assert_true(sequence > *ret_last);
        if (*ret_first == 0)
            *ret_first = sequence;
        *ret_last = sequence;
        must_ack(s, sequence);
    }
    return count;
}

static inline UNUSED SpoolStats stats_of(Spool *s)
{
    SpoolStats stats;
    spool_stats(s, &stats);
    return stats;
}

static inline UNUSED Buf segment_path(const char *directory, uint64_t first)
{
    Buf path = BUF_INIT;
    buf_printf(&path, "%s/%020" PRIu64 ".seg", directory, first);
    return path;
}

/* Files of the directory whose names end in @suffix. */
static inline UNUSED size_t count_files(const char *directory, const char *suffix)
{
    size_t count = 0;
    DIR *dir = opendir(directory);
    scratch_check(dir != NULL, directory);
    for (const struct dirent *entry; (entry = readdir(dir));)
        count += slice_ends_with(slice_cstr(entry->d_name), slice_cstr(suffix));
    (void)closedir(dir);
    return count;
}
