/* SPDX-License-Identifier: PostgreSQL */
/* The spool's files. Everything durable goes through io_*, so that tests can make each step fail. */
#include "collector/spool/spool_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/io/file.h"

enum {
    SEGMENT_DIGITS = 20,
    FILE_MODE = 0600,
    READ_CHUNK = 256 << 10,
    READ_SECTOR = 4096, /* what is given up when a chunk cannot be read */
};

static const char segment_suffix[] = ".seg";
static const char temporary_suffix[] = ".tmp";

static void append_path(Buf *out, const char *directory, const char *name)
{
    buf_clear(out);
    buf_printf(out, "%s/%s", directory, name);
}

static void append_segment_path(Buf *out, const char *directory, uint64_t first)
{
    buf_clear(out);
    buf_printf(out, "%s/%0*" PRIu64 "%s", directory, SEGMENT_DIGITS, first, segment_suffix);
}

static int fail_file(Err *reterr, int r, const char *action, const char *path)
{
    return err_set_errno(reterr, io_err_code(-r), -r, "%s \"%s\"", action, path);
}

/* pread of everything, short reads continued: the number of bytes, fewer at the end of the file, or -errno. */
static ssize_t read_full_at(int fd, void *to, size_t len, off_t offset)
{
    size_t done = 0;
    while (done < len) {
        const ssize_t n = pread(fd, (char *)to + done, len - done, offset + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static int decode_head(Slice file, SpoolHead *ret, bool *ret_known, Err *reterr)
{
    *ret = (SpoolHead){0};
    *ret_known = false;
    for (size_t slot = 0; slot < 2; slot++) {
        SpoolHead head;
        uint32_t version;
        const Slice bytes = slice_skip(file, slot * SPOOL_HEAD_SLOT_STRIDE);
        switch (spool_head_decode(bytes, &head, &version)) {
        case SPOOL_DECODED:
            if (!*ret_known || head.generation > ret->generation)
                *ret = head;
            *ret_known = true;
            break;
        case SPOOL_DECODE_VERSION:
            return err_set(reterr, ERR_CORRUPT, "the spool has version %" PRIu32 ", this program knows %d", version,
                           SPOOL_VERSION);
        case SPOOL_DECODE_DAMAGED:
            break;
        }
    }
    return 0;
}

int spool_head_open(const char *directory, int *ret_fd, SpoolHead *ret, bool *ret_known, Err *reterr)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    append_path(&path, directory, "head");

    _cleanup_close_ int fd = -1;
    int r = io_open(buf_cstr(&path), O_RDWR | O_CREAT, FILE_MODE, &fd);
    if (r < 0)
        return fail_file(reterr, r, "cannot open", buf_cstr(&path));
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno == EWOULDBLOCK)
            return err_set(reterr, ERR_CONFLICT, "spool \"%s\" is in use by another process", directory);
        return fail_file(reterr, -errno, "cannot lock", buf_cstr(&path));
    }

    char bytes[SPOOL_HEAD_SIZE] = {0};
    const ssize_t size = read_full_at(fd, bytes, sizeof(bytes), 0);
    if (size < 0)
        return fail_file(reterr, (int)size, "cannot read", buf_cstr(&path));
    r = decode_head(slice_from(bytes, (size_t)size), ret, ret_known, reterr);
    if (r < 0)
        return err_trace(r);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int spool_head_reset(int fd, const SpoolHead *head, Err *reterr)
{
    _cleanup_buf_ Buf bytes = BUF_INIT;
    const bool second = head->generation % 2 == 1;
    char zeros[SPOOL_HEAD_SLOT_STRIDE] = {0};
    if (second)
        buf_append(&bytes, slice_from(zeros, sizeof(zeros)));
    spool_head_encode(head, &bytes);
    buf_append(&bytes, slice_from(zeros, sizeof(zeros) - SPOOL_HEAD_SLOT_SIZE));
    if (!second)
        buf_append(&bytes, slice_from(zeros, sizeof(zeros)));

    if (lseek(fd, 0, SEEK_SET) < 0)
        return fail_file(reterr, -errno, "cannot seek in", "head");
    int r = io_write_all(fd, buf_slice(&bytes));
    if (r < 0)
        return fail_file(reterr, r, "cannot write", "head");
    r = io_fsync(fd);
    return r < 0 ? fail_file(reterr, r, "cannot fsync", "head") : 0;
}

int spool_head_write(int fd, const SpoolHead *head, bool durable, Err *reterr)
{
    _cleanup_buf_ Buf bytes = BUF_INIT;
    spool_head_encode(head, &bytes);
    if (lseek(fd, (off_t)(head->generation % 2) * SPOOL_HEAD_SLOT_STRIDE, SEEK_SET) < 0)
        return fail_file(reterr, -errno, "cannot seek in", "head");
    int r = io_write_all(fd, buf_slice(&bytes));
    if (r < 0)
        return fail_file(reterr, r, "cannot write", "head");
    r = durable ? io_fsync(fd) : 0;
    return r < 0 ? fail_file(reterr, r, "cannot fsync", "head") : 0;
}

static int compare_numbers(const void *a, const void *b)
{
    const uint64_t left = *(const uint64_t *)a;
    const uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

/* True for "DIGITS.seg" with a number that a sequence can have. */
static bool parse_segment_name(Slice name, uint64_t *ret)
{
    if (name.len != SEGMENT_DIGITS + sizeof(segment_suffix) - 1 || !slice_ends_with(name, SLICE_LIT(".seg")))
        return false;
    for (size_t i = 0; i < SEGMENT_DIGITS; i++)
        if (name.ptr[i] < '0' || name.ptr[i] > '9')
            return false;
    return slice_to_uint64(slice_from(name.ptr, SEGMENT_DIGITS), ret) && *ret > 0 && *ret <= SPOOL_SEQUENCE_MAX;
}

static void closedirp(DIR **d)
{
    if (*d)
        (void)closedir(*d); /* only read from */
}

int spool_segments_list(const char *directory, SpoolNumbers *ret, Err *reterr)
{
    _cleanup_(closedirp) DIR *dir = opendir(directory);
    if (!dir)
        return fail_file(reterr, -errno, "cannot open", directory);

    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno != 0)
                return fail_file(reterr, -errno, "cannot read", directory);
            break;
        }
        const Slice name = slice_cstr(entry->d_name);
        uint64_t first;
        if (slice_ends_with(name, slice_cstr(temporary_suffix)))
            (void)unlinkat(dirfd(dir), entry->d_name, 0); /* harmless when it stays: the next open tries again */
        else if (parse_segment_name(name, &first))
            spool_numbers_push(ret, first);
    }
    if (ret->len > 0)
        qsort(ret->items, ret->len, sizeof(ret->items[0]), compare_numbers);
    return 0;
}

int spool_segment_create(const char *directory, const SpoolSegmentHeader *header, int *ret_fd, Err *reterr)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    append_segment_path(&path, directory, header->first_sequence);
    _cleanup_buf_ Buf temporary = BUF_INIT;
    buf_printf(&temporary, "%s%s", buf_cstr(&path), temporary_suffix);

    _cleanup_close_ int fd = -1;
    int r = io_open(buf_cstr(&temporary), O_WRONLY | O_CREAT | O_TRUNC, FILE_MODE, &fd);
    if (r < 0)
        return fail_file(reterr, r, "cannot create", buf_cstr(&temporary));

    _cleanup_buf_ Buf bytes = BUF_INIT;
    spool_segment_header_encode(header, &bytes);
    r = io_write_all(fd, buf_slice(&bytes));
    if (r == 0)
        r = io_fsync(fd);
    if (r == 0)
        r = io_rename(buf_cstr(&temporary), buf_cstr(&path));
    if (r < 0) {
        (void)unlink(buf_cstr(&temporary)); /* or the next open does */
        return fail_file(reterr, r, "cannot make", buf_cstr(&path));
    }
    r = dir_fsync(directory, reterr);
    if (r < 0)
        return err_trace(r);
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int spool_segment_mend(const char *directory, const SpoolSegmentHeader *header, Err *reterr)
{
    _cleanup_close_ int fd = -1;
    int r = spool_segment_open(directory, header->first_sequence, O_WRONLY, &fd, reterr);
    if (r < 0)
        return err_trace(r);
    _cleanup_buf_ Buf bytes = BUF_INIT;
    spool_segment_header_encode(header, &bytes);
    r = io_write_all(fd, buf_slice(&bytes));
    if (r == 0)
        r = io_fsync(fd);
    return r < 0 ? fail_file(reterr, r, "cannot mend a segment of", directory) : 0;
}

/* One chunk; where the disk cannot read, sector by sector, with 0xff for what is lost. Sets *ret_size to 0 at the end.
 */
static int read_chunk(int fd, char *to, off_t offset, size_t *ret_size)
{
    ssize_t n = read_full_at(fd, to, READ_CHUNK, offset);
    if (n < 0 && n != -EIO)
        return (int)n;
    if (n >= 0) {
        *ret_size = (size_t)n;
        return 0;
    }

    size_t done = 0;
    for (; done < READ_CHUNK; done += READ_SECTOR) {
        n = read_full_at(fd, to + done, READ_SECTOR, offset + (off_t)done);
        if (n < 0)
            memset(to + done, 0xff, READ_SECTOR); /* not zero, which would look torn (S9) */
        else if (n < READ_SECTOR) {
            done += (size_t)n;
            break;
        }
    }
    *ret_size = done;
    return 0;
}

int spool_segment_read(const char *directory, uint64_t first, Buf *ret, Err *reterr)
{
    _cleanup_close_ int fd = -1;
    int r = spool_segment_open(directory, first, O_RDONLY, &fd, reterr);
    if (r < 0)
        return err_trace(r);
    struct stat status;
    if (fstat(fd, &status) < 0)
        return fail_file(reterr, -errno, "cannot read a segment of", directory);

    buf_clear(ret);
    for (size_t left = (size_t)status.st_size; left > 0;) {
        r = buf_try_reserve(ret, READ_CHUNK);
        if (r < 0)
            return err_set(reterr, ERR_OUT_OF_MEMORY, "no memory to read a segment of \"%s\"", directory);
        size_t size;
        r = read_chunk(fd, ret->ptr + ret->len, (off_t)ret->len, &size);
        if (r < 0)
            return fail_file(reterr, r, "cannot read a segment of", directory);
        if (size == 0)
            break;
        if (size > left) /* unreadable sectors end where the file ends */
            size = left;
        ret->len += size;
        left -= size;
    }
    return 0;
}

int spool_segment_open(const char *directory, uint64_t first, int flags, int *ret_fd, Err *reterr)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    append_segment_path(&path, directory, first);
    const int r = io_open(buf_cstr(&path), flags, 0, ret_fd);
    return r < 0 ? fail_file(reterr, r, "cannot open", buf_cstr(&path)) : 0;
}

int spool_segment_remove(const char *directory, uint64_t first, Err *reterr)
{
    _cleanup_buf_ Buf path = BUF_INIT;
    append_segment_path(&path, directory, first);
    if (unlink(buf_cstr(&path)) < 0 && errno != ENOENT)
        return fail_file(reterr, -errno, "cannot remove", buf_cstr(&path));
    return 0;
}
