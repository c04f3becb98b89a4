#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Runs families' statements and keeps their rows: the only place in the collector that runs SQL of families. All that
 * are due on a connection go in one round trip (lib/pg/pipeline.h); rows are streamed unless few are expected, memory
 * is what Rows allows for one family, of texts of a part of them. Text is cleaned here: statement texts lose their
 * literals, settings their credentials, before anything else sees them. The target's thread.
 */
#include "collector/reading/rows.h"
#include "lib/pg/pipeline.h"

typedef struct FamilyRunEnd {
    int result; /* negative: *err says why. A value that is not what its column says is ERR_SQL naming the column */
    const Err *err;
    Usec begun; /* monotonic: not read before that */
    Usec cost;  /* time of the statement, also when it failed */
} FamilyRunEnd;

typedef struct FamilyRun {
    const ResolvedFamily *family;
    const char *parameter;    /* mode texts: text[] of the ids; else NULL */
    const RowStateVec *known; /* families with states: in which states rows are known; else NULL */
    bool is_small;            /* so few rows are expected that they may come in one piece */
    bool backslash_escapes;   /* the server's standard_conforming_strings is off */
    Usec timeout;
    void *arg;
    void (*on_part)(void *arg); /* mode texts: TEXTS_PART of its rows are there, and are gone behind it. Else NULL */
    void (*on_end)(void *arg, const FamilyRunEnd *end); /* @rows are those of this family until it returns */
} FamilyRun;

/* Runs all of @runs, in order, behind @first (a statement of the caller's; NULL: none). Negative: the connection is
 * lost; runs whose on_end was not called have not begun. */
int family_runner_run(PgConn *conn, const PgStep *first, const FamilyRun *runs, size_t count, Rows *rows,
                      Err *reterr) MUST_CHECK;
