/* SPDX-License-Identifier: PostgreSQL */
/* pipeline.h without pipeline mode: for a libpq that has none, and behind poolers, where each statement is wrapped. */
#include "lib/pg/conn_private.h"
#include "lib/pg/pipeline.h"

/* Behind a pooler a block is wrapped as a whole. */
static int run_step(PgConn *c, const PgStep *step, Err *reterr)
{
    if (!c->pooled || step->block == PG_BLOCK_NONE)
        return pg_conn_query_each(c, &step->query, step->on_row, step->arg, reterr);
    if (step->block == PG_BLOCK_BEGIN)
        return pg_conn_begin_wrapped(c, step->query.timeout, reterr);
    PgQuery unnamed = step->query;
    unnamed.prepared_name = NULL;
    return pg_conn_query_each_plain(c, &unnamed, step->on_row, step->arg, reterr);
}

int pg_conn_pipeline_singly(PgConn *c, const PgStep *steps, size_t count, Err *reterr)
{
    if (!pg_conn_usable(c))
        return err_trace(pg_conn_fail_lost(c, reterr));
    Usec begun = clock_monotonic();
    for (size_t i = 0; i < count; i++) {
        const PgStep *step = &steps[i];
        Err err = ERR_INIT;
        if (step->on_begin)
            step->on_begin(step->arg);
        int r = run_step(c, step, &err);
        if (r < 0 && c->pooled && (step->block == PG_BLOCK_BEGIN || step->block == PG_BLOCK_END))
            c->usable = false; /* what follows must not run without its limits, nor leave a transaction open */
        PgStepEnd end = {.result = r, .err = &err, .begun = begun, .ended = clock_monotonic()};
        step->on_end(step->arg, &end);
        begun = end.ended;
        if (r < 0 && !pg_conn_usable(c)) {
            if (reterr)
                *reterr = err;
            return err_trace(r);
        }
    }
    return 0;
}
