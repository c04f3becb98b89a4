/* SPDX-License-Identifier: PostgreSQL */
#include "backend/api/servers.c" /* for step_default, param_step, param_labels */

#include "tests/support/unit.h"

static void with(HttpRequest *r, const char *name, const char *value)
{
    http_field_vec_clear(&r->query);
    if (value)
        http_field_vec_push(&r->query, (HttpField){.name = name, .value = value});
}

static void steps_suit_the_range(void **state UNUSED)
{
    static const int64_t cases[][2] = {{900, 10},    {3600, 10},         {5000, 10},          {5010, 30},
                                       {86400, 300}, {30 * 86400, 7200}, {400 * 86400, 86400}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
        assert_int_equal(step_default(&(ApiRange){.from = 0, .to = cases[i][0] * USEC_PER_SEC}), cases[i][1]);
}

static void a_step_is_at_least_a_second_and_gives_a_bounded_number_of_points(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    const ApiRange day = {.from = 0, .to = 86400 * USEC_PER_SEC};
    HttpRequest r;
    int64_t ms;
    Err err = ERR_INIT;

    http_request_init(&r, arena);
    with(&r, "step", "5m");
    assert_int_equal(param_step(&r, &day, &ms, &err), 0);
    assert_int_equal(ms, 300000);
    with(&r, "step", "1s");
    assert_fails(param_step(&r, &day, &ms, &err), &err, ERR_PARAMETER_INVALID, "11000");
    with(&r, "step", "500ms");
    assert_fails(param_step(&r, &day, &ms, &err), &err, ERR_PARAMETER_INVALID, "one second");
    with(&r, "step", "soon");
    assert_fails(param_step(&r, &day, &ms, &err), &err, ERR_PARAMETER_INVALID, "soon");
    http_request_done(&r);
}

static void labels_are_an_object_of_strings(void **state UNUSED)
{
    static const char *const bad[] = {"[]", "{", "\"x\"", "{\"a\":1}", "{\"a\":null}", "{\"a\":{\"b\":{}}}"};
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    HttpRequest r;
    const char *labels;
    Err err = ERR_INIT;

    http_request_init(&r, arena);
    with(&r, "labels", "{\"datname\":\"a'b\"}");
    assert_int_equal(param_labels(&r, &labels, &err), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(bad); i++) {
        with(&r, "labels", bad[i]);
        assert_fails(param_labels(&r, &labels, &err), &err, err.code, "");
    }
    http_request_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(steps_suit_the_range),
        cmocka_unit_test(a_step_is_at_least_a_second_and_gives_a_bounded_number_of_points),
        cmocka_unit_test(labels_are_an_object_of_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
