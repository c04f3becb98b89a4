#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Roamer: visits the databases of a server that the settings want, one by one, over at most one connection besides the
 * main one. A database that cannot be connected to is left alone for a while, so that it does not fill the server's
 * log. The session's thread.
 */
#include <stdatomic.h>

#include "collector/settings/settings.h"
#include "lib/pg/conn.h"

typedef struct Roamer Roamer;

typedef int (*RoamerOpenFn)(void *arg, const char *database, PgConn **ret, Err *reterr);
/* Negative: the connection is gone. */
typedef int (*RoamerVisitFn)(void *arg, PgConn *conn, const char *database, Err *reterr);

/* @main is borrowed and used for its own database, @main_database. */
Roamer *roamer_new(const ServerSettings *server, PgConn *main, const char *main_database, RoamerOpenFn on_open,
                   void *arg);
Roamer *roamer_free(Roamer *r);
DEFINE_CLEANUP(Roamer *, roamer_free)

/* Calls @on_visit for each database. Leaves early when *@stop is set. Negative: the main connection is lost. */
int roamer_visit(Roamer *r, Usec now, const _Atomic bool *stop, RoamerVisitFn on_visit, void *arg,
                 Err *reterr) MUST_CHECK;
