/* SPDX-License-Identifier: PostgreSQL */
/* What becomes of a row that came in binary form: rows as libpq holds them, without a server. Whole families run
 * against real servers in tests/sql/test_families.py. */
#include "collector/server/family_runner.c"

#include "tests/support/unit.h"

static const FamilyColumn NAME = {.name = "name", .kind = COLUMN_LABEL, .type = COLUMN_TEXT};
static const FamilyColumn COUNT = {.name = "count", .kind = COLUMN_COUNTER, .type = COLUMN_INT8};
static const FamilyColumn SHARE = {.name = "share", .kind = COLUMN_GAUGE, .type = COLUMN_FLOAT8};
static const FamilyColumn NOTE = {.name = "note", .kind = COLUMN_INFO, .type = COLUMN_TEXT};
static const FamilyColumn *const COLUMNS[] = {&NAME, &COUNT, &SHARE, &NOTE};

static Family family;
static ResolvedFamily resolved;
static FamilyRun run;
static Rows rows;
static Reader shared;
static RowReader reader;

static int setup(void **state)
{
    (void)state;
    family = (Family){.name = "f"};
    resolved = (ResolvedFamily){.family = &family, .columns = COLUMNS, .column_count = 4, .label_count = 1};
    run = (FamilyRun){.family = &resolved};
    rows_init(&rows);
    shared = (Reader){.rows = &rows};
    reader = (RowReader){.run = &run, .shared = &shared};
    on_begin(&reader);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rows_done(&rows);
    buf_done(&shared.scratch);
    return 0;
}

/* A row of one value a column; absent: NULL. */
static int take(const Slice *values, int count)
{
    PGresult *row = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    static char column_name[] = "c";
    PGresAttDesc columns[8] = {{.name = NULL}};
    for (int i = 0; i < count; i++)
        columns[i] = (PGresAttDesc){.name = column_name, .format = 1};
    assert_int_equal(PQsetResultAttrs(row, count, columns), 1);
    for (int i = 0; i < count; i++)
        assert_int_equal(
            PQsetvalue(row, 0, i, (char *)(uintptr_t)values[i].ptr, values[i].ptr ? (int)values[i].len : -1), 1);
    int r = on_row(&reader, row, 0);
    PQclear(row);
    return r;
}

#define BYTES(literal) slice_from((literal), sizeof(literal) - 1)

static const Cell *cell(size_t row, size_t column)
{
    assert_true(row < rows.row_count);
    return &rows.cells.items[row * rows.column_count + column];
}

typedef struct NumberCase {
    Slice count, share;
    int64_t integer;
    double number;
} NumberCase;

static void numbers_are_read_in_network_order(void **state)
{
    (void)state;
    const NumberCase cases[] = {
        {BYTES("\0\0\0\0\0\0\0\7"), BYTES("\x3f\xf8\0\0\0\0\0\0"), 7, 1.5},
        {BYTES("\1\2\3\4\5\6\7\10"), BYTES("\xc0\x59\0\0\0\0\0\0"), 0x0102030405060708, -100},
        {BYTES("\xff\xff\xff\xff\xff\xff\xff\xfe"), BYTES("\0\0\0\0\0\0\0\0"), -2, 0},
        {BYTES("\x80\0\0\0\0\0\0\0"), BYTES("\x7f\xef\xff\xff\xff\xff\xff\xff"), INT64_MIN, 1.7976931348623157e308},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const Slice values[] = {BYTES("a"), cases[i].count, cases[i].share, SLICE_NULL};
        assert_true(take(values, 4) >= 0);
        assert_int_equal(cell(i, 1)->type, CELL_INT);
        assert_true(cell(i, 1)->integer == cases[i].integer);
        assert_int_equal(cell(i, 2)->type, CELL_FLOAT);
        assert_true(!(cell(i, 2)->number < cases[i].number) && !(cell(i, 2)->number > cases[i].number));
        assert_int_equal(cell(i, 3)->type, CELL_NULL);
    }
}

static void what_is_no_number_is_not_known(void **state)
{
    (void)state;
    static const char *const NONE[] = {"\x7f\xf8\0\0\0\0\0\0", "\x7f\xf0\0\0\0\0\0\0", "\xff\xf0\0\0\0\0\0\0"};
    for (size_t i = 0; i < ARRAY_LENGTH(NONE); i++) {
        const Slice values[] = {BYTES("a"), SLICE_NULL, slice_from(NONE[i], 8), BYTES("")};
        assert_true(take(values, 4) >= 0);
        assert_int_equal(cell(i, 1)->type, CELL_NULL);
        assert_int_equal(cell(i, 2)->type, CELL_NULL);
        assert_int_equal(cell(i, 3)->type, CELL_TEXT);
        assert_int_equal(cell(i, 3)->text.len, 0);
    }
}

static void another_width_is_an_error_that_names_the_column(void **state)
{
    (void)state;
    static const size_t WIDTHS[] = {0, 4, 7, 9, 16};
    for (size_t i = 0; i < ARRAY_LENGTH(WIDTHS); i++) {
        const Slice values[] = {BYTES("a"), slice_from("0123456789abcdef", WIDTHS[i]), SLICE_NULL, SLICE_NULL};
        assert_true(take(values, 4) < 0);
        assert_err(&shared.err, ERR_SQL, "family f: column count:");
        assert_non_null(strstr(shared.err.detail, "type int8"));
    }
}

static void another_number_of_columns_is_an_error(void **state)
{
    (void)state;
    const Slice values[] = {BYTES("a"), SLICE_NULL, SLICE_NULL, SLICE_NULL, SLICE_NULL};
    assert_true(take(values, 3) < 0);
    assert_err(&shared.err, ERR_SQL, "3 columns came back, 4 are declared");
    assert_true(take(values, 5) < 0);
    assert_err(&shared.err, ERR_SQL, "5 columns came back, 4 are declared");
}

/* Behind the family's own columns: the row's epoch, then a label each of what it is added up in. */
static void hidden_columns_follow_the_familys_own(void **state)
{
    (void)state;
    resolved.has_epoch = resolved.has_roll_up = true;
    const Slice first[] = {BYTES("a"), SLICE_NULL, SLICE_NULL, SLICE_NULL, BYTES("then"), BYTES("root")};
    const Slice second[] = {BYTES("b"), SLICE_NULL, SLICE_NULL, SLICE_NULL, SLICE_NULL, SLICE_NULL};
    assert_true(take(first, 6) >= 0 && take(second, 6) >= 0);
    const Reading reading = rows_reading(&rows);
    assert_int_equal(reading.row_count, 2);
    assert_slice(reading.row_epochs[0], "then");
    assert_slice(reading.rolled[0], "root");
    assert_slice(reading.row_epochs[1], NULL);
    assert_slice(reading.rolled[1], NULL);
}

/* Behind these: which row it is, and what it is like; or, alone, which one there is no more. */
static void states_are_hidden_columns_and_what_is_gone_is_no_row(void **state)
{
    (void)state;
    resolved.has_epoch = resolved.has_state = true;
    on_begin(&reader);
    const Slice named[] = {BYTES("a"),
                           SLICE_NULL,
                           SLICE_NULL,
                           SLICE_NULL,
                           BYTES("then"),
                           BYTES("\0\0\0\0\0\0\0\7"),
                           BYTES("\0\0\0\0\0\0\0\5"),
                           SLICE_NULL};
    const Slice nameless[] = {
        BYTES("b"), SLICE_NULL, SLICE_NULL, SLICE_NULL, SLICE_NULL, SLICE_NULL, BYTES("\0\0\0\0\0\0\0\6"), SLICE_NULL};
    const Slice gone[] = {SLICE_NULL, SLICE_NULL, SLICE_NULL, SLICE_NULL,
                          SLICE_NULL, SLICE_NULL, SLICE_NULL, BYTES("\xff\xff\xff\xff\xff\xff\xff\xfe")};
    assert_true(take(gone, 8) >= 0 && take(named, 8) >= 0 && take(nameless, 8) >= 0);
    const Reading reading = rows_reading(&rows);
    assert_int_equal(reading.row_count, 2);
    assert_true(reading.states[0].id == 7 && reading.states[0].state == 5 && reading.states[1].id == 0);
    assert_slice(reading.row_epochs[0], "then");
    assert_int_equal(reading.gone_count, 1);
    assert_true(reading.gone[0] == (uint64_t)-2);
    rows_begin(&rows, COLUMNS, 4, 1);
    assert_null(rows_reading(&rows).states);
    assert_int_equal(rows_reading(&rows).gone_count, 0);
}

/* That servers take it is shown in tests/system/test_known_rows.py. */
static void what_is_known_is_told_in_two_arrays(void **state)
{
    (void)state;
    RowStateVec known = {0};
    row_state_vec_push(&known, (RowState){.id = 7, .state = 5});
    row_state_vec_push(&known, (RowState){.id = 8, .state = (uint64_t)-1});
    run.known = &known;
    const PgQuery query = make_step(&reader).query;
    assert_int_equal(query.param_count, 2);
    for (size_t i = 0; i < query.param_count; i++) {
        _cleanup_buf_ Buf expect = BUF_INIT;
        pg_array_begin_int8(&expect, 2);
        pg_array_add_int8(&expect, i ? 5 : 7);
        pg_array_add_int8(&expect, i ? -1 : 8);
        assert_int_equal(query.param_formats[i], PG_FORMAT_BINARY);
        assert_int_equal(query.param_lengths[i], expect.len);
        assert_memory_equal(query.params[i], expect.ptr, expect.len);
    }
    forget_known(&reader);
    row_state_vec_done(&known);
    run.known = NULL;
    assert_int_equal(make_step(&reader).query.param_count, 0);
    run.parameter = "{}";
    assert_int_equal(make_step(&reader).query.param_count, 1);
}

static void texts_lose_what_is_secret_before_they_are_kept(void **state)
{
    (void)state;
    const Slice values[] = {BYTES("host=x password=hush"), SLICE_NULL, SLICE_NULL, BYTES("host=x password=hush")};
    assert_true(take(values, 4) >= 0);
    assert_slice(cell(0, 0)->text, "host=x password=hush"); /* a label is a name */
    assert_true(slice_find(cell(0, 3)->text, SLICE_LIT("hush")) < 0);

    family.mode = FAMILY_MODE_TEXTS;
    const Slice statement[] = {BYTES("1"), SLICE_NULL, SLICE_NULL, BYTES("select 'hush' where a = 4711")};
    assert_true(take(statement, 4) >= 0);
    assert_true(slice_find(cell(1, 3)->text, SLICE_LIT("hush")) < 0);
    assert_true(slice_find(cell(1, 3)->text, SLICE_LIT("4711")) < 0);
    assert_true(slice_find(cell(1, 3)->text, SLICE_LIT("select")) == 0);
}

static void texts_are_cut_and_count_for_the_bound(void **state)
{
    (void)state;
    static char text[INFO_LENGTH_MAX + 100];
    memset(text, 'x', sizeof(text));
    const Slice all = slice_from(text, sizeof(text));
    const Slice values[] = {all, BYTES("\0\0\0\0\0\0\0\7"), SLICE_NULL, all};
    assert_true(take(values, 4) >= 0);
    assert_int_equal(cell(0, 0)->text.len, WIRE_LABEL_VALUE_MAX);
    assert_int_equal(cell(0, 3)->text.len, INFO_LENGTH_MAX);
    assert_true(rows.bytes >= WIRE_LABEL_VALUE_MAX + INFO_LENGTH_MAX);
    rows.bytes = ROWS_BYTES_MAX;
    assert_true(take(values, 4) >= 0); /* left out, no failure */
    assert_int_equal(rows.row_count, 1);
    assert_true(rows.truncated);
}

/* The text as it is kept of a statement that is @count times @character. */
static Slice kept_of(const char *character, size_t count)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    for (size_t i = 0; i < count; i++)
        buf_append_cstr(&text, character);
    const Slice values[] = {BYTES("1"), SLICE_NULL, SLICE_NULL, buf_slice(&text)};
    assert_true(take(values, 4) >= 0);
    return cell(rows.row_count - 1, 3)->text;
}

static void a_statement_that_is_cut_says_so(void **state)
{
    (void)state;
    const size_t mark = sizeof(CUT_MARK) - 1;
    family.mode = FAMILY_MODE_TEXTS;
    assert_int_equal(kept_of("x", TEXT_CHARACTERS_MAX).len, TEXT_CHARACTERS_MAX);
    Slice cut = kept_of("x", TEXT_CHARACTERS_MAX + 1);
    assert_int_equal(cut.len, TEXT_CHARACTERS_MAX + mark);
    assert_string_equal(arena_dup(rows.arena, slice_skip(cut, cut.len - mark)).ptr, CUT_MARK);

    cut = kept_of("\xe2\x82\xac", TEXT_CHARACTERS_MAX); /* few enough characters, too many bytes */
    assert_true(cut.len > TEXTS_LENGTH_MAX - 3 && cut.len <= TEXTS_LENGTH_MAX);
    assert_true(slice_is_utf8(cut));
    assert_string_equal(arena_dup(rows.arena, slice_skip(cut, cut.len - mark)).ptr, CUT_MARK);
}

static size_t parts;

static void count_part(void *arg)
{
    assert_ptr_equal(arg, &rows);
    assert_int_equal(rows.row_count, TEXTS_PART);
    parts++;
}

static void texts_are_handed_over_part_by_part(void **state)
{
    (void)state;
    family.mode = FAMILY_MODE_TEXTS;
    run.on_part = count_part;
    run.arg = &rows;
    parts = 0;
    const Slice values[] = {BYTES("1"), SLICE_NULL, SLICE_NULL, BYTES("select")};
    for (size_t i = 0; i < 2 * TEXTS_PART + 7; i++)
        assert_true(take(values, 4) >= 0);
    assert_int_equal(parts, 2);
    assert_int_equal(rows.row_count, 7);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_read_in_network_order),
        TEST(what_is_no_number_is_not_known),
        TEST(another_width_is_an_error_that_names_the_column),
        TEST(another_number_of_columns_is_an_error),
        TEST(hidden_columns_follow_the_familys_own),
        TEST(states_are_hidden_columns_and_what_is_gone_is_no_row),
        TEST(what_is_known_is_told_in_two_arrays),
        TEST(texts_lose_what_is_secret_before_they_are_kept),
        TEST(texts_are_cut_and_count_for_the_bound),
        TEST(a_statement_that_is_cut_says_so),
        TEST(texts_are_handed_over_part_by_part),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
