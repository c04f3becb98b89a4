/* SPDX-License-Identifier: PostgreSQL */
/*
 * See sampler_sql.h. pg_blocking_pids() and pg_locks stop the lock manager for a moment: they are asked only while
 * somebody waits for a lock, the first for no more than SAMPLER_WAITING_MAX sessions.
 */
#include "collector/sampling/sampler_sql.h"

#include <string.h>

static const char LOOK_SQL[] =
    "select count(*) filter (where c.relname = 'pg_stat_activity' and a.attname = 'query_id'),"
    " count(*) filter (where c.relname = 'pg_stat_activity' and a.attname = 'leader_pid'),"
    " count(*) filter (where c.relname = 'pg_locks' and a.attname = 'waitstart')"
    " from pg_catalog.pg_attribute a join pg_catalog.pg_class c on c.oid = a.attrelid"
    " where c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace and c.relname in ('pg_stat_activity', 'pg_locks')"
    " and not a.attisdropped";

/* The collector's own: this connection, the others by their name and role. */
#define NOT_OURS                                                                                                       \
    "a.pid <> pg_backend_pid() and (a.usename = current_user and a.application_name in ('pganalytics', "               \
    "'" SAMPLER_APPLICATION "')) is not true"

/* Processes whose main loop has nothing to do, and walsenders that wait for their standby, are not at work. */
#define AT_WORK                                                                                                        \
    "(a.wait_event_type = 'Activity') is not true"                                                                     \
    " and (a.backend_type = 'walsender' and a.wait_event_type = 'Client') is not true"

void sampler_sql_make(SamplerSql *s)
{
    const char *queryid = s->has_query_id ? "nullif(a.query_id, 0)::text" : "null::text";
    sampler_sql_done(s);
    buf_printf(&s->sessions,
               "select a.pid, %s, a.state, a.wait_event_type, a.wait_event, %s, a.datname, a.usename,"
               " a.application_name, host(a.client_addr), a.backend_type from pg_stat_activity a"
               " where a.state in ('active', 'idle in transaction', 'idle in transaction (aborted)',"
               " 'fastpath function call') and " AT_WORK " and " NOT_OURS " limit %d",
               s->has_leader_pid ? "a.leader_pid" : "null::int4", queryid, SAMPLER_SESSIONS_MAX);
    buf_append_cstr(&s->blockers, "select p.pid, pg_blocking_pids(p.pid) from unnest($1::int4[]) as p(pid)");
    buf_printf(&s->transactions,
               "select a.pid, a.datname, a.usename, a.application_name, a.backend_type, a.state, host(a.client_addr),"
               " case when a.wait_event_type is null and a.state = 'active' then 'CPU' else a.wait_event_type end,"
               " a.wait_event, %s, date_part('epoch', clock_timestamp() - a.xact_start)::float8,"
               " date_part('epoch', clock_timestamp() - a.state_change)::float8, age(a.backend_xmin)::int8,"
               " left(a.query, %d) from pg_stat_activity a"
               " where a.xact_start is not null and a.backend_type <> 'parallel worker' and " NOT_OURS
               " and (a.xact_start < clock_timestamp() - $1::float8 * interval '1 second'"
               " or a.state in ('idle in transaction', 'idle in transaction (aborted)')"
               " and a.state_change < clock_timestamp() - $2::float8 * interval '1 second')"
               " order by a.xact_start, a.pid limit %d",
               queryid, SAMPLER_QUERY_CHARACTERS, SAMPLER_TRANSACTIONS_MAX);
    buf_printf(&s->blocked,
               "with waiting as materialized ("
               "select a.pid, pg_blocking_pids(a.pid) as blockers from pg_stat_activity a"
               " where a.wait_event_type = 'Lock' order by a.query_start, a.pid limit %d"
               "), involved as (select pid from waiting union select unnest(blockers) from waiting)"
               " select i.pid, w.blockers, a.datname, a.usename, a.application_name, a.state, %s, left(a.query, %d),"
               " date_part('epoch', clock_timestamp() - a.xact_start)::float8,"
               " date_part('epoch', clock_timestamp() - a.state_change)::float8, l.locktype, l.mode,"
               " coalesce(n.nspname || '.' || c.relname, l.relation::text),"
               " %s from involved i left join waiting w on w.pid = i.pid"
               " left join pg_stat_activity a on a.pid = i.pid"
               " left join pg_locks l on l.pid = w.pid and not l.granted"
               " left join pg_class c on c.oid = l.relation and l.database in (0, ("
               "select d.oid from pg_database d where d.datname = current_database()))"
               " left join pg_namespace n on n.oid = c.relnamespace",
               SAMPLER_WAITING_MAX, queryid, SAMPLER_QUERY_CHARACTERS,
               s->has_waitstart ? "date_part('epoch', clock_timestamp() - l.waitstart)::float8" : "null::float8");
}

int sampler_sql_look(SamplerSql *s, PgConn *conn, Usec timeout, Err *reterr)
{
    _cleanup_pgresult_ PGresult *row = NULL;
    int r = pg_conn_query(conn, &(PgQuery){.sql = LOOK_SQL, .shape = PG_SHAPE_ONE, .timeout = timeout}, &row, reterr);
    if (r < 0)
        return err_trace(r);
    s->has_query_id = strcmp(PQgetvalue(row, 0, 0), "0") != 0;
    s->has_leader_pid = strcmp(PQgetvalue(row, 0, 1), "0") != 0;
    s->has_waitstart = strcmp(PQgetvalue(row, 0, 2), "0") != 0;
    sampler_sql_make(s);
    return 0;
}

void sampler_sql_done(SamplerSql *s)
{
    buf_done(&s->sessions);
    buf_done(&s->blockers);
    buf_done(&s->transactions);
    buf_done(&s->blocked);
}

bool sampler_sql_next_pid(Slice *rest, int *ret)
{
    while (rest->len > 0) {
        Slice inner = slice_skip(*rest, rest->ptr[0] == '{');
        Slice item = slice_split(&inner, ',');
        *rest = inner;
        if (item.len > 0 && item.ptr[item.len - 1] == '}')
            item.len--;
        int64_t pid;
        if (slice_to_int64(item, &pid) && pid >= 0 && pid <= INT32_MAX) {
            *ret = (int)pid;
            return true;
        }
    }
    return false;
}
