/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "backend/ingest/series_cache.h"

static const Usec MINUTE = 60 * USEC_PER_SEC;

static Slice key_of(int i, char *buffer, size_t size)
{
    return slice_from(buffer, (size_t)snprintf(buffer, size, "key %d", i));
}

static void what_was_put_is_found_until_it_is_stale(void **state)
{
    (void)state;
    _cleanup_(series_cache_freep) SeriesCache *c = series_cache_new(100);
    series_cache_put(c, SLICE_LIT("a"), INT32_MAX, 5 * MINUTE);
    assert_int_equal(series_cache_get(c, SLICE_LIT("a"), 5 * MINUTE), INT32_MAX);
    assert_int_equal(series_cache_get(c, SLICE_LIT("a"), 64 * MINUTE), INT32_MAX);
    assert_int_equal(series_cache_get(c, SLICE_LIT("a"), 65 * MINUTE), 0);
    assert_int_equal(series_cache_get(c, SLICE_LIT("b"), 5 * MINUTE), 0);
    series_cache_put(c, SLICE_LIT("a"), 7, 65 * MINUTE);
    assert_int_equal(series_cache_get(c, SLICE_LIT("a"), 66 * MINUTE), 7);
    series_cache_clear(c);
    assert_int_equal(series_cache_get(c, SLICE_LIT("a"), 66 * MINUTE), 0);
}

static void it_never_grows_beyond_its_bound_and_keeps_what_is_used(void **state)
{
    (void)state;
    _cleanup_(series_cache_freep) SeriesCache *c = series_cache_new(100);
    char buffer[32];
    series_cache_put(c, SLICE_LIT("in use"), 1, MINUTE);
    for (int i = 0; i < 1000; i++) {
        series_cache_put(c, key_of(i, buffer, sizeof buffer), i + 2, MINUTE);
        assert_true(series_cache_len(c) <= 100);
        assert_int_equal(series_cache_get(c, SLICE_LIT("in use"), MINUTE), 1);
    }
    assert_int_equal(series_cache_get(c, key_of(999, buffer, sizeof buffer), MINUTE), 1001);
    assert_int_equal(series_cache_get(c, key_of(0, buffer, sizeof buffer), MINUTE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_until_it_is_stale),
        cmocka_unit_test(it_never_grows_beyond_its_bound_and_keeps_what_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
