#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Whole files and directories, crash-safe where it matters. Every descriptor is O_CLOEXEC. Any thread.
 * Streams of records (the spool) have their own code on top of io_write_all() and io_fsync().
 */
#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/err.h"

/* Reads all of @path, appended to @ret; ERR_TOO_LARGE over @limit bytes. A failure leaves @ret as it was. */
int file_read_all(const char *path, size_t limit, Buf *ret, Err *reterr) MUST_CHECK;
/* Writes "@path.tmp", fsync, rename, fsync of the directory: the reader sees the old or the new content. One writer of
 * a path at a time. */
int file_write_atomic(const char *path, mode_t mode, Slice content, Err *reterr) MUST_CHECK;
bool file_exists(const char *path);
/* Creates @path and its parents with @mode; fine when it is there. */
int dir_ensure(const char *path, mode_t mode, Err *reterr) MUST_CHECK;
int dir_fsync(const char *path, Err *reterr) MUST_CHECK;
/* Takes an exclusive lock on @path (created, content: our pid), kept until *ret_fd is closed. Held by another process:
 * ERR_CONFLICT naming its pid. */
int file_lock(const char *path, int *ret_fd, Err *reterr) MUST_CHECK;

/* The system calls that tests make fail in turn: all writing of durable state goes through these. Return 0 / -errno. */
int io_write_all(int fd, Slice bytes) MUST_CHECK;
int io_fsync(int fd) MUST_CHECK;
int io_rename(const char *from, const char *to) MUST_CHECK;
int io_open(const char *path, int flags, mode_t mode, int *ret_fd) MUST_CHECK; /* adds O_CLOEXEC */
int io_ftruncate(int fd, off_t length) MUST_CHECK;
/* What an errno of theirs is called: ERR_DISK_FULL, ERR_NOT_FOUND, else ERR_IO. */
ErrCode io_err_code(int number);

/*
 * Fault injection for tests. When set, every io_* call above asks first; a returned errno > 0 makes the call fail with
 * it (io_write_all writes half of the bytes first). Not for threads that run beside the test.
 */
typedef enum IoCall { IO_CALL_WRITE, IO_CALL_FSYNC, IO_CALL_RENAME, IO_CALL_OPEN, IO_CALL_TRUNCATE } IoCall;
typedef int (*IoFaultFn)(void *arg, IoCall call);
void io_fault_set(IoFaultFn on_call, void *arg);
