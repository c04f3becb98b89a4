/* SPDX-License-Identifier: PostgreSQL */
/* Allocation that does not fail, and handing over. */
#include "tests/support/unit.h"

#include "lib/base/memory.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_memory_of_any_size),
        cmocka_unit_test(copies_bytes_with_an_end),
        cmocka_unit_test(takes_what_it_held),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
