/* SPDX-License-Identifier: PostgreSQL */
/*
 * Strict JSON and its reader on any bytes. Held to: no crash; a refusal has a code, a message that is UTF-8 and a place
 * inside the text; an accepted text is UTF-8 and no deeper than allowed; what the reader gives is within its bounds; a
 * text that was accepted and printed as a string reads back as that string.
 */
#include <stdint.h>
#include <stdlib.h>

#include "lib/base/buf.h"
#include "lib/json/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            abort();                                                                                                   \
    } while (0)

enum { BYTES_MAX = 64 * 1024, DEPTH_MAX = 8 };

static void check_refusal(const Err *e, size_t size)
{
    CHECK(e->code == ERR_SYNTAX || e->code == ERR_TOO_LARGE || e->code == ERR_BODY_INVALID);
    CHECK(e->detail[0] && slice_is_utf8(slice_cstr(e->detail)) && slice_is_utf8(slice_cstr(e->hint)));
    CHECK(e->line <= size + 1 && e->column <= size + 1);
}

static unsigned depth_of(yyjson_val *v)
{
    unsigned deepest = 0;
    size_t index, count;
    yyjson_val *key, *item;
    if (yyjson_is_obj(v)) {
        yyjson_obj_foreach(v, index, count, key, item)
        {
            unsigned depth = depth_of(item);
            deepest = depth > deepest ? depth : deepest;
        }
    } else if (yyjson_is_arr(v)) {
        yyjson_arr_foreach(v, index, count, item)
        {
            unsigned depth = depth_of(item);
            deepest = depth > deepest ? depth : deepest;
        }
    } else {
        return 0;
    }
    return deepest + 1;
}

static void read_members(yyjson_val *root, size_t size)
{
    Err e = ERR_INIT;
    JsonReader r;
    json_reader_init(&r, root, "root", &e);
    Slice name = json_take_string(&r, "name", 1, 8);
    Slice note = json_take_optional_string(&r, "note", 4);
    int64_t number = json_take_int(&r, "n", -3, 3);
    int64_t other = json_take_optional_int(&r, "m", 0, INT64_MAX, 5);
    (void)json_take_optional_bool(&r, "on", true);
    yyjson_val *list = json_take_array(&r, "list");
    (void)json_take_optional(&r, "any");
    int result = json_reader_finish(&r);
    CHECK((result < 0) == (e.code != ERR_NONE));
    CHECK(name.len <= 8 && note.len <= 4 && number >= -3 && number <= 3 && other >= 0);
    if (result < 0)
        check_refusal(&e, size);
    else
        CHECK(name.len >= 1 && slice_is_utf8(name) && yyjson_is_arr(list));
}

static void check_round_trip(Slice text)
{
    _cleanup_buf_ Buf json = BUF_INIT;
    buf_append_json_string(&json, text);
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    CHECK(json_parse(buf_slice(&json), (JsonLimits){.bytes = json.len, .depth = 0}, &doc, NULL) == 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    CHECK(slice_eq(slice_from(yyjson_get_str(root), yyjson_get_len(root)), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Slice text = slice_from(data, size);
    Err e = ERR_INIT;
    _cleanup_json_doc_ yyjson_doc *doc = NULL;
    if (json_parse(text, (JsonLimits){.bytes = BYTES_MAX, .depth = DEPTH_MAX}, &doc, &e) < 0) {
        CHECK(!doc);
        check_refusal(&e, size);
        return 0;
    }
    CHECK(size <= BYTES_MAX && slice_is_utf8(text) && depth_of(yyjson_doc_get_root(doc)) <= DEPTH_MAX);
    read_members(yyjson_doc_get_root(doc), size);
    check_round_trip(text);
    return 0;
}
