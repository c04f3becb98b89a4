/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "backend/http/http.h"

static void finds_headers_in_any_case_and_parameters_exactly(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    HttpRequest r;
    http_request_init(&r, arena);
    assert_int_equal(r.status, 200);
    assert_string_equal(r.content_type, "application/json");
    (void)http_field_vec_push(&r.headers, (HttpField){"X-Thing", "first"});
    (void)http_field_vec_push(&r.headers, (HttpField){"x-thing", "second"});
    (void)http_field_vec_push(&r.query, (HttpField){"from", "-1h"});
    assert_string_equal(http_request_header(&r, "x-THING"), "first");
    assert_null(http_request_header(&r, "x-thin"));
    assert_string_equal(http_request_query(&r, "from"), "-1h");
    assert_null(http_request_query(&r, "From"));
    http_request_done(&r);
}

static void reads_cookies(void **state UNUSED)
{
    static const struct {
        const char *header;
        const char *value; /* of "token"; NULL: none */
    } cases[] = {
        {"token=abc", "abc"},
        {"a=b; token=abc", "abc"},
        {"a=b;token=abc;c=d", "abc"},
        {"token=a=b==", "a=b=="},
        {"token=", ""},
        {"token", NULL},
        {"xtoken=1; tokens=2", NULL},
        {"", NULL},
        {"; ;token=1", "1"},
        {"token=first; token=second", "first"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        HttpRequest r;
        http_request_init(&r, arena);
        (void)http_field_vec_push(&r.headers, (HttpField){"Cookie", cases[i].header});
        const char *value = http_request_cookie(&r, "token");
        if (!value || !cases[i].value)
            assert_true(value == cases[i].value);
        else
            assert_string_equal(value, cases[i].value);
        http_request_done(&r);
    }
}

static void roles_and_methods_have_names(void **state UNUSED)
{
    for (Role role = ROLE_VIEWER; role < _ROLE_MAX; role++) {
        Role read = ROLE_NONE;
        assert_true(role_from_string(slice_cstr(role_to_string(role)), &read));
        assert_int_equal(read, role);
    }
    Role role;
    assert_false(role_from_string(SLICE_LIT("none"), &role)); /* is not given to anybody */
    assert_false(role_from_string(SLICE_LIT("Admin"), &role));
    assert_string_equal(http_method_to_string(HTTP_PATCH), "PATCH");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_headers_in_any_case_and_parameters_exactly),
        cmocka_unit_test(reads_cookies),
        cmocka_unit_test(roles_and_methods_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
