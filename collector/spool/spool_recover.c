/* SPDX-License-Identifier: PostgreSQL */
/*
 * Opening what an earlier process left: which batches wait, what was damaged, and whether the last sequence is certain.
 * S1 ... are the invariants of docs/spool.md. Runs before the spool is shared.
 */
#include <fcntl.h>
#include <inttypes.h>

#include "collector/spool/spool_private.h"
#include "lib/io/file.h"

typedef struct Recovery {
    SpoolNumbers firsts;
    Buf bytes;         /* of one segment at a time */
    SpoolUuid last_id; /* of the segment before */
    bool last_id_known;
    bool head_known;
    bool certain; /* S7 */
} Recovery;

static void recovery_done(Recovery *r)
{
    spool_numbers_done(&r->firsts);
    buf_done(&r->bytes);
}

/* S10: whether a segment whose header is bad can be read under @id. */
static bool id_fits(Slice bytes, SpoolUuid id, uint64_t first)
{
    SpoolScan scan = {.bytes = bytes, .id = id, .offset = SPOOL_SEGMENT_HEADER_SIZE, .last_sequence = first - 1};
    SpoolRecord record;
    const SpoolFound found = spool_scan_next(&scan, &record);
    return found == SPOOL_FOUND_END || found == SPOOL_FOUND_LOST || record.sequence > 0;
}

/* S10: so that the next process can read it too, when the head names another id. */
static void mend_header(const Spool *s, SpoolUuid id, uint64_t first)
{
    Err err = ERR_INIT;
    const SpoolSegmentHeader header = {
        .id = id, .first_sequence = first, .dropped = s->head.dropped, .made = clock_wall()};
    if (spool_segment_mend(s->directory, &header, &err) < 0)
        log_warn("segment of the spool could not be mended", log_str("spool", s->directory), log_error_field(&err));
}

/* The id under which the segment is read; false: none fits, it is lost. */
static int recover_header(Spool *s, Recovery *r, uint64_t first, bool newest, SpoolUuid *ret_id, bool *ret_readable,
                          Err *reterr)
{
    const Slice bytes = buf_slice(&r->bytes);
    SpoolSegmentHeader header;
    uint32_t version;
    const SpoolDecoded decoded = spool_segment_header_decode(bytes, &header, &version);
    if (decoded == SPOOL_DECODE_VERSION)
        return err_set(reterr, ERR_CORRUPT,
                       "segment %" PRIu64 " of spool \"%s\" has version %" PRIu32 ", this program knows %d", first,
                       s->directory, version, SPOOL_VERSION);
    *ret_readable = true;
    if (decoded == SPOOL_DECODED && header.first_sequence == first) {
        *ret_id = header.id;
        if (header.dropped > s->head.dropped)
            s->head.dropped = header.dropped; /* S15: the head was lost, or is behind */
        return 0;
    }

    if (newest && (bytes.len < SPOOL_SEGMENT_HEADER_SIZE || s->head.newest_first != first))
        r->certain = false; /* S7 */
    if (r->head_known && id_fits(bytes, s->head.id, first))
        *ret_id = s->head.id;
    else if (r->last_id_known && id_fits(bytes, r->last_id, first))
        *ret_id = r->last_id;
    else
        *ret_readable = false;
    if (newest && !*ret_readable)
        r->certain = false;
    if (*ret_readable)
        mend_header(s, *ret_id, first);
    return 0;
}

/* What stands at the end of a segment and is not a record. */
static void recover_tail(Spool *s, Recovery *r, const SpoolScan *scan, SpoolFound found, uint64_t next_first)
{
    if (next_first == UINT64_MAX) { /* the newest */
        s->damaged++;
        s->newest_end = scan->offset;
        if (found == SPOOL_FOUND_LOST_TAIL)
            r->certain = false; /* S7 */
    } else if (scan->last_sequence + 1 < next_first && next_first - 1 > s->head.acknowledged) {
        s->damaged++; /* otherwise nothing is missing: it is what S3 made void */
    }
}

static void recover_records(Spool *s, Recovery *r, SpoolSegment *segment, uint64_t next_first)
{
    SpoolScan scan = {.bytes = buf_slice(&r->bytes),
                      .id = segment->id,
                      .offset = SPOOL_SEGMENT_HEADER_SIZE,
                      .last_sequence = segment->first - 1};
    s->newest_end = SPOOL_SEGMENT_HEADER_SIZE;
    s->newest_records = 0;
    for (;;) {
        SpoolRecord record;
        const SpoolFound found = spool_scan_next(&scan, &record);
        if (found == SPOOL_FOUND_END)
            return;
        if (found == SPOOL_FOUND_TORN || found == SPOOL_FOUND_LOST_TAIL) {
            recover_tail(s, r, &scan, found, next_first);
            return;
        }
        if (found == SPOOL_FOUND_LOST) {
            s->damaged++;
            continue;
        }
        if (record.sequence >= next_first)
            return; /* S3: void */
        s->last_sequence = record.sequence;
        s->newest_end = scan.offset;
        s->newest_records++;
        if (record.sequence <= s->head.acknowledged)
            continue;
        if (found == SPOOL_FOUND_RECORD)
            spool_push_entry(s, segment, &record);
        else
            s->damaged++;
    }
}

static int recover_segments(Spool *s, Recovery *r, Err *reterr)
{
    for (size_t i = 0; i < r->firsts.len; i++) {
        const uint64_t first = r->firsts.items[i];
        const bool newest = i + 1 == r->firsts.len;
        int result = spool_segment_read(s->directory, first, &r->bytes, reterr);
        if (result < 0)
            return err_trace(result);

        bool readable = false;
        SpoolSegment *segment =
            spool_segment_vec_push(&s->segments, (SpoolSegment){.first = first, .file_bytes = r->bytes.len});
        s->file_bytes += r->bytes.len;
        result = recover_header(s, r, first, newest, &segment->id, &readable, reterr);
        if (result < 0)
            return err_trace(result);
        s->last_sequence = first - 1; /* S1 */
        if (!readable) {
            s->damaged++;
            continue;
        }
        r->last_id = segment->id;
        r->last_id_known = true;
        recover_records(s, r, segment, newest ? UINT64_MAX : r->firsts.items[i + 1]);
        if (newest && s->head.newest_first == first && s->head.emptied > s->last_sequence)
            s->last_sequence = s->head.emptied; /* S17 */
    }
    return 0;
}

/* S7: a new id, and numbers beyond every one that may have been given. */
static int take_new_id(Spool *s, Err *reterr)
{
    if (s->head.acknowledged > s->last_sequence)
        s->last_sequence = s->head.acknowledged;
    if (s->head.newest_first > s->last_sequence + 1)
        s->last_sequence = s->head.newest_first - 1;
    if (s->segments.len > 0 && spool_newest(s)->first == s->last_sequence + 1)
        s->last_sequence++; /* its file may hold what nobody can read now; keep it apart */
    s->id = spool_uuid_new();
    return spool_rotate(s, reterr);
}

/* S2: the newest segment and its name may come from a process that died before its own fsync, or after one that failed,
 * which a later fsync does not tell. So it is fsynced, and not appended to: the next one begins where it ends. */
static int use_newest(Spool *s, Err *reterr)
{
    const SpoolSegment *newest = spool_newest(s);
    int r = spool_segment_open(s->directory, newest->first, O_WRONLY, &s->newest_fd, reterr);
    if (r < 0)
        return err_trace(r);
    s->id = newest->id;
    r = io_fsync(s->newest_fd);
    if (r < 0)
        return err_set_errno(reterr, ERR_IO, -r, "cannot fsync the newest segment of spool \"%s\"", s->directory);
    r = dir_fsync(s->directory, reterr);
    if (r < 0)
        return err_trace(r);
    if (newest->file_bytes > SPOOL_SEGMENT_HEADER_SIZE)
        (void)spool_rotate(s, NULL); /* disk full: spool_prepare() tries again, and what waits can be sent meanwhile */
    return 0;
}

/* The directory's own name is durable before anything in it is relied on; a killed process may have left that out. */
static int fsync_parent(const char *directory, Err *reterr)
{
    _cleanup_buf_ Buf parent = BUF_INIT;
    buf_printf(&parent, "%s/..", directory);
    return err_trace(dir_fsync(buf_cstr(&parent), reterr));
}

static int recover_with(Spool *s, Recovery *r, Err *reterr)
{
    int result = spool_segments_list(s->directory, &r->firsts, reterr);
    if (result < 0)
        return err_trace(result);
    r->certain = r->firsts.len > 0 && r->head_known; /* S7 */
    result = recover_segments(s, r, reterr);
    if (result < 0)
        return err_trace(result);
    if (r->firsts.len > 0 && (s->head.acknowledged > s->last_sequence || s->head.newest_first > spool_newest(s)->first))
        r->certain = false; /* S7 */
    if (r->firsts.len == 0) {
        result = fsync_parent(s->directory, reterr);
        if (result < 0)
            return err_trace(result);
    }

    if (!r->head_known) {
        s->head.generation++;
        result = spool_head_reset(s->head_fd, &s->head, reterr);
        if (result < 0)
            return err_trace(result);
    }
    result = r->certain ? use_newest(s, reterr) : take_new_id(s, reterr);
    if (result < 0)
        return err_trace(result);

    spool_uuid_format(s->id, s->id_text);
    if (r->firsts.len > 0 && (s->damaged > 0 || !r->certain))
        log_warn("spool was damaged", log_str("spool", s->directory), log_int("records", (int64_t)s->damaged),
                 log_bool("new_id", !r->certain));
    spool_remove_acknowledged(s);
    return 0;
}

int spool_recover(Spool *s, bool head_known, Err *reterr)
{
    _cleanup_(recovery_done) Recovery recovery = {.head_known = head_known};
    return err_trace(recover_with(s, &recovery, reterr));
}
