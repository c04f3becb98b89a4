-- New credentials for a collector; those it had are revoked. $1 collector id, $2 certificate serial,
-- $3 certificate expiry, $4 token id, $5 token expiry, $6 address of who registered it.
with old_certificates as (
    update pganalytics.certificates
    set revoked_at = now()
    where collector_id = $1::uuid
        and revoked_at is null
), old_tokens as (
    update pganalytics.collector_tokens
    set revoked_at = now()
    where collector_id = $1::uuid
        and revoked_at is null
), certificate as (
    insert into pganalytics.certificates (serial, collector_id, expires_at)
    values ($2, $1::uuid, $3::timestamptz)
), token as (
    insert into pganalytics.collector_tokens (token_id, collector_id, expires_at)
    values ($4::uuid, $1::uuid, $5::timestamptz)
), audited as (
    insert into pganalytics.audit (actor, action, object, detail, address)
    values ('registration', 'collector.register', $1, json_build_object('serial', $2), $6)
)
select $1::text
