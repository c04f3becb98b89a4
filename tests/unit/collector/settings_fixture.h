#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* Loads settings from a text, in an environment without our variables. SETTINGS_TEST() sets it up. */
#include <stdio.h>

#include "collector/settings/settings.h"
#include "lib/io/file.h"
#include "tests/support/scratch.h"
#include "tests/support/unit.h"

static Scratch scratch;
static const char *const ENVIRONMENT[] = {"BACKEND_URL", "JWT_TOKEN",    "REGISTRATION_SECRET", "PGHOST",
                                          "PGPORT",      "PGUSER",       "PGPASSWORD",          "PGSSLMODE",
                                          "PGDATABASE",  "PGSSLROOTCERT"};

static inline UNUSED int setup(void **state)
{
    (void)state;
    scratch = scratch_make(NULL);
    for (size_t i = 0; i < ARRAY_LENGTH(ENVIRONMENT); i++)
        unsetenv(ENVIRONMENT[i]);
    return 0;
}

static inline UNUSED int teardown(void **state)
{
    (void)state;
    scratch_remove(&scratch);
    return 0;
}

/* @reterrs: the faults as printed, with the directory cut off. */
static inline UNUSED SettingsRef *load(const char *text, Buf *reterrs)
{
    _cleanup_buf_ Buf path = scratch_path(&scratch, "c.toml");
    assert_int_equal(file_write_atomic(buf_cstr(&path), 0600, slice_cstr(text), NULL), 0);
    _cleanup_(conf_diags_freep) ConfDiags *diags = conf_diags_new();
    SettingsRef *s = settings_load(buf_cstr(&path), diags);
    if (reterrs)
        conf_diags_print(diags, reterrs);
    else if (!s)
        conf_diags_print_file(diags, stderr);
    return s;
}

#define SETTINGS_TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
