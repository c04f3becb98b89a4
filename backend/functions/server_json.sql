-- A monitored server as the API gives it. Figures are those of the last five minutes, null when not known.
-- plpgsql, because the metric tables are made after the functions.

-- The last reading of a family since p_since: a time even when it had no rows.
create or replace function pganalytics.last_reading(p_server_id integer, p_family text, p_since timestamptz)
returns timestamptz language sql stable
set search_path = pg_catalog
as $$
    select max(r.time)
    from pganalytics.reading r
        join pganalytics.families f on f.family_id = r.family_id
    where r.server_id = p_server_id and f.family = p_family and r.time > p_since
$$;

create or replace function pganalytics.server_figures(
    p_server_id integer, out tps double precision, out cache_hit double precision, out active_sessions bigint,
    out connections bigint, out max_connections bigint, out size_bytes numeric)
language plpgsql stable
set search_path = pg_catalog
as $$
declare
    v_since   timestamptz := now() - interval '5 minutes';
    v_seconds double precision;
    v_time    timestamptz;
begin
    select sum(r.interval_ms) / 1000.0 into v_seconds
    from pganalytics.reading r
        join pganalytics.families f on f.family_id = r.family_id
    where r.server_id = p_server_id and f.family = 'pg_stat_database' and r.time > v_since and r.interval_ms > 0
        and not r.gap;
    if v_seconds > 0 then
        select (coalesce(sum(t.xact_commit), 0) + coalesce(sum(t.xact_rollback), 0)) / v_seconds,
            sum(t.blks_hit) / nullif(sum(t.blks_hit) + sum(t.blks_read), 0)
        into tps, cache_hit
        from metric.pg_stat_database t
        where t.server_id = p_server_id and t.time > v_since;
    end if;

    v_time := pganalytics.last_reading(p_server_id, 'pg_stat_activity', v_since);
    if v_time is not null then
        select coalesce(sum(t.count), 0) into active_sessions
        from metric.pg_stat_activity t
            join pganalytics.series s on s.series_id = t.series_id
        where t.server_id = p_server_id and t.time = v_time and s.labels->>'state' = 'active'
            and coalesce(s.labels->>'backend_type', 'client backend') = 'client backend';
    end if;

    select t.connections, t.max_connections into connections, max_connections
    from metric.pg_server t
    where t.server_id = p_server_id and t.time > v_since
    order by t.time desc
    limit 1;

    -- sizes come slowly: what the last keyframe and the readings after it say, while readings go on
    select max(r.time) filter (where r.keyframe) into v_time
    from pganalytics.reading r
        join pganalytics.families f on f.family_id = r.family_id
    where r.server_id = p_server_id and f.family = 'pg_database_size' and r.time > now() - interval '1 hour'
    having max(r.time) > now() - interval '20 minutes';
    if v_time is not null then
        select sum(l.size_bytes) into size_bytes
        from (
            select distinct on (t.series_id) t.size_bytes
            from metric.pg_database_size t
            where t.server_id = p_server_id and t.time >= v_time
            order by t.series_id, t.time desc
        ) l;
    end if;
end $$;

create or replace function pganalytics.server_json(p_server pganalytics.servers)
returns json language sql stable
set search_path = pg_catalog
as $$
    select json_build_object(
        'id', p_server.server_id,
        'name', p_server.name,
        'collector_id', p_server.collector_id,
        'collector_name', c.name,
        'hostname', c.hostname,
        'version_num', p_server.version_num,
        'version', case
            when p_server.version_num >= 100000
                then format('%s.%s', p_server.version_num / 10000, p_server.version_num % 10000)
        end,
        'in_recovery', p_server.in_recovery,
        'status', case
            when p_server.last_seen < now() - greatest(interval '5 minutes', 4 * i.usual) then 'inactive'
            when p_server.last_seen < now() - 3 * i.usual then 'late'
            when not p_server.reachable then 'unreachable'
            else 'up'
        end,
        'reachable', p_server.reachable,
        'error', p_server.error,
        'postmaster_start', p_server.postmaster_start,
        'interval_ms', p_server.interval_ms,
        'last_seen', p_server.last_seen,
        'tps', f.tps,
        'cache_hit', f.cache_hit,
        'active_sessions', f.active_sessions,
        'connections', f.connections,
        'max_connections', f.max_connections,
        'size_bytes', f.size_bytes)
    from pganalytics.collectors c
        cross join lateral (
            select interval '1 millisecond' * coalesce(nullif(p_server.interval_ms, 0), 60000) as usual
        ) i
        cross join lateral pganalytics.server_figures(p_server.server_id) f
    where c.collector_id = p_server.collector_id
$$;

-- For statements that cannot raise themselves: what a client asked wrongly (store.h, PGA01).
create or replace function pganalytics.refuse(p_message text)
returns boolean language plpgsql
set search_path = pg_catalog
as $$
begin
    raise exception using errcode = 'PGA01', message = p_message;
end $$;
