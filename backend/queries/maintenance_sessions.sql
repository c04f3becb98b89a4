-- Forgets refresh tokens, and tokens and certificates of collectors, that ended before $1: none is good any more, and an
-- unknown one is refused like an ended one.
with gone_sessions as (
    delete from pganalytics.sessions where expires_at < $1::timestamptz returning 1
), gone_tokens as (
    delete from pganalytics.collector_tokens where expires_at < $1::timestamptz returning 1
), gone_certificates as (
    delete from pganalytics.certificates where expires_at < $1::timestamptz returning 1
)
select (
    (select count(*) from gone_sessions) + (select count(*) from gone_tokens) + (select count(*) from gone_certificates)
)::text
