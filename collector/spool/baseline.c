/* SPDX-License-Identifier: PostgreSQL */
/* Two slots for the baseline of one server. B1 ... are the invariants of docs/spool.md, section 6. Target's thread. */
#include "collector/spool/baseline.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>

#include "lib/base/crc32c.h"
#include "lib/io/file.h"

enum {
    BASELINE_VERSION = 1,
    HEADER_SIZE = 64,
    SPOOL_ID_SIZE = 36,
    CONTENT_MAX = 256 << 20,
    FILE_MODE = 0600,
    DIRECTORY_MODE = 0700,
};

static void append_path(Buf *out, const char *directory, uint64_t sequence)
{
    buf_printf(out, "%s/baseline-%d", directory, (int)(sequence % 2));
}

static void append_header(Buf *out, const char *spool_id, uint64_t sequence, Slice content)
{
    assert(strlen(spool_id) == SPOOL_ID_SIZE);
    buf_append(out, SLICE_LIT("PGAb"));
    buf_append_u32le(out, BASELINE_VERSION);
    buf_append(out, slice_from(spool_id, SPOOL_ID_SIZE));
    buf_append_u64le(out, sequence);
    buf_append_u32le(out, (uint32_t)content.len);
    buf_append_u32le(out, crc32c(0, content));
    buf_append_u32le(out, crc32c(0, buf_slice(out)));
    assert(out->len == HEADER_SIZE);
}

int baseline_write(const char *directory, const char *spool_id, uint64_t sequence, Slice content, Err *reterr)
{
    if (content.len > CONTENT_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "a baseline of %zu bytes is larger than %d", content.len, CONTENT_MAX);
    int r = dir_ensure(directory, DIRECTORY_MODE, reterr);
    if (r < 0)
        return err_trace(r);

    _cleanup_buf_ Buf path = BUF_INIT;
    append_path(&path, directory, sequence);
    _cleanup_buf_ Buf file = BUF_INIT;
    append_header(&file, spool_id, sequence, content);
    buf_append(&file, content);
    r = file_write_atomic(buf_cstr(&path), FILE_MODE, buf_slice(&file), reterr); /* B1 */
    return err_trace(r);
}

int baseline_read(const char *directory, const char *spool_id, uint64_t sequence, Buf *ret, Err *reterr)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    append_path(&path, directory, sequence);
    if (!file_exists(buf_cstr(&path)))
        return BASELINE_ABSENT;
    _cleanup_buf_ Buf file = BUF_INIT;
    const int r = file_read_all(buf_cstr(&path), (size_t)CONTENT_MAX + HEADER_SIZE, &file, reterr);
    if (r < 0)
        return err_trace(r);
    if (file.len < HEADER_SIZE)
        return BASELINE_ABSENT;

    /* B3: the header that would have been written for this id, sequence and content, or nothing. */
    const Slice content = slice_skip(buf_slice(&file), HEADER_SIZE);
    _cleanup_buf_ Buf expected = BUF_INIT;
    append_header(&expected, spool_id, sequence, content);
    if (!slice_eq(buf_slice(&expected), slice_from(buf_cstr(&file), HEADER_SIZE)))
        return BASELINE_ABSENT;
    buf_append(ret, content);
    return BASELINE_OK;
}
