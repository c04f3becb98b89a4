#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* What every cmocka test needs, in the order that cmocka demands, and a check for errors. */
/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
/* clang-format on */

#include "lib/base/err.h"

/* The call failed with that code, and its detail contains @text. */
#define assert_err(result, err, expected_code, text)                                                                   \
    do {                                                                                                               \
        assert_true((result) < 0);                                                                                     \
        assert_string_equal(err_code_slug((err).code), err_code_slug(expected_code));                                  \
        if (!strstr((err).detail, (text)))                                                                             \
            fail_msg("\"%s\" does not contain \"%s\"", (err).detail, (text));                                          \
    } while (0)
