/* SPDX-License-Identifier: PostgreSQL */
/*
 * From absolute readings to increases. See delta.h for the contract and docs/decisions/0002-statistics-epoch.md for why
 * an epoch is what it is.
 *
 * A series is a family, or a family of one database. It has a committed generation (the baseline) and, between
 * delta_apply() and delta_commit(), a staged one. Both are sorted by key, so comparing them is one merge.
 *
 * Intervals are monotonic while the process lives. A reading that came back from disk has no monotonic time that means
 * anything, so the first interval after a start is the difference of wall clocks, at least one millisecond.
 *
 * Invariants
 *   1  An increase is computed against the committed generation only: a batch that was given up loses nothing.
 *   2  Within a series only generations of the same epoch are compared; columns are matched by name.
 *   3  An increase is never negative. Where the start is not known it is null.
 *   4  A row is left out only when every counter stood still and every other value is bit for bit what was read before.
 */
#include "collector/increase/delta.h"

#include <assert.h>
#include <errno.h>
#include <math.h>

#include "collector/increase/generation.h"
#include "collector/increase/rollup.h"
#include "collector/reading/rows.h"
#include "collector/reading/series.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"

static const char MAGIC[] = "pgad1";
static const char STAGED_MAGIC[] = "pgai1";
enum { SERIES_MAX = 65536 };

typedef struct Series {
    Generation *committed; /* NULL before the first commit */
    Generation *staged;
    uint64_t staged_resets;
} Series;

struct Delta {
    Map *series; /* "family\0database" -> Series */
    uint64_t resets;
};

static void series_free(void *value)
{
    Series *s = value;
    generation_free(s->committed);
    generation_free(s->staged);
    free(s);
}

Delta *delta_new(void)
{
    Delta *d = mem_alloc(sizeof(*d));
    d->series = map_new(series_free);
    return d;
}

Delta *delta_free(Delta *d)
{
    if (!d)
        return NULL;
    map_free(d->series);
    free(d);
    return NULL;
}

static Series *find_series(const Delta *d, const char *family, const char *database)
{
    _cleanup_buf_ Buf key = BUF_INIT;
    series_append_key(&key, family, database);
    return map_get(d->series, buf_slice(&key));
}

static Series *make_series(Delta *d, Slice key)
{
    Series *s = mem_alloc(sizeof(*s));
    map_put(d->series, key, s);
    return s;
}

bool delta_has(const Delta *d, const char *family, const char *database)
{
    const Series *s = find_series(d, family, database);
    return s && s->committed;
}

bool delta_is_staged(const Delta *d, const char *family, const char *database)
{
    const Series *s = find_series(d, family, database);
    return s && s->staged;
}

bool delta_known_states(const Delta *d, const Reading *empty, RowStateVec *out)
{
    const Series *s = find_series(d, empty->family, empty->database);
    const Generation *g = s ? s->committed : NULL;
    if (!g || !g->states || !generation_matches(g, empty))
        return false;
    const size_t before = out->len;
    for (size_t row = 0; row < g->row_count; row++) {
        if (g->states[row].id != 0)
            row_state_vec_push(out, g->states[row]);
    }
    return out->len > before;
}

/* What one row of the new generation is compared with. */
typedef enum RowStart {
    ROW_START_KNOWN,   /* the row of the previous generation */
    ROW_START_ZERO,    /* it entered after the previous reading */
    ROW_START_UNKNOWN, /* first reading of an epoch */
} RowStart;

static Cell cell_of(const Generation *g, size_t at)
{
    if (g->types[at] == VALUE_INT)
        return (Cell){.type = CELL_INT, .integer = (int64_t)g->bits[at]};
    double number;
    memcpy(&number, &g->bits[at], sizeof(number));
    return (Cell){.type = CELL_FLOAT, .number = number};
}

/* Increase from @before (NULL: from zero) to @after. False: it went down. */
static bool subtract(const Cell *before, Cell after, Cell *ret)
{
    *ret = after;
    if (after.type == CELL_INT) {
        int64_t increase;
        if (__builtin_sub_overflow(after.integer, before ? before->integer : 0, &increase) || increase < 0)
            return false;
        ret->integer = increase;
        return true;
    }
    ret->number = before ? after.number - before->number : after.number;
    return ret->number >= 0 && isfinite(ret->number);
}

typedef struct Comparison {
    const Reading *reading;
    const Generation *now;
    const Generation *before;       /* NULL: the epoch begins here */
    const ptrdiff_t *column_before; /* for each value column, its index in @before; -1: not there */
    bool same_columns;              /* each is its own column_before */
    uint64_t resets;
} Comparison;

/* A position in the WAL was not zero when its row came to be. */
static bool is_position(const FamilyColumn *column)
{
    return column->cast && strcmp(column->cast, "lsn") == 0;
}

/* Fills the increases of the row's counters; false when one went down. *@changed: something moved. */
static bool fill_counters(const Comparison *c, size_t row, size_t row_before, RowStart start, Cell *values,
                          bool *changed)
{
    for (size_t i = 0; i < c->now->column_count; i++) {
        const FamilyColumn *column = c->reading->columns[c->reading->label_count + i];
        if (column->kind != COLUMN_COUNTER)
            continue;
        values[i] = (Cell){.type = CELL_NULL};
        size_t at = row * c->now->column_count + i;
        bool is_number = c->now->types[at] == VALUE_INT || c->now->types[at] == VALUE_FLOAT;
        if (start == ROW_START_UNKNOWN || (start == ROW_START_ZERO && (!is_number || is_position(column))))
            continue;
        if (start == ROW_START_ZERO) {
            if (!subtract(NULL, cell_of(c->now, at), &values[i]))
                return false;
            continue;
        }
        if (c->column_before[i] < 0) {
            *changed |= is_number;
            continue;
        }
        size_t at_before = row_before * c->before->column_count + (size_t)c->column_before[i];
        if (!is_number || c->before->types[at_before] != c->now->types[at]) {
            *changed |= c->before->types[at_before] != c->now->types[at];
            continue;
        }
        Cell before = cell_of(c->before, at_before);
        if (!subtract(&before, cell_of(c->now, at), &values[i]))
            return false;
        *changed |= values[i].type == CELL_INT ? values[i].integer > 0 : values[i].number > 0;
    }
    return true;
}

static bool others_changed(const Comparison *c, size_t row, size_t row_before)
{
    for (size_t i = 0; i < c->now->column_count; i++) {
        if (c->reading->columns[c->reading->label_count + i]->kind == COLUMN_COUNTER)
            continue;
        if (c->column_before[i] < 0)
            return true;
        size_t at = row * c->now->column_count + i;
        size_t at_before = row_before * c->before->column_count + (size_t)c->column_before[i];
        if (c->now->types[at] != c->before->types[at_before] || c->now->bits[at] != c->before->bits[at_before])
            return true;
    }
    return false;
}

/* Labels, gauges and infos as they were read; the cells must not point into the reading. */
static void copy_others(const Comparison *c, Arena *arena, size_t source_row, Cell *cells)
{
    const Cell *source = &c->reading->cells[source_row * c->reading->column_count];
    for (size_t i = 0; i < c->reading->column_count; i++) {
        if (c->reading->columns[i]->kind == COLUMN_COUNTER)
            continue;
        cells[i] = source[i];
        if (source[i].type == CELL_TEXT)
            cells[i].text = arena_dup(arena, source[i].text);
    }
}

/* A row of the new generation and the one before it; -1: there was none. */
typedef struct Pair {
    size_t row;
    ptrdiff_t row_before;
} Pair;

/* Writes the row to @cells; false: it need not travel. */
static bool compare_row(Comparison *c, Arena *arena, const Pair *pair, size_t source_row, Cell *cells)
{
    const size_t row = pair->row;
    const ptrdiff_t row_before = pair->row_before;
    Cell *values = cells + c->reading->label_count;
    RowStart start = ROW_START_UNKNOWN;
    bool changed = c->reading->keyframe || row_before < 0;
    if (c->before && row_before < 0 && !c->reading->partial && !c->before->partial)
        start = ROW_START_ZERO;
    if (row_before >= 0) {
        start = ROW_START_KNOWN;
        changed |= others_changed(c, row, (size_t)row_before);
        if (c->now->row_epochs[row] != c->before->row_epochs[row_before]) {
            start = ROW_START_UNKNOWN;
            changed = true;
            c->resets++;
        }
    }
    size_t at_before = row_before >= 0 ? (size_t)row_before : 0;
    if (!fill_counters(c, row, at_before, start, values, &changed)) {
        (void)fill_counters(c, row, at_before, ROW_START_UNKNOWN, values, &changed); /* nulls cannot go down */
        changed = true;
        c->resets++;
    }
    if (changed)
        copy_others(c, arena, source_row, cells);
    return changed;
}

static int64_t interval_ms(const Reading *reading, const Generation *before)
{
    Usec interval = before->monotonic == GENERATION_MONOTONIC_UNKNOWN ? reading->wall - before->wall
                                                                      : reading->monotonic - before->monotonic;
    return interval > USEC_PER_MSEC ? interval / USEC_PER_MSEC : 1;
}

/* Bit for bit what it was, or not read because it is: no need to look at its values. */
static bool is_as_before(const Comparison *c, const Pair *pair)
{
    if (c->now->places[pair->row] == GENERATION_KEPT)
        return true;
    return pair->row_before >= 0 && c->same_columns && !c->reading->keyframe &&
           generation_rows_are_equal(c->now, pair->row, c->before, (size_t)pair->row_before);
}

/* The rows that may have something to tell; room in @pairs is for all. */
static size_t find_pairs(const Comparison *c, Pair *pairs)
{
    size_t count = 0, at_before = 0;
    for (size_t row = 0; row < c->now->row_count; row++) {
        Pair pair = {.row = row, .row_before = -1};
        Slice key = generation_key(c->now, row);
        while (c->before && at_before < c->before->row_count) {
            int difference = slice_compare(generation_key(c->before, at_before), key);
            if (difference > 0)
                break;
            at_before++;
            if (difference == 0) {
                pair.row_before = (ptrdiff_t)at_before - 1;
                break;
            }
        }
        if (!is_as_before(c, &pair))
            pairs[count++] = pair;
    }
    return count;
}

/* @sources: for each row of the frame, the row of the reading. Few rows travel: there is room for those alone. */
static void merge(Comparison *c, Arena *arena, size_t *sources, PushFrame *frame)
{
    const size_t width = c->reading->column_count;
    Pair *pairs = arena_new_array(arena, Pair, c->now->row_count + 1);
    const size_t count = find_pairs(c, pairs);
    frame->cells = arena_new_array(arena, Cell, count * width + 1);
    for (size_t i = 0; i < count; i++) {
        const size_t source = c->now->places[pairs[i].row];
        Cell *cells = &frame->cells[frame->row_count * width];
        if (compare_row(c, arena, &pairs[i], source, cells))
            sources[frame->row_count++] = source;
    }
}

bool delta_apply(Delta *d, Arena *arena, const Reading *reading, PushFrame *ret_frame)
{
    _cleanup_buf_ Buf key = BUF_INIT;
    series_append_key(&key, reading->family, reading->database);
    Series *s = map_get(d->series, buf_slice(&key));
    if (!s)
        s = make_series(d, buf_slice(&key));

    Generation *now = generation_new(reading, s->committed, arena);
    const Generation *before = s->committed;
    bool gap = before && strcmp(before->epoch, now->epoch) != 0;
    if (gap)
        before = NULL;

    ptrdiff_t *column_before = arena_new_array(arena, ptrdiff_t, now->column_count + 1);
    for (size_t i = 0; before && i < now->column_count; i++)
        column_before[i] = generation_find_column(before, now->columns[i], i);

    *ret_frame = (PushFrame){
        .family = arena_dup(arena, slice_cstr(reading->family)),
        .database = reading->database ? arena_dup(arena, slice_cstr(reading->database)) : SLICE_NULL,
        .time = reading->wall,
        .interval_ms = before ? interval_ms(reading, before) : 0,
        .keyframe = reading->keyframe || !before,
        .gap = gap,
        .column_count = reading->column_count,
        .columns = arena_new_array(arena, Slice, reading->column_count + 1),
    };
    for (size_t i = 0; i < reading->column_count; i++)
        ret_frame->columns[i] = slice_cstr(reading->columns[i]->name);

    Comparison c = {.reading = reading,
                    .now = now,
                    .before = before,
                    .column_before = column_before,
                    .same_columns = before && generation_can_follow(now, before)};
    size_t *sources = arena_new_array(arena, size_t, now->row_count + 1);
    merge(&c, arena, sources, ret_frame);
    rollup_apply(arena, reading, sources, ret_frame);

    generation_free(s->staged);
    s->staged = now;
    s->staged_resets = c.resets;
    return ret_frame->row_count > 0 || !before || before->row_count != now->row_count;
}

void delta_commit(Delta *d)
{
    void *value;
    for (size_t at = 0; map_next(d->series, &at, &(Slice){0}, &value);) {
        Series *s = value;
        if (!s->staged)
            continue;
        generation_free(s->committed);
        s->committed = TAKE_PTR(s->staged);
        d->resets += s->staged_resets;
    }
}

void delta_rollback(Delta *d)
{
    void *value;
    for (size_t at = 0; map_next(d->series, &at, &(Slice){0}, &value);) {
        Series *s = value;
        s->staged = generation_free(s->staged);
    }
}

uint64_t delta_resets(const Delta *d)
{
    return d->resets;
}

void delta_expire(Delta *d, Usec wall)
{
    bool found = true;
    while (found) { /* a map must not change while it is walked; seldom more than a row or two */
        found = false;
        Slice key;
        void *value;
        for (size_t at = 0; !found && map_next(d->series, &at, &key, &value);) {
            Series *s = value;
            found = !s->staged && (!s->committed || s->committed->wall < wall);
        }
        if (found)
            series_free(map_take(d->series, key));
    }
}

void delta_save(const Delta *d, Buf *out)
{
    buf_append(out, SLICE_LIT(MAGIC));
    Slice key;
    void *value;
    for (size_t at = 0; map_next(d->series, &at, &key, &value);) {
        const Series *s = value;
        const Generation *g = s->staged ? s->staged : s->committed;
        if (!g)
            continue;
        generation_put_string(out, key);
        generation_save(g, out);
    }
}

/* How a staged reading is told: as what changed where that is possible. */
typedef enum Told { TOLD_WHOLE, TOLD_CHANGES } Told;

void delta_save_staged(const Delta *d, Buf *out)
{
    buf_append(out, SLICE_LIT(STAGED_MAGIC));
    Slice key;
    void *value;
    for (size_t at = 0; map_next(d->series, &at, &key, &value);) {
        const Series *s = value;
        if (!s->staged)
            continue;
        Told told = s->committed && generation_can_follow(s->staged, s->committed) ? TOLD_CHANGES : TOLD_WHOLE;
        generation_put_string(out, key);
        buf_append_u8(out, told);
        if (told == TOLD_CHANGES)
            generation_save_changes(s->staged, s->committed, out);
        else
            generation_save(s->staged, out);
    }
}

static int damaged(Err *reterr)
{
    return err_set(reterr, ERR_CORRUPT, "the saved baseline is damaged");
}

static int load_series(Delta *d, Slice *bytes, Err *reterr)
{
    Slice key;
    if (!generation_get_string(bytes, &key) || map_has(d->series, key) || map_len(d->series) >= SERIES_MAX)
        return damaged(reterr);
    Generation *g = NULL;
    int r = generation_load(&g, bytes, reterr);
    if (r < 0)
        return r;
    make_series(d, key)->committed = g;
    return 0;
}

static int load_staged_series(Delta *d, Slice *bytes, Err *reterr)
{
    Slice key;
    if (!generation_get_string(bytes, &key) || bytes->len == 0)
        return damaged(reterr);
    Told told = (uint8_t)bytes->ptr[0] == TOLD_CHANGES ? TOLD_CHANGES : TOLD_WHOLE;
    *bytes = slice_skip(*bytes, 1);
    Series *s = map_get(d->series, key);
    if (s ? s->staged != NULL : map_len(d->series) >= SERIES_MAX)
        return damaged(reterr);
    if (told == TOLD_CHANGES && (!s || !s->committed))
        return damaged(reterr);
    Generation *g = NULL;
    int r = told == TOLD_CHANGES ? generation_load_changes(&g, s->committed, bytes, reterr)
                                 : generation_load(&g, bytes, reterr);
    if (r < 0)
        return r;
    (s ? s : make_series(d, key))->staged = g;
    return 0;
}

/* Everything or nothing is left of what @load_one makes of @bytes. */
static int load_all(Delta *d, Slice magic, Slice bytes, int (*load_one)(Delta *, Slice *, Err *), Err *reterr)
{
    int r = slice_starts_with(bytes, magic) ? 0 : err_set(reterr, ERR_CORRUPT, "the saved baseline is not one");
    bytes = slice_skip(bytes, magic.len);
    while (r == 0 && bytes.len > 0)
        r = load_one(d, &bytes, reterr);
    if (r < 0)
        map_clear(d->series);
    return err_trace(r);
}

int delta_load(Delta *d, Slice bytes, Err *reterr)
{
    map_clear(d->series);
    return err_trace(load_all(d, SLICE_LIT(MAGIC), bytes, load_series, reterr));
}

int delta_load_staged(Delta *d, Slice bytes, Err *reterr)
{
    int r = load_all(d, SLICE_LIT(STAGED_MAGIC), bytes, load_staged_series, reterr);
    if (r == 0)
        delta_commit(d);
    return err_trace(r);
}
