/* SPDX-License-Identifier: PostgreSQL */
#include "collector/server/small_results.h"

#include "tests/support/unit.h"

static void what_was_small_when_last_read_is_expected_to_be(void **state)
{
    (void)state;
    SmallResults *s = small_results_new();
    assert_false(small_results_expect(s, "tables", "app")); /* never read */
    small_results_note(s, "tables", "app", SMALL_RESULT_CELLS);
    assert_true(small_results_expect(s, "tables", "app"));
    assert_false(small_results_expect(s, "tables", "other"));
    assert_false(small_results_expect(s, "tables", NULL));
    small_results_note(s, "tables", "app", SMALL_RESULT_CELLS + 1);
    assert_false(small_results_expect(s, "tables", "app"));
    small_results_note(s, "tables", "app", SMALL_RESULT_CELLS + 1); /* and again */
    small_results_note(s, "tables", "app", 0);
    assert_true(small_results_expect(s, "tables", "app"));
    small_results_note(s, "wal", NULL, 1);
    assert_true(small_results_expect(s, "wal", NULL));
    assert_null(small_results_free(s));
    assert_null(small_results_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_small_when_last_read_is_expected_to_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
