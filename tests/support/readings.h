#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Readings for tests, from a family's file and rows as text: "a 1 2.5", a value for each column, "-" for NULL. */
#include "collector/increase/delta.h"
#include "tests/support/unit.h"

static inline UNUSED const Family *test_family(Catalog *catalog, const char *file_name, const char *text)
{
    Err err = ERR_INIT;
    if (catalog_add(catalog, file_name, slice_cstr(text), &err) < 0)
        fail_msg("%s", err.detail);
    Slice name = slice_cstr(file_name);
    name.len -= strlen(".toml");
    return catalog_find(catalog, name);
}

static inline Cell test_cell(const FamilyColumn *column, Slice text)
{
    Cell cell = {.type = CELL_NULL};
    if (slice_eq_cstr(text, "-"))
        return cell;
    if (column->type == COLUMN_TEXT)
        return (Cell){.type = CELL_TEXT, .text = text};
    if (column->type == COLUMN_INT8) {
        cell.type = CELL_INT;
        assert_true(slice_to_int64(text, &cell.integer));
        return cell;
    }
    cell.type = CELL_FLOAT;
    assert_true(slice_to_double(text, &cell.number));
    return cell;
}

/* All in @arena; @rows NULL-terminated. At 1000 s after 1970. */
static inline UNUSED Reading test_reading(Arena *arena, const Family *f, const char *const *rows)
{
    size_t count = 0;
    while (rows[count])
        count++;
    const FamilyColumn **columns = (const FamilyColumn **)arena_alloc_array(arena, sizeof(void *), f->column_count);
    Cell *cells = arena_new_array(arena, Cell, count * f->column_count + 1);
    for (size_t i = 0; i < f->column_count; i++)
        columns[i] = &f->columns[i];
    for (size_t row = 0; row < count; row++) {
        Slice rest = slice_cstr(rows[row]);
        for (size_t i = 0; i < f->column_count; i++)
            cells[row * f->column_count + i] = test_cell(columns[i], slice_split(&rest, ' '));
    }
    return (Reading){.family = f->name,
                     .epoch = "e",
                     .wall = 1000 * USEC_PER_SEC,
                     .monotonic = 1000 * USEC_PER_SEC,
                     .columns = columns,
                     .column_count = f->column_count,
                     .label_count = f->label_count,
                     .cells = cells,
                     .row_count = count};
}
