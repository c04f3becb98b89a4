/* SPDX-License-Identifier: PostgreSQL */
/* Byte for byte against the format of the manual; that a server takes the stream is shown in tests/sql. */
#include "lib/pg/copy.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void expect(Buf *b, const char *bytes, size_t len)
{
    assert_int_equal(b->len, len);
    assert_memory_equal(b->ptr, bytes, len);
    buf_clear(b);
}
#define EXPECT(b, literal) expect((b), (literal), sizeof(literal) - 1)

static void stream_begins_with_signature_and_ends_with_trailer(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT;
    pg_copy_begin(&b);
    EXPECT(&b, "PGCOPY\n\377\r\n\0"
               "\0\0\0\0"
               "\0\0\0\0");
    pg_copy_row(&b, 258);
    EXPECT(&b, "\1\2");
    pg_copy_end(&b);
    EXPECT(&b, "\377\377");
}

static void fields_carry_length_and_network_order(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT;
    pg_copy_null(&b);
    EXPECT(&b, "\377\377\377\377");
    pg_copy_int4(&b, 0x01020304);
    EXPECT(&b, "\0\0\0\4\1\2\3\4");
    pg_copy_int4(&b, -2);
    EXPECT(&b, "\0\0\0\4\377\377\377\376");
    pg_copy_int8(&b, 0x0102030405060708);
    EXPECT(&b, "\0\0\0\10\1\2\3\4\5\6\7\10");
    pg_copy_int8(&b, INT64_MIN);
    EXPECT(&b, "\0\0\0\10\200\0\0\0\0\0\0\0");
    pg_copy_float8(&b, 1.5);
    EXPECT(&b, "\0\0\0\10\77\370\0\0\0\0\0\0");
    pg_copy_float8(&b, -INFINITY);
    EXPECT(&b, "\0\0\0\10\377\360\0\0\0\0\0\0");
    pg_copy_bool(&b, true);
    EXPECT(&b, "\0\0\0\1\1");
    pg_copy_bool(&b, false);
    EXPECT(&b, "\0\0\0\1\0");
}

static void texts_carry_their_bytes(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT;
    pg_copy_text(&b, SLICE_LIT("h\xc3\xa9"));
    EXPECT(&b, "\0\0\0\3h\303\251");
    pg_copy_text(&b, SLICE_LIT(""));
    EXPECT(&b, "\0\0\0\0");
    pg_copy_jsonb(&b, SLICE_LIT("{}"));
    EXPECT(&b, "\0\0\0\3\1{}");
}

static void timestamps_count_from_2000(void **state)
{
    (void)state;
    _cleanup_buf_ Buf b = BUF_INIT;
    pg_copy_timestamptz(&b, USEC_POSTGRES_EPOCH);
    EXPECT(&b, "\0\0\0\10\0\0\0\0\0\0\0\0");
    pg_copy_timestamptz(&b, USEC_POSTGRES_EPOCH + 258);
    EXPECT(&b, "\0\0\0\10\0\0\0\0\0\0\1\2");
    pg_copy_timestamptz(&b, USEC_POSTGRES_EPOCH - 1);
    EXPECT(&b, "\0\0\0\10\377\377\377\377\377\377\377\377");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_begins_with_signature_and_ends_with_trailer),
        cmocka_unit_test(fields_carry_length_and_network_order),
        cmocka_unit_test(texts_carry_their_bytes),
        cmocka_unit_test(timestamps_count_from_2000),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
