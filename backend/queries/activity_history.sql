-- Average active sessions of one server over time, from samples. $1 its id, $2 from, $3 to, $4 step in milliseconds,
-- $5 how many of the most frequent (statement, wait). A window belongs to the step that it ends in; a step's average is
-- the time of sessions divided by the time that samples cover, and null where none do.
with bounds as materialized (
    select v.server_id, $4::bigint as step,
        (date_part('epoch', $2::timestamptz) * 1000)::bigint / $4::bigint * $4::bigint as first,
        ((date_part('epoch', $3::timestamptz) * 1000)::bigint - 1) / $4::bigint * $4::bigint as last
    from pganalytics.servers v
    where v.server_id = $1::integer
), windows as materialized (
    select r.time, r.interval_ms, ((date_part('epoch', r.time) * 1000)::bigint - 1) / b.step * b.step as start
    from bounds b
        join pganalytics.reading r on r.server_id = b.server_id
        join pganalytics.families f on f.family_id = r.family_id
    where f.family = 'session_samples' and r.time > to_timestamp(b.first / 1000.0) and r.time <= $3::timestamptz
), covered as materialized (
    select w.start, sum(w.interval_ms) / 1000.0 as seconds from windows w group by w.start
), total as materialized (
    select coalesce(sum(c.seconds), 0) as seconds from covered c
), counted as materialized (
    select ((date_part('epoch', t.time) * 1000)::bigint - 1) / b.step * b.step as start,
        s.labels->>'state' like 'idle%' as idle, s.labels->>'wait_event_type' as wait_event_type,
        s.labels->>'wait_event' as wait_event, s.labels->>'datname' as datname, t.queryid, sum(t.seconds) as seconds
    from bounds b
        join metric.session_samples t on t.server_id = b.server_id
        join pganalytics.series s on s.series_id = t.series_id
    where t.time > to_timestamp(b.first / 1000.0) and t.time <= $3::timestamptz
    group by 1, 2, 3, 4, 5, 6
), active as materialized (
    select c.* from counted c where not c.idle
), classes as materialized (
    select a.wait_event_type, sum(a.seconds) as seconds from active a group by 1
), by_step as materialized (
    select a.wait_event_type, a.start, sum(a.seconds) as seconds from active a group by 1, 2
), top as materialized (
    select a.queryid, a.datname, a.wait_event_type, a.wait_event, sum(a.seconds) as seconds
    from active a
    group by 1, 2, 3, 4
    order by 5 desc, 1, 2, 3, 4
    limit $5::integer
)
select json_build_object(
    'from', $2::timestamptz,
    'to', $3::timestamptz,
    'step_ms', b.step,
    'covered_seconds', total.seconds,
    'active', (select coalesce(sum(c.seconds), 0) from classes c) / nullif(total.seconds, 0)::double precision,
    'idle_in_transaction', (select coalesce(sum(c.seconds), 0) from counted c where c.idle)
        / nullif(total.seconds, 0)::double precision,
    'classes',
    coalesce(
        (
            select json_agg(
                json_build_object(
                    'wait_event_type', c.wait_event_type,
                    'average', c.seconds / nullif(total.seconds, 0)::double precision,
                    'points',
                    (
                        select json_agg(
                            json_build_array(
                                g.start,
                                case
                                    when v.seconds > 0 then coalesce(p.seconds, 0) / v.seconds::double precision
                                end)
                            order by g.start)
                        from generate_series(b.first, b.last, b.step) as g(start)
                            left join covered v on v.start = g.start
                            left join by_step p on p.start = g.start and p.wait_event_type = c.wait_event_type
                    ))
                order by c.wait_event_type <> 'CPU', c.seconds desc, c.wait_event_type)
            from classes c),
        '[]'),
    'top',
    coalesce(
        (
            select json_agg(
                json_build_object(
                    'queryid', t.queryid, 'datname', t.datname, 'wait_event_type', t.wait_event_type,
                    'wait_event', t.wait_event, 'query', q.query,
                    'average', t.seconds / nullif(total.seconds, 0)::double precision,
                    'share', t.seconds / nullif((select sum(c.seconds) from classes c), 0))
                order by t.seconds desc, t.queryid, t.datname, t.wait_event_type, t.wait_event)
            from top t
                left join pganalytics.statement_text x on x.server_id = b.server_id and x.queryid = t.queryid
                left join pganalytics.statement q on q.text_hash = x.text_hash),
        '[]'))
from bounds b
    cross join total
