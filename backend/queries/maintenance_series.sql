-- Forgets series that nobody sent since $1, which is before retention: no metric row refers to them any more.
-- In slices, so that a lock lasts shortly.
with gone as (
    delete from pganalytics.series
    where series_id in (
        select s.series_id from pganalytics.series s where s.last_seen < $1::timestamptz limit 100000)
    returning 1
)
select count(*)::text from gone
