/* SPDX-License-Identifier: PostgreSQL */
#include "tests/unit/collector/system/host_fixture.h"

static void load_and_tasks(void **state)
{
    (void)state;
    assert_rows("system_load", "0.52 0.58 10.59 3 1234");
}

static void nonsense_is_an_error(void **state)
{
    (void)state;
    source.host.root = FIXTURES "odd";
    assert_read_fails("system_load", ERR_SYNTAX, "nonsense");
    source.host.root = FIXTURES "nowhere";
    assert_true(read_family("system_load", NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOST_TEST(load_and_tasks),
        HOST_TEST(nonsense_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
