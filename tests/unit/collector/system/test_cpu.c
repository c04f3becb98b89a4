/* SPDX-License-Identifier: PostgreSQL */
#include "tests/unit/collector/system/host_fixture.h"

static void processors_give_shares_of_the_interval(void **state)
{
    (void)state;
    assert_rows("system_cpu", ""); /* nothing to compare with yet */
    source.host.root = FIXTURES "later";
    /* 50 user, 20 system, 25 idle, 5 steal of 100 ticks; iowait ran backwards. */
    assert_rows("system_cpu", "all 0.5 0 0.2 0.25 0 0 0 0.05 2");
    assert_rows("system_cpu", ""); /* no time has passed */
}

static void nonsense_is_an_error(void **state)
{
    (void)state;
    source.host.root = FIXTURES "odd";
    assert_read_fails("system_cpu", ERR_SYNTAX, "/proc/stat");
    source.host.root = FIXTURES "nowhere";
    assert_true(read_family("system_cpu", NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOST_TEST(processors_give_shares_of_the_interval),
        HOST_TEST(nonsense_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
