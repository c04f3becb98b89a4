#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A source reads captured files: host/ is one moment of a machine, later/ a second of it later, odd/ nonsense. Every
 * test has its own `source`; HOST_TEST() sets it up.
 */
#include "collector/system/system.h"
#include "tests/support/unit.h"

#define FIXTURES "tests/unit/collector/system/"

typedef struct Source {
    SystemHost host;
    Catalog *catalog;
    Rows rows;
} Source;

static Source source;

static inline UNUSED int setup(void **state)
{
    (void)state;
    source = (Source){.host = {.root = FIXTURES "host"}};
    rows_init(&source.rows);
    return catalog_new_builtin(&source.catalog, NULL);
}

static inline UNUSED int teardown(void **state)
{
    (void)state;
    rows_done(&source.rows);
    catalog_free(source.catalog);
    return 0;
}

static const FamilyColumn *columns[FAMILY_COLUMNS_MAX];

static inline UNUSED int read_family(const char *name, Err *reterr)
{
    const Family *family = catalog_find(source.catalog, slice_cstr(name));
    assert_non_null(family);
    for (size_t i = 0; i < family->column_count; i++)
        columns[i] = &family->columns[i];
    rows_begin(&source.rows, columns, family->column_count, family->label_count);
    return system_source_find(name)->read(&source.host, &source.rows, reterr);
}

static inline UNUSED void print_rows(Buf *out)
{
    for (size_t row = 0; row < source.rows.row_count; row++) {
        for (size_t i = 0; i < source.rows.column_count; i++) {
            const Cell *c = &source.rows.cells.items[row * source.rows.column_count + i];
            buf_append_cstr(out, i ? " " : row ? "; " : "");
            if (c->type == CELL_NULL)
                buf_append_char(out, '-');
            else if (c->type == CELL_INT)
                buf_append_int64(out, c->integer);
            else if (c->type == CELL_FLOAT)
                buf_append_double(out, c->number);
            else
                buf_append(out, c->text);
        }
    }
}

static inline UNUSED void assert_rows(const char *family, const char *expect)
{
    _cleanup_buf_ Buf got = BUF_INIT;
    Err err = ERR_INIT;
    if (read_family(family, &err) < 0)
        fail_msg("%s: %s", family, err.detail);
    print_rows(&got);
    assert_string_equal(buf_cstr(&got), expect);
}

static inline UNUSED void assert_read_fails(const char *family, ErrCode code, const char *part)
{
    Err err = ERR_INIT;
    assert_true(read_family(family, &err) < 0);
    assert_err(&err, code, part);
}

#define HOST_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
