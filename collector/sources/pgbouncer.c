/* SPDX-License-Identifier: PostgreSQL */
/*
 * The producer of [[pgbouncer]]: SHOW commands on the console of each, over one connection that stays. PgBouncer does
 * not tell when it was started, so its counters are compared within one connection only: after a reconnect they begin
 * anew. A pooler that is away or hangs costs its deadline once, then waits for its back-off.
 */
#include <inttypes.h>
#include <stdio.h>

#include "collector/server/server_connect.h"
#include "collector/sources/pgbouncer_read.h"
#include "lib/base/memory.h"

#define CONNECT_TIMEOUT   (5 * USEC_PER_SEC)
#define STATEMENT_TIMEOUT (5 * USEC_PER_SEC)

#define STATS_USERS_HINT "add the user to stats_users in pgbouncer.ini, and reload it"

enum { FAMILY_STATE, FAMILY_POOLS, FAMILY_STATS, FAMILY_TOTALS, FAMILY_DATABASES, FAMILY_LISTS, _FAMILY_COUNT };

static const char *const FAMILIES[] = {
    [FAMILY_STATE] = "pgbouncer_state",
    [FAMILY_POOLS] = "pgbouncer_pools",
    [FAMILY_STATS] = "pgbouncer_stats",
    [FAMILY_TOTALS] = "pgbouncer_totals",
    [FAMILY_DATABASES] = "pgbouncer_databases",
    [FAMILY_LISTS] = "pgbouncer_lists",
    [_FAMILY_COUNT] = NULL,
};

static const char *const COMMANDS[_FAMILY_COUNT] = {
    [FAMILY_STATE] = "show config",  [FAMILY_POOLS] = "show pools",         [FAMILY_STATS] = "show stats",
    [FAMILY_TOTALS] = "show totals", [FAMILY_DATABASES] = "show databases", [FAMILY_LISTS] = "show lists",
};

/* Those whose result is (name, value): one row. */
static const bool ARE_PAIRS[_FAMILY_COUNT] = {[FAMILY_STATE] = true, [FAMILY_TOTALS] = true};

typedef struct Pooler {
    const PgbouncerSettings *settings;
    SourceStatus status;
    PgConn *conn;
    char epoch[64]; /* of the connection */
    PGresult *results[_FAMILY_COUNT];
} Pooler;

typedef struct PgbouncerProducer {
    ProducerOptions options;
    SourceFamilies *families;
    Pooler poolers[SOURCES_MAX];
    size_t count;
} PgbouncerProducer;

static bool is_wanted(const ProducerOptions *options)
{
    return source_kind_is_wanted(options, SOURCE_PGBOUNCER);
}

static void *new_producer(const ProducerOptions *options)
{
    PgbouncerProducer *p = mem_alloc(sizeof(*p));
    p->options = *options;
    p->families = source_families_new(options, FAMILIES);
    const SourceHead *head;
    for (size_t i = 0; (head = settings_source_at(options->settings, SOURCE_PGBOUNCER, i)); i++) {
        if (!source_is_of(options, head))
            continue;
        Pooler *pooler = &p->poolers[p->count++];
        pooler->settings = (const PgbouncerSettings *)(const void *)head;
        source_status_init(&pooler->status, SOURCE_PGBOUNCER, head);
    }
    return p;
}

static void forget_results(Pooler *pooler)
{
    for (size_t i = 0; i < _FAMILY_COUNT; i++) {
        PQclear(pooler->results[i]);
        pooler->results[i] = NULL;
    }
}

static void *free_producer(void *self)
{
    PgbouncerProducer *p = self;
    for (size_t i = 0; i < p->count; i++) {
        forget_results(&p->poolers[i]);
        pg_conn_close(p->poolers[i].conn);
    }
    source_families_free(p->families);
    free(p);
    return NULL;
}

static int connect_pooler(Pooler *pooler, Err *reterr)
{
    const PgbouncerSettings *s = pooler->settings;
    ServerSettings server = {.name = s->head.name,
                             .host = s->host,
                             .port = s->port,
                             .user = s->user,
                             .password = s->password,
                             .password_file = s->password_file,
                             .dsn = s->dsn,
                             .sslmode = s->sslmode,
                             .sslrootcert = s->sslrootcert};
    int r = server_connect_console(&server, "pgbouncer", CONNECT_TIMEOUT, &pooler->conn, reterr);
    if (r < 0 && strstr(reterr->detail, "not allowed"))
        err_hint(reterr, STATS_USERS_HINT);
    if (r < 0)
        return err_trace(r);
    (void)snprintf(pooler->epoch, sizeof(pooler->epoch), "%" PRId64 " %d", clock_wall(),
                   pg_conn_backend_pid(pooler->conn));
    return 0;
}

static int show(Pooler *pooler, size_t family, Err *reterr)
{
    PgQuery query = {.sql = COMMANDS[family], .shape = PG_SHAPE_ROWS, .simple = true, .timeout = STATEMENT_TIMEOUT};
    int r = pg_conn_query(pooler->conn, &query, &pooler->results[family], reterr);
    if (r < 0 && reterr->code == ERR_SQL) {
        err_prefix(reterr, "%s", COMMANDS[family]);
        err_hint(reterr, STATS_USERS_HINT);
    }
    return err_trace(r);
}

static int read_pooler(PgbouncerProducer *p, Pooler *pooler, Err *reterr)
{
    int r = 0;
    if (pooler->conn && !pg_conn_usable(pooler->conn))
        pooler->conn = pg_conn_close(pooler->conn);
    if (!pooler->conn)
        r = connect_pooler(pooler, reterr);
    for (size_t i = 0; i < _FAMILY_COUNT && r >= 0; i++) {
        if (source_families_rows(p->families, i))
            r = show(pooler, i, reterr);
    }
    return err_trace(r);
}

static void try_pooler(PgbouncerProducer *p, Pooler *pooler, Usec now)
{
    Err err = ERR_INIT;
    int r = read_pooler(p, pooler, &err);
    pooler->status.took = clock_monotonic() - now;
    source_status_note(&pooler->status, r < 0 ? &err : NULL, clock_monotonic());
    if (r < 0)
        pooler->conn = pg_conn_close(pooler->conn);
}

static void fill_state(PgbouncerProducer *p, const Pooler *pooler)
{
    Rows *rows = source_families_add(p->families, FAMILY_STATE, pooler->settings->head.name, "");
    if (!rows)
        return;
    source_status_fill(&pooler->status, rows);
    if (pooler->status.error.code != ERR_NONE)
        return;
    int version = pg_conn_version(pooler->conn); /* 11800: 1.18.0 */
    char text[32];
    (void)snprintf(text, sizeof(text), "%d.%d.%d", version / 10000, version / 100 % 100, version % 100);
    rows_set_text(rows, "version", slice_cstr(text));
    rows_set_float(rows, "answer_ms", (double)pooler->status.took / (double)USEC_PER_MSEC);
    if (pooler->results[FAMILY_STATE])
        pgbouncer_read_pairs(rows, pooler->results[FAMILY_STATE]);
}

static void fill_family(PgbouncerProducer *p, const Pooler *pooler, size_t family)
{
    const PGresult *result = pooler->results[family];
    if (!result)
        return;
    const char *name = pooler->settings->head.name;
    if (ARE_PAIRS[family]) {
        Rows *rows = source_families_add(p->families, family, name, pooler->epoch);
        if (rows)
            pgbouncer_read_pairs(rows, result);
        return;
    }
    PgbouncerRows to = {.families = p->families, .index = family, .source = name, .epoch = pooler->epoch};
    pgbouncer_read_table(&to, result);
}

/* All or nothing of a pooler: half of its families would look as if the others had gone. */
static void fill(PgbouncerProducer *p, Pooler *pooler)
{
    fill_state(p, pooler);
    for (size_t i = FAMILY_STATE + 1; i < _FAMILY_COUNT && pooler->status.error.code == ERR_NONE; i++)
        fill_family(p, pooler, i);
    forget_results(pooler);
}

static Usec turn(void *self, Usec now)
{
    PgbouncerProducer *p = self;
    source_families_begin(p->families, now, false);
    bool complete = true;
    for (size_t i = 0; i < p->count && !*p->options.stop; i++) {
        Pooler *pooler = &p->poolers[i];
        if (source_status_is_due(&pooler->status, now))
            try_pooler(p, pooler, clock_monotonic());
        fill(p, pooler);
        complete &= pooler->status.error.code == ERR_NONE;
    }
    if (!*p->options.stop)
        source_families_end(p->families, clock_monotonic(), complete);
    return source_families_next(p->families);
}

const ProducerKind pgbouncer_producer = {"pgbouncer", is_wanted, new_producer, turn, free_producer};
