/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reading JSON with errors that name the place. Once r->result is negative every take is a no-op, so that the first
 * fault is the one reported. Strings belong to the document. One thread at a time.
 */
#include "lib/json/json.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* Position of byte @at as line and column (in bytes), both from 1. */
static void place_of(Slice text, size_t at, uint32_t *ret_line, uint32_t *ret_column)
{
    uint32_t line = 1;
    uint32_t column = 1;
    for (size_t i = 0; i < at && i < text.len; i++) {
        column++;
        if (text.ptr[i] == '\n') {
            line++;
            column = 1;
        }
    }
    *ret_line = line;
    *ret_column = column;
}

/* Behind the string whose opening quote is at @p; @end when it is never closed. */
static const char *skip_string(const char *p, const char *end)
{
    for (p++; p < end && *p != '"'; p++)
        if (*p == '\\' && p + 1 < end)
            p++;
    return p < end ? p + 1 : end;
}

/* Deepest nesting of brackets outside strings; a cheap scan, so that the tree of a hostile text is never built. */
static unsigned depth_of(Slice text)
{
    static const bool stops[UINT8_MAX + 1] = {['"'] = true, ['{'] = true, ['['] = true, ['}'] = true, [']'] = true};
    const char *p = text.ptr;
    const char *end = text.ptr + text.len;
    unsigned depth = 0;
    unsigned deepest = 0;
    for (;;) {
        while (p < end && !stops[(unsigned char)*p])
            p++;
        if (p == end)
            return deepest;
        if (*p == '"') {
            p = skip_string(p, end);
            continue;
        }
        if (*p == '{' || *p == '[') {
            if (++depth > deepest)
                deepest = depth;
        } else if (depth > 0) {
            depth--;
        }
        p++;
    }
}

int json_parse(Slice text, JsonLimits limits, yyjson_doc **ret, Err *reterr)
{
    if (text.len == 0)
        return err_set(reterr, ERR_SYNTAX, "the text is empty; JSON was expected");
    if (text.len > limits.bytes)
        return err_set(reterr, ERR_TOO_LARGE, "the JSON text has %zu bytes; at most %zu are allowed", text.len,
                       limits.bytes);
    if (depth_of(text) > limits.depth)
        return err_set(reterr, ERR_TOO_LARGE, "the JSON text is nested deeper than %u levels", limits.depth);

    yyjson_read_err cause;
    /* Without YYJSON_READ_INSITU the text is not written to. */
    *ret = yyjson_read_opts((char *)(uintptr_t)text.ptr, text.len, YYJSON_READ_NOFLAG, NULL, &cause);
    if (*ret)
        return 0;
    uint32_t line, column;
    place_of(text, cause.pos, &line, &column);
    ErrCode code = cause.code == YYJSON_READ_ERROR_MEMORY_ALLOCATION ? ERR_OUT_OF_MEMORY : ERR_SYNTAX;
    int r = err_set(reterr, code, "not valid JSON at line %u, column %u: %s", line, column, cause.msg);
    err_at(reterr, line, column);
    return r;
}

/* "frames[3].name", or "name" at the top. */
static void member_path(const JsonReader *r, const char *name, char *ret, size_t size)
{
    (void)snprintf(ret, size, "%s%s%s", r->path, r->path[0] ? "." : "", name); /* for people: may be cut */
}

enum { PATH_SIZE = 160 };

static void fault(JsonReader *r, const char *name, const char *expected, yyjson_val *found)
{
    char path[PATH_SIZE];
    member_path(r, name, path, sizeof(path));
    if (!found)
        r->result = err_set(r->reterr, ERR_BODY_INVALID, "%s is missing; %s was expected", path, expected);
    else
        r->result = err_set(r->reterr, ERR_BODY_INVALID, "%s: expected %s, found %s", path, expected,
                            yyjson_get_type_desc(found));
}

void json_reader_init(JsonReader *r, yyjson_val *object, const char *path, Err *reterr)
{
    *r = (JsonReader){.object = object, .path = path, .reterr = reterr};
    if (!yyjson_is_obj(object))
        r->result = err_set(reterr, ERR_BODY_INVALID, "%s%sexpected an object, found %s", path, path[0] ? ": " : "",
                            object ? yyjson_get_type_desc(object) : "nothing");
}

static yyjson_val *take(JsonReader *r, const char *name)
{
    assert(r->known_count < JSON_READER_MEMBERS_MAX);
    r->known[r->known_count++] = name;
    if (r->result < 0)
        return NULL;
    return yyjson_obj_get(r->object, name);
}

/* The same, with null as good as absent. */
static yyjson_val *take_given(JsonReader *r, const char *name)
{
    yyjson_val *v = take(r, name);
    return yyjson_is_null(v) ? NULL : v;
}

static Slice string_of(JsonReader *r, const char *name, yyjson_val *v, size_t min, size_t max)
{
    if (!yyjson_is_str(v)) {
        fault(r, name, "a string", v);
        return SLICE_NULL;
    }

    Slice s = slice_from(yyjson_get_str(v), yyjson_get_len(v));
    char path[PATH_SIZE];
    member_path(r, name, path, sizeof(path));
    if (s.len < min || s.len > max)
        r->result =
            err_set(r->reterr, ERR_BODY_INVALID, "%s has %zu bytes; %zu to %zu are allowed", path, s.len, min, max);
    else if (memchr(s.ptr, '\0', s.len)) /* PostgreSQL's text cannot hold it, nor can a C string */
        r->result = err_set(r->reterr, ERR_BODY_INVALID, "%s contains a NUL character", path);
    return r->result < 0 ? SLICE_NULL : s;
}

Slice json_take_string(JsonReader *r, const char *name, size_t min, size_t max)
{
    yyjson_val *v = take(r, name);
    return r->result < 0 ? SLICE_NULL : string_of(r, name, v, min, max);
}

Slice json_take_optional_string(JsonReader *r, const char *name, size_t max)
{
    yyjson_val *v = take_given(r, name);
    return v ? string_of(r, name, v, 0, max) : SLICE_NULL;
}

static int64_t int_of(JsonReader *r, const char *name, yyjson_val *v, int64_t min, int64_t max)
{
    if (!yyjson_is_int(v)) {
        fault(r, name, "a whole number", v);
        return 0;
    }

    bool too_large = yyjson_is_uint(v) && yyjson_get_uint(v) > INT64_MAX;
    int64_t n = yyjson_get_sint(v);
    if (!too_large && n >= min && n <= max)
        return n;
    char path[PATH_SIZE];
    member_path(r, name, path, sizeof(path));
    r->result = err_set(r->reterr, ERR_BODY_INVALID, "%s is not between %" PRId64 " and %" PRId64, path, min, max);
    return 0;
}

int64_t json_take_int(JsonReader *r, const char *name, int64_t min, int64_t max)
{
    yyjson_val *v = take(r, name);
    return r->result < 0 ? 0 : int_of(r, name, v, min, max);
}

int64_t json_take_optional_int(JsonReader *r, const char *name, int64_t min, int64_t max, int64_t otherwise)
{
    yyjson_val *v = take_given(r, name);
    return v ? int_of(r, name, v, min, max) : otherwise;
}

bool json_take_optional_bool(JsonReader *r, const char *name, bool otherwise)
{
    yyjson_val *v = take_given(r, name);
    if (!v)
        return otherwise;
    if (!yyjson_is_bool(v))
        fault(r, name, "true or false", v);
    return yyjson_get_bool(v);
}

yyjson_val *json_take_array(JsonReader *r, const char *name)
{
    yyjson_val *v = take(r, name);
    if (r->result < 0)
        return NULL;
    if (!yyjson_is_arr(v)) {
        fault(r, name, "an array", v);
        return NULL;
    }
    return v;
}

yyjson_val *json_take_optional(JsonReader *r, const char *name)
{
    return take_given(r, name);
}

static const char *nearest_known(const JsonReader *r, Slice name)
{
    enum { NEAR = 3 };
    const char *nearest = NULL;
    size_t best = NEAR;
    for (size_t i = 0; i < r->known_count; i++) {
        size_t distance = slice_distance(name, slice_cstr(r->known[i]), best);
        if (distance >= best)
            continue;
        best = distance;
        nearest = r->known[i];
    }
    return nearest;
}

static bool is_known(const JsonReader *r, Slice name)
{
    for (size_t i = 0; i < r->known_count; i++)
        if (slice_eq_cstr(name, r->known[i]))
            return true;
    return false;
}

static int refuse_unknown(JsonReader *r, Slice name)
{
    const char *near = nearest_known(r, name);
    r->result = err_set(r->reterr, ERR_BODY_INVALID, "%s%sunknown member \"%.*s\"", r->path, r->path[0] ? ": " : "",
                        name.len > 60 ? 60 : (int)name.len, name.ptr);
    if (near)
        err_hint(r->reterr, "did you mean \"%s\"?", near);
    return r->result;
}

/* A member given twice would let two readers of one text see different values; only the first would be read here. */
static int refuse_repeated(JsonReader *r)
{
    for (size_t i = 0; i < r->known_count; i++) {
        size_t times = 0;
        size_t index, count;
        yyjson_val *key, *value;
        yyjson_obj_foreach(r->object, index, count, key, value)
        {
            times += yyjson_equals_str(key, r->known[i]);
        }
        if (times < 2)
            continue;
        char path[PATH_SIZE];
        member_path(r, r->known[i], path, sizeof(path));
        r->result = err_set(r->reterr, ERR_BODY_INVALID, "%s is given more than once", path);
        return r->result;
    }
    return 0;
}

int json_reader_finish(JsonReader *r)
{
    if (r->result < 0)
        return r->result;
    size_t index, count;
    yyjson_val *key, *value;
    yyjson_obj_foreach(r->object, index, count, key, value)
    {
        Slice name = slice_from(yyjson_get_str(key), yyjson_get_len(key));
        if (!is_known(r, name))
            return refuse_unknown(r, name);
    }
    return refuse_repeated(r);
}
