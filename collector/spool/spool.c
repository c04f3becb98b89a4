/* SPDX-License-Identifier: PostgreSQL */
/*
 * Spool: the state over the files of spool_files.c. S1 ... are the invariants of docs/spool.md.
 *
 * In memory: the segments, oldest first, the newest one open for appending; and an entry for each waiting batch, in
 * order, so that the front entry belongs to the first segment in which something waits. Writer and reader meet on one
 * mutex, which is also held over fsync: both sides can wait for a disk that the other waits for anyway.
 */
#include "collector/spool/spool.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>

#include "collector/spool/spool_private.h"
#include "lib/base/memory.h"
#include "lib/io/file.h"

enum {
    DEFAULT_MAX_BATCHES = 10000,
    SEGMENTS_PER_SPOOL = 16, /* S16 */
    SEGMENT_BYTES_MIN = 4096,
    SEGMENT_BYTES_MAX = 4 << 20,
    EMPTY_AT_BYTES = 64 << 10, /* S17 */
    ENTRIES_COMPACT_AT = 1024,
};
#define DEFAULT_MAX_BYTES ((uint64_t)256 << 20)

static size_t waiting_count(const Spool *s)
{
    return s->entries.len - s->entries_front;
}

void spool_push_entry(Spool *s, SpoolSegment *segment, const SpoolRecord *record)
{
    spool_entry_vec_push(&s->entries, *record);
    segment->waiting++;
    s->waiting_bytes += spool_record_size(record);
}

static void close_reader(Spool *s)
{
    closep(&s->read_fd);
    s->read_fd = -1;
}

/* The first segment in which something waits: the front entry is in it. */
static SpoolSegment *front_segment(Spool *s)
{
    for (size_t i = 0; i < s->segments.len; i++)
        if (s->segments.items[i].waiting > 0)
            return &s->segments.items[i];
    return NULL;
}

static void pop_entry(Spool *s)
{
    SpoolSegment *segment = front_segment(s);
    assert(segment && waiting_count(s) > 0);
    segment->waiting--;
    s->waiting_bytes -= spool_record_size(&s->entries.items[s->entries_front]);
    s->entries_front++;
    if (s->entries_front == s->entries.len) {
        spool_entry_vec_clear(&s->entries);
        s->entries_front = 0;
    } else if (s->entries_front >= ENTRIES_COMPACT_AT && s->entries_front * 2 > s->entries.len) {
        s->entries.len -= s->entries_front;
        memmove(s->entries.items, s->entries.items + s->entries_front, s->entries.len * sizeof(s->entries.items[0]));
        s->entries_front = 0;
    }
}

static void pop_entries_through(Spool *s, uint64_t sequence)
{
    while (waiting_count(s) > 0 && s->entries.items[s->entries_front].sequence <= sequence)
        pop_entry(s);
}

/* Writes the head with what changed in @next. The slot of a write that failed is written again by the next one: the
 * other slot, which is good, is left alone. */
static int write_head(Spool *s, SpoolHead next, bool durable, Err *reterr)
{
    next.generation = s->head.generation + 1;
    const int r = spool_head_write(s->head_fd, &next, durable, reterr);
    if (r < 0)
        return err_trace(r);
    s->head = next;
    return 0;
}

static int remove_front_file(Spool *s, Err *reterr)
{
    SpoolSegment *front = &s->segments.items[0];
    assert(s->segments.len > 1 && front->waiting == 0);
    const int r = spool_segment_remove(s->directory, front->first, reterr);
    if (r < 0)
        return err_trace(r);

    if (s->read_fd >= 0 && s->read_first == front->first)
        close_reader(s);
    s->file_bytes -= front->file_bytes;
    s->segments.len--;
    memmove(front, front + 1, s->segments.len * sizeof(*front));
    return 0;
}

void spool_remove_acknowledged(Spool *s)
{
    while (s->segments.len > 1 && s->segments.items[0].waiting == 0)
        if (remove_front_file(s, NULL) < 0)
            return;
}

/* --- new segments ----------------------------------------------------------------------------------------------- */

static void use_segment(Spool *s, const SpoolSegmentHeader *header, int fd)
{
    const SpoolSegment segment = {
        .first = header->first_sequence, .file_bytes = SPOOL_SEGMENT_HEADER_SIZE, .id = header->id};
    if (s->segments.len > 0 && spool_newest(s)->first == segment.first) {
        s->file_bytes -= spool_newest(s)->file_bytes; /* it had no good record, and its file was replaced */
        *spool_newest(s) = segment;
    } else {
        if (s->newest_fd >= 0 && io_ftruncate(s->newest_fd, (off_t)s->newest_end) < 0)
            log_debug("tail of a segment stays", log_str("spool", s->directory)); /* it is void already (S3) */
        spool_segment_vec_push(&s->segments, segment);
    }
    s->file_bytes += segment.file_bytes;
    close_reader(s);
    closep(&s->newest_fd);
    s->newest_fd = fd;
    s->newest_end = SPOOL_SEGMENT_HEADER_SIZE;
    s->newest_records = 0;
    s->cut_needed = false;
    s->rotate_needed = false;
}

int spool_rotate(Spool *s, Err *reterr)
{
    s->rotate_needed = true; /* S5: until it succeeded */
    const SpoolSegmentHeader header = {
        .id = s->id, .first_sequence = s->last_sequence + 1, .dropped = s->head.dropped, .made = clock_wall()};
    int fd = -1;
    const int r = spool_segment_create(s->directory, &header, &fd, reterr);
    if (r < 0)
        return err_trace(r);
    use_segment(s, &header, fd);

    SpoolHead head = s->head;
    head.newest_first = header.first_sequence;
    head.id = header.id;
    (void)write_head(s, head, false, NULL); /* S13: it may be behind */
    spool_remove_acknowledged(s);
    return 0;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
    return value < low ? low : value > high ? high : value;
}

int spool_open(Spool **ret, const SpoolOptions *options, Err *reterr)
{
    int r = dir_ensure(options->directory, 0700, reterr);
    if (r < 0)
        return err_trace(r);

    _cleanup_(spool_closep) Spool *s = mem_alloc(sizeof(*s));
    s->directory = mem_strdup(options->directory);
    s->head_fd = s->newest_fd = s->read_fd = -1;
    (void)pthread_mutex_init(&s->lock, NULL); /* cannot fail for a plain mutex */
    s->max_bytes = options->max_bytes ? options->max_bytes : DEFAULT_MAX_BYTES;
    s->max_batches = options->max_batches ? options->max_batches : DEFAULT_MAX_BATCHES;
    s->segment_bytes = clamp(s->max_bytes / SEGMENTS_PER_SPOOL, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
    s->segment_batches = clamp(s->max_batches / SEGMENTS_PER_SPOOL, 1, UINT64_MAX);

    bool head_known;
    r = spool_head_open(s->directory, &s->head_fd, &s->head, &head_known, reterr);
    if (r < 0)
        return err_trace(r);
    r = spool_recover(s, head_known, reterr);
    if (r < 0)
        return err_trace(r);
    *ret = TAKE_PTR(s);
    return 0;
}

Spool *spool_close(Spool *s)
{
    if (!s)
        return NULL;
    closep(&s->read_fd);
    closep(&s->newest_fd);
    closep(&s->head_fd);
    spool_segment_vec_done(&s->segments);
    spool_entry_vec_done(&s->entries);
    (void)pthread_mutex_destroy(&s->lock); /* nobody holds it: the owner closes last */
    free(s->directory);
    free(s);
    return NULL;
}

/* --- appending -------------------------------------------------------------------------------------------------- */

const char *spool_id(const Spool *s)
{
    return s->id_text;
}

uint64_t spool_last_sequence(Spool *s)
{
    (void)pthread_mutex_lock(&s->lock);
    const uint64_t sequence = s->last_sequence;
    (void)pthread_mutex_unlock(&s->lock);
    return sequence;
}

/* S4: back to the last good record, durably. */
static int cut_newest(Spool *s)
{
    int r = io_ftruncate(s->newest_fd, (off_t)s->newest_end);
    if (r == 0)
        r = io_fsync(s->newest_fd);
    if (r < 0)
        return err_trace(r);
    s->cut_needed = false;
    s->file_bytes -= spool_newest(s)->file_bytes - s->newest_end;
    spool_newest(s)->file_bytes = s->newest_end;
    return 0;
}

static int prepare_locked(Spool *s, Err *reterr)
{
    if (s->cut_needed && !s->rotate_needed && cut_newest(s) < 0)
        s->rotate_needed = true;
    return s->rotate_needed ? err_trace(spool_rotate(s, reterr)) : 0;
}

int spool_prepare(Spool *s, uint64_t *ret_sequence, Err *reterr)
{
    (void)pthread_mutex_lock(&s->lock);
    const int r = prepare_locked(s, reterr);
    *ret_sequence = s->last_sequence + 1;
    (void)pthread_mutex_unlock(&s->lock);
    return r;
}

/* S15 */
static int drop_oldest(Spool *s, Err *reterr)
{
    assert(s->segments.len > 1);
    const uint64_t waiting = s->segments.items[0].waiting;
    if (waiting > 0) {
        const uint64_t through = s->segments.items[1].first - 1;
        SpoolHead head = s->head;
        head.dropped += waiting;
        head.acknowledged = through;
        const int r = write_head(s, head, true, reterr);
        if (r < 0)
            return err_trace(r);
        pop_entries_through(s, through);
        if (complain_due(&s->full, clock_monotonic()))
            log_warn("spool is full, oldest batches given up", log_str("spool", s->directory),
                     log_int("batches", (int64_t)waiting), log_int("given_up_in_all", (int64_t)s->head.dropped));
    }
    return err_trace(remove_front_file(s, reterr));
}

/* S16: room for one record of @size in the newest segment. */
static int make_room(Spool *s, uint64_t size, Err *reterr)
{
    /* One header's worth is kept free, for the segment that may have to be begun. */
    const uint64_t limit = s->max_bytes > SPOOL_SEGMENT_HEADER_SIZE ? s->max_bytes - SPOOL_SEGMENT_HEADER_SIZE : 0;
    if (SPOOL_SEGMENT_HEADER_SIZE + size > limit)
        return err_set(reterr, ERR_TOO_LARGE,
                       "a batch of %" PRIu64 " bytes does not fit in a spool of %" PRIu64 " bytes", size, s->max_bytes);

    if (s->newest_records > 0 && (s->newest_end + size > s->segment_bytes || s->newest_records >= s->segment_batches)) {
        const int r = spool_rotate(s, reterr);
        if (r < 0)
            return err_trace(r);
    }
    while (waiting_count(s) + 1 > s->max_batches || s->file_bytes + size > limit) {
        const int r = s->segments.len > 1 ? drop_oldest(s, reterr) : spool_rotate(s, reterr);
        if (r < 0)
            return err_trace(r);
    }
    return 0;
}

static int append_locked(Spool *s, SpoolRecord *record, Slice payload, Err *reterr)
{
    if (s->cut_needed || s->rotate_needed)
        return err_set(reterr, ERR_INTERNAL, "append to spool \"%s\" that was not prepared after a failure",
                       s->directory);
    const uint64_t size = spool_record_size(record);
    int r = make_room(s, size, reterr);
    if (r < 0)
        return err_trace(r);

    record->sequence = s->last_sequence + 1;
    record->offset = s->newest_end;
    _cleanup_buf_ Buf bytes = BUF_INIT;
    spool_record_encode(s->id, record, payload, &bytes);
    s->cut_needed = true; /* S4, until it is written */
    if (lseek(s->newest_fd, (off_t)s->newest_end, SEEK_SET) < 0)
        return err_set_errno(reterr, ERR_IO, errno, "cannot seek in spool \"%s\"", s->directory);
    r = io_write_all(s->newest_fd, buf_slice(&bytes));
    if (r < 0)
        return err_set_errno(reterr, io_err_code(-r), -r, "cannot write to spool \"%s\"", s->directory);
    r = io_fsync(s->newest_fd);
    if (r < 0) {
        s->rotate_needed = true; /* S4: this file's state is unknown from now on */
        return err_set_errno(reterr, io_err_code(-r), -r, "cannot fsync spool \"%s\"", s->directory);
    }

    s->cut_needed = false;
    s->newest_end += size;
    s->newest_records++;
    s->last_sequence = record->sequence;
    spool_newest(s)->file_bytes = s->newest_end;
    s->file_bytes += size;
    spool_push_entry(s, spool_newest(s), record); /* S2: visible only now */
    return 0;
}

int spool_append(Spool *s, WireEncoding encoding, Slice payload, Usec now, Err *reterr)
{
    if (payload.len == 0 || payload.len > SPOOL_PAYLOAD_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "a batch of %zu bytes is not between 1 and %d bytes", payload.len,
                       SPOOL_PAYLOAD_MAX);
    SpoolRecord record = {.time = now, .length = (uint32_t)payload.len, .encoding = encoding};
    (void)pthread_mutex_lock(&s->lock);
    const int r = append_locked(s, &record, payload, reterr);
    (void)pthread_mutex_unlock(&s->lock);
    return err_trace(r);
}

/* --- reading ---------------------------------------------------------------------------------------------------- */

static int open_reader(Spool *s, const SpoolSegment *segment, Err *reterr)
{
    if (s->read_fd >= 0 && s->read_first == segment->first)
        return 0;
    close_reader(s);
    const int r = spool_segment_open(s->directory, segment->first, O_RDONLY, &s->read_fd, reterr);
    if (r < 0)
        return err_trace(r);
    s->read_first = segment->first;
    return 0;
}

/* Whether all of @size bytes at @offset could be read. */
static bool read_exactly(int fd, char *to, size_t size, uint64_t offset)
{
    for (size_t done = 0; done < size;) {
        const ssize_t n = pread(fd, to + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* S11: 0 and the record's payload; SPOOL_EMPTY when it went bad. */
static int read_entry(Spool *s, const SpoolRecord *entry, Buf *ret_payload, Err *reterr)
{
    const SpoolSegment *segment = front_segment(s);
    int r = open_reader(s, segment, reterr);
    if (r == -ENOENT)
        return SPOOL_EMPTY; /* somebody removed it */
    if (r < 0)
        return err_trace(r);

    const size_t size = (size_t)spool_record_size(entry);
    buf_clear(ret_payload);
    if (buf_try_reserve(ret_payload, size) < 0)
        return err_set(reterr, ERR_OUT_OF_MEMORY, "no memory for a batch of %zu bytes", size);
    SpoolRecord record;
    Slice payload;
    if (!read_exactly(s->read_fd, ret_payload->ptr, size, entry->offset) ||
        !spool_record_decode(segment->id, slice_from(ret_payload->ptr, size), &record, &payload) ||
        record.sequence != entry->sequence)
        return SPOOL_EMPTY;
    memmove(ret_payload->ptr, payload.ptr, payload.len);
    ret_payload->len = payload.len;
    ret_payload->ptr[payload.len] = '\0';
    return 0;
}

static int peek_locked(Spool *s, Buf *ret_payload, WireEncoding *ret_encoding, uint64_t *ret_sequence, Err *reterr)
{
    while (waiting_count(s) > 0) {
        const SpoolRecord entry = s->entries.items[s->entries_front];
        const int r = read_entry(s, &entry, ret_payload, reterr);
        if (r < 0)
            return err_trace(r);
        if (r == SPOOL_OK) {
            *ret_encoding = entry.encoding;
            *ret_sequence = entry.sequence;
            return SPOOL_OK;
        }
        s->damaged++;
        pop_entry(s);
        log_warn("batch in the spool went bad and is skipped", log_str("spool", s->directory),
                 log_int("sequence", (int64_t)entry.sequence));
        spool_remove_acknowledged(s);
    }
    buf_clear(ret_payload);
    return SPOOL_EMPTY;
}

int spool_peek(Spool *s, Buf *ret_payload, WireEncoding *ret_encoding, uint64_t *ret_sequence, Err *reterr)
{
    (void)pthread_mutex_lock(&s->lock);
    const int r = peek_locked(s, ret_payload, ret_encoding, ret_sequence, reterr);
    (void)pthread_mutex_unlock(&s->lock);
    return r;
}

/* S17: frees the newest segment's space once nothing in it waits. Worth two system calls, not an error when it fails.
 */
static void empty_newest(Spool *s)
{
    if (waiting_count(s) > 0 || s->newest_end < EMPTY_AT_BYTES || s->cut_needed || s->rotate_needed ||
        s->head.acknowledged != s->last_sequence)
        return;
    SpoolHead head = s->head;
    head.emptied = s->last_sequence;
    if (write_head(s, head, true, NULL) < 0 || io_ftruncate(s->newest_fd, SPOOL_SEGMENT_HEADER_SIZE) < 0)
        return;
    s->file_bytes -= s->newest_end - SPOOL_SEGMENT_HEADER_SIZE;
    s->newest_end = SPOOL_SEGMENT_HEADER_SIZE;
    s->newest_records = 0;
    spool_newest(s)->file_bytes = SPOOL_SEGMENT_HEADER_SIZE;
}

int spool_ack(Spool *s, uint64_t sequence, Err *reterr)
{
    int r = 0;
    (void)pthread_mutex_lock(&s->lock);
    if (sequence > s->last_sequence)
        sequence = s->last_sequence;
    if (sequence > s->head.acknowledged) {
        pop_entries_through(s, sequence);
        SpoolHead head = s->head;
        head.acknowledged = sequence;
        r = write_head(s, head, false, reterr); /* S13: not fsynced */
        if (complain_recovered(&s->full, clock_monotonic()))
            log_info("spool drains again", log_str("spool", s->directory),
                     log_int("given_up_in_all", (int64_t)s->head.dropped));
        spool_remove_acknowledged(s);
        empty_newest(s);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return err_trace(r);
}

void spool_stats(Spool *s, SpoolStats *ret)
{
    (void)pthread_mutex_lock(&s->lock);
    *ret = (SpoolStats){
        .batches = waiting_count(s),
        .bytes = s->waiting_bytes,
        .dropped_batches = s->head.dropped,
        .damaged_records = s->damaged,
        .oldest = waiting_count(s) > 0 ? s->entries.items[s->entries_front].time : 0,
    };
    (void)pthread_mutex_unlock(&s->lock);
}
