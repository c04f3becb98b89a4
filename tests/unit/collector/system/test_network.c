/* SPDX-License-Identifier: PostgreSQL */
#include "tests/unit/collector/system/host_fixture.h"

static void interfaces_without_loopback_and_containers(void **state)
{
    (void)state;
    /* wlan0's counter does not fit: left out, not wrong. */
    assert_rows("system_network", "eth0 1215645 1782404 2751 4324 1 3 2 4");
}

static void lines_that_are_cut_are_left_out(void **state)
{
    (void)state;
    source.host.root = FIXTURES "odd";
    assert_rows("system_network", "");
    source.host.root = FIXTURES "nowhere";
    assert_true(read_family("system_network", NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOST_TEST(interfaces_without_loopback_and_containers),
        HOST_TEST(lines_that_are_cut_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
