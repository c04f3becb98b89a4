/* SPDX-License-Identifier: PostgreSQL */
/* See rollup.h. */
#include "collector/increase/rollup.h"

#include <stdlib.h>

#include "lib/base/memory.h"

enum { NOT_SENT = -1 };

/* --- Adding up ---------------------------------------------------------------------------------------------------- */

/* What is not known adds nothing; a sum that does not fit is not known. */
static void add_counter(Cell *sum, const Cell *cell)
{
    if (cell->type == CELL_NULL)
        return;
    if (sum->type == CELL_NULL) {
        *sum = *cell;
    } else if (sum->type == CELL_INT && cell->type == CELL_INT) {
        if (__builtin_add_overflow(sum->integer, cell->integer, &sum->integer))
            *sum = (Cell){.type = CELL_NULL};
    } else if (sum->type == CELL_FLOAT && cell->type == CELL_FLOAT) {
        sum->number += cell->number;
    }
}

static bool is_greater(const Cell *a, const Cell *b)
{
    return a->type == CELL_INT ? a->integer > b->integer : a->number > b->number;
}

static void combine_gauge(ColumnCombine how, Cell *all, const Cell *cell)
{
    if (how == COMBINE_SUM) {
        add_counter(all, cell);
        return;
    }
    if (cell->type == CELL_NULL || how == COMBINE_NONE)
        return;
    if (all->type == CELL_NULL || (all->type == cell->type && is_greater(cell, all) == (how == COMBINE_MAX)))
        *all = *cell;
}

/* --- Rows that share their labels --------------------------------------------------------------------------------- */

typedef struct Member {
    Slice key;
    size_t row; /* of the reading */
} Member;

static int compare_members(const void *a, const void *b)
{
    const Member *x = a, *y = b;
    int order = slice_compare(x->key, y->key);
    return order ? order : (x->row > y->row) - (x->row < y->row);
}

static Slice label_of(const Reading *reading, size_t row, size_t label)
{
    Slice rolled = reading->rolled[row * reading->label_count + label];
    return rolled.ptr ? rolled : reading->cells[row * reading->column_count + label].text;
}

/* Every row of the reading with the labels under which it is sent, sorted. */
static Member *sort_members(Arena *arena, const Reading *reading)
{
    Member *members = arena_new_array(arena, Member, reading->row_count + 1);
    _cleanup_buf_ Buf key = BUF_INIT;
    for (size_t row = 0; row < reading->row_count; row++) {
        buf_clear(&key);
        for (size_t label = 0; label < reading->label_count; label++) {
            buf_append(&key, label_of(reading, row, label));
            buf_append_char(&key, '\0'); /* texts of PostgreSQL hold none */
        }
        members[row] = (Member){.key = arena_dup(arena, buf_slice(&key)), .row = row};
    }
    qsort(members, reading->row_count, sizeof(*members), compare_members);
    return members;
}

typedef struct Grouping {
    Arena *arena;
    const Reading *reading;
    const PushFrame *frame;
    const ptrdiff_t *sent; /* for each row of the reading its row in the frame, or NOT_SENT */
} Grouping;

/* One row of the group; false when none of its rows travels. */
static bool add_up(const Grouping *g, const Member *members, size_t count, Cell *cells)
{
    const Reading *reading = g->reading;
    bool travels = false;
    for (size_t c = 0; c < reading->column_count; c++)
        cells[c] = (Cell){.type = CELL_NULL};
    for (size_t i = 0; i < count; i++) {
        ptrdiff_t at = g->sent[members[i].row];
        travels |= at != NOT_SENT;
        for (size_t c = reading->label_count; c < reading->column_count; c++) {
            const FamilyColumn *column = reading->columns[c];
            if (column->kind == COLUMN_COUNTER && at != NOT_SENT)
                add_counter(&cells[c], &g->frame->cells[(size_t)at * reading->column_count + c]);
            else if (column->kind == COLUMN_GAUGE)
                combine_gauge(column->combine, &cells[c], &reading->cells[members[i].row * reading->column_count + c]);
        }
    }
    for (size_t label = 0; travels && label < reading->label_count; label++)
        cells[label] = (Cell){.type = CELL_TEXT, .text = arena_dup(g->arena, label_of(reading, members[0].row, label))};
    return travels;
}

/* Most servers have no partitions. */
static bool rolls_any(const Reading *reading)
{
    for (size_t i = 0; i < reading->row_count * reading->label_count; i++) {
        if (reading->rolled[i].ptr)
            return true;
    }
    return false;
}

static void roll_up(Arena *arena, const Reading *reading, const size_t *sources, PushFrame *frame)
{
    ptrdiff_t *sent = arena_new_array(arena, ptrdiff_t, reading->row_count + 1);
    for (size_t row = 0; row < reading->row_count; row++)
        sent[row] = NOT_SENT;
    for (size_t row = 0; row < frame->row_count; row++)
        sent[sources[row]] = (ptrdiff_t)row;

    const Grouping g = {.arena = arena, .reading = reading, .frame = frame, .sent = sent};
    const Member *members = sort_members(arena, reading);
    size_t width = reading->column_count, made = 0;
    Cell *cells = arena_new_array(arena, Cell, frame->row_count * width + width);
    for (size_t from = 0, to; from < reading->row_count; from = to) {
        for (to = from + 1; to < reading->row_count && slice_eq(members[to].key, members[from].key);)
            to++;
        Cell *row = &cells[made * width];
        ptrdiff_t at = sent[members[from].row];
        if (to - from > 1) {
            made += add_up(&g, &members[from], to - from, row);
        } else if (at != NOT_SENT) {
            memcpy(row, &frame->cells[(size_t)at * width], width * sizeof(*row));
            for (size_t label = 0; label < reading->label_count; label++)
                row[label].text = arena_dup(arena, label_of(reading, members[from].row, label));
            made++;
        }
    }
    frame->cells = cells;
    frame->row_count = made;
}

/* --- The rest as one row ------------------------------------------------------------------------------------------ */

typedef struct Rank {
    double increase; /* -1: not known */
    size_t row;
} Rank;

static int compare_ranks(const void *a, const void *b)
{
    const Rank *x = a, *y = b;
    if (x->increase != y->increase)
        return x->increase < y->increase ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

static size_t column_of_rank(const Reading *reading)
{
    size_t first = 0;
    for (size_t c = reading->column_count; c-- > reading->label_count;) {
        if (reading->columns[c]->kind != COLUMN_COUNTER)
            continue;
        first = c;
        if (reading->top_by && strcmp(reading->columns[c]->name, reading->top_by) == 0)
            return c;
    }
    return first;
}

static double increase_of(const Cell *cell)
{
    return cell->type == CELL_INT ? (double)cell->integer : cell->type == CELL_FLOAT ? cell->number : -1;
}

static void label_the_rest(const Reading *reading, Cell *row)
{
    for (size_t label = 0; label < reading->label_count; label++) {
        /* A reading of one database has one name for it. */
        bool is_database = reading->database && strcmp(reading->columns[label]->name, "datname") == 0;
        row[label] =
            (Cell){.type = CELL_TEXT, .text = is_database ? slice_cstr(reading->database) : SLICE_LIT(ROLLUP_OTHER)};
    }
}

static void keep_top(Arena *arena, const Reading *reading, PushFrame *frame)
{
    size_t width = reading->column_count, by = column_of_rank(reading);
    if (frame->row_count <= reading->top + 1 || by == 0)
        return;
    Rank *ranks = arena_new_array(arena, Rank, frame->row_count);
    for (size_t row = 0; row < frame->row_count; row++)
        ranks[row] = (Rank){.increase = increase_of(&frame->cells[row * width + by]), .row = row};
    qsort(ranks, frame->row_count, sizeof(*ranks), compare_ranks);

    Cell *cells = arena_new_array(arena, Cell, (reading->top + 1) * width);
    for (size_t i = 0; i < reading->top; i++)
        memcpy(&cells[i * width], &frame->cells[ranks[i].row * width], width * sizeof(*cells));
    Cell *rest = &cells[reading->top * width];
    for (size_t c = 0; c < width; c++)
        rest[c] = (Cell){.type = CELL_NULL};
    label_the_rest(reading, rest);
    for (size_t i = reading->top; i < frame->row_count; i++) {
        for (size_t c = reading->label_count; c < width; c++) {
            if (reading->columns[c]->kind == COLUMN_COUNTER)
                add_counter(&rest[c], &frame->cells[ranks[i].row * width + c]);
        }
    }
    for (size_t label = 0; label < reading->label_count; label++)
        rest[label].text = arena_dup(arena, rest[label].text);
    frame->cells = cells;
    frame->row_count = reading->top + 1;
}

void rollup_apply(Arena *arena, const Reading *reading, const size_t *sources, PushFrame *frame)
{
    if (reading->rolled && frame->row_count > 0 && rolls_any(reading))
        roll_up(arena, reading, sources, frame);
    if (reading->top > 0)
        keep_top(arena, reading, frame);
}
