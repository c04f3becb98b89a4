/* SPDX-License-Identifier: PostgreSQL */
/* Values were checked before (check.c): here each cell has its column's type or is NULL. */
#include "backend/ingest/encode.h"

#include "lib/base/map.h"
#include "lib/base/memory.h"
#include "lib/pg/conn.h"
#include "lib/pg/copy.h"

enum { STREAM_KEPT_BYTES = 8 << 20, FIXED_COLUMNS = 4, STREAMS_KEPT = 512 };

static const char CUSTOM[] = "custom";

typedef struct Stream {
    char *family; /* families of users live no longer than their push */
    Buf columns;
    Buf data;
    size_t rows;
    bool ended;
} Stream;

struct Encoder {
    Map *streams; /* family, or family '\0' fingerprint -> Stream *; iterates in the order in which families were first
                     seen */
};

static void stream_free(void *p)
{
    Stream *s = p;
    free(s->family);
    buf_done(&s->columns);
    buf_done(&s->data);
    free(s);
}

Encoder *encoder_new(void)
{
    Encoder *e = calloc(1, sizeof *e);
    if (!e)
        abort();
    e->streams = map_new(stream_free);
    return e;
}

Encoder *encoder_free(Encoder *e)
{
    if (e)
        map_free(e->streams);
    free(e);
    return NULL;
}

void encoder_clear(Encoder *e)
{
    Slice key;
    void *value;
    if (map_len(e->streams) > STREAMS_KEPT)
        map_clear(e->streams);
    for (size_t at = 0; map_next(e->streams, &at, &key, &value);) {
        Stream *s = value;
        if (s->data.capacity > STREAM_KEPT_BYTES)
            buf_done(&s->data);
        buf_clear(&s->data);
        s->rows = 0;
        s->ended = false;
    }
}

static Stream *stream_new(const char *family, const Family *f)
{
    Stream *s = mem_alloc(sizeof *s);
    s->family = mem_strdup(family);
    buf_append_cstr(&s->columns, "(time, server_id, series_id, interval_ms");
    for (size_t i = f ? f->label_count : 0; f && i < f->column_count; i++) {
        buf_append_cstr(&s->columns, ", ");
        pg_quote_identifier(&s->columns, slice_cstr(f->columns[i].name));
    }
    buf_append_cstr(&s->columns, f ? ")" : ", value)");
    return s;
}

/* Collectors may give a family of a name different columns: each is a stream of its own. */
static Stream *stream_of(Encoder *e, const char *family, const Family *f)
{
    _cleanup_buf_ Buf key = BUF_INIT;
    buf_append_cstr(&key, family);
    if (f && f->own) {
        buf_append_char(&key, '\0');
        buf_append_u64le(&key, family_fingerprint(f));
    }
    Stream *s = map_get(e->streams, buf_slice(&key));
    if (!s) {
        s = stream_new(family, f);
        map_put(e->streams, buf_slice(&key), s);
    }
    if (s->rows == 0)
        pg_copy_begin(&s->data);
    return s;
}

static void begin_row(Stream *s, size_t fields, Usec time, int32_t server_id, int32_t series_id, int64_t interval_ms)
{
    s->rows++;
    pg_copy_row(&s->data, (uint16_t)(FIXED_COLUMNS + fields));
    pg_copy_timestamptz(&s->data, time);
    pg_copy_int4(&s->data, server_id);
    pg_copy_int4(&s->data, series_id);
    pg_copy_int4(&s->data, interval_ms > INT32_MAX ? INT32_MAX : (int32_t)interval_ms);
}

static void add_cell(Buf *out, const Cell *cell)
{
    switch (cell->type) {
    case CELL_NULL:
        pg_copy_null(out);
        break;
    case CELL_INT:
        pg_copy_int8(out, cell->integer);
        break;
    case CELL_FLOAT:
        pg_copy_float8(out, cell->number);
        break;
    case CELL_TEXT:
        pg_copy_text(out, cell->text);
        break;
    }
}

void encoder_add_frame(Encoder *e, const CheckedFrame *c)
{
    static const Cell ABSENT = {.type = CELL_NULL};
    if (c->row_count == 0)
        return;
    const Family *f = c->family;
    const PushFrame *frame = c->frame;
    Stream *s = stream_of(e, f->name, f);
    for (size_t row = 0; row < frame->row_count; row++) {
        if ((c->refused && c->refused[row]) || c->series[row] == 0)
            continue;
        begin_row(s, f->column_count - f->label_count, frame->time, c->server_id, c->series[row], frame->interval_ms);
        const Cell *cells = &frame->cells[row * frame->column_count];
        for (size_t i = f->label_count; i < f->column_count; i++)
            add_cell(&s->data, c->sources[i] < 0 ? &ABSENT : &cells[c->sources[i]]);
    }
}

void encoder_add_metric(Encoder *e, const CheckedMetric *m)
{
    if (m->series == 0)
        return;
    Stream *s = stream_of(e, CUSTOM, NULL);
    begin_row(s, 1, m->time, m->server_id, m->series, 0);
    pg_copy_float8(&s->data, m->value);
}

bool encoder_next(Encoder *e, size_t *at, const char **ret_family, const char **ret_columns, Slice *ret_data)
{
    Slice key;
    void *value;
    while (map_next(e->streams, at, &key, &value)) {
        Stream *s = value;
        if (s->rows == 0)
            continue;
        if (!s->ended)
            pg_copy_end(&s->data);
        s->ended = true;
        *ret_family = s->family;
        *ret_columns = buf_cstr(&s->columns);
        *ret_data = buf_slice(&s->data);
        return true;
    }
    return false;
}

static const Cell *label_cell(const CheckedFrame *c, size_t row, size_t label)
{
    if (c->sources[label] < 0)
        return NULL;
    const Cell *cell = &c->frame->cells[row * c->frame->column_count + (size_t)c->sources[label]];
    return cell->type == CELL_TEXT ? cell : NULL;
}

void encode_series_key(Buf *out, const CheckedFrame *c, size_t row)
{
    for (size_t i = 0; i < c->family->label_count; i++) {
        const Cell *cell = label_cell(c, row, i);
        /* length first: no value can be mistaken for a part of its neighbour */
        buf_append_u32le(out, cell ? (uint32_t)cell->text.len : UINT32_MAX);
        if (cell)
            buf_append(out, cell->text);
    }
}

void encode_series_labels(Buf *out, const CheckedFrame *c, size_t row)
{
    bool first = true;
    buf_append_char(out, '{');
    for (size_t i = 0; i < c->family->label_count; i++) {
        const Cell *cell = label_cell(c, row, i);
        if (!cell)
            continue;
        buf_printf(out, "%s\"%s\":", first ? "" : ",", c->family->columns[i].name);
        buf_append_json_string(out, cell->text);
        first = false;
    }
    buf_append_char(out, '}');
}
