/* SPDX-License-Identifier: PostgreSQL */
/* What is known of partitions is kept in Store.partitions under the store's lock; the rest is the caller's connection.
 */
#include "backend/store/tables.h"

static const Usec DDL_TIMEOUT = 60 * USEC_PER_SEC;

static const char CUSTOM_FAMILY[] =
    "{\"name\":\"custom\",\"help\":\"Values sent in the simple form by people and scripts; labels are free.\","
    "\"scope\":\"custom\",\"mode\":\"rows\",\"interval\":0,\"columns\":[{\"name\":\"name\",\"position\":0,"
    "\"kind\":\"label\",\"type\":\"text\",\"unit\":\"\",\"help\":\"Name of the metric.\"},{\"name\":\"value\","
    "\"position\":1,\"kind\":\"gauge\",\"type\":\"float8\",\"unit\":\"\",\"help\":\"The value.\"}]}";

static const char *scope_name(FamilyScope scope)
{
    switch (scope) {
    case FAMILY_SCOPE_INSTANCE:
        return "instance";
    case FAMILY_SCOPE_DATABASE:
        return "database";
    case FAMILY_SCOPE_HOST:
        return "host";
    case _FAMILY_SCOPE_MAX:
        break;
    }
    return "";
}

static void write_member(Buf *out, const char *name, const char *value)
{
    buf_printf(out, "\"%s\":", name);
    buf_append_json_string(out, slice_cstr(value ? value : ""));
}

void tables_write_family(Buf *out, const Family *f)
{
    buf_append_char(out, '{');
    write_member(out, "name", f->name);
    buf_append_char(out, ',');
    write_member(out, "help", f->help);
    buf_append_char(out, ',');
    write_member(out, "scope", scope_name(f->scope));
    buf_append_char(out, ',');
    write_member(out, "mode", f->mode == FAMILY_MODE_TEXTS ? "texts" : "rows");
    buf_printf(out, ",\"interval\":%d,\"columns\":[", f->interval_seconds);
    for (size_t i = 0; i < f->column_count; i++) {
        const FamilyColumn *column = &f->columns[i];
        buf_printf(out, "%s{\"position\":%zu,", i ? "," : "", i);
        write_member(out, "name", column->name);
        buf_append_char(out, ',');
        write_member(out, "kind", column_kind_to_string(column->kind));
        buf_append_char(out, ',');
        write_member(out, "type", column_type_to_string(column->type));
        buf_append_char(out, ',');
        write_member(out, "unit", column->unit);
        buf_append_char(out, ',');
        write_member(out, "help", column->help);
        buf_append_char(out, '}');
    }
    buf_append_cstr(out, "]}");
}

static int call(PgConn *c, const char *sql, StoreParams params, Err *reterr)
{
    _cleanup_pgresult_ PGresult *result = NULL;
    return err_trace(store_run(c, sql, params, PG_SHAPE_ONE, DDL_TIMEOUT, &result, reterr));
}

static int apply_family(PgConn *c, const StorageEngine *engine, const char *name, const char *document, bool has_table,
                        Err *reterr)
{
    int r = call(c, "select pganalytics.register_family($1::jsonb)", STORE_PARAMS(document), reterr);
    if (r >= 0 && has_table)
        r = engine->make_table(c, &(EngineTable){.schema = "metric", .name = name}, reterr);
    if (r >= 0 && has_table)
        r = call(c, "select pganalytics.widen_family($1)", STORE_PARAMS(name), reterr);
    if (r < 0)
        err_prefix(reterr, "family %s", name);
    return err_trace(r);
}

int tables_apply_catalog(Store *s, PgConn *c, const StorageEngine *engine, Err *reterr)
{
    int r = apply_family(c, engine, TABLES_CUSTOM, CUSTOM_FAMILY, true, reterr);
    for (size_t i = 0; r >= 0 && i < catalog_count(s->catalog); i++) {
        const Family *f = catalog_at(s->catalog, i);
        _cleanup_buf_ Buf document = BUF_INIT;
        tables_write_family(&document, f);
        r = apply_family(c, engine, f->name, buf_cstr(&document), f->mode != FAMILY_MODE_TEXTS, reterr);
    }
    if (r >= 0)
        r = call(c, "select pganalytics.grant_readers()", STORE_NO_PARAMS, reterr);
    return err_trace(r);
}

int tables_make_own(PgConn *c, const StorageEngine *engine, const Family *f, Arena *arena, const char **ret_reason,
                    Err *reterr)
{
    _cleanup_buf_ Buf document = BUF_INIT;
    _cleanup_pgresult_ PGresult *result = NULL;
    tables_write_family(&document, f);
    int r = pg_conn_command(c, "set local lock_timeout = '2s'", DDL_TIMEOUT, reterr);
    if (r >= 0)
        r = store_run(c, "select pganalytics.register_own_family($1::jsonb)", STORE_PARAMS(buf_cstr(&document)),
                      PG_SHAPE_ONE, DDL_TIMEOUT, &result, reterr);
    if (r < 0)
        return err_trace(r);
    if (!PQgetisnull(result, 0, 0)) {
        *ret_reason = arena_strdup(arena, PQgetvalue(result, 0, 0));
        return 0;
    }
    r = engine->make_table(c, &(EngineTable){.schema = "metric", .name = f->name}, reterr);
    if (r >= 0)
        r = call(c, "select pganalytics.widen_family($1)", STORE_PARAMS(f->name), reterr);
    if (r >= 0)
        r = call(c, "select pganalytics.grant_family($1)", STORE_PARAMS(f->name), reterr);
    return err_trace(r);
}

/* Calls @visit for each partitioned table of ours: also those of families that left the catalog. */
typedef int (*TableFn)(void *arg, const EngineTable *t, Err *reterr);
static int each_table(PgConn *c, TableFn visit, void *arg, Err *reterr)
{
    _cleanup_pgresult_ PGresult *families = NULL;
    int r = store_run(c, "select family from pganalytics.families where mode = 'rows' order by family", STORE_NO_PARAMS,
                      PG_SHAPE_ROWS, DDL_TIMEOUT, &families, reterr);
    if (r >= 0)
        r = visit(arg, &(EngineTable){.schema = "pganalytics", .name = "reading"}, reterr);
    for (int i = 0; r >= 0 && i < PQntuples(families); i++)
        r = visit(arg, &(EngineTable){.schema = "metric", .name = PQgetvalue(families, i, 0)}, reterr);
    return err_trace(r);
}

static void day_key(Buf *out, const EngineTable *t, int64_t day)
{
    buf_printf(out, "%s.%s %lld", t->schema, t->name, (long long)day);
}

static void remember_days(Store *s, const EngineTable *t, int64_t first, int64_t last)
{
    pthread_mutex_lock(&s->lock);
    for (int64_t day = first; day <= last; day++) {
        _cleanup_buf_ Buf key = BUF_INIT;
        day_key(&key, t, day);
        map_put(s->partitions, buf_slice(&key), (void *)1);
    }
    pthread_mutex_unlock(&s->lock);
}

typedef struct Days {
    Store *store;
    PgConn *conn;
    const StorageEngine *engine;
    int64_t first;
    int64_t last;
    int dropped;
} Days;

static int make_days(void *arg, const EngineTable *t, Err *reterr)
{
    Days *d = arg;
    int r = d->engine->make_days(d->conn, t, d->first, d->last, reterr);
    if (r < 0)
        return err_trace(r);
    remember_days(d->store, t, d->first, d->last);
    return 0;
}

int tables_make_days(Store *s, PgConn *c, const StorageEngine *engine, int64_t first, int64_t last, Err *reterr)
{
    Days d = {.store = s, .conn = c, .engine = engine, .first = first, .last = last};
    return err_trace(each_table(c, make_days, &d, reterr));
}

int tables_ensure_day(Store *s, PgConn *c, const StorageEngine *engine, const EngineTable *t, int64_t day, Err *reterr)
{
    _cleanup_buf_ Buf key = BUF_INIT;
    day_key(&key, t, day);
    pthread_mutex_lock(&s->lock);
    bool is_there = map_has(s->partitions, buf_slice(&key));
    pthread_mutex_unlock(&s->lock);
    if (is_there)
        return 0;
    Days d = {.store = s, .conn = c, .engine = engine, .first = day, .last = day};
    return err_trace(make_days(&d, t, reterr));
}

static int drop_days(void *arg, const EngineTable *t, Err *reterr)
{
    Days *d = arg;
    int dropped = 0;
    int r = d->engine->drop_before(d->conn, t, d->first, &dropped, reterr);
    d->dropped += dropped;
    return err_trace(r);
}

int tables_drop_before(Store *s, PgConn *c, const StorageEngine *engine, int64_t day, int *ret_dropped, Err *reterr)
{
    Days d = {.store = s, .conn = c, .engine = engine, .first = day};
    int r = each_table(c, drop_days, &d, reterr);
    *ret_dropped = d.dropped;
    if (d.dropped > 0)
        tables_forget_days(s);
    return err_trace(r);
}

void tables_forget_days(Store *s)
{
    pthread_mutex_lock(&s->lock);
    map_clear(s->partitions);
    pthread_mutex_unlock(&s->lock);
}
