/* SPDX-License-Identifier: PostgreSQL */
#include "collector/reading/series.h"

#include "tests/support/unit.h"

static void different_series_have_different_keys(void **state)
{
    (void)state;
    static const char *const SERIES[][2] = {{"a", NULL}, {"a", "b"}, {"ab", NULL}, {"a", "bc"}, {"ab", "c"}};
    for (size_t i = 0; i < ARRAY_LENGTH(SERIES); i++) {
        for (size_t k = 0; k < ARRAY_LENGTH(SERIES); k++) {
            _cleanup_buf_ Buf one = BUF_INIT, other = BUF_INIT;
            series_append_key(&one, SERIES[i][0], SERIES[i][1]);
            series_append_key(&other, SERIES[k][0], SERIES[k][1]);
            assert_int_equal(slice_eq(buf_slice(&one), buf_slice(&other)), i == k);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(different_series_have_different_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
