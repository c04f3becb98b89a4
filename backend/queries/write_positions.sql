-- Locks how far each spool was taken, in one order for all backends, and gives it. $1: [{"c": collector id, "s": spool}].
-- A collector that does not exist gives no row.
insert into pganalytics.ingest_position as p (collector_id, spool, sequence)
select c.collector_id, w.s, 0
from json_to_recordset($1::json) as w (c uuid, s text)
    join pganalytics.collectors c on c.collector_id = w.c
order by c.collector_id, w.s
on conflict (collector_id, spool) do update set updated_at = now()
returning p.collector_id, p.spool, p.sequence
