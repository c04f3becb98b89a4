/* SPDX-License-Identifier: PostgreSQL */
#include "collector/server/small_results.h"

#include "tests/support/unit.h"

static void what_was_small_when_last_read_is_expected_to_be(void **state)
{
    (void)state;
    SmallResults *s = small_results_new();
    assert_false(small_results_expect(s, "tables", "app", false)); /* never read */
    small_results_note(s, "tables", "app", false, SMALL_RESULT_CELLS);
    assert_true(small_results_expect(s, "tables", "app", false));
    assert_false(small_results_expect(s, "tables", "other", false));
    assert_false(small_results_expect(s, "tables", NULL, false));
    small_results_note(s, "tables", "app", false, SMALL_RESULT_CELLS + 1);
    assert_false(small_results_expect(s, "tables", "app", false));
    small_results_note(s, "tables", "app", false, SMALL_RESULT_CELLS + 1); /* and again */
    small_results_note(s, "tables", "app", false, 0);
    assert_true(small_results_expect(s, "tables", "app", false));
    small_results_note(s, "wal", NULL, false, 1);
    assert_true(small_results_expect(s, "wal", NULL, false));
    small_results_note(s, "tables", "app", true, 1);
    small_results_note(s, "tables", "app", false, SMALL_RESULT_CELLS + 1);
    assert_true(small_results_expect(s, "tables", "app", true)); /* what changed is another result than all */
    assert_false(small_results_expect(s, "tables", "app", false));
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
