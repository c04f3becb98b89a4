/* SPDX-License-Identifier: PostgreSQL */
/*
 * Child processes. Any thread. Everything that allocates or takes a lock (users, environment) is done before fork():
 * between fork() and exec() the child of a program with threads may use only what is async-signal-safe. What fails
 * there comes back as {step, errno} through a pipe that a successful exec() closes. Each child leads a process group of
 * its own: a Ctrl-C at our terminal reaches us alone, and a kill at the deadline reaches what the child itself has
 * started. Needs Linux 5.3 (pidfd).
 */
#include "lib/io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "lib/base/vec.h"

extern char **environ;

DEFINE_VEC(StringVec, string_vec, char *)

/* All that the child needs, made before fork(). */
typedef struct Launch {
    const ProcessOptions *options;
    StringVec environment; /* NULL-terminated; strings are borrowed but for those in owned */
    StringVec owned;
    bool change_user;
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    int groups_count;
    int output_fd;
    int error_fd;
    pid_t parent;
    int report_fd; /* where the child says what failed */
} Launch;

static void launch_done(Launch *l)
{
    for (size_t i = 0; i < l->owned.len; i++)
        free(l->owned.items[i]);
    string_vec_done(&l->owned);
    string_vec_done(&l->environment);
    free(l->groups);
}

/* "K=V" replaces what has the same K. */
static void put_environment(StringVec *environment, char *pair)
{
    const char *equals = strchr(pair, '=');
    size_t key_len = equals ? (size_t)(equals - pair) + 1 : strlen(pair);
    for (size_t i = 0; i < environment->len; i++) {
        if (!slice_starts_with(slice_cstr(environment->items[i]), slice_from(pair, key_len)))
            continue;
        environment->items[i] = pair;
        return;
    }
    (void)string_vec_push(environment, pair);
}

static void put_owned(Launch *l, const char *key, const char *value)
{
    Buf pair = BUF_INIT;
    buf_printf(&pair, "%s=%s", key, value);
    put_environment(&l->environment, *string_vec_push(&l->owned, buf_take(&pair)));
}

static int load_user(Launch *l, const char *name, Err *reterr)
{
    char text[16 * 1024];
    struct passwd entry;
    struct passwd *user = NULL;
    int number = getpwnam_r(name, &entry, text, sizeof(text), &user);
    if (!user && number == 0)
        return err_set(reterr, ERR_NOT_FOUND, "there is no user \"%s\"", name);
    if (!user)
        return err_set_errno(reterr, ERR_IO, number, "looking up the user \"%s\"", name); /* GCOV_EXCL_LINE */

    l->change_user = true;
    l->uid = user->pw_uid;
    l->gid = user->pw_gid;
    l->groups_count = 0;
    (void)getgrouplist(name, user->pw_gid, NULL, &l->groups_count); /* says how many */
    l->groups = calloc((size_t)l->groups_count + 1, sizeof(*l->groups));
    if (!l->groups || getgrouplist(name, user->pw_gid, l->groups, &l->groups_count) < 0)
        return err_set(reterr, ERR_IO, "the groups of the user \"%s\" cannot be read", name); /* GCOV_EXCL_LINE */
    put_owned(l, "HOME", user->pw_dir);
    put_owned(l, "USER", name);
    put_owned(l, "LOGNAME", name);
    return 0;
}

static int launch_init(Launch *l, const ProcessOptions *options, const int fds[2], Err *reterr)
{
    *l = (Launch){.options = options, .output_fd = fds[0], .error_fd = fds[1], .parent = getpid()};
    for (char **pair = environ; *pair; pair++)
        (void)string_vec_push(&l->environment, *pair);
    if (options->user && geteuid() == 0) {
        int r = load_user(l, options->user, reterr);
        if (r < 0)
            return r;
    }
    for (const char *const *pair = options->environment; pair && *pair; pair++)
        put_environment(&l->environment, (char *)(uintptr_t)*pair); /* exec() does not write to it */
    (void)string_vec_push(&l->environment, NULL);
    return 0;
}

/* What the child was doing when it failed; the order is that of child_main(). */
typedef enum Step { STEP_STREAMS, STEP_DIRECTORY, STEP_USER, STEP_EXEC } Step;

typedef struct Report {
    Step step;
    int number;
} Report;

/* --- between fork() and exec(): async-signal-safe calls only --- */
/* GCOV_EXCL_START: run by nearly every test, but exec() takes the child's counters with it. */

static void reset_signals(void)
{
    for (int signal_number = 1; signal_number < NSIG; signal_number++)
        (void)signal(signal_number, SIG_DFL); /* some cannot be changed, and those are at their default */
    sigset_t none;
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool set_streams(int output_fd, int error_fd, bool quiet)
{
    int null_fd = open("/dev/null", O_RDWR);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0)
        return false;
    if (output_fd >= 0 && (dup2(output_fd, STDOUT_FILENO) < 0 || dup2(error_fd, STDERR_FILENO) < 0))
        return false;
    if (quiet && dup2(null_fd, STDERR_FILENO) < 0)
        return false;
    /* Descriptors of libraries that forgot O_CLOEXEC; old kernels cannot, and nothing depends on it. */
    (void)syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC);
    return true;
}

static bool set_user(const Launch *l)
{
    return setgroups((size_t)l->groups_count, l->groups) == 0 && setgid(l->gid) == 0 && setuid(l->uid) == 0;
}

/* Does what @l says up to exec(); comes back with the step that failed. Changing the user clears PDEATHSIG, so that is
 * set last; a parent that died before it is noticed by its number. */
static Step child_steps(const Launch *l)
{
    (void)setpgid(0, 0); /* fails only for a session leader, which a new child is not */
    reset_signals();
    if (!set_streams(l->output_fd, l->error_fd, l->options->quiet))
        return STEP_STREAMS;
    if (l->options->directory && chdir(l->options->directory) != 0)
        return STEP_DIRECTORY;
    if (l->change_user && !set_user(l))
        return STEP_USER;
    if (l->options->die_with_parent) {
        (void)prctl(PR_SET_PDEATHSIG, SIGINT); /* fails for invalid signals only */
        if (getppid() != l->parent)
            _exit(127);
    }
    (void)execvpe(l->options->argv[0], (char *const *)(uintptr_t)l->options->argv, l->environment.items);
    return STEP_EXEC;
}

static _Noreturn void child_main(const Launch *l)
{
    Report report = {.step = child_steps(l)};
    report.number = errno;
    ssize_t n = write(l->report_fd, &report, sizeof(report));
    (void)n; /* without it the parent sees exit status 127 */
    _exit(127);
}

/* GCOV_EXCL_STOP */
/* --- the parent again --- */

static int fail_child(const ProcessOptions *o, Report report, Err *reterr)
{
    switch (report.step) {
    case STEP_DIRECTORY:
        return err_set_errno(reterr, ERR_IO, report.number, "entering %s to run %s", o->directory, o->argv[0]);
    case STEP_USER: /* GCOV_EXCL_LINE: root that may not, as in some containers */
        return err_set_errno(reterr, ERR_IO, report.number, "becoming %s to run %s", /* GCOV_EXCL_LINE */
                             o->user, o->argv[0]);                                   /* GCOV_EXCL_LINE */
    case STEP_STREAMS:
    case STEP_EXEC:
        break;
    }
    return err_set_errno(reterr, report.number == ENOENT ? ERR_NOT_FOUND : ERR_IO, report.number, "running %s",
                         o->argv[0]);
}

/* Signals are blocked around fork(), or a handler of ours could run in the child. */
static pid_t fork_child(const Launch *l)
{
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        child_main(l); /* GCOV_EXCL_LINE: in the child */
    int saved = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = saved;
    return pid;
}

static pid_t wait_for(pid_t pid, int *ret_status, int flags)
{
    pid_t r;
    do {
        r = waitpid(pid, ret_status, flags);
    } while (r < 0 && errno == EINTR);
    return r;
}

/* @fds: for standard output and standard error; -1: ours */
static int start(const ProcessOptions *options, const int fds[2], pid_t *ret_pid, Err *reterr)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set_errno(reterr, ERR_IO, errno, "making a pipe to run %s", options->argv[0]);
    _cleanup_close_ int report_in = ends[0];
    _cleanup_close_ int report_out = ends[1];

    _cleanup_(launch_done) Launch launch;
    int r = launch_init(&launch, options, fds, reterr);
    if (r < 0)
        return r;
    launch.report_fd = report_out;
    pid_t pid = fork_child(&launch);
    if (pid < 0)
        return err_set_errno(reterr, ERR_IO, errno, "starting a process for %s", options->argv[0]); /* GCOV_EXCL_LINE */

    (void)close(TAKE_FD(report_out));
    Report report;
    ssize_t n;
    do {
        n = read(report_in, &report, sizeof(report));
    } while (n < 0 && errno == EINTR);
    if (n == sizeof(report)) {
        (void)wait_for(pid, NULL, 0); /* it is leaving */
        return fail_child(options, report, reterr);
    }
    *ret_pid = pid;
    return 0;
}

int process_start(const ProcessOptions *options, int output_fd, pid_t *ret_pid, Err *reterr)
{
    return start(options, (const int[]){output_fd, output_fd}, ret_pid, reterr);
}

bool process_poll(pid_t pid, int *ret_status)
{
    pid_t r = wait_for(pid, ret_status, WNOHANG);
    if (r < 0)
        *ret_status = W_EXITCODE(255, 0); /* not our child, or reaped already: it is gone, how is not known */
    return r != 0;
}

enum { OUTPUT_DEFAULT_LIMIT = 64 * 1024, TAIL_BYTES = 300, STREAMS_MAX = 2 };
#define STOP_LOOK_INTERVAL (200 * USEC_PER_MSEC) /* how often a task looks whether it shall end */

/* What a child wrote: the beginning for the caller, the end for the error. */
typedef struct Output {
    Buf *head;
    size_t head_limit;
    Buf tail;
    bool overflow; /* the head is not all */
} Output;

/* A child at work. Streams: standard output, then standard error where that is apart. */
typedef struct Run {
    const char *program;
    Usec timeout, deadline;
    const _Atomic bool *stop;
    Output *outputs;
    int fds[STREAMS_MAX];
    size_t stream_count;
    bool bounded; /* too much output ends it */
} Run;

static Output output_of(Buf *head)
{
    Output o = {.head = head, .tail = BUF_INIT};
    o.head_limit = head && head->limit > 0 ? head->limit : (head ? head->len : 0) + OUTPUT_DEFAULT_LIMIT;
    return o;
}

static void take_output(Output *o, Slice bytes)
{
    if (o->head) {
        size_t room = o->head_limit > o->head->len ? o->head_limit - o->head->len : 0;
        buf_append(o->head, slice_from(bytes.ptr, bytes.len < room ? bytes.len : room));
        o->overflow |= bytes.len > room;
    }
    buf_append(&o->tail, bytes);
    if (o->tail.len <= TAIL_BYTES)
        return;
    memmove(o->tail.ptr, o->tail.ptr + o->tail.len - TAIL_BYTES, TAIL_BYTES);
    o->tail.len = TAIL_BYTES;
}

/* Reads what is there now; false at the end of the stream. */
static bool drain(int fd, Output *o)
{
    char chunk[4096];
    for (;;) {
        ssize_t n = read(fd, chunk, sizeof(chunk));
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        take_output(o, slice_from(chunk, (size_t)n));
    }
}

typedef enum Ending { ENDING_SELF, ENDING_DEADLINE, ENDING_STOP, ENDING_OVERFLOW } Ending;

/* Must the child be ended now? ENDING_SELF: no. */
static Ending look(const Run *run, Usec now)
{
    if (run->bounded && run->outputs[0].overflow)
        return ENDING_OVERFLOW;
    if (run->stop && *run->stop)
        return ENDING_STOP;
    return now >= run->deadline ? ENDING_DEADLINE : ENDING_SELF;
}

static int poll_ms(const Run *run, Usec now)
{
    Usec left = run->deadline - now;
    if (run->stop && left > STOP_LOOK_INTERVAL)
        left = STOP_LOOK_INTERVAL;
    Usec left_ms = left / USEC_PER_MSEC + 1;
    return left_ms > INT32_MAX ? INT32_MAX : (int)left_ms;
}

/* Reads until the child has ended, which a daemon it leaves behind with our pipe in its hand does not delay. */
static Ending watch(const Run *run, int pid_fd)
{
    struct pollfd fds[1 + STREAMS_MAX] = {{.fd = pid_fd, .events = POLLIN}};
    for (size_t i = 0; i < run->stream_count; i++)
        fds[1 + i] = (struct pollfd){.fd = run->fds[i], .events = POLLIN};
    while (!fds[0].revents) {
        Usec now = clock_monotonic();
        Ending ending = look(run, now);
        if (ending != ENDING_SELF)
            return ending;
        (void)poll(fds, 1 + run->stream_count, poll_ms(run, now)); /* EINTR: once more */
        for (size_t i = 0; i < run->stream_count; i++) {
            if (fds[1 + i].revents && !drain(run->fds[i], &run->outputs[i]))
                fds[1 + i].fd = -1;
        }
    }
    for (size_t i = 0; i < run->stream_count; i++)
        (void)drain(run->fds[i], &run->outputs[i]);
    return run->bounded && run->outputs[0].overflow ? ENDING_OVERFLOW : ENDING_SELF;
}

/* The last lines of the output as one, for an error's detail. */
static void append_last_lines(Buf *text, Output *o)
{
    Slice s = slice_trim(buf_slice(&o->tail));
    if (o->tail.len == TAIL_BYTES) {
        Slice rest = s; /* its first line is cut */
        (void)slice_split(&rest, '\n');
        s = rest.ptr ? rest : s;
    }
    buf_append_cstr(text, s.len > 0 ? ": " : "");
    while (s.ptr) {
        buf_append(text, slice_trim(slice_split(&s, '\n')));
        buf_append_cstr(text, s.ptr ? "; " : "");
    }
}

/* Those of a task stay with the caller. */
static void append_words(Buf *text, const Run *run)
{
    if (run->stream_count == 1)
        append_last_lines(text, &run->outputs[0]);
}

static int fail_status(const Run *run, int status, Err *reterr)
{
    _cleanup_buf_ Buf lines = BUF_INIT;
    append_words(&lines, run);
    if (WIFSIGNALED(status))
        return err_set(reterr, ERR_IO, "%s was ended by signal %d%s", run->program, WTERMSIG(status), buf_cstr(&lines));
    return err_set(reterr, ERR_IO, "%s ended with status %d%s", run->program, WEXITSTATUS(status), buf_cstr(&lines));
}

/* It was ended by us. */
static int fail_ending(const Run *run, Ending ending, Err *reterr)
{
    _cleanup_buf_ Buf lines = BUF_INIT;
    append_words(&lines, run);
    if (ending == ENDING_OVERFLOW)
        return err_set(reterr, ERR_TOO_LARGE, "%s gave more than %zu bytes", run->program, run->outputs[0].head_limit);
    if (ending == ENDING_STOP)
        return err_set(reterr, ERR_UNAVAILABLE, "%s was stopped because the program ends", run->program);
    return err_set(reterr, ERR_IO, "%s was stopped because it took longer than %lld ms%s", run->program,
                   (long long)(run->timeout / USEC_PER_MSEC), buf_cstr(&lines));
}

/* @ret_status NULL: any exit but 0 is a failure. */
static int run_to_end(const ProcessOptions *options, Run *run, const int child_fds[2], int *ret_status, Err *reterr)
{
    run->program = options->argv[0];
    run->deadline = clock_monotonic() + run->timeout;
    pid_t pid;
    int r = start(options, child_fds, &pid, reterr);
    (void)close(child_fds[0]);
    if (child_fds[1] != child_fds[0])
        (void)close(child_fds[1]);
    if (r < 0)
        return r;

    _cleanup_close_ int pid_fd = pidfd_open(pid, 0);
    int number = errno;
    Ending ending = pid_fd >= 0 ? watch(run, pid_fd) : ENDING_DEADLINE;
    if (ending != ENDING_SELF)
        (void)kill(-pid, SIGKILL); /* we have not reaped it, so the number is still its own */
    int status = 0;
    (void)wait_for(pid, &status, 0);
    if (pid_fd < 0)
        return err_set_errno(reterr, ERR_IO, number, "watching %s", run->program); /* GCOV_EXCL_LINE: old kernels */
    if (ending != ENDING_SELF)
        return fail_ending(run, ending, reterr);
    if (ret_status && WIFEXITED(status)) {
        *ret_status = WEXITSTATUS(status);
        return 0;
    }
    return status == 0 ? 0 : fail_status(run, status, reterr);
}

static int make_pipe(const char *program, int ret[2], Err *reterr)
{
    if (pipe2(ret, O_CLOEXEC) != 0)
        return err_set_errno(reterr, ERR_IO, errno, "making a pipe to run %s", program);
    (void)fcntl(ret[0], F_SETFL, O_NONBLOCK); /* a valid descriptor and a plain flag */
    return 0;
}

int process_run(const ProcessOptions *options, Usec timeout, Buf *output, Err *reterr)
{
    int ends[2];
    int r = make_pipe(options->argv[0], ends, reterr);
    if (r < 0)
        return r;
    _cleanup_close_ int in = ends[0];
    Output o = output_of(output);
    Run run = {.timeout = timeout, .outputs = &o, .fds = {in}, .stream_count = 1};
    r = run_to_end(options, &run, (const int[]){ends[1], ends[1]}, NULL, reterr);
    buf_done(&o.tail);
    return r;
}

int process_run_task(const ProcessOptions *options, const ProcessTask *task, Err *reterr)
{
    int ends[2], message_ends[2];
    int r = make_pipe(options->argv[0], ends, reterr);
    if (r < 0)
        return r;
    _cleanup_close_ int in = ends[0], out = ends[1];
    r = make_pipe(options->argv[0], message_ends, reterr);
    if (r < 0)
        return r;
    _cleanup_close_ int messages_in = message_ends[0];
    Output outputs[STREAMS_MAX] = {output_of(task->output), output_of(task->messages)};
    Run run = {.timeout = task->timeout,
               .stop = task->stop,
               .outputs = outputs,
               .fds = {in, messages_in},
               .stream_count = STREAMS_MAX,
               .bounded = true};
    r = run_to_end(options, &run, (const int[]){TAKE_FD(out), message_ends[1]}, task->ret_status, reterr);
    for (size_t i = 0; i < STREAMS_MAX; i++)
        buf_done(&outputs[i].tail);
    return r;
}
