#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Faults of a configuration, all of them, each with its place: a person mends a file in one go. Also remembers where
 * each setting was given, so that checks across keys can point there. Copies what it is told. One thread at a time.
 */
#include <stdint.h>
#include <stdio.h>

#include "lib/base/buf.h"
#include "lib/base/cleanup.h"
#include "lib/base/err.h"

typedef struct ConfDiags ConfDiags;

typedef struct ConfDiag {
    const char *file;    /* or "environment" */
    uint32_t line;       /* 0: none */
    uint32_t column;     /* 0: none */
    const char *section; /* "": none */
    const char *key;     /* "": about the whole file */
    const char *value;   /* printable, cut to fit; NULL: not to be shown (secrets, unknown keys) */
    const char *message; /* lower case, no final period */
    const char *hint;    /* "": none */
} ConfDiag;

ConfDiags *conf_diags_new(void);
ConfDiags *conf_diags_free(ConfDiags *d); /* NULL allowed; returns NULL */
DEFINE_CLEANUP(ConfDiags *, conf_diags_free)

/* NULL members count as "". After CONF_DIAGS_MAX faults the rest is only counted. */
enum { CONF_DIAGS_MAX = 1000 };
void conf_diags_add(ConfDiags *d, const ConfDiag *diag);
/* A failure of a reader (toml_parse, file_read_all) as a fault of @file; place, detail and hint come from @err. */
void conf_diags_add_err(ConfDiags *d, const char *file, const Err *err);

size_t conf_diags_count(const ConfDiags *d);                     /* kept ones */
const ConfDiag *conf_diags_at(const ConfDiags *d, size_t index); /* in the order found */
/* 0 without faults; otherwise ERR_CONFIG with the first fault and how many there are. */
int conf_diags_result(const ConfDiags *d, Err *reterr) MUST_CHECK;

/* One line a fault: "file:line:col: [section] key = value: message (hint)"; parts that are absent are left out. */
void conf_diags_print(const ConfDiags *d, Buf *out);
void conf_diags_print_file(const ConfDiags *d, FILE *out);
