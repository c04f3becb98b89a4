-- Revokes a collector with its certificates and tokens. $1 id, $2 who, $3 address. Empty when there is none.
with revoked as (
    update pganalytics.collectors
    set revoked_at = coalesce(revoked_at, now())
    where collector_id = $1::uuid
    returning collector_id, name
), certificates as (
    update pganalytics.certificates
    set revoked_at = now()
    from revoked
    where certificates.collector_id = revoked.collector_id
        and certificates.revoked_at is null
), tokens as (
    update pganalytics.collector_tokens
    set revoked_at = now()
    from revoked
    where collector_tokens.collector_id = revoked.collector_id
        and collector_tokens.revoked_at is null
), audited as (
    insert into pganalytics.audit (actor, action, object, detail, address)
    select $2, 'collector.revoke', revoked.collector_id::text, json_build_object('name', revoked.name), $3
    from revoked
)
select collector_id::text
from revoked
