#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Rows: a reading while it is being made, by SQL or from /proc, within a bound on rows and bytes. Texts live in its
 * arena. Reused from one family to the next by rows_begin(). The thread that reads.
 */
#include "collector/reading/reading.h"
#include "lib/base/vec.h"

DEFINE_VEC(CellVec, cell_vec, Cell)
DEFINE_VEC(SliceVec, slice_vec, Slice)
DEFINE_VEC(RowStateVec, row_state_vec, RowState)
DEFINE_VEC(IdVec, id_vec, uint64_t)

enum {
    ROWS_MAX = 100000,         /* of one family: half of what a batch may hold */
    ROWS_BYTES_MAX = 16 << 20, /* of texts in one family */
    ROWS_CELLS_MAX = 1 << 20,  /* 24 MB while it is read */
    ROWS_CELLS_KEPT = 2 << 10, /* memory for so many stays from one tick to the next */
};

typedef struct Rows {
    Arena *arena;
    const FamilyColumn *const *columns;
    size_t column_count;
    size_t label_count;
    CellVec cells;
    SliceVec epochs; /* one a row when the family has them, else empty */
    SliceVec rolled; /* label_count a row when the family has them, else empty; see Reading */
    bool has_states; /* see Reading for these three */
    RowStateVec states;
    IdVec gone;
    size_t row_count;
    size_t bytes;   /* of the values' text */
    bool truncated; /* the bound was met: rows are missing */
} Rows;

void rows_init(Rows *r);
void rows_done(Rows *r);
void rows_begin(Rows *r, const FamilyColumn *const *columns, size_t column_count, size_t label_count);

/* Behind the last family of a tick: gives back what only large ones needed. */
void rows_rest(Rows *r);

/* So many rows are about to come: room for them is made at once. Only a hint, before the first row. */
void rows_expect(Rows *r, size_t count);
/* Adds a row of nulls and returns its cells until the next call; NULL at the bound. */
Cell *rows_add(Rows *r);
/* Copies @text for a cell of the last row: well-formed UTF-8 without NUL, cut to @max bytes at a character. Control
 * characters other than tab and newline become spaces. */
Slice rows_copy_text(Rows *r, Slice text, size_t max);

/* Sets a value of the last row by column name; a name that the family does not declare is ignored. */
void rows_set_int(Rows *r, const char *column, int64_t value);
void rows_set_float(Rows *r, const char *column, double value);
void rows_set_text(Rows *r, const char *column, Slice value);

/* What delta_apply() takes; borrowed from @r until the next rows_begin(). Epoch, times, flags are the caller's. */
Reading rows_reading(const Rows *r);
