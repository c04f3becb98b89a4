/* SPDX-License-Identifier: PostgreSQL */
#include "tests/unit/collector/system/host_fixture.h"

static void filesystems_are_local_and_once_a_device(void **state)
{
    (void)state;
    assert_int_equal(read_family("system_filesystem", NULL), 0);
    assert_int_equal(source.rows.row_count, 2);
    const Cell *root = source.rows.cells.items, *other = root + source.rows.column_count;
    assert_true(slice_eq_cstr(root[0].text, "/") && slice_eq_cstr(root[1].text, "/dev/vda1"));
    assert_true(slice_eq_cstr(other[0].text, "/mnt/with space") && slice_eq_cstr(other[2].text, "xfs"));
    for (size_t i = 3; i < source.rows.column_count; i++)
        assert_int_equal(other[i].type, CELL_INT);
    assert_true(root[3].integer >= root[4].integer && root[4].integer >= root[5].integer && root[5].integer > 0);
}

static void lines_that_are_cut_are_left_out(void **state)
{
    (void)state;
    source.host.root = FIXTURES "odd";
    assert_rows("system_filesystem", "");
    source.host.root = FIXTURES "nowhere";
    assert_true(read_family("system_filesystem", NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOST_TEST(filesystems_are_local_and_once_a_device),
        HOST_TEST(lines_that_are_cut_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
