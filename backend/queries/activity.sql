-- The latest reading of sessions on a server. $1 its id. time is null when there is none in the last five minutes.
select json_build_object(
    'time', l.time,
    'sessions',
    coalesce(
        (
            select json_agg(
                json_build_object('state', a.state, 'wait_event_type', a.wait_event_type, 'datname', a.datname,
                                  'count', a.count)
                order by a.count desc, a.state, a.wait_event_type, a.datname)
            from (
                select s.labels->>'state' as state, s.labels->>'wait_event_type' as wait_event_type,
                    s.labels->>'datname' as datname, sum(t.count) as count
                from metric.pg_stat_activity t
                    join pganalytics.series s on s.series_id = t.series_id
                where t.server_id = v.server_id and t.time = l.time
                group by 1, 2, 3
            ) a),
        '[]'))
from pganalytics.servers v
    cross join lateral (
        select pganalytics.last_reading(v.server_id, 'pg_stat_activity', now() - interval '5 minutes') as time
    ) l
where v.server_id = $1::integer
