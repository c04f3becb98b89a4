#pragma once
/* SPDX-License-Identifier: PostgreSQL */
/* From the catalog to tables in schema "metric", and their days. Any thread with a connection of its own. */
#include "backend/store/store_private.h"

/* The table of the simple form's values; not in the catalog because its labels are free. */
#define TABLES_CUSTOM "custom"

/* Registers the catalog's families, makes and widens their tables and views, grants. */
int tables_apply_catalog(Store *s, PgConn *c, const StorageEngine *engine, Err *reterr) MUST_CHECK;
/* One family of users, in the caller's transaction. *ret_reason (in @arena): why it cannot be; NULL: it is there. */
int tables_make_own(PgConn *c, const StorageEngine *engine, const Family *f, Arena *arena, const char **ret_reason,
                    Err *reterr) MUST_CHECK;
/* Makes the days @first to @last of every table. */
int tables_make_days(Store *s, PgConn *c, const StorageEngine *engine, int64_t first, int64_t last,
                     Err *reterr) MUST_CHECK;
/* Makes one day of one table unless it is known to be there. */
int tables_ensure_day(Store *s, PgConn *c, const StorageEngine *engine, const EngineTable *t, int64_t day,
                      Err *reterr) MUST_CHECK;
int tables_drop_before(Store *s, PgConn *c, const StorageEngine *engine, int64_t day, int *ret_dropped,
                       Err *reterr) MUST_CHECK;
/* After an error that may mean that a day is not there any more. */
void tables_forget_days(Store *s);

/* The document that pganalytics.register_family() takes. Pure. */
void tables_write_family(Buf *out, const Family *f);
