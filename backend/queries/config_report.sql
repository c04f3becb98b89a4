-- How a collector fared with its configuration. $1 id, $2 version in force, $3 version that was refused or null, $4 why.
update pganalytics.collectors
set config_applied = $2::integer,
    config_refused = $3::integer,
    config_reason = $4,
    config_reported_at = now()
where collector_id = $1::uuid
    and (config_applied, config_refused, config_reason) is distinct from ($2::integer, $3::integer, $4::text)
returning collector_id::text
