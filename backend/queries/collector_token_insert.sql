-- One more token for a collector; the old one stays good until it expires, since its answer may get lost.
-- $1 token id, $2 collector id, $3 expiry.
insert into pganalytics.collector_tokens (token_id, collector_id, expires_at)
values ($1::uuid, $2::uuid, $3::timestamptz)
returning token_id::text
