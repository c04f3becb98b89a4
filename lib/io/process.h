#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Child processes: run to the end with a deadline and bounded output, or start and watch. Any thread. A child leads a
 * process group of its own, has /dev/null as input, default signals and none of our other descriptors.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"

typedef struct ProcessOptions {
    const char *const *argv;        /* NULL-terminated; argv[0] is a path or is searched in PATH */
    const char *const *environment; /* NULL-terminated "K=V", added to ours; NULL: ours alone */
    const char *directory;          /* NULL: ours */
    const char *user;               /* run as this user (with its groups) when we are root; NULL: as ourselves */
    bool quiet;                     /* standard error goes nowhere */
    bool die_with_parent;           /* SIGINT to the child when the thread that started it ends, PR_SET_PDEATHSIG */
} ProcessOptions;

/* Runs to the end. Exit other than 0, a signal, or the deadline (then killed): ERR_IO with the last output lines.
 * stdout and stderr are appended to @output (bounded by its limit, or 64 kB), which may be NULL. */
int process_run(const ProcessOptions *options, Usec timeout, Buf *output, Err *reterr) MUST_CHECK;

/* For programs whose standard output is read: their messages stay apart from it. */
typedef struct ProcessTask {
    Usec timeout;
    Buf *output;              /* standard output; more than its limit (or 64 kB) ends the child: ERR_TOO_LARGE */
    Buf *messages;            /* the beginning of standard error, up to its limit (or 64 kB) */
    const _Atomic bool *stop; /* ends the child soon after it became true; NULL: nothing does */
    int *ret_status;          /* not NULL: an exit status other than 0 is put here and is no failure */
} ProcessTask;
/* As process_run(). The child's own words are in @task's buffers only, not in the error: they may hold secrets. */
int process_run_task(const ProcessOptions *options, const ProcessTask *task, Err *reterr) MUST_CHECK;

/* Starts; stdout and stderr go to @output_fd (-1: ours). The caller reaps with process_poll(). */
int process_start(const ProcessOptions *options, int output_fd, pid_t *ret_pid, Err *reterr) MUST_CHECK;
/* True when it ended (and was reaped): *ret_status as from waitpid, exit 255 when it is not our child (any more). */
bool process_poll(pid_t pid, int *ret_status);
