/* SPDX-License-Identifier: PostgreSQL */
/* The bytes of a reading: numbers at their limits, and what a damaged file may claim. What readings mean is in
 * test_delta.c. */
#include "collector/increase/generation.h"

#include "tests/support/unit.h"

static void numbers_and_strings_read_back(void **state)
{
    (void)state;
    static const uint64_t NUMBERS[] = {0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX};
    _cleanup_buf_ Buf bytes = BUF_INIT;
    for (size_t i = 0; i < ARRAY_LENGTH(NUMBERS); i++)
        generation_put_number(&bytes, NUMBERS[i]);
    generation_put_string(&bytes, SLICE_LIT("a\0b"));
    generation_put_string(&bytes, SLICE_LIT(""));

    Slice rest = buf_slice(&bytes), text;
    for (size_t i = 0; i < ARRAY_LENGTH(NUMBERS); i++) {
        uint64_t value;
        assert_true(generation_get_number(&rest, &value));
        assert_true(value == NUMBERS[i]);
    }
    assert_true(generation_get_string(&rest, &text) && text.len == 3);
    assert_true(generation_get_string(&rest, &text) && text.len == 0);
    assert_int_equal(rest.len, 0);
}

static void numbers_and_strings_that_are_damaged(void **state)
{
    (void)state;
    uint64_t value;
    Slice text;
    Slice endless = SLICE_LIT("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01");
    assert_false(generation_get_number(&endless, &value));
    Slice cut = SLICE_LIT("\x80");
    assert_false(generation_get_number(&cut, &value));
    Slice longer_than_there_is = SLICE_LIT("\x05"
                                           "abc");
    assert_false(generation_get_string(&longer_than_there_is, &text));
    Slice huge = SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
                           "abc");
    assert_false(generation_get_string(&huge, &text));
}

/* All of a row is written, also what it does not have: its memory is what another one's was. */
static void a_row_is_written_whole(void **state)
{
    (void)state;
    static const FamilyColumn LABEL = {.name = "l", .kind = COLUMN_LABEL, .type = COLUMN_TEXT};
    static const FamilyColumn COUNT = {.name = "n", .kind = COLUMN_COUNTER, .type = COLUMN_INT8};
    static const FamilyColumn *const COLUMNS[] = {&LABEL, &COUNT};
    Cell cells[] = {{.type = CELL_TEXT, .text = SLICE_LIT("a")}, {.type = CELL_NULL}};
    const Reading reading = {.family = "f",
                             .epoch = "e",
                             .columns = COLUMNS,
                             .column_count = 2,
                             .label_count = 1,
                             .cells = cells,
                             .row_count = 1};
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    _cleanup_(generation_freep) Generation *g = generation_new(&reading, NULL, arena);
    assert_true(g->row_epochs[0] == 0 && g->bits[0] == 0 && g->types[0] == VALUE_NULL && g->places[0] == 0);
    assert_null(g->states);

    _cleanup_buf_ Buf bytes = BUF_INIT;
    generation_save(g, &bytes);
    Slice rest = buf_slice(&bytes);
    _cleanup_(generation_freep) Generation *loaded = NULL;
    assert_int_equal(generation_load(&loaded, &rest, NULL), 0);
    assert_true(loaded->row_epochs[0] == 0 && loaded->bits[0] == 0 && loaded->places[0] == 0);
}

static void append_head(Buf *bytes, uint64_t columns, uint64_t rows)
{
    generation_put_string(bytes, SLICE_LIT("epoch"));
    buf_append_u64le(bytes, 5);
    generation_put_number(bytes, columns);
    for (uint64_t i = 0; i < columns && i < 4; i++)
        generation_put_string(bytes, SLICE_LIT("c"));
    generation_put_number(bytes, rows);
}

static void append_row(Buf *bytes, const char *key, uint8_t type, const char *value, size_t len)
{
    generation_put_string(bytes, slice_cstr(key));
    buf_append_u64le(bytes, 0);
    buf_append_u8(bytes, type);
    buf_append(bytes, slice_from(value, len));
}

static void refuse(const Buf *bytes)
{
    Generation *g = NULL;
    Slice rest = buf_slice(bytes);
    Err err = ERR_INIT;
    assert_true(generation_load(&g, &rest, &err) < 0);
    assert_err(&err, ERR_CORRUPT, "damaged");
    assert_null(g);
}

static void counts_that_the_bytes_do_not_cover_are_refused(void **state)
{
    (void)state;
    _cleanup_buf_ Buf rows = BUF_INIT, columns = BUF_INIT;
    append_head(&rows, 1, (uint64_t)1 << 60);
    append_row(&rows, "a", VALUE_NULL, "", 0);
    refuse(&rows);
    append_head(&columns, FAMILY_COLUMNS_MAX + 2, 0);
    refuse(&columns);
}

static void rows_out_of_order_or_of_unknown_type_are_refused(void **state)
{
    (void)state;
    _cleanup_buf_ Buf order = BUF_INIT, twice = BUF_INIT, type = BUF_INIT, good = BUF_INIT;
    append_head(&order, 1, 2);
    append_row(&order, "b", VALUE_NULL, "", 0);
    append_row(&order, "a", VALUE_NULL, "", 0);
    refuse(&order);
    append_head(&twice, 1, 2);
    append_row(&twice, "a", VALUE_NULL, "", 0);
    append_row(&twice, "a", VALUE_NULL, "", 0);
    refuse(&twice);
    append_head(&type, 1, 1);
    append_row(&type, "a", _VALUE_TYPE_MAX, "", 0);
    refuse(&type);

    append_head(&good, 1, 2);
    append_row(&good, "a", VALUE_INT, "\x03", 1); /* zigzag: -2 */
    append_row(&good, "b", VALUE_NULL, "", 0);
    _cleanup_(generation_freep) Generation *g = NULL;
    Slice rest = buf_slice(&good);
    Err err = ERR_INIT;
    assert_ok(generation_load(&g, &rest, &err), &err);
    assert_int_equal(rest.len, 0);
    assert_int_equal(g->row_count, 2);
    assert_true((int64_t)g->bits[0] == -2 && g->types[1] == VALUE_NULL);
    assert_slice(generation_key(g, 1), "b");
    assert_int_equal(generation_find_column(g, "c", 7), 0);
    assert_int_equal(generation_find_column(g, "d", 0), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_and_strings_read_back),
        cmocka_unit_test(numbers_and_strings_that_are_damaged),
        cmocka_unit_test(a_row_is_written_whole),
        cmocka_unit_test(counts_that_the_bytes_do_not_cover_are_refused),
        cmocka_unit_test(rows_out_of_order_or_of_unknown_type_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
