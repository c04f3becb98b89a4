#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Errors. Doctrine of the whole tree:
 *
 *   - Functions that can fail return int: 0 success, negative -errno failure, positive a condition that the function's
 *     own comment documents and its caller handles. Negatives are forwarded, never matched on.
 *   - Where a person or an API client will read the cause, the last parameter is Err *reterr, written on failure only;
 *     NULL is allowed and means "not interested".
 *   - err_set() fills it and returns the negative number to return, so failing is one statement:
 *         return err_set(reterr, ERR_CONFIG, "port %d is not between 1 and 65535", port);
 *   - err_trace(r) forwards a failure and leaves a line in the debug log, so a failure shows its way up.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/cleanup.h"

typedef enum ErrCode {
#define ERROR(name, number, status, slug, text) ERR_##name,
#include "lib/base/errors.def"
#undef ERROR
    _ERR_CODE_MAX
} ErrCode;

typedef struct Err {
    ErrCode code;
    uint32_t line; /* 1-based place in the input; 0 where there is none */
    uint32_t column;
    char sqlstate[6]; /* of ERR_SQL and ERR_CONNECT, else "" */
    char detail[400]; /* what is wrong, with the object and the value; lower case, no final period */
    char hint[240];   /* what to do about it; may be "" */
} Err;

#define ERR_INIT ((Err){.code = ERR_NONE})

/* Sets code and detail (cut to fit, always valid UTF-8 up to the cut), clears the rest. Returns the code's -errno. */
int err_set(Err *reterr, ErrCode code, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same, for a failed system call: appends ": " and strerror(@number). Returns -number. */
int err_set_errno(Err *reterr, ErrCode code, int number, const char *format, ...) PRINTF_LIKE(4, 5);

/* Adds a hint to an error that was set. Returns nothing so that it can follow err_set() in a failing branch. */
void err_hint(Err *reterr, const char *format, ...) PRINTF_LIKE(2, 3);

/* Puts "@prefix: " before the detail, as an error travels to a caller that knows more. */
void err_prefix(Err *reterr, const char *format, ...) PRINTF_LIKE(2, 3);

/* Records the place in the input. */
void err_at(Err *reterr, uint32_t line, uint32_t column);

int err_code_errno(ErrCode code); /* positive errno */
int err_code_http_status(ErrCode code);
const char *err_code_slug(ErrCode code); /* stable name for API clients */
const char *err_code_text(ErrCode code); /* default text */

/* Debug-log line for a failure passing through; returns @r unchanged, silent for r >= 0. */
int err_trace_at(int r, const char *file, int line, const char *function);
#define err_trace(r) err_trace_at((r), __FILE__, __LINE__, __func__)
