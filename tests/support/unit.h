#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* cmocka with the headers that it needs before it, and the few assertions that it lacks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/err.h"
#include "lib/base/slice.h"

/* Same bytes; an absent slice equals NULL only. */
#define assert_slice(slice, expected) assert_slice_at((slice), (expected), __FILE__, __LINE__)

static inline UNUSED void assert_slice_at(Slice s, const char *expected, const char *file, int line)
{
    if ((s.ptr == NULL) == (expected == NULL) && slice_eq_cstr(s, expected))
        return;
    print_error("\"%.*s\" is not \"%s\"\n", SLICE_ARG(s), expected ? expected : "(absent)");
    _fail(file, line);
}

/* The error has this code and its detail contains @part. */
#define assert_err(err, expected_code, part) assert_err_at((err), (expected_code), (part), __FILE__, __LINE__)

static inline UNUSED void assert_err_at(const Err *e, ErrCode code, const char *part, const char *file, int line)
{
    if (e->code == code && strstr(e->detail, part))
        return;
    print_error("%s \"%s\" is not %s with \"%s\"\n", err_code_slug(e->code), e->detail, err_code_slug(code), part);
    _fail(file, line);
}

#define assert_ok(call, err)                                                                                           \
    do {                                                                                                               \
        if ((call) < 0) {                                                                                              \
            print_error("%s: %s\n", #call, (err)->detail);                                                             \
            _fail(__FILE__, __LINE__);                                                                                 \
        }                                                                                                              \
    } while (0)

/* The call fails with this code, and the error's detail contains @part. */
#define assert_fails(call, err, expected_code, part)                                                                   \
    do {                                                                                                               \
        assert_true((call) < 0);                                                                                       \
        assert_err((err), (expected_code), (part));                                                                    \
    } while (0)
