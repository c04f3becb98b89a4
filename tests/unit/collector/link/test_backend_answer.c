/* SPDX-License-Identifier: PostgreSQL */
/* Which answers end a batch, and which keep it: only the backend's own word gives one up. */
#include "tests/support/unit.h"

#include <stdio.h>

#include "collector/link/backend_answer.h"

static HttpAnswer answer_of(int status, const char *body)
{
    HttpAnswer a = {.status = status};
    buf_append_cstr(&a.body, body);
    return a;
}

#define OURS(code) "{\"error\":{\"code\":\"" code "\",\"message\":\"because\"}}"

static const struct {
    int status;
    const char *body;
    PushVerdict verdict;
} cases[] = {
    {200, "", PUSH_ACCEPTED},
    {202, "", PUSH_ACCEPTED},
    {400, OURS("body_invalid"), PUSH_REFUSED},
    {400, OURS("syntax"), PUSH_REFUSED},
    {413, OURS("too_large"), PUSH_REFUSED},
    {422, OURS("unprocessable"), PUSH_REFUSED},
    {400, OURS("framing_invalid"), PUSH_WAIT_THIS},
    {400, "", PUSH_WAIT_THIS},
    {400, "<html>", PUSH_WAIT_THIS},
    {400, "{\"error\":\"body_invalid\"}", PUSH_WAIT_THIS},
    {400, "{\"error\":{\"code\":\"body_invalid\"}}", PUSH_WAIT_THIS},
    {413, "<html>413</html>", PUSH_WAIT_THIS},
    {401, OURS("token_expired"), PUSH_RENEW_TOKEN},
    {401, OURS("token_invalid"), PUSH_RENEW_TOKEN},
    {401, OURS("certificate_required"), PUSH_WAIT_ALL},
    {401, "", PUSH_WAIT_ALL},
    {403, OURS("identity_mismatch"), PUSH_WAIT_ALL},
    {403, "", PUSH_WAIT_ALL},
    {404, "", PUSH_WAIT_ALL},
    {415, "", PUSH_REENCODE},
    {429, OURS("too_many_requests"), PUSH_WAIT_ALL},
    {500, OURS("internal"), PUSH_WAIT_THIS},
    {501, "", PUSH_WAIT_THIS},
    {502, "", PUSH_WAIT_ALL},
    {503, OURS("unavailable"), PUSH_WAIT_ALL},
    {504, "", PUSH_WAIT_ALL},
    {301, "", PUSH_WAIT_THIS},
};

static void each_answer_has_its_verdict(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        HttpAnswer a = answer_of(cases[i].status, cases[i].body);
        BackendError error;
        backend_error_read(&a, &error);
        const PushVerdict verdict = push_verdict_of(a.status, &error);
        if (verdict != cases[i].verdict)
            fail_msg("%d %s: %s", cases[i].status, cases[i].body, push_verdict_to_string(verdict));
        http_answer_done(&a);
    }
}

static void verdicts_have_names(void **state)
{
    (void)state;
    for (PushVerdict v = 0; v < _PUSH_VERDICT_MAX; v++)
        assert_non_null(push_verdict_to_string(v));
}

static void error_carries_code_message_and_hint(void **state)
{
    (void)state;
    HttpAnswer a = answer_of(
        403, "{\"error\":{\"code\":\"forbidden\",\"message\":\"not you\",\"hint\":\"ask\",\"request_id\":\"r\"}}");
    Err err = ERR_INIT;
    assert_fails(backend_error_set(&err, "push", &a), &err, ERR_FORBIDDEN,
                 "push: the backend answered 403: forbidden: not you");
    assert_string_equal(err.hint, "ask");
    http_answer_done(&a);

    a = answer_of(500, "{\"error\":{\"code\":\"from_the_future\",\"message\":\"new\"}}");
    assert_fails(backend_error_set(&err, "push", &a), &err, ERR_UNAVAILABLE, "from_the_future: new");
    http_answer_done(&a);

    a = answer_of(502, "<html>");
    assert_fails(backend_error_set(&err, "push", &a), &err, ERR_UNAVAILABLE, "answer 502");
    assert_non_null(strstr(err.hint, "proxy"));
    http_answer_done(&a);
}

static void overlong_members_are_cut(void **state)
{
    (void)state;
    HttpAnswer a = answer_of(500, "{\"error\":{\"code\":\"");
    for (unsigned i = 0; i < 3000; i++)
        buf_append_cstr(&a.body, "\xc3\xa9");
    buf_append_cstr(&a.body, "\",\"message\":\"");
    for (unsigned i = 0; i < 3000; i++)
        buf_append_cstr(&a.body, "\xc3\xa9");
    buf_append_cstr(&a.body, "\"}}");
    BackendError error;
    backend_error_read(&a, &error);
    assert_true(error.ours);
    assert_int_equal(strlen(error.code), sizeof(error.code) - 1);
    Err err = ERR_INIT;
    assert_true(backend_error_set(&err, "push", &a) < 0);
    http_answer_done(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_answer_has_its_verdict),
        cmocka_unit_test(verdicts_have_names),
        cmocka_unit_test(error_carries_code_message_and_hint),
        cmocka_unit_test(overlong_members_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
