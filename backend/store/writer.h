#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/*
 * A connection for writing metrics: the statements named write_* of backend/queries, transactions, COPY. What is
 * written and when is the ingest's business. One thread. After a failure with a lost connection the next
 * store_writer_connect() makes a new connection.
 */
#include "backend/store/store.h"
#include "lib/pg/conn.h"

typedef struct StoreWriter StoreWriter;

StoreWriter *store_writer_new(Store *s);
StoreWriter *store_writer_free(StoreWriter *w);
DEFINE_CLEANUP(StoreWriter *, store_writer_free)

/* Makes sure there is a connection that the server has not closed; refuses at once while backing off. */
int store_writer_connect(StoreWriter *w, Err *reterr) MUST_CHECK;

/* Runs backend/queries/@query.sql, prepared; the caller PQclear()s. */
int store_writer_query(StoreWriter *w, const char *query, StoreParams params, PGresult **ret, Err *reterr) MUST_CHECK;
int store_writer_begin(StoreWriter *w, Err *reterr) MUST_CHECK;
/* Failing with a lost connection leaves open whether it was committed. */
int store_writer_commit(StoreWriter *w, Err *reterr) MUST_CHECK;
void store_writer_rollback(StoreWriter *w); /* or closes the connection, with the same effect */

/* Makes sure that a family of users has its table, in a transaction of its own. Refused for what it is (another family
 * of the name, too many): STORE_FAMILY_REFUSED, and *ret_reason (in @arena) says why. */
enum { STORE_FAMILY_OK, STORE_FAMILY_REFUSED };
int store_writer_make_family(StoreWriter *w, const Family *f, Arena *arena, const char **ret_reason,
                             Err *reterr) MUST_CHECK;

/* Makes the partition of @day of metric.@family, or of pganalytics.reading when NULL, unless it is known to be there.
 */
int store_writer_ensure_day(StoreWriter *w, const char *family, int64_t day, Err *reterr) MUST_CHECK;
void store_writer_forget_days(StoreWriter *w);
/* COPY BINARY into metric.@family; @columns: the list behind the table's name. */
int store_writer_copy(StoreWriter *w, const char *family, const char *columns, Slice data, Err *reterr) MUST_CHECK;

/* Tells the store how it went: health, and whether the caller may try again later with the same data. */
bool store_writer_report(StoreWriter *w, const Err *cause);
