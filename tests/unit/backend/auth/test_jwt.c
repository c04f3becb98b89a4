/* SPDX-License-Identifier: PostgreSQL */
#include "backend/auth/jwt.h"

#include "tests/support/unit.h"

#define KEY_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define KEY_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const Usec now = (Usec)1800000000 * USEC_PER_SEC;
static const JwtKeys keys_a = {.current = {KEY_A, 64}};
static const JwtKeys keys_b = {.current = {KEY_B, 64}};
static const JwtKeys keys_b_after_a = {.current = {KEY_B, 64}, .previous = {KEY_A, 64}};

static const JwtClaims user_claims = {
    .audience = JWT_USER,
    .subject = "0f0e",
    .token_id = "jti-1",
    .login = "a\"da",
    .role = "viewer",
    .issued = (Usec)1800000000 * USEC_PER_SEC,
    .expires = (Usec)1800000900 * USEC_PER_SEC,
};

static void sign(Buf *ret, const JwtKeys *keys, const JwtClaims *claims)
{
    Err err = ERR_INIT;

    buf_clear(ret);
    assert_int_equal(jwt_sign(keys, claims, ret, &err), 0);
}

static void claims_come_back_as_they_were_signed(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    JwtClaims back;
    Err err = ERR_INIT;

    sign(&text, &keys_a, &user_claims);
    assert_int_equal(jwt_verify(&keys_a, buf_slice(&text), JWT_USER, now, arena, &back, &err), 0);
    assert_string_equal(back.subject, user_claims.subject);
    assert_string_equal(back.login, user_claims.login);
    assert_string_equal(back.role, user_claims.role);
    assert_string_equal(back.token_id, user_claims.token_id);
    assert_int_equal(back.expires, user_claims.expires);
}

typedef struct RefusalCase {
    const char *name;
    const JwtKeys *keys;
    JwtAudience audience;
    Usec at;
    ErrCode code;
    const char *text;
} RefusalCase;

static void what_does_not_fit_is_refused(void **state UNUSED)
{
    static const RefusalCase cases[] = {
        {"another key", &keys_b, JWT_USER, now, ERR_TOKEN_INVALID, "signature"},
        {"another audience", &keys_a, JWT_COLLECTOR, now, ERR_TOKEN_INVALID, "not made for this use"},
        {"at its end", &keys_a, JWT_USER, now + 900 * USEC_PER_SEC, ERR_TOKEN_EXPIRED, "expired"},
        {"before its time", &keys_a, JWT_USER, now - 61 * USEC_PER_SEC, ERR_TOKEN_INVALID, "future"},
    };
    _cleanup_buf_ Buf text = BUF_INIT;

    sign(&text, &keys_a, &user_claims);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        JwtClaims back;
        Err err = ERR_INIT;
        print_message("%s\n", cases[i].name);
        assert_fails(jwt_verify(cases[i].keys, buf_slice(&text), cases[i].audience, cases[i].at, arena, &back, &err),
                     &err, cases[i].code, cases[i].text);
    }
}

static void the_previous_key_is_accepted_during_rotation(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    JwtClaims back;

    sign(&text, &keys_a, &user_claims);
    assert_int_equal(jwt_verify(&keys_b_after_a, buf_slice(&text), JWT_USER, now, arena, &back, NULL), 0);
}

static void text_that_is_no_token_of_ours_is_refused(void **state UNUSED)
{
    /* {"alg":"none"} with our claims, {"alg":"HS512"}, cut, empty, and nonsense. */
    static const char *const texts[] = {
        "",
        "x",
        "a.b.c",
        "eyJhbGciOiJub25lIn0.eyJpc3MiOiJwZ2FuYWx5dGljcyIsImF1ZCI6InVzZXIifQ.",
        "eyJhbGciOiJIUzUxMiJ9.eyJpc3MiOiJwZ2FuYWx5dGljcyIsImF1ZCI6InVzZXIifQ.AAAA",
        "....",
        "eyJhbGciOiJIUzI1NiJ9",
    };

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        JwtClaims back;
        Err err = ERR_INIT;
        assert_fails(jwt_verify(&keys_a, slice_cstr(texts[i]), JWT_USER, now, arena, &back, &err), &err,
                     ERR_TOKEN_INVALID, "token");
    }
}

static void every_changed_character_is_noticed(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT;

    sign(&text, &keys_a, &user_claims);
    for (size_t i = 0; i + 1 < text.len; i++) { /* the last one holds bits that base64url does not use */
        _cleanup_(arena_freep) Arena *arena = arena_new(0);
        JwtClaims back;
        char was = text.ptr[i];
        text.ptr[i] = was == 'A' ? 'B' : 'A';
        assert_true(jwt_verify(&keys_a, buf_slice(&text), JWT_USER, now, arena, &back, NULL) < 0);
        text.ptr[i] = was;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_come_back_as_they_were_signed),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(the_previous_key_is_accepted_during_rotation),
        cmocka_unit_test(text_that_is_no_token_of_ours_is_refused),
        cmocka_unit_test(every_changed_character_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
