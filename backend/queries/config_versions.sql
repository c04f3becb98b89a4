-- The versions of a collector's configuration, the newest first. $1 id.
select json_build_object(
    'versions',
    coalesce(
        (
            select json_agg(
                json_build_object(
                    'version', d.version, 'created_at', d.created_at, 'created_by', d.created_by,
                    'bytes', octet_length(d.document))
                order by d.version desc)
            from pganalytics.collector_config d
            where d.collector_id = c.collector_id),
        '[]'))
from pganalytics.collectors c
where c.collector_id = $1::uuid
