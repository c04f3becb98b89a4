/* SPDX-License-Identifier: PostgreSQL */
/*
 * See baseline_log.h. B1 ... are the invariants of docs/spool.md, section 6.
 *
 * Two files take turns. The one that is written to is .slot; the one that holds the baseline of the last batch in the
 * spool is .kept_slot, which is never replaced. A file that an earlier process wrote is read, never appended to.
 */
#include "collector/spool/baseline_log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "collector/spool/baseline_record.h"
#include "lib/base/memory.h"
#include "lib/io/file.h"

enum {
    FILE_MODE = 0600,
    DIRECTORY_MODE = 0700,
    NO_SLOT = -1,
    SLOTS = 2,
    CHANGES_PER_WHOLE = 2, /* bytes of changes for each byte of the whole: then a new one is begun */
};
#define FILE_MAX ((size_t)(CHANGES_PER_WHOLE + 2) * BASELINE_CONTENT_MAX)

struct BaselineLog {
    char *directory;
    int slot;
    int kept_slot; /* NO_SLOT: nothing there is of use */
    int fd;        /* of .slot, for appending; -1: the next write begins a file */
    uint64_t whole_bytes;
    uint64_t change_bytes;
    bool is_open; /* written, and the batch not in the spool yet */
};

BaselineLog *baseline_log_new(const char *directory)
{
    BaselineLog *l = mem_alloc(sizeof(*l));
    l->directory = mem_strdup(directory);
    l->slot = l->kept_slot = NO_SLOT;
    l->fd = -1;
    return l;
}

BaselineLog *baseline_log_free(BaselineLog *l)
{
    if (!l)
        return NULL;
    closep(&l->fd);
    free(l->directory);
    free(l);
    return NULL;
}

static void append_path(const BaselineLog *l, int slot, Buf *out)
{
    buf_printf(out, "%s/baseline-%d", l->directory, slot);
}

/* --- Reading ------------------------------------------------------------------------------------------------------ */

/* Sequence of the whole at the front of @bytes when that and the changes behind it lead up to @sequence; else 0. */
static uint64_t begin_of_way(Slice bytes, const char *spool_id, uint64_t sequence)
{
    uint64_t first, at;
    Slice content;
    if (!baseline_record_take(&bytes, BASELINE_WHOLE, spool_id, &first, &content))
        return 0;
    for (at = first; at < sequence; at++) {
        uint64_t found;
        if (!baseline_record_take(&bytes, BASELINE_CHANGE, spool_id, &found, &content) || found != at + 1)
            return 0;
    }
    return at == sequence ? first : 0;
}

static int read_slot(const BaselineLog *l, int slot, Buf *ret, Err *reterr)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    append_path(l, slot, &path);
    return file_exists(buf_cstr(&path)) ? err_trace(file_read_all(buf_cstr(&path), FILE_MAX, ret, reterr)) : 0;
}

static int give_parts(Slice bytes, const char *spool_id, uint64_t sequence, BaselineOnPart on_part, void *arg,
                      Err *reterr)
{
    for (BaselineKind kind = BASELINE_WHOLE;; kind = BASELINE_CHANGE) {
        uint64_t at;
        Slice content;
        if (!baseline_record_take(&bytes, kind, spool_id, &at, &content))
            return err_set(reterr, ERR_INTERNAL, "a baseline that was good is not"); /* GCOV_EXCL_LINE */
        int r = on_part(arg, content, kind == BASELINE_WHOLE, reterr);
        if (r < 0 || at == sequence)
            return err_trace(r);
    }
}

/* B5: of two that lead there the one that was begun later counts. */
int baseline_log_read(BaselineLog *l, const char *spool_id, uint64_t sequence, BaselineOnPart on_part, void *arg,
                      Err *reterr)
{
    _cleanup_buf_ Buf best = BUF_INIT;
    uint64_t best_first = 0;
    for (int slot = 0; slot < SLOTS; slot++) {
        _cleanup_buf_ Buf file = BUF_INIT;
        int r = read_slot(l, slot, &file, reterr);
        if (r < 0)
            return err_trace(r);
        uint64_t first = begin_of_way(buf_slice(&file), spool_id, sequence);
        if (first <= best_first)
            continue;
        best_first = first;
        l->kept_slot = slot;
        buf_done(&best);
        best = file;
        file = BUF_INIT;
    }
    if (best_first == 0)
        return BASELINE_ABSENT;
    int r = give_parts(buf_slice(&best), spool_id, sequence, on_part, arg, reterr);
    return r < 0 ? err_trace(r) : BASELINE_OK;
}

/* --- Writing ------------------------------------------------------------------------------------------------------ */

bool baseline_log_wants_whole(const BaselineLog *l)
{
    return l->fd < 0 || l->is_open || l->change_bytes > CHANGES_PER_WHOLE * l->whole_bytes;
}

/* So that no file of old can ever lead to a sequence that is to be given again. Durable with the write behind it. */
static int remove_slots(const BaselineLog *l, Err *reterr)
{
    for (int slot = 0; slot < SLOTS; slot++) {
        _cleanup_buf_ Buf path = BUF_INIT;
        append_path(l, slot, &path);
        if (unlink(buf_cstr(&path)) < 0 && errno != ENOENT)
            return err_set_errno(reterr, io_err_code(errno), errno, "removing %s", buf_cstr(&path));
    }
    return 0;
}

/* B1. The file is opened for what follows; when that fails, what follows is a whole one again. */
static int write_whole(BaselineLog *l, Slice bytes, Err *reterr)
{
    closep(&l->fd);
    l->fd = -1;
    int r = dir_ensure(l->directory, DIRECTORY_MODE, reterr);
    if (r >= 0 && l->kept_slot == NO_SLOT)
        r = remove_slots(l, reterr);
    if (r < 0)
        return err_trace(r);
    l->slot = l->kept_slot == 0 ? 1 : 0;
    _cleanup_buf_ Buf path = BUF_INIT;
    append_path(l, l->slot, &path);
    r = file_write_atomic(buf_cstr(&path), FILE_MODE, bytes, reterr);
    if (r < 0)
        return err_trace(r);
    if (io_open(buf_cstr(&path), O_WRONLY | O_APPEND, 0, &l->fd) < 0)
        l->fd = -1;
    l->whole_bytes = bytes.len;
    l->change_bytes = 0;
    return 0;
}

/* B6: after a failure nothing is appended to this file any more. */
static int append_change(BaselineLog *l, Slice bytes, Err *reterr)
{
    int r = io_write_all(l->fd, bytes);
    if (r == 0)
        r = io_fsync(l->fd);
    if (r < 0) {
        closep(&l->fd);
        l->fd = -1;
        return err_set_errno(reterr, io_err_code(-r), -r, "appending to a baseline in %s", l->directory);
    }
    l->change_bytes += bytes.len;
    return 0;
}

int baseline_log_write(BaselineLog *l, const char *spool_id, uint64_t sequence, Slice content, Err *reterr)
{
    if (content.len > BASELINE_CONTENT_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "a baseline of %zu bytes is larger than %d", content.len,
                       BASELINE_CONTENT_MAX);
    bool whole = baseline_log_wants_whole(l);
    _cleanup_buf_ Buf bytes = BUF_INIT;
    baseline_record_encode(whole ? BASELINE_WHOLE : BASELINE_CHANGE, spool_id, sequence, content, &bytes);
    l->is_open = true; /* B4: from now on it may be there */
    return err_trace(whole ? write_whole(l, buf_slice(&bytes), reterr) : append_change(l, buf_slice(&bytes), reterr));
}

void baseline_log_kept(BaselineLog *l)
{
    l->kept_slot = l->slot;
    l->is_open = false;
}
