-- Numbers of monitored servers by collector and name, made where they are new. $1: [{"c": collector id, "n": name}].
-- A collector that does not exist gives no row. series: how many the server has, for the bound on them.
with wanted as materialized (
    select distinct c.collector_id, w.n as name
    from json_to_recordset($1::json) as w (c uuid, n text)
        join pganalytics.collectors c on c.collector_id = w.c
), made as (
    insert into pganalytics.servers (collector_id, name)
    select w.collector_id, w.name
    from wanted w
    where not exists (
        select from pganalytics.servers s where s.collector_id = w.collector_id and s.name = w.name)
    order by w.collector_id, w.name
    on conflict (collector_id, name) do update set last_seen = now()
    returning server_id, collector_id, name
)
select m.server_id, m.collector_id, m.name, 0::bigint as series
from made m
union all
select s.server_id, s.collector_id, s.name,
    (select count(*) from pganalytics.series e where e.server_id = s.server_id)
from pganalytics.servers s
    join wanted w on w.collector_id = s.collector_id and w.name = s.name
where s.server_id not in (select server_id from made)
