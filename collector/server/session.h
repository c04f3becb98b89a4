#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * Session: everything the collector reads of one server. Holds one long-lived connection for the server's own figures
 * and at most one more that roams the databases; knows what the server has, which families are due and what each costs.
 * Failures of a family cost that family alone. Hands each reading to @on_reading. The target's thread (or dry_run.c's).
 */
#include <stdatomic.h>

#include "collector/reading/family_costs.h"
#include "collector/server/texts.h"
#include "collector/settings/settings.h"
#include "collector/system/system.h"
#include "lib/base/log.h"

typedef struct Session Session;

/* Takes the reading in before it returns; gives the bytes that it added to a batch. */
typedef size_t (*SessionReadingFn)(void *arg, const Reading *reading);

/* Appends what is known of the rows of @empty's family, see delta_known_states(); false: all rows are wanted. */
typedef bool (*SessionKnownFn)(void *arg, const Reading *empty, RowStateVec *out);

typedef struct SessionOptions {
    const Settings *settings;
    const ServerSettings *server;
    SessionReadingFn on_reading;
    SessionKnownFn known_states; /* NULL: all rows are wanted each time */
    void *arg;
    Texts *texts;             /* borrowed; NULL: texts are not read */
    FamilyCosts *costs;       /* of families that others read beside it; borrowed; NULL: there are none */
    const _Atomic bool *stop; /* leave early between databases; NULL: never */
    const char *system_root;  /* of SystemHost; NULL: "" */
} SessionOptions;

/* One family of this server: what is known, what it has cost. */
typedef struct FamilyState {
    const Family *family;
    Usec interval;
    size_t top;              /* of Reading */
    bool available;          /* the server has it; host families always */
    const char *reason;      /* why not, with the statement that mends it; until the next session_open() */
    ResolvedFamily resolved; /* until the next session_open() */
    size_t entry;            /* in its schedule */
    Usec last_keyframe;      /* monotonic */
    Usec retry_at;           /* monotonic: refused, or ended by a limit; not asked again before */
    Usec pause;              /* after the last end by a limit; doubles with each in a row */
    Complain complain;
    Err *last_error; /* NULL: the last run went well */
    uint64_t runs, errors, rows, bytes, truncated;
    Usec cost; /* of all runs */
} FamilyState;

/* Everything is due at @now (monotonic). Connects nowhere. */
Session *session_new(const SessionOptions *options, Usec now);
Session *session_free(Session *s);
DEFINE_CLEANUP(Session *, session_free)

/* Connects and looks at what the server has. */
int session_open(Session *s, Err *reterr) MUST_CHECK;
void session_close(Session *s); /* the next open begins anew */
bool session_is_open(const Session *s);

/* Monotonic time at which something is due; while it is not open, of the host's families only. */
Usec session_next(const Session *s);
/* Reads the host's families that are due, and the collector's own. Failures are logged and counted. */
void session_read_host(Session *s, Usec now);
/* Reads the server's families that are due. Negative: the connection is lost, and closed. */
int session_read_server(Session *s, Usec now, Err *reterr) MUST_CHECK;
/* What was handed over was lost: the next readings are keyframes. */
void session_expect_keyframes(Session *s);

/* For the batch: what is known of the server; .name, .reachable, .error and .interval_ms are the caller's. */
void session_describe(const Session *s, Arena *arena, PushServer *ret);
const FamilyState *session_family_at(const Session *s, size_t index); /* NULL behind the last one */
/* What would let it see more, each with the statement that does it; NULL behind the last one. Until the next open. */
const char *session_advice_at(const Session *s, size_t index);
