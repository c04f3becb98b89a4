/* SPDX-License-Identifier: PostgreSQL */
/* Two slots. B1 ... are the invariants of docs/spool.md, section 6. Target's thread. */
#include "collector/spool/baseline.h"

#include <inttypes.h>

#include "collector/spool/baseline_record.h"
#include "lib/io/file.h"

enum { FILE_MODE = 0600, DIRECTORY_MODE = 0700 };

static void append_path(Buf *out, const char *directory, uint64_t sequence)
{
    buf_printf(out, "%s/baseline-%d", directory, (int)(sequence % 2));
}

int baseline_write(const char *directory, const char *spool_id, uint64_t sequence, Slice content, Err *reterr)
{
    if (content.len > BASELINE_CONTENT_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "a baseline of %zu bytes is larger than %d", content.len,
                       BASELINE_CONTENT_MAX);
    int r = dir_ensure(directory, DIRECTORY_MODE, reterr);
    if (r < 0)
        return err_trace(r);

    _cleanup_buf_ Buf path = BUF_INIT, file = BUF_INIT;
    append_path(&path, directory, sequence);
    baseline_record_encode(BASELINE_WHOLE, spool_id, sequence, content, &file);
    r = file_write_atomic(buf_cstr(&path), FILE_MODE, buf_slice(&file), reterr); /* B1 */
    return err_trace(r);
}

int baseline_read(const char *directory, const char *spool_id, uint64_t sequence, Buf *ret, Err *reterr)
{
    _cleanup_buf_ Buf path = BUF_INIT, file = BUF_INIT;
    append_path(&path, directory, sequence);
    if (!file_exists(buf_cstr(&path)))
        return BASELINE_ABSENT;
    const int r =
        file_read_all(buf_cstr(&path), (size_t)BASELINE_CONTENT_MAX + BASELINE_RECORD_HEADER_SIZE, &file, reterr);
    if (r < 0)
        return err_trace(r);

    Slice rest = buf_slice(&file), content;
    uint64_t found;
    if (!baseline_record_take(&rest, BASELINE_WHOLE, spool_id, &found, &content) || found != sequence || rest.len > 0)
        return BASELINE_ABSENT;
    buf_append(ret, content);
    return BASELINE_OK;
}
