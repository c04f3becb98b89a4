/* SPDX-License-Identifier: PostgreSQL */
/* Shared parts of the handlers: see api.h. */
#include "backend/api/api.h"

#include <ctype.h>

static const Usec range_default = 3600 * USEC_PER_SEC;
static const Usec range_max = (Usec)400 * 24 * 3600 * USEC_PER_SEC;

int api_answer_query(HttpRequest *r, const char *query, StoreParams params, const char *missing, Err *reterr)
{
    int q = store_query(r->backend->store, query, params, r->deadline, &r->answer, reterr);

    if (q == STORE_EMPTY)
        return err_set(reterr, ERR_NOT_FOUND, "%s does not exist", missing);
    return q < 0 ? q : HTTP_DONE;
}

int api_param_int(const HttpRequest *r, const char *name, int64_t min, int64_t max, int64_t otherwise, int64_t *ret,
                  Err *reterr)
{
    const char *value = http_request_query(r, name);

    *ret = otherwise;
    if (!value)
        return 0;
    if (!slice_to_int64(slice_cstr(value), ret) || *ret < min || *ret > max)
        return err_set(reterr, ERR_PARAMETER_INVALID, "%s = \"%.60s\" is not a whole number between %lld and %lld",
                       name, value, (long long)min, (long long)max);
    return 0;
}

int api_param_text(const HttpRequest *r, const char *name, size_t max, const char **ret, Err *reterr)
{
    *ret = http_request_query(r, name);
    if (*ret && strlen(*ret) > max)
        return err_set(reterr, ERR_PARAMETER_INVALID, "%s has %zu bytes; at most %zu are allowed", name, strlen(*ret),
                       max);
    return 0;
}

/* "now", "-1h", or RFC 3339. */
static int param_time(const HttpRequest *r, const char *name, Usec now, Usec *ret, Err *reterr)
{
    Slice value = slice_cstr(http_request_query(r, name));
    int64_t ago;

    if (slice_eq_cstr(value, "now")) {
        *ret = now;
        return 0;
    }
    if (value.len > 1 && value.ptr[0] == '-' && slice_to_duration(slice_skip(value, 1), &ago) && ago <= range_max) {
        *ret = now - ago;
        return 0;
    }
    if (clock_parse_iso(value, ret))
        return 0;
    return err_set(reterr, ERR_PARAMETER_INVALID,
                   "%s = \"%.60s\" is not a time; give RFC 3339 (2026-11-21T10:00:00Z), now, or -1h", name, value.ptr);
}

int api_param_range(const HttpRequest *r, Usec now, ApiRange *ret, Err *reterr)
{
    *ret = (ApiRange){.from = now - range_default, .to = now};
    if (http_request_query(r, "to")) {
        int t = param_time(r, "to", now, &ret->to, reterr);
        if (t < 0)
            return t;
        ret->from = ret->to - range_default;
    }
    if (http_request_query(r, "from")) {
        int t = param_time(r, "from", now, &ret->from, reterr);
        if (t < 0)
            return t;
    }
    if (ret->from >= ret->to)
        return err_set(reterr, ERR_PARAMETER_INVALID, "from must be before to");
    if (ret->to - ret->from > range_max)
        return err_set(reterr, ERR_PARAMETER_INVALID, "the range is longer than 400 days");
    return 0;
}

const char *api_iso(HttpRequest *r, Usec wall)
{
    char text[CLOCK_ISO_SIZE];

    clock_format_iso(wall, text);
    return arena_strdup(r->arena, text);
}

const char *api_int(HttpRequest *r, int64_t value)
{
    return arena_printf(r->arena, "%lld", (long long)value);
}

/* 8-4-4-4-12 hexadecimal digits. */
bool api_is_uuid(Slice s)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (s.len != sizeof shape - 1)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        bool fits = shape[i] == '-' ? s.ptr[i] == '-' : isxdigit((unsigned char)s.ptr[i]) != 0;
        if (!fits)
            return false;
    }
    return true;
}

int api_path_uuid(const HttpRequest *r, size_t index, const char *what, Err *reterr)
{
    if (!api_is_uuid(r->path_values[index]))
        return err_set(reterr, ERR_NOT_FOUND, "%s %.60s does not exist", what, r->path_values[index].ptr);
    return 0;
}

int api_path_int(const HttpRequest *r, size_t index, const char *what, const char **ret, Err *reterr)
{
    int64_t n;

    if (!slice_to_int64(r->path_values[index], &n) || n < 1 || n > INT32_MAX)
        return err_set(reterr, ERR_NOT_FOUND, "%s %.60s does not exist", what, r->path_values[index].ptr);
    *ret = r->path_values[index].ptr;
    return 0;
}
