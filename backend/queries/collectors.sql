-- A page of collectors by name. $1 most of them, $2 cursor: the name and id that the last page ended with, or null.
with page as (
    select collector_id, name, row_number() over (order by name, collector_id) as n
    from pganalytics.collectors
    where $2::text is null
        or (name, collector_id) > (($2::json) ->> 0, (($2::json) ->> 1)::uuid)
    order by name, collector_id
    limit $1::integer + 1
)
select json_build_object(
    'collectors',
    coalesce(
        (
            select json_agg(pganalytics.collector_json(c) order by c.name, c.collector_id)
            from pganalytics.collectors c
            join page using (collector_id)
            where page.n <= $1::integer),
        '[]'),
    'next_cursor',
    (
        select json_build_array(page.name, page.collector_id)::text
        from page
        where page.n = $1::integer
            and exists (select from page where n > $1::integer)))
