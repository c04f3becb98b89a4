/* SPDX-License-Identifier: PostgreSQL */
/* When a token ends, and when to ask for the next one. Renewal itself is tested with the sender, against a server. */
#include "tests/support/unit.h"

#include "collector/link/token.h"

#define DAY ((Usec)86400 * USEC_PER_SEC)

static const struct {
    const char *token;
    Usec expiry;
} tokens[] = {
    {"e30.eyJleHAiOjE4MDAwMDAwMDB9.x", 1800000000 * USEC_PER_SEC},                    /* {"exp":1800000000} */
    {"e30.eyJleHAiOjE4MDAwMDAwMDAuNX0.x", 1800000000 * USEC_PER_SEC},                 /* {"exp":1800000000.5} */
    {"e30.eyJleHAiOjB9.x", 0},                                                        /* {"exp":0} */
    {"e30.eyJleHAiOi01fQ.x", 0},                                                      /* {"exp":-5} */
    {"e30.eyJleHAiOjFlMzAwfQ.x", 0},                                                  /* {"exp":1e300} */
    {"e30.eyJleHAiOiIxODAwMDAwMDAwIn0.x", 0},                                         /* {"exp":"1800000000"} */
    {"e30.eyJhIjoiw7_Dvn5-PyIsImV4cCI6MTgwMDAwMDAwMH0.x", 1800000000 * USEC_PER_SEC}, /* with - and _ */
    {"e30.eyJhIjoiw7/Dvn5+PyIsImV4cCI6MTgwMDAwMDAwMH0.x", 0},                         /* the other alphabet */
    {"e30.eyJleHAiOjE4MDAwMDAwMDB9IA.x", 1800000000 * USEC_PER_SEC},                  /* and a space */
    {"e30.eyJleHAiOjE4MDAwMDAwMDB9IA==.x", 0},                                        /* padded */
    {"e30.eyJleHAiOjE4MDAwMDAwMDB9I.x", 0},                                           /* a character alone */
    {"e30. eyJleHAiOjE4MDAwMDAwMDB9.x", 0},
    {"e30.e30.x", 0}, /* {} */
    {"e30.W10.x", 0}, /* [] */
    {"e30.!!!.x", 0},
    {"e30.eyJleHAiOjE4MDAwMDAwMDB9", 0}, /* no signature */
    {"e30", 0},
    {"", 0},
    {"..", 0},
    {"an-opaque-token", 0},
};

static void expiry_is_read_where_there_is_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(tokens); i++)
        if (token_expiry(slice_cstr(tokens[i].token)) != tokens[i].expiry)
            fail_msg("%s", tokens[i].token);
    assert_int_equal(token_expiry(SLICE_NULL), 0);
}

static void overlong_tokens_have_none(void **state)
{
    (void)state;
    Buf token = BUF_INIT;
    buf_append_cstr(&token, "e30.");
    for (unsigned i = 0; i < 100000; i++)
        buf_append_char(&token, 'A');
    buf_append_cstr(&token, ".x");
    assert_int_equal(token_expiry(buf_slice(&token)), 0);
    buf_done(&token);
}

static void due_thirty_days_before(void **state)
{
    (void)state;
    const Usec end = 20000 * DAY;
    assert_false(token_is_due(end, end - 31 * DAY));
    assert_false(token_is_due(end, end - 30 * DAY));
    assert_true(token_is_due(end, end - 30 * DAY + 1));
    assert_true(token_is_due(end, end));
    assert_true(token_is_due(end, end + DAY));
    assert_false(token_is_due(0, end)); /* not known: the backend will say */
}

static void wiping_nothing_is_fine(void **state)
{
    (void)state;
    assert_null(token_wipe(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expiry_is_read_where_there_is_one),
        cmocka_unit_test(overlong_tokens_have_none),
        cmocka_unit_test(due_thirty_days_before),
        cmocka_unit_test(wiping_nothing_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
