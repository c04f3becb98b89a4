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

typedef struct Store Store;

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
 * answer until @deadline (monotonic). ERR_UNAVAILABLE when the store is away or the pool stays busy; ERR_CONFLICT for a
 * unique violation (23505); ERR_INTERNAL for anything else, with the cause in the log and not in the error.
 */
enum { STORE_OK, STORE_EMPTY };
int store_query(Store *s, const char *query, StoreParams params, Usec deadline, Buf *ret, Err *reterr) MUST_CHECK;

/* True while the last use of the store succeeded; *reterr says why not. */
bool store_is_healthy(Store *s, Err *reterr);
