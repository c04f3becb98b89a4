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

static void what_follows_from_a_token_depends_on_all_that_it_is_made_of(void **state UNUSED)
{
    static const char one[] = "0123456789012345678901234567890123456789012345678901234567890123";
    static const char other[] = "0123456789012345678901234567890123456789012345678901234567890124";
    const AuthOptions options = {.jwt_secret = one, .jwt_secret_previous = "", .registration_secret = ""};
    const AuthOptions others = {.jwt_secret = other, .jwt_secret_previous = "", .registration_secret = ""};
    _cleanup_(auth_freep) Auth *a = auth_new(&options);
    _cleanup_(auth_freep) Auth *b = auth_new(&others);
    char first[AUTH_TOKEN_SIZE], second[AUTH_TOKEN_SIZE];

    auth_derive(a, AUTH_NEXT_REFRESH, SLICE_LIT("token"), first);
    assert_int_equal(strlen(first), AUTH_TOKEN_SIZE - 1);
    auth_derive(a, AUTH_NEXT_REFRESH, SLICE_LIT("token"), second);
    assert_string_equal(first, second);
    auth_derive(a, AUTH_NEXT_REFRESH, SLICE_LIT("tokem"), second);
    assert_string_not_equal(first, second);
    auth_derive(a, AUTH_CSRF, SLICE_LIT("token"), second);
    assert_string_not_equal(first, second);
    auth_derive(b, AUTH_NEXT_REFRESH, SLICE_LIT("token"), second);
    assert_string_not_equal(first, second);
}

static void failures_are_counted_by_what_one_host_has(void **state UNUSED)
{
    static const struct {
        const char *address;
        const char *network;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7"},
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
        {"2001:db8:1:2::1", "2001:db8:1:2::/64"},
        {"::1", "::/64"},
        {"", ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        assert_string_equal(auth_network_of(cases[i].address, arena), cases[i].network);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_follows_from_a_token_depends_on_all_that_it_is_made_of),
        cmocka_unit_test(failures_are_counted_by_what_one_host_has),
        cmocka_unit_test(secrets_are_equal_only_when_all_bytes_are),
        cmocka_unit_test(refusals_are_counted_by_their_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
