-- A collector as the API gives it. status: active, late (three missed intervals), inactive (five minutes, or four
-- intervals when those are longer), revoked.
create or replace function pganalytics.collector_json(collector pganalytics.collectors)
returns json
language sql
stable
set search_path = pg_catalog, pg_temp
as $$
    select json_build_object(
        'id', collector.collector_id,
        'name', collector.name,
        'hostname', collector.hostname,
        'address', collector.address,
        'region', collector.region,
        'version', collector.version,
        'status',
        case
            when collector.revoked_at is not null then 'revoked'
            when collector.last_seen is null
                or collector.last_seen < now() - greatest(interval '5 minutes', interval '4 milliseconds' * s.interval_ms)
                then 'inactive'
            when collector.last_seen < now() - interval '3 milliseconds' * s.interval_ms then 'late'
            else 'active'
        end,
        'last_seen', collector.last_seen,
        'created_at', collector.created_at,
        'certificate_expires_at', (
            select max(c.expires_at)
            from pganalytics.certificates c
            where c.collector_id = collector.collector_id
                and c.revoked_at is null),
        'config', json_build_object(
            'version', collector.config_version,
            'applied', collector.config_applied,
            'refused',
            case
                when collector.config_refused is not null
                    then json_build_object('version', collector.config_refused, 'reason', collector.config_reason)
            end,
            'reported_at', collector.config_reported_at),
        'servers', s.servers)
    from (
        select count(*) as servers, coalesce(max(interval_ms), 60000) as interval_ms
        from pganalytics.servers
        where servers.collector_id = collector.collector_id
    ) as s
$$;
