/* SPDX-License-Identifier: PostgreSQL */
/* Allocation that does not fail, and the array on top of it. */
#include "tests/support/unit.h"

#include "lib/base/memory.h"
#include "lib/base/vec.h"

DEFINE_VEC(IntVec, int_vec, int)

static void gives_zeroed_memory_of_any_size(void **state)
{
    (void)state;
    _cleanup_free_ char *none = mem_alloc(0);
    _cleanup_free_ char *some = mem_alloc(100);
    _cleanup_free_ int *array = mem_alloc_array(sizeof(int), 10);
    _cleanup_free_ char *no_array = mem_alloc_array(sizeof(int), 0);
    assert_non_null(none);
    assert_non_null(no_array);
    assert_int_equal(some[99], 0);
    assert_int_equal(array[9], 0);
    some = mem_realloc(some, 200);
    some[199] = 'x';
    some = mem_realloc(some, 0);
    assert_non_null(some);
}

static void copies_bytes_with_an_end(void **state)
{
    (void)state;
    _cleanup_free_ char *s = mem_strdup("text");
    _cleanup_free_ char *cut = mem_dup("abcdef", 3);
    _cleanup_free_ char *nothing = mem_dup(NULL, 0);
    assert_string_equal(s, "text");
    assert_string_equal(cut, "abc");
    assert_string_equal(nothing, "");
    assert_null(mem_strdup(NULL));
}

static void takes_what_it_held(void **state)
{
    (void)state;
    char *p = mem_strdup("x");
    _cleanup_free_ char *taken = TAKE_PTR(p);
    assert_null(p);
    assert_string_equal(taken, "x");
    int fd = 7;
    assert_int_equal(TAKE_FD(fd), 7);
    assert_int_equal(fd, -1);
}

static void array_grows_by_pushing(void **state)
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

static void array_grows_to_what_is_needed(void **state)
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
        cmocka_unit_test(gives_zeroed_memory_of_any_size),
        cmocka_unit_test(copies_bytes_with_an_end),
        cmocka_unit_test(takes_what_it_held),
        cmocka_unit_test(array_grows_by_pushing),
        cmocka_unit_test(array_grows_to_what_is_needed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
