/* SPDX-License-Identifier: PostgreSQL */
#include "backend/api/api.h"

#include "tests/support/unit.h"

static const Usec now = (Usec)1800000000 * USEC_PER_SEC;

static void with(HttpRequest *r, const char *name, const char *value)
{
    http_field_vec_clear(&r->query);
    if (value)
        http_field_vec_push(&r->query, (HttpField){.name = name, .value = value});
}

typedef struct RangeCase {
    const char *from;
    const char *to;
    Usec ago_from; /* seconds before now; -1: refused */
    Usec ago_to;
} RangeCase;

static void ranges_are_relative_or_absolute_and_bounded(void **state UNUSED)
{
    static const RangeCase cases[] = {
        {NULL, NULL, 3600, 0},
        {"-15m", NULL, 900, 0},
        {"-2h", "-1h", 7200, 3600},
        {NULL, "-1h", 7200, 3600},
        {"-1d", "now", 86400, 0},
        {"2027-01-15T07:00:00Z", "2027-01-15T08:00:00+00:00", 3600, 0},
        {"now", NULL, -1, 0},
        {"-401d", NULL, -1, 0},
        {"yesterday", NULL, -1, 0},
        {"-1h", "-2h", -1, 0},
        {"", NULL, -1, 0},
        {"-", NULL, -1, 0},
        {"2027-13-01T00:00:00Z", NULL, -1, 0},
    };
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    HttpRequest r;

    http_request_init(&r, arena);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        ApiRange range;
        Err err = ERR_INIT;
        http_field_vec_clear(&r.query);
        if (cases[i].from)
            http_field_vec_push(&r.query, (HttpField){"from", cases[i].from});
        if (cases[i].to)
            http_field_vec_push(&r.query, (HttpField){"to", cases[i].to});
        int p = api_param_range(&r, now, &range, &err);
        if (cases[i].ago_from < 0) {
            assert_int_equal(err.code, ERR_PARAMETER_INVALID);
            continue;
        }
        assert_int_equal(p, 0);
        assert_int_equal(now - range.from, cases[i].ago_from * USEC_PER_SEC);
        assert_int_equal(now - range.to, cases[i].ago_to * USEC_PER_SEC);
    }
    http_request_done(&r);
}

static void whole_numbers_are_checked(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    HttpRequest r;
    int64_t n;
    Err err = ERR_INIT;

    http_request_init(&r, arena);
    with(&r, "limit", NULL);
    assert_int_equal(api_param_int(&r, "limit", 1, 10, 7, &n, &err), 0);
    assert_int_equal(n, 7);
    with(&r, "limit", "10");
    assert_int_equal(api_param_int(&r, "limit", 1, 10, 7, &n, &err), 0);
    assert_int_equal(n, 10);
    static const char *const bad[] = {"0", "11", "", "x", "1.5", "1 ", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        with(&r, "limit", bad[i]);
        assert_fails(api_param_int(&r, "limit", 1, 10, 7, &n, &err), &err, ERR_PARAMETER_INVALID, "between 1 and 10");
    }
    http_request_done(&r);
}

static void path_values_that_cannot_be_ids_are_not_found(void **state UNUSED)
{
    static const char *const bad_ints[] = {"0", "-1", "x", "2147483648", ""};
    static const char *const bad_uuids[] = {"", "x", "0f0e0d0c-0b0a-4908-8706-05040302010",
                                            "0f0e0d0c-0b0a-4908-8706-0504030201zz",
                                            "0f0e0d0c00b0a-4908-8706-050403020100"};
    HttpRequest r = {0};
    const char *id;
    Err err = ERR_INIT;

    for (size_t i = 0; i < ARRAY_LENGTH(bad_ints); i++) {
        r.path_values[0] = slice_cstr(bad_ints[i]);
        assert_fails(api_path_int(&r, 0, "server", &id, &err), &err, ERR_NOT_FOUND, "server");
    }
    for (size_t i = 0; i < ARRAY_LENGTH(bad_uuids); i++) {
        r.path_values[0] = slice_cstr(bad_uuids[i]);
        assert_fails(api_path_uuid(&r, 0, "collector", &err), &err, ERR_NOT_FOUND, "collector");
    }
    r.path_values[0] = SLICE_LIT("0f0e0d0c-0b0a-4908-8706-05040302010a");
    assert_int_equal(api_path_uuid(&r, 0, "collector", &err), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_relative_or_absolute_and_bounded),
        cmocka_unit_test(whole_numbers_are_checked),
        cmocka_unit_test(path_values_that_cannot_be_ids_are_not_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
