#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Numbered migrations (backend/migrations/NNNN_name.sql, once each, never changed) and repeatable objects
 * (backend/functions, again whenever their text changed). Called by store_migrate() under its advisory lock, on the
 * thread of the connection.
 */
#include "lib/base/embedded.h"
#include "lib/pg/conn.h"

/* The number that a file name begins with; 0 when it has none. Pure. */
unsigned migrate_number(const char *file_name);

/* *ret_applied: how many were new. ERR_CONFLICT: one that was applied has other text now, or the store is newer. */
int migrate_apply(PgConn *c, const EmbeddedFile *files, size_t count, unsigned *ret_applied, Err *reterr) MUST_CHECK;
int migrate_renew_functions(PgConn *c, const EmbeddedFile *files, size_t count, unsigned *ret_renewed,
                            Err *reterr) MUST_CHECK;
