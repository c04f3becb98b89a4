#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Log lines on standard error: one JSON object a line, or readable text on a terminal. Any thread; a line is one
 * write(2). Libraries log at debug only; programs log once, where an error stops. Never give it a secret.
 *
 *     log_info("collector registered", log_str("collector_id", id), log_int("certificates", n));
 */
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/base/slice.h"

typedef enum LogLevel { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR, _LOG_LEVEL_MAX } LogLevel;
typedef enum LogFormat { LOG_FORMAT_AUTO, LOG_FORMAT_JSON, LOG_FORMAT_TEXT } LogFormat; /* AUTO: text on a tty */

const char *log_level_to_string(LogLevel level);
bool log_level_from_string(Slice s, LogLevel *ret);

/* @program is kept as a pointer. Call before threads start; until then: info, AUTO. */
void log_setup(const char *program, LogFormat format, LogLevel level);
void log_set_level(LogLevel level); /* any thread, any time */
bool log_enabled(LogLevel level);
uint64_t log_count(LogLevel level); /* lines written since start, for telemetry */
/* Sends lines to @on_line instead of standard error (tests); NULL restores. The line has no newline. */
void log_capture(void (*on_line)(void *arg, LogLevel level, Slice line), void *arg);

typedef struct LogField {
    const char *key; /* NULL ends the list */
    enum { LOG_FIELD_STRING, LOG_FIELD_INT, LOG_FIELD_NUMBER, LOG_FIELD_BOOL, LOG_FIELD_ERR } type;
    union {
        Slice string;
        int64_t integer;
        double number;
        const Err *err; /* code slug, detail, hint, sqlstate, place */
    } value;
} LogField;

static inline LogField log_slice(const char *key, Slice value)
{
    return (LogField){.key = key, .type = LOG_FIELD_STRING, .value.string = value};
}
static inline LogField log_str(const char *key, const char *value)
{
    return log_slice(key, slice_cstr(value ? value : ""));
}
static inline LogField log_int(const char *key, int64_t value)
{
    return (LogField){.key = key, .type = LOG_FIELD_INT, .value.integer = value};
}
static inline LogField log_number(const char *key, double value)
{
    return (LogField){.key = key, .type = LOG_FIELD_NUMBER, .value.number = value};
}
static inline LogField log_bool(const char *key, bool value)
{
    return (LogField){.key = key, .type = LOG_FIELD_BOOL, .value.integer = value};
}
static inline LogField log_error_field(const Err *err)
{
    return (LogField){.key = "error", .type = LOG_FIELD_ERR, .value.err = err};
}

void log_write(LogLevel level, const char *file, int line, const char *message, const LogField *fields);

/* What a library has to say, at debug level: its own printf() form, in one line. */
void log_library(const char *library, const char *format, va_list args) PRINTF_LIKE(2, 0);

#define LOG_FIRST(first, ...) first
#define LOG_REST(first, ...)  __VA_ARGS__
/* A message, then any number of fields. */
#define LOG_AT(level, ...)                                                                                             \
    do {                                                                                                               \
        if (log_enabled(level))                                                                                        \
            log_write((level), __FILE__, __LINE__, LOG_FIRST(__VA_ARGS__, ),                                           \
                      (const LogField[]){LOG_REST(__VA_ARGS__, {.key = NULL})});                                       \
    } while (0)
#define log_debug(...) LOG_AT(LOG_LEVEL_DEBUG, __VA_ARGS__)
#define log_info(...)  LOG_AT(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_warn(...)  LOG_AT(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_fail(...)  LOG_AT(LOG_LEVEL_ERROR, __VA_ARGS__)

/*
 * For a failure that repeats: says it the first time, then at intervals that double from 10 s to 1 h with the number
 * left out, and once "recovered". complain_due() answers whether to log now; the caller then logs, held_back included.
 * What fails again within 10 s of its recovery is held back too, so that flapping cannot fill the log.
 * Zero-initialised is a thing that never failed.
 */
typedef struct Complain {
    Usec interval;
    Usec last;          /* monotonic; of the last line */
    uint64_t held_back; /* failures not logged since the last line */
    bool failing;
    bool said;  /* this failure has been logged */
    bool reset; /* held_back was handed out: counting begins anew */
} Complain;

bool complain_due(Complain *c, Usec now);       /* one more failure */
bool complain_recovered(Complain *c, Usec now); /* a success; true when it ends a failure that was logged */
