/* SPDX-License-Identifier: PostgreSQL */
/*
 * Reads what a server has, in a handful of catalog queries that take no lock anyone could be waiting for. Everything is
 * asked for with its privilege, so that nothing later meets a "permission denied" in the server's log: what this role
 * may not read does not exist. The connection's thread.
 */
#include "lib/pg/facts.h"

#include <string.h>

/* pg_control_*() are asked for in a second statement: privileges on functions in FROM are checked before any CASE. */
static const char server_sql[] =
    "select current_setting('server_version_num'), pg_is_in_recovery(),"
    " (select rolsuper from pg_roles where rolname = current_user), pg_has_role(current_user, 'pg_monitor', 'usage'),"
    " (extract(epoch from pg_postmaster_start_time()) * 1000000)::int8, current_database(),"
    " has_function_privilege('pg_control_system()', 'execute')"
    " and has_function_privilege('pg_control_checkpoint()', 'execute')";

/* On a primary the name of the current WAL file begins with the timeline; the control file lags behind a promotion. */
static const char identity_sql[] = "select s.system_identifier, case when pg_is_in_recovery() then c.timeline_id else"
                                   " ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int4 end"
                                   " from pg_control_system() s, pg_control_checkpoint() c";

static const char column_sql[] =
    "select c.relname, a.attname from pg_attribute a join pg_class c on c.oid = a.attrelid"
    " where a.attnum > 0 and not a.attisdropped and c.relkind in ('r', 'v', 'm', 'f')"
    " and (c.relnamespace = 'pg_catalog'::regnamespace or exists (select from pg_depend d where d.objid = c.oid"
    " and d.classid = 'pg_class'::regclass and d.refclassid = 'pg_extension'::regclass and d.deptype = 'e'))"
    " and (has_table_privilege(c.oid, 'select') or has_column_privilege(c.oid, a.attnum, 'select'))";

/* What looks for superusers itself, so that no grant helps: it is not there for others. */
#define NOT_FOR_SUPERUSERS_ALONE                                                                                       \
    " and (p.proname <> 'pg_show_replication_origin_status' or current_setting('server_version_num')::int >= 140000"   \
    " or (select rolsuper from pg_roles where rolname = current_user))"

static const char function_sql[] =
    "select p.proname, p.pronargs from pg_proc p"
    " where p.prokind = 'f' and (p.pronamespace = 'pg_catalog'::regnamespace and p.proname like 'pg\\_%'"
    " or exists (select from pg_depend d where d.objid = p.oid"
    " and d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_extension'::regclass and d.deptype = 'e'))"
    " and has_function_privilege(p.oid, 'execute')" NOT_FOR_SUPERUSERS_ALONE;

static const char denied_sql[] =
    "select c.relname, format('grant select on %s to %I', c.oid::regclass, current_user) from pg_class c"
    " where c.relkind in ('r', 'v', 'm', 'f')"
    " and (c.relnamespace = 'pg_catalog'::regnamespace or exists (select from pg_depend d where d.objid = c.oid"
    " and d.classid = 'pg_class'::regclass and d.refclassid = 'pg_extension'::regclass and d.deptype = 'e'))"
    " and not has_table_privilege(c.oid, 'select') and not has_any_column_privilege(c.oid, 'select')"
    " union all"
    " select p.proname || '()', format('grant execute on function %s to %I', p.oid::regprocedure, current_user)"
    " from pg_proc p"
    " where p.prokind = 'f' and (p.pronamespace = 'pg_catalog'::regnamespace and p.proname like 'pg\\_%'"
    " or exists (select from pg_depend d where d.objid = p.oid"
    " and d.classid = 'pg_proc'::regclass and d.refclassid = 'pg_extension'::regclass and d.deptype = 'e'))"
    " and not has_function_privilege(p.oid, 'execute')" NOT_FOR_SUPERUSERS_ALONE;

static const char extension_sql[] = "select e.extname, e.extversion, n.nspname, a.default_version"
                                    " from pg_extension e join pg_namespace n on n.oid = e.extnamespace"
                                    " left join pg_available_extensions() a on a.name = e.extname";

/* Settings that decide what can be known, or how to read it. */
static const char setting_sql[] =
    "select name, setting from pg_settings where name = any ("
    "'{block_size,cluster_name,compute_query_id,data_directory,log_destination,log_directory,log_filename,"
    "log_line_prefix,log_timezone,logging_collector,max_connections,pg_qualstats.enabled,pg_stat_kcache.linux_hz,"
    "pg_stat_statements.max,pg_stat_statements.track,pg_stat_statements.track_planning,pg_wait_sampling.profile_period,"
    "port,reserved_connections,server_encoding,server_version,"
    "shared_preload_libraries,superuser_reserved_connections,TimeZone,track_activities,track_activity_query_size,"
    "track_commit_timestamp,track_cost_delay_timing,track_counts,track_functions,track_io_timing,track_wal_io_timing,"
    "wal_level,wal_segment_size}'::text[])";

typedef struct FactsReader {
    PgConn *conn;
    Arena *arena;
    PgFacts *facts;
} FactsReader;

static const char present[] = "1"; /* the value of maps that are sets */

static void add_to_set(Map *set, Slice key)
{
    map_put(set, key, (void *)(uintptr_t)present);
}

static Slice field(const PGresult *r, int row, int column)
{
    if (PQgetisnull(r, row, column))
        return SLICE_NULL;
    return slice_from(PQgetvalue(r, row, column), (size_t)PQgetlength(r, row, column));
}

static const char *field_dup(const FactsReader *reader, const PGresult *r, int row, int column)
{
    return arena_dup(reader->arena, field(r, row, column)).ptr;
}

static int64_t field_int(const PGresult *r, int row, int column)
{
    int64_t v = 0;
    return slice_to_int64(field(r, row, column), &v) ? v : 0;
}

static bool field_bool(const PGresult *r, int row, int column)
{
    return slice_eq_cstr(field(r, row, column), "t");
}

static int run(const FactsReader *reader, const char *sql, PgShape shape, PGresult **ret, Err *reterr)
{
    PgQuery query = {.sql = sql, .shape = shape};
    int r = pg_conn_query(reader->conn, &query, ret, reterr);
    if (r < 0)
        err_prefix(reterr, "reading what the server has");
    return err_trace(r);
}

static int read_server(const FactsReader *reader, Err *reterr)
{
    PgFacts *f = reader->facts;
    _cleanup_pgresult_ PGresult *row = NULL;
    int r = run(reader, server_sql, PG_SHAPE_ONE, &row, reterr);
    if (r < 0)
        return r;
    f->version_num = (int)field_int(row, 0, 0);
    f->in_recovery = field_bool(row, 0, 1);
    f->is_superuser = field_bool(row, 0, 2);
    f->has_pg_monitor = field_bool(row, 0, 3) || f->is_superuser;
    f->postmaster_start = field_int(row, 0, 4);
    f->database = field_dup(reader, row, 0, 5);
    if (!field_bool(row, 0, 6))
        return 0; /* some managed services deny it: identifier and timeline stay 0 */

    _cleanup_pgresult_ PGresult *identity = NULL;
    r = run(reader, identity_sql, PG_SHAPE_ONE, &identity, reterr);
    if (r < 0)
        return r;
    uint64_t id = 0;
    (void)slice_to_uint64(field(identity, 0, 0), &id); /* 0 when it is no number: not known */
    f->system_identifier = id;
    f->timeline = (uint32_t)field_int(identity, 0, 1);
    return 0;
}

/* Rows of a thing and a part of it: both "thing" and "thing<separator>part" go into @set. */
static int read_parts(const FactsReader *reader, const char *sql, Map *set, char separator, Err *reterr)
{
    _cleanup_pgresult_ PGresult *rows = NULL;
    int r = run(reader, sql, PG_SHAPE_ROWS, &rows, reterr);
    if (r < 0)
        return r;
    _cleanup_buf_ Buf key = BUF_INIT;
    for (int i = 0; i < PQntuples(rows); i++) {
        buf_clear(&key);
        buf_append(&key, field(rows, i, 0));
        add_to_set(set, buf_slice(&key));
        buf_append_char(&key, separator);
        buf_append(&key, field(rows, i, 1));
        add_to_set(set, buf_slice(&key));
    }
    return 0;
}

static int read_columns(const FactsReader *reader, Err *reterr)
{
    return read_parts(reader, column_sql, reader->facts->columns, '.', reterr);
}

static int read_functions(const FactsReader *reader, Err *reterr)
{
    return read_parts(reader, function_sql, reader->facts->functions, '/', reterr);
}

static int read_extensions(const FactsReader *reader, Err *reterr)
{
    _cleanup_pgresult_ PGresult *rows = NULL;
    int r = run(reader, extension_sql, PG_SHAPE_ROWS, &rows, reterr);
    if (r < 0)
        return r;
    for (int i = 0; i < PQntuples(rows); i++) {
        PgExtension *e = arena_new_object(reader->arena, PgExtension);
        *e = (PgExtension){
            .version = field_dup(reader, rows, i, 1),
            .schema = field_dup(reader, rows, i, 2),
            .default_version = field_dup(reader, rows, i, 3),
        };
        map_put(reader->facts->extensions, field(rows, i, 0), e);
    }
    return 0;
}

/* Rows of a name and a text go into @map. */
static int read_texts(const FactsReader *reader, const char *sql, Map *map, Err *reterr)
{
    _cleanup_pgresult_ PGresult *rows = NULL;
    int r = run(reader, sql, PG_SHAPE_ROWS, &rows, reterr);
    if (r < 0)
        return r;
    for (int i = 0; i < PQntuples(rows); i++)
        map_put(map, field(rows, i, 0), (void *)(uintptr_t)field_dup(reader, rows, i, 1));
    return 0;
}

static int read_denied(const FactsReader *reader, Err *reterr)
{
    return read_texts(reader, denied_sql, reader->facts->denied, reterr);
}

static int read_settings(const FactsReader *reader, Err *reterr)
{
    return read_texts(reader, setting_sql, reader->facts->settings, reterr);
}

int pg_facts_read(PgConn *c, Arena *arena, PgFacts *ret, Err *reterr)
{
    *ret = (PgFacts){
        .columns = map_new(NULL),
        .functions = map_new(NULL),
        .denied = map_new(NULL),
        .extensions = map_new(NULL),
        .settings = map_new(NULL),
    };
    FactsReader reader = {.conn = c, .arena = arena, .facts = ret};
    static int (*const steps[])(const FactsReader *, Err *) = {read_server, read_columns,    read_functions,
                                                               read_denied, read_extensions, read_settings};
    for (size_t i = 0; i < ARRAY_LENGTH(steps); i++) {
        int r = steps[i](&reader, reterr);
        if (r < 0) {
            pg_facts_done(ret);
            return err_trace(r);
        }
    }
    return 0;
}

void pg_facts_done(PgFacts *f)
{
    f->columns = map_free(f->columns);
    f->functions = map_free(f->functions);
    f->denied = map_free(f->denied);
    f->extensions = map_free(f->extensions);
    f->settings = map_free(f->settings);
}

bool pg_facts_has_relation(const PgFacts *f, Slice relation)
{
    return map_has(f->columns, relation);
}

bool pg_facts_has_column(const PgFacts *f, Slice relation, Slice column)
{
    _cleanup_buf_ Buf key = BUF_INIT;
    buf_append(&key, relation);
    buf_append_char(&key, '.');
    buf_append(&key, column);
    return map_has(f->columns, buf_slice(&key));
}

bool pg_facts_has_function(const PgFacts *f, Slice name)
{
    return map_has(f->functions, name);
}

const char *pg_facts_grant(const PgFacts *f, Slice name)
{
    return map_get(f->denied, name);
}

const PgExtension *pg_facts_extension(const PgFacts *f, Slice name)
{
    return map_get(f->extensions, name);
}

bool pg_facts_setting_on(const PgFacts *f, const char *name)
{
    const char *value = map_get(f->settings, slice_cstr(name));
    return value && strcmp(value, "on") == 0;
}
