/* SPDX-License-Identifier: PostgreSQL */
#include "collector/sampling/sample_table.h"

#include <stdio.h>

#include "tests/support/unit.h"

static Catalog *catalog;
static Rows rows;

static int set_up(void **state)
{
    (void)state;
    Err err = ERR_INIT;
    assert_ok(catalog_new_builtin(&catalog, &err), &err);
    rows_init(&rows);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rows_done(&rows);
    catalog = catalog_free(catalog);
    return 0;
}

static const FamilyColumn *columns[FAMILY_COLUMNS_MAX];

static void take(SampleTable *t, size_t max, double seconds)
{
    const Family *f = catalog_find(catalog, SLICE_LIT("session_samples"));
    assert_non_null(f);
    for (size_t i = 0; i < f->column_count; i++)
        columns[i] = &f->columns[i];
    rows_begin(&rows, columns, f->column_count, f->label_count);
    sample_table_take(t, max, seconds, &rows);
}

static const Cell *cell(size_t row, const char *column)
{
    for (size_t i = 0; i < rows.column_count; i++) {
        if (strcmp(rows.columns[i]->name, column) == 0)
            return &rows.cells.items[row * rows.column_count + i];
    }
    fail_msg("no column %s", column);
    return NULL;
}

static Slice text(size_t row, const char *column)
{
    assert_int_equal(cell(row, column)->type, CELL_TEXT);
    return cell(row, column)->text;
}

static int64_t samples(size_t row)
{
    assert_int_equal(cell(row, "samples")->type, CELL_INT);
    return cell(row, "samples")->integer;
}

static void add(SampleTable *t, const char *type, const char *event, const char *queryid, unsigned times)
{
    Sample s = {.fields = {[SAMPLE_WAIT_EVENT_TYPE] = slice_cstr(type),
                           [SAMPLE_WAIT_EVENT] = slice_cstr(event),
                           [SAMPLE_STATE] = SLICE_LIT("active"),
                           [SAMPLE_DATNAME] = SLICE_LIT("app"),
                           [SAMPLE_QUERYID] = slice_cstr(queryid)}};
    for (unsigned i = 0; i < times; i++)
        sample_table_add(t, &s);
}

static void the_same_is_counted_in_one_row(void **state)
{
    (void)state;
    _cleanup_(sample_table_freep) SampleTable *t = sample_table_new();
    add(t, "CPU", "", "1", 2);
    add(t, "IO", "DataFileRead", "1", 5);
    add(t, "CPU", "", "2", 1);
    add(t, "CPU", "", "1", 1);
    assert_int_equal(sample_table_samples(t), 9);
    take(t, 10, 2.0);
    assert_int_equal(rows.row_count, 3);
    assert_slice(text(0, "wait_event"), "DataFileRead"); /* the most frequent first */
    assert_int_equal(samples(0), 5);
    assert_float_equal(cell(0, "seconds")->number, 10.0, 1e-9);
    assert_slice(text(1, "wait_event_type"), "CPU");
    assert_slice(text(1, "wait_event"), ""); /* labels are never null */
    assert_slice(text(1, "queryid"), "1");
    assert_int_equal(samples(1), 3);
    assert_int_equal(cell(1, "blocker")->type, CELL_NULL);
    assert_int_equal(samples(2), 1);

    assert_int_equal(sample_table_samples(t), 0);
    take(t, 10, 1.0);
    assert_int_equal(rows.row_count, 0);
}

static void fields_do_not_run_into_each_other(void **state)
{
    (void)state;
    _cleanup_(sample_table_freep) SampleTable *t = sample_table_new();
    Sample a = {.fields = {[SAMPLE_DATNAME] = SLICE_LIT("ab"), [SAMPLE_USENAME] = SLICE_LIT("c")}};
    Sample b = {.fields = {[SAMPLE_DATNAME] = SLICE_LIT("a"), [SAMPLE_USENAME] = SLICE_LIT("bc")}};
    sample_table_add(t, &a);
    sample_table_add(t, &b);
    take(t, 10, 1.0);
    assert_int_equal(rows.row_count, 2);
}

static void what_is_beyond_the_most_frequent_is_summed_by_kind_of_wait(void **state)
{
    (void)state;
    _cleanup_(sample_table_freep) SampleTable *t = sample_table_new();
    for (int i = 0; i < 50; i++) {
        char queryid[16];
        (void)snprintf(queryid, sizeof(queryid), "%d", i);
        add(t, i % 2 ? "CPU" : "IO", "", queryid, (unsigned)(50 - i));
    }
    take(t, 10, 1.0);
    assert_int_equal(rows.row_count, 12);
    int64_t sum[2] = {0};
    for (size_t row = 0; row < rows.row_count; row++)
        sum[slice_eq_cstr(text(row, "wait_event_type"), "CPU")] += samples(row);
    assert_int_equal(sum[0], 650); /* 50 + 48 + ... + 2 */
    assert_int_equal(sum[1], 625);
    for (size_t row = 10; row < 12; row++) {
        assert_slice(text(row, "wait_event"), "other");
        assert_slice(text(row, "state"), "active");
        assert_slice(text(row, "datname"), "");
        assert_int_equal(cell(row, "queryid")->type, CELL_NULL);
    }
}

static void a_flood_of_different_rows_stays_bounded_and_sums_stay_true(void **state)
{
    (void)state;
    _cleanup_(sample_table_freep) SampleTable *t = sample_table_new();
    for (int i = 0; i < 3 * SAMPLE_KEYS_MAX; i++) {
        char queryid[16];
        (void)snprintf(queryid, sizeof(queryid), "%d", i);
        add(t, "CPU", "", queryid, 1);
    }
    take(t, 2000, 1.0);
    assert_int_equal(rows.row_count, 2001);
    assert_slice(text(2000, "wait_event"), "other");
    assert_int_equal(samples(2000), 3 * SAMPLE_KEYS_MAX - 2000);
}

static void application_names_that_are_ever_new_become_one(void **state)
{
    (void)state;
    static const struct {
        const char *name, *expected;
    } CASES[] = {
        {"", ""},
        {"psql", "psql"},
        {"worker 3", "worker 3"},
        {"app 2.1.10", "app 2.1.10"},
        {"puma: cluster worker 12: 48213 [shop]", "puma: cluster worker 12: # [shop]"},
        {"pid48213x", "pid#x"},
        {"job-9f1c2ab4", "job-#"},
        {"sess 550e8400-e29b-41d4-a716-446655440000", "sess #-e29b-41d4-a716-#"},
        {"deadbeef", "deadbeef"}, /* a word without a digit */
        {"year 2024", "year #"},
        {"caf\xc3\xa9 12345", "caf\xc3\xa9 #"},
    };
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        _cleanup_buf_ Buf out = BUF_INIT;
        sample_clean_application(slice_cstr(CASES[i].name), &out);
        assert_string_equal(buf_cstr(&out), CASES[i].expected);
    }
}

static void long_fields_are_cut(void **state)
{
    (void)state;
    _cleanup_(sample_table_freep) SampleTable *t = sample_table_new();
    char longest[1000];
    memset(longest, 'x', sizeof(longest));
    Sample s = {.fields = {[SAMPLE_APPLICATION_NAME] = slice_from(longest, sizeof(longest))}};
    sample_table_add(t, &s);
    take(t, 10, 1.0);
    assert_int_equal(text(0, "application_name").len, SAMPLE_FIELD_BYTES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_is_counted_in_one_row),
        cmocka_unit_test(fields_do_not_run_into_each_other),
        cmocka_unit_test(what_is_beyond_the_most_frequent_is_summed_by_kind_of_wait),
        cmocka_unit_test(a_flood_of_different_rows_stays_bounded_and_sums_stay_true),
        cmocka_unit_test(application_names_that_are_ever_new_become_one),
        cmocka_unit_test(long_fields_are_cut),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
