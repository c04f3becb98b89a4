/* SPDX-License-Identifier: PostgreSQL */
/*
 * The push format's decoder: see push.h and docs/wire.md. The JSON tree is built, checked and copied into the arena in
 * one walk, then freed, so that a batch that waits for the writer holds no tree. Every refusal names its place; the
 * place is put together only when there is something to refuse.
 */
#include <errno.h>
#include <stdio.h>

#include "lib/json/json.h"
#include "lib/wire/push.h"

enum { PLACE_SIZE = 64, QUOTE_MAX = 40 };

#define TIME_MIN USEC_POSTGRES_EPOCH
#define TIME_MAX ((Usec)7258118400 * USEC_PER_SEC) /* 2200-01-01 */

typedef struct Decoder {
    Arena *arena;
    PushBatch *batch;
    Err *reterr;
    size_t rows; /* of the frames so far */
} Decoder;

/* Zeroed memory for what input sizes; NULL with the error set when the arena gives no more. */
static void *allocate(Decoder *d, size_t count, size_t size)
{
    void *p = arena_try_alloc(d->arena, count > 0 ? count * size : 1);
    if (!p)
        (void)err_set(d->reterr, ERR_TOO_LARGE, "the batch needs more memory than one request may use");
    return p;
}

static int no_memory(void)
{
    return -err_code_errno(ERR_TOO_LARGE);
}

/* "a string "x"", "the number 5", "an array": what was found, for messages. */
static const char *describe(yyjson_val *value, char *buffer, size_t size)
{
    switch (yyjson_get_type(value)) {
    case YYJSON_TYPE_NULL:
        return "null";
    case YYJSON_TYPE_BOOL:
        return yyjson_get_bool(value) ? "true" : "false";
    case YYJSON_TYPE_NUM:
        (void)snprintf(buffer, size, "the number %.17g", yyjson_get_num(value));
        return buffer;
    case YYJSON_TYPE_STR:
        (void)snprintf(buffer, size, "a string \"%.*s\"%s", QUOTE_MAX, yyjson_get_str(value),
                       yyjson_get_len(value) > QUOTE_MAX ? "..." : "");
        return buffer;
    case YYJSON_TYPE_ARR:
        return "an array";
    case YYJSON_TYPE_OBJ:
        return "an object";
    default:
        return "nothing";
    }
}

static int fault_expected(Decoder *d, const char *expected, yyjson_val *found)
{
    char buffer[QUOTE_MAX + 32];

    return err_set(d->reterr, ERR_BODY_INVALID, "expected %s, found %s", expected,
                   describe(found, buffer, sizeof buffer));
}

static bool has_control_character(Slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < 0x20 || s.ptr[i] == 0x7f)
            return true;
    return false;
}

/* Copies the text of a value into the arena; NUL has no place in a PostgreSQL text. */
static int copy_text(Decoder *d, Slice text, size_t max, Slice *ret)
{
    if (text.len > max)
        return err_set(d->reterr, ERR_TOO_LARGE, "%zu bytes, at most %zu are allowed", text.len, max);
    if (text.len > 0 && memchr(text.ptr, '\0', text.len))
        return err_set(d->reterr, ERR_BODY_INVALID, "a text may not hold \\u0000");
    char *copy = allocate(d, text.len + 1, 1);
    if (!copy)
        return no_memory();
    memcpy(copy, text.ptr, text.len);
    *ret = slice_from(copy, text.len);
    return 0;
}

/* The same for names, which people see in lists and labels. */
static int copy_name(Decoder *d, Slice text, Slice *ret)
{
    if (text.len == 0)
        return err_set(d->reterr, ERR_BODY_INVALID, "a name may not be empty");
    if (has_control_character(text))
        return err_set(d->reterr, ERR_BODY_INVALID, "a name may not hold control characters");
    return copy_text(d, text, WIRE_NAME_MAX, ret);
}

/* Puts "path.name" (or "name") before the error of @r, if it is one. */
static int at_member(Decoder *d, int r, const char *path, const char *name)
{
    if (r < 0)
        err_prefix(d->reterr, "%s%s%s", path, *path ? "." : "", name);
    return r;
}

/* A member that is absent stays absent. */
static int keep_name(Decoder *d, const char *path, const char *name, Slice text, Slice *ret)
{
    *ret = SLICE_NULL;
    return text.ptr ? at_member(d, copy_name(d, text, ret), path, name) : 0;
}

static int keep_time(Decoder *d, const char *path, const char *name, Slice text, Usec *ret)
{
    *ret = 0;
    if (!text.ptr)
        return 0;
    if (!clock_parse_iso(text, ret))
        return at_member(d,
                         err_set(d->reterr, ERR_BODY_INVALID, "\"%.*s\" is not a time as in RFC 3339",
                                 (int)(text.len < QUOTE_MAX ? text.len : QUOTE_MAX), text.ptr),
                         path, name);
    if (*ret < TIME_MIN || *ret >= TIME_MAX)
        return at_member(
            d, err_set(d->reterr, ERR_BODY_INVALID, "%.*s is not between the years 2000 and 2200", SLICE_ARG(text)),
            path, name);
    return 0;
}

/* Checks that @list is absent, or an array of at most @max. */
static int check_list(Decoder *d, const char *path, const char *name, yyjson_val *list, size_t max, size_t *ret_count)
{
    *ret_count = yyjson_arr_size(list);
    if (list && !yyjson_is_arr(list))
        return at_member(d, fault_expected(d, "an array", list), path, name);
    if (*ret_count > max)
        return at_member(d, err_set(d->reterr, ERR_TOO_LARGE, "%zu entries, at most %zu are allowed", *ret_count, max),
                         path, name);
    return 0;
}

static int decode_server(Decoder *d, yyjson_val *value, size_t index)
{
    PushServer *server = &d->batch->servers[index];
    char path[PLACE_SIZE];
    JsonReader r;

    (void)snprintf(path, sizeof path, "servers[%zu]", index);
    json_reader_init(&r, value, path, d->reterr);
    Slice name = json_take_string(&r, "name", 1, WIRE_NAME_MAX);
    Slice identifier = json_take_optional_string(&r, "system_identifier", 20);
    server->version_num = json_take_optional_int(&r, "version_num", 0, 9999999, 0);
    server->in_recovery = json_take_optional_bool(&r, "in_recovery", false);
    server->reachable = json_take_optional_bool(&r, "reachable", true);
    Slice error = json_take_optional_string(&r, "error", WIRE_ERROR_MAX);
    Slice start = json_take_optional_string(&r, "postmaster_start", QUOTE_MAX);
    server->interval_ms = json_take_optional_int(&r, "interval_ms", 0, INT32_MAX, 0);
    int result = json_reader_finish(&r);
    uint64_t number;

    if (result < 0)
        return result;
    if (identifier.ptr && !slice_to_uint64(identifier, &number))
        return at_member(d, err_set(d->reterr, ERR_BODY_INVALID, "expected the digits of a 64-bit number"), path,
                         "system_identifier");
    if (error.ptr && server->reachable)
        return at_member(d, err_set(d->reterr, ERR_BODY_INVALID, "given for a server that is reachable"), path,
                         "error");
    if ((result = keep_name(d, path, "name", name, &server->name)) < 0 ||
        (result = keep_name(d, path, "system_identifier", identifier, &server->system_identifier)) < 0 ||
        (result = keep_time(d, path, "postmaster_start", start, &server->postmaster_start)) < 0)
        return result;
    if (error.ptr && (result = copy_text(d, error, WIRE_ERROR_MAX, &server->error)) < 0)
        return at_member(d, result, path, "error");
    for (size_t i = 0; i < index; i++)
        if (slice_eq(d->batch->servers[i].name, server->name))
            return at_member(d, err_set(d->reterr, ERR_BODY_INVALID, "the same as of servers[%zu]", i), path, "name");
    return 0;
}

/* Names of columns are few and short: a small open-addressed table finds those that come twice. */
typedef struct NameSet {
    uint8_t slots[2 * WIRE_COLUMNS_MAX]; /* index of the name + 1, 0 is free */
} NameSet;
_Static_assert(WIRE_COLUMNS_MAX < UINT8_MAX, "indexes fit a slot");

/* The index of an earlier name that is the same, or @index after adding it. */
static size_t name_set_add(NameSet *set, const Slice *names, size_t index)
{
    uint32_t hash = 2166136261U; /* FNV-1a; the number of names is bounded, so bad luck is too */

    for (size_t i = 0; i < names[index].len; i++)
        hash = (hash ^ (unsigned char)names[index].ptr[i]) * 16777619U;
    for (size_t at = hash % sizeof set->slots;; at = (at + 1) % sizeof set->slots) {
        if (set->slots[at] == 0) {
            set->slots[at] = (uint8_t)(index + 1);
            return index;
        }
        if (slice_eq(names[set->slots[at] - 1U], names[index]))
            return set->slots[at] - 1U;
    }
}

static int decode_columns(Decoder *d, PushFrame *frame, yyjson_val *list, const char *path)
{
    NameSet seen = {0};
    yyjson_arr_iter at = yyjson_arr_iter_with(list);
    int r = check_list(d, path, "columns", list, WIRE_COLUMNS_MAX, &frame->column_count);

    if (r < 0)
        return r;
    if (frame->column_count == 0)
        return at_member(d, err_set(d->reterr, ERR_BODY_INVALID, "expected at least one name"), path, "columns");
    frame->columns = allocate(d, frame->column_count, sizeof *frame->columns);
    if (!frame->columns)
        return no_memory();
    for (size_t i = 0; i < frame->column_count && r == 0; i++) {
        yyjson_val *value = yyjson_arr_iter_next(&at);
        if (!yyjson_is_str(value))
            r = fault_expected(d, "a string", value);
        else
            r = copy_name(d, slice_from(yyjson_get_str(value), yyjson_get_len(value)), &frame->columns[i]);
        size_t first = r == 0 ? name_set_add(&seen, frame->columns, i) : i;
        if (first != i)
            r = err_set(d->reterr, ERR_BODY_INVALID, "\"%.*s\" is the name of columns[%zu] already",
                        SLICE_ARG(frame->columns[i]), first);
        if (r < 0)
            err_prefix(d->reterr, "%s.columns[%zu]", path, i);
    }
    return r;
}

/* Integers beyond int64 become floating point, as JSON's larger ones do. */
static int decode_cell(Decoder *d, yyjson_val *value, Cell *ret)
{
    switch (yyjson_get_tag(value)) {
    case YYJSON_TYPE_NULL | YYJSON_SUBTYPE_NONE:
        return 0; /* zeroed memory is CELL_NULL */
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_UINT:
        if (yyjson_get_uint(value) > INT64_MAX)
            *ret = (Cell){.type = CELL_FLOAT, .number = (double)yyjson_get_uint(value)};
        else
            *ret = (Cell){.type = CELL_INT, .integer = (int64_t)yyjson_get_uint(value)};
        return 0;
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_SINT:
        *ret = (Cell){.type = CELL_INT, .integer = yyjson_get_sint(value)};
        return 0;
    case YYJSON_TYPE_NUM | YYJSON_SUBTYPE_REAL:
        *ret = (Cell){.type = CELL_FLOAT, .number = yyjson_get_real(value)};
        return 0;
    default:
        if (!yyjson_is_str(value))
            return fault_expected(d, "a number, a string or null", value);
        ret->type = CELL_TEXT;
        return copy_text(d, slice_from(yyjson_get_str(value), yyjson_get_len(value)), WIRE_INFO_VALUE_MAX, &ret->text);
    }
}

/* Every row is an array of @width values. Checked before cells are allocated: a list of `0`s must not cost the memory
 * of a list of rows. */
static int check_rows(Decoder *d, yyjson_val *list, const char *path, size_t width)
{
    size_t i, count;
    yyjson_val *row;
    int r = 0;

    yyjson_arr_foreach(list, i, count, row)
    {
        if (!yyjson_is_arr(row))
            r = fault_expected(d, "an array", row);
        else if (yyjson_arr_size(row) != width)
            r = err_set(d->reterr, ERR_BODY_INVALID, "expected %zu values, one for each column, found %zu", width,
                        yyjson_arr_size(row));
        if (r < 0) {
            err_prefix(d->reterr, "%s.rows[%zu]", path, i);
            return r;
        }
    }
    return 0;
}

static int decode_row(Decoder *d, yyjson_val *row, const char *path, size_t index, Cell *cells)
{
    size_t i, count;
    yyjson_val *value;

    yyjson_arr_foreach(row, i, count, value)
    {
        int r = decode_cell(d, value, &cells[i]);
        if (r < 0) {
            err_prefix(d->reterr, "%s.rows[%zu][%zu]", path, index, i);
            return r;
        }
    }
    return 0;
}

static int decode_rows(Decoder *d, PushFrame *frame, yyjson_val *list, const char *path)
{
    size_t i, count;
    yyjson_val *row;
    int r = check_list(d, path, "rows", list, WIRE_ROWS_MAX, &frame->row_count);

    if (r < 0)
        return r;
    d->rows += frame->row_count;
    if (d->rows > WIRE_ROWS_MAX)
        return at_member(d,
                         err_set(d->reterr, ERR_TOO_LARGE, "%zu rows in the batch so far, at most %d are allowed",
                                 d->rows, WIRE_ROWS_MAX),
                         path, "rows");
    r = check_rows(d, list, path, frame->column_count);
    if (r < 0)
        return r;
    frame->cells = allocate(d, frame->row_count * frame->column_count, sizeof *frame->cells);
    if (!frame->cells)
        return no_memory();
    yyjson_arr_foreach(list, i, count, row)
    {
        r = decode_row(d, row, path, i, &frame->cells[i * frame->column_count]);
        if (r < 0)
            return r;
    }
    return 0;
}

/* A text for people; absent stays absent. */
static int keep_help(Decoder *d, const char *path, Slice text, Slice *ret)
{
    *ret = SLICE_NULL;
    return text.ptr ? at_member(d, copy_text(d, text, WIRE_HELP_MAX, ret), path, "help") : 0;
}

static int decode_column(Decoder *d, yyjson_val *value, const char *path, PushColumn *ret)
{
    JsonReader r;

    json_reader_init(&r, value, path, d->reterr);
    Slice name = json_take_string(&r, "name", 1, WIRE_NAME_MAX);
    Slice kind = json_take_string(&r, "kind", 1, WIRE_NAME_MAX);
    Slice type = json_take_string(&r, "type", 1, WIRE_NAME_MAX);
    Slice unit = json_take_optional_string(&r, "unit", WIRE_NAME_MAX);
    Slice help = json_take_optional_string(&r, "help", WIRE_HELP_MAX);
    int result = json_reader_finish(&r);

    if (result < 0 || (result = keep_name(d, path, "name", name, &ret->name)) < 0 ||
        (result = keep_name(d, path, "kind", kind, &ret->kind)) < 0 ||
        (result = keep_name(d, path, "type", type, &ret->type)) < 0 ||
        (result = keep_name(d, path, "unit", unit.len > 0 ? unit : SLICE_NULL, &ret->unit)) < 0)
        return result;
    return keep_help(d, path, help, &ret->help);
}

static int decode_family_columns(Decoder *d, PushFamily *family, yyjson_val *list, const char *path)
{
    size_t i, count;
    yyjson_val *value;
    int r = check_list(d, path, "columns", list, WIRE_COLUMNS_MAX, &family->column_count);

    if (r < 0)
        return r;
    family->columns = allocate(d, family->column_count, sizeof *family->columns);
    if (!family->columns)
        return no_memory();
    yyjson_arr_foreach(list, i, count, value)
    {
        char place[2 * PLACE_SIZE];
        (void)snprintf(place, sizeof place, "%s.columns[%zu]", path, i);
        r = decode_column(d, value, place, &family->columns[i]);
        if (r < 0)
            return r;
    }
    return 0;
}

static int decode_family(Decoder *d, yyjson_val *value, size_t index)
{
    PushFamily *family = &d->batch->families[index];
    char path[PLACE_SIZE];
    JsonReader r;

    (void)snprintf(path, sizeof path, "families[%zu]", index);
    json_reader_init(&r, value, path, d->reterr);
    Slice name = json_take_string(&r, "name", 1, WIRE_NAME_MAX);
    Slice help = json_take_optional_string(&r, "help", WIRE_HELP_MAX);
    Slice scope = json_take_string(&r, "scope", 1, WIRE_NAME_MAX);
    Slice mode = json_take_optional_string(&r, "mode", WIRE_NAME_MAX);
    family->interval_s = json_take_optional_int(&r, "interval", 0, INT32_MAX, 0);
    yyjson_val *columns = json_take_array(&r, "columns");
    int result = json_reader_finish(&r);

    if (result < 0 || (result = keep_name(d, path, "name", name, &family->name)) < 0 ||
        (result = keep_help(d, path, help, &family->help)) < 0 ||
        (result = keep_name(d, path, "scope", scope, &family->scope)) < 0 ||
        (result = keep_name(d, path, "mode", mode, &family->mode)) < 0)
        return result;
    for (size_t i = 0; i < index; i++)
        if (slice_eq(d->batch->families[i].name, family->name))
            return at_member(d, err_set(d->reterr, ERR_BODY_INVALID, "the same as of families[%zu]", i), path, "name");
    return decode_family_columns(d, family, columns, path);
}

/* Frames of one server stand together, so the server of the frame before is tried first. */
static int find_server(Decoder *d, const char *path, Slice name, PushFrame *frame)
{
    const PushBatch *batch = d->batch;
    size_t index = (size_t)(frame - batch->frames);

    if (index > 0 && slice_eq(frame[-1].server, name)) {
        frame->server = frame[-1].server;
        return 0;
    }
    for (size_t i = 0; i < batch->server_count; i++)
        if (slice_eq(batch->servers[i].name, name)) {
            frame->server = batch->servers[i].name;
            return 0;
        }
    return at_member(
        d, err_set(d->reterr, ERR_BODY_INVALID, "\"%.*s\" is not the name of one of \"servers\"", SLICE_ARG(name)),
        path, "server");
}

static int decode_frame(Decoder *d, yyjson_val *value, size_t index)
{
    PushFrame *frame = &d->batch->frames[index];
    char path[PLACE_SIZE];
    JsonReader r;

    (void)snprintf(path, sizeof path, "frames[%zu]", index);
    json_reader_init(&r, value, path, d->reterr);
    Slice family = json_take_string(&r, "family", 1, WIRE_NAME_MAX);
    Slice server = json_take_string(&r, "server", 1, WIRE_NAME_MAX);
    Slice database = json_take_optional_string(&r, "database", WIRE_NAME_MAX);
    Slice time = json_take_string(&r, "time", 1, QUOTE_MAX);
    frame->interval_ms = json_take_optional_int(&r, "interval_ms", 0, INT32_MAX, 0);
    frame->keyframe = json_take_optional_bool(&r, "keyframe", false);
    frame->gap = json_take_optional_bool(&r, "gap", false);
    yyjson_val *columns = json_take_array(&r, "columns");
    yyjson_val *rows = json_take_array(&r, "rows");
    int result = json_reader_finish(&r);

    if (result < 0 || (result = keep_name(d, path, "family", family, &frame->family)) < 0 ||
        (result = find_server(d, path, server, frame)) < 0 ||
        (result = keep_name(d, path, "database", database, &frame->database)) < 0 ||
        (result = keep_time(d, path, "time", time, &frame->time)) < 0 ||
        (result = decode_columns(d, frame, columns, path)) < 0)
        return result;
    return decode_rows(d, frame, rows, path);
}

static int decode_label(Decoder *d, PushMetric *metric, size_t index, yyjson_val *key, yyjson_val *value)
{
    Slice *name = &metric->label_names[index];
    int r = copy_name(d, slice_from(yyjson_get_str(key), yyjson_get_len(key)), name);

    if (r < 0)
        return r;
    for (size_t i = 0; i < index; i++)
        if (slice_eq(metric->label_names[i], *name))
            return err_set(d->reterr, ERR_BODY_INVALID, "\"%.*s\" stands here twice", SLICE_ARG(*name));
    if (!yyjson_is_str(value))
        r = fault_expected(d, "a string", value);
    else
        r = copy_text(d, slice_from(yyjson_get_str(value), yyjson_get_len(value)), WIRE_LABEL_VALUE_MAX,
                      &metric->label_values[index]);
    if (r < 0)
        err_prefix(d->reterr, "%.*s", SLICE_ARG(*name));
    return r;
}

static int decode_labels(Decoder *d, PushMetric *metric, yyjson_val *labels)
{
    size_t i, count;
    yyjson_val *key, *value;

    if (!labels)
        return 0;
    if (!yyjson_is_obj(labels))
        return fault_expected(d, "an object", labels);
    metric->label_count = yyjson_obj_size(labels);
    if (metric->label_count > WIRE_LABELS_MAX)
        return err_set(d->reterr, ERR_TOO_LARGE, "%zu entries, at most %d are allowed", metric->label_count,
                       WIRE_LABELS_MAX);
    metric->label_names = allocate(d, metric->label_count, sizeof *metric->label_names);
    metric->label_values = allocate(d, metric->label_count, sizeof *metric->label_values);
    if (!metric->label_names || !metric->label_values)
        return no_memory();
    yyjson_obj_foreach(labels, i, count, key, value)
    {
        int r = decode_label(d, metric, i, key, value);
        if (r < 0)
            return r;
    }
    return 0;
}

static int decode_metric(Decoder *d, yyjson_val *value, size_t index)
{
    PushMetric *metric = &d->batch->metrics[index];
    char path[PLACE_SIZE];
    JsonReader r;

    (void)snprintf(path, sizeof path, "metrics[%zu]", index);
    json_reader_init(&r, value, path, d->reterr);
    Slice name = json_take_string(&r, "name", 1, WIRE_NAME_MAX);
    yyjson_val *number = json_take_optional(&r, "value");
    Slice time = json_take_optional_string(&r, "time", QUOTE_MAX);
    yyjson_val *labels = json_take_optional(&r, "labels");
    int result = json_reader_finish(&r);

    if (result < 0 || (result = keep_name(d, path, "name", name, &metric->name)) < 0)
        return result;
    if (!yyjson_is_num(number))
        return at_member(d, fault_expected(d, "a number", number), path, "value");
    metric->value = yyjson_get_num(number);
    result = keep_time(d, path, "time", time, &metric->time);
    return result < 0 ? result : at_member(d, decode_labels(d, metric, labels), path, "labels");
}

static int decode_each(Decoder *d, yyjson_val *list, int (*decode_item)(Decoder *, yyjson_val *, size_t))
{
    size_t i, count;
    yyjson_val *item;

    yyjson_arr_foreach(list, i, count, item)
    {
        int r = decode_item(d, item, i);
        if (r < 0)
            return r;
    }
    return 0;
}

static int decode_servers(Decoder *d, yyjson_val *list)
{
    PushBatch *batch = d->batch;
    int r = check_list(d, "", "servers", list, WIRE_SERVERS_MAX, &batch->server_count);

    if (r < 0)
        return r;
    batch->servers = allocate(d, batch->server_count, sizeof *batch->servers);
    return batch->servers ? decode_each(d, list, decode_server) : no_memory();
}

static int decode_families(Decoder *d, yyjson_val *list)
{
    PushBatch *batch = d->batch;
    int r = check_list(d, "", "families", list, WIRE_FAMILIES_MAX, &batch->family_count);

    if (r < 0)
        return r;
    batch->families = allocate(d, batch->family_count, sizeof *batch->families);
    return batch->families ? decode_each(d, list, decode_family) : no_memory();
}

static int decode_frames(Decoder *d, yyjson_val *list)
{
    PushBatch *batch = d->batch;
    int r = check_list(d, "", "frames", list, WIRE_FRAMES_MAX, &batch->frame_count);

    if (r < 0)
        return r;
    batch->frames = allocate(d, batch->frame_count, sizeof *batch->frames);
    return batch->frames ? decode_each(d, list, decode_frame) : no_memory();
}

static int decode_metrics(Decoder *d, yyjson_val *list)
{
    PushBatch *batch = d->batch;
    int r = check_list(d, "", "metrics", list, WIRE_METRICS_MAX, &batch->metric_count);

    if (r < 0)
        return r;
    batch->metrics = allocate(d, batch->metric_count, sizeof *batch->metrics);
    return batch->metrics ? decode_each(d, list, decode_metric) : no_memory();
}

static int decode_agent(Decoder *d, yyjson_val *agent)
{
    JsonReader r;

    if (!agent)
        return 0;
    json_reader_init(&r, agent, "agent", d->reterr);
    Slice version = json_take_optional_string(&r, "version", WIRE_NAME_MAX);
    int result = json_reader_finish(&r);
    return result < 0 ? result : keep_name(d, "agent", "version", version, &d->batch->agent_version);
}

static int decode_batch(Decoder *d, yyjson_val *root)
{
    PushBatch *batch = d->batch;
    JsonReader r;

    json_reader_init(&r, root, "", d->reterr);
    Slice collector_id = json_take_string(&r, "collector_id", 1, WIRE_NAME_MAX);
    Slice spool = json_take_optional_string(&r, "spool", WIRE_NAME_MAX);
    batch->sequence = json_take_optional_int(&r, "sequence", 1, INT64_MAX, 0);
    Slice sent_at = json_take_optional_string(&r, "sent_at", QUOTE_MAX);
    yyjson_val *agent = json_take_optional(&r, "agent"), *servers = json_take_optional(&r, "servers");
    yyjson_val *families = json_take_optional(&r, "families");
    yyjson_val *frames = json_take_optional(&r, "frames"), *metrics = json_take_optional(&r, "metrics");
    int result = json_reader_finish(&r);

    if (result < 0)
        return result;
    if ((spool.ptr != NULL) != (batch->sequence != 0))
        return err_set(d->reterr, ERR_BODY_INVALID, "%s: missing, but \"%s\" is given",
                       spool.ptr ? "sequence" : "spool", spool.ptr ? "spool" : "sequence");
    if ((result = keep_name(d, "", "collector_id", collector_id, &batch->collector_id)) < 0 ||
        (result = keep_name(d, "", "spool", spool, &batch->spool)) < 0 ||
        (result = keep_time(d, "", "sent_at", sent_at, &batch->sent_at)) < 0 || (result = decode_agent(d, agent)) < 0 ||
        (result = decode_servers(d, servers)) < 0 || (result = decode_families(d, families)) < 0 ||
        (result = decode_frames(d, frames)) < 0)
        return result;
    return decode_metrics(d, metrics);
}

/* Whether the text may hold more than WIRE_VALUES_MAX values, which would make a tree many times its size. Only texts
 * that are long enough for so many are looked at. Counts what stands before a value, outside strings. */
static bool too_many_values(Slice text)
{
    size_t count = 1;
    const char *end = text.ptr + text.len;

    if (text.len / 2 < WIRE_VALUES_MAX)
        return false;
    for (const char *p = text.ptr; p < end; p++) {
        if (*p == '[' || *p == '{' || *p == ',' || *p == ':')
            count++;
        else if (*p == '"')
            for (p++; p < end && *p != '"'; p++)
                if (*p == '\\')
                    p++;
    }
    return count > WIRE_VALUES_MAX;
}

int push_decode(Slice text, Arena *arena, PushBatch *ret, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    Decoder d = {.arena = arena, .batch = ret, .reterr = reterr};

    *ret = (PushBatch){0};
    if (text.len <= WIRE_TEXT_MAX && too_many_values(text))
        return err_set(reterr, ERR_TOO_LARGE, "the batch has more than %d values", WIRE_VALUES_MAX);
    int r = json_parse(text, (JsonLimits){.bytes = WIRE_TEXT_MAX, .depth = WIRE_DEPTH_MAX}, &doc, reterr);
    if (r < 0)
        return r;
    size_t before = arena_used_bytes(arena);
    r = decode_batch(&d, yyjson_doc_get_root(doc));
    ret->memory_bytes = arena_used_bytes(arena) - before;
    return r;
}
