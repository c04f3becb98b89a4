-- A new version of a collector's configuration. $1 id, $2 document, $3 the entity tag that it replaces, or null: any,
-- $4 who, $5 address. Gives version 0 when the tag is another one. The last 100 versions are kept. The row's lock makes
-- one of two at the same time the later one.
with locked as materialized (
    select collector_id, config_version, config_etag, name
    from pganalytics.collectors
    where collector_id = $1::uuid
    for update
), made as (
    insert into pganalytics.collector_config (collector_id, version, document, created_by)
    select collector_id, config_version + 1, $2, $4
    from locked
    where $3::text is null or config_etag = $3
    returning collector_id, version, version || '-' || left(md5(document), 8) as etag
), noted as (
    update pganalytics.collectors c
    set config_version = made.version, config_etag = made.etag
    from made
    where c.collector_id = made.collector_id
), pruned as (
    delete from pganalytics.collector_config d
    using made
    where d.collector_id = made.collector_id
        and d.version <= made.version - 100
), audited as (
    insert into pganalytics.audit (actor, action, object, detail, address)
    select $4, 'config.put', made.collector_id::text, json_build_object('version', made.version), $5
    from made
)
select json_build_object(
    'collector_id', locked.collector_id,
    'version', coalesce(made.version, 0),
    'etag', coalesce(made.etag, locked.config_etag))
from locked
left join made on made.collector_id = locked.collector_id
