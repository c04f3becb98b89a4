/* SPDX-License-Identifier: PostgreSQL */
/* See setting_value.h. */
#include "collector/exporter/setting_value.h"

#include <ctype.h>

static const struct {
    const char *unit;
    double factor;
    const char *suffix;
} UNITS[] = {
    {"B", 1, "bytes"},
    {"kB", 1024.0, "bytes"},
    {"MB", 1048576.0, "bytes"},
    {"GB", 1073741824.0, "bytes"},
    {"TB", 1099511627776.0, "bytes"},
    {"us", 1e-6, "seconds"},
    {"ms", 1e-3, "seconds"},
    {"s", 1, "seconds"},
    {"min", 60, "seconds"},
    {"h", 3600, "seconds"},
    {"d", 86400, "seconds"},
};

/* "8kB" is a factor and a unit. False: it is not known. */
static bool read_unit(Slice unit, double *ret_factor, const char **ret_suffix)
{
    size_t digits = 0;
    while (digits < unit.len && isdigit((unsigned char)unit.ptr[digits]))
        digits++;
    int64_t times = 1;
    if (digits > 0 && !slice_to_int64(slice_from(unit.ptr, digits), &times))
        return false;
    for (size_t i = 0; i < ARRAY_LENGTH(UNITS); i++) {
        if (!slice_eq_cstr(slice_skip(unit, digits), UNITS[i].unit))
            continue;
        *ret_factor = UNITS[i].factor * (double)times;
        *ret_suffix = UNITS[i].suffix;
        return true;
    }
    return false;
}

static bool read_number(Slice setting, double *ret)
{
    bool on = slice_eq_cstr(setting, "on");
    if (!on && !slice_eq_cstr(setting, "off"))
        return slice_to_double(setting, ret);
    *ret = on;
    return true;
}

/* Words that a name must not have: they tell types of metrics ("wal_summary_keep_time"). */
static bool tells_a_type(Slice name)
{
    static const char *const words[] = {"counter", "gauge", "summary", "histogram"};
    for (Slice rest = name; rest.ptr;) {
        Slice word = slice_split(&rest, '_');
        for (size_t i = 0; i < ARRAY_LENGTH(words); i++) {
            if (slice_eq_cstr(word, words[i]))
                return true;
        }
    }
    return false;
}

bool setting_value_read(Slice name, Slice setting, Slice unit, Buf *ret_name, double *ret_value)
{
    double factor = 1;
    const char *suffix = NULL;
    if (tells_a_type(name) || !read_number(setting, ret_value) || (unit.len > 0 && !read_unit(unit, &factor, &suffix)))
        return false;
    if (*ret_value != -1)
        *ret_value *= factor;
    for (size_t i = 0; i < name.len; i++) {
        unsigned char c = (unsigned char)name.ptr[i];
        buf_append_char(ret_name, isalnum(c) ? (char)tolower(c) : '_'); /* of extensions: "pg_stat_statements.max" */
    }
    if (suffix)
        buf_printf(ret_name, "_%s", suffix);
    return true;
}
