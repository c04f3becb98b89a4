#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* A scratch directory for each test of a file: setup() and teardown(), which also ends injected faults. */
#include "lib/io/file.h"
#include "tests/support/scratch.h"

static Scratch scratch;

static inline UNUSED int setup(void **state)
{
    (void)state;
    scratch = scratch_make(NULL);
    return 0;
}

static inline UNUSED int setup_fast(void **state)
{
    (void)state;
    scratch = scratch_make_fast();
    return 0;
}

static inline UNUSED int teardown(void **state)
{
    (void)state;
    io_fault_set(NULL, NULL);
    scratch_remove(&scratch);
    return 0;
}
