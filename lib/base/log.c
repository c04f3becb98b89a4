/* SPDX-License-Identifier: PostgreSQL */
/* Log lines: see log.h. Each line is built in a Buf and leaves in one write(2). */
#include "lib/base/log.h"

#include <errno.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/base/buf.h"

static const char *const level_names[_LOG_LEVEL_MAX] = {
    [LOG_LEVEL_DEBUG] = "debug", [LOG_LEVEL_INFO] = "info", [LOG_LEVEL_WARN] = "warn", [LOG_LEVEL_ERROR] = "error"};
static const char *const level_labels[_LOG_LEVEL_MAX] = {
    [LOG_LEVEL_DEBUG] = "DEBUG", [LOG_LEVEL_INFO] = "INFO ", [LOG_LEVEL_WARN] = "WARN ", [LOG_LEVEL_ERROR] = "ERROR"};

static const char *program_name = "pganalytics";
static _Atomic int log_format = LOG_FORMAT_AUTO;
static _Atomic int log_level = LOG_LEVEL_INFO;
static _Atomic uint64_t line_counts[_LOG_LEVEL_MAX];
static void (*capture)(void *arg, LogLevel level, Slice line);
static void *capture_arg;

const char *log_level_to_string(LogLevel level)
{
    return (unsigned)level < _LOG_LEVEL_MAX ? level_names[level] : "unknown";
}

bool log_level_from_string(Slice s, LogLevel *ret)
{
    for (int i = 0; i < _LOG_LEVEL_MAX; i++)
        if (slice_eq_cstr(s, level_names[i])) {
            *ret = (LogLevel)i;
            return true;
        }
    return false;
}

void log_setup(const char *program, LogFormat format, LogLevel level)
{
    program_name = program;
    if (format == LOG_FORMAT_AUTO)
        format = isatty(STDERR_FILENO) ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON;
    atomic_store(&log_format, (int)format);
    atomic_store(&log_level, (int)level);
}

void log_set_level(LogLevel level)
{
    atomic_store(&log_level, (int)level);
}

bool log_enabled(LogLevel level)
{
    return (int)level >= atomic_load_explicit(&log_level, memory_order_relaxed);
}

uint64_t log_count(LogLevel level)
{
    return atomic_load_explicit(&line_counts[level], memory_order_relaxed);
}

void log_capture(void (*on_line)(void *arg, LogLevel level, Slice line), void *arg)
{
    capture = on_line;
    capture_arg = arg;
}

static void append_json_key(Buf *out, const char *key)
{
    buf_append_char(out, ',');
    buf_append_json_string(out, slice_cstr(key));
    buf_append_char(out, ':');
}

static void append_json_string_member(Buf *out, const char *key, const char *value)
{
    append_json_key(out, key);
    buf_append_json_string(out, slice_cstr(value));
}

static void append_json_err(Buf *out, const Err *err)
{
    buf_append_cstr(out, "{\"code\":");
    buf_append_json_string(out, slice_cstr(err_code_slug(err->code)));
    append_json_string_member(out, "message", err->detail);
    if (err->hint[0])
        append_json_string_member(out, "hint", err->hint);
    if (err->sqlstate[0])
        append_json_string_member(out, "sqlstate", err->sqlstate);
    if (err->line > 0)
        buf_printf(out, ",\"line\":%u,\"column\":%u", err->line, err->column);
    buf_append_char(out, '}');
}

static void append_json_value(Buf *out, const LogField *f)
{
    switch (f->type) {
    case LOG_FIELD_STRING:
        buf_append_json_string(out, f->value.string);
        break;
    case LOG_FIELD_INT:
        buf_append_int64(out, f->value.integer);
        break;
    case LOG_FIELD_NUMBER:
        if (isfinite(f->value.number))
            buf_append_double(out, f->value.number);
        else
            buf_append_cstr(out, "null");
        break;
    case LOG_FIELD_BOOL:
        buf_append_cstr(out, f->value.integer ? "true" : "false");
        break;
    case LOG_FIELD_ERR:
        append_json_err(out, f->value.err);
        break;
    }
}

static void write_json(Buf *out, LogLevel level, const char *file, int line, const char *message,
                       const LogField *fields)
{
    char time[CLOCK_ISO_SIZE];

    clock_format_iso(clock_wall(), time);
    buf_printf(out, "{\"time\":\"%s\",\"level\":\"%s\"", time, level_names[level]);
    append_json_string_member(out, "program", program_name);
    append_json_string_member(out, "message", message);
    if (level == LOG_LEVEL_DEBUG)
        buf_printf(out, ",\"source\":\"%s:%d\"", file, line);
    for (; fields->key; fields++) {
        append_json_key(out, fields->key);
        append_json_value(out, fields);
    }
    buf_append_cstr(out, "}");
}

static void append_text_string(Buf *out, Slice s)
{
    bool plain = s.len > 0;

    for (size_t i = 0; plain && i < s.len; i++)
        plain = (unsigned char)s.ptr[i] > ' ' && s.ptr[i] != '"' && s.ptr[i] != '=';
    if (plain)
        buf_append(out, s);
    else
        buf_append_json_string(out, s);
}

static void append_text_err(Buf *out, const Err *err)
{
    buf_append_json_string(out, slice_cstr(err->detail));
    buf_printf(out, " code=%s", err_code_slug(err->code));
    if (err->sqlstate[0])
        buf_printf(out, " sqlstate=%s", err->sqlstate);
    if (err->line > 0)
        buf_printf(out, " line=%u column=%u", err->line, err->column);
    if (err->hint[0]) {
        buf_append_cstr(out, " hint=");
        buf_append_json_string(out, slice_cstr(err->hint));
    }
}

/* "2026-11-21 02:18:34.123 INFO  message key=value" */
static void write_text(Buf *out, LogLevel level, const char *file, int line, const char *message,
                       const LogField *fields)
{
    char time[CLOCK_ISO_SIZE];

    clock_format_iso(clock_wall(), time);
    time[10] = ' ';
    buf_printf(out, "%.23s %s ", time, level_labels[level]);
    buf_append_cstr(out, message);
    for (; fields->key; fields++) {
        buf_printf(out, " %s=", fields->key);
        if (fields->type == LOG_FIELD_STRING)
            append_text_string(out, fields->value.string);
        else if (fields->type == LOG_FIELD_ERR)
            append_text_err(out, fields->value.err);
        else
            append_json_value(out, fields);
    }
    if (level == LOG_LEVEL_DEBUG)
        buf_printf(out, " (%s:%d)", file, line);
}

static void emit(Slice bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(STDERR_FILENO, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nowhere left to say it */
        bytes = slice_skip(bytes, (size_t)n);
    }
}

void log_write(LogLevel level, const char *file, int line, const char *message, const LogField *fields)
{
    _cleanup_buf_ Buf out = BUF_INIT;
    bool text = atomic_load(&log_format) == LOG_FORMAT_TEXT;

    atomic_fetch_add_explicit(&line_counts[level], 1, memory_order_relaxed);
    (text ? write_text : write_json)(&out, level, file, line, message, fields);
    if (capture) {
        capture(capture_arg, level, buf_slice(&out));
        return;
    }
    buf_append_char(&out, '\n');
    emit(buf_slice(&out));
}

static const Usec complain_first = 10 * USEC_PER_SEC;
static const Usec complain_longest = 3600 * USEC_PER_SEC;

bool complain_due(Complain *c, Usec now)
{
    if (!c->failing) {
        *c = (Complain){.failing = true, .interval = complain_first, .last = now};
        return true;
    }
    if (now - c->last < c->interval) {
        c->held_back++;
        return false;
    }
    c->last = now;
    c->interval = c->interval * 2 < complain_longest ? c->interval * 2 : complain_longest;
    return true;
}

bool complain_recovered(Complain *c, Usec now)
{
    bool ended = c->failing;

    *c = (Complain){.last = now};
    return ended;
}
