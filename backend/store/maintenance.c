/* SPDX-License-Identifier: PostgreSQL */
/*
 * store_migrate() and the hourly round: both bring the database to what @now asks for, on a connection of their own and
 * under advisory locks that all backends share. The thread sleeps on a condition and leaves when told.
 */
#include "backend/store/maintenance.h"

#include <time.h>

#include "backend/store/migrate.h"
#include "backend/store/store_private.h"
#include "backend/store/tables.h"

static const Usec DAY = 24 * 3600 * USEC_PER_SEC;
static const Usec ROUND_EVERY = 3600 * USEC_PER_SEC;
static const Usec RETRY_AFTER = 60 * USEC_PER_SEC;
enum { DAYS_AHEAD = 2, SERVER_VERSION_MIN = 130000 };

MaintenancePlan maintenance_plan(Usec now_wall, Usec retention)
{
    int64_t today = now_wall / DAY;
    return (MaintenancePlan){
        .make_first_day = today,
        .make_last_day = today + DAYS_AHEAD,
        .drop_before_day = (now_wall - retention) / DAY, /* the day in which retention begins still holds some */
    };
}

static int connect_to(Store *s, const char *application_name, PgConn **ret, Err *reterr)
{
    Err cause = ERR_INIT;
    int r = pool_connect(s->conninfo, application_name, 10 * USEC_PER_SEC, ret, &cause);
    if (r < 0 && reterr)
        *reterr = cause;
    return err_trace(r);
}

static int take_lock(PgConn *c, const char *name, Usec timeout, Err *reterr)
{
    _cleanup_pgresult_ PGresult *result = NULL;
    return err_trace(store_run(c, "select pg_advisory_lock(hashtextextended($1, 0))", STORE_PARAMS(name), PG_SHAPE_ONE,
                               timeout, &result, reterr));
}

static int check_server(PgConn *c, Err *reterr)
{
    int version = pg_conn_version(c);
    if (version >= SERVER_VERSION_MIN)
        return 0;
    int r = err_set(reterr, ERR_CONFIG, "the store runs PostgreSQL %d.%d, 13 or newer is needed", version / 10000,
                    version % 10000);
    err_hint(reterr, "upgrade the server that DATABASE_URL names, or leave DATABASE_URL empty for a private one");
    return r;
}

static int bring_up(Store *s, PgConn *c, Err *reterr)
{
    unsigned applied = 0;
    unsigned renewed = 0;
    const StorageEngine *engine = engine_choose(c);
    MaintenancePlan plan = maintenance_plan(clock_wall(), s->retention);

    int r = migrate_apply(c, STORE_MIGRATIONS, STORE_MIGRATIONS_count, &applied, reterr);
    if (r >= 0)
        r = migrate_renew_functions(c, STORE_FUNCTIONS, STORE_FUNCTIONS_count, &renewed, reterr);
    if (r >= 0)
        r = tables_apply_catalog(s, c, engine, reterr);
    if (r >= 0)
        r = tables_make_days(s, c, engine, plan.make_first_day, plan.make_last_day, reterr);
    if (r < 0)
        return err_trace(r);
    log_info("the store is ready", log_str("engine", engine->name), log_int("server_version", pg_conn_version(c)),
             log_int("migrations_applied", applied), log_int("functions_renewed", renewed));
    return 0;
}

int store_migrate(Store *s, Usec deadline, Err *reterr)
{
    Usec left = deadline - clock_monotonic();
    if (left <= 0)
        return err_set(reterr, ERR_UNAVAILABLE, "no time was left to migrate the store");
    _cleanup_(pg_conn_closep) PgConn *c = NULL; /* closing gives the lock back */
    int r = connect_to(s, "pganalytics-api migrate", &c, reterr);
    if (r >= 0)
        r = check_server(c, reterr);
    if (r >= 0)
        r = take_lock(c, "pganalytics.migrate", left, reterr);
    if (r >= 0)
        r = bring_up(s, c, reterr);
    return err_trace(r);
}

static int collect_garbage(Store *s, PgConn *c, Usec now_wall, Err *reterr)
{
    static const char *const QUERIES[] = {"maintenance_series", "maintenance_sessions", "maintenance_texts"};
    char cutoff[CLOCK_ISO_SIZE];
    clock_format_iso(now_wall - s->retention - DAY, cutoff);
    for (size_t i = 0; i < ARRAY_LENGTH(QUERIES); i++) {
        _cleanup_pgresult_ PGresult *result = NULL;
        int r = store_run(c, store_find_query(s, QUERIES[i])->text, STORE_PARAMS(cutoff), PG_SHAPE_ONE,
                          10 * 60 * USEC_PER_SEC, &result, reterr);
        if (r < 0)
            return err_trace(r);
        log_debug("garbage collected", log_str("what", QUERIES[i]), log_str("rows", PQgetvalue(result, 0, 0)));
    }
    return 0;
}

int maintenance_run(Store *s, Usec now_wall, Err *reterr)
{
    MaintenancePlan plan = maintenance_plan(now_wall, s->retention);
    _cleanup_(pg_conn_closep) PgConn *c = NULL;
    int dropped = 0;
    int r = connect_to(s, "pganalytics-api maintenance", &c, reterr);
    if (r >= 0)
        r = take_lock(c, "pganalytics.maintenance", 10 * 60 * USEC_PER_SEC, reterr);
    if (r < 0)
        return err_trace(r);
    const StorageEngine *engine = engine_choose(c);
    r = tables_make_days(s, c, engine, plan.make_first_day, plan.make_last_day, reterr);
    if (r >= 0)
        r = tables_drop_before(s, c, engine, plan.drop_before_day, &dropped, reterr);
    if (r >= 0)
        r = collect_garbage(s, c, now_wall, reterr);
    if (dropped > 0)
        log_info("partitions past retention dropped", log_int("partitions", dropped));
    return err_trace(r);
}

struct Maintenance {
    Store *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop_asked; /* on the monotonic clock */
    bool stop;
};

static void wait_until(Maintenance *m, Usec when)
{
    struct timespec until = {.tv_sec = when / USEC_PER_SEC, .tv_nsec = when % USEC_PER_SEC * 1000};
    while (!m->stop && clock_monotonic() < when)
        (void)pthread_cond_timedwait(&m->stop_asked, &m->lock, &until); /* the loop's condition tells why it ended */
}

static void *maintenance_main(void *arg)
{
    Maintenance *m = arg;
    pthread_mutex_lock(&m->lock);
    while (!m->stop) {
        pthread_mutex_unlock(&m->lock);
        Err err = ERR_INIT;
        int r = maintenance_run(m->store, clock_wall(), &err);
        if (r < 0)
            log_warn("maintenance of the store failed, it is tried again", log_error_field(&err));
        pthread_mutex_lock(&m->lock);
        wait_until(m, clock_monotonic() + (r < 0 ? RETRY_AFTER : ROUND_EVERY));
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

int maintenance_start(Maintenance **ret, Store *s, Err *reterr)
{
    Maintenance *m = calloc(1, sizeof *m);
    if (!m)
        abort();
    m->store = s;
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->stop_asked, &attributes);
    pthread_condattr_destroy(&attributes);
    int number = pthread_create(&m->thread, NULL, maintenance_main, m);
    if (number != 0) {
        pthread_cond_destroy(&m->stop_asked);
        pthread_mutex_destroy(&m->lock);
        free(m);
        return err_set_errno(reterr, ERR_INTERNAL, number, "the maintenance thread could not be started");
    }
    *ret = m;
    return 0;
}

Maintenance *maintenance_stop(Maintenance *m)
{
    if (!m)
        return NULL;
    pthread_mutex_lock(&m->lock);
    m->stop = true;
    pthread_cond_signal(&m->stop_asked);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    pthread_cond_destroy(&m->stop_asked);
    pthread_mutex_destroy(&m->lock);
    free(m);
    return NULL;
}
