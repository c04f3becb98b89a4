/* SPDX-License-Identifier: PostgreSQL */
/* The bytes; that servers take them is shown in tests/system/test_known_rows.py. */
#include "lib/pg/array.h"

#include "tests/support/unit.h"

static void elements_follow_their_number(void **state)
{
    (void)state;
    static const char EXPECT[] = "\0\0\0\1\0\0\0\0\0\0\0\24"
                                 "\0\0\0\2\0\0\0\1"
                                 "\0\0\0\10\0\0\0\0\0\0\1\2"
                                 "\0\0\0\10\377\377\377\377\377\377\377\376";
    _cleanup_buf_ Buf array = BUF_INIT;
    pg_array_begin_int8(&array, 2);
    pg_array_add_int8(&array, 258);
    pg_array_add_int8(&array, -2);
    assert_int_equal(array.len, sizeof(EXPECT) - 1);
    assert_memory_equal(array.ptr, EXPECT, array.len);
}

static void an_empty_one_has_no_dimensions(void **state)
{
    (void)state;
    static const char EXPECT[] = "\0\0\0\0\0\0\0\0\0\0\0\24";
    _cleanup_buf_ Buf array = BUF_INIT;
    pg_array_begin_int8(&array, 0);
    assert_int_equal(array.len, sizeof(EXPECT) - 1);
    assert_memory_equal(array.ptr, EXPECT, array.len);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_follow_their_number),
        cmocka_unit_test(an_empty_one_has_no_dimensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
