/* SPDX-License-Identifier: PostgreSQL */
/* Lines, fields and numbers of the files of /proc. */
#include "collector/system/procfs.h"
#include "tests/unit/collector/system/host_fixture.h"

static void lines_and_fields(void **state)
{
    (void)state;
    Slice rest = SLICE_LIT("  a bb\t c\n\nlast"), line, field;
    assert_true(procfs_next_line(&rest, &line));
    assert_true(procfs_next_field(&line, &field));
    assert_slice(field, "a");
    assert_true(procfs_next_field(&line, &field));
    assert_slice(field, "bb");
    assert_true(procfs_next_field(&line, &field));
    assert_slice(field, "c");
    assert_false(procfs_next_field(&line, &field));
    assert_true(procfs_next_line(&rest, &line));
    assert_false(procfs_next_field(&line, &field));
    assert_true(procfs_next_line(&rest, &line));
    assert_slice(line, "last");
    assert_false(procfs_next_line(&rest, &line));
}

static void numbers_end_where_none_follows(void **state)
{
    (void)state;
    int64_t values[3];
    assert_int_equal(procfs_numbers(SLICE_LIT(" 1 -2 3 4"), values, 3), 3);
    assert_true(values[0] == 1 && values[1] == -2 && values[2] == 3);
    assert_int_equal(procfs_numbers(SLICE_LIT("1 x 3"), values, 3), 1);
    assert_int_equal(procfs_numbers(SLICE_LIT(""), values, 3), 0);
    assert_int_equal(procfs_numbers(SLICE_LIT("99999999999999999999"), values, 3), 0);
}

static void a_file_is_read_below_the_root(void **state)
{
    (void)state;
    _cleanup_buf_ Buf text = BUF_INIT;
    Err err = ERR_INIT;
    buf_append_cstr(&text, "what was before");
    assert_ok(procfs_read(&source.host, "/proc/loadavg", &text, &err), &err);
    assert_string_equal(buf_cstr(&text), "0.52 0.58 10.59 3/1234 5678\n");
    assert_true(procfs_read(&source.host, "/proc/none", &text, &err) < 0);
    assert_err(&err, ERR_NOT_FOUND, "/proc/none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HOST_TEST(lines_and_fields),
        HOST_TEST(numbers_end_where_none_follows),
        HOST_TEST(a_file_is_read_below_the_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
