/* SPDX-License-Identifier: PostgreSQL */
/*
 * See agent.h. Signals are blocked in every thread and read from a descriptor here, so no code runs in a handler; the
 * same loop looks at the configuration that is being tried, answers "pganalytics status" and tells the service manager
 * how we are and that all threads come forward. That the backend has a document comes by SIGUSR1 from the sender's
 * thread.
 */
#include "collector/agent/agent.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#include "collector/agent/configuration.h"
#include "collector/agent/limits.h"
#include "collector/agent/notify.h"
#include "collector/agent/parts.h"
#include "collector/agent/status_socket.h"
#include "lib/base/log.h"
#include "lib/io/file.h"

#define TRIAL_LOOK (USEC_PER_SEC / 5) /* how often the targets are looked at while a configuration is tried */
#define LINE_LOOK  (5 * USEC_PER_SEC) /* how often it is looked whether the service manager's line is another by now */

typedef struct Agent {
    pthread_t main_thread;
    Configuration *configuration;
    Parts *parts;
    int signal_fd;
    int status_fd;
    Usec watchdog_interval; /* 0: nobody asks */
    Usec watchdog_at;       /* monotonic */
    Usec line_at;           /* monotonic */
    Buf line;               /* what the service manager shows of us */
    Complain stuck_complain;
} Agent;

/* On the sender's thread. */
static void tell_main_thread(void *arg)
{
    const Agent *a = arg;
    (void)pthread_kill(a->main_thread, SIGUSR1); /* the thread is there as long as senders are */
}

static StatusInput describe(const Agent *a)
{
    StatusInput input = parts_describe(a->parts);
    input.file_refused = configuration_file_is_refused(a->configuration);
    return input;
}

static void answer_status(const Agent *a)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    const StatusInput input = describe(a);
    (void)status_write(&input, &text); /* whether all is well stands in it */
    free((void *)(uintptr_t)input.servers);
    status_socket_answer(a->status_fd, buf_slice(&text));
}

static void feed_watchdog(Agent *a)
{
    const Usec now = clock_monotonic();
    const char *stuck = parts_find_stuck(a->parts, now);
    a->watchdog_at = now + a->watchdog_interval;
    if (stuck && complain_due(&a->stuck_complain, now))
        log_fail("a thread is stuck, the watchdog is not told that all is well", log_str("thread", stuck));
    if (stuck)
        return;
    (void)complain_recovered(&a->stuck_complain, now); /* the next one is told at once */
    notify_service_manager("WATCHDOG=1");
}

/* Told when it says something else than before. */
static void tell_line(Agent *a)
{
    _cleanup_buf_ Buf line = BUF_INIT;
    const StatusInput input = describe(a);
    status_write_line(&input, &line);
    free((void *)(uintptr_t)input.servers);
    a->line_at = clock_monotonic() + LINE_LOOK;
    if (strcmp(buf_cstr(&line), buf_cstr(&a->line)) == 0)
        return;
    notify_service_manager(buf_cstr(&line));
    buf_clear(&a->line);
    buf_append(&a->line, buf_slice(&line));
}

static int time_to_wait_ms(const Agent *a)
{
    const Usec now = clock_monotonic();
    const Usec waits[] = {configuration_is_trying(a->configuration) ? TRIAL_LOOK : USEC_NEVER,
                          a->watchdog_interval > 0 ? a->watchdog_at - now : USEC_NEVER,
                          notify_is_wanted() ? a->line_at - now : USEC_NEVER};
    Usec wait = USEC_NEVER;
    for (size_t i = 0; i < ARRAY_LENGTH(waits); i++)
        wait = waits[i] < wait ? waits[i] : wait;
    return wait == USEC_NEVER ? -1 : wait > 0 ? (int)(wait / USEC_PER_MSEC) + 1 : 0;
}

/* 0: it is time to look at the trial, or somebody asked. */
static int next_signal(Agent *a)
{
    struct pollfd ready[] = {{.fd = a->signal_fd, .events = POLLIN}, {.fd = a->status_fd, .events = POLLIN}};
    struct signalfd_siginfo info;
    (void)poll(ready, ARRAY_LENGTH(ready),
               time_to_wait_ms(a)); /* interrupted: nothing is ready, the caller comes again */
    if (a->watchdog_interval > 0 && clock_monotonic() >= a->watchdog_at)
        feed_watchdog(a);
    if (notify_is_wanted() && clock_monotonic() >= a->line_at)
        tell_line(a);
    if (ready[1].revents & POLLIN)
        answer_status(a);
    if ((ready[0].revents & POLLIN) && read(a->signal_fd, &info, sizeof(info)) == sizeof(info))
        return (int)info.ssi_signo;
    return 0;
}

static void wait_for_signals(Agent *a)
{
    for (;;) {
        int number = next_signal(a);
        configuration_judge(a->configuration, a->parts);
        switch (number) {
        case 0:
            break;
        case SIGUSR1:
            configuration_try(a->configuration, a->parts);
            break;
        case SIGHUP:
            notify_service_manager("RELOADING=1");
            configuration_reload(a->configuration, a->parts);
            notify_service_manager("READY=1");
            a->line_at = 0; /* whether the file was taken stands in it */
            break;
        default:
            log_info("stopping", log_str("signal", strsignal(number)));
            return;
        }
    }
}

/* Without it all else works. */
static void listen_for_status(Agent *a, const char *state_dir)
{
    Err err = ERR_INIT;
    if (status_socket_listen(state_dir, &a->status_fd, &err) < 0)
        log_warn("\"pganalytics status\" will not work", log_error_field(&err));
}

static int block_signals(Agent *a, Err *reterr)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGHUP);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGUSR1);
    sigaddset(&signals, SIGPIPE); /* a closed connection is an error code, not a death */
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    sigdelset(&signals, SIGPIPE);
    a->signal_fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    return a->signal_fd < 0 ? err_set_errno(reterr, ERR_IO, errno, "making a descriptor for signals") : 0;
}

/* From the first server to the signal that ends it. */
static int serve(Agent *a, Err *reterr)
{
    const char *state_dir = settings_get(configuration_initial(a->configuration))->state_dir; /* it cannot change */
    a->parts = parts_new(configuration_initial(a->configuration), configuration_remote(a->configuration));
    int r = parts_start(a->parts, reterr);
    if (r < 0)
        return err_trace(r);
    parts_log_started(a->parts);
    listen_for_status(a, state_dir);
    a->watchdog_interval = notify_watchdog_interval();
    notify_service_manager("READY=1");
    wait_for_signals(a);
    notify_service_manager("STOPPING=1");
    status_socket_remove(state_dir);
    return 0;
}

int agent_run(const char *config)
{
    Agent a = {.main_thread = pthread_self(), .signal_fd = -1, .status_fd = -1};
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    Err err = ERR_INIT;
    int r = block_signals(&a, &err);
    if (r >= 0) {
        a.configuration = configuration_open(config, tell_main_thread, &a, diags);
        if (!a.configuration) {
            conf_diags_print_file(diags, stderr);
            closep(&a.signal_fd);
            return 2;
        }
        (void)limits_apply(settings_get(configuration_initial(a.configuration))); /* without the fence all else works */
        r = serve(&a, &err);
    }
    if (r < 0)
        log_fail("cannot start", log_error_field(&err));
    a.parts = parts_free(a.parts);
    configuration_free(a.configuration);
    closep(&a.signal_fd);
    closep(&a.status_fd);
    buf_done(&a.line);
    if (r == 0)
        log_info("stopped");
    return r == 0 ? 0 : err.code == ERR_CONFIG ? 2 : 1;
}
