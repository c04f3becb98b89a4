/* SPDX-License-Identifier: PostgreSQL */
/* Map: the same answers as a plain array gives, whatever is put and taken; ownership of values. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "lib/base/map.h"
#include "lib/base/random.h"

static unsigned freed;

static void count_free(void *value)
{
    (void)value;
    freed++;
}

static Slice key_of(char *text, size_t size, size_t n)
{
    return slice_from(text, (size_t)snprintf(text, size, "key %zu", n));
}

static void finds_what_was_put(void **state)
{
    (void)state;
    _cleanup_(map_freep) Map *m = map_new(NULL);
    int a, b;
    assert_null(map_get(m, SLICE_LIT("a")));
    assert_null(map_take(m, SLICE_LIT("a")));
    map_put(m, SLICE_LIT("a"), &a);
    map_put(m, SLICE_LIT(""), &b);
    map_put(m, SLICE_LIT("with\0nul"), NULL);
    assert_ptr_equal(map_get(m, SLICE_LIT("a")), &a);
    assert_ptr_equal(map_get(m, SLICE_NULL), &b);
    assert_null(map_get(m, SLICE_LIT("with\0nul")));
    assert_true(map_has(m, SLICE_LIT("with\0nul")));
    assert_false(map_has(m, SLICE_LIT("with")));
    assert_int_equal(map_len(m), 3);
    assert_null(map_take(m, SLICE_LIT("b")));
}

static void keeps_a_copy_of_the_key(void **state)
{
    (void)state;
    _cleanup_(map_freep) Map *m = map_new(NULL);
    char key[] = "abc";
    map_put(m, slice_cstr(key), key);
    key[0] = 'X';
    assert_true(map_has(m, SLICE_LIT("abc")));
}

static void frees_values_it_owns(void **state)
{
    (void)state;
    int a, b;
    freed = 0;
    Map *m = map_new(count_free);
    map_put(m, SLICE_LIT("k"), &a);
    map_put(m, SLICE_LIT("k"), &a); /* the same value again is no replacement */
    assert_int_equal(freed, 0);
    map_put(m, SLICE_LIT("k"), &b);
    assert_int_equal(freed, 1);
    assert_ptr_equal(map_take(m, SLICE_LIT("k")), &b);
    assert_int_equal(freed, 1);
    map_put(m, SLICE_LIT("k"), &a);
    map_clear(m);
    assert_int_equal(freed, 2);
    assert_int_equal(map_len(m), 0);
    assert_false(map_has(m, SLICE_LIT("k")));
    map_put(m, SLICE_LIT("k"), &a);
    assert_null(map_free(m));
    assert_int_equal(freed, 3);
    assert_null(map_free(NULL));
}

static void walks_in_order_of_insertion(void **state)
{
    (void)state;
    _cleanup_(map_freep) Map *m = map_new(NULL);
    char text[32];
    for (size_t i = 0; i < 500; i++)
        map_put(m, key_of(text, sizeof(text), i), (void *)i);
    size_t expected = 0;
    Slice key;
    void *value;
    for (size_t at = 0; map_next(m, &at, &key, &value); expected++) {
        assert_int_equal((size_t)value, expected);
        assert_true(slice_eq(key, key_of(text, sizeof(text), expected)));
    }
    assert_int_equal(expected, 500);
    size_t at = 499;
    assert_true(map_next(m, &at, NULL, NULL));
    assert_false(map_next(m, &at, NULL, NULL));
}

static void agrees_with_an_array_over_random_work(void **state)
{
    (void)state;
    enum { KEYS = 300, STEPS = 60000 };
    _cleanup_(map_freep) Map *m = map_new(NULL);
    size_t model[KEYS] = {0}; /* 0: absent */
    size_t present = 0;
    char text[32];
    for (size_t step = 1; step <= STEPS; step++) {
        size_t n = random_below(KEYS);
        Slice key = key_of(text, sizeof(text), n);
        if (random_below(2) == 0) {
            map_put(m, key, (void *)step);
            present += model[n] == 0;
            model[n] = step;
        } else {
            assert_int_equal((size_t)map_take(m, key), model[n]);
            present -= model[n] != 0;
            model[n] = 0;
        }
        assert_int_equal(map_len(m), present);
        size_t other = random_below(KEYS);
        assert_int_equal((size_t)map_get(m, key_of(text, sizeof(text), other)), model[other]);
    }
    for (size_t n = 0; n < KEYS; n++)
        assert_int_equal((size_t)map_get(m, key_of(text, sizeof(text), n)), model[n]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_put),
        cmocka_unit_test(keeps_a_copy_of_the_key),
        cmocka_unit_test(frees_values_it_owns),
        cmocka_unit_test(walks_in_order_of_insertion),
        cmocka_unit_test(agrees_with_an_array_over_random_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
