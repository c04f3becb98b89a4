/* SPDX-License-Identifier: PostgreSQL */
/*
 * Faults of a whole frame (family, types) refuse the frame; faults of a row refuse the row; a column that the catalog
 * does not know is left out and named, because a newer collector must not lose its other columns. Pure.
 */
#include "backend/ingest/check.h"

#include <math.h>

enum { REJECTS_MAX = 64 }; /* different (family, reason) pairs in an answer; the rest is summed up under one */

typedef struct Checker {
    const Catalog *catalog;
    CheckLimits limits;
    Arena *arena;
    CheckedBatch *ret;
} Checker;

static void reject(Checker *k, Slice family, int64_t rows, const char *reason)
{
    PushAnswer *a = &k->ret->answer;
    for (size_t i = 0; i < a->rejected_count; i++) {
        if (slice_eq(a->rejected[i].family, family) && slice_eq_cstr(a->rejected[i].reason, reason)) {
            a->rejected[i].rows += rows;
            return;
        }
    }
    if (a->rejected_count == REJECTS_MAX - 1) {
        family = SLICE_LIT("*");
        reason = "other faults";
    }
    if (a->rejected_count == REJECTS_MAX) {
        a->rejected[REJECTS_MAX - 1].rows += rows;
        return;
    }
    if (!a->rejected)
        a->rejected = arena_new_array(k->arena, PushReject, REJECTS_MAX);
    a->rejected[a->rejected_count++] = (PushReject){
        .family = arena_dup(k->arena, family),
        .reason = arena_dup(k->arena, slice_cstr(reason)),
        .rows = rows,
    };
}

static const char *time_fault(const Checker *k, Usec time)
{
    if (time < k->limits.now - k->limits.retention)
        return "older than what is kept";
    if (time > k->limits.now + k->limits.future_max)
        return "too far in the future: check the clock of the sender";
    return NULL;
}

/* Maps the family's columns to the frame's. NULL, or why the frame cannot be used. */
static const char *map_columns(Checker *k, CheckedFrame *c)
{
    const Family *f = c->family;
    const PushFrame *frame = c->frame;
    c->sources = arena_new_array(k->arena, int16_t, f->column_count);
    for (size_t i = 0; i < f->column_count; i++)
        c->sources[i] = -1;

    size_t known = 0;
    for (size_t i = 0; i < frame->column_count; i++) {
        const FamilyColumn *column = family_find_column(f, frame->columns[i]);
        if (!column) {
            reject(k, frame->family, (int64_t)frame->row_count,
                   arena_printf(k->arena, "column %.*s is not known: its values were left out",
                                SLICE_ARG(frame->columns[i])));
            continue;
        }
        int16_t *source = &c->sources[column - f->columns];
        if (*source >= 0)
            return arena_printf(k->arena, "column %s is there twice", column->name);
        *source = (int16_t)i;
        known++;
    }
    return known == 0 && frame->row_count > 0 ? "none of its columns is known" : NULL;
}

static bool float_is_int64(double v)
{
    return v >= -0x1p63 && v < 0x1p63 && floor(v) == v;
}

/* NULL: fine, perhaps after being made the column's type. */
static const char *cell_type_fault(const FamilyColumn *column, Cell *cell)
{
    if (cell->type == CELL_NULL)
        return NULL;
    if (column->kind == COLUMN_LABEL || column->type == COLUMN_TEXT)
        return cell->type == CELL_TEXT ? NULL : "holds a number where text belongs";
    if (cell->type == CELL_TEXT)
        return "holds text where a number belongs";
    if (column->type == COLUMN_FLOAT8 && cell->type == CELL_INT)
        *cell = (Cell){.type = CELL_FLOAT, .number = (double)cell->integer};
    if (column->type == COLUMN_INT8 && cell->type == CELL_FLOAT) {
        if (!float_is_int64(cell->number))
            return "holds a fraction or a huge number where a whole number belongs";
        *cell = (Cell){.type = CELL_INT, .integer = (int64_t)cell->number};
    }
    bool negative = cell->type == CELL_INT ? cell->integer < 0 : cell->number < 0;
    return column->kind == COLUMN_COUNTER && negative ? "is a counter and holds a negative increase" : NULL;
}

/* What one row alone is refused for. */
static const char *cell_value_fault(const FamilyColumn *column, const Cell *cell)
{
    if (cell->type != CELL_TEXT)
        return NULL;
    if (memchr(cell->text.ptr, '\0', cell->text.len))
        return "holds a NUL character";
    if (column->kind == COLUMN_LABEL && cell->text.len > WIRE_LABEL_VALUE_MAX)
        return "is a label and longer than 1024 bytes";
    return NULL;
}

static void refuse_row(Arena *arena, CheckedFrame *c, size_t row)
{
    if (!c->refused)
        c->refused = arena_new_array(arena, bool, c->frame->row_count);
    c->row_count -= !c->refused[row];
    c->refused[row] = true;
}

/* Column by column, so that the column's kind is looked up once. NULL, or why the whole frame is refused. */
static const char *check_cells(Checker *k, CheckedFrame *c)
{
    const PushFrame *frame = c->frame;
    for (size_t i = 0; i < c->family->column_count; i++) {
        const FamilyColumn *column = &c->family->columns[i];
        if (c->sources[i] < 0)
            continue;
        for (size_t row = 0; row < frame->row_count; row++) {
            Cell *cell = &frame->cells[row * frame->column_count + (size_t)c->sources[i]];
            const char *fault = cell_type_fault(column, cell);
            if (fault)
                return arena_printf(k->arena, "column %s %s (row %zu)", column->name, fault, row);
            fault = cell_value_fault(column, cell);
            if (fault && !(c->refused && c->refused[row])) {
                refuse_row(k->arena, c, row);
                reject(k, frame->family, 1, arena_printf(k->arena, "column %s %s", column->name, fault));
            }
        }
    }
    return NULL;
}

static int64_t count_values(const CheckedFrame *c)
{
    int64_t n = 0;
    for (size_t i = c->family->label_count; i < c->family->column_count; i++)
        for (size_t row = 0; c->sources[i] >= 0 && row < c->frame->row_count; row++)
            n += !(c->refused && c->refused[row]) &&
                 c->frame->cells[row * c->frame->column_count + (size_t)c->sources[i]].type != CELL_NULL;
    return n;
}

/* Built in, or described by the push. NULL, or why there is none. */
static const char *find_family(const Checker *k, CheckedFrame *c)
{
    c->family = catalog_find(k->catalog, c->frame->family);
    for (size_t i = 0; !c->family && i < k->ret->own_count; i++) {
        const OwnFamily *own = &k->ret->own[i];
        if (!slice_eq(own->name, c->frame->family))
            continue;
        c->family = own->family;
        return own->fault;
    }
    return c->family ? NULL : "the family is not known";
}

static const char *check_frame(Checker *k, CheckedFrame *c)
{
    const char *fault = find_family(k, c);
    if (fault)
        return fault;
    fault = time_fault(k, c->frame->time);
    if (!fault)
        fault = map_columns(k, c);
    if (!fault)
        fault = check_cells(k, c);
    if (!fault && c->family->mode == FAMILY_MODE_TEXTS &&
        (!family_find_column(c->family, SLICE_LIT("queryid")) || !family_find_column(c->family, SLICE_LIT("query"))))
        fault = "a family of texts has the columns queryid and query";
    return fault;
}

static void take_frame(Checker *k, const PushFrame *frame)
{
    CheckedFrame c = {
        .frame = frame,
        .row_count = frame->row_count,
    };
    const char *fault = check_frame(k, &c);
    if (fault) {
        /* rows refused one by one before are counted already */
        reject(k, frame->family, (int64_t)c.row_count, fault);
        return;
    }
    c.value_count = count_values(&c);
    c.series = arena_new_array(k->arena, int32_t, frame->row_count);
    k->ret->answer.accepted_rows += (int64_t)c.row_count;
    k->ret->answer.accepted_values += c.value_count;
    if (c.family->mode == FAMILY_MODE_TEXTS)
        k->ret->texts[k->ret->text_count++] = c;
    else
        k->ret->frames[k->ret->frame_count++] = c;
}

static const char *metric_fault(const Checker *k, const PushMetric *m, Usec time)
{
    if (m->name.len == 0 || memchr(m->name.ptr, '\0', m->name.len))
        return "the name is empty or holds a NUL character";
    if (!isfinite(m->value))
        return "the value is not a finite number";
    for (size_t i = 0; i < m->label_count; i++) {
        if (slice_eq_cstr(m->label_names[i], "name"))
            return "the label \"name\" is taken by the metric's own name";
        if (m->label_values[i].len > WIRE_LABEL_VALUE_MAX)
            return "a label is longer than 1024 bytes";
        if (memchr(m->label_names[i].ptr, '\0', m->label_names[i].len) ||
            (m->label_values[i].len && memchr(m->label_values[i].ptr, '\0', m->label_values[i].len)))
            return "a label holds a NUL character";
    }
    return time_fault(k, time);
}

static void take_metric(Checker *k, const PushMetric *m)
{
    Usec time = m->time ? m->time : k->limits.now;
    const char *fault = metric_fault(k, m, time);
    if (fault) {
        reject(k, SLICE_LIT("custom"), 1, fault);
        return;
    }
    CheckedMetric c = {.server = SLICE_LIT(""), .time = time, .value = m->value};
    _cleanup_buf_ Buf labels = BUF_INIT;
    buf_append_cstr(&labels, "{\"name\":");
    buf_append_json_string(&labels, m->name);
    for (size_t i = 0; i < m->label_count; i++) {
        if (slice_eq_cstr(m->label_names[i], "server"))
            c.server = m->label_values[i];
        buf_append_char(&labels, ',');
        buf_append_json_string(&labels, m->label_names[i]);
        buf_append_char(&labels, ':');
        buf_append_json_string(&labels, m->label_values[i].ptr ? m->label_values[i] : SLICE_LIT(""));
    }
    buf_append_char(&labels, '}');
    c.labels = arena_dup(k->arena, buf_slice(&labels));
    k->ret->bytes += labels.len + sizeof c;
    k->ret->metrics[k->ret->metric_count++] = c;
    k->ret->answer.accepted_rows++;
    k->ret->answer.accepted_values++;
}

void check_batch(const PushBatch *push, const Catalog *catalog, CheckLimits limits, Arena *arena, CheckedBatch *ret)
{
    *ret = (CheckedBatch){
        .frames = arena_new_array(arena, CheckedFrame, push->frame_count),
        .texts = arena_new_array(arena, CheckedFrame, push->frame_count),
        .metrics = arena_new_array(arena, CheckedMetric, push->metric_count),
        .own = arena_new_array(arena, OwnFamily, push->family_count),
        .own_count = push->family_count,
        .bytes = sizeof(PushBatch) + push->memory_bytes, /* what is refused is held, too, until the answer */
    };
    for (size_t i = 0; i < push->family_count; i++)
        own_family_define(&push->families[i], catalog, arena, &ret->own[i]);
    Checker k = {.catalog = catalog, .limits = limits, .arena = arena, .ret = ret};
    for (size_t i = 0; i < push->frame_count; i++)
        take_frame(&k, &push->frames[i]);
    for (size_t i = 0; i < push->metric_count; i++)
        take_metric(&k, &push->metrics[i]);
}

void check_refuse_row(CheckedBatch *batch, Arena *arena, CheckedFrame *c, size_t row, const char *reason)
{
    if (c->refused && c->refused[row])
        return;
    Checker k = {.arena = arena, .ret = batch};
    refuse_row(arena, c, row);
    reject(&k, c->frame->family, 1, reason);
    batch->answer.accepted_rows--;
    for (size_t i = c->family->label_count; i < c->family->column_count; i++)
        batch->answer.accepted_values -=
            c->sources[i] >= 0 &&
            c->frame->cells[row * c->frame->column_count + (size_t)c->sources[i]].type != CELL_NULL;
}

void check_refuse_family(CheckedBatch *batch, Arena *arena, const Family *family, const char *reason)
{
    size_t kept = 0;
    for (size_t i = 0; i < batch->frame_count; i++) {
        CheckedFrame *c = &batch->frames[i];
        if (c->family != family) {
            batch->frames[kept++] = *c;
            continue;
        }
        for (size_t row = 0; row < c->frame->row_count; row++)
            check_refuse_row(batch, arena, c, row, reason);
    }
    batch->frame_count = kept;
}

void check_refuse_metric(CheckedBatch *batch, Arena *arena, size_t index, const char *reason)
{
    Checker k = {.arena = arena, .ret = batch};
    reject(&k, SLICE_LIT("custom"), 1, reason);
    batch->metrics[index] = batch->metrics[--batch->metric_count];
    batch->answer.accepted_rows--;
    batch->answer.accepted_values--;
}
