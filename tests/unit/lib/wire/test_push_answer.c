/* SPDX-License-Identifier: PostgreSQL */
/* The answer to a push: written, read, and read from a newer or a faulty backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/wire/push.h"

static const char example[] = "{\"accepted\":{\"rows\":1150,\"values\":25600},\"duplicate\":true,\"rejected\":["
                              "{\"family\":\"pg_x\",\"reason\":\"no such \\\"family\\\"\",\"rows\":3},"
                              "{\"family\":\"pg_y\",\"reason\":\"too old\",\"rows\":1}],\"config_version\":7}";

static void test_answer_is_written_and_read_back(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    _cleanup_buf_ Buf out = BUF_INIT;
    PushAnswer answer;
    Err err = ERR_INIT;

    assert_int_equal(push_answer_decode(slice_cstr(example), arena, &answer, &err), 0);
    assert_int_equal(answer.accepted_rows, 1150);
    assert_int_equal(answer.accepted_values, 25600);
    assert_true(answer.duplicate);
    assert_int_equal(answer.rejected_count, 2);
    assert_true(slice_eq_cstr(answer.rejected[0].family, "pg_x"));
    assert_true(slice_eq_cstr(answer.rejected[0].reason, "no such \"family\""));
    assert_int_equal(answer.rejected[0].rows, 3);
    assert_int_equal(answer.config_version, 7);
    push_answer_encode(&answer, &out);
    assert_string_equal(buf_cstr(&out), example);
}

static void test_members_of_a_newer_backend_are_passed_over(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushAnswer answer;
    Err err = ERR_INIT;

    int r = push_answer_decode(
        SLICE_LIT("{\"accepted\":{\"rows\":1,\"values\":2,\"texts\":3},\"rejected\":[],\"advice\":\"slower\"}"), arena,
        &answer, &err);
    assert_int_equal(r, 0);
    assert_int_equal(answer.accepted_values, 2);
    assert_int_equal(answer.rejected_count, 0);
    assert_false(answer.duplicate);
}

static void test_faulty_answers_are_refused(void **state UNUSED)
{
    static const struct {
        const char *text, *detail;
    } cases[] = {
        {"<html>bad gateway</html>", "not valid JSON"},
        {"", "empty"},
        {"{}", "rejected"},
        {"{\"rejected\":[]}", "accepted"},
        {"{\"accepted\":{\"rows\":1},\"rejected\":[]}", "accepted.values"},
        {"{\"accepted\":{\"rows\":-1,\"values\":0},\"rejected\":[]}", "accepted.rows"},
        {"{\"accepted\":{\"rows\":1,\"values\":0},\"rejected\":[3]}", "rejected[0]"},
        {"{\"accepted\":{\"rows\":1,\"values\":0},\"rejected\":[{\"family\":\"x\"}]}", "rejected[0].reason"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        PushAnswer answer;
        Err err = ERR_INIT;
        if (push_answer_decode(slice_cstr(cases[i].text), arena, &answer, &err) >= 0)
            fail_msg("accepted: %s", cases[i].text);
        if (!strstr(err.detail, cases[i].detail))
            fail_msg("%s: expected \"%s\" in \"%s\"", cases[i].text, cases[i].detail, err.detail);
    }
}

static void test_answer_cut_at_every_byte_is_refused(void **state UNUSED)
{
    for (size_t length = 0; length < sizeof example - 1; length++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        PushAnswer answer;
        assert_true(push_answer_decode(slice_from(example, length), arena, &answer, NULL) < 0);
    }
}

static void test_answer_with_too_many_rejects_is_refused(void **state UNUSED)
{
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    _cleanup_buf_ Buf text = BUF_INIT;
    PushAnswer answer;
    Err err = ERR_INIT;

    buf_append_cstr(&text, "{\"accepted\":{\"rows\":0,\"values\":0},\"rejected\":[0");
    for (int i = 0; i < WIRE_FRAMES_MAX; i++)
        buf_append_cstr(&text, ",0");
    buf_append_cstr(&text, "]}");
    assert_true(push_answer_decode(buf_slice(&text), arena, &answer, &err) < 0);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answer_is_written_and_read_back),
        cmocka_unit_test(test_members_of_a_newer_backend_are_passed_over),
        cmocka_unit_test(test_faulty_answers_are_refused),
        cmocka_unit_test(test_answer_cut_at_every_byte_is_refused),
        cmocka_unit_test(test_answer_with_too_many_rejects_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
