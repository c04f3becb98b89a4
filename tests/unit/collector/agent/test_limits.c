/* SPDX-License-Identifier: PostgreSQL */
#include "collector/agent/limits.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/support/unit.h"

static void room_grows_with_servers_and_memory(void **state)
{
    (void)state;
    const uint64_t one = limits_address_space(1000, 1, 0);
    assert_true(one > 1000);
    assert_int_equal(limits_address_space(2000, 1, 0) - one, 1000);
    assert_int_equal(limits_address_space(1000, 1, 77) - one, 77);
    assert_true(limits_address_space(1000, 500, 0) - one >= 499 * (uint64_t)LIMITS_STACK_BYTES);
    assert_true(limits_descriptors(500) > limits_descriptors(1));
}

/* In a process of its own: what it was left with. */
static int fenced(void)
{
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
    return 0;
}

static void the_fence_stands_and_descriptors_are_raised(void **state)
{
    (void)state;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fenced());
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(room_grows_with_servers_and_memory),
        cmocka_unit_test(the_fence_stands_and_descriptors_are_raised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
