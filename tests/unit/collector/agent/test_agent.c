/* SPDX-License-Identifier: PostgreSQL */
/* A start that fails before there are settings. All else: tests/system/test_collector.py. */
#include "collector/agent/agent.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/kept_log.h"
#include "tests/support/unit.h"

/* In a process of its own. A file that is not there would end it with 2, a signal that is never heard not at all. */
static int without_a_free_descriptor(void)
{
    const struct rlimit none = {.rlim_cur = 3, .rlim_max = 3};
    kept_log_begin();
    if (setrlimit(RLIMIT_NOFILE, &none) != 0)
        return 11;
    const int status = agent_run("/nonexistent/collector.toml");
    return logged("making a descriptor for signals") && logged("cannot start") ? status : 12;
}

static void without_a_descriptor_for_signals_it_does_not_start(void **state)
{
    (void)state;
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(without_a_free_descriptor());
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_descriptor_for_signals_it_does_not_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
