/* SPDX-License-Identifier: PostgreSQL */
/* Load averages from /proc/loadavg: "0.52 0.58 0.59 3/1234 5678". */
#include "collector/system/procfs.h"

static int read_load(SystemHost *host, Rows *rows, Err *reterr)
{
    static const char *const COLUMNS[] = {"load1", "load5", "load15"};
    _cleanup_buf_ Buf text = BUF_INIT;
    int r = procfs_read(host, "/proc/loadavg", &text, reterr);
    if (r < 0)
        return r;
    if (!rows_add(rows))
        return 0;

    Slice line = buf_slice(&text), field;
    for (size_t i = 0; i < ARRAY_LENGTH(COLUMNS); i++) {
        double value;
        if (!procfs_next_field(&line, &field) || !slice_to_double(field, &value))
            return err_set(reterr, ERR_SYNTAX, "/proc/loadavg: \"%.*s\" is not three numbers",
                           SLICE_ARG(slice_trim(buf_slice(&text))));
        rows_set_float(rows, COLUMNS[i], value);
    }
    int64_t running, tasks;
    if (!procfs_next_field(&line, &field))
        return 0;
    if (slice_to_int64(slice_split(&field, '/'), &running))
        rows_set_int(rows, "running", running);
    if (slice_to_int64(field, &tasks))
        rows_set_int(rows, "procs", tasks);
    return 0;
}

const SystemSource system_load = {.family = "system_load", .read = read_load};
