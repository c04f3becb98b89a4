/* SPDX-License-Identifier: PostgreSQL */
/*
 * Hours of a target's life in minutes: the real thread of a monitored server, with everything it starts, on a clock
 * that jumps to what is due next whenever all of its threads sleep. While one of them works, time runs as it does. What
 * it puts into the spool is taken out at once, as a backend would. For tests.
 *
 *   tick_driver CONFIG STATE_DIR TICKS
 *
 * Prints a line "tick RESIDENT_KB HEAP_BYTES DESCRIPTORS" every tenth tick. The clock is put in place by the linker
 * (--wrap): the program under test has no hook for it.
 */
#include <dirent.h>
#include <errno.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "collector/agent/target.h"
#include "lib/base/clock.h"

enum { SLEEPERS_MAX = 16, REPORT_EVERY = 10 };

/* --- the clock ---------------------------------------------------------------------------------------------------- */

int __real_clock_gettime(clockid_t id, struct timespec *ret);
int __wrap_clock_gettime(clockid_t id, struct timespec *ret);
int __real_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until);

int __real_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *arg), void *arg);
int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *arg), void *arg);

/* A thread; it counts from the moment it is made, so that its first steps are not jumped over. */
typedef struct Sleeper {
    void *(*run)(void *arg);
    void *arg;
    bool lives;
    bool asleep;
    Usec until;
} Sleeper;

static pthread_mutex_t clock_mutex = PTHREAD_MUTEX_INITIALIZER;
static Sleeper sleepers[SLEEPERS_MAX];
static _Atomic int64_t skipped; /* microseconds that nobody had to wait for */
static _Atomic bool jumping = true;
static _Thread_local Sleeper *own;

int __wrap_clock_gettime(clockid_t id, struct timespec *ret)
{
    int r = __real_clock_gettime(id, ret);
    int64_t ns = ret->tv_nsec + skipped % USEC_PER_SEC * 1000;
    ret->tv_sec += skipped / USEC_PER_SEC + ns / 1000000000;
    ret->tv_nsec = ns % 1000000000;
    return r;
}

/* All sleep, and this one is to wake first. */
static bool is_next(const Sleeper *s)
{
    for (size_t i = 0; i < SLEEPERS_MAX; i++) {
        if (sleepers[i].lives && (!sleepers[i].asleep || sleepers[i].until < s->until))
            return false;
    }
    return true;
}

/* True when the sleeper's time has come, by itself or by a jump. */
static bool wake(Sleeper *s)
{
    pthread_mutex_lock(&clock_mutex);
    Usec left = s->until - clock_monotonic();
    if (left > 0 && jumping && is_next(s)) {
        skipped += left;
        left = 0;
    }
    if (left <= 0)
        s->asleep = false;
    pthread_mutex_unlock(&clock_mutex);
    return left <= 0;
}

static void lie_down(Usec until)
{
    pthread_mutex_lock(&clock_mutex);
    own->asleep = true;
    own->until = until;
    pthread_mutex_unlock(&clock_mutex);
}

static void *run_thread(void *arg)
{
    own = arg;
    void *result = own->run(own->arg);
    pthread_mutex_lock(&clock_mutex);
    own->lives = false;
    pthread_mutex_unlock(&clock_mutex);
    return result;
}

int __wrap_pthread_create(pthread_t *ret, const pthread_attr_t *attributes, void *(*run)(void *arg), void *arg)
{
    Sleeper *made = NULL;
    pthread_mutex_lock(&clock_mutex);
    for (size_t i = 0; i < SLEEPERS_MAX && !made; i++)
        made = sleepers[i].lives ? NULL : &sleepers[i];
    if (!made)
        abort();
    *made = (Sleeper){.run = run, .arg = arg, .lives = true};
    pthread_mutex_unlock(&clock_mutex);
    return __real_pthread_create(ret, attributes, run_thread, made);
}

int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until)
{
    lie_down((Usec)until->tv_sec * USEC_PER_SEC + until->tv_nsec / 1000);
    for (;;) {
        struct timespec soon;
        (void)__real_clock_gettime(CLOCK_MONOTONIC, &soon);
        soon.tv_nsec += 200000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        int r = __real_pthread_cond_timedwait(cond, mutex, &soon);
        if (wake(own))
            return ETIMEDOUT;
        if (r != ETIMEDOUT) {
            pthread_mutex_lock(&clock_mutex);
            own->asleep = false;
            pthread_mutex_unlock(&clock_mutex);
            return r;
        }
    }
}

/* --- measures ----------------------------------------------------------------------------------------------------- */

size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t heap_bytes(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    return mallinfo2().uordblks;
}

static long resident_kb(void)
{
    long size = 0, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f || fscanf(f, "%ld %ld", &size, &pages) != 2)
        abort();
    (void)fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

static unsigned descriptors(void)
{
    unsigned count = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        count++;
    (void)closedir(d);
    return count;
}

/* --- the target --------------------------------------------------------------------------------------------------- */

static _Atomic unsigned ticks;

static void count_tick(void *arg)
{
    (void)arg;
    ticks++;
}

/* What the sender does when the backend takes everything. */
static int deliver(Spool *spool, Err *err)
{
    for (;;) {
        _cleanup_buf_ Buf payload = BUF_INIT;
        WireEncoding encoding;
        uint64_t sequence;
        int r = spool_peek(spool, &payload, &encoding, &sequence, err);
        if (r != SPOOL_OK)
            return r;
        r = spool_ack(spool, sequence, err);
        if (r < 0)
            return r;
    }
}

static int live(Spool *spool, unsigned count, Err *err)
{
    for (unsigned said = 0; ticks < count;) {
        int r = deliver(spool, err);
        if (r < 0)
            return r;
        if (ticks >= said + REPORT_EVERY) {
            said = ticks;
            printf("%u %ld %zu %u\n", said, resident_kb(), heap_bytes(), descriptors());
            (void)fflush(stdout);
        }
        (void)poll(NULL, 0, 1);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        (void)fprintf(stderr, "usage: tick_driver CONFIG STATE_DIR TICKS\n");
        return 2;
    }
    (void)mallopt(M_ARENA_MAX, 1); /* mallinfo2() sees the first arena only */
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    _cleanup_(settings_unrefp) SettingsRef *settings = settings_load(argv[1], diags);
    if (!settings) {
        conf_diags_print_file(diags, stderr);
        return 2;
    }
    Err err = ERR_INIT;
    _cleanup_buf_ Buf directory = BUF_INIT;
    const ServerSettings *server = &settings_get(settings)->servers[0];
    buf_printf(&directory, "%s/servers/%s/spool", argv[2], server->name);
    _cleanup_(spool_closep) Spool *spool = NULL;
    SpoolOptions spool_options = {.directory = buf_cstr(&directory)};
    ConnectGate *gate = connect_gate_new();
    TargetOptions options = {
        .settings = settings, .server = server, .gate = gate, .collector_id = "driver", .on_append = count_tick};
    Target *target = NULL;
    int r = spool_open(&spool, &spool_options, &err);
    options.spool = spool;
    if (r >= 0)
        r = target_start(&target, &options, &err);
    if (r >= 0)
        r = live(spool, (unsigned)strtoul(argv[3], NULL, 10), &err);
    jumping = false;
    target_stop(target);
    connect_gate_free(gate);
    if (r < 0)
        (void)fprintf(stderr, "tick_driver: %s\n", err.detail);
    return r < 0;
}
