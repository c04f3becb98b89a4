/* SPDX-License-Identifier: PostgreSQL */
#include "tests/unit/collector/system/host_fixture.h"

static void disks_are_whole_and_used(void **state)
{
    (void)state;
    assert_rows("system_disk", "vda 66530 148915 2655818752 2381927424 29131 96461 87640 2; "
                               "dm-0 10 20 40960 81920 4 8 12 0");
}

static void lines_that_are_cut_are_left_out(void **state)
{
    (void)state;
    source.host.root = FIXTURES "odd";
    assert_rows("system_disk", "");
    source.host.root = FIXTURES "nowhere";
    assert_true(read_family("system_disk", NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOST_TEST(disks_are_whole_and_used),
        HOST_TEST(lines_that_are_cut_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
