/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "backend/http/target.h"

static void reads_targets(void **state UNUSED)
{
    static const struct {
        const char *target;
        const char *path; /* NULL: refused */
        size_t parameters;
        const char *name, *value; /* the last one */
    } cases[] = {
        {"/", "/", 0, NULL, NULL},
        {"/a?b=c", "/a", 1, "b", "c"},
        {"/a?b=c&b=d", "/a", 2, "b", "d"},
        {"/a?b", "/a", 1, "b", ""},
        {"/a?&&b=&", "/a", 1, "b", ""},
        {"/a?b=c=d", "/a", 1, "b", "c=d"},
        {"/a?x%3Dy=%26", "/a", 1, "x=y", "&"},
        {"/a%2Fb", "/a%2Fb", 0, NULL, NULL},
        {"https://h:1/p?q=1", "/p", 1, "q", "1"},
        {"http://h", "/", 0, NULL, NULL},
        {"*", "*", 0, NULL, NULL},
        {"/a?b=%zz", NULL, 0, NULL, NULL},
        {"/a?b=%00", NULL, 0, NULL, NULL},
        {"relative", NULL, 0, NULL, NULL},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        HttpFieldVec query = {0};
        Slice path;
        int r = http_target_parse(slice_cstr(cases[i].target), arena, &path, &query, NULL);
        if ((r == 0) != (cases[i].path != NULL))
            fail_msg("%s: %d", cases[i].target, r);
        if (r == 0) {
            assert_string_equal(path.ptr, cases[i].path);
            assert_int_equal(query.len, cases[i].parameters);
        }
        if (cases[i].name) {
            assert_string_equal(query.items[query.len - 1].name, cases[i].name);
            assert_string_equal(query.items[query.len - 1].value, cases[i].value);
        }
        http_field_vec_done(&query);
    }
}

static void bounds_the_number_of_parameters(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    _cleanup_buf_ Buf target = BUF_INIT;
    HttpFieldVec query = {0};
    Slice path;
    buf_append_cstr(&target, "/?a=0");
    for (int i = 1; i <= HTTP_QUERY_MAX; i++)
        buf_printf(&target, "&a=%d", i);
    assert_true(http_target_parse(buf_slice(&target), arena, &path, &query, NULL) < 0);
    http_field_vec_done(&query);
}

static void lines_are_allowed_in_certificates_only(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    Slice out;
    assert_int_equal(http_target_decode_lines(SLICE_LIT("a%0Ab+c"), arena, &out), 0);
    assert_string_equal(out.ptr, "a\nb+c");
    assert_true(http_target_decode_lines(SLICE_LIT("a%00"), arena, &out) < 0);
    assert_true(http_target_decode(SLICE_LIT("a%0Ab"), false, arena, &out, NULL) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_targets),
        cmocka_unit_test(bounds_the_number_of_parameters),
        cmocka_unit_test(lines_are_allowed_in_certificates_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
