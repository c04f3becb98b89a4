/* SPDX-License-Identifier: PostgreSQL */
#include "backend/auth/seal.h"

#include "tests/support/unit.h"

static const uint8_t key_bytes[SEAL_KEY_BYTES] = "0123456789abcdef0123456789abcde";

typedef struct Sealed {
    Seal seal;
    uint8_t nonce[SEAL_NONCE_BYTES];
    Buf text;
} Sealed;

static void seal_something(Sealed *s)
{
    Err err = ERR_INIT;

    seal_init(&s->seal, key_bytes);
    s->text = BUF_INIT;
    assert_int_equal(seal_encrypt(&s->seal, "ca", SLICE_LIT("the secret"), s->nonce, &s->text, &err), 0);
}

static void what_was_sealed_comes_back(void **state UNUSED)
{
    Sealed s;
    _cleanup_buf_ Buf plain = BUF_INIT;

    seal_something(&s);
    assert_int_equal(s.text.len, strlen("the secret") + SEAL_TAG_BYTES);
    assert_int_equal(slice_find(buf_slice(&s.text), SLICE_LIT("secret")), -1);
    assert_int_equal(seal_decrypt(&s.seal, "ca", s.nonce, buf_slice(&s.text), &plain, NULL), 0);
    assert_string_equal(buf_cstr(&plain), "the secret");
    buf_done(&s.text);
}

static void the_same_text_never_looks_the_same(void **state UNUSED)
{
    Sealed a, b;

    seal_something(&a);
    seal_something(&b);
    assert_false(slice_eq(buf_slice(&a.text), buf_slice(&b.text)));
    buf_done(&a.text);
    buf_done(&b.text);
}

static void every_changed_bit_is_noticed(void **state UNUSED)
{
    Sealed s;
    Err err = ERR_INIT;

    seal_something(&s);
    for (size_t i = 0; i < s.text.len * 8; i++) {
        _cleanup_buf_ Buf plain = BUF_INIT;
        s.text.ptr[i / 8] = (char)(s.text.ptr[i / 8] ^ (1 << (i % 8)));
        assert_fails(seal_decrypt(&s.seal, "ca", s.nonce, buf_slice(&s.text), &plain, &err), &err, ERR_CORRUPT,
                     "ENCRYPTION_KEY");
        assert_int_equal(plain.len, 0);
        s.text.ptr[i / 8] = (char)(s.text.ptr[i / 8] ^ (1 << (i % 8)));
    }
    buf_done(&s.text);
}

static void another_name_key_or_length_does_not_open_it(void **state UNUSED)
{
    Sealed s;
    Seal other;
    Err err = ERR_INIT;
    _cleanup_buf_ Buf plain = BUF_INIT;
    uint8_t other_key[SEAL_KEY_BYTES] = "another key of thirty-two bytes";

    seal_something(&s);
    seal_init(&other, other_key);
    assert_fails(seal_decrypt(&s.seal, "jwt", s.nonce, buf_slice(&s.text), &plain, &err), &err, ERR_CORRUPT, "jwt");
    assert_fails(seal_decrypt(&other, "ca", s.nonce, buf_slice(&s.text), &plain, &err), &err, ERR_CORRUPT, "ca");
    assert_fails(seal_decrypt(&s.seal, "ca", s.nonce, SLICE_LIT("short"), &plain, &err), &err, ERR_CORRUPT,
                 "too short");
    assert_string_not_equal(s.seal.key_id, other.key_id);
    seal_done(&other);
    assert_int_equal(other.key[0], 0);
    buf_done(&s.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_sealed_comes_back),
        cmocka_unit_test(the_same_text_never_looks_the_same),
        cmocka_unit_test(every_changed_bit_is_noticed),
        cmocka_unit_test(another_name_key_or_length_does_not_open_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
