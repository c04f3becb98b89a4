/* SPDX-License-Identifier: PostgreSQL */
/* See exposition.h. */
#include "lib/telemetry/exposition.h"

#include <math.h>

const char *exposition_content_type(ExpositionFormat format)
{
    static const char *const types[_EXPOSITION_FORMAT_MAX] = {
        "text/plain; version=0.0.4; charset=utf-8",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    };
    return types[format];
}

/* A line break would end the line, a backslash would begin an escape, a quote would end a label's value. */
static void append_escaped(Buf *out, Slice text, bool quotes)
{
    size_t plain = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '\n' && c != '\\' && !(c == '"' && quotes))
            continue;
        buf_append(out, slice_from(text.ptr + plain, i - plain));
        buf_append_char(out, '\\');
        buf_append_char(out, c == '\n' ? 'n' : c);
        plain = i + 1;
    }
    buf_append(out, slice_skip(text, plain));
}

void exposition_append_head(Buf *out, ExpositionFormat format, const char *name, const char *type, const char *help)
{
    static const Slice total = SLICE_LIT("_total");
    Slice family = slice_cstr(name);
    bool is_unknown = strcmp(type, "unknown") == 0;
    bool open = format == EXPOSITION_OPENMETRICS;
    if (open && strcmp(type, "counter") == 0 && slice_ends_with(family, total))
        family.len -= total.len;
    buf_printf(out, "# HELP %.*s ", SLICE_ARG(family));
    append_escaped(out, slice_cstr(help), open);
    buf_printf(out, "\n# TYPE %.*s %s\n", SLICE_ARG(family), is_unknown && !open ? "untyped" : type);
}

void exposition_append_label(Buf *out, const char *name, Slice value)
{
    buf_append_cstr(out, name);
    buf_append(out, SLICE_LIT("=\""));
    append_escaped(out, value, true);
    buf_append_char(out, '"');
}

void exposition_append_value(Buf *out, double value)
{
    if (isinf(value))
        buf_append_cstr(out, value < 0 ? "-Inf" : "+Inf");
    else
        buf_append_double(out, value);
    buf_append_char(out, '\n');
}

void exposition_append_end(Buf *out, ExpositionFormat format)
{
    if (format == EXPOSITION_OPENMETRICS)
        buf_append(out, SLICE_LIT("# EOF\n"));
}
