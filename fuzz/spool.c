/* SPDX-License-Identifier: PostgreSQL */
/*
 * The spool's reader. The input edits the files of a good spool (two segments of three batches, a head): bits are
 * turned over, bytes overwritten, files cut and lengthened, and checksums made good again so that what lies behind them
 * is reached. The spool is then opened: it must not crash, must not invent or change a batch, must take a new one, and
 * must find that again. The input's bytes are also scanned as they are, as a segment of the same spool.
 *
 * An edit is six bytes: file (0, 1 segments, 2 head), action, offset (2 bytes), argument (2 bytes).
 */
#include <inttypes.h>
#include <stdlib.h>

#include "collector/spool/spool.h"
#include "collector/spool/spool_format.h"
#include "lib/base/crc32c.h"
#include "lib/base/log.h"
#include "tests/support/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FILES = 3, BATCHES = 6, PER_SEGMENT = 3, EDIT_SIZE = 6, EDITS_MAX = 16, LENGTHEN_MAX = 4096 };
enum { FLIP, WRITE, CUT, LENGTHEN_ZERO, LENGTHEN_COPY, MEND_RECORD, MEND_SEGMENT, MEND_HEAD, ACTIONS };

static const SpoolUuid id = {{1, 2, 3, 4, 5, 6, 0x47, 8, 0x89, 10, 11, 12, 13, 14, 15, 16}};

#define check(condition) check_at((condition), #condition, __LINE__)

static void check_at(bool ok, const char *condition, int line)
{
    if (ok)
        return;
    (void)fprintf(stderr, "fuzz/spool.c:%d: not %s\n", line, condition);
    abort();
}

static void batch_text(uint64_t sequence, Buf *out)
{
    buf_printf(out, "batch %" PRIu64 " of the original", sequence);
}

static void make_files(Buf files[FILES])
{
    for (uint64_t segment = 0; segment < 2; segment++) {
        const uint64_t first = segment * PER_SEGMENT + 1;
        spool_segment_header_encode(&(SpoolSegmentHeader){.id = id, .first_sequence = first}, &files[segment]);
        for (uint64_t sequence = first; sequence < first + PER_SEGMENT; sequence++) {
            _cleanup_buf_ Buf text = BUF_INIT;
            batch_text(sequence, &text);
            const SpoolRecord record = {.sequence = sequence, .time = 1, .length = (uint32_t)text.len};
            spool_record_encode(id, &record, buf_slice(&text), &files[segment]);
        }
    }
    const SpoolHead head = {.generation = 2, .acknowledged = 1, .newest_first = PER_SEGMENT + 1, .id = id};
    spool_head_encode(&head, &files[2]);
    while (files[2].len < SPOOL_HEAD_SIZE)
        buf_append_u8(&files[2], 0);
}

/* Makes the checksum good of a block whose last four bytes it is. */
static void mend(Buf *file, size_t offset, size_t size, uint32_t before)
{
    if (offset + size > file->len)
        return;
    const uint32_t sum = crc32c(before, slice_from(file->ptr + offset, size - 4));
    for (size_t i = 0; i < 4; i++)
        file->ptr[offset + size - 4 + i] = (char)(sum >> i * 8);
}

static void edit(Buf files[FILES], const uint8_t *e)
{
    Buf *file = &files[e[0] % FILES];
    const size_t argument = (size_t)(e[4] | e[5] << 8);
    const size_t offset = file->len ? (size_t)(e[2] | e[3] << 8) % file->len : 0;
    switch (file->len ? e[1] % ACTIONS : LENGTHEN_ZERO) {
    case FLIP:
        file->ptr[offset] = (char)(file->ptr[offset] ^ 1 << argument % 8);
        break;
    case WRITE:
        file->ptr[offset] = (char)argument;
        break;
    case CUT:
        file->len = offset;
        break;
    case LENGTHEN_ZERO:
        for (size_t i = 0; i < argument % LENGTHEN_MAX; i++)
            buf_append_u8(file, 0);
        break;
    case LENGTHEN_COPY: /* old blocks that come back */
        for (size_t i = 0; i < argument % LENGTHEN_MAX; i++)
            buf_append_u8(file, (uint8_t)file->ptr[(offset + i) % file->len]);
        break;
    case MEND_RECORD:
        mend(file, offset, SPOOL_RECORD_HEADER_SIZE, crc32c(0, slice_from(id.bytes, sizeof(id.bytes))));
        break;
    case MEND_SEGMENT:
        mend(file, 0, SPOOL_SEGMENT_HEADER_SIZE, 0);
        break;
    default:
        mend(file, offset / SPOOL_HEAD_SLOT_STRIDE * SPOOL_HEAD_SLOT_STRIDE, SPOOL_HEAD_SLOT_SIZE, 0);
    }
}

static Spool *open_spool(const char *directory)
{
    Spool *s = NULL;
    Err err = ERR_INIT;
    if (spool_open(&s, &(SpoolOptions){.directory = directory}, &err) < 0)
        check(err.code == ERR_CORRUPT && strstr(err.detail, "version")); /* the only reason not to open */
    return s;
}

/* Takes all; true when @sequence was there. A batch of the original is unchanged. */
static bool drain(Spool *s, uint64_t wanted)
{
    bool found = false;
    uint64_t last = 0;
    for (;;) {
        _cleanup_buf_ Buf payload = BUF_INIT;
        WireEncoding encoding;
        uint64_t sequence;
        const int r = spool_peek(s, &payload, &encoding, &sequence, NULL);
        check(r >= 0);
        if (r == SPOOL_EMPTY)
            return found;
        check(sequence > last);
        last = sequence;
        _cleanup_buf_ Buf text = BUF_INIT;
        if (sequence == wanted)
            buf_append_cstr(&text, "new");
        else
            batch_text(sequence, &text);
        /* A mended header may give another sequence or length its checksum, but not another payload. */
        if (sequence <= BATCHES || sequence == wanted)
            check(slice_eq(buf_slice(&text), buf_slice(&payload)));
        found = found || sequence == wanted;
        check(spool_ack(s, sequence, NULL) == 0);
    }
}

static void use_spool(const char *directory)
{
    Spool *s = open_spool(directory);
    if (!s)
        return;
    uint64_t sequence;
    check(spool_prepare(s, &sequence, NULL) == 0);
    if (sequence > SPOOL_SEQUENCE_MAX) { /* a mended checksum over the largest number; appending never gets there */
        spool_close(s);
        return;
    }
    check(spool_append(s, WIRE_IDENTITY, SLICE_LIT("new"), 2, NULL) == 0);
    check(spool_last_sequence(s) == sequence);
    spool_close(s);

    s = open_spool(directory);
    check(s && spool_last_sequence(s) == sequence);
    check(drain(s, sequence));
    spool_close(s);
}

static void scan(Slice bytes)
{
    SpoolScan scan = {.bytes = bytes, .id = id, .offset = SPOOL_SEGMENT_HEADER_SIZE};
    for (size_t steps = 0;; steps++) {
        check(steps <= bytes.len);
        SpoolRecord record;
        const SpoolFound found = spool_scan_next(&scan, &record);
        if (found == SPOOL_FOUND_END || found == SPOOL_FOUND_TORN || found == SPOOL_FOUND_LOST_TAIL)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    log_set_level(LOG_LEVEL_ERROR);
    scan(slice_from(data, size));

    Buf files[FILES] = {BUF_INIT, BUF_INIT, BUF_INIT};
    make_files(files);
    for (size_t i = 0; i + EDIT_SIZE <= size && i < EDIT_SIZE * EDITS_MAX; i += EDIT_SIZE)
        edit(files, data + i);

    static const char *const names[FILES] = {"00000000000000000001.seg", "00000000000000000004.seg", "head"};
    Scratch scratch = scratch_make_fast();
    for (size_t i = 0; i < FILES; i++) {
        Buf path = scratch_path(&scratch, names[i]);
        scratch_write(buf_cstr(&path), buf_slice(&files[i]));
        buf_done(&path);
        buf_done(&files[i]);
    }
    use_spool(scratch.path);
    scratch_remove(&scratch);
    return 0;
}
