-- Time series as the API gives them. Steps are aligned to multiples of the step since 1970. Rules and reasons are in
-- docs/decisions/0004-readings.md; in short:
--
--   counters  A row is the increase over (time - interval, time]. It is spread over the steps that it overlaps. A rate is
--             the increase in a step divided by the part of the step that readings cover: an absent row means no increase
--             as long as the family was read; a step that no reading covers is null.
--   gauges    A value holds from its row until the next row of its series, until a keyframe without it (the object is
--             gone), or until readings stop. Averages are weighted by time. Sums over a group are taken at each instant.
--
-- Names of families and columns are used as identifiers only after they were found in pganalytics.family_columns.

-- Part of @labels that @wanted names: what remains of a series when it is summed over the other labels.
create or replace function pganalytics.labels_only(p_labels jsonb, p_wanted text[])
returns jsonb language sql immutable parallel safe
set search_path = pg_catalog
as $$
    select coalesce(jsonb_object_agg(w, p_labels->w), '{}') from unnest(p_wanted) w where p_labels ? w
$$;

-- The series of a family on a server, each with the number of the group that it is summed into (key_id).
create or replace function pganalytics.series_groups(
    p_server_id integer, p_family text, p_labels jsonb, p_group text[])
returns table (series_id integer, key_id bigint, key jsonb)
language sql stable rows 200
set search_path = pg_catalog
as $$
    select g.series_id, dense_rank() over (order by g.key), g.key
    from (
        select s.series_id, case when p_group is null then s.labels else pganalytics.labels_only(s.labels, p_group) end as key
        from pganalytics.series s
        where s.server_id = p_server_id and s.family = p_family and s.labels @> coalesce(p_labels, '{}')
    ) g
$$;

-- Counters. Gives one row per group, the largest total first: labels, total increase in (from, to], points as JSON text.
create or replace function pganalytics.counter_series(
    p_server_id integer, p_family text, p_column text, p_from bigint, p_to bigint, p_step bigint,
    p_increase boolean, p_labels jsonb, p_group text[], p_limit integer)
returns table (labels jsonb, total double precision, points text, found bigint)
language plpgsql stable
set search_path = pg_catalog
set jit = off -- compiling costs seconds here, and the backend's sessions are not the only ones
as $$
declare
    v_first     bigint := p_from / p_step * p_step;
    v_count     bigint := (p_to - p_from / p_step * p_step + p_step - 1) / p_step;
    v_last      bigint := v_first + v_count * p_step;
    v_family_id smallint;
    v_until     timestamptz;
begin
    select f.family_id into v_family_id from pganalytics.families f where f.family = p_family;
    -- the reading after the end may have begun before it
    select min(r.time) into v_until
    from pganalytics.reading r
    where r.server_id = p_server_id and r.family_id = v_family_id and r.time >= to_timestamp(v_last / 1000.0)
        and r.time <= to_timestamp(v_last / 1000.0) + interval '1 day';
    v_until := coalesce(v_until, to_timestamp(v_last / 1000.0));

    return query execute format($sql$
        with groups as materialized (
            select * from pganalytics.series_groups($1, $2, $8, $9)
        ), cover as materialized (
            select (date_part('epoch', r.time) * 1000)::bigint as stop, r.interval_ms::bigint as ms
            from pganalytics.reading r
            where r.server_id = $1 and r.family_id = $12 and r.time > to_timestamp($4 / 1000.0) and r.time <= $13
                and r.interval_ms > 0 and not r.gap
        ), covered as materialized (
            select b, sum(least(stop, $4 + (b + 1) * $6) - greatest(stop - ms, $4 + b * $6)) as ms
            from cover
                cross join lateral generate_series(greatest(0, (stop - ms - $4) / $6),
                                                   least($5 - 1, (stop - 1 - $4) / $6)) b
            where stop - ms < $4 + $5 * $6
            group by b
        ), raw as materialized (
            select g.key_id, (date_part('epoch', t.time) * 1000)::bigint as stop, t.interval_ms::bigint as ms,
                sum(t.%1$I::double precision) as v
            from metric.%2$I t
                join groups g on g.series_id = t.series_id
            where t.server_id = $1 and t.time > to_timestamp($4 / 1000.0) and t.time <= $13 and t.%1$I is not null
            group by 1, 2, 3
        ), totals as materialized (
            select r.key_id, coalesce(sum(r.v) filter (where r.stop > $3 and r.stop <= $7), 0) as total
            from raw r
            group by 1
            union all -- all together, and nothing moved: zero, unless the column is not known
            select min(g.key_id), 0
            from groups g
            where $9 = '{}' and not exists (select from raw) and exists (select from covered) and not exists (
                select from metric.%2$I t
                where t.server_id = $1 and t.time > to_timestamp($4 / 1000.0) and t.time <= $13 and t.%1$I is null)
            having count(*) > 0
        ), top as materialized (
            select t.key_id, t.total, count(*) over () as found
            from totals t
            order by t.total desc, t.key_id
            limit $11
        ), pieces as (
            select r.key_id, (r.stop - 1 - $4) / $6 as b, r.v
            from raw r
                join top on top.key_id = r.key_id
            where (r.ms = 0 or r.stop - r.ms >= $4 + (r.stop - 1 - $4) / $6 * $6) and r.stop <= $4 + $5 * $6
            union all
            select r.key_id, b,
                r.v * ((least(r.stop, $4 + (b + 1) * $6) - greatest(r.stop - r.ms, $4 + b * $6))::double precision / r.ms)
            from raw r
                join top on top.key_id = r.key_id
                cross join lateral generate_series(greatest(0, (r.stop - r.ms - $4) / $6),
                                                   least($5 - 1, (r.stop - 1 - $4) / $6)) b
            where r.ms > 0 and (r.stop - r.ms < $4 + (r.stop - 1 - $4) / $6 * $6 or r.stop > $4 + $5 * $6)
                and r.stop - r.ms < $4 + $5 * $6
        ), steps as materialized (
            select p.key_id, p.b, sum(p.v) as v from pieces p group by 1, 2
        )
        select (select g.key from groups g where g.key_id = top.key_id limit 1), top.total,
            (select '[' || string_agg(
                    '[' || ($4 + n * $6) || ','
                    || case
                        when s.v is null and c.ms is null then 'null'
                        when $10 then coalesce(s.v, 0)::text
                        else (coalesce(s.v, 0) * 1000 / coalesce(c.ms, $6))::text
                    end || ']', ',' order by n) || ']'
             from generate_series(0, $5 - 1) n
                left join covered c on c.b = n
                left join steps s on s.key_id = top.key_id and s.b = n),
            top.found
        from top
        order by top.total desc, top.key_id
    $sql$, p_column, p_family)
    using p_server_id, p_family, p_from, v_first, v_count, p_step, p_to, p_labels, p_group, p_increase, p_limit,
        v_family_id, v_until;
end $$;

-- Gauges. Gives one row per group, the largest average first: labels, points as JSON text.
create or replace function pganalytics.gauge_series(
    p_server_id integer, p_family text, p_column text, p_from bigint, p_to bigint, p_step bigint,
    p_agg text, p_labels jsonb, p_group text[], p_limit integer)
returns table (labels jsonb, points text, found bigint)
language plpgsql stable
set search_path = pg_catalog
set jit = off
as $$
declare
    v_first     bigint := p_from / p_step * p_step;
    v_count     bigint := (p_to - p_from / p_step * p_step + p_step - 1) / p_step;
    v_last      bigint := v_first + v_count * p_step;
    v_family_id smallint;
    v_back      timestamptz;
    v_hold      bigint;
    v_keyframes bigint[];
begin
    select f.family_id into v_family_id from pganalytics.families f where f.family = p_family;
    -- the last keyframe before the range says all that held then; without one a quarter of an hour is looked back
    select max(r.time) into v_back
    from pganalytics.reading r
    where r.server_id = p_server_id and r.family_id = v_family_id and r.keyframe
        and r.time <= to_timestamp(v_first / 1000.0) and r.time > to_timestamp(v_first / 1000.0) - interval '25 hours';
    v_back := coalesce(v_back, to_timestamp(v_first / 1000.0) - interval '15 minutes');
    -- readings that come at twice their usual distance have stopped; values without readings hold five minutes
    select 2 * percentile_disc(0.5) within group (order by r.interval_ms) filter (where r.interval_ms > 0),
        array_agg((date_part('epoch', r.time) * 1000)::bigint order by r.time) filter (where r.keyframe or r.gap)
    into v_hold, v_keyframes
    from pganalytics.reading r
    where r.server_id = p_server_id and r.family_id = v_family_id and r.time >= v_back
        and r.time <= to_timestamp(v_last / 1000.0) and (r.interval_ms > 0 or r.keyframe or r.gap);
    v_hold := coalesce(nullif(v_hold, 0), 300000);
    v_keyframes := coalesce(v_keyframes, '{}');

    return query execute format($sql$
        with groups as materialized (
            select * from pganalytics.series_groups($1, $2, $7, $8)
        ), reads as (
            select (date_part('epoch', r.time) * 1000)::bigint as at,
                lead((date_part('epoch', r.time) * 1000)::bigint) over (order by r.time) as next
            from pganalytics.reading r
            where r.server_id = $1 and r.family_id = $11 and r.time >= $12
                and r.time <= to_timestamp(($3 + $4 * $5) / 1000.0)
        ), islands as (
            select at, least(coalesce(next, at + $13), at + $13) as stop,
                count(*) filter (where begins) over (order by at) as island
            from (
                select at, next, coalesce(lag(least(coalesce(next, at + $13), at + $13)) over (order by at) < at, true)
                    as begins
                from reads
            ) r
        ), stretches as materialized (
            select greatest(min(at), $3) as start, least(max(stop), $3 + $4 * $5) as stop
            from islands
            group by island
        ), raw as (
            select g.key_id, t.series_id, (date_part('epoch', t.time) * 1000)::bigint as at, t.%1$I::double precision as v
            from metric.%2$I t
                join groups g on g.series_id = t.series_id
            where t.server_id = $1 and t.time >= $12 and t.time < to_timestamp(($3 + $4 * $5) / 1000.0)
        ), held as (
            select r.key_id, r.at, r.v,
                least(lead(r.at) over (partition by r.series_id order by r.at),
                      ($6::bigint[])[width_bucket(r.at, $6::bigint[]) + 1], $3 + $4 * $5) as stop
            from raw r
        ), segments as materialized (
            select h.key_id, greatest(h.at, s.start) as start, least(h.stop, s.stop) as stop, h.v
            from held h
                join stretches s on s.start < h.stop and s.stop > h.at
            where least(h.stop, s.stop) > greatest(h.at, s.start)
        ), averages as (
            select g.key_id, sum(g.v * (g.stop - g.start))
                / case when $8 is null then sum(g.stop - g.start) filter (where g.v is not null) else $4 * $5 end as size
            from segments g
            group by 1
            having bool_or(g.v is not null)
        ), top as materialized (
            select a.key_id, a.size, count(*) over () as found
            from averages a
            order by a.size desc, a.key_id
            limit $10
        ), events as (
            select g.key_id, g.start as at, coalesce(g.v, 0) as v, (g.v is not null)::integer as known,
                (g.v is null)::integer as unknown, 0 as base
            from segments g where $8 is not null
            union all
            select g.key_id, g.stop, -coalesce(g.v, 0), -(g.v is not null)::integer, -(g.v is null)::integer, 0
            from segments g where $8 is not null
            union all
            select top.key_id, s.start, 0, 0, 0, 1 from top cross join stretches s where $8 is not null and s.stop > s.start
            union all
            select top.key_id, s.stop, 0, 0, 0, -1 from top cross join stretches s where $8 is not null and s.stop > s.start
        ), summed as (
            select e.key_id, e.at as start, lead(e.at) over w as stop, sum(e.v) over w as v, sum(e.known) over w as known,
                sum(e.unknown) over w as unknown, sum(e.base) over w as base
            from (
                select key_id, at, sum(v) as v, sum(known) as known, sum(unknown) as unknown, sum(base) as base
                from events group by key_id, at
            ) e
            window w as (partition by e.key_id order by e.at)
        ), lines as (
            select g.key_id, g.start, g.stop, g.v from segments g where $8 is null and g.v is not null
            union all
            select s.key_id, s.start, s.stop, case when s.known > 0 then s.v else 0 end
            from summed s
            where s.stop is not null and s.base > 0 and (s.known > 0 or s.unknown = 0)
        ), pieces as (
            select l.key_id, b, l.start, l.v,
                (least(l.stop, $3 + (b + 1) * $5) - greatest(l.start, $3 + b * $5))::double precision as ms
            from lines l
                join top on top.key_id = l.key_id
                cross join lateral generate_series((l.start - $3) / $5, (l.stop - 1 - $3) / $5) b
        ), steps as materialized (
            select p.key_id, p.b,
                case $9
                    when 'min' then min(p.v)
                    when 'max' then max(p.v)
                    when 'last' then (array_agg(p.v order by p.start desc))[1]
                    else sum(p.v * p.ms) / sum(p.ms)
                end as v
            from pieces p
            group by 1, 2
        )
        select (select g.key from groups g where g.key_id = top.key_id limit 1),
            (select '[' || string_agg('[' || ($3 + n * $5) || ',' || coalesce(s.v::text, 'null') || ']', ',' order by n)
                || ']'
             from generate_series(0, $4 - 1) n
                left join steps s on s.key_id = top.key_id and s.b = n),
            top.found
        from top
        order by top.size desc, top.key_id
    $sql$, p_column, p_family)
    using p_server_id, p_family, v_first, v_count, p_step, v_keyframes, p_labels, p_group, p_agg, p_limit,
        v_family_id, v_back, v_hold;
end $$;

-- The whole answer of GET /servers/{id}/metrics. p_metrics: "family.column", several with commas. p_group NULL: each
-- series by itself; '': all together. Raises PGA04 (no such server) and PGA01 (what cannot be asked).
create or replace function pganalytics.server_metrics(
    p_server_id integer, p_metrics text, p_from timestamptz, p_to timestamptz, p_step bigint, p_agg text,
    p_labels jsonb, p_group text, p_limit integer)
returns text language plpgsql stable
set search_path = pg_catalog
as $$
declare
    v_from   bigint := extract(epoch from p_from) * 1000;
    v_to     bigint := extract(epoch from p_to) * 1000;
    v_points bigint;
    v_limit  integer;
    v_group  text[] := case when p_group is null then null when p_group = '' then '{}' else string_to_array(p_group, ',') end;
    v_metric text;
    v_column record;
    v_agg    text;
    v_series text;
    v_found  bigint;
    v_all    text[] := '{}';
begin
    if not exists (select from pganalytics.servers s where s.server_id = p_server_id) then
        raise exception using errcode = 'PGA04', message = format('no server %s', p_server_id);
    end if;
    if p_step <= 0 or v_to <= v_from then
        raise exception using errcode = 'PGA01', message = 'the range and the step must be longer than nothing';
    end if;
    v_points := (v_to - v_from) / p_step + 1;
    if v_points > 11001 then
        raise exception using errcode = 'PGA01', message = 'more than 11000 points: choose a longer step';
    end if;
    v_limit := least(p_limit, greatest(1, 1000000 / v_points));

    foreach v_metric in array string_to_array(p_metrics, ',') loop
        select c.family, c.name, c.kind, c.unit into v_column
        from pganalytics.family_columns c
            join pganalytics.families f on f.family = c.family
        where c.family = split_part(v_metric, '.', 1) and c.name = split_part(v_metric, '.', 2)
            and v_metric = c.family || '.' || c.name and c.kind in ('counter', 'gauge') and f.mode = 'rows';
        if not found then
            raise exception using errcode = 'PGA01', message = format('there is no metric "%s"', left(v_metric, 120));
        end if;
        v_agg := coalesce(p_agg, case v_column.kind when 'counter' then 'rate' else 'avg' end);
        if not v_agg = any (case v_column.kind when 'counter' then '{rate,increase}'::text[] else '{avg,min,max,last}' end) then
            raise exception using errcode = 'PGA01', message = format('agg "%s" is not for a %s such as %s',
                                                                      left(v_agg, 40), v_column.kind, v_metric);
        end if;
        if v_column.kind = 'counter' then
            select string_agg(format('{"labels":%s,"total":%s,"points":%s}', s.labels, s.total, s.points), ','), max(s.found)
            into v_series, v_found
            from pganalytics.counter_series(p_server_id, v_column.family, v_column.name, v_from, v_to, p_step,
                                            v_agg = 'increase', p_labels, v_group, v_limit) s;
        else
            select string_agg(format('{"labels":%s,"total":null,"points":%s}', s.labels, s.points), ','), max(s.found)
            into v_series, v_found
            from pganalytics.gauge_series(p_server_id, v_column.family, v_column.name, v_from, v_to, p_step,
                                          v_agg, p_labels, v_group, v_limit) s;
        end if;
        v_all := v_all || format('{"metric":%s,"kind":"%s","unit":%s,"agg":"%s","truncated":%s,"series":[%s]}',
                                 to_json(v_metric), v_column.kind, to_json(v_column.unit), v_agg,
                                 (coalesce(v_found, 0) > v_limit)::text, v_series);
    end loop;
    return format('{"from":%s,"to":%s,"step_ms":%s,"metrics":[%s]}', to_json(p_from), to_json(p_to), p_step,
                  array_to_string(v_all, ','));
end $$;
