#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * For tests of the TOML reader: a document as one line of text, and tables of cases.
 * {"a":1,"b":["x",1.5,true],"c":{"d":1979-05-27T07:32:00Z}}: like JSON, dates and times bare.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/base/buf.h"
#include "lib/conf/toml.h"

static void dump_value(const TomlValue *v, Buf *out);

static void dump_table(const TomlTable *t, Buf *out)
{
    buf_append_char(out, '{');
    size_t count = 0;
    for (const TomlEntry *e = toml_table_first(t); e; e = e->next, count++) {
        buf_append_cstr(out, count > 0 ? "," : "");
        buf_append_json_string(out, e->key);
        buf_append_char(out, ':');
        dump_value(&e->value, out);
    }
    assert_int_equal(count, toml_table_count(t));
    buf_append_char(out, '}');
}

static void dump_array(const TomlArray *a, Buf *out)
{
    buf_append_char(out, '[');
    for (size_t i = 0; i < a->count; i++) {
        buf_append_cstr(out, i > 0 ? "," : "");
        dump_value(&a->items[i], out);
    }
    buf_append_char(out, ']');
}

static void dump_datetime(const TomlValue *v, Buf *out)
{
    const TomlDatetime *t = &v->as.datetime;
    if (v->type != TOML_LOCAL_TIME)
        buf_printf(out, "%04d-%02d-%02d", t->year, t->month, t->day);
    if (v->type == TOML_LOCAL_DATE)
        return;
    buf_printf(out, "%s%02d:%02d:%02d", v->type == TOML_LOCAL_TIME ? "" : "T", t->hour, t->minute, t->second);
    if (t->nanosecond)
        buf_printf(out, ".%09d", (int)t->nanosecond);
    if (v->type == TOML_OFFSET_DATETIME)
        buf_printf(out, "%+dmin", t->offset_minutes);
}

static void dump_value(const TomlValue *v, Buf *out)
{
    switch (v->type) {
    case TOML_STRING:
        buf_append_json_string(out, v->as.string);
        break;
    case TOML_INTEGER:
        buf_append_int64(out, v->as.integer);
        break;
    case TOML_FLOAT:
        buf_append_cstr(out, "float ");
        buf_append_double(out, v->as.number);
        break;
    case TOML_BOOL:
        buf_append_cstr(out, v->as.boolean ? "true" : "false");
        break;
    case TOML_ARRAY:
        dump_array(v->as.array, out);
        break;
    case TOML_TABLE:
        dump_table(v->as.table, out);
        break;
    default:
        dump_datetime(v, out);
    }
}

typedef struct ValidCase {
    const char *name;
    const char *toml;
    const char *expected;
} ValidCase;

static void check_valid(const ValidCase *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        Err err = ERR_INIT;
        _cleanup_(toml_doc_freep) TomlDoc *doc = NULL;
        if (toml_parse(slice_cstr(cases[i].toml), NULL, &doc, &err) < 0)
            fail_msg("%s: refused at %u:%u: %s", cases[i].name, err.line, err.column, err.detail);
        _cleanup_buf_ Buf got = BUF_INIT;
        dump_table(toml_root(doc), &got);
        if (strcmp(buf_cstr(&got), cases[i].expected) != 0)
            fail_msg("%s: got %s, expected %s", cases[i].name, buf_cstr(&got), cases[i].expected);
    }
}

typedef struct InvalidCase {
    const char *name;
    const char *toml;
    uint32_t line;
    uint32_t column;
    const char *detail; /* part of it */
} InvalidCase;

static void check_refused(const InvalidCase *c, Slice text)
{
    Err err = ERR_INIT;
    TomlDoc *doc = NULL;
    if (toml_parse(text, NULL, &doc, &err) == 0) {
        (void)toml_doc_free(doc);
        fail_msg("%s: accepted", c->name);
    }
    assert_null(doc);
    assert_int_equal(err.code, ERR_SYNTAX);
    if (err.line != c->line || err.column != c->column || !strstr(err.detail, c->detail))
        fail_msg("%s: got %u:%u %s, expected %u:%u %s", c->name, err.line, err.column, err.detail, c->line, c->column,
                 c->detail);
}

static void check_invalid(const InvalidCase *cases, size_t count)
{
    for (size_t i = 0; i < count; i++)
        check_refused(&cases[i], slice_cstr(cases[i].toml));
}
