/* SPDX-License-Identifier: PostgreSQL */
/* Memory from /proc/meminfo, which counts in kB. */
#include "collector/system/procfs.h"

enum { UNIT_BYTES = 1024 };

typedef struct MemoryField {
    const char *name; /* in the file */
    const char *column;
} MemoryField;

static const MemoryField MEMINFO[] = {
    {"MemTotal:", "total_bytes"},     {"MemFree:", "free_bytes"},  {"MemAvailable:", "available_bytes"},
    {"Buffers:", "buffers_bytes"},    {"Cached:", "cached_bytes"}, {"Shmem:", "shared_bytes"},
    {"Dirty:", "dirty_bytes"},        {"Slab:", "slab_bytes"},     {"SwapTotal:", "swap_total_bytes"},
    {"SwapFree:", "swap_free_bytes"},
};

static int read_memory(SystemHost *host, Rows *rows, Err *reterr)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    int r = procfs_read(host, "/proc/meminfo", &text, reterr);
    if (r < 0)
        return r;
    if (!rows_add(rows))
        return 0;

    Slice rest = buf_slice(&text), line, name;
    while (procfs_next_line(&rest, &line)) {
        int64_t value;
        if (!procfs_next_field(&line, &name) || procfs_numbers(line, &value, 1) != 1)
            continue;
        for (size_t i = 0; i < ARRAY_LENGTH(MEMINFO); i++) {
            if (slice_eq_cstr(name, MEMINFO[i].name) && value <= INT64_MAX / UNIT_BYTES)
                rows_set_int(rows, MEMINFO[i].column, value * UNIT_BYTES);
        }
    }
    return 0;
}

const SystemSource system_memory = {.family = "system_memory", .read = read_memory};
