/* SPDX-License-Identifier: PostgreSQL */
/*
 * Space and inodes of local file systems. Network file systems are left out: statvfs() on a dead server hangs and
 * cannot be interrupted. One row a device: a device that is mounted at several places has the same space everywhere.
 */
#include <sys/statvfs.h>

#include "collector/system/procfs.h"

enum { FILESYSTEM_ROWS_MAX = 128 };

static bool is_local(Slice device, Slice type, Slice mount_point)
{
    static const char *const SKIPPED[] = {"squashfs", "iso9660", "erofs", "autofs"};
    for (size_t i = 0; i < ARRAY_LENGTH(SKIPPED); i++) {
        if (slice_eq_cstr(type, SKIPPED[i]))
            return false;
    }
    if (slice_starts_with(type, SLICE_LIT("fuse")))
        return false;
    /* Network devices are "host:/path" and "//host/share"; kernel file systems have names without a slash. */
    bool is_device = slice_starts_with(device, SLICE_LIT("/")) && !slice_starts_with(device, SLICE_LIT("//"));
    bool is_container_root = slice_eq_cstr(type, "overlay") && slice_eq_cstr(mount_point, "/");
    return is_device || is_container_root || slice_eq_cstr(type, "zfs");
}

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

/* Space, tab, newline and backslash stand as \040 and so on. */
static void unescape(Slice field, Buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < field.len; i++) {
        const char *p = field.ptr + i;
        if (*p == '\\' && field.len - i > 3 && is_octal(p[1]) && is_octal(p[2]) && is_octal(p[3])) {
            buf_append_char(out, (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0')));
            i += 3;
        } else {
            buf_append_char(out, *p);
        }
    }
}

static bool device_seen(const Rows *rows, const Slice *devices, Slice device)
{
    for (size_t i = 0; i < rows->row_count; i++) {
        if (slice_eq(devices[i], device))
            return true;
    }
    return false;
}

static bool add_filesystem(const SystemHost *host, Rows *rows, Slice device, Slice type, const char *mount_point)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    buf_printf(&path, "%s%s", host->root, mount_point);
    struct statvfs space;
    if (statvfs(buf_cstr(&path), &space) < 0 || space.f_blocks == 0 || !rows_add(rows))
        return false;

    int64_t unit = (int64_t)space.f_frsize;
    rows_set_text(rows, "mountpoint", slice_cstr(mount_point));
    rows_set_text(rows, "device", device);
    rows_set_text(rows, "fstype", type);
    rows_set_int(rows, "total_bytes", (int64_t)space.f_blocks * unit);
    rows_set_int(rows, "free_bytes", (int64_t)space.f_bfree * unit);
    rows_set_int(rows, "available_bytes", (int64_t)space.f_bavail * unit);
    rows_set_int(rows, "inodes_total", (int64_t)space.f_files);
    rows_set_int(rows, "inodes_free", (int64_t)space.f_ffree);
    return true;
}

static int read_filesystems(SystemHost *host, Rows *rows, Err *reterr)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    int r = procfs_read(host, "/proc/self/mounts", &text, reterr);
    if (r < 0)
        return r;

    Slice devices[FILESYSTEM_ROWS_MAX] = {{0}};
    _cleanup_buf_ Buf mount_point = BUF_INIT;
    Slice rest = buf_slice(&text), line, device, directory, type;
    while (rows->row_count < FILESYSTEM_ROWS_MAX && procfs_next_line(&rest, &line)) {
        if (!procfs_next_field(&line, &device) || !procfs_next_field(&line, &directory) ||
            !procfs_next_field(&line, &type))
            continue;
        unescape(directory, &mount_point);
        if (!is_local(device, type, buf_slice(&mount_point)) || device_seen(rows, devices, device))
            continue;
        if (add_filesystem(host, rows, device, type, buf_cstr(&mount_point)))
            devices[rows->row_count - 1] = device;
    }
    return 0;
}

const SystemSource system_filesystem = {.family = "system_filesystem", .read = read_filesystems};
