#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Runs a family's statement and keeps its rows: the only place in the collector that runs SQL of families. Rows are
 * streamed; memory is what Rows allows. Text is cleaned here: statement texts lose their literals, settings their
 * credentials, before anything else sees them. The target's thread.
 */
#include "collector/rows.h"
#include "lib/pg/conn.h"

typedef struct FamilyRun {
    PgConn *conn;
    const ResolvedFamily *family;
    const char *ids;        /* mode texts: the text[] parameter; else NULL */
    bool prepare;           /* keep it prepared on this connection */
    bool backslash_escapes; /* the server's standard_conforming_strings is off */
    Usec timeout;
} FamilyRun;

/* Fills @rows (begun anew). A value that is not what its column says is ERR_SQL naming the column. *@ret_cost: time of
 * the statement, also when it failed. */
int family_runner_run(const FamilyRun *run, Rows *rows, Usec *ret_cost, Err *reterr) MUST_CHECK;
