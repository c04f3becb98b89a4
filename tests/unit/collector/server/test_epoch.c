/* SPDX-License-Identifier: PostgreSQL */
/* The text of an epoch; what servers do at restarts and crashes is in tests/system/test_collector.py. */
#include "collector/server/epoch.h"

#include "tests/support/unit.h"

static void every_part_changes_the_text(void **state)
{
    (void)state;
    Pulse pulse = {.statistics_reset = "2026-01-01 00:00:00+00"},
          other = {.statistics_reset = "2026-01-02 00:00:00+00"};
    _cleanup_buf_ Buf a = BUF_INIT, b = BUF_INIT;
    epoch_format(&a, 7, &pulse, "");
    assert_string_equal(buf_cstr(&a), "7 2026-01-01 00:00:00+00");
    epoch_format(&b, 7, &other, "");
    assert_string_not_equal(buf_cstr(&a), buf_cstr(&b));
    epoch_format(&b, 8, &pulse, "");
    assert_string_not_equal(buf_cstr(&a), buf_cstr(&b));
    epoch_format(&b, 7, &pulse, "2026-01-03 00:00:00+00");
    assert_string_not_equal(buf_cstr(&a), buf_cstr(&b));
}

/* The start of the postmaster and the role of the server do not begin statistics anew. */
static void a_restart_or_a_promotion_alone_changes_nothing(void **state)
{
    (void)state;
    Pulse before = {.statistics_reset = "x", .in_recovery = true, .postmaster_start = 1};
    Pulse after = {.statistics_reset = "x", .in_recovery = false, .postmaster_start = 2};
    _cleanup_buf_ Buf a = BUF_INIT, b = BUF_INIT;
    epoch_format(&a, 7, &before, "");
    epoch_format(&b, 7, &after, "");
    assert_string_equal(buf_cstr(&a), buf_cstr(&b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_part_changes_the_text),
        cmocka_unit_test(a_restart_or_a_promotion_alone_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
