-- Whether a collector's credentials are good, asked at every push. $1 collector id, $2 token id, $3 certificate serial
-- or null. The first time that a certificate is shown, it is known to have arrived and to be safe on the collector's
-- disk: those before it end in an hour, which is for connections that are open and for requests under way.
with first_use as (
    update pganalytics.certificates
    set used_at = now()
    where serial = $3
        and collector_id = $1::uuid
        and used_at is null
        and revoked_at is null
    returning collector_id, issued_at, serial
), replaced as (
    update pganalytics.certificates
    set expires_at = least(certificates.expires_at, now() + interval '1 hour')
    from first_use
    where certificates.collector_id = first_use.collector_id
        and certificates.serial <> first_use.serial
        and certificates.issued_at <= first_use.issued_at
        and certificates.revoked_at is null
        and certificates.expires_at > now()
)
select json_build_object(
    'revoked', collectors.revoked_at is not null,
    'token_good', coalesce(collector_tokens.revoked_at is null and collector_tokens.expires_at > now(), false),
    'certificate_ours', certificates.serial is not null,
    'certificate_good', coalesce(certificates.revoked_at is null and certificates.expires_at > now(), false))
from pganalytics.collectors
left join pganalytics.collector_tokens
    on collector_tokens.token_id = $2::uuid
    and collector_tokens.collector_id = collectors.collector_id
left join pganalytics.certificates
    on certificates.serial = $3
    and certificates.collector_id = collectors.collector_id
where collectors.collector_id = $1::uuid
