/* SPDX-License-Identifier: PostgreSQL */
/*
 * Block devices from /proc/diskstats: whole devices (those in /sys/block), not partitions, and not the ones that are
 * only files or memory. A sector is 512 bytes there, whatever the device says.
 */
#include "collector/system/procfs.h"

#include "lib/io/file.h"

enum { DISK_ROWS_MAX = 256, SECTOR_BYTES = 512 };

/* Field numbers behind the name: Documentation/admin-guide/iostats.rst. */
enum {
    DISK_READS,
    DISK_READS_MERGED,
    DISK_SECTORS_READ,
    DISK_READ_TIME_MS,
    DISK_WRITES,
    DISK_WRITES_MERGED,
    DISK_SECTORS_WRITTEN,
    DISK_WRITE_TIME_MS,
    DISK_IN_FLIGHT,
    DISK_IO_TIME_MS,
    _DISK_MAX
};

static bool is_whole_disk(const SystemHost *host, Slice name)
{
    static const char *const VIRTUAL[] = {"loop", "ram", "zram", "fd", "sr"};
    for (size_t i = 0; i < ARRAY_LENGTH(VIRTUAL); i++) {
        if (slice_starts_with(name, slice_cstr(VIRTUAL[i])))
            return false;
    }
    _cleanup_buf_ Buf path = BUF_INIT;
    buf_printf(&path, "%s/sys/block", host->root);
    if (!file_exists(buf_cstr(&path)))
        return true; /* a container without /sys: better all than none */
    buf_append_char(&path, '/');
    for (size_t i = 0; i < name.len; i++)
        buf_append_char(&path, name.ptr[i] == '/' ? '!' : name.ptr[i]);
    return file_exists(buf_cstr(&path));
}

static void add_disk(Rows *rows, Slice name, const int64_t v[_DISK_MAX])
{
    if (!rows_add(rows))
        return;
    rows_set_text(rows, "device", name);
    rows_set_int(rows, "reads", v[DISK_READS]);
    rows_set_int(rows, "read_bytes", v[DISK_SECTORS_READ] * SECTOR_BYTES);
    rows_set_int(rows, "read_time_ms", v[DISK_READ_TIME_MS]);
    rows_set_int(rows, "writes", v[DISK_WRITES]);
    rows_set_int(rows, "write_bytes", v[DISK_SECTORS_WRITTEN] * SECTOR_BYTES);
    rows_set_int(rows, "write_time_ms", v[DISK_WRITE_TIME_MS]);
    rows_set_int(rows, "in_flight", v[DISK_IN_FLIGHT]);
    rows_set_int(rows, "io_time_ms", v[DISK_IO_TIME_MS]);
}

static bool sectors_fit(const int64_t v[_DISK_MAX])
{
    return v[DISK_SECTORS_READ] >= 0 && v[DISK_SECTORS_READ] <= INT64_MAX / SECTOR_BYTES &&
           v[DISK_SECTORS_WRITTEN] >= 0 && v[DISK_SECTORS_WRITTEN] <= INT64_MAX / SECTOR_BYTES;
}

static int read_disks(SystemHost *host, Rows *rows, Err *reterr)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    int r = procfs_read(host, "/proc/diskstats", &text, reterr);
    if (r < 0)
        return r;

    Slice rest = buf_slice(&text), line, major, minor, name;
    while (rows->row_count < DISK_ROWS_MAX && procfs_next_line(&rest, &line)) {
        int64_t values[_DISK_MAX];
        if (!procfs_next_field(&line, &major) || !procfs_next_field(&line, &minor) ||
            !procfs_next_field(&line, &name) || procfs_numbers(line, values, _DISK_MAX) != _DISK_MAX)
            continue;
        bool was_used = values[DISK_READS] || values[DISK_WRITES];
        if (was_used && sectors_fit(values) && is_whole_disk(host, name))
            add_disk(rows, name, values);
    }
    return 0;
}

const SystemSource system_disk = {.family = "system_disk", .read = read_disks};
