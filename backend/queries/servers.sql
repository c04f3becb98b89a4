-- A page of monitored servers by name. $1 most of them, $2 cursor: the name and id that the last page ended with, or null.
-- A server without a name stands for its collector's own values (the simple form) and is not shown.
with page as (
    select s.server_id, s.name, row_number() over (order by s.name, s.server_id) as n
    from pganalytics.servers s
    where s.name <> '' and ($2::text is null
        or (s.name, s.server_id) > (($2::json) ->> 0, (($2::json) ->> 1)::integer))
    order by s.name, s.server_id
    limit $1::integer + 1
)
select json_build_object(
    'servers',
    coalesce(
        (
            select json_agg(pganalytics.server_json(s) order by s.name, s.server_id)
            from pganalytics.servers s
                join page on page.server_id = s.server_id
            where page.n <= $1::integer),
        '[]'),
    'next_cursor',
    (
        select json_build_array(page.name, page.server_id)::text
        from page
        where page.n = $1::integer
            and exists (select from page where n > $1::integer)))
