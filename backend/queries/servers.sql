-- A page of monitored servers. $1 most of them, $2 cursor: the id that the last page ended with, or null.
-- A server without a name stands for its collector's own values (the simple form) and is not shown.
with page as (
    select s.server_id, row_number() over (order by s.server_id) as n
    from pganalytics.servers s
    where s.name <> '' and s.server_id > coalesce($2::integer, 0)
    order by s.server_id
    limit $1::integer + 1
)
select json_build_object(
    'servers',
    coalesce(
        (
            select json_agg(pganalytics.server_json(s) order by s.server_id)
            from pganalytics.servers s
                join page on page.server_id = s.server_id
            where page.n <= $1::integer),
        '[]'),
    'next_cursor',
    (
        select page.server_id::text
        from page
        where page.n = $1::integer
            and exists (select from page where n > $1::integer)))
