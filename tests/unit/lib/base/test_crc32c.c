/* SPDX-License-Identifier: PostgreSQL */
/* CRC-32C: the vectors of RFC 3720, and the same result however the bytes are cut. */
#include "tests/support/unit.h"

#include "lib/base/crc32c.h"

static void gives_the_vectors_of_rfc_3720(void **state)
{
    (void)state;
    unsigned char zeros[32] = {0};
    unsigned char ones[32], up[32], down[32];
    for (int i = 0; i < 32; i++) {
        ones[i] = 0xFF;
        up[i] = (unsigned char)i;
        down[i] = (unsigned char)(31 - i);
    }
    assert_int_equal(crc32c(0, slice_from(zeros, 32)), 0x8A9136AA);
    assert_int_equal(crc32c(0, slice_from(ones, 32)), 0x62A8AB43);
    assert_int_equal(crc32c(0, slice_from(up, 32)), 0x46DD794E);
    assert_int_equal(crc32c(0, slice_from(down, 32)), 0x113FDB5C);
    assert_int_equal(crc32c(0, SLICE_LIT("123456789")), 0xE3069283);
    assert_int_equal(crc32c(0, SLICE_NULL), 0);
}

static void goes_on_where_it_was_cut(void **state)
{
    (void)state;
    const Slice text = SLICE_LIT("the quick brown fox jumps over the lazy dog");
    uint32_t whole = crc32c(0, text);
    for (size_t cut = 0; cut <= text.len; cut++)
        assert_int_equal(crc32c(crc32c(0, slice_from(text.ptr, cut)), slice_skip(text, cut)), whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_the_vectors_of_rfc_3720),
        cmocka_unit_test(goes_on_where_it_was_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
