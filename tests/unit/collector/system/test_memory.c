/* SPDX-License-Identifier: PostgreSQL */
#include "tests/unit/collector/system/host_fixture.h"

static void memory_is_in_bytes(void **state)
{
    (void)state;
    assert_rows("system_memory", "16694710272 3294281728 12329177088 422207488 8376487936 238018560 618496 735825920 "
                                 "2147479552 2147471360");
}

static void what_is_not_there_is_not_known(void **state)
{
    (void)state;
    source.host.root = FIXTURES "odd";
    assert_rows("system_memory", "- - - - - - - - - -");
    source.host.root = FIXTURES "nowhere";
    assert_true(read_family("system_memory", NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOST_TEST(memory_is_in_bytes),
        HOST_TEST(what_is_not_there_is_not_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
