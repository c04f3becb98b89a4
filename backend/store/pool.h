#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A bounded pool of connections to the store, opened when needed and kept. After a failure to connect it refuses at
 * once for a while that grows (with jitter), so that a store that is away costs nothing. Any thread; a connection taken
 * out belongs to its taker until it is given back.
 */
#include "lib/pg/conn.h"

typedef struct Pool Pool;

/* @conninfo is borrowed and must outlive the pool. */
Pool *pool_new(const char *conninfo, size_t connections);
Pool *pool_free(Pool *p); /* all connections must have been given back */
DEFINE_CLEANUP(Pool *, pool_free)

/* Waits for a free connection until @deadline. ERR_UNAVAILABLE when there is none by then or the store is away. */
int pool_take(Pool *p, Usec deadline, PgConn **ret, Err *reterr) MUST_CHECK;
/* Gives back; one that is not usable any more is closed. */
void pool_give(Pool *p, PgConn *c);
/* Gives back and closes: the server behind it is not the one we want (read-only after a failover). */
void pool_discard(Pool *p, PgConn *c);

/* A connection of its own with the settings that all of the store's connections have, outside the pool's bound. */
int pool_connect(const char *conninfo, const char *application_name, Usec timeout, PgConn **ret,
                 Err *reterr) MUST_CHECK;
/* True when the server closed an idle connection meanwhile (restart, administrator): ask before use. */
bool pool_connection_is_stale(PgConn *c);
size_t pool_open_count(Pool *p);
