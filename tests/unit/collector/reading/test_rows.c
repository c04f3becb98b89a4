/* SPDX-License-Identifier: PostgreSQL */
#include "collector/reading/rows.h"

#include <math.h>

#include "tests/support/unit.h"

static const FamilyColumn NAME = {.name = "name", .kind = COLUMN_LABEL, .type = COLUMN_TEXT};
static const FamilyColumn COUNT = {.name = "count", .kind = COLUMN_COUNTER, .type = COLUMN_INT8};
static const FamilyColumn SHARE = {.name = "share", .kind = COLUMN_GAUGE, .type = COLUMN_FLOAT8};
static const FamilyColumn *const COLUMNS[] = {&NAME, &COUNT, &SHARE};

static Rows rows;

static int setup(void **state)
{
    (void)state;
    rows_init(&rows);
    rows_begin(&rows, COLUMNS, ARRAY_LENGTH(COLUMNS), 1);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rows_done(&rows);
    return 0;
}

static void values_are_set_by_name_and_type(void **state)
{
    (void)state;
    const Cell *cells = rows_add(&rows);
    rows_set_text(&rows, "name", SLICE_LIT("a"));
    rows_set_int(&rows, "count", 7);
    rows_set_int(&rows, "share", 2); /* becomes a float */
    rows_set_int(&rows, "not declared", 1);
    rows_set_text(&rows, "count", SLICE_LIT("not a number"));
    assert_true(slice_eq_cstr(cells[0].text, "a"));
    assert_true(cells[1].type == CELL_INT && cells[1].integer == 7);
    assert_true(cells[2].type == CELL_FLOAT && fabs(cells[2].number - 2) < 1e-9);

    cells = rows_add(&rows);
    rows_set_float(&rows, "share", NAN); /* not known */
    assert_int_equal(cells[2].type, CELL_NULL);
    assert_int_equal(rows_reading(&rows).row_count, 2);
}

typedef struct TextCase {
    const char *in;
    size_t max;
    const char *out;
} TextCase;

static void texts_are_clean_and_bounded(void **state)
{
    (void)state;
    static const TextCase CASES[] = {
        {"plain", 100, "plain"},
        {"tab\tand\nline", 100, "tab\tand\nline"},
        {"\x01"
         "bell\x07\x7f",
         100, " bell  "},
        {"caf\xc3\xa9", 5, "caf\xc3\xa9"},
        {"caf\xc3\xa9", 4, "caf"}, /* not half a character */
        {"bad \xff\xc3( \xed\xa0\x80", 100,
         "bad ?"
         "?( ???"},
        {"cut \xe2\x82", 100, "cut ??"},
        {"\xc3\xa9t\xc3\xa9 \x01!", 100, "\xc3\xa9t\xc3\xa9  !"},
        {"abc\x01", 3, "abc"},
        {"", 10, ""},
        {"x", 0, ""},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        Slice got = rows_copy_text(&rows, slice_cstr(CASES[i].in), CASES[i].max);
        if (!slice_eq_cstr(got, CASES[i].out))
            fail_msg("case %zu: \"%.*s\"", i, SLICE_ARG(got));
    }
    assert_true(slice_eq_cstr(rows_copy_text(&rows, slice_from("a\0b", 3), 10), "a b"));
}

static void the_bound_on_rows_is_kept_and_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS_MAX; i++)
        assert_non_null(rows_add(&rows));
    assert_null(rows_add(&rows));
    assert_true(rows_reading(&rows).partial);
    assert_int_equal(rows_reading(&rows).row_count, ROWS_MAX);
    rows_begin(&rows, COLUMNS, ARRAY_LENGTH(COLUMNS), 1);
    assert_false(rows_reading(&rows).partial);
}

static void the_bound_on_cells_is_kept_and_memory_given_back(void **state)
{
    (void)state;
    const FamilyColumn *wide[FAMILY_COLUMNS_MAX];
    for (size_t i = 0; i < FAMILY_COLUMNS_MAX; i++)
        wide[i] = &COUNT;
    rows_begin(&rows, wide, FAMILY_COLUMNS_MAX, 0);
    size_t count = 0;
    while (rows_add(&rows))
        count++;
    assert_int_equal(count, ROWS_CELLS_MAX / FAMILY_COLUMNS_MAX);
    assert_true(rows.truncated);
    rows_begin(&rows, wide, FAMILY_COLUMNS_MAX, 0);
    assert_true(rows.cells.capacity > ROWS_CELLS_KEPT); /* the next family of the tick may be as large */
    rows_rest(&rows);
    assert_true(rows.cells.capacity <= ROWS_CELLS_KEPT);
}

static void the_bound_on_bytes_is_kept_and_told(void **state)
{
    (void)state;
    rows_add(&rows);
    rows.bytes = ROWS_BYTES_MAX;
    assert_null(rows_add(&rows));
    assert_true(rows.truncated);
}

static void a_new_reading_has_nothing_of_the_one_before(void **state)
{
    (void)state;
    rows_add(&rows);
    rows_set_text(&rows, "name", SLICE_LIT("abc"));
    assert_int_equal(rows.bytes, 3);
    slice_vec_push(&rows.epochs, SLICE_LIT("e"));
    slice_vec_push(&rows.rolled, SLICE_LIT("r"));
    assert_non_null(rows_reading(&rows).row_epochs);
    assert_non_null(rows_reading(&rows).rolled);
    rows.bytes = ROWS_BYTES_MAX;
    rows_begin(&rows, COLUMNS, ARRAY_LENGTH(COLUMNS), 1);
    assert_null(rows_reading(&rows).row_epochs);
    assert_null(rows_reading(&rows).rolled);
    assert_int_equal(rows_reading(&rows).row_count, 0);
    assert_non_null(rows_add(&rows));
}

static void texts_of_a_source_are_cut_where_the_wire_ends(void **state)
{
    (void)state;
    static char text[WIRE_LABEL_VALUE_MAX + 2];
    memset(text, 'x', sizeof(text) - 1);
    const Cell *cells = rows_add(&rows);
    rows_set_text(&rows, "name", slice_cstr(text));
    assert_int_equal(cells[0].text.len, WIRE_LABEL_VALUE_MAX);
}

int main(void)
{
#define ROWS_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
    const struct CMUnitTest tests[] = {
        ROWS_TEST(values_are_set_by_name_and_type),
        ROWS_TEST(texts_are_clean_and_bounded),
        ROWS_TEST(the_bound_on_rows_is_kept_and_told),
        ROWS_TEST(the_bound_on_cells_is_kept_and_memory_given_back),
        ROWS_TEST(the_bound_on_bytes_is_kept_and_told),
        ROWS_TEST(a_new_reading_has_nothing_of_the_one_before),
        ROWS_TEST(texts_of_a_source_are_cut_where_the_wire_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
