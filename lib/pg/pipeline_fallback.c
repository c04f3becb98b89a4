/* SPDX-License-Identifier: PostgreSQL */
/* pipeline.h for a libpq without pipeline mode (older than 14): a round trip for each statement. */
#include "lib/pg/conn_private.h"
#include "lib/pg/pipeline.h"

int pg_conn_pipeline(PgConn *c, const PgStep *steps, size_t count, Err *reterr)
{
    return err_trace(pg_conn_pipeline_singly(c, steps, count, reterr));
}
