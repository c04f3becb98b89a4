/* SPDX-License-Identifier: PostgreSQL */
/*
 * Errors as values. Texts are formatted aside and then copied, so that an argument may point into the Err itself; bytes
 * that are not UTF-8 (a server's message in another encoding) become '?', since details travel as JSON. errno is kept.
 */
#include "lib/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/slice.h"

typedef struct ErrRow {
    int number;
    int http_status;
    const char *slug;
    const char *text;
} ErrRow;

static const ErrRow err_rows[_ERR_CODE_MAX] = {
#define ERROR(name, number, status, slug, text) [ERR_##name] = {number, status, slug, text},
#include "lib/base/errors.def"
#undef ERROR
};

static const ErrRow *row(ErrCode code)
{
    return &err_rows[code < _ERR_CODE_MAX ? code : ERR_INTERNAL];
}

/* Copies the C string @from of at most @size - 1 bytes; @was_cut allows an unfinished character at its end. */
static void copy_utf8(char *to, size_t size, const char *from, bool was_cut)
{
    Slice rest = slice_from(from, strnlen(from, size - 1));
    size_t at = 0;
    while (rest.len > 0) {
        size_t n = slice_utf8_length(rest);
        if (n == 0 && was_cut && rest.len < 4 && (unsigned char)rest.ptr[0] >= 0xC2)
            break;
        if (n == 0)
            to[at++] = '?';
        else
            memcpy(to + at, rest.ptr, n);
        at += n;
        rest = slice_skip(rest, n ? n : 1);
    }
    to[at] = '\0';
}

static void PRINTF_LIKE(3, 0) format_into(char *to, size_t size, const char *format, va_list args)
{
    char text[sizeof((Err *)0)->detail];
    int n = vsnprintf(text, size < sizeof(text) ? size : sizeof(text), format, args);
    if (n < 0)
        text[0] = '\0'; /* GCOV_EXCL_LINE: only wide characters can fail */
    copy_utf8(to, size, text, n >= (int)size);
}

static void PRINTF_LIKE(3, 0) set_detail(Err *e, ErrCode code, const char *format, va_list args)
{
    char detail[sizeof(e->detail)];
    format_into(detail, sizeof(detail), format, args);
    *e = (Err){.code = code};
    memcpy(e->detail, detail, sizeof(detail));
}

int err_set(Err *reterr, ErrCode code, const char *format, ...)
{
    int saved = errno;
    if (reterr) {
        va_list args;
        va_start(args, format);
        set_detail(reterr, code, format, args);
        va_end(args);
    }
    errno = saved;
    return -row(code)->number;
}

int err_set_errno(Err *reterr, ErrCode code, int number, const char *format, ...)
{
    int saved = errno;
    if (reterr) {
        va_list args;
        va_start(args, format);
        set_detail(reterr, code, format, args);
        va_end(args);

        char reason[128];
        char *text = strerror_r(number, reason, sizeof(reason));
        size_t len = strlen(reterr->detail);
        char joined[sizeof(reterr->detail)];
        int n = snprintf(joined, sizeof(joined), "%.*s: %s", (int)len, reterr->detail, text);
        copy_utf8(reterr->detail, sizeof(reterr->detail), joined, n >= (int)sizeof(joined));
    }
    errno = saved;
    return -number;
}

void err_hint(Err *reterr, const char *format, ...)
{
    if (!reterr)
        return;
    int saved = errno;
    va_list args;
    va_start(args, format);
    char hint[sizeof(reterr->hint)];
    format_into(hint, sizeof(hint), format, args);
    va_end(args);
    memcpy(reterr->hint, hint, sizeof(hint));
    errno = saved;
}

void err_prefix(Err *reterr, const char *format, ...)
{
    if (!reterr)
        return;
    int saved = errno;
    va_list args;
    va_start(args, format);
    char prefix[sizeof(reterr->detail)];
    format_into(prefix, sizeof(prefix), format, args);
    va_end(args);

    char joined[2 * sizeof(reterr->detail) + 2];
    int n = snprintf(joined, sizeof(joined), "%s: %s", prefix, reterr->detail);
    copy_utf8(reterr->detail, sizeof(reterr->detail), joined, n >= (int)sizeof(reterr->detail));
    errno = saved;
}

void err_at(Err *reterr, uint32_t line, uint32_t column)
{
    if (!reterr)
        return;
    reterr->line = line;
    reterr->column = column;
}

int err_code_errno(ErrCode code)
{
    return row(code)->number;
}

int err_code_http_status(ErrCode code)
{
    return row(code)->http_status;
}

const char *err_code_slug(ErrCode code)
{
    return row(code)->slug;
}

const char *err_code_text(ErrCode code)
{
    return row(code)->text;
}

int err_trace_at(int r, const char *file, int line, const char *function)
{
    if (r < 0 && log_enabled(LOG_LEVEL_DEBUG)) {
        int saved = errno;
        log_write(LOG_LEVEL_DEBUG, file, line, "failure passes",
                  (const LogField[]){log_str("function", function), log_int("result", r), {.key = NULL}});
        errno = saved;
    }
    return r;
}
