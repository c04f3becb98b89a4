/* SPDX-License-Identifier: PostgreSQL */
/* Arena: zeroed, aligned, bounded, and gone at once. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "lib/base/arena.h"

static void gives_zeroed_aligned_memory(void **state)
{
    (void)state;
    _cleanup_(arena_freep) Arena *a = arena_new(0);
    for (int round = 0; round < 3; round++) {
        for (size_t size = 0; size < 3000; size += 7) {
            unsigned char *p = arena_alloc(a, size);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xAA, size);
        }
        arena_clear(a);
    }
}

static void keeps_neighbours_apart(void **state)
{
    (void)state;
    _cleanup_(arena_freep) Arena *a = arena_new(0);
    char *strings[2000];
    for (int i = 0; i < 2000; i++)
        strings[i] = arena_printf(a, "string number %d", i);
    for (int i = 0; i < 2000; i++) {
        char expected[40];
        (void)snprintf(expected, sizeof(expected), "string number %d", i);
        assert_string_equal(strings[i], expected);
    }
}

static void gives_a_large_object_a_block_of_its_own(void **state)
{
    (void)state;
    _cleanup_(arena_freep) Arena *a = arena_new(0);
    char *first = arena_alloc(a, 10);
    char *large = arena_alloc(a, 10 * 1024 * 1024);
    char *after = arena_alloc(a, 10);
    large[10 * 1024 * 1024 - 1] = 'x';
    assert_non_null(first);
    assert_non_null(after);
    assert_in_range(arena_used_bytes(a), 10 * 1024 * 1024, 10 * 1024 * 1024 + 64);
    arena_clear(a);
    assert_int_equal(arena_used_bytes(a), 0);
}

static void honours_its_limit(void **state)
{
    (void)state;
    _cleanup_(arena_freep) Arena *a = arena_new(1000);
    assert_non_null(arena_try_alloc(a, 900));
    assert_null(arena_try_alloc(a, 200));
    assert_non_null(arena_alloc(a, 200)); /* our own sizes are not bounded */
    assert_null(arena_try_alloc(a, 1));
    arena_clear(a);
    assert_non_null(arena_try_alloc(a, 1000));

    _cleanup_(arena_freep) Arena *open_ended = arena_new(0);
    assert_null(arena_try_alloc(open_ended, SIZE_MAX));
    assert_null(arena_try_alloc(open_ended, SIZE_MAX / 2));
    assert_non_null(arena_try_alloc(open_ended, 100000));
}

static void copies_strings_with_an_end(void **state)
{
    (void)state;
    _cleanup_(arena_freep) Arena *a = arena_new(0);
    Slice copy = arena_dup(a, slice_from("abcdef", 3));
    assert_slice(copy, "abc");
    assert_int_equal(copy.ptr[3], '\0');
    assert_slice(arena_dup(a, SLICE_LIT("")), "");
    assert_null(arena_dup(a, SLICE_NULL).ptr);
    assert_string_equal(arena_strdup(a, "text"), "text");
    assert_null(arena_strdup(a, NULL));
    assert_string_equal(arena_printf(a, "%s=%d", "x", 5), "x=5");
}

static void makes_objects_and_arrays(void **state)
{
    (void)state;
    _cleanup_(arena_freep) Arena *a = arena_new(0);
    int64_t *one = arena_new_object(a, int64_t);
    int64_t *many = arena_new_array(a, int64_t, 100);
    assert_int_equal(*one, 0);
    assert_int_equal(many[99], 0);
}

static void frees_nothing_and_an_unused_one(void **state)
{
    (void)state;
    assert_null(arena_free(NULL));
    Arena *unused = arena_new(0);
    arena_clear(unused);
    assert_null(arena_free(unused));
}

static void room_is_written_by_who_asked_for_it(void **state)
{
    (void)state;
    Arena *a = arena_new(0);
    char *room = arena_room(a, 5);
    memcpy(room, "hello", 5);
    assert_string_equal(arena_strdup(a, ""), "");
    assert_memory_equal(room, "hello", 5);
    arena_clear(a);
    const Slice copy = arena_dup(a, SLICE_LIT("abc")); /* where other bytes were */
    assert_string_equal(copy.ptr, "abc");
    assert_null(arena_free(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_zeroed_aligned_memory),
        cmocka_unit_test(keeps_neighbours_apart),
        cmocka_unit_test(gives_a_large_object_a_block_of_its_own),
        cmocka_unit_test(honours_its_limit),
        cmocka_unit_test(copies_strings_with_an_end),
        cmocka_unit_test(makes_objects_and_arrays),
        cmocka_unit_test(frees_nothing_and_an_unused_one),
        cmocka_unit_test(room_is_written_by_who_asked_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
