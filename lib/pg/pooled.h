#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A connection through a pooler (PgBouncer and its like). Such a one takes no settings at the connect, may give each
 * transaction to another of its connections, keeps no prepared statement, and may begin to lead to another server.
 * So every statement is wrapped: begin read only, its settings (local to the transaction), the statement, commit; and a
 * server that is not the one of the first transaction is refused. Belongs to its PgConn; private to lib/pg.
 */
#include "lib/pg/conn.h"

typedef struct Pooled Pooled;

/* @settings: as in PgConnOptions; copied. */
Pooled *pooled_new(const char *const *settings);
Pooled *pooled_free(Pooled *p);
/* One more setting for the transactions to come. */
void pooled_set(Pooled *p, const char *name, const char *value);

/* @c must run statements as they are. Failure: no transaction is open, or @c is not usable. ERR_CONNECT when the server
 * is another one: the owner marks the connection unusable. */
int pooled_begin(PgConn *c, Pooled *p, Usec timeout, Err *reterr) MUST_CHECK;
/* Ends it; @failed: by rollback. */
int pooled_end(PgConn *c, bool failed, Usec timeout, Err *reterr) MUST_CHECK;
