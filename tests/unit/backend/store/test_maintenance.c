/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "backend/store/engine.h"
#include "backend/store/maintenance.h"

static const Usec HOUR = 3600 * USEC_PER_SEC;
static const Usec DAY = 24 * 3600 * USEC_PER_SEC;

static void today_and_two_days_are_made_and_whole_days_past_retention_dropped(void **state)
{
    (void)state;
    static const struct {
        Usec hour, retention_hours;
        int64_t first, last, drop_before;
    } CASES[] = {
        {100 * 24, 14 * 24, 100, 102, 86},  {100 * 24 + 23, 14 * 24, 100, 102, 86}, /* at the day's end the oldest day
                                                                                       is still partly within retention
                                                                                     */
        {100 * 24 + 23, 23, 100, 102, 100}, {100 * 24 + 22, 23, 100, 102, 99},      {100 * 24, 1, 100, 102, 99},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        MaintenancePlan plan = maintenance_plan(CASES[i].hour * HOUR, CASES[i].retention_hours * HOUR);
        assert_int_equal(plan.make_first_day, CASES[i].first);
        assert_int_equal(plan.make_last_day, CASES[i].last);
        assert_int_equal(plan.drop_before_day, CASES[i].drop_before);
    }
}

static void nothing_within_retention_is_ever_dropped(void **state)
{
    (void)state;
    for (Usec now = 500 * DAY; now < 502 * DAY; now += 17 * 60 * USEC_PER_SEC) {
        MaintenancePlan plan = maintenance_plan(now, 14 * DAY);
        assert_true(plan.drop_before_day * DAY <= now - 14 * DAY);
        assert_true((plan.drop_before_day + 1) * DAY > now - 14 * DAY);
    }
}

static void days_are_written_as_dates(void **state)
{
    (void)state;
    char text[ENGINE_DAY_SIZE];
    engine_format_day(0, text);
    assert_string_equal(text, "1970-01-01");
    engine_format_day(20512, text);
    assert_string_equal(text, "2026-02-28");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(today_and_two_days_are_made_and_whole_days_past_retention_dropped),
        cmocka_unit_test(nothing_within_retention_is_ever_dropped),
        cmocka_unit_test(days_are_written_as_dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
