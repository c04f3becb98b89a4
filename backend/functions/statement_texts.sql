-- Texts of statements for dashboards, beside metric_view.pg_stat_statements: join on server_id and queryid.
create or replace view metric_view.statement_text as
select t.server_id, t.queryid, s.query, t.first_seen, t.last_seen
from pganalytics.statement_text t
    join pganalytics.statement s on s.text_hash = t.text_hash;
comment on view metric_view.statement_text is
    'Normalised texts of statements by server and queryid; join metric_view.pg_stat_statements.';
