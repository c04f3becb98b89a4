/* SPDX-License-Identifier: PostgreSQL */
#include "lib/base/siphash.h"

#include <endian.h>

#include <sodium.h>

#include "lib/base/random.h"
#include "tests/support/unit.h"

/* The example of the paper: key 00 01 .. 0f, text 00 01 .. 0e. */
static void what_was_published(void **state)
{
    (void)state;
    char text[15];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)i;
    const SipKey key = {.words = {0x0706050403020100u, 0x0f0e0d0c0b0a0908u}};
    assert_int_equal(siphash(&key, slice_from(text, sizeof(text))), 0xa129ca6149be45e5u);
}

static void of_every_length_what_another_implementation_says(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 300; len++) {
        unsigned char bytes[crypto_shorthash_KEYBYTES], wanted[crypto_shorthash_BYTES], *text = malloc(len + 1);
        SipKey key;
        uint64_t number;
        assert_non_null(text);
        random_bytes(bytes, sizeof(bytes));
        random_bytes(text, len);
        for (size_t i = 0; i < 2; i++) {
            memcpy(&number, bytes + i * 8, 8);
            key.words[i] = le64toh(number);
        }
        assert_int_equal(crypto_shorthash(wanted, text, len, bytes), 0);
        memcpy(&number, wanted, 8);
        assert_int_equal(siphash(&key, slice_from(text, len)), le64toh(number));
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_published),
        cmocka_unit_test(of_every_length_what_another_implementation_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
