/* SPDX-License-Identifier: PostgreSQL */
/* See json_values.h. */
#include "collector/sources/json_values.h"

#include <math.h>

#include "lib/base/clock.h"

enum { TIME_TEXT_MAX = 64 };

static Slice text_of(yyjson_val *value)
{
    return yyjson_is_str(value) ? slice_from(yyjson_get_str(value), yyjson_get_len(value)) : SLICE_NULL;
}

Slice json_value_text(yyjson_val *object, const char *name)
{
    return text_of(yyjson_obj_get(object, name));
}

bool json_value_int(yyjson_val *object, const char *name, int64_t *ret)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    if (yyjson_is_sint(value)) {
        *ret = yyjson_get_sint(value);
        return true;
    }
    if (yyjson_is_uint(value)) {
        *ret = (int64_t)yyjson_get_uint(value);
        return yyjson_get_uint(value) <= INT64_MAX;
    }
    if (yyjson_is_real(value)) {
        double number = yyjson_get_real(value);
        if (!(fabs(number) < 9e15) || nearbyint(number) != number)
            return false;
        *ret = (int64_t)number;
        return true;
    }
    Slice text = text_of(value);
    return text.ptr && slice_to_int64(text, ret);
}

bool json_value_number(yyjson_val *object, const char *name, double *ret)
{
    yyjson_val *value = yyjson_obj_get(object, name);
    *ret = yyjson_get_num(value);
    return yyjson_is_num(value) || slice_to_double(text_of(value), ret);
}

bool json_value_bool(yyjson_val *object, const char *name)
{
    return yyjson_get_bool(yyjson_obj_get(object, name));
}

bool json_value_time(yyjson_val *object, const char *name, double *ret)
{
    Slice text = json_value_text(object, name);
    if (!text.ptr || slice_to_double(text, ret))
        return json_value_number(object, name, ret) && isfinite(*ret);
    char iso[TIME_TEXT_MAX];
    Usec wall;
    if (text.len >= sizeof(iso))
        return false;
    memcpy(iso, text.ptr, text.len);
    if (text.len > 10 && iso[10] == ' ')
        iso[10] = 'T';
    if (!clock_parse_iso(slice_from(iso, text.len), &wall))
        return false;
    *ret = (double)wall / (double)USEC_PER_SEC;
    return true;
}

void json_row_text(Rows *rows, const char *column, yyjson_val *object, const char *name)
{
    Slice text = json_value_text(object, name);
    if (text.ptr)
        rows_set_text(rows, column, text);
}

void json_row_int(Rows *rows, const char *column, yyjson_val *object, const char *name)
{
    int64_t value;
    if (json_value_int(object, name, &value))
        rows_set_int(rows, column, value);
}

void json_row_time(Rows *rows, const char *column, yyjson_val *object, const char *name)
{
    double seconds;
    if (json_value_time(object, name, &seconds))
        rows_set_float(rows, column, seconds);
}
