/* SPDX-License-Identifier: PostgreSQL */
/*
 * Increases from readings: a case is a script of steps, a step is a reading as text and the frame that it must give.
 * Columns: label "name", integer counter, float counter, gauge, info. "-" is null. Rows are separated by ';'.
 * A frame is "interval flags: rows"; flags are K (keyframe), G (gap). A step with .known has only the rows that
 * changed.
 */
#include "collector/increase/delta.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const FamilyColumn NAME = {.name = "name", .kind = COLUMN_LABEL, .type = COLUMN_TEXT};
static const FamilyColumn KIND = {.name = "kind", .kind = COLUMN_LABEL, .type = COLUMN_TEXT};
static const FamilyColumn CALLS = {.name = "calls", .kind = COLUMN_COUNTER, .type = COLUMN_INT8};
static const FamilyColumn TIME = {.name = "time", .kind = COLUMN_COUNTER, .type = COLUMN_FLOAT8};
static const FamilyColumn SIZE = {.name = "size", .kind = COLUMN_GAUGE, .type = COLUMN_INT8};
static const FamilyColumn NOTE = {.name = "note", .kind = COLUMN_INFO, .type = COLUMN_TEXT};
static const FamilyColumn *const COLUMNS[] = {&NAME, &CALLS, &TIME, &SIZE, &NOTE};

enum { STEPS_MAX = 8, CELLS_MAX = 256 };

typedef enum StepDo { DO_COMMIT, DO_ROLLBACK, DO_RESTART, DO_STAGE } StepDo;

typedef struct Step {
    int at_ms;
    const char *epoch;
    const char *rows;
    const char *expect;
    StepDo after; /* DO_RESTART: commit, save, load into a new object */
    bool keyframe;
    bool partial;
    const char *row_epochs; /* words, one a row; NULL: none */
    const char *database;
    const char *states; /* "id.state", one a row; NULL: none */
    const char *known;  /* what is known before; then only what changed is read. NULL: all is */
    const char *gone;   /* ids */
} Step;

#define STEP(ms, epoch_text, rows_text, expect_text, ...)                                                              \
    {                                                                                                                  \
        .at_ms = (ms), .epoch = (epoch_text), .rows = (rows_text), .expect = (expect_text), __VA_ARGS__                \
    }

typedef struct Case {
    const char *name;
    Step steps[STEPS_MAX];
    uint64_t resets;
} Case;

static void parse_cell(Slice word, const FamilyColumn *column, Cell *ret)
{
    if (slice_eq_cstr(word, "-"))
        ret->type = CELL_NULL;
    else if (column->type == COLUMN_TEXT)
        *ret = (Cell){.type = CELL_TEXT, .text = word};
    else if (column->type == COLUMN_INT8 && slice_to_int64(word, &ret->integer))
        ret->type = CELL_INT;
    else if (slice_to_double(word, &ret->number))
        ret->type = CELL_FLOAT;
    else
        fail_msg("bad cell %.*s", SLICE_ARG(word));
}

static size_t parse_rows(const char *rows, const FamilyColumn *const *columns, size_t column_count, Cell *cells)
{
    size_t count = 0;
    Slice rest = slice_cstr(rows);
    while (rest.ptr && rest.len) {
        Slice row = slice_trim(slice_split(&rest, ';'));
        for (size_t i = 0; i < column_count; i++) {
            assert_true(count * column_count + i < CELLS_MAX);
            parse_cell(slice_split(&row, ' '), columns[i], &cells[count * column_count + i]);
        }
        count++;
    }
    return count;
}

static void print_frame(const PushFrame *f, Buf *out)
{
    buf_printf(out, "%d%s%s:", (int)f->interval_ms, f->keyframe ? "K" : "", f->gap ? "G" : "");
    for (size_t row = 0; row < f->row_count; row++) {
        buf_append_cstr(out, row ? ";" : "");
        for (size_t i = 0; i < f->column_count; i++) {
            const Cell *c = &f->cells[row * f->column_count + i];
            buf_append_char(out, ' ');
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

static size_t parse_epochs(const char *words, Slice *epochs)
{
    size_t count = 0;
    Slice rest = slice_cstr(words);
    while (rest.ptr && rest.len) {
        Slice word = slice_split(&rest, ' ');
        epochs[count++] = slice_eq_cstr(word, "-") ? SLICE_NULL : word;
    }
    return count;
}

static size_t parse_ids(const char *words, uint64_t *ids)
{
    size_t count = 0;
    for (Slice rest = slice_cstr(words); rest.ptr && rest.len; count++) {
        int64_t id;
        assert_true(slice_to_int64(slice_split(&rest, ' '), &id));
        ids[count] = (uint64_t)id;
    }
    return count;
}

/* "ID.STATE", or "0" where nothing is known. */
static size_t parse_states(const char *words, RowState *states)
{
    size_t count = 0;
    for (Slice rest = slice_cstr(words); rest.ptr && rest.len; count++) {
        Slice word = slice_split(&rest, ' ');
        int64_t id, state = 0;
        assert_true(slice_to_int64(slice_split(&word, '.'), &id));
        assert_true(id == 0 || slice_to_int64(word, &state));
        states[count] = (RowState){.id = (uint64_t)id, .state = (uint64_t)state};
    }
    return count;
}

/* In the order of the keys. */
static void check_known(const Delta *d, const Reading *reading, const char *expect)
{
    RowStateVec known = {0};
    _cleanup_buf_ Buf got = BUF_INIT;
    assert_int_equal(delta_known_states(d, reading, &known), expect[0] != '\0');
    for (size_t i = 0; i < known.len; i++)
        buf_printf(&got, "%s%" PRId64 ".%" PRId64, i ? " " : "", (int64_t)known.items[i].id,
                   (int64_t)known.items[i].state);
    assert_string_equal(buf_cstr(&got), expect);
    row_state_vec_done(&known);
}

static bool apply(Delta *d, const Step *step, Buf *out)
{
    Cell cells[CELLS_MAX];
    Slice epochs[CELLS_MAX];
    RowState states[CELLS_MAX];
    uint64_t gone[CELLS_MAX];
    Reading reading = {
        .family = "f",
        .database = step->database,
        .epoch = step->epoch,
        .wall = step->at_ms * USEC_PER_MSEC,
        .monotonic = (step->at_ms + 5000) * USEC_PER_MSEC,
        .columns = COLUMNS,
        .column_count = ARRAY_LENGTH(COLUMNS),
        .label_count = 1,
        .cells = cells,
        .keyframe = step->keyframe,
        .partial = step->partial,
    };
    char rows[512];
    assert_true(snprintf(rows, sizeof(rows), "%s", step->rows) < (int)sizeof(rows));
    reading.row_count = parse_rows(rows, COLUMNS, ARRAY_LENGTH(COLUMNS), cells);
    if (step->row_epochs) {
        assert_int_equal(parse_epochs(step->row_epochs, epochs), reading.row_count);
        reading.row_epochs = epochs;
    }
    if (step->states) {
        assert_int_equal(parse_states(step->states, states), reading.row_count);
        reading.states = states;
    }
    if (step->known) {
        check_known(d, &reading, step->known);
        reading.rest_is_same = step->known[0] != '\0';
        reading.gone_count = parse_ids(step->gone ? step->gone : "", gone);
        reading.gone = gone;
    }
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushFrame frame;
    bool news = delta_apply(d, arena, &reading, &frame);
    memset(cells, 0x5a, sizeof(cells)); /* the frame must not point into the reading */
    memset(rows, 'Z', sizeof(rows));
    print_frame(&frame, out);
    return news;
}

/* What a collector that keeps its baseline as a whole and the changes since then has on disk. */
typedef struct Kept {
    Buf parts[STEPS_MAX];
    size_t count;
    bool only_whole;
} Kept;

static void forget(Kept *kept)
{
    while (kept->count > 0)
        buf_done(&kept->parts[--kept->count]);
}

static void keep(Kept *kept, const Delta *d)
{
    if (kept->only_whole)
        forget(kept);
    Buf *part = &kept->parts[kept->count++];
    if (kept->count == 1)
        delta_save(d, part);
    else
        delta_save_staged(d, part);
}

static Delta *restart(Delta *d, const Kept *kept)
{
    delta_free(d);
    d = delta_new();
    for (size_t i = 0; i < kept->count; i++) {
        Slice part = buf_slice(&kept->parts[i]);
        assert_int_equal(i == 0 ? delta_load(d, part, NULL) : delta_load_staged(d, part, NULL), 0);
    }
    return d;
}

static const Case CASES[] = {
    {"first reading gives every row, counters unknown",
     {STEP(0, "e", "b 5 1.5 7 x; a 1 - 2 -", "0K: a - - 2 -; b - - 7 x")},
     0},
    {"increases of counters, integer and float",
     {STEP(0, "e", "a 10 1.5 7 x", "0K: a - - 7 x"), STEP(60000, "e", "a 13 2 7 x", "60000: a 3 0.5 7 x")},
     0},
    {"a row in which nothing changed is left out",
     {STEP(0, "e", "a 10 1.5 7 x; b 1 0 0 y", "0K: a - - 7 x; b - - 0 y"),
      STEP(1000, "e", "a 10 1.5 7 x; b 2 0 0 y", "1000: b 1 0 0 y"),
      STEP(2000, "e", "a 10 1.5 7 x; b 2 0 0 y", "1000:")},
     0},
    {"a change of a gauge or an info alone sends the row",
     {STEP(0, "e", "a 10 1.5 7 x", "0K: a - - 7 x"), STEP(1000, "e", "a 10 1.5 8 x", "1000: a 0 0 8 x"),
      STEP(2000, "e", "a 10 1.5 8 z", "1000: a 0 0 8 z"), STEP(3000, "e", "a 10 1.5 - z", "1000: a 0 0 - z")},
     0},
    {"a keyframe sends every row with its increases",
     {STEP(0, "e", "a 10 1.5 7 x; b 1 1 1 y", "0K: a - - 7 x; b - - 1 y"),
      STEP(1000, "e", "a 10 1.5 7 x; b 3 1 1 y", "1000K: a 0 0 7 x; b 2 0 1 y", .keyframe = true)},
     0},
    {"a row that was not there before counts from zero",
     {STEP(0, "e", "a 10 1.5 7 x", "0K: a - - 7 x"),
      STEP(1000, "e", "a 10 1.5 7 x; b 4 0.25 1 y", "1000: b 4 0.25 1 y")},
     0},
    {"a row that went away and came back counts from zero",
     {STEP(0, "e", "a 10 1.5 7 x; b 4 1 1 y", "0K: a - - 7 x; b - - 1 y"), STEP(1000, "e", "a 10 1.5 7 x", "1000:"),
      STEP(2000, "e", "a 10 1.5 7 x; b 6 1 1 y", "1000: b 6 1 1 y")},
     0},
    {"rows that were not read because they are what they were are compared later as if they had been",
     {STEP(0, "e", "b 10 1.5 7 x; a 1 0 0 y; c 4 0 0 z", "0K: a - - 0 y; b - - 7 x; c - - 0 z", .known = "",
           .states = "2.1 -1.-1 3.1"),
      STEP(1000, "e", "b 13 2 7 x", "1000: b 3 0.5 7 x", .known = "-1.-1 2.1 3.1", .states = "2.2"),
      STEP(2000, "e", "", "1000:", .known = "-1.-1 2.2 3.1", .states = ""),
      STEP(3000, "e", "d 2 0 0 w; c 5 0 0 z", "1000: c 1 0 0 z; d 2 0 0 w", .known = "-1.-1 2.2 3.1",
           .states = "4.1 3.2"),
      STEP(4000, "e", "a 2 0 0 y; b 13 2 7 x; c 5 0 0 z; d 2 0 0 w", "1000: a 1 0 0 y", .states = "-1.2 2.2 3.2 4.1"),
      STEP(5000, "e", "", "1000:", .known = "-1.2 2.2 3.2 4.1", .states = "")},
     0},
    {"a row that is gone and not there is gone, and counts from zero when it comes back",
     {STEP(0, "e", "a 10 1.5 7 x; b 4 1 1 y", "0K: a - - 7 x; b - - 1 y", .known = "", .states = "1.1 2.1"),
      STEP(1000, "e", "", "1000:", .known = "1.1 2.1", .states = "", .gone = "2"),
      STEP(2000, "e", "b 6 1 1 y", "1000: b 6 1 1 y", .known = "1.1", .states = "2.3"),
      STEP(3000, "e", "", "1000:", .known = "1.1 2.3", .states = "", .gone = "2 1"),
      STEP(4000, "e", "a 11 1 1 y", "1000: a 11 1 1 y", .known = "", .states = "1.4")},
     0},
    {"a row made anew under the name of one that is gone takes its place",
     {STEP(0, "e", "a 10 1.5 7 x; b 4 1 1 y", "0K: a - - 7 x; b - - 1 y", .known = "", .states = "1.1 2.1"),
      STEP(1000, "e", "b 6 1 1 y", "1000: b 2 0 1 y", .known = "1.1 2.1", .states = "5.1", .gone = "2"),
      STEP(2000, "e", "", "1000:", .known = "1.1 5.1", .states = "")},
     0},
    {"what is not known of one row is read each time, and what was not kept is not known",
     {STEP(0, "e", "a 10 1.5 7 x; b 4 1 1 y", "0K: a - - 7 x; b - - 1 y", .known = "", .states = "0 2.1"),
      STEP(1000, "e", "a 11 1.5 7 x; b 5 1 1 y", "1000: a 1 0 7 x; b 1 0 1 y", .after = DO_ROLLBACK, .known = "2.1",
           .states = "0 2.2"),
      STEP(2000, "e", "a 11 1.5 7 x; b 5 1 1 y", "2000: a 1 0 7 x; b 1 0 1 y", .known = "2.1", .states = "0 2.2"),
      STEP(3000, "e", "", "1000:", .known = "2.2", .states = "")},
     0},
    {"rows of one key have no state, also when one of them was not read",
     {STEP(0, "e", "a 10 1 7 x; a 5 1 9 y; b 1 0 0 z", "0K: a - - 7 x; b - - 0 z", .known = "",
           .states = "1.1 2.1 3.1"),
      STEP(1000, "e", "a 10 1 7 x; a 6 1 9 y", "1000: a 1 0 7 x", .known = "3.1", .states = "1.1 2.2"),
      STEP(2000, "e", "b 2 0 8 w", "1000: b 2 0 8 w", .known = "3.1", .states = "5.1"),
      STEP(3000, "e", "", "1000:", .known = "", .states = "")},
     0},
    {"where rows are missing nothing is known, and those that come have an unknown start",
     {STEP(0, "e", "a 10 1.5 7 x", "0K: a - - 7 x", .known = "", .states = "1.1", .partial = true),
      STEP(1000, "e", "a 11 1.5 7 x; b 900 1 0 y", "1000: a 1 0 7 x; b - - 0 y", .known = "", .states = "1.2 2.1"),
      STEP(2000, "e", "b 901 1 0 y", "1000: b 1 0 0 y", .known = "1.2 2.1", .states = "2.2", .partial = true),
      STEP(3000, "e", "a 11 1.5 7 x; b 901 1 0 y; c 800 1 0 z", "1000: c - - 0 z", .known = "",
           .states = "1.2 2.2 3.1"),
      STEP(4000, "e", "d 5 1 0 w", "1000: d 5 1 0 w", .known = "1.2 2.2 3.1", .states = "4.1")},
     0},
    {"another epoch knows nothing",
     {STEP(0, "e1", "a 10 1.5 7 x", "0K: a - - 7 x", .known = "", .states = "1.1"),
      STEP(1000, "e2", "a 10 1.5 7 x", "0KG: a - - 7 x", .known = "", .states = "1.1"),
      STEP(2000, "e2", "", "1000:", .known = "1.1", .states = "")},
     0},
    {"after a restart all rows are read once",
     {STEP(0, "e", "a 10 1.5 7 x; b 1 0 0 y", "0K: a - - 7 x; b - - 0 y", .after = DO_RESTART, .known = "",
           .states = "1.1 2.1"),
      STEP(1000, "e", "a 10 1.5 7 x; b 2 0 0 y", "1000: b 1 0 0 y", .known = "", .states = "1.1 2.2"),
      STEP(2000, "e", "b 4 0 0 y", "1000: b 2 0 0 y", .after = DO_RESTART, .known = "1.1 2.2", .states = "2.3"),
      STEP(3000, "e", "a 11 1.5 7 x; b 4 0 0 y", "1000: a 1 0 7 x", .known = "", .states = "1.2 2.3")},
     0},
    {"behind a limit, a row that was not there has an unknown start",
     {STEP(0, "e", "a 10 1.5 7 x", "0K: a - - 7 x", .partial = true),
      STEP(1000, "e", "a 10 1.5 7 x; b 4000 9 1 y", "1000: b - - 1 y", .partial = true),
      STEP(2000, "e", "a 10 1.5 7 x; b 4001 9 1 y", "1000: b 1 0 1 y", .partial = true)},
     0},
    {"a new epoch begins anew and marks a gap",
     {STEP(0, "e1", "a 10 1.5 7 x", "0K: a - - 7 x"),
      STEP(1000, "e2", "a 12 2 7 x; b 9 9 9 y", "0KG: a - - 7 x; b - - 9 y"),
      STEP(2000, "e2", "a 13 2 7 x; b 9 9 9 y", "1000: a 1 0 7 x")},
     0},
    {"a counter that went down begins anew for its row alone",
     {STEP(0, "e", "a 10 5 7 x; b 1 1 1 y", "0K: a - - 7 x; b - - 1 y"),
      STEP(1000, "e", "a 3 6 7 x; b 2 1 1 y", "1000: a - - 7 x; b 1 0 1 y"),
      STEP(2000, "e", "a 5 6.5 7 x; b 2 1 1 y", "1000: a 2 0.5 7 x")},
     1},
    {"so does one that is no integer",
     {STEP(0, "e", "a 10 5 7 x", "0K: a - - 7 x"), STEP(1000, "e", "a 11 4.5 7 x", "1000: a - - 7 x"),
      STEP(2000, "e", "a 12 5 7 x", "1000: a 1 0.5 7 x")},
     1},
    {"a row with another epoch of its own begins anew, though its counters are higher",
     {STEP(0, "e", "a 10 5 7 x; b 1 1 1 y", "0K: a - - 7 x; b - - 1 y", .row_epochs = "r1 r1"),
      STEP(1000, "e", "a 11 6 7 x; b 2 1 1 y", "1000: a - - 7 x; b 1 0 1 y", .row_epochs = "r2 r1"),
      STEP(2000, "e", "a 12 6 7 x; b 2 1 1 y", "1000: a 1 0 7 x", .row_epochs = "r2 r1")},
     1},
    {"a counter becomes known: no increase yet, and the row is sent",
     {STEP(0, "e", "a - 1 7 x", "0K: a - - 7 x"), STEP(1000, "e", "a 500 1 7 x", "1000: a - 0 7 x"),
      STEP(2000, "e", "a 501 1 7 x", "1000: a 1 0 7 x"), STEP(3000, "e", "a - 1 7 x", "1000: a - 0 7 x"),
      STEP(4000, "e", "a - 1 7 x", "1000:")},
     0},
    {"what was rolled back goes into the next batch",
     {STEP(0, "e", "a 10 1 7 x", "0K: a - - 7 x"),
      STEP(1000, "e", "a 13 1 8 x; b 2 0 0 y", "1000: a 3 0 8 x; b 2 0 0 y", .after = DO_ROLLBACK),
      STEP(2000, "e", "a 14 1 8 x; b 3 0 0 y", "2000: a 4 0 8 x; b 3 0 0 y")},
     0},
    {"rows in another order than before are matched by their labels",
     {STEP(0, "e", "c 1 0 0 -; a 1 0 0 -; b 1 0 0 -", "0K: a - - 0 -; b - - 0 -; c - - 0 -"),
      STEP(1000, "e", "c 3 0 0 -; a 2 0 0 -; b 1 0 0 -", "1000: a 1 0 0 -; c 2 0 0 -"),
      STEP(2000, "e", "a 3 0 0 -; c 3 0 0 -; b 2 0 0 -", "1000: a 1 0 0 -; b 1 0 0 -"),
      STEP(3000, "e", "b 2 0 0 -; a 3 0 0 -; c 9 0 0 -", "1000: c 6 0 0 -", .after = DO_RESTART),
      STEP(4000, "e", "c 9 0 0 -; b 4 0 0 -; a 3 0 0 -", "1000: b 2 0 0 -")},
     0},
    {"as many rows as before had keys, some of them the same",
     {STEP(0, "e", "a 1 0 0 -; a 1 0 0 -; b 1 0 0 -", "0K: a - - 0 -; b - - 0 -"),
      STEP(1000, "e", "b 2 0 0 -; a 4 0 0 -", "1000: a 2 0 0 -; b 1 0 0 -"),
      STEP(2000, "e", "b 1 0 0 -; b 2 0 0 -", "1000: b 1 0 0 -")},
     0},
    {"rows that share a key are one row",
     {STEP(0, "e", "a 10 1 7 x; a 5 2 9 z; b 1 1 1 y", "0K: a - - 7 x; b - - 1 y"),
      STEP(1000, "e", "a 11 1 7 x; b 1 1 1 y; a 7 2.5 9 z", "1000: a 3 0.5 7 x"),
      STEP(2000, "e", "a 12 1 7 x; b 1 1 1 y", "1000: a - - 7 x")},
     1},
    {"a sum beyond what 64 bits hold is not known",
     {STEP(0, "e", "a 9223372036854775807 1 7 x", "0K: a - - 7 x"),
      STEP(1000, "e", "a 9223372036854775807 1 7 x; a 1 1 7 x", "1000: a - 1 7 x")},
     0},
    {"a restart loses and repeats nothing; the interval is that of the wall clock",
     {STEP(0, "e", "a 10 1.25 7 x; b -5 1 1 -", "0K: a - - 7 x; b - - 1 -", .after = DO_RESTART),
      STEP(90000, "e", "a 15 1.5 7 x; b -5 1 1 -; c 3 0 0 -", "90000: a 5 0.25 7 x; c 3 0 0 -")},
     0},
    {"a wall clock that went back over a restart still leaves an interval",
     {STEP(100000, "e", "a 10 1 7 x", "0K: a - - 7 x", .after = DO_RESTART),
      STEP(50000, "e", "a 15 1 7 x", "1: a 5 0 7 x")},
     0},
    {"what is staged is in the saved baseline",
     {STEP(0, "e", "a 10 1 7 x", "0K: a - - 7 x"),
      STEP(1000, "e", "a 20 1 7 x", "1000: a 10 0 7 x", .after = DO_RESTART),
      STEP(2000, "e", "a 21 1 7 x", "1000: a 1 0 7 x")},
     0},
    {"a restart behind several readings: rows that came, went, changed and stayed",
     {STEP(0, "e", "a 10 1 7 x; b 1 1 1 y; c 5 5 5 z; d 1 1 1 w", "0K: a - - 7 x; b - - 1 y; c - - 5 z; d - - 1 w"),
      STEP(1000, "e", "a 11 1 7 x; c 5 5 5 z; d 1 1 1 w; e 3 0 0 -", "1000: a 1 0 7 x; e 3 0 0 -"),
      STEP(2000, "e", "0 1 1 1 x; a 12 1 8 x; c 5 5 5 z; d 2 1 1 w; f 1 0 0 -",
           "1000: 0 1 1 1 x; a 1 0 8 x; d 1 0 1 w; f 1 0 0 -", .after = DO_RESTART),
      STEP(3000, "e", "0 1 1 1 x; a 12 1 8 x; b 2 2 2 y; c 6 5 5 z; d 2 1 1 w; f 1 0 0 -",
           "1000: b 2 2 2 y; c 1 0 5 z")},
     0},
    {"a restart behind a new epoch",
     {STEP(0, "e1", "a 10 1 7 x", "0K: a - - 7 x", .row_epochs = "r1"),
      STEP(1000, "e2", "a 12 1 7 x", "0KG: a - - 7 x", .row_epochs = "r2", .after = DO_RESTART),
      STEP(2000, "e2", "a 13 1 7 x", "1000: a 1 0 7 x", .row_epochs = "r2")},
     0},
    {"databases do not mix",
     {STEP(0, "e", "a 10 1 7 x", "0K: a - - 7 x", .database = "one"),
      STEP(1000, "e", "a 500 1 7 x", "0K: a - - 7 x", .database = "two"),
      STEP(2000, "e", "a 11 1 7 x", "2000: a 1 0 7 x", .database = "one")},
     0},
    {"an empty reading is a reading",
     {STEP(0, "e", "", "0K:"), STEP(1000, "e", "a 10 1 7 x", "1000: a 10 1 7 x"), STEP(2000, "e", "", "1000:")},
     0},
    {"keys are compared whole, null is not empty text",
     {STEP(0, "e", "- 1 1 1 x; aa 5 1 1 x; a 9 1 1 x", "0K: - - - 1 x; a - - 1 x; aa - - 1 x"),
      STEP(1000, "e", "aa 6 1 1 x; a 9 1 1 x; - 3 1 1 x", "1000: - 2 0 1 x; aa 1 0 1 x")},
     0},
};

static void run_case(const Case *c, bool only_whole)
{
    Delta *d = delta_new();
    Kept kept = {.only_whole = only_whole};
    uint64_t resets = 0;
    for (size_t i = 0; i < STEPS_MAX && c->steps[i].epoch; i++) {
        const Step *step = &c->steps[i];
        _cleanup_buf_ Buf got = BUF_INIT;
        apply(d, step, &got);
        if (strcmp(buf_cstr(&got), step->expect) != 0)
            fail_msg("%s, step %zu:\n  got    %s\n  expect %s", c->name, i, buf_cstr(&got), step->expect);
        keep(&kept, d);
        if (step->after == DO_ROLLBACK) {
            delta_rollback(d);
            assert_false(delta_is_staged(d, "f", step->database));
            forget(&kept);
        }
        if (step->after == DO_RESTART)
            d = restart(d, &kept); /* what is staged counts: the batch may be in the spool already */
        if (step->after == DO_COMMIT)
            delta_commit(d);
    }
    resets = delta_resets(d);
    delta_free(d);
    forget(&kept);
    if (resets != c->resets)
        fail_msg("%s: %d resets, expected %d", c->name, (int)resets, (int)c->resets);
}

static void every_case_gives_its_frames(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LENGTH(CASES); i++) {
        run_case(&CASES[i], true);
        run_case(&CASES[i], false);
    }
}

typedef struct NewsStep {
    const char *rows;
    bool news;
} NewsStep;

static void a_reading_tells_whether_it_says_anything(void **state)
{
    (void)state;
    static const NewsStep STEPS[] = {
        {"", true}, /* a beginning, though empty */
        {"", false},         {"a 1 0 0 -", true}, {"a 1 0 0 -", false},
        {"a 2 0 0 -", true}, {"a 2 0 1 -", true}, {"", true}, /* it is gone */
        {"", false},
    };
    Delta *d = delta_new();
    for (size_t i = 0; i < ARRAY_LENGTH(STEPS); i++) {
        _cleanup_buf_ Buf frame = BUF_INIT;
        const Step step = {.at_ms = (int)i * 1000, .epoch = "e", .rows = STEPS[i].rows};
        if (apply(d, &step, &frame) != STEPS[i].news)
            fail_msg("step %zu", i);
        delta_commit(d);
    }
    _cleanup_buf_ Buf frame = BUF_INIT;
    assert_true(apply(d, &(Step){.at_ms = 9000, .epoch = "another", .rows = ""}, &frame)); /* a gap */
    delta_free(d);
}

/* An extension was updated: a column more, another one gone. */
static void columns_are_matched_by_name(void **state)
{
    (void)state;
    static const FamilyColumn *const AFTER[] = {&NAME, &TIME, &CALLS, &SIZE};
    static const FamilyColumn *const BEFORE[] = {&NAME, &CALLS, &NOTE};
    _cleanup_(delta_freep) Delta *d = delta_new();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    Cell cells[CELLS_MAX];
    PushFrame frame;
    Reading reading = {
        .family = "f", .epoch = "e", .columns = BEFORE, .column_count = 3, .label_count = 1, .cells = cells};
    reading.row_count = parse_rows("a 10 x", BEFORE, 3, cells);
    reading.states = &(RowState){.id = 7, .state = 8};
    delta_apply(d, arena, &reading, &frame);
    delta_commit(d);

    reading.columns = AFTER;
    reading.column_count = 4;
    check_known(d, &reading, ""); /* rows that are not read would lack what is new */
    reading.row_count = parse_rows("a 2.5 12 15", AFTER, 4, cells);
    delta_apply(d, arena, &reading, &frame);
    _cleanup_buf_ Buf got = BUF_INIT;
    print_frame(&frame, &got);
    assert_string_equal(buf_cstr(&got), "1: a - 2 15");
    delta_commit(d);

    check_known(d, &reading, "7.8");
    static const FamilyColumn *const MOVED[] = {&NAME, &TIME, &SIZE, &CALLS}; /* the same bits in other places */
    reading.columns = MOVED;
    check_known(d, &reading, "");
    reading.columns = AFTER;
    reading.column_count = 3; /* the last one is not there any more */
    check_known(d, &reading, "");
    reading.column_count = 4;
    reading.columns = MOVED;
    reading.row_count = parse_rows("a 2.5 12 15", MOVED, 4, cells);
    delta_apply(d, arena, &reading, &frame);
    buf_clear(&got);
    print_frame(&frame, &got);
    assert_string_equal(buf_cstr(&got), "1: a 0 12 3");
}

/* The increase of each row of @rows (name, position) in the reading at @at. */
static void a_counter_that_is_new_sends_its_row(void **state)
{
    (void)state;
    static const FamilyColumn *const BOTH[] = {&NAME, &CALLS, &TIME};
    _cleanup_(delta_freep) Delta *d = delta_new();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    Cell cells[CELLS_MAX];
    PushFrame frame;
    Reading reading = {
        .family = "f", .epoch = "e", .columns = BOTH, .column_count = 2, .label_count = 1, .cells = cells};
    reading.row_count = parse_rows("a 10", BOTH, 2, cells);
    delta_apply(d, arena, &reading, &frame);
    delta_commit(d);

    reading.column_count = 3;
    reading.row_count = parse_rows("a 10 2.5", BOTH, 3, cells);
    delta_apply(d, arena, &reading, &frame);
    _cleanup_buf_ Buf got = BUF_INIT;
    print_frame(&frame, &got);
    assert_string_equal(buf_cstr(&got), "1: a 0 -");
}

static void read_positions(Delta *d, Usec at, const char *rows, const char *expect)
{
    static const FamilyColumn POSITION = {
        .name = "position", .kind = COLUMN_COUNTER, .type = COLUMN_INT8, .cast = "lsn"};
    static const FamilyColumn *const columns[] = {&NAME, &POSITION};
    Cell cells[CELLS_MAX];
    Reading reading = {.family = "f",
                       .epoch = "e",
                       .wall = at,
                       .monotonic = at,
                       .columns = columns,
                       .column_count = ARRAY_LENGTH(columns),
                       .label_count = 1,
                       .cells = cells};
    reading.row_count = parse_rows(rows, columns, ARRAY_LENGTH(columns), cells);
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    PushFrame frame;
    delta_apply(d, arena, &reading, &frame);
    delta_commit(d);
    _cleanup_buf_ Buf out = BUF_INIT;
    print_frame(&frame, &out);
    assert_string_equal(buf_cstr(&out), expect);
}

static void positions_of_new_rows_are_no_increase(void **state)
{
    (void)state;
    _cleanup_(delta_freep) Delta *d = delta_new();
    read_positions(d, USEC_PER_SEC, "a 5000", "0K: a -");
    read_positions(d, 2 * USEC_PER_SEC, "a 5010;b 7000", "1000: a 10; b -");
    read_positions(d, 3 * USEC_PER_SEC, "a 5010;b 7003", "1000: b 3");
}

/* With other labels every key differs; taking the rows for new ones would count them from zero. */
static void other_labels_are_another_epoch(void **state)
{
    (void)state;
    static const FamilyColumn *const FIRST[] = {&KIND, &CALLS};
    static const FamilyColumn *const BEFORE[] = {&NAME, &CALLS};
    static const FamilyColumn *const AFTER[] = {&NAME, &KIND, &CALLS};
    _cleanup_(delta_freep) Delta *d = delta_new();
    _cleanup_(arena_freep) Arena *arena = arena_new(0);
    Cell cells[CELLS_MAX];
    PushFrame frame;
    Reading reading = {
        .family = "f", .epoch = "e", .columns = FIRST, .column_count = 2, .label_count = 1, .cells = cells};
    reading.row_count = parse_rows("a 999", FIRST, 2, cells);
    delta_apply(d, arena, &reading, &frame);
    delta_commit(d);

    reading.columns = BEFORE; /* as many, of another name */
    reading.row_count = parse_rows("a 1000", BEFORE, 2, cells);
    delta_apply(d, arena, &reading, &frame);
    delta_commit(d);
    _cleanup_buf_ Buf second = BUF_INIT;
    print_frame(&frame, &second);
    assert_string_equal(buf_cstr(&second), "0KG: a -");

    reading.columns = AFTER;
    reading.column_count = 3;
    reading.label_count = 2;
    reading.row_count = parse_rows("a k 1001", AFTER, 3, cells);
    delta_apply(d, arena, &reading, &frame);
    _cleanup_buf_ Buf got = BUF_INIT;
    print_frame(&frame, &got);
    assert_string_equal(buf_cstr(&got), "0KG: a k -");
}

static void damaged_bytes_are_refused_at_every_length(void **state)
{
    (void)state;
    _cleanup_(delta_freep) Delta *d = delta_new();
    _cleanup_buf_ Buf bytes = BUF_INIT, ignored = BUF_INIT;
    apply(d,
          &(Step){.at_ms = 0, .epoch = "e", .rows = "a 10 1.5 7 x; b -3 - 9 y", .row_epochs = "r -", .database = "one"},
          &ignored);
    delta_commit(d);
    delta_save(d, &bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        _cleanup_(delta_freep) Delta *fresh = delta_new();
        Err err = ERR_INIT;
        bool is_magic_alone = len == 5;
        int r = delta_load(fresh, slice_from(bytes.ptr, len), &err);
        assert_true(is_magic_alone ? r == 0 : r < 0 && err.code == ERR_CORRUPT);
        assert_false(delta_has(fresh, "f", "one"));
    }
    _cleanup_(delta_freep) Delta *whole = delta_new();
    assert_int_equal(delta_load(whole, buf_slice(&bytes), NULL), 0);
    assert_true(delta_has(whole, "f", "one"));
    assert_false(delta_has(whole, "f", NULL));
}

/* Every cut of a difference is refused, or is the end of one of its series. */
static void damaged_changes_are_refused_at_every_length(void **state)
{
    (void)state;
    _cleanup_(delta_freep) Delta *d = delta_new();
    _cleanup_buf_ Buf whole = BUF_INIT, bytes = BUF_INIT, ignored = BUF_INIT;
    apply(d, &(Step){.epoch = "e", .rows = "a 10 1.5 7 x; b -3 - 9 y; c 1 1 1 -", .database = "one"}, &ignored);
    delta_commit(d);
    delta_save(d, &whole);
    apply(d, &(Step){.at_ms = 9, .epoch = "e", .rows = "b -3 - 9 y; c 2 1 1 -; d 1 1 1 y", .database = "one"},
          &ignored);
    delta_save_staged(d, &bytes);
    for (size_t len = 0; len < bytes.len; len++) {
        _cleanup_(delta_freep) Delta *fresh = delta_new();
        Err err = ERR_INIT;
        assert_int_equal(delta_load(fresh, buf_slice(&whole), &err), 0);
        bool is_magic_alone = len == 5;
        int r = delta_load_staged(fresh, slice_from(bytes.ptr, len), &err);
        assert_true(is_magic_alone ? r == 0 : r < 0 && err.code == ERR_CORRUPT);
        assert_int_equal(delta_has(fresh, "f", "one"), is_magic_alone);
    }
    _cleanup_(delta_freep) Delta *without = delta_new();
    assert_true(delta_load_staged(without, buf_slice(&bytes), NULL) < 0); /* of a baseline that is not there */
}

static void expired_series_are_forgotten(void **state)
{
    (void)state;
    _cleanup_(delta_freep) Delta *d = delta_new();
    _cleanup_buf_ Buf ignored = BUF_INIT;
    apply(d, &(Step){.at_ms = 1000, .epoch = "e", .rows = "a 1 1 1 x", .database = "gone"}, &ignored);
    apply(d, &(Step){.at_ms = 9000, .epoch = "e", .rows = "a 1 1 1 x", .database = "here"}, &ignored);
    delta_commit(d);
    delta_expire(d, 5000 * USEC_PER_MSEC);
    assert_false(delta_has(d, "f", "gone"));
    assert_true(delta_has(d, "f", "here"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_case_gives_its_frames),
        cmocka_unit_test(a_reading_tells_whether_it_says_anything),
        cmocka_unit_test(columns_are_matched_by_name),
        cmocka_unit_test(a_counter_that_is_new_sends_its_row),
        cmocka_unit_test(other_labels_are_another_epoch),
        cmocka_unit_test(damaged_bytes_are_refused_at_every_length),
        cmocka_unit_test(damaged_changes_are_refused_at_every_length),
        cmocka_unit_test(expired_series_are_forgotten),
        cmocka_unit_test(positions_of_new_rows_are_no_increase),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
