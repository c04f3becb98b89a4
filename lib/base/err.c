/* SPDX-License-Identifier: PostgreSQL */
/* Errors: see err.h. The table is errors.def. */
#include "lib/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"

typedef struct ErrRow {
    const char *name;
    int number;
    int http_status;
    const char *slug;
    const char *text;
} ErrRow;

static const ErrRow rows[_ERR_CODE_MAX] = {
#define ERROR(name, number, status, slug, text) [ERR_##name] = {#name, number, status, slug, text},
#include "lib/base/errors.def"
#undef ERROR
};

static const ErrRow *row_of(ErrCode code)
{
    return &rows[(unsigned)code < _ERR_CODE_MAX ? code : ERR_INTERNAL];
}

int err_code_errno(ErrCode code)
{
    return row_of(code)->number;
}

int err_code_http_status(ErrCode code)
{
    return row_of(code)->http_status;
}

const char *err_code_slug(ErrCode code)
{
    return row_of(code)->slug;
}

const char *err_code_text(ErrCode code)
{
    return row_of(code)->text;
}

/* A text that was cut by its buffer may end inside a UTF-8 sequence: takes the incomplete one off. */
static void cut_at_character(char *text, size_t size)
{
    size_t length = strlen(text);

    if (length + 1 < size)
        return;
    size_t start = length;
    while (start > 0 && length - start < 3 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
        start--;
    if (start == 0)
        return;
    unsigned char lead = (unsigned char)text[start - 1];
    size_t needed = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
    if (length - (start - 1) < needed)
        text[start - 1] = '\0';
}

static void PRINTF_LIKE(3, 0) print_into(char *text, size_t size, const char *format, va_list args)
{
    (void)vsnprintf(text, size, format, args); /* cut by design */
    cut_at_character(text, size);
}

int err_set(Err *reterr, ErrCode code, const char *format, ...)
{
    if (reterr) {
        /* The arguments may point into *reterr: print first, then replace. */
        Err made = {.code = code};
        va_list args;
        va_start(args, format);
        print_into(made.detail, sizeof made.detail, format, args);
        va_end(args);
        *reterr = made;
    }
    return -err_code_errno(code);
}

int err_set_errno(Err *reterr, ErrCode code, int number, const char *format, ...)
{
    if (reterr) {
        Err made = {.code = code};
        va_list args;
        char reason[128];
        va_start(args, format);
        print_into(made.detail, sizeof made.detail, format, args);
        va_end(args);
        size_t length = strlen(made.detail);
        /* GNU strerror_r: returns the text, perhaps not in the buffer. */
        (void)snprintf(made.detail + length, sizeof made.detail - length, ": %s",
                       strerror_r(number, reason, sizeof reason));
        cut_at_character(made.detail, sizeof made.detail);
        *reterr = made;
    }
    return -number;
}

void err_hint(Err *reterr, const char *format, ...)
{
    if (!reterr)
        return;
    va_list args;
    va_start(args, format);
    print_into(reterr->hint, sizeof reterr->hint, format, args);
    va_end(args);
}

void err_prefix(Err *reterr, const char *format, ...)
{
    if (!reterr)
        return;
    char text[sizeof reterr->detail];
    va_list args;
    va_start(args, format);
    print_into(text, sizeof text, format, args);
    va_end(args);
    size_t room = sizeof text - strlen(text); /* what does not fit is cut by design */
    (void)snprintf(text + strlen(text), room, ": %.*s", (int)room, reterr->detail);
    cut_at_character(text, sizeof text);
    memcpy(reterr->detail, text, sizeof text);
}

void err_at(Err *reterr, uint32_t line, uint32_t column)
{
    if (!reterr)
        return;
    reterr->line = line;
    reterr->column = column;
}

int err_trace_at(int r, const char *file, int line, const char *function)
{
    if (r < 0 && log_enabled(LOG_LEVEL_DEBUG))
        log_write(LOG_LEVEL_DEBUG, file, line, "failing",
                  (const LogField[]){log_str("function", function), log_int("result", r), {.key = NULL}});
    return r;
}
