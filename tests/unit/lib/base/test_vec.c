/* SPDX-License-Identifier: PostgreSQL */
/* Typed arrays: what was pushed is there, in order, over any growth. */
#include "tests/support/unit.h"

#include "lib/base/vec.h"

DEFINE_VEC(IntVec, int_vec, int)

static void grows_by_pushing(void **state)
{
    (void)state;
    IntVec v = {0};
    for (int i = 0; i < 1000; i++)
        assert_int_equal(*int_vec_push(&v, i), i);
    assert_int_equal(v.len, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(v.items[i], i);
    size_t capacity = v.capacity;
    int_vec_clear(&v);
    assert_int_equal(v.len, 0);
    assert_int_equal(v.capacity, capacity);
    int_vec_done(&v);
    assert_null(v.items);
}

static void grows_to_what_is_needed(void **state)
{
    (void)state;
    size_t capacity = 0;
    void *items = vec_grow(NULL, &capacity, 1000, 8);
    assert_int_equal(capacity, 1000);
    items = vec_grow(items, &capacity, 1001, 8);
    assert_int_equal(capacity, 2000);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_by_pushing),
        cmocka_unit_test(grows_to_what_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
