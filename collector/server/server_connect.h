#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Connecting to a monitored server: the one place that reads its password and sets the limits that protect it (read
 * only, statement_timeout, lock_timeout, no parallel workers, jit off). Behind a pooler the limits go with each
 * transaction. Any thread.
 */
#include "collector/settings/settings.h"
#include "lib/pg/conn.h"

typedef struct ServerConnect {
    const ServerSettings *server;
    const char *database;         /* NULL: the settings' */
    const char *application_name; /* NULL: "pganalytics" */
    Usec statement_timeout;
    const PgConn *like; /* open, to the same server: how it is reached (a pooler?) is known. NULL: look */
} ServerConnect;

/* What the server said of itself at the connect. */
typedef struct ServerSettled {
    bool backslash_escapes; /* standard_conforming_strings is off */
    char role[64];
} ServerSettled;

int server_connect(const ServerConnect *connect, PgConn **ret, Err *reterr) MUST_CHECK;
/* Settings that not every version has, in one round trip. A connection that stays needs it, one that roams does not. */
int server_settle(PgConn *conn, Usec timeout, ServerSettled *ret, Err *reterr) MUST_CHECK;
/* To the console of a pooler: the same password handling, none of the settings, which it would refuse. */
int server_connect_console(const ServerSettings *server, const char *database, Usec timeout, PgConn **ret,
                           Err *reterr) MUST_CHECK;
