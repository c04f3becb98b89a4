#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * The store as the rest of the backend sees it: named statements from backend/queries, nothing else. There is
 * deliberately no function that takes SQL text. A pool of connections; any thread.
 */
#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/err.h"
#include "lib/catalog/family.h"
#include "lib/telemetry/telemetry.h"

typedef struct Store Store;

typedef struct StoreOptions {
    const char *conninfo;   /* libpq keywords or URI, several hosts and target_session_attrs allowed; copied */
    const Catalog *catalog; /* what tables there are; borrowed, must outlive the store */
    size_t connections;     /* most at once in the pool, opened when needed; 0: 8 */
    Usec retention;         /* of raw metric rows; 0: 14 days */
} StoreOptions;

/* Fails for options only: the store may be away and come later. */
int store_open(Store **ret, const StoreOptions *options, Err *reterr) MUST_CHECK;
Store *store_close(Store *s); /* after its last user; NULL allowed; returns NULL */
DEFINE_CLEANUP(Store *, store_close)

/*
 * Brings the database to this program's state: checks the server (PostgreSQL 13 or newer), applies migrations that are
 * not there, each in one transaction, refuses changed or newer ones, renews functions that changed, makes and widens
 * the tables of the catalog's families and their partitions. Safe to call again and from several backends at once: it
 * holds an advisory lock. ERR_CONNECT / ERR_UNAVAILABLE: away, try again. Anything else needs a person.
 */
int store_migrate(Store *s, Usec deadline, Err *reterr) MUST_CHECK;

/* The store's own metrics, for /metrics. */
const TelemetryEntry *store_telemetry(size_t *ret_count);

/* Parameters are text; NULL entries are SQL NULL. */
typedef struct StoreParams {
    const char *const *values;
    size_t count;
} StoreParams;
#define STORE_PARAMS(...)                                                                                              \
    ((StoreParams){.values = (const char *const[]){__VA_ARGS__},                                                       \
                   .count = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)})
#define STORE_NO_PARAMS ((StoreParams){0})

/*
 * Runs backend/queries/@query.sql: one statement that gives one row with one column of type text or json. The value is
 * appended to @ret. STORE_EMPTY: no row, or NULL. Each call is one transaction. Waits for a free connection and for the
 * answer until @deadline (monotonic). ERR_UNAVAILABLE when the store is away or the pool stays busy; ERR_TIMEOUT when
 * the deadline passed while it ran; ERR_CONFLICT for a unique violation (23505); ERR_PARAMETER_INVALID and
 * ERR_NOT_FOUND with the message when the statement raised PGA01 or PGA04 (our functions do, for what a client asked
 * wrongly); ERR_INTERNAL for anything else, with the cause in the log and not in the error.
 */
enum { STORE_OK, STORE_EMPTY };
int store_query(Store *s, const char *query, StoreParams params, Usec deadline, Buf *ret, Err *reterr) MUST_CHECK;

/* True while the last use of the store succeeded; *reterr says why not. */
bool store_is_healthy(Store *s, Err *reterr);
