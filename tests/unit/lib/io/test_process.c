/* SPDX-License-Identifier: PostgreSQL */
/* Child processes, all of them real: output, exits, deadlines, what a child inherits and what it does not. */
#include "tests/support/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/io/process.h"

#define SHELL(script) ((ProcessOptions){.argv = (const char *[]){"sh", "-c", (script), NULL}})

static const Usec plenty = 60 * USEC_PER_SEC;

static void gives_back_what_the_child_wrote(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf output = BUF_INIT;
    buf_append_cstr(&output, "before:");
    assert_ok(process_run(&SHELL("echo out; echo err >&2; cat"), plenty, &output, &e), &e); /* input is empty */
    assert_slice(buf_slice(&output), "before:out\nerr\n");
    assert_ok(process_run(&SHELL("echo unheard"), plenty, NULL, &e), &e);
    assert_ok(process_run(&SHELL("exec >/dev/null 2>&1; true"), plenty, NULL, &e), &e); /* closes the pipe early */
}

static void bounds_the_output(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf output = BUF_INIT_LIMIT(1000);
    assert_ok(process_run(&SHELL("head -c 500000 /dev/zero | tr '\\0' x"), plenty, &output, &e), &e);
    assert_int_equal(output.len, 1000);
    _cleanup_buf_ Buf unlimited = BUF_INIT;
    assert_ok(process_run(&SHELL("head -c 500000 /dev/zero | tr '\\0' x"), plenty, &unlimited, &e), &e);
    assert_int_equal(unlimited.len, 64 * 1024);
}

static void tells_how_it_ended(void **state)
{
    (void)state;
    static const struct {
        const char *script;
        const char *detail;
    } cases[] = {
        {"exit 3", "sh ended with status 3"},
        {"echo first; echo; echo last >&2; exit 1", "sh ended with status 1: first; ; last"},
        {"kill -KILL $$", "sh was ended by signal 9"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        Err e = ERR_INIT;
        assert_true(process_run(&SHELL(cases[i].script), plenty, NULL, &e) < 0);
        assert_int_equal(e.code, ERR_IO);
        assert_string_equal(e.detail, cases[i].detail);
    }

    Err e = ERR_INIT; /* of much output the last whole lines */
    assert_true(process_run(&SHELL("seq 1 100000; exit 1"), plenty, NULL, &e) < 0);
    assert_true(slice_ends_with(slice_cstr(e.detail), SLICE_LIT("; 99999; 100000")));
    assert_non_null(strstr(e.detail, "status 1: 999"));
    assert_true(process_run(&SHELL("head -c 5000 /dev/zero | tr '\\0' x; exit 1"), plenty, NULL, &e) < 0);
    assert_non_null(strstr(e.detail, "status 1: xxxx")); /* one line, longer than what is kept */
}

static void kills_the_whole_group_at_the_deadline(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf output = BUF_INIT;
    Usec begin = clock_monotonic();
    int r = process_run(&SHELL("sleep 1000 & echo $!; wait"), 3 * USEC_PER_SEC, &output, &e);
    assert_true(r < 0);
    assert_true(clock_monotonic() - begin < 30 * USEC_PER_SEC);
    assert_err(&e, ERR_IO, "sh was stopped because it took longer than 3000 ms: ");
    int64_t grandchild;
    assert_true(slice_to_int64(slice_trim(buf_slice(&output)), &grandchild));
    /* It may still be a zombie, whose signal 0 succeeds, until its new parent reaps it. */
    Usec deadline = clock_monotonic() + plenty;
    char path[64], stat[200] = "";
    (void)snprintf(path, sizeof(path), "/proc/%lld/stat", (long long)grandchild);
    for (bool gone = false; !gone;) {
        assert_true(clock_monotonic() < deadline);
        FILE *f = fopen(path, "re");
        gone = !f || !fgets(stat, sizeof(stat), f) || strstr(stat, ") Z ");
        if (f)
            (void)fclose(f);
    }
}

static void a_task_keeps_output_and_messages_apart(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf output = BUF_INIT, messages = BUF_INIT;
    ProcessTask task = {.timeout = plenty, .output = &output, .messages = &messages};
    assert_ok(process_run_task(&SHELL("echo out; echo err >&2"), &task, &e), &e);
    assert_slice(buf_slice(&output), "out\n");
    assert_slice(buf_slice(&messages), "err\n");
    int r = process_run_task(&SHELL("echo password=x >&2; exit 3"), &task, &e);
    assert_fails(r, &e, ERR_IO, "sh ended with status 3");
    assert_null(strstr(e.detail, "password")); /* the child's words are the caller's to look through */
    int status = -1;
    task.ret_status = &status;
    assert_ok(process_run_task(&SHELL("exit 3"), &task, &e), &e);
    assert_int_equal(status, 3);
    assert_fails(process_run_task(&SHELL("kill -KILL $$"), &task, &e), &e, ERR_IO, "signal 9");
}

static void a_task_that_is_too_talkative_or_late_is_ended(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf output = BUF_INIT_LIMIT(1000), messages = BUF_INIT_LIMIT(100);
    ProcessTask task = {.timeout = plenty, .output = &output, .messages = &messages};
    assert_fails(process_run_task(&SHELL("yes | head -c 1001; sleep 1000"), &task, &e), &e, ERR_TOO_LARGE,
                 "sh gave more than 1000 bytes");
    buf_clear(&output);
    assert_fails(process_run_task(&SHELL("yes | head -c 1001"), &task, &e), &e, ERR_TOO_LARGE, "1000 bytes");
    buf_clear(&output);
    assert_ok(process_run_task(&SHELL("yes | head -c 1000; yes | head -c 5000 >&2"), &task, &e), &e);
    assert_int_equal(messages.len, 100); /* of these the beginning is enough */
    task.timeout = 200 * USEC_PER_MSEC;
    assert_fails(process_run_task(&SHELL("sleep 1000"), &task, &e), &e, ERR_IO, "took longer than 200 ms");
    _Atomic bool stop = true;
    task = (ProcessTask){.timeout = plenty, .output = &output, .messages = &messages, .stop = &stop};
    assert_fails(process_run_task(&SHELL("sleep 1000"), &task, &e), &e, ERR_UNAVAILABLE, "the program ends");
}

static void does_not_wait_for_a_daemon_that_holds_the_pipe(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf output = BUF_INIT;
    Usec begin = clock_monotonic();
    assert_ok(process_run(&SHELL("sleep 1000 & echo $!"), plenty, &output, &e), &e);
    assert_true(clock_monotonic() - begin < 50 * USEC_PER_SEC);
    int64_t daemon;
    assert_true(slice_to_int64(slice_trim(buf_slice(&output)), &daemon));
    assert_int_equal(kill((pid_t)daemon, SIGKILL), 0);
}

static void adds_to_the_environment(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf output = BUF_INIT;
    assert_int_equal(setenv("PGA_KEPT", "kept", 1), 0);
    assert_int_equal(setenv("PGA_CHANGED", "old", 1), 0);
    ProcessOptions o = {.argv = (const char *[]){"env", NULL}};
    o.environment = (const char *[]){"PGA_CHANGED=new", "PGA_NEW=1", NULL};
    assert_ok(process_run(&o, plenty, &output, &e), &e);
    assert_true(slice_find(buf_slice(&output), SLICE_LIT("\nPGA_KEPT=kept\n")) > 0);
    assert_true(slice_find(buf_slice(&output), SLICE_LIT("\nPGA_CHANGED=new\n")) > 0);
    assert_true(slice_find(buf_slice(&output), SLICE_LIT("\nPGA_NEW=1\n")) > 0);
    assert_int_equal(slice_find(buf_slice(&output), SLICE_LIT("PGA_CHANGED=old")), -1);
}

static void runs_in_a_directory(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf output = BUF_INIT;
    ProcessOptions o = SHELL("pwd");
    o.directory = "/usr";
    assert_ok(process_run(&o, plenty, &output, &e), &e);
    assert_slice(buf_slice(&output), "/usr\n");
    o.directory = "/nowhere";
    assert_true(process_run(&o, plenty, &output, &e) < 0);
    assert_err(&e, ERR_IO, "entering /nowhere to run sh: No such file");
}

static void says_what_cannot_be_run(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    ProcessOptions o = {.argv = (const char *[]){"no-such-program-of-ours", NULL}};
    assert_true(process_run(&o, plenty, NULL, &e) < 0);
    assert_err(&e, ERR_NOT_FOUND, "running no-such-program-of-ours: No such file");
    o.argv = (const char *[]){"/etc/passwd", NULL};
    assert_true(process_run(&o, plenty, NULL, &e) < 0);
    assert_err(&e, ERR_IO, "running /etc/passwd: Permission denied");
    /* A descriptor that cannot be its output. */
    pid_t pid;
    assert_true(process_start(&o, 9999, &pid, &e) < 0);
    assert_err(&e, ERR_IO, "running /etc/passwd: Bad file descriptor");
}

static void becomes_another_user_when_root(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf output = BUF_INIT;
    ProcessOptions o = {.user = "nobody"};
    if (geteuid() != 0) { /* stays who it is */
        assert_ok(process_run(&SHELL("id -un"), plenty, &output, &e), &e);
        _cleanup_buf_ Buf same = BUF_INIT;
        o.argv = SHELL("id -un").argv;
        assert_ok(process_run(&o, plenty, &same, &e), &e);
        assert_true(slice_eq(buf_slice(&same), buf_slice(&output)));
        return;
    }
    const struct passwd *nobody = getpwnam("nobody");
    assert_non_null(nobody);
    char expected[300];
    (void)snprintf(expected, sizeof(expected), "nobody\nnobody nobody %s\n", nobody->pw_dir);
    o.argv = SHELL("id -un; echo $USER $LOGNAME $HOME").argv;
    assert_ok(process_run(&o, plenty, &output, &e), &e);
    assert_slice(buf_slice(&output), expected);
    buf_clear(&output);
    o.argv = SHELL("id -G").argv;
    gid_t before[64];
    int before_count = getgroups(ARRAY_LENGTH(before), before);
    assert_true(before_count >= 0);
    assert_int_equal(setgroups(2, (const gid_t[]){0, 4242}), 0);
    int r = process_run(&o, plenty, &output, &e);
    assert_int_equal(setgroups((size_t)before_count, before), 0);
    assert_ok(r, &e);
    (void)snprintf(expected, sizeof(expected), "%u\n", nobody->pw_gid);
    assert_slice(buf_slice(&output), expected); /* none of root's */
    o.user = "no-such-user";
    assert_true(process_run(&o, plenty, &output, &e) < 0);
    assert_err(&e, ERR_NOT_FOUND, "there is no user \"no-such-user\"");
}

/* 32 and 33 belong to the C library: no program can set them, so they stay as whoever started the test left them. */
static const unsigned long long c_library_signals = 3ull << 31;

/* A line of /proc/self/status that is a set of signals. */
static unsigned long long signal_set(const Buf *status, const char *name)
{
    const char *line = strstr(buf_cstr(status), name);
    assert_non_null(line);
    return strtoull(line + strlen(name), NULL, 16);
}

static void inherits_no_signal_setting_and_no_descriptor(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    _cleanup_buf_ Buf output = BUF_INIT;
    int leaked = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, as careless libraries do */
    assert_true(leaked > 2);
    void (*before)(int) = signal(SIGPIPE, SIG_IGN);
    sigset_t usr1, old;
    (void)sigemptyset(&usr1);
    (void)sigaddset(&usr1, SIGUSR1);
    (void)pthread_sigmask(SIG_BLOCK, &usr1, &old);
    ProcessOptions o = {.argv = (const char *[]){"sed", "-n", "/^Sig[BIC]/p", "/proc/self/status", NULL}};
    int r = process_run(&o, plenty, &output, &e);
    sigset_t now;
    (void)pthread_sigmask(SIG_SETMASK, &old, &now);
    (void)signal(SIGPIPE, before);
    assert_ok(r, &e);
    assert_int_equal(signal_set(&output, "SigBlk:"), 0);
    assert_int_equal(signal_set(&output, "SigIgn:") & ~c_library_signals, 0);
    assert_int_equal(signal_set(&output, "SigCgt:"), 0);
    assert_true(sigismember(&now, SIGUSR1)); /* ours is as it was */

    buf_clear(&output);
    char script[64];
    (void)snprintf(script, sizeof(script), "test ! -e /proc/self/fd/%d", leaked);
    assert_ok(process_run(&SHELL(script), plenty, &output, &e), &e);
    (void)close(leaked);
}

static void starts_and_is_polled(void **state)
{
    (void)state;
    Err e = ERR_INIT;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = 0;
    assert_ok(process_start(&SHELL("echo started; exec sleep 1000"), ends[1], &pid, &e), &e);
    (void)close(ends[1]);
    char text[8];
    assert_int_equal(read(ends[0], text, sizeof(text)), 8);
    assert_memory_equal(text, "started\n", 8);
    int status = 0;
    assert_false(process_poll(pid, &status));
    assert_int_equal(getpgid(pid), pid);
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(read(ends[0], text, 1), 0); /* the end of its output is the end of the process */
    (void)close(ends[0]);
    while (!process_poll(pid, &status))
        (void)sched_yield();
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_true(process_poll(pid, &status)); /* reaped: gone for good */
    assert_int_equal(WEXITSTATUS(status), 255);
}

/* A parent that dies at once, with a grandchild that must follow: the grandchild holds the pipe until then. */
static void dies_with_its_parent(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t parent = fork();
    if (parent == 0) {
        ProcessOptions o = {.argv = (const char *[]){"sleep", "1000", NULL}, .die_with_parent = true};
        pid_t pid;
        _exit(process_start(&o, ends[1], &pid, NULL) == 0 ? 0 : 1);
    }
    (void)close(ends[1]);
    int status = -1;
    assert_int_equal(waitpid(parent, &status, 0), parent);
    assert_int_equal(status, 0);
    struct pollfd fd = {.fd = ends[0], .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 30000), 1);
    assert_true(fd.revents & POLLHUP);
    (void)close(ends[0]);
}

static void fails_without_descriptors(void **state)
{
    (void)state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    int lowest_free = dup(0);
    (void)close(lowest_free);
    struct rlimit none = {.rlim_cur = (rlim_t)lowest_free, .rlim_max = before.rlim_max};
    Err e = ERR_INIT;
    pid_t pid;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int started = process_start(&SHELL("true"), -1, &pid, &e);
    int ran = process_run(&SHELL("true"), plenty, NULL, &e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(started, -EMFILE);
    assert_int_equal(ran, -EMFILE);
    assert_err(&e, ERR_IO, "making a pipe to run sh");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_back_what_the_child_wrote),
        cmocka_unit_test(bounds_the_output),
        cmocka_unit_test(tells_how_it_ended),
        cmocka_unit_test(kills_the_whole_group_at_the_deadline),
        cmocka_unit_test(a_task_keeps_output_and_messages_apart),
        cmocka_unit_test(a_task_that_is_too_talkative_or_late_is_ended),
        cmocka_unit_test(does_not_wait_for_a_daemon_that_holds_the_pipe),
        cmocka_unit_test(adds_to_the_environment),
        cmocka_unit_test(runs_in_a_directory),
        cmocka_unit_test(says_what_cannot_be_run),
        cmocka_unit_test(becomes_another_user_when_root),
        cmocka_unit_test(inherits_no_signal_setting_and_no_descriptor),
        cmocka_unit_test(starts_and_is_polled),
        cmocka_unit_test(dies_with_its_parent),
        cmocka_unit_test(fails_without_descriptors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
