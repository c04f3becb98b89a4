#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* What the parts of the store share. Included by backend/store only. */
#include <pthread.h>

#include "backend/store/engine.h"
#include "backend/store/pool.h"
#include "backend/store/store.h"
#include "lib/base/embedded.h"
#include "lib/base/log.h"
#include "lib/base/map.h"

extern const EmbeddedFile STORE_QUERIES[];
extern const size_t STORE_QUERIES_count;
extern const EmbeddedFile STORE_MIGRATIONS[];
extern const size_t STORE_MIGRATIONS_count;
extern const EmbeddedFile STORE_FUNCTIONS[];
extern const size_t STORE_FUNCTIONS_count;

struct Store {
    char *conninfo;
    const Catalog *catalog;
    Usec retention;
    Pool *pool;
    Map *queries; /* name without ".sql" -> const EmbeddedFile *; constant after store_open() */

    pthread_mutex_t lock; /* over what follows */
    Map *partitions;      /* "schema.table day" of partitions known to be there -> (void *)1 */
    Err fault;            /* of the last use; code ERR_NONE after a success */
    Complain complain;
};

/* NULL when there is no such statement: a programming error that a test would find. */
const EmbeddedFile *store_find_query(const Store *s, const char *name);

/* What a caller may know of a failed statement; logs what it may not. @c NULL: there was no connection. Returns the
 * negative number to return. */
int store_report_failure(Store *s, const char *query, const Err *cause, Err *reterr);
void store_report_success(Store *s);
/* The server or the way to it is at fault, not the statement: trying again later may help. */
bool store_failure_is_passing(const Err *cause);

/* Runs one of our fixed statements outside of backend/queries (migrations, DDL); @ret may be NULL. */
int store_run(PgConn *c, const char *sql, StoreParams params, PgShape shape, Usec timeout, PGresult **ret,
              Err *reterr) MUST_CHECK;
