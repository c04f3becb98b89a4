-- The relation `metrics`: every value of every family as (time, collector, server, name, labels, value), for people.
-- It walks the log of readings backwards in time, which has an index that gives this order, and unpivots one reading
-- at a time, so that "order by timestamp desc limit 10" touches the newest readings only, however much is stored.
-- Why not a view over all families: docs/decisions/0001-metrics-relation.md.

create or replace function pganalytics.reading_values(p_family_id smallint, p_server_id integer, p_time timestamptz)
returns table (metric_name text, labels jsonb, value double precision)
language plpgsql stable rows 50
security definer -- who may read the view may not read the tables below it
set search_path = pg_catalog
as $$
declare
    v_family text;
    v_values text;
begin
    select f.family, string_agg(format('(%L, t.%I::float8)', case when f.scope = 'custom' then '' else f.family || '.' || c.name end,
                                       c.name), ', ' order by c.position)
    into v_family, v_values
    from pganalytics.families f
        join pganalytics.family_columns c on c.family = f.family
    where f.family_id = p_family_id and c.kind in ('counter', 'gauge')
    group by f.family, f.scope;
    if v_values is null then
        return;
    end if;
    -- a metric of the simple form has its name among its labels
    return query execute format(
        'select case when x.name = '''' then s.labels->>''name'' else x.name end, '
        'case when x.name = '''' then s.labels - ''name'' else s.labels end, x.value '
        'from metric.%I t join pganalytics.series s on s.series_id = t.series_id '
        'cross join lateral (values %s) x (name, value) '
        'where t.server_id = $1 and t.time = $2 and x.value is not null', v_family, v_values)
    using p_server_id, p_time;
end $$;

create or replace view public.metrics as
select r.time, r.time as "timestamp", r.collector_id, r.server_id, v.metric_name, v.labels, v.value
from pganalytics.reading r
    cross join lateral pganalytics.reading_values(r.family_id, r.server_id, r.time) v
where r.row_count > 0;
comment on view public.metrics is
    'Every stored value: counters as the increase since the reading before, gauges as read. An absent row means unchanged.';
