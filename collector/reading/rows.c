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
    row_state_vec_done(&r->states);
    id_vec_done(&r->gone);
}

void rows_begin(Rows *r, const FamilyColumn *const *columns, size_t column_count, size_t label_count)
{
    assert(label_count <= column_count);
    arena_clear(r->arena);
    cell_vec_clear(&r->cells);
    slice_vec_clear(&r->epochs);
    slice_vec_clear(&r->rolled);
    row_state_vec_clear(&r->states);
    id_vec_clear(&r->gone);
    r->has_states = false;
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
    if (r->states.capacity > ROWS_CELLS_KEPT)
        row_state_vec_done(&r->states);
    if (r->gone.capacity > ROWS_CELLS_KEPT)
        id_vec_done(&r->gone);
}

static Cell *last_row(const Rows *r)
{
    assert(r->row_count > 0);
    return &r->cells.items[(r->row_count - 1) * r->column_count];
}

void rows_expect(Rows *r, size_t count)
{
    if (r->row_count > 0)
        return;
    const size_t rows = count < ROWS_MAX ? count : ROWS_MAX;
    const size_t cells = rows * r->column_count;
    (void)cell_vec_extend(&r->cells, cells < ROWS_CELLS_MAX ? cells : ROWS_CELLS_MAX);
    cell_vec_clear(&r->cells);
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

/* The front of @text that is kept as it is: ASCII without control characters, as nearly all of it is. */
static size_t plain_length(Slice text)
{
    size_t len = 0;
    while (len < text.len && (unsigned char)text.ptr[len] < 0x80 && !is_control((unsigned char)text.ptr[len]))
        len++;
    return len;
}

/* Moves on by a character, or by a byte that is none, and returns what stands for it. */
static Slice take_character(Slice *text)
{
    const size_t length = slice_utf8_length(*text);
    const bool control = is_control((unsigned char)text->ptr[0]);
    const Slice character = length == 0 ? SLICE_LIT("?") : control ? SLICE_LIT(" ") : slice_from(text->ptr, length);
    *text = slice_skip(*text, length ? length : 1);
    return character;
}

Slice rows_copy_text(Rows *r, Slice text, size_t max)
{
    char *copy = arena_room(r->arena, text.len < max ? text.len : max);
    size_t len = 0;
    while (text.len > 0 && len < max) {
        const size_t plain = plain_length(slice_from(text.ptr, text.len < max - len ? text.len : max - len));
        memcpy(copy + len, text.ptr, plain);
        len += plain;
        text = slice_skip(text, plain);
        if (text.len == 0 || len == max)
            break;
        const Slice character = take_character(&text);
        if (character.len > max - len)
            break;
        memcpy(copy + len, character.ptr, character.len);
        len += character.len;
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
        .states = r->has_states ? r->states.items : NULL,
        .gone = r->gone.items,
        .gone_count = r->gone.len,
        .partial = r->truncated,
    };
}
