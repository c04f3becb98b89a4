/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whole files and directories, and the system calls below them that tests make fail. Any thread; the fault hook only
 * where nothing else runs. Invariant of file_write_atomic(): at every instant @path is missing, old or new, and after
 * success it is new on disk. Its temporary file has a fixed name, so a crash leaves at most one, which the next write
 * replaces; writers of one path are kept apart by their caller.
 */
#include "lib/io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

static IoFaultFn fault_fn;
static void *fault_arg;

void io_fault_set(IoFaultFn on_call, void *arg)
{
    fault_fn = on_call;
    fault_arg = arg;
}

/* The errno with which the test wants this call to fail; 0: do it. */
static int fault_of(IoCall call)
{
    return fault_fn ? fault_fn(fault_arg, call) : 0;
}

static int write_rest(int fd, Slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue; /* GCOV_EXCL_LINE: a signal at the right microsecond */
        if (n < 0)
            return -errno;
        bytes = slice_skip(bytes, (size_t)n);
    }
    return 0;
}

int io_write_all(int fd, Slice bytes)
{
    int number = fault_of(IO_CALL_WRITE);
    if (number == 0)
        return write_rest(fd, bytes);
    (void)write_rest(fd, slice_from(bytes.ptr, bytes.len / 2)); /* a torn write; how it ends is decided already */
    return -number;
}

int io_fsync(int fd)
{
    int number = fault_of(IO_CALL_FSYNC);
    if (number > 0)
        return -number;
    return fsync(fd) == 0 ? 0 : -errno;
}

int io_rename(const char *from, const char *to)
{
    int number = fault_of(IO_CALL_RENAME);
    if (number > 0)
        return -number;
    return rename(from, to) == 0 ? 0 : -errno;
}

int io_open(const char *path, int flags, mode_t mode, int *ret_fd)
{
    int number = fault_of(IO_CALL_OPEN);
    if (number > 0)
        return -number;
    int fd = open(path, flags | O_CLOEXEC, mode);
    if (fd < 0)
        return -errno;
    *ret_fd = fd;
    return 0;
}

int io_ftruncate(int fd, off_t length)
{
    int number = fault_of(IO_CALL_TRUNCATE);
    if (number > 0)
        return -number;
    return ftruncate(fd, length) == 0 ? 0 : -errno;
}

ErrCode io_err_code(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
        return ERR_DISK_FULL;
    case ENOENT:
        return ERR_NOT_FOUND;
    default:
        return ERR_IO;
    }
}

/* @r is what an io_ function returned. */
static int fail_path(Err *reterr, int r, const char *doing, const char *path)
{
    return err_set_errno(reterr, io_err_code(-r), -r, "%s %s", doing, path);
}

enum { READ_CHUNK = 16 * 1024 };

/* Appends what @fd holds; -E2BIG as soon as one byte more than @limit is seen. */
static int read_all(int fd, size_t limit, Buf *ret)
{
    size_t before = ret->len;
    for (;;) {
        buf_reserve(ret, READ_CHUNK);
        ssize_t n = read(fd, ret->ptr + ret->len, READ_CHUNK);
        if (n < 0 && errno == EINTR)
            continue; /* GCOV_EXCL_LINE: a signal at the right microsecond */
        if (n < 0)
            return -errno;
        if (n == 0)
            return 0;
        ret->len += (size_t)n;
        ret->ptr[ret->len] = '\0';
        if (ret->len - before > limit)
            return -E2BIG;
    }
}

int file_read_all(const char *path, size_t limit, Buf *ret, Err *reterr)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return fail_path(reterr, -errno, "reading", path);

    size_t before = ret->len;
    int r = read_all(fd, limit, ret);
    if (r == 0)
        return 0;
    ret->len = before;
    ret->ptr[before] = '\0';
    if (r == -E2BIG)
        return err_set(reterr, ERR_TOO_LARGE, "%s has more than %zu bytes", path, limit);
    return fail_path(reterr, r, "reading", path);
}

/* "a/b/c" gives "a/b", "c" gives ".", "/c" gives "/". */
static void append_parent(Buf *ret, const char *path)
{
    Slice whole = slice_cstr(path);
    while (whole.len > 1 && whole.ptr[whole.len - 1] == '/')
        whole.len--;
    const char *slash = memrchr(whole.ptr, '/', whole.len);
    if (!slash)
        buf_append_char(ret, '.');
    else if (slash == whole.ptr)
        buf_append_char(ret, '/');
    else
        buf_append(ret, slice_from(whole.ptr, (size_t)(slash - whole.ptr)));
}

static int sync_parent(const char *path, Err *reterr)
{
    _cleanup_buf_ Buf parent = BUF_INIT;
    append_parent(&parent, path);
    return dir_fsync(buf_cstr(&parent), reterr);
}

/* Content and mode are on disk when it returns 0. */
static int write_durably(const char *path, mode_t mode, Slice content, Err *reterr)
{
    _cleanup_close_ int fd = -1;
    int r = io_open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode, &fd);
    if (r < 0)
        return fail_path(reterr, r, "creating", path);
    if (fchmod(fd, mode) != 0) /* the umask, or a file that a crash left behind */
        return fail_path(reterr, -errno, "setting the mode of", path); /* GCOV_EXCL_LINE: it is ours */
    r = io_write_all(fd, content);
    if (r < 0)
        return fail_path(reterr, r, "writing", path);
    r = io_fsync(fd);
    return r < 0 ? fail_path(reterr, r, "syncing", path) : 0;
}

int file_write_atomic(const char *path, mode_t mode, Slice content, Err *reterr)
{
    _cleanup_buf_ Buf temp = BUF_INIT;
    buf_printf(&temp, "%s.tmp", path);

    int r = write_durably(buf_cstr(&temp), mode, content, reterr);
    if (r == 0) {
        r = io_rename(buf_cstr(&temp), path);
        if (r < 0)
            r = fail_path(reterr, r, "renaming to", path);
    }
    if (r < 0) {
        (void)unlink(buf_cstr(&temp)); /* the error is what counts; the next write replaces it anyway */
        return r;
    }
    return sync_parent(path, reterr);
}

bool file_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

int dir_ensure(const char *path, mode_t mode, Err *reterr)
{
    if (is_directory(path))
        return 0;
    if (mkdir(path, mode) == 0)
        return sync_parent(path, reterr);
    if (errno == EEXIST && is_directory(path))
        return 0; /* GCOV_EXCL_LINE: somebody made it between the two calls */
    if (errno != ENOENT)
        return fail_path(reterr, -errno, "creating the directory", path);

    _cleanup_buf_ Buf parent = BUF_INIT;
    append_parent(&parent, path);
    if (slice_eq_cstr(buf_slice(&parent), path) || slice_eq_cstr(buf_slice(&parent), "."))
        return fail_path(reterr, -ENOENT, "creating the directory", path); /* "", or we stand in a removed directory */
    int r = dir_ensure(buf_cstr(&parent), mode, reterr);
    return r < 0 ? r : dir_ensure(path, mode, reterr);
}

int dir_fsync(const char *path, Err *reterr)
{
    _cleanup_close_ int fd = -1;
    int r = io_open(path, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (r == 0)
        r = io_fsync(fd);
    return r < 0 ? fail_path(reterr, r, "syncing the directory", path) : 0;
}

static int refuse_held(int fd, const char *path, Err *reterr)
{
    char text[24] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    int64_t pid;
    if (n > 0 && slice_to_int64(slice_trim(slice_from(text, (size_t)n)), &pid))
        return err_set(reterr, ERR_CONFLICT, "%s is locked by process %lld", path, (long long)pid);
    return err_set(reterr, ERR_CONFLICT, "%s is locked by another process", path);
}

int file_lock(const char *path, int *ret_fd, Err *reterr)
{
    _cleanup_close_ int fd = -1;
    int r = io_open(path, O_RDWR | O_CREAT | O_NOFOLLOW, 0640, &fd);
    if (r < 0)
        return fail_path(reterr, r, "opening the lock file", path);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return refuse_held(fd, path, reterr);

    char text[24];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    r = io_ftruncate(fd, 0);
    if (r == 0)
        r = io_write_all(fd, slice_from(text, (size_t)len));
    if (r < 0)
        return fail_path(reterr, r, "writing the lock file", path);
    *ret_fd = TAKE_FD(fd);
    return 0;
}
