-- Statements of one server by what they did in a time range. $1 server, $2 from, $3 to, $4 order (one of the numbers),
-- $5 limit, $6 datname or null, $7 search: part of the text, or null. Totals and shares are of the whole server.
with sums as materialized (
    select t.series_id, sum(t.calls) as calls, sum(t.total_exec_time) as total_exec_time, sum(t.rows) as rows,
        sum(t.shared_blks_hit) as shared_blks_hit, sum(t.shared_blks_read) as shared_blks_read,
        sum(t.shared_blks_dirtied) as shared_blks_dirtied, sum(t.temp_blks_written) as temp_blks_written,
        sum(t.wal_bytes) as wal_bytes
    from metric.pg_stat_statements t
    where t.server_id = $1::integer and t.time > $2::timestamptz and t.time <= $3::timestamptz
    group by t.series_id
    having sum(t.calls) > 0 or sum(t.total_exec_time) > 0
), total as materialized (
    select coalesce(sum(calls), 0) as calls, coalesce(sum(total_exec_time), 0) as total_exec_time from sums
), named as (
    select s.labels->>'queryid' as queryid, s.labels->>'datname' as datname, s.labels->>'usename' as usename,
        (s.labels->>'toplevel')::boolean as toplevel, q.query, m.calls, m.total_exec_time,
        m.total_exec_time / nullif(m.calls, 0)::double precision as mean_exec_time, m.rows, m.shared_blks_hit,
        m.shared_blks_read, m.shared_blks_dirtied, m.temp_blks_written, m.wal_bytes,
        m.total_exec_time / nullif((select total_exec_time from total), 0) as share
    from sums m
        join pganalytics.series s on s.series_id = m.series_id
        left join pganalytics.statement_text x on x.server_id = s.server_id and x.queryid = s.labels->>'queryid'
        left join pganalytics.statement q on q.text_hash = x.text_hash
    where ($6::text is null or s.labels->>'datname' = $6::text)
        and ($7::text is null or position(lower($7::text) in lower(q.query)) > 0)
), top as (
    select n.*, row_number() over (
        order by case $4::text
            when 'calls' then n.calls::double precision
            when 'mean_exec_time' then n.mean_exec_time
            when 'rows' then n.rows::double precision
            when 'shared_blks_hit' then n.shared_blks_hit::double precision
            when 'shared_blks_read' then n.shared_blks_read::double precision
            when 'shared_blks_dirtied' then n.shared_blks_dirtied::double precision
            when 'temp_blks_written' then n.temp_blks_written::double precision
            when 'wal_bytes' then n.wal_bytes::double precision
            else n.total_exec_time
        end desc nulls last, n.queryid, n.datname, n.usename) as place
    from named n
)
select json_build_object(
    'from', $2::timestamptz,
    'to', $3::timestamptz,
    'statements',
    coalesce(
        (
            select json_agg(
                json_build_object(
                    'queryid', t.queryid, 'datname', t.datname, 'usename', t.usename, 'toplevel', t.toplevel,
                    'query', t.query, 'calls', t.calls, 'total_exec_time', t.total_exec_time,
                    'mean_exec_time', t.mean_exec_time, 'rows', t.rows, 'shared_blks_hit', t.shared_blks_hit,
                    'shared_blks_read', t.shared_blks_read, 'shared_blks_dirtied', t.shared_blks_dirtied,
                    'temp_blks_written', t.temp_blks_written, 'wal_bytes', t.wal_bytes, 'share', t.share)
                order by t.place)
            from top t
            where t.place <= $5::integer),
        '[]'),
    'total', json_build_object('calls', total.calls, 'total_exec_time', total.total_exec_time))
from total
where exists (select from pganalytics.servers v where v.server_id = $1::integer)
    and case
        when $4::text = any ('{calls,total_exec_time,mean_exec_time,rows,shared_blks_hit,shared_blks_read,shared_blks_dirtied,temp_blks_written,wal_bytes}')
            then true
        else pganalytics.refuse(format('order "%s" is none of the numbers of a statement', left($4::text, 40)))
    end
