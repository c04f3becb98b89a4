/* SPDX-License-Identifier: PostgreSQL */
/* The push format's encoder: see push.h and docs/wire.md. Members that hold their default are left out. */
#include "lib/wire/push.h"

#include <math.h>
#include <yyjson.h>

/* Writes `"name":`, with the comma before it when the object has members already. @name is a literal of ours. */
static void put_name(Buf *out, const char *name)
{
    if (out->ptr[out->len - 1] != '{')
        buf_append_char(out, ',');
    buf_append_char(out, '"');
    buf_append_cstr(out, name);
    buf_append(out, SLICE_LIT("\":"));
}

static void put_string(Buf *out, const char *name, Slice value)
{
    if (!value.ptr)
        return;
    put_name(out, name);
    buf_append_json_string(out, value);
}

static void put_int(Buf *out, const char *name, int64_t value)
{
    if (value == 0)
        return;
    put_name(out, name);
    buf_append_int64(out, value);
}

static void put_flag(Buf *out, const char *name, bool value, bool otherwise)
{
    if (value == otherwise)
        return;
    put_name(out, name);
    buf_append_cstr(out, value ? "true" : "false");
}

static void put_time(Buf *out, const char *name, Usec value)
{
    char text[CLOCK_ISO_SIZE];

    if (value == 0)
        return;
    clock_format_iso(value, text);
    put_string(out, name, slice_cstr(text));
}

static void separate(Buf *out, size_t index)
{
    if (index > 0)
        buf_append_char(out, ',');
}

/* By yyjson's printer: the shortest text that reads back the same, many times faster than printf. An integral value
 * keeps its ".0" and so its type. */
static void put_number(Buf *out, double value)
{
    char memory[256];
    yyjson_val number = {0};
    yyjson_alc pool;
    size_t length = 0;

    if (!isfinite(value)) {
        buf_append(out, SLICE_LIT("null")); /* JSON has no word for it; not known is the truth about it */
        return;
    }
    if (buf_prints_as_integer(value)) { /* most are 0 */
        buf_append_int64(out, (int64_t)value);
        buf_append(out, SLICE_LIT(".0"));
        return;
    }
    (void)yyjson_alc_pool_init(&pool, memory, sizeof memory); /* fails for less than 64 bytes only */
    (void)yyjson_set_real(&number, value);                    /* fails for containers only */
    const char *text = yyjson_val_write_opts(&number, YYJSON_WRITE_NOFLAG, &pool, &length, NULL);
    if (!text)
        abort(); /* GCOV_EXCL_LINE: the pool holds any number */
    buf_append(out, slice_from(text, length));
}

static void put_cell(Buf *out, const Cell *cell)
{
    switch (cell->type) {
    case CELL_NULL:
        buf_append(out, SLICE_LIT("null"));
        break;
    case CELL_INT:
        buf_append_int64(out, cell->integer);
        break;
    case CELL_FLOAT:
        put_number(out, cell->number);
        break;
    case CELL_TEXT:
        buf_append_json_string(out, cell->text);
        break;
    }
}

static void put_rows(Buf *out, const PushFrame *frame)
{
    const Cell *cell = frame->cells;

    put_name(out, "rows");
    buf_append_char(out, '[');
    for (size_t row = 0; row < frame->row_count; row++) {
        separate(out, row);
        buf_append_char(out, '[');
        for (size_t column = 0; column < frame->column_count; column++) {
            separate(out, column);
            put_cell(out, cell++);
        }
        buf_append_char(out, ']');
    }
    buf_append_char(out, ']');
}

static void put_frame(Buf *out, const PushFrame *frame)
{
    buf_append_char(out, '{');
    put_string(out, "family", frame->family);
    put_string(out, "server", frame->server);
    put_string(out, "database", frame->database);
    put_time(out, "time", frame->time);
    put_int(out, "interval_ms", frame->interval_ms);
    put_flag(out, "keyframe", frame->keyframe, false);
    put_flag(out, "gap", frame->gap, false);
    put_name(out, "columns");
    buf_append_char(out, '[');
    for (size_t i = 0; i < frame->column_count; i++) {
        separate(out, i);
        buf_append_json_string(out, frame->columns[i]);
    }
    buf_append_char(out, ']');
    put_rows(out, frame);
    buf_append_char(out, '}');
}

static void put_family(Buf *out, const PushFamily *family)
{
    buf_append_char(out, '{');
    put_string(out, "name", family->name);
    put_string(out, "help", family->help);
    put_string(out, "scope", family->scope);
    put_string(out, "mode", family->mode);
    put_int(out, "interval", family->interval_s);
    put_name(out, "columns");
    buf_append_char(out, '[');
    for (size_t i = 0; i < family->column_count; i++) {
        const PushColumn *column = &family->columns[i];
        separate(out, i);
        buf_append_char(out, '{');
        put_string(out, "name", column->name);
        put_string(out, "kind", column->kind);
        put_string(out, "type", column->type);
        put_string(out, "unit", column->unit);
        put_string(out, "help", column->help);
        buf_append_char(out, '}');
    }
    buf_append(out, SLICE_LIT("]}"));
}

static void put_families(Buf *out, const PushBatch *batch)
{
    if (batch->family_count == 0)
        return;
    put_name(out, "families");
    buf_append_char(out, '[');
    for (size_t i = 0; i < batch->family_count; i++) {
        separate(out, i);
        put_family(out, &batch->families[i]);
    }
    buf_append_char(out, ']');
}

static void put_server(Buf *out, const PushServer *server)
{
    buf_append_char(out, '{');
    put_string(out, "name", server->name);
    put_string(out, "system_identifier", server->system_identifier);
    put_int(out, "version_num", server->version_num);
    put_flag(out, "in_recovery", server->in_recovery, false);
    put_flag(out, "reachable", server->reachable, true);
    if (!server->reachable)
        put_string(out, "error", server->error);
    put_time(out, "postmaster_start", server->postmaster_start);
    put_int(out, "interval_ms", server->interval_ms);
    buf_append_char(out, '}');
}

static void put_metric(Buf *out, const PushMetric *metric)
{
    buf_append_char(out, '{');
    put_string(out, "name", metric->name);
    put_name(out, "value");
    put_number(out, metric->value);
    put_time(out, "time", metric->time);
    if (metric->label_count > 0) {
        put_name(out, "labels");
        buf_append_char(out, '{');
        for (size_t i = 0; i < metric->label_count; i++) {
            separate(out, i);
            buf_append_json_string(out, metric->label_names[i]);
            buf_append_char(out, ':');
            buf_append_json_string(out, metric->label_values[i]);
        }
        buf_append_char(out, '}');
    }
    buf_append_char(out, '}');
}

void push_encode(const PushBatch *batch, Buf *out)
{
    buf_append_char(out, '{');
    put_string(out, "collector_id", batch->collector_id);
    put_string(out, "spool", batch->spool);
    put_int(out, "sequence", batch->sequence);
    put_time(out, "sent_at", batch->sent_at);
    if (batch->agent_version.ptr) {
        put_name(out, "agent");
        buf_append_char(out, '{');
        put_string(out, "version", batch->agent_version);
        buf_append_char(out, '}');
    }
    put_name(out, "servers");
    buf_append_char(out, '[');
    for (size_t i = 0; i < batch->server_count; i++) {
        separate(out, i);
        put_server(out, &batch->servers[i]);
    }
    buf_append_char(out, ']');
    put_families(out, batch);
    put_name(out, "frames");
    buf_append_char(out, '[');
    for (size_t i = 0; i < batch->frame_count; i++) {
        separate(out, i);
        put_frame(out, &batch->frames[i]);
    }
    buf_append_char(out, ']');
    put_name(out, "metrics");
    buf_append_char(out, '[');
    for (size_t i = 0; i < batch->metric_count; i++) {
        separate(out, i);
        put_metric(out, &batch->metrics[i]);
    }
    buf_append(out, SLICE_LIT("]}"));
}
