#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The session's state, shared by session.c (connecting, reading), session_probe.c (what the server has),
 * session_run.c (one family's answer) and session_own.c (what the collector tells of itself). The target's thread.
 */
#include "collector/server/cost_window.h"
#include "collector/server/epoch.h"
#include "collector/server/flavour.h"
#include "collector/server/presence.h"
#include "collector/server/roamer.h"
#include "collector/server/schedule.h"
#include "collector/server/server_connect.h"
#include "collector/server/session.h"
#include "collector/server/small_results.h"
#include "lib/base/map.h"

#define KEYFRAME_DAY    (24 * 3600 * USEC_PER_SEC)
#define PROBE_INTERVAL  (24 * 3600 * USEC_PER_SEC) /* look at the server anew */
#define STATEMENT_GRACE (2 * USEC_PER_SEC)         /* ours ends after the server's */

DEFINE_VEC(AdviceVec, advice_vec, const char *)

struct Session {
    SessionOptions options;
    SystemHost host;
    FamilyState *families;
    size_t family_count;
    Arena *columns_arena; /* of the host families, as the others have theirs in facts_arena */
    Schedule host_schedule;
    Schedule server_schedule;
    Rows rows;
    Buf epoch;
    Buf own_epoch;
    Buf boot;      /* epoch of the host's counters */
    char born[24]; /* epoch of the collector's own counters */

    PgConn *conn;
    Roamer *roamer;
    Presence *presence;          /* of the open session */
    SmallResults *small_results; /* likewise */
    Map *database_pulses;        /* likewise; database -> DatabasePulse (heap), of its last visit */
    Arena *facts_arena;
    Usec statement_timeout;
    ServerSettled settled;
    Flavour flavour;
    bool ever_open;
    int version_num;
    uint64_t system_identifier;
    char database[64]; /* of the main connection */
    AdviceVec advice;  /* texts in facts_arena */
    Pulse pulse;
    Usec probe_at; /* monotonic */
    Usec opened_at;

    CostWindow spending;
    Usec connecting; /* what the server took for our connections, and for the first look at it */
    Usec spent;      /* of all families and of that, as far as it is in .spending */
    bool stretches;
};

/* --- session_probe.c --- */

/* Looks at what the server has and resolves every family against it. */
int session_probe(Session *s, PgConn *conn, Err *reterr) MUST_CHECK;

/* --- session_run.c --- */

/* One run of one family. */
typedef struct Run {
    Session *session;
    FamilyState *state;
    const char *database;            /* NULL: not of a database */
    const DatabasePulseStep *pulse;  /* of that database: when it could not be read, no row can be compared */
    const DatabasePulse *last_pulse; /* at the last visit; NULL: there was none */
    Usec now;
    Usec wall;
    bool keyframe;
    bool changes;  /* only rows that are not what they were are asked for */
    bool outdated; /* the changes that came belong to another epoch than was expected: all rows are wanted */
    bool ended;    /* the server has answered, well or not */
} Run;

bool session_keyframe_is_due(const FamilyState *state, Usec now);
void session_note_failure(Session *s, const Run *run, const Err *err);
void session_note_success(Session *s, const Run *run);
/* Hands over the rows that .rows has. */
void session_deliver(Session *s, const Run *run);
/* Delivers the reading of a family that is known to have no rows. */
void session_deliver_nothing(Session *s, const Run *run);
/* Reads families on one connection, in one round trip. @first: see family_runner.h. Negative: the connection is lost.
 */
int session_run_families(Session *s, PgConn *conn, const PgStep *first, Run *runs, size_t count, const char *ids,
                         Err *reterr) MUST_CHECK;

/* --- session_own.c --- */

/* A family about the collector itself; all others of the host's are in system/. */
typedef struct OwnFamily {
    const char *name;
    void (*fill)(Session *s, Usec now);
} OwnFamily;

const OwnFamily *session_own_family(const Family *f); /* NULL: not about the collector */
void session_note_spending(Session *s, Usec now);
/* Said when families begin to be stretched, and when it is over. */
void session_tell_stretching(Session *s);
