/* SPDX-License-Identifier: PostgreSQL */
/* Content encodings: read back the same, hostile input is refused within the limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <sys/resource.h>

#include "lib/wire/compress.h"

enum { MIB = 1 << 20 };

/* Bytes that compress like text: words in changing order. */
static void fill_text(Buf *out, size_t length)
{
    static const char *const words[] = {"select ", "update ", "pgbench_accounts ", "12345,", "null,", "\"app\""};
    uint32_t state = 1;

    while (out->len < length) {
        state = state * 1664525U + 1013904223U;
        buf_append_cstr(out, words[(state >> 16) % ARRAY_LENGTH(words)]);
    }
}

static void compress(WireEncoding encoding, Slice bytes, Buf *out)
{
    Err err = ERR_INIT;

    if (wire_compress(encoding, bytes, out, &err) != 0)
        fail_msg("%s: %s", wire_encoding_to_string(encoding), err.detail);
}

static void test_quick_is_zstd_too(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT, packed = BUF_INIT, back = BUF_INIT;
    fill_text(&text, MIB);
    assert_int_equal(wire_compress_quickly(buf_slice(&text), &packed, NULL), 0);
    assert_true(packed.len < text.len / 2);
    assert_int_equal(wire_decompress(WIRE_ZSTD, buf_slice(&packed), 2 * MIB, &back, NULL), 0);
    assert_true(slice_eq(buf_slice(&back), buf_slice(&text)));
}

static void test_names_of_encodings(void **state UNUSED)
{
    static const struct {
        const char *text;
        bool known;
        WireEncoding encoding;
    } cases[] = {
        {"", true, WIRE_IDENTITY},   {"identity", true, WIRE_IDENTITY}, {"gzip", true, WIRE_GZIP},
        {"GZip", true, WIRE_GZIP},   {"zstd", true, WIRE_ZSTD},         {"br", false, WIRE_IDENTITY},
        {"gzip2", false, WIRE_GZIP}, {"gzi", false, WIRE_GZIP},         {"gzip, zstd", false, WIRE_GZIP},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        WireEncoding encoding = _WIRE_ENCODING_MAX;
        assert_int_equal(wire_encoding_from_string(slice_cstr(cases[i].text), &encoding), cases[i].known);
        if (cases[i].known)
            assert_int_equal(encoding, cases[i].encoding);
    }
    for (int e = 0; e < _WIRE_ENCODING_MAX; e++) {
        WireEncoding back;
        assert_true(wire_encoding_from_string(slice_cstr(wire_encoding_to_string((WireEncoding)e)), &back));
        assert_int_equal(back, e);
    }
}

static void test_every_size_is_read_back_the_same(void **state UNUSED)
{
    static const size_t sizes[] = {0, 1, 2, 100, 16383, 16384, 16385, 131072, 131073, 3 * MIB + 7};
    _cleanup_buf_ Buf text = BUF_INIT;

    fill_text(&text, 4 * MIB);
    for (int e = 0; e < _WIRE_ENCODING_MAX; e++)
        for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
            _cleanup_buf_ Buf packed = BUF_INIT, back = BUF_INIT;
            Slice bytes = slice_from(text.ptr, sizes[i]);
            Err err = ERR_INIT;
            buf_append_cstr(&back, "kept");
            compress((WireEncoding)e, bytes, &packed);
            if (wire_decompress((WireEncoding)e, buf_slice(&packed), sizes[i], &back, &err) != 0)
                fail_msg("%s of %zu bytes: %s", wire_encoding_to_string((WireEncoding)e), sizes[i], err.detail);
            assert_int_equal(back.len, 4 + sizes[i]);
            assert_memory_equal(back.ptr, "kept", 4);
            assert_memory_equal(back.ptr + 4, text.ptr, sizes[i]);
            assert_int_equal(back.ptr[back.len], 0);
        }
}

static void test_a_byte_more_than_the_limit_is_refused(void **state UNUSED)
{
    static const size_t sizes[] = {1, 100, 16385, 131073, 3 * MIB};
    _cleanup_buf_ Buf text = BUF_INIT;

    fill_text(&text, 4 * MIB);
    for (int e = 0; e < _WIRE_ENCODING_MAX; e++)
        for (size_t i = 0; i < ARRAY_LENGTH(sizes); i++) {
            _cleanup_buf_ Buf packed = BUF_INIT, back = BUF_INIT;
            Err err = ERR_INIT;
            buf_append_cstr(&back, "kept");
            compress((WireEncoding)e, slice_from(text.ptr, sizes[i]), &packed);
            assert_true(wire_decompress((WireEncoding)e, buf_slice(&packed), sizes[i] - 1, &back, &err) < 0);
            assert_int_equal(err.code, ERR_TOO_LARGE);
            assert_string_equal(buf_cstr(&back), "kept");
        }
}

/* A frame of @blocks run-length blocks, 128 KiB of zeros in four bytes each, no content size. */
static void make_zstd_bomb(Buf *out, uint32_t blocks, int window_log)
{
    buf_append_u32le(out, 0xFD2FB528U);
    buf_append_u8(out, 0); /* no checksum, no dictionary, size not told */
    buf_append_u8(out, (uint8_t)((window_log - 10) << 3));
    for (uint32_t i = 0; i < blocks; i++) {
        uint32_t header = (uint32_t)(i == blocks - 1) | 1U << 1 | (128U << 10) << 3;
        for (int byte = 0; byte < 3; byte++)
            buf_append_u8(out, (uint8_t)(header >> (8 * byte)));
        buf_append_u8(out, 0);
    }
}

static void test_limit_of_the_output_buffer_counts_too(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT;

    fill_text(&text, 100000);
    for (int e = 0; e < _WIRE_ENCODING_MAX; e++) {
        _cleanup_buf_ Buf packed = BUF_INIT, back = BUF_INIT_LIMIT(50000);
        Err err = ERR_INIT;
        compress((WireEncoding)e, buf_slice(&text), &packed);
        assert_true(wire_decompress((WireEncoding)e, buf_slice(&packed), MIB, &back, &err) < 0);
        assert_int_equal(err.code, ERR_TOO_LARGE);
        assert_int_equal(back.len, 0);
    }
}

static void test_output_as_large_as_its_buffer_may_be_fits(void **state UNUSED)
{
    enum { BLOCKS = 5, SIZE = BLOCKS * 128 * 1024 };
    _cleanup_buf_ Buf runs = BUF_INIT, back = BUF_INIT_LIMIT(SIZE), small = BUF_INIT_LIMIT(SIZE - 1);
    Err err = ERR_INIT;

    make_zstd_bomb(&runs, BLOCKS, 20); /* does not tell its size, so memory is taken by guess */
    if (wire_decompress(WIRE_ZSTD, buf_slice(&runs), MIB, &back, &err) != 0)
        fail_msg("%s", err.detail);
    assert_int_equal(back.len, SIZE);
    assert_true(wire_decompress(WIRE_ZSTD, buf_slice(&runs), MIB, &small, &err) < 0);
    assert_int_equal(err.code, ERR_TOO_LARGE);
}

static void test_compression_keeps_to_the_limit_of_its_buffer(void **state UNUSED)
{
    for (int e = 0; e < _WIRE_ENCODING_MAX; e++) {
        _cleanup_buf_ Buf packed = BUF_INIT_LIMIT(10);
        Err err = ERR_INIT;
        assert_true(wire_compress((WireEncoding)e, SLICE_LIT("more than ten bytes"), &packed, &err) < 0);
        assert_int_equal(err.code, ERR_TOO_LARGE);
        assert_int_equal(packed.len, 0);
    }
}

static void test_concatenated_members_are_read(void **state UNUSED)
{
    for (int e = WIRE_GZIP; e < _WIRE_ENCODING_MAX; e++) {
        _cleanup_buf_ Buf packed = BUF_INIT, back = BUF_INIT;
        compress((WireEncoding)e, SLICE_LIT("first "), &packed);
        compress((WireEncoding)e, SLICE_LIT(""), &packed);
        compress((WireEncoding)e, SLICE_LIT("second"), &packed);
        assert_int_equal(wire_decompress((WireEncoding)e, buf_slice(&packed), 12, &back, NULL), 0);
        assert_string_equal(buf_cstr(&back), "first second");
        assert_true(wire_decompress((WireEncoding)e, buf_slice(&packed), 11, &back, NULL) < 0);
        buf_append_cstr(&packed, "rubbish");
        Err err = ERR_INIT;
        assert_true(wire_decompress((WireEncoding)e, buf_slice(&packed), 100, &back, &err) < 0);
        assert_int_equal(err.code, ERR_BODY_INVALID);
    }
}

static void test_input_cut_at_every_byte_is_refused(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT;

    fill_text(&text, 5000);
    for (int e = WIRE_GZIP; e < _WIRE_ENCODING_MAX; e++) {
        _cleanup_buf_ Buf packed = BUF_INIT;
        compress((WireEncoding)e, buf_slice(&text), &packed);
        for (size_t length = 0; length < packed.len; length++) {
            _cleanup_buf_ Buf back = BUF_INIT;
            _cleanup_free_ char *exact = malloc(length + 1); /* of its own, so that a read past its end is seen */
            Err err = ERR_INIT;
            memcpy(exact, packed.ptr, length);
            if (wire_decompress((WireEncoding)e, slice_from(exact, length), MIB, &back, &err) >= 0)
                fail_msg("%s: the first %zu of %zu bytes", wire_encoding_to_string((WireEncoding)e), length,
                         packed.len);
            assert_int_equal(err.code, ERR_BODY_INVALID);
            assert_int_equal(back.len, 0);
        }
    }
}

static void test_every_flipped_bit_of_gzip_data_is_seen(void **state UNUSED)
{
    _cleanup_buf_ Buf text = BUF_INIT, packed = BUF_INIT;

    fill_text(&text, 1000);
    compress(WIRE_GZIP, buf_slice(&text), &packed);
    for (size_t bit = 10 * 8; bit < packed.len * 8; bit++) { /* behind the header, whose fields are not checked */
        _cleanup_buf_ Buf back = BUF_INIT;
        packed.ptr[bit / 8] ^= (char)(1 << (bit % 8));
        if (wire_decompress(WIRE_GZIP, buf_slice(&packed), MIB, &back, NULL) == 0)
            assert_true(slice_eq(buf_slice(&back), buf_slice(&text))); /* a bit of padding */
        packed.ptr[bit / 8] ^= (char)(1 << (bit % 8));
    }
}

static long peak_kib(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage); /* cannot fail with these arguments */
    return usage.ru_maxrss;
}

static void assert_bomb_is_refused(WireEncoding encoding, Slice bomb)
{
    _cleanup_buf_ Buf out = BUF_INIT;
    Err err = ERR_INIT;
    long before = peak_kib();

    assert_true(wire_decompress(encoding, bomb, 8 * MIB, &out, &err) < 0);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_int_equal(out.len, 0);
    assert_true(out.capacity <= 2 * 8 * MIB);
    assert_true(peak_kib() - before < 64 * 1024);
}

static void test_zstd_bomb_of_ten_gigabytes_is_refused(void **state UNUSED)
{
    _cleanup_buf_ Buf small = BUF_INIT, bomb = BUF_INIT, back = BUF_INIT;

    make_zstd_bomb(&small, 8, 20);
    assert_int_equal(wire_decompress(WIRE_ZSTD, buf_slice(&small), MIB, &back, NULL), 0); /* the bomb is well made */
    assert_int_equal(back.len, MIB);
    make_zstd_bomb(&bomb, 10 * 1024 * 8, 20);
    assert_true(bomb.len < 400000);
    assert_bomb_is_refused(WIRE_ZSTD, buf_slice(&bomb));
}

static void test_zstd_window_above_eight_megabytes_is_refused(void **state UNUSED)
{
    _cleanup_buf_ Buf allowed = BUF_INIT, refused = BUF_INIT, back = BUF_INIT;
    Err err = ERR_INIT;

    make_zstd_bomb(&allowed, 1, 23);
    assert_int_equal(wire_decompress(WIRE_ZSTD, buf_slice(&allowed), MIB, &back, NULL), 0);
    make_zstd_bomb(&refused, 1, 24);
    assert_true(wire_decompress(WIRE_ZSTD, buf_slice(&refused), MIB, &back, &err) < 0);
    assert_int_equal(err.code, ERR_TOO_LARGE);
    assert_non_null(strstr(err.detail, "window"));
}

static void test_gzip_bomb_of_ten_gigabytes_is_refused(void **state UNUSED)
{
    enum { MEMBER = 256 * MIB, MEMBERS = 40 };
    _cleanup_free_ char *zeros = calloc(MEMBER, 1);
    _cleanup_buf_ Buf member = BUF_INIT, bomb = BUF_INIT;

    assert_non_null(zeros);
    compress(WIRE_GZIP, slice_from(zeros, MEMBER), &member);
    for (int i = 0; i < MEMBERS; i++)
        buf_append(&bomb, buf_slice(&member));
    assert_bomb_is_refused(WIRE_GZIP, buf_slice(&member));
    assert_bomb_is_refused(WIRE_GZIP, buf_slice(&bomb));
}

static void test_claimed_size_is_not_believed(void **state UNUSED)
{
    _cleanup_buf_ Buf gzip = BUF_INIT, zstd = BUF_INIT, back = BUF_INIT;
    Err err = ERR_INIT;

    compress(WIRE_GZIP, SLICE_LIT("small"), &gzip);
    memset(gzip.ptr + gzip.len - 4, 0xff, 4);
    assert_true(wire_decompress(WIRE_GZIP, buf_slice(&gzip), (size_t)1 << 40, &back, &err) < 0);
    assert_int_equal(err.code, ERR_BODY_INVALID);
    assert_true(back.capacity < MIB);

    buf_append_u32le(&zstd, 0xFD2FB528U);
    buf_append_u8(&zstd, 3 << 6); /* the size has eight bytes */
    buf_append_u8(&zstd, 0);
    buf_append_u64le(&zstd, (uint64_t)1 << 40);
    buf_append(&zstd, slice_from("\x0b\x00\x00x", 4)); /* one block, the last: one x */
    assert_true(wire_decompress(WIRE_ZSTD, buf_slice(&zstd), (size_t)1 << 41, &back, &err) < 0);
    assert_int_equal(err.code, ERR_BODY_INVALID);
    assert_true(back.capacity < MIB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quick_is_zstd_too),
        cmocka_unit_test(test_names_of_encodings),
        cmocka_unit_test(test_every_size_is_read_back_the_same),
        cmocka_unit_test(test_a_byte_more_than_the_limit_is_refused),
        cmocka_unit_test(test_limit_of_the_output_buffer_counts_too),
        cmocka_unit_test(test_output_as_large_as_its_buffer_may_be_fits),
        cmocka_unit_test(test_compression_keeps_to_the_limit_of_its_buffer),
        cmocka_unit_test(test_concatenated_members_are_read),
        cmocka_unit_test(test_input_cut_at_every_byte_is_refused),
        cmocka_unit_test(test_every_flipped_bit_of_gzip_data_is_seen),
        cmocka_unit_test(test_zstd_bomb_of_ten_gigabytes_is_refused),
        cmocka_unit_test(test_zstd_window_above_eight_megabytes_is_refused),
        cmocka_unit_test(test_gzip_bomb_of_ten_gigabytes_is_refused),
        cmocka_unit_test(test_claimed_size_is_not_believed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
