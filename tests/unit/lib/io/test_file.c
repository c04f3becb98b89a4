/* SPDX-License-Identifier: PostgreSQL */
/* Files: old or new and nothing between, whatever call fails; limits, directories, locks between processes. */
#include "tests/support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "lib/io/file.c" /* for its statics */
#include "tests/support/scratch.h"

static Scratch scratch;

static int begin(void **state)
{
    (void)state;
    scratch = scratch_make(NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    io_fault_set(NULL, NULL);
    scratch_remove(&scratch);
    return 0;
}

static void assert_content(const char *path, const char *expected)
{
    _cleanup_buf_ Buf content = BUF_INIT;
    Err e = ERR_INIT;
    assert_ok(file_read_all(path, 1000000, &content, &e), &e);
    assert_slice(buf_slice(&content), expected);
}

static void reads_appending_up_to_a_limit(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf path = scratch_path(&scratch, "f");
    _cleanup_buf_ Buf text = BUF_INIT;
    scratch_write(path.ptr, SLICE_LIT("12345"));
    buf_append_cstr(&text, "before ");
    assert_ok(file_read_all(path.ptr, 5, &text, &e), &e);
    assert_slice(buf_slice(&text), "before 12345");
    assert_true(file_read_all(path.ptr, 4, &text, &e) < 0);
    assert_err(&e, ERR_TOO_LARGE, "more than 4 bytes");
    assert_slice(buf_slice(&text), "before 12345");
    assert_int_equal(text.ptr[text.len], '\0');
    assert_true(file_read_all("/dev/zero", 100000, &text, &e) < 0);
    assert_int_equal(e.code, ERR_TOO_LARGE);
}

static void says_what_cannot_be_read(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf path = scratch_path(&scratch, "missing");
    _cleanup_buf_ Buf text = BUF_INIT;
    assert_int_equal(file_read_all(path.ptr, 5, &text, &e), -ENOENT);
    assert_err(&e, ERR_NOT_FOUND, "missing: No such file");
    assert_true(file_read_all(scratch.path, 5, &text, &e) < 0);
    assert_err(&e, ERR_IO, "Is a directory");
    assert_int_equal(text.len, 0);
}

static void replaces_content_and_mode(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf path = scratch_path(&scratch, "f");
    _cleanup_buf_ Buf temp = scratch_path(&scratch, "f.tmp");
    mode_t before = umask(077);
    assert_ok(file_write_atomic(path.ptr, 0644, SLICE_LIT("one"), &e), &e);
    (void)umask(before);
    assert_content(path.ptr, "one");
    struct stat st;
    assert_int_equal(stat(path.ptr, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    scratch_write(temp.ptr, SLICE_LIT("left behind by a crash, longer than the content, and for all to read"));
    assert_ok(file_write_atomic(path.ptr, 0600, SLICE_LIT(""), &e), &e);
    assert_content(path.ptr, "");
    assert_int_equal(stat(path.ptr, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(file_exists(temp.ptr));
    assert_true(file_exists(path.ptr));
}

static void does_not_follow_a_planted_link(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf path = scratch_path(&scratch, "f");
    _cleanup_buf_ Buf temp = scratch_path(&scratch, "f.tmp");
    _cleanup_buf_ Buf victim = scratch_path(&scratch, "victim");
    scratch_write(victim.ptr, SLICE_LIT("precious"));
    assert_int_equal(symlink(victim.ptr, temp.ptr), 0);
    assert_int_equal(file_write_atomic(path.ptr, 0600, SLICE_LIT("x"), &e), -ELOOP);
    assert_content(victim.ptr, "precious");
}

typedef struct Fault {
    int nth; /* the call that fails, from 0 */
    int number;
    int seen;
    IoCall failed;
} Fault;

static int fail_nth(void *arg, IoCall call)
{
    Fault *f = arg;
    if (f->seen++ != f->nth)
        return 0;
    f->failed = call;
    return f->number;
}

static void is_old_or_new_whichever_call_fails(void **state)
{
    (void)state;
    _cleanup_buf_ Buf path = scratch_path(&scratch, "f");
    _cleanup_buf_ Buf temp = scratch_path(&scratch, "f.tmp");
    scratch_write(path.ptr, SLICE_LIT("old"));
    int failures = 0;
    for (int nth = 0;; nth++) {
        Err e = ERR_INIT;
        Fault fault = {.nth = nth, .number = ENOSPC};
        io_fault_set(fail_nth, &fault);
        int r = file_write_atomic(path.ptr, 0600, SLICE_LIT("new and longer"), &e);
        io_fault_set(NULL, NULL);
        if (r == 0)
            break;
        failures++;
        assert_int_equal(r, -ENOSPC);
        assert_err(&e, ERR_DISK_FULL, "No space left on device");
        assert_content(path.ptr, nth < 4 ? "old" : "new and longer"); /* after the rename it is new */
        assert_false(file_exists(temp.ptr));
    }
    assert_int_equal(failures, 6); /* open, write, fsync, rename, open and fsync of the directory */
    assert_content(path.ptr, "new and longer");
}

static void write_fault_leaves_half(void **state)
{
    (void)state;
    _cleanup_buf_ Buf path = scratch_path(&scratch, "f");
    int fd = -1;
    assert_int_equal(io_open(path.ptr, O_RDWR | O_CREAT, 0600, &fd), 0);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    Fault fault = {.nth = 0, .number = EIO};
    io_fault_set(fail_nth, &fault);
    assert_int_equal(io_write_all(fd, SLICE_LIT("12345678")), -EIO);
    assert_int_equal(fault.failed, IO_CALL_WRITE);
    io_fault_set(NULL, NULL);
    assert_content(path.ptr, "1234");
    fault = (Fault){.nth = 0, .number = EIO};
    io_fault_set(fail_nth, &fault);
    assert_int_equal(io_ftruncate(fd, 2), -EIO);
    assert_int_equal(fault.failed, IO_CALL_TRUNCATE);
    assert_int_equal(io_ftruncate(fd, 2), 0);
    assert_content(path.ptr, "12");
    (void)close(fd);
}

static void real_failures_come_through(void **state)
{
    (void)state;
    _cleanup_buf_ Buf path = scratch_path(&scratch, "missing");
    int fd = -1;
    assert_int_equal(io_open(path.ptr, O_RDONLY, 0, &fd), -ENOENT);
    assert_int_equal(fd, -1);
    assert_int_equal(io_rename(path.ptr, "/tmp/x"), -ENOENT);
    assert_int_equal(io_fsync(-1), -EBADF);
    assert_int_equal(io_ftruncate(-1, 0), -EBADF);
    assert_int_equal(io_write_all(-1, SLICE_LIT("x")), -EBADF);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_int_equal(io_write_all(full, SLICE_LIT("x")), -ENOSPC);
    (void)close(full);
    assert_int_equal(io_err_code(ENOSPC), ERR_DISK_FULL);
    assert_int_equal(io_err_code(EDQUOT), ERR_DISK_FULL);
    assert_int_equal(io_err_code(EACCES), ERR_IO);
}

static void makes_directories_with_their_parents(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf deep = scratch_path(&scratch, "a/b//c/");
    assert_ok(dir_ensure(deep.ptr, 0750, &e), &e);
    assert_ok(dir_ensure(deep.ptr, 0750, &e), &e);
    assert_true(file_exists(deep.ptr));
    assert_ok(dir_ensure("/", 0755, &e), &e);
    assert_ok(dir_ensure(".", 0755, &e), &e);

    _cleanup_buf_ Buf file = scratch_path(&scratch, "file");
    _cleanup_buf_ Buf below = scratch_path(&scratch, "file/x");
    scratch_write(file.ptr, SLICE_LIT(""));
    assert_int_equal(dir_ensure(file.ptr, 0755, &e), -EEXIST);
    assert_int_equal(dir_ensure(below.ptr, 0755, &e), -ENOTDIR);
    assert_err(&e, ERR_IO, "creating the directory");
    assert_int_equal(dir_ensure("", 0755, &e), -ENOENT);

    int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(chdir(scratch.path), 0);
    int r = dir_ensure("relative", 0755, &e);
    bool made = file_exists("relative");
    assert_int_equal(fchdir(here), 0);
    (void)close(here);
    assert_ok(r, &e);
    assert_true(made);
}

static void knows_the_parent_of_a_path(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"a/b/c", "a/b"}, {"a/b/", "a"}, {"c", "."}, {"/c", "/"}, {"/", "/"}, {"a/b//", "a"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_buf_ Buf parent = BUF_INIT;
        append_parent(&parent, cases[i][0]);
        assert_slice(buf_slice(&parent), cases[i][1]);
    }
}

static void syncs_directories_only(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf file = scratch_path(&scratch, "file");
    scratch_write(file.ptr, SLICE_LIT(""));
    assert_ok(dir_fsync(scratch.path, &e), &e);
    assert_int_equal(dir_fsync(file.ptr, &e), -ENOTDIR);
    assert_err(&e, ERR_IO, "syncing the directory");
}

/* In a child: 0 when the lock was refused with our number in the text. */
static int try_lock_elsewhere(const char *path, const char *part)
{
    pid_t pid = fork();
    if (pid == 0) {
        Err e = ERR_INIT;
        int fd = -1;
        int r = file_lock(path, &fd, &e);
        _exit(r == 0 ? 1 : e.code == ERR_CONFLICT && strstr(e.detail, part) ? 0 : 2);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WEXITSTATUS(status);
}

static void locks_out_other_processes(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf path = scratch_path(&scratch, "lock");
    scratch_write(path.ptr, SLICE_LIT("999999999 an older and longer content\n"));
    int fd = -1;
    assert_ok(file_lock(path.ptr, &fd, &e), &e);
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
    assert_content(path.ptr, expected);
    (void)snprintf(expected, sizeof(expected), "is locked by process %ld", (long)getpid());
    assert_int_equal(try_lock_elsewhere(path.ptr, expected), 0);
    int second = -1;
    assert_int_equal(file_lock(path.ptr, &second, &e), -EEXIST);
    assert_err(&e, ERR_CONFLICT, expected);
    assert_int_equal(ftruncate(fd, 0), 0); /* the holder has not written its number yet */
    assert_int_equal(file_lock(path.ptr, &second, &e), -EEXIST);
    assert_err(&e, ERR_CONFLICT, "is locked by another process");
    (void)close(fd);
    assert_int_equal(try_lock_elsewhere(path.ptr, ""), 1); /* it was free again */

    _cleanup_buf_ Buf nowhere = scratch_path(&scratch, "no/lock");
    assert_int_equal(file_lock(nowhere.ptr, &fd, &e), -ENOENT);
    Fault fault = {.nth = 2, .number = ENOSPC}; /* open, truncate, write */
    io_fault_set(fail_nth, &fault);
    assert_int_equal(file_lock(path.ptr, &fd, &e), -ENOSPC);
    assert_err(&e, ERR_DISK_FULL, "writing the lock file");
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(reads_appending_up_to_a_limit),      TEST(says_what_cannot_be_read),
        TEST(replaces_content_and_mode),          TEST(does_not_follow_a_planted_link),
        TEST(is_old_or_new_whichever_call_fails), TEST(write_fault_leaves_half),
        TEST(real_failures_come_through),         TEST(makes_directories_with_their_parents),
        TEST(knows_the_parent_of_a_path),         TEST(syncs_directories_only),
        TEST(locks_out_other_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
