/* SPDX-License-Identifier: PostgreSQL */
/*
 * Log lines. A line is built in a buffer of its own and written under one mutex, so that lines of several threads never
 * mix even where the kernel would split a long write(2). Level and counts are atomics; program and format are set
 * before threads start.
 */
#include "lib/base/log.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "lib/base/buf.h"

static const char *const level_names[_LOG_LEVEL_MAX] = {
    [LOG_LEVEL_DEBUG] = "debug",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_ERROR] = "error",
};
static const char *const level_columns[_LOG_LEVEL_MAX] = {"DEBUG", "INFO ", "WARN ", "ERROR"};

static const char *program_name = "";
static bool as_json;
static bool is_setup;
static _Atomic int lowest_level = LOG_LEVEL_INFO;
static _Atomic uint64_t counts[_LOG_LEVEL_MAX];

static pthread_mutex_t output_mutex = PTHREAD_MUTEX_INITIALIZER;
static void (*capture_fn)(void *arg, LogLevel level, Slice line); /* under output_mutex, as capture_arg */
static void *capture_arg;

const char *log_level_to_string(LogLevel level)
{
    return level_names[level];
}

bool log_level_from_string(Slice s, LogLevel *ret)
{
    for (int i = 0; i < _LOG_LEVEL_MAX; i++) {
        if (!slice_eq_cstr(s, level_names[i]))
            continue;
        *ret = (LogLevel)i;
        return true;
    }
    return false;
}

void log_setup(const char *program, LogFormat format, LogLevel level)
{
    program_name = program;
    as_json = format == LOG_FORMAT_JSON || (format == LOG_FORMAT_AUTO && !isatty(STDERR_FILENO));
    is_setup = true;
    log_set_level(level);
}

void log_set_level(LogLevel level)
{
    atomic_store_explicit(&lowest_level, (int)level, memory_order_relaxed);
}

bool log_enabled(LogLevel level)
{
    return (int)level >= atomic_load_explicit(&lowest_level, memory_order_relaxed);
}

uint64_t log_count(LogLevel level)
{
    return atomic_load_explicit(&counts[level], memory_order_relaxed);
}

void log_capture(void (*on_line)(void *arg, LogLevel level, Slice line), void *arg)
{
    pthread_mutex_lock(&output_mutex);
    capture_fn = on_line;
    capture_arg = arg;
    pthread_mutex_unlock(&output_mutex);
}

static void append_json_key(Buf *b, const char *key)
{
    buf_append_char(b, ',');
    buf_append_json_string(b, slice_cstr(key));
    buf_append_char(b, ':');
}

static void append_json_pair(Buf *b, const char *key, const char *value)
{
    append_json_key(b, key);
    buf_append_json_string(b, slice_cstr(value));
}

static void append_json_error(Buf *b, const Err *e)
{
    buf_append_cstr(b, "{\"code\":");
    buf_append_json_string(b, slice_cstr(err_code_slug(e->code)));
    append_json_pair(b, "message", e->detail[0] ? e->detail : err_code_text(e->code));
    if (e->hint[0])
        append_json_pair(b, "hint", e->hint);
    if (e->sqlstate[0])
        append_json_pair(b, "sqlstate", e->sqlstate);
    if (e->line > 0)
        buf_printf(b, ",\"line\":%u,\"column\":%u", e->line, e->column);
    buf_append_char(b, '}');
}

static void append_json_value(Buf *b, const LogField *f)
{
    switch (f->type) {
    case LOG_FIELD_STRING:
        buf_append_json_string(b, f->value.string);
        break;
    case LOG_FIELD_INT:
        buf_append_int64(b, f->value.integer);
        break;
    case LOG_FIELD_NUMBER:
        if (isfinite(f->value.number))
            buf_append_double(b, f->value.number);
        else
            buf_append_cstr(b, "null"); /* JSON has no other word for it */
        break;
    case LOG_FIELD_BOOL:
        buf_append_cstr(b, f->value.integer ? "true" : "false");
        break;
    case LOG_FIELD_ERR:
        append_json_error(b, f->value.err);
        break;
    }
}

static void append_json_line(Buf *b, LogLevel level, const char *file, int line, const char *message,
                             const LogField *fields)
{
    char time[CLOCK_ISO_SIZE];
    clock_format_iso(clock_wall(), time);
    buf_append_cstr(b, "{\"time\":");
    buf_append_json_string(b, slice_cstr(time));
    append_json_pair(b, "level", level_names[level]);
    append_json_pair(b, "program", program_name);
    append_json_pair(b, "message", message);
    for (const LogField *f = fields; f && f->key; f++) {
        append_json_key(b, f->key);
        append_json_value(b, f);
    }
    if (level == LOG_LEVEL_DEBUG) {
        append_json_key(b, "source");
        buf_printf(b, "\"%s:%d\"", file, line);
    }
    buf_append_char(b, '}');
}

/* As it is when that is one clear word, else as a JSON string: no value can forge a second line or field. */
static void append_text_string(Buf *b, Slice s)
{
    bool plain = s.len > 0;
    for (size_t i = 0; i < s.len && plain; i++)
        plain = s.ptr[i] > ' ' && s.ptr[i] < 0x7F && s.ptr[i] != '"' && s.ptr[i] != '=' && s.ptr[i] != '\\';
    if (plain)
        buf_append(b, s);
    else
        buf_append_json_string(b, s);
}

static void append_text_pair(Buf *b, const char *key, const char *value)
{
    buf_printf(b, " %s=", key);
    append_text_string(b, slice_cstr(value));
}

static void append_text_error(Buf *b, const LogField *f)
{
    const Err *e = f->value.err;
    append_text_pair(b, f->key, e->detail[0] ? e->detail : err_code_text(e->code));
    append_text_pair(b, "code", err_code_slug(e->code));
    if (e->hint[0])
        append_text_pair(b, "hint", e->hint);
    if (e->sqlstate[0])
        append_text_pair(b, "sqlstate", e->sqlstate);
    if (e->line > 0)
        buf_printf(b, " place=%u:%u", e->line, e->column);
}

static void append_text_line(Buf *b, LogLevel level, const char *file, int line, const char *message,
                             const LogField *fields)
{
    char time[CLOCK_ISO_SIZE];
    clock_format_iso(clock_wall(), time);
    time[10] = ' ';
    buf_printf(b, "%.23s %s %s", time, level_columns[level], message);
    for (const LogField *f = fields; f && f->key; f++) {
        if (f->type == LOG_FIELD_ERR) {
            append_text_error(b, f);
            continue;
        }
        buf_printf(b, " %s=", f->key);
        if (f->type == LOG_FIELD_STRING)
            append_text_string(b, f->value.string);
        else
            append_json_value(b, f);
    }
    if (level == LOG_LEVEL_DEBUG)
        buf_printf(b, " source=%s:%d", file, line);
}

/* Whatever can be written is; a standard error that takes nothing leaves no place to say so. */
static void write_line(Slice s)
{
    while (s.len > 0) {
        ssize_t n = write(STDERR_FILENO, s.ptr, s.len);
        if (n < 0 && errno == EINTR)
            continue; /* GCOV_EXCL_LINE: a signal at the right microsecond */
        if (n < 0)
            return;
        s = slice_skip(s, (size_t)n);
    }
}

void log_write(LogLevel level, const char *file, int line, const char *message, const LogField *fields)
{
    int saved = errno;
    _cleanup_buf_ Buf b = BUF_INIT;
    if (is_setup ? as_json : !isatty(STDERR_FILENO))
        append_json_line(&b, level, file, line, message, fields);
    else
        append_text_line(&b, level, file, line, message, fields);
    atomic_fetch_add_explicit(&counts[level], 1, memory_order_relaxed);

    pthread_mutex_lock(&output_mutex);
    if (capture_fn) {
        capture_fn(capture_arg, level, buf_slice(&b));
    } else {
        buf_append_char(&b, '\n');
        write_line(buf_slice(&b));
    }
    pthread_mutex_unlock(&output_mutex);
    errno = saved;
}

#define COMPLAIN_FIRST (10 * USEC_PER_SEC)
#define COMPLAIN_LAST  (3600 * USEC_PER_SEC)

void log_library(const char *library, const char *format, va_list args)
{
    if (!log_enabled(LOG_LEVEL_DEBUG))
        return;
    _cleanup_buf_ Buf text = BUF_INIT;
    buf_vprintf(&text, format, args);
    log_debug("a library says", log_str("library", library), log_slice("text", slice_trim(buf_slice(&text))));
}

/* Counting goes on from the last line, whose number the caller has read by now. */
static void forget_told(Complain *c)
{
    if (c->reset)
        c->held_back = 0;
    c->reset = false;
}

bool complain_due(Complain *c, Usec now)
{
    forget_told(c);
    bool repeated = c->failing;
    c->failing = true;
    if (c->interval > 0 && now - c->last < c->interval) {
        c->held_back++;
        return false;
    }
    if (c->interval == 0 || !repeated)
        c->interval = COMPLAIN_FIRST;
    else
        c->interval = c->interval * 2 < COMPLAIN_LAST ? c->interval * 2 : COMPLAIN_LAST;
    c->last = now;
    c->said = true;
    c->reset = true;
    return true;
}

bool complain_recovered(Complain *c, Usec now)
{
    forget_told(c);
    bool say = c->failing && c->said;
    c->failing = false;
    c->said = false;
    if (say) {
        c->interval = COMPLAIN_FIRST;
        c->last = now;
        c->reset = true;
    }
    return say;
}
