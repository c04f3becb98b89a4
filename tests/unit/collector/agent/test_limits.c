/* SPDX-License-Identifier: PostgreSQL */
#include "collector/agent/limits.h"

#include <pthread.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/io/file.h"
#include "tests/support/kept_log.h"
#include "tests/support/unit.h"

static void room_grows_with_servers_and_memory(void **state)
{
    (void)state;
    const uint64_t one = limits_address_space(1000, 1, 0);
    assert_true(one > 1000);
    assert_int_equal(limits_address_space(2000, 1, 0) - one, 1000);
    assert_int_equal(limits_address_space(1000, 1, 77) - one, 77);
    assert_true(limits_address_space(1000, 500, 0) - one >= 499 * (uint64_t)LIMITS_STACK_BYTES);
    assert_true(one - 1000 >= (uint64_t)512 << 20);                           /* what is reserved and not used */
    assert_true(limits_descriptors(500) - limits_descriptors(1) >= 499 * 12); /* docs/service.md */
}

static uint64_t address_space(void)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    int64_t pages;
    if (file_read_all("/proc/self/statm", 4096, &text, NULL) < 0)
        return 0;
    Slice rest = buf_slice(&text);
    return slice_to_int64(slice_split(&rest, ' '), &pages) ? (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

/* In a process of its own: what it was left with. */
static int fenced(void)
{
    const uint64_t used = address_space();
    const Settings settings = {.server_count = 3, .memory = 64 << 20};
    struct rlimit files, space;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return 1;
    files.rlim_cur = files.rlim_max < 80 ? files.rlim_max : 80;
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        return 2;
    const uint64_t fence = limits_apply(&settings);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur != files.rlim_max)
        return 3;
    if (fence == 0 || getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur != fence)
        return 4;
    return fence >= limits_address_space(used, 3, 64 << 20) ? 0 : 5;
}

/* Somebody's limits are nearer than ours. */
static int fenced_by_others(void)
{
    const Settings settings = {.server_count = 1, .memory = (int64_t)1 << 40};
    const rlim_t most = address_space() + ((rlim_t)1 << 30);
    struct rlimit space = {.rlim_cur = most, .rlim_max = most};
    if (setrlimit(RLIMIT_AS, &space) != 0)
        return 1;
    return limits_apply(&settings) == most ? 0 : 2;
}

static int told_of_descriptors(void)
{
    const struct rlimit few = {.rlim_cur = 90, .rlim_max = 90};
    if (setrlimit(RLIMIT_NOFILE, &few) != 0)
        return 1;
    kept_log_begin();
    (void)limits_apply(&(Settings){.server_count = 2, .memory = 64 << 20});
    if (logged("too few file descriptors"))
        return 2;
    (void)limits_apply(&(Settings){.server_count = 3, .memory = 64 << 20});
    return logged("too few file descriptors") && logged("LimitNOFILE") ? 0 : 3;
}

static int small_stacks(void)
{
    pthread_attr_t attr;
    size_t before, now;
    if (pthread_getattr_default_np(&attr) != 0 || pthread_attr_getstacksize(&attr, &before) != 0)
        return 1;
    limits_set_stacks();
    if (pthread_getattr_default_np(&attr) != 0 || pthread_attr_getstacksize(&attr, &now) != 0)
        return 2;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return now == before ? 0 : 3;
#else
    return now == LIMITS_STACK_BYTES && now != before ? 0 : 3;
#endif
}

static void what_a_process_is_left_with(void **state)
{
    (void)state;
    static int (*const PARTS[])(void) = {fenced, fenced_by_others, told_of_descriptors, small_stacks};
    for (size_t i = 0; i < ARRAY_LENGTH(PARTS); i++) {
        const pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
            _exit(PARTS[i]());
        int status = 0;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
            fail_msg("part %zu: %d", i, status);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_grows_with_servers_and_memory),
        cmocka_unit_test(what_a_process_is_left_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
