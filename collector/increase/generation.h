#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Generation: one reading of a family in the compact form in which it waits to be compared with the next one. Rows are
 * sorted by key and unique; labels live in the key only, texts only as hashes. Immutable once made. Pure; the owner's
 * thread. Used by delta.c alone. States are not written to disk: after a start all rows are read once.
 */
#include "collector/reading/reading.h"

typedef enum ValueType { VALUE_NULL, VALUE_INT, VALUE_FLOAT, VALUE_TEXT, _VALUE_TYPE_MAX } ValueType;

typedef struct Generation {
    const char *epoch;
    Usec wall;
    Usec monotonic;       /* GENERATION_MONOTONIC_UNKNOWN when it came from disk */
    const char **columns; /* names of the value columns: all but the labels */
    size_t column_count;
    size_t row_count;
    bool partial;         /* rows may be missing that exist; false when it came from disk */
    Buf keys;             /* the rows' keys one behind the other */
    uint32_t *key_ends;   /* row i's key is keys[key_ends[i - 1] .. key_ends[i]) */
    uint32_t *places;     /* row i is row places[i] of the reading, or GENERATION_KEPT; all 0 when it came from disk */
    uint64_t *row_epochs; /* hash; 0: not known */
    RowState *states; /* as in the reading; id 0 also where two rows of the reading are one here; NULL: none has one,
                         or rows are missing, which are to be seen when there is room for them */
    uint8_t *types;   /* ValueType, row-major */
    uint64_t *bits;   /* int64, double or hash of the text, row-major */
} Generation;

enum { GENERATION_MONOTONIC_UNKNOWN = -1 };
#define GENERATION_KEPT UINT32_MAX /* place of a row that was not read again: it is what it was */

/* From a reading. @before (NULL allowed): an earlier one, whose order of rows is likely this one's. When the rest is
 * the same (see Reading) it is the one whose rows are kept. Memory for the work comes from @arena. */
Generation *generation_new(const Reading *reading, const Generation *before, Arena *arena);
Generation *generation_free(Generation *g);
DEFINE_CLEANUP(Generation *, generation_free)

Slice generation_key(const Generation *g, size_t row);
/* Whether @reading, whose rows are not looked at, has the columns and the epoch of @g. */
bool generation_matches(const Generation *g, const Reading *reading);
/* Index of a value column by name; -1 when it has none. @hint is tried first. */
ptrdiff_t generation_find_column(const Generation *g, const char *name, size_t hint);

void generation_save(const Generation *g, Buf *out);
/* Reads from the front of *@bytes and moves it on. */
int generation_load(Generation **ret, Slice *bytes, Err *reterr) MUST_CHECK;

/* The same columns: it can be told as what is different from @before. */
bool generation_can_follow(const Generation *g, const Generation *before);
/* Bit for bit, keys aside. Both have the same columns. */
bool generation_rows_are_equal(const Generation *a, size_t row_a, const Generation *b, size_t row_b);
void generation_save_changes(const Generation *g, const Generation *before, Buf *out);
int generation_load_changes(Generation **ret, const Generation *before, Slice *bytes, Err *reterr) MUST_CHECK;

/* The encoding of both files: numbers as LEB128, strings as length and bytes. False: @bytes ended or is damaged. */
void generation_put_number(Buf *out, uint64_t value);
void generation_put_string(Buf *out, Slice s);
bool generation_get_number(Slice *bytes, uint64_t *ret);
bool generation_get_string(Slice *bytes, Slice *ret);
