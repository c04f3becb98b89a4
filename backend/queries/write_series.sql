-- Numbers of series by server, family and labels, made where they are new. $1: [{"i": index, "s": server, "f": family,
-- "l": labels}]. Gives (index, series_id, whether it is new). last_seen is renewed when it is half an hour old.
with wanted as materialized (
    select w.i, w.s as server_id, w.f as family, w.l as labels, md5(w.l::text) as hash
    from json_to_recordset($1::json) as w (i integer, s integer, f text, l jsonb)
), found as materialized (
    select w.i, s.series_id, s.last_seen
    from wanted w
        join pganalytics.series s
            on s.server_id = w.server_id and s.family = w.family and md5(s.labels::text) = w.hash
), made as (
    insert into pganalytics.series (server_id, family, labels)
    select distinct on (w.server_id, w.family, w.hash) w.server_id, w.family, w.labels
    from wanted w
    where w.i not in (select f.i from found f)
    order by w.server_id, w.family, w.hash
    on conflict (server_id, family, md5(labels::text)) do update set last_seen = now()
    returning series_id, server_id, family, md5(labels::text) as hash
), renewed as (
    update pganalytics.series s
    set last_seen = now()
    from found f
    where s.series_id = f.series_id and f.last_seen < now() - interval '30 minutes'
    returning 1
)
select f.i, f.series_id, false from found f
union all
select w.i, m.series_id, true
from made m
    join wanted w on w.server_id = m.server_id and w.family = m.family and w.hash = m.hash
