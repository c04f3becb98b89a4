/* SPDX-License-Identifier: PostgreSQL */
/*
 * The store's front: named statements on pooled connections, and what of their failures callers may know. Any thread;
 * Store's changing fields are under its lock.
 */
#include "backend/store/store.h"

#include <assert.h>
#include <string.h>

#include "backend/store/store_private.h"

enum { CONNECTIONS_DEFAULT = 8 };
static const Usec RETENTION_DEFAULT = 14 * 24 * 3600 * USEC_PER_SEC;

static const double SECONDS[] = {0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 30};
static Counter queries_ok = {.name = "pganalytics_store_queries_total",
                             .labels = "result=\"ok\"",
                             .help = "Statements that the API ran on the store."};
static Counter queries_refused = {.name = "pganalytics_store_queries_total",
                                  .labels = "result=\"refused\"",
                                  .help = "Statements that the API ran on the store."};
static Counter queries_unavailable = {.name = "pganalytics_store_queries_total",
                                      .labels = "result=\"unavailable\"",
                                      .help = "Statements that the API ran on the store."};
static Counter queries_failed = {.name = "pganalytics_store_queries_total",
                                 .labels = "result=\"failed\"",
                                 .help = "Statements that the API ran on the store."};
static Histogram query_seconds = {.name = "pganalytics_store_query_seconds",
                                  .help = "How long statements of the API took, waiting for a connection included.",
                                  .bounds = SECONDS,
                                  .bounds_count = ARRAY_LENGTH(SECONDS)};
static Gauge healthy = {.name = "pganalytics_store_healthy", .help = "1 while the last use of the store succeeded."};

static const TelemetryEntry TELEMETRY[] = {
    {TELEMETRY_COUNTER, &queries_ok},          {TELEMETRY_COUNTER, &queries_refused},
    {TELEMETRY_COUNTER, &queries_unavailable}, {TELEMETRY_COUNTER, &queries_failed},
    {TELEMETRY_HISTOGRAM, &query_seconds},     {TELEMETRY_GAUGE, &healthy},
};

const TelemetryEntry *store_telemetry(size_t *ret_count)
{
    *ret_count = ARRAY_LENGTH(TELEMETRY);
    return TELEMETRY;
}

int store_open(Store **ret, const StoreOptions *options, Err *reterr)
{
    if (!options->conninfo || !*options->conninfo)
        return err_set(reterr, ERR_CONFIG, "the store's connection string is empty");

    Store *s = calloc(1, sizeof *s);
    if (!s)
        abort();
    s->conninfo = strdup(options->conninfo);
    if (!s->conninfo)
        abort();
    s->catalog = options->catalog;
    s->retention = options->retention ? options->retention : RETENTION_DEFAULT;
    s->pool = pool_new(s->conninfo, options->connections ? options->connections : CONNECTIONS_DEFAULT);
    s->queries = map_new(NULL);
    s->partitions = map_new(NULL);
    pthread_mutex_init(&s->lock, NULL);
    for (size_t i = 0; i < STORE_QUERIES_count; i++) {
        Slice name = slice_cstr(STORE_QUERIES[i].name);
        assert(slice_ends_with(name, SLICE_LIT(".sql")));
        map_put(s->queries, slice_from(name.ptr, name.len - strlen(".sql")), (void *)(uintptr_t)&STORE_QUERIES[i]);
    }
    *ret = s;
    return 0;
}

Store *store_close(Store *s)
{
    if (!s)
        return NULL;
    pool_free(s->pool);
    map_free(s->queries);
    map_free(s->partitions);
    pthread_mutex_destroy(&s->lock);
    free(s->conninfo);
    free(s);
    return NULL;
}

const EmbeddedFile *store_find_query(const Store *s, const char *name)
{
    return map_get(s->queries, slice_cstr(name));
}

bool store_failure_is_passing(const Err *cause)
{
    /* connection, resources, operator intervention, read-only after a failover, lock timeout, serialisation, deadlock
     */
    static const char *const STATES[] = {"08", "53", "57", "25006", "55P03", "40", "58"};
    if (cause->code == ERR_CONNECT || cause->code == ERR_UNAVAILABLE || cause->code == ERR_TIMEOUT)
        return true;
    for (size_t i = 0; i < ARRAY_LENGTH(STATES); i++)
        if (strncmp(cause->sqlstate, STATES[i], strlen(STATES[i])) == 0)
            return true;
    return false;
}

static void set_fault(Store *s, const Err *fault)
{
    Usec now = clock_monotonic();
    pthread_mutex_lock(&s->lock);
    s->fault = *fault;
    bool say = complain_due(&s->complain, now);
    uint64_t held_back = s->complain.held_back;
    pthread_mutex_unlock(&s->lock);
    gauge_set(&healthy, 0);
    if (say)
        log_warn("the store is not available", log_error_field(fault), log_int("held_back", (int64_t)held_back));
}

void store_report_success(Store *s)
{
    pthread_mutex_lock(&s->lock);
    s->fault = ERR_INIT;
    bool say = complain_recovered(&s->complain, clock_monotonic());
    pthread_mutex_unlock(&s->lock);
    gauge_set(&healthy, 1);
    if (say)
        log_info("the store is available again");
}

int store_report_failure(Store *s, const char *query, const Err *cause, Err *reterr)
{
    if (strcmp(cause->sqlstate, "23505") == 0) {
        counter_add(&queries_refused, 1);
        return err_set(reterr, ERR_CONFLICT, "it exists already");
    }
    if (strcmp(cause->sqlstate, "PGA01") == 0 || strcmp(cause->sqlstate, "PGA04") == 0) {
        counter_add(&queries_refused, 1);
        return err_set(reterr, cause->sqlstate[4] == '1' ? ERR_PARAMETER_INVALID : ERR_NOT_FOUND, "%s", cause->detail);
    }
    if (cause->code == ERR_TIMEOUT || strcmp(cause->sqlstate, "57014") == 0) {
        counter_add(&queries_failed, 1);
        log_warn("a statement took too long", log_str("query", query), log_error_field(cause));
        return err_set(reterr, ERR_TIMEOUT, "the store did not answer in time");
    }
    if (store_failure_is_passing(cause)) {
        counter_add(&queries_unavailable, 1);
        set_fault(s, cause);
        return err_set(reterr, ERR_UNAVAILABLE, "the store is not available");
    }
    counter_add(&queries_failed, 1);
    log_fail("a statement failed", log_str("query", query), log_error_field(cause));
    return err_set(reterr, ERR_INTERNAL, "the store could not answer");
}

static int run_query(PgConn *c, const EmbeddedFile *file, const char *query, StoreParams params, Usec deadline,
                     PGresult **ret, Err *reterr)
{
    Usec left = deadline - clock_monotonic();
    if (left <= 0)
        return err_set(reterr, ERR_TIMEOUT, "no time was left for %s", query);
    PgQuery q = {
        .sql = file->text,
        .params = params.values,
        .param_count = params.count,
        .shape = PG_SHAPE_ROWS,
        .timeout = left,
        .prepared_name = query,
    };
    int r = pg_conn_query(c, &q, ret, reterr);
    if (r < 0)
        return err_trace(r);
    if (PQntuples(*ret) > 1 || PQnfields(*ret) != 1)
        return err_set(reterr, ERR_INTERNAL, "%s gave %d rows of %d columns", query, PQntuples(*ret), PQnfields(*ret));
    return 0;
}

int store_query(Store *s, const char *query, StoreParams params, Usec deadline, Buf *ret, Err *reterr)
{
    const EmbeddedFile *file = store_find_query(s, query);
    assert(file);
    Usec begin = clock_monotonic();
    Err cause = ERR_INIT;
    PgConn *c = NULL;
    _cleanup_pgresult_ PGresult *result = NULL;

    int r = pool_take(s->pool, deadline, &c, &cause);
    if (r >= 0) {
        r = run_query(c, file, query, params, deadline, &result, &cause);
        if (r < 0 && store_failure_is_passing(&cause) && cause.code != ERR_TIMEOUT)
            pool_discard(s->pool, c);
        else
            pool_give(s->pool, c);
    }
    histogram_observe(&query_seconds, (double)(clock_monotonic() - begin) / (double)USEC_PER_SEC);
    if (r < 0)
        return store_report_failure(s, query, &cause, reterr);

    counter_add(&queries_ok, 1);
    store_report_success(s);
    if (PQntuples(result) == 0 || PQgetisnull(result, 0, 0))
        return STORE_EMPTY;
    buf_append(ret, slice_from(PQgetvalue(result, 0, 0), (size_t)PQgetlength(result, 0, 0)));
    return STORE_OK;
}

bool store_is_healthy(Store *s, Err *reterr)
{
    pthread_mutex_lock(&s->lock);
    bool is_healthy = s->fault.code == ERR_NONE;
    if (!is_healthy && reterr)
        *reterr = s->fault;
    pthread_mutex_unlock(&s->lock);
    return is_healthy;
}

int store_run(PgConn *c, const char *sql, StoreParams params, PgShape shape, Usec timeout, PGresult **ret, Err *reterr)
{
    PgQuery q = {.sql = sql, .params = params.values, .param_count = params.count, .shape = shape, .timeout = timeout};
    return err_trace(pg_conn_query(c, &q, ret, reterr));
}
