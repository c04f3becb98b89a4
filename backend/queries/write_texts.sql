-- Statement texts. $1: [{"s": server, "q": queryid, "t": text}]. Each text is stored once, in one order of locks.
with wanted as materialized (
    select distinct on (w.s, w.q) w.s as server_id, w.q as queryid, w.t as query,
        sha256(convert_to(w.t, 'UTF8')) as text_hash
    from json_to_recordset($1::json) as w (s integer, q text, t text)
    order by w.s, w.q
), texts as (
    insert into pganalytics.statement (text_hash, query)
    select distinct on (w.text_hash) w.text_hash, w.query
    from wanted w
    order by w.text_hash
    on conflict (text_hash) do nothing
    returning 1
), links as (
    insert into pganalytics.statement_text (server_id, queryid, text_hash)
    select w.server_id, w.queryid, w.text_hash
    from wanted w
    order by w.server_id, w.queryid
    on conflict (server_id, queryid) do update set text_hash = excluded.text_hash, last_seen = now()
    returning 1
)
select (select count(*) from texts), (select count(*) from links)
