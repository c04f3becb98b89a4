/* SPDX-License-Identifier: PostgreSQL */
#include "backend/auth/auth.h"

#include "tests/support/unit.h"

static void secrets_are_equal_only_when_all_bytes_are(void **state UNUSED)
{
    assert_true(auth_secret_eq(SLICE_LIT("abc"), SLICE_LIT("abc")));
    assert_false(auth_secret_eq(SLICE_LIT("abc"), SLICE_LIT("abd")));
    assert_false(auth_secret_eq(SLICE_LIT("abc"), SLICE_LIT("abcd")));
    assert_false(auth_secret_eq(SLICE_LIT(""), SLICE_LIT("a")));
    assert_true(auth_secret_eq(SLICE_LIT(""), SLICE_LIT("")));
}

static void refusals_are_counted_by_their_code(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT;

    auth_count_refusal(ERR_TOKEN_EXPIRED);
    auth_count_refusal(ERR_TOKEN_EXPIRED);
    auth_count_refusal(ERR_DISK_FULL); /* not a refusal: not counted */
    telemetry_write_text(&text, auth_telemetry, auth_telemetry_count);
    assert_true(slice_find(buf_slice(&text), SLICE_LIT("{code=\"token_expired\"} 2\n")) > 0);
    assert_true(slice_find(buf_slice(&text), SLICE_LIT("{code=\"forbidden\"} 0\n")) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secrets_are_equal_only_when_all_bytes_are),
        cmocka_unit_test(refusals_are_counted_by_their_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
