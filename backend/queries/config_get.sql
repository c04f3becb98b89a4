-- The configuration of a collector. $1 id, $2 version or null: the newest one. Without any: an empty document, version 0.
select json_build_object(
    'version', coalesce(d.version, 0),
    'etag', case when d.version is null then '0' else d.version || '-' || left(md5(d.document), 8) end,
    'document', coalesce(d.document, ''))
from pganalytics.collectors c
left join pganalytics.collector_config d
    on d.collector_id = c.collector_id
    and d.version = coalesce($2::integer, c.config_version)
where c.collector_id = $1::uuid
    and ($2::integer is null or d.version is not null)
