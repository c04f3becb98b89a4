/* SPDX-License-Identifier: PostgreSQL */
/*
 * The answer to a push: see push.h and docs/wire.md. Its reader is the collector, which may be older than the backend:
 * members that it does not know are passed over.
 */
#include <stdio.h>

#include "lib/json/json.h"
#include "lib/wire/push.h"

enum { ANSWER_BYTES_MAX = 4 << 20, ANSWER_REJECTS_MAX = WIRE_FRAMES_MAX, PLACE_SIZE = 32 };

static void put_reject(Buf *out, const PushReject *reject)
{
    buf_append(out, SLICE_LIT("{\"family\":"));
    buf_append_json_string(out, reject->family);
    buf_append(out, SLICE_LIT(",\"reason\":"));
    buf_append_json_string(out, reject->reason);
    buf_append(out, SLICE_LIT(",\"rows\":"));
    buf_append_int64(out, reject->rows);
    buf_append_char(out, '}');
}

void push_answer_encode(const PushAnswer *answer, Buf *out)
{
    buf_append(out, SLICE_LIT("{\"accepted\":{\"rows\":"));
    buf_append_int64(out, answer->accepted_rows);
    buf_append(out, SLICE_LIT(",\"values\":"));
    buf_append_int64(out, answer->accepted_values);
    buf_append(out, SLICE_LIT("},\"duplicate\":"));
    buf_append_cstr(out, answer->duplicate ? "true" : "false");
    buf_append(out, SLICE_LIT(",\"rejected\":["));
    for (size_t i = 0; i < answer->rejected_count; i++) {
        if (i > 0)
            buf_append_char(out, ',');
        put_reject(out, &answer->rejected[i]);
    }
    buf_append(out, SLICE_LIT("],\"config_version\":"));
    buf_append_int64(out, answer->config_version);
    buf_append_char(out, '}');
}

static int decode_accepted(yyjson_val *accepted, PushAnswer *ret, Err *reterr)
{
    JsonReader r;

    json_reader_init(&r, accepted, "accepted", reterr);
    ret->accepted_rows = json_take_int(&r, "rows", 0, INT64_MAX);
    ret->accepted_values = json_take_int(&r, "values", 0, INT64_MAX);
    return r.result;
}

static int decode_reject(yyjson_val *value, size_t index, Arena *arena, PushReject *ret, Err *reterr)
{
    char path[PLACE_SIZE];
    JsonReader r;

    (void)snprintf(path, sizeof path, "rejected[%zu]", index);
    json_reader_init(&r, value, path, reterr);
    Slice family = json_take_string(&r, "family", 0, ANSWER_BYTES_MAX);
    Slice reason = json_take_string(&r, "reason", 0, ANSWER_BYTES_MAX);
    ret->rows = json_take_int(&r, "rows", 0, INT64_MAX);
    if (r.result < 0)
        return r.result;
    ret->family = arena_dup(arena, family);
    ret->reason = arena_dup(arena, reason);
    return 0;
}

static int decode_rejects(yyjson_val *list, Arena *arena, PushAnswer *ret, Err *reterr)
{
    size_t i, count;
    yyjson_val *value;

    if (yyjson_arr_size(list) > ANSWER_REJECTS_MAX)
        return err_set(reterr, ERR_TOO_LARGE, "rejected: %zu entries, at most %d are allowed", yyjson_arr_size(list),
                       ANSWER_REJECTS_MAX);
    ret->rejected_count = yyjson_arr_size(list);
    ret->rejected = arena_new_array(arena, PushReject, ret->rejected_count);
    yyjson_arr_foreach(list, i, count, value)
    {
        int r = decode_reject(value, i, arena, &ret->rejected[i], reterr);
        if (r < 0)
            return r;
    }
    return 0;
}

int push_answer_decode(Slice text, Arena *arena, PushAnswer *ret, Err *reterr)
{
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    JsonReader r;

    *ret = (PushAnswer){0};
    int result = json_parse(text, (JsonLimits){.bytes = ANSWER_BYTES_MAX, .depth = WIRE_DEPTH_MAX}, &doc, reterr);
    if (result < 0)
        return result;
    json_reader_init(&r, yyjson_doc_get_root(doc), "", reterr);
    yyjson_val *accepted = json_take_optional(&r, "accepted");
    ret->duplicate = json_take_optional_bool(&r, "duplicate", false);
    yyjson_val *rejected = json_take_array(&r, "rejected");
    ret->config_version = json_take_optional_int(&r, "config_version", 0, INT64_MAX, 0);
    if (r.result < 0 || (result = decode_accepted(accepted, ret, reterr)) < 0)
        return r.result < 0 ? r.result : result;
    return decode_rejects(rejected, arena, ret, reterr);
}
