#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * What the sampler reads besides samples: long transactions and trees of sessions that wait for locks, as rows of
 * families long_transactions and blocked_trees. Texts of statements lose their values here, before anything else sees
 * them. The sampler's thread.
 */
#include "collector/reading/rows.h"
#include "collector/sampling/sampler_sql.h"

enum { SAMPLER_TREES_MAX = 5 };

typedef struct SamplerCapture {
    PgConn *conn;
    const SamplerSql *sql;
    bool backslash_escapes;
    Usec timeout;
    Usec transaction_threshold, idle_threshold; /* of long transactions */
} SamplerCapture;

/* Adds rows to @rows, which were begun for the family; *@ret_read: rows that the server gave. */
typedef int (*SamplerCaptureFn)(const SamplerCapture *c, Rows *rows, uint64_t *ret_read, Err *reterr);
int sampler_capture_transactions(const SamplerCapture *c, Rows *rows, uint64_t *ret_read, Err *reterr) MUST_CHECK;
int sampler_capture_trees(const SamplerCapture *c, Rows *rows, uint64_t *ret_read, Err *reterr) MUST_CHECK;
