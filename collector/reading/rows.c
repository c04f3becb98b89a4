/* SPDX-License-Identifier: PostgreSQL */
/* Rows of one reading within their bound. See rows.h. */
#include "collector/reading/rows.h"

#include <assert.h>
#include <math.h>

void rows_init(Rows *r)
{
    *r = (Rows){.arena = arena_new(0)};
}

void rows_done(Rows *r)
{
    r->arena = arena_free(r->arena);
    cell_vec_done(&r->cells);
    slice_vec_done(&r->epochs);
    slice_vec_done(&r->rolled);
}

void rows_begin(Rows *r, const FamilyColumn *const *columns, size_t column_count, size_t label_count)
{
    assert(label_count <= column_count);
    arena_clear(r->arena);
    cell_vec_clear(&r->cells);
    slice_vec_clear(&r->epochs);
    slice_vec_clear(&r->rolled);
    r->columns = columns;
    r->column_count = column_count;
    r->label_count = label_count;
    r->row_count = 0;
    r->bytes = 0;
    r->truncated = false;
}

void rows_rest(Rows *r)
{
    rows_begin(r, NULL, 0, 0);
    if (r->cells.capacity > ROWS_CELLS_KEPT)
        cell_vec_done(&r->cells);
}

static Cell *last_row(const Rows *r)
{
    assert(r->row_count > 0);
    return &r->cells.items[(r->row_count - 1) * r->column_count];
}

Cell *rows_add(Rows *r)
{
    if (r->row_count >= ROWS_MAX || r->bytes >= ROWS_BYTES_MAX || r->cells.len + r->column_count > ROWS_CELLS_MAX) {
        r->truncated = true;
        return NULL;
    }
    Cell *row = cell_vec_extend(&r->cells, r->column_count);
    for (size_t i = 0; i < r->column_count; i++)
        row[i] = (Cell){.type = CELL_NULL};
    r->row_count++;
    return row;
}

static bool is_control(unsigned char c)
{
    return (c < 0x20 && c != '\t' && c != '\n') || c == 0x7f;
}

/* Length of the well-formed UTF-8 character at the front of @s; 0 when there is none. */
static size_t character_length(Slice s)
{
    unsigned char lead = (unsigned char)s.ptr[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    return len <= s.len && slice_is_utf8(slice_from(s.ptr, len)) ? len : 0;
}

Slice rows_copy_text(Rows *r, Slice text, size_t max)
{
    char *copy = arena_alloc(r->arena, (text.len < max ? text.len : max) + 1);
    size_t len = 0;
    while (text.len > 0 && len < max) {
        size_t step = character_length(text);
        if (step > max - len)
            break;
        if (step == 0 || is_control((unsigned char)text.ptr[0])) {
            copy[len++] = step ? ' ' : '?';
            step = 1;
        } else {
            memcpy(copy + len, text.ptr, step);
            len += step;
        }
        text = slice_skip(text, step);
    }
    return slice_from(copy, len);
}

static Cell *cell_by_name(Rows *r, const char *column, ColumnType type)
{
    for (size_t i = 0; i < r->column_count; i++) {
        if (strcmp(r->columns[i]->name, column) == 0)
            return r->columns[i]->type == type ? &last_row(r)[i] : NULL;
    }
    return NULL;
}

void rows_set_int(Rows *r, const char *column, int64_t value)
{
    Cell *cell = cell_by_name(r, column, COLUMN_INT8);
    if (cell)
        *cell = (Cell){.type = CELL_INT, .integer = value};
    else
        rows_set_float(r, column, (double)value);
}

void rows_set_float(Rows *r, const char *column, double value)
{
    Cell *cell = cell_by_name(r, column, COLUMN_FLOAT8);
    if (cell && isfinite(value))
        *cell = (Cell){.type = CELL_FLOAT, .number = value};
}

void rows_set_text(Rows *r, const char *column, Slice value)
{
    Cell *cell = cell_by_name(r, column, COLUMN_TEXT);
    if (!cell)
        return;
    *cell = (Cell){.type = CELL_TEXT, .text = rows_copy_text(r, value, WIRE_LABEL_VALUE_MAX)};
    r->bytes += cell->text.len;
}

Reading rows_reading(const Rows *r)
{
    return (Reading){
        .columns = r->columns,
        .column_count = r->column_count,
        .label_count = r->label_count,
        .cells = r->cells.items,
        .row_epochs = r->epochs.len ? r->epochs.items : NULL,
        .rolled = r->rolled.len ? r->rolled.items : NULL,
        .row_count = r->row_count,
        .partial = r->truncated,
    };
}
