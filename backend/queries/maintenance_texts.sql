-- Forgets statement texts that no server's statements refer to: first the links of statements that were not seen for 90
-- days before $1 and have no series any more, then texts without links.
with unlinked as (
    delete from pganalytics.statement_text t
    where t.last_seen < $1::timestamptz - interval '90 days'
        and not exists (
            select from pganalytics.series s
            where s.server_id = t.server_id and s.labels->>'queryid' = t.queryid)
    returning 1
), gone as (
    delete from pganalytics.statement s
    where not exists (select from pganalytics.statement_text t where t.text_hash = s.text_hash)
    returning 1
)
select ((select count(*) from unlinked) + (select count(*) from gone))::text
