/* SPDX-License-Identifier: PostgreSQL */
/*
 * See roamer.h. When only one database besides the main one is wanted, its connection is kept; with more, the
 * connection is closed at the end of the round.
 */
#include "collector/server/roamer.h"

#include "lib/base/log.h"
#include "lib/base/map.h"
#include "lib/base/memory.h"

#define REFUSED_BASE     (5 * USEC_PER_SEC) /* doubles with each time in a row */
#define REFUSED_INTERVAL (10 * 60 * USEC_PER_SEC)

/* Without a limit a server of ten thousand databases would be read all day; those behind it are counted and named. */
enum { DATABASES_MAX = 1000 };

static const char LIST_SQL[] = "select datname from pg_catalog.pg_database where datallowconn and not datistemplate"
                               " and pg_catalog.has_database_privilege(oid, 'connect') order by datname";

/* Databases of the providers of managed servers: listed, but not for users. */
static const char *const PROVIDERS[] = {"rdsadmin", "cloudsqladmin", "azure_maintenance", "azure_sys", "alloydbadmin"};

typedef struct Refused {
    Usec until; /* not before */
    Usec pause;
} Refused;

struct Roamer {
    const ServerSettings *server;
    PgConn *main;
    const char *main_database;
    RoamerOpenFn on_open;
    void *arg;
    PgConn *other;
    char *other_database;
    Map *refused; /* database -> Refused (heap) */
    Complain complain;
    bool told_of_limit;
};

Roamer *roamer_new(const ServerSettings *server, PgConn *main, const char *main_database, RoamerOpenFn on_open,
                   void *arg)
{
    Roamer *r = mem_alloc(sizeof(*r));
    *r = (Roamer){.server = server,
                  .main = main,
                  .main_database = main_database,
                  .on_open = on_open,
                  .arg = arg,
                  .refused = map_new(free)};
    return r;
}

static void close_other(Roamer *r)
{
    r->other = pg_conn_close(r->other);
    free(r->other_database);
    r->other_database = NULL;
}

Roamer *roamer_free(Roamer *r)
{
    if (!r)
        return NULL;
    close_other(r);
    map_free(r->refused);
    free(r);
    return NULL;
}

static bool is_wanted(const Roamer *r, const char *database)
{
    for (size_t i = 0; i < ARRAY_LENGTH(PROVIDERS); i++) {
        if (strcmp(database, PROVIDERS[i]) == 0)
            return false;
    }
    return server_settings_want(r->server, database);
}

static bool is_refused(const Roamer *r, const char *database, Usec now)
{
    const Refused *refused = map_get(r->refused, slice_cstr(database));
    return refused && now < refused->until;
}

/* Refused for what it is and not for the moment: who we are (28), what it is (3D, 42, 55). */
static bool is_lasting(const Err *err)
{
    static const char *const CLASSES[] = {"28", "3D", "42", "55"};
    for (size_t i = 0; i < ARRAY_LENGTH(CLASSES); i++) {
        if (strncmp(err->sqlstate, CLASSES[i], 2) == 0)
            return true;
    }
    return false;
}

static void note_refused(Roamer *r, const char *database, Usec now, const Err *err)
{
    Refused *refused = map_get(r->refused, slice_cstr(database));
    if (!refused) {
        refused = mem_alloc(sizeof(*refused));
        map_put(r->refused, slice_cstr(database), refused);
    }
    refused->pause = refused->pause ? 2 * refused->pause : REFUSED_BASE;
    if (refused->pause > REFUSED_INTERVAL || is_lasting(err))
        refused->pause = REFUSED_INTERVAL;
    refused->until = now + refused->pause;
    if (complain_due(&r->complain, now))
        log_warn("database could not be read", log_str("server", r->server->name), log_str("database", database),
                 log_error_field(err));
}

static void note_visited(Roamer *r, const char *database)
{
    free(map_take(r->refused, slice_cstr(database)));
    (void)complain_recovered(&r->complain, clock_monotonic()); /* the families say so themselves */
}

static PgConn *connect_to(Roamer *r, const char *database, Err *reterr)
{
    if (strcmp(database, r->main_database) == 0)
        return r->main;
    if (r->other && strcmp(r->other_database, database) == 0 && pg_conn_usable(r->other))
        return r->other;
    close_other(r);
    if (r->on_open(r->arg, database, &r->other, reterr) < 0)
        return NULL;
    r->other_database = mem_strdup(database);
    return r->other;
}

/* Negative only when the main connection is lost. */
static int visit(Roamer *r, const char *database, Usec now, RoamerVisitFn on_visit, void *arg, Err *reterr)
{
    Err err = ERR_INIT;
    PgConn *conn = connect_to(r, database, &err);
    int result = conn ? on_visit(arg, conn, database, &err) : 1;
    if (result == 0) {
        note_visited(r, database);
        return 0;
    }
    if (conn == r->main && !pg_conn_usable(conn)) {
        if (reterr)
            *reterr = err;
        return result;
    }
    note_refused(r, database, now, &err);
    if (conn != r->main)
        close_other(r);
    return 0;
}

int roamer_visit(Roamer *r, Usec now, const _Atomic bool *stop, RoamerVisitFn on_visit, void *arg, Err *reterr)
{
    _cleanup_pgresult_ PGresult *list = NULL;
    PgQuery query = {.sql = LIST_SQL, .shape = PG_SHAPE_ROWS, .prepared_name = "databases"};
    int result = pg_conn_query(r->main, &query, &list, reterr);
    if (result < 0)
        return pg_conn_usable(r->main) ? 0 : err_trace(result);

    size_t visited = 0, others = 0;
    for (int i = 0; i < PQntuples(list) && !(stop && *stop); i++) {
        const char *database = PQgetvalue(list, i, 0);
        if (!is_wanted(r, database) || is_refused(r, database, now))
            continue;
        if (visited++ >= DATABASES_MAX)
            continue;
        others += strcmp(database, r->main_database) != 0;
        result = visit(r, database, now, on_visit, arg, reterr);
        if (result < 0)
            return err_trace(result);
    }
    if (others > 1)
        close_other(r);
    if (visited > DATABASES_MAX && !r->told_of_limit) {
        r->told_of_limit = true;
        log_warn("more databases than are read", log_str("server", r->server->name),
                 log_int("databases", (int64_t)visited), log_int("limit", DATABASES_MAX));
    }
    return 0;
}
