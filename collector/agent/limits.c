/* SPDX-License-Identifier: PostgreSQL */
/* See limits.h. */
#include "collector/agent/limits.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/base/log.h"
#include "lib/io/file.h"

/* A server: its thread, and at most four beside it (sampler, poolers, backups, one that cancels). */
enum { THREADS_EACH = 5, THREADS_MORE = 8, DESCRIPTORS_EACH = 12, DESCRIPTORS_MORE = 64, STATM_MAX = 4096 };

/* Reserved and not used: the heaps of malloc's arenas, libraries that are loaded later (name services, TLS). */
#define RESERVED ((uint64_t)512 << 20)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

void limits_set_stacks(void)
{
    pthread_attr_t attr;
    if (sanitized || pthread_attr_init(&attr) != 0)
        return;
    /* Fails for sizes below PTHREAD_STACK_MIN only; then stacks are as large as usual. */
    if (pthread_attr_setstacksize(&attr, LIMITS_STACK_BYTES) == 0)
        (void)pthread_setattr_default_np(&attr);
    (void)pthread_attr_destroy(&attr);
}

uint64_t limits_address_space(uint64_t used, size_t servers, uint64_t memory)
{
    const uint64_t stack = sanitized ? (uint64_t)8 << 20 : LIMITS_STACK_BYTES + (64 << 10); /* with its guard */
    return used + RESERVED + (servers * THREADS_EACH + THREADS_MORE) * stack + memory;
}

uint64_t limits_descriptors(size_t servers)
{
    return servers * DESCRIPTORS_EACH + DESCRIPTORS_MORE;
}

static void raise_descriptors(size_t servers)
{
    struct rlimit now;
    if (getrlimit(RLIMIT_NOFILE, &now) != 0)
        return;
    now.rlim_cur = now.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &now) != 0) /* the hard limit is always allowed; if not, what we have is told below */
        (void)getrlimit(RLIMIT_NOFILE, &now);
    if (now.rlim_cur < limits_descriptors(servers))
        log_warn("too few file descriptors for so many servers", log_int("limit", (int64_t)now.rlim_cur),
                 log_int("needed", (int64_t)limits_descriptors(servers)), log_int("servers", (int64_t)servers),
                 log_str("hint", "raise LimitNOFILE= of the service, or ulimit -n"));
}

static uint64_t used_address_space(void)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    int64_t pages = 0;
    if (file_read_all("/proc/self/statm", STATM_MAX, &text, NULL) < 0)
        return 0;
    Slice rest = buf_slice(&text);
    return slice_to_int64(slice_split(&rest, ' '), &pages) ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

uint64_t limits_apply(const Settings *settings)
{
    raise_descriptors(settings->server_count);
    const uint64_t used = used_address_space();
    struct rlimit now;
    if (used == 0 || getrlimit(RLIMIT_AS, &now) != 0)
        return 0;
    now.rlim_cur = limits_address_space(used, settings->server_count, (uint64_t)settings->memory);
    if (now.rlim_cur > now.rlim_max) /* somebody else's fence is nearer */
        now.rlim_cur = now.rlim_max;
    if (setrlimit(RLIMIT_AS, &now) != 0) {
        log_warn("[limits] memory could not be set", log_int("errno", errno));
        return 0;
    }
    return now.rlim_cur;
}
