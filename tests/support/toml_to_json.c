/* SPDX-License-Identifier: PostgreSQL */
/*
 * TOML on standard input, tagged JSON of the official test suite on standard output:
 *     {"port": {"type": "integer", "value": "5432"}}
 * A fault: exit 1 and "line:column: message" on standard error. With file names as arguments it writes one line for
 * each, "ok <json>" or "error <line> <column> <message>", so that a thousand cases are one process.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/conf/toml.h"

static void write_value(const TomlValue *v, Buf *out);

static void write_datetime(const TomlValue *v, Buf *out)
{
    const TomlDatetime *t = &v->as.datetime;
    if (v->type != TOML_LOCAL_TIME)
        buf_printf(out, "%04d-%02d-%02d", t->year, t->month, t->day);
    if (v->type == TOML_OFFSET_DATETIME || v->type == TOML_LOCAL_DATETIME)
        buf_append_char(out, 'T');
    if (v->type != TOML_LOCAL_DATE)
        buf_printf(out, "%02d:%02d:%02d", t->hour, t->minute, t->second);
    if (t->nanosecond != 0)
        buf_printf(out, ".%09d", (int)t->nanosecond);
    if (v->type != TOML_OFFSET_DATETIME)
        return;
    int offset = t->offset_minutes < 0 ? -t->offset_minutes : t->offset_minutes;
    if (offset == 0)
        buf_append_char(out, 'Z');
    else
        buf_printf(out, "%c%02d:%02d", t->offset_minutes < 0 ? '-' : '+', offset / 60, offset % 60);
}

static void write_float(double number, Buf *out)
{
    if (isnan(number))
        buf_append_cstr(out, "nan");
    else if (isinf(number))
        buf_append_cstr(out, number < 0 ? "-inf" : "inf");
    else
        buf_printf(out, "%.17g", number);
}

static void write_tagged(const TomlValue *v, Buf *out)
{
    static const char *const tags[_TOML_TYPE_MAX] = {
        [TOML_STRING] = "string",
        [TOML_INTEGER] = "integer",
        [TOML_FLOAT] = "float",
        [TOML_BOOL] = "bool",
        [TOML_OFFSET_DATETIME] = "datetime",
        [TOML_LOCAL_DATETIME] = "datetime-local",
        [TOML_LOCAL_DATE] = "date-local",
        [TOML_LOCAL_TIME] = "time-local",
    };
    _cleanup_buf_ Buf text = BUF_INIT;
    if (v->type == TOML_STRING)
        buf_append(&text, v->as.string);
    else if (v->type == TOML_INTEGER)
        buf_append_int64(&text, v->as.integer);
    else if (v->type == TOML_FLOAT)
        write_float(v->as.number, &text);
    else if (v->type == TOML_BOOL)
        buf_append_cstr(&text, v->as.boolean ? "true" : "false");
    else
        write_datetime(v, &text);
    buf_printf(out, "{\"type\":\"%s\",\"value\":", tags[v->type]);
    buf_append_json_string(out, buf_slice(&text));
    buf_append_char(out, '}');
}

static void write_table(const TomlTable *table, Buf *out)
{
    buf_append_char(out, '{');
    for (const TomlEntry *e = toml_table_first(table); e; e = e->next) {
        buf_append_json_string(out, e->key);
        buf_append_char(out, ':');
        write_value(&e->value, out);
        if (e->next)
            buf_append_char(out, ',');
    }
    buf_append_char(out, '}');
}

static void write_value(const TomlValue *v, Buf *out)
{
    if (v->type == TOML_TABLE) {
        write_table(v->as.table, out);
    } else if (v->type == TOML_ARRAY) {
        buf_append_char(out, '[');
        for (size_t i = 0; i < v->as.array->count; i++) {
            if (i > 0)
                buf_append_char(out, ',');
            write_value(&v->as.array->items[i], out);
        }
        buf_append_char(out, ']');
    } else {
        write_tagged(v, out);
    }
}

static int read_stream(FILE *in, Buf *ret)
{
    char block[8192];
    for (size_t n; (n = fread(block, 1, sizeof(block), in)) > 0;)
        buf_append(ret, slice_from(block, n));
    return ferror(in) ? -EIO : 0;
}

/* 0, or -1 with @err set. */
static int convert(FILE *in, Buf *out, Err *err)
{
    _cleanup_buf_ Buf text = BUF_INIT;
    if (read_stream(in, &text) < 0)
        return err_set(err, ERR_IO, "cannot read the input");
    _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
    int r = toml_parse(buf_slice(&text), NULL, &doc, err);
    if (r == 0)
        write_table(toml_root(doc), out);
    return r;
}

static int convert_file(const char *path)
{
    FILE *in = fopen(path, "rbe");
    if (!in) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    _cleanup_buf_ Buf out = BUF_INIT;
    Err err = ERR_INIT;
    if (convert(in, &out, &err) == 0)
        printf("ok %s\n", buf_cstr(&out));
    else
        printf("error %u %u %s\n", (unsigned)err.line, (unsigned)err.column, err.detail);
    (void)fclose(in); /* was only read */
    return 0;
}

int main(int argc, char **argv)
{
    int status = 0;
    for (int i = 1; i < argc; i++)
        status |= convert_file(argv[i]);
    if (argc > 1)
        return status;

    _cleanup_buf_ Buf out = BUF_INIT;
    Err err = ERR_INIT;
    if (convert(stdin, &out, &err) < 0) {
        (void)fprintf(stderr, "%u:%u: %s\n", (unsigned)err.line, (unsigned)err.column, err.detail);
        return 1;
    }
    puts(buf_cstr(&out));
    return 0;
}
