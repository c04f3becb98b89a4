-- Whether a collector's credentials are good, asked at every push. $1 collector id, $2 token id, $3 certificate serial
-- or null.
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
