/* SPDX-License-Identifier: PostgreSQL */
/* See procfs.h. */
#include "collector/system/procfs.h"

#include <ctype.h>

#include "lib/io/file.h"

enum { PROCFS_FILE_MAX = 1 << 20 };

int procfs_read(const SystemHost *host, const char *path, Buf *ret, Err *reterr)
{
    _cleanup_buf_ Buf full = BUF_INIT;
    buf_append_cstr(&full, host->root);
    buf_append_cstr(&full, path);
    buf_clear(ret);
    return err_trace(file_read_all(buf_cstr(&full), PROCFS_FILE_MAX, ret, reterr));
}

bool procfs_next_line(Slice *rest, Slice *ret_line)
{
    if (!rest->ptr || rest->len == 0)
        return false;
    *ret_line = slice_split(rest, '\n');
    return true;
}

bool procfs_next_field(Slice *line, Slice *ret_field)
{
    size_t start = 0;
    while (start < line->len && isspace((unsigned char)line->ptr[start]))
        start++;
    size_t end = start;
    while (end < line->len && !isspace((unsigned char)line->ptr[end]))
        end++;
    if (end == start)
        return false;
    *ret_field = slice_from(line->ptr + start, end - start);
    *line = slice_skip(*line, end);
    return true;
}

size_t procfs_numbers(Slice line, int64_t *ret, size_t max)
{
    size_t count = 0;
    Slice field;
    while (count < max && procfs_next_field(&line, &field)) {
        if (!slice_to_int64(field, &ret[count]))
            break;
        count++;
    }
    return count;
}
