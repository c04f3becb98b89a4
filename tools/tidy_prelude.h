/* SPDX-License-Identifier: PostgreSQL */
/*
 * Included before every source by tools/run_tidy.py: tells clang's analyzer what it cannot see, that err_set() and its
 * like return negatives (lib/base/err.h), so that it does not follow paths on which a failure looks like success.
 */
#include "lib/base/err.h"

static inline UNUSED int tidy_negative(int r)
{
    if (r >= 0)
        __builtin_unreachable();
    return r;
}

#undef err_trace
#define err_trace(r)       (r)
#define err_set(...)       tidy_negative(err_set(__VA_ARGS__))
#define err_set_errno(...) tidy_negative(err_set_errno(__VA_ARGS__))
