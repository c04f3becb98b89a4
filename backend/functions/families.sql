-- From the catalog to tables: families and columns are registered, tables widened, views renewed. Columns are only ever
-- added: a column that left the catalog stays, one whose type changed is refused.

create or replace function pganalytics.register_family(p_family jsonb)
returns smallint language plpgsql
set search_path = pg_catalog
as $$
declare
    v_id    smallint;
    v_fault text;
begin
    insert into pganalytics.families as f (family, help, scope, mode, interval_seconds)
    values (p_family->>'name', p_family->>'help', p_family->>'scope', p_family->>'mode', (p_family->>'interval')::integer)
    on conflict (family) do update
        set help = excluded.help, scope = excluded.scope, mode = excluded.mode,
            interval_seconds = excluded.interval_seconds
        where (f.help, f.scope, f.mode, f.interval_seconds)
            is distinct from (excluded.help, excluded.scope, excluded.mode, excluded.interval_seconds);

    select format('column %s of family %s has type %s in the store and %s in the catalog', o.name, o.family, o.type, n.type)
    into v_fault
    from pganalytics.family_columns o
        join jsonb_to_recordset(p_family->'columns') as n (name text, kind text, type text) on n.name = o.name
    where o.family = p_family->>'name' and o.type <> n.type and o.kind <> 'label' and n.kind <> 'label'
    limit 1;
    if v_fault is not null then
        raise exception using errcode = 'PGA09', message = v_fault,
            hint = 'types of columns never change: give the column another name';
    end if;

    insert into pganalytics.family_columns as c (family, name, position, kind, type, unit, help)
    select p_family->>'name', n.name, n.position, n.kind, n.type, n.unit, n.help
    from jsonb_to_recordset(p_family->'columns')
        as n (name text, position integer, kind text, type text, unit text, help text)
    on conflict (family, name) do update
        set position = excluded.position, kind = excluded.kind, type = excluded.type, unit = excluded.unit,
            help = excluded.help
        where (c.position, c.kind, c.type, c.unit, c.help)
            is distinct from (excluded.position, excluded.kind, excluded.type, excluded.unit, excluded.help);

    select f.family_id into v_id from pganalytics.families f where f.family = p_family->>'name';
    return v_id;
end $$;

-- Adds the columns that metric.<family> lacks and renews metric_view.<family> when it would differ.
create or replace function pganalytics.widen_family(p_family text)
returns integer language plpgsql
set search_path = pg_catalog
as $$
declare
    v_column record;
    v_added  integer := 0;
    v_labels text;
    v_values text;
    v_sql    text;
    v_mark   text;
begin
    for v_column in
        select c.name, case c.type when 'int8' then 'bigint' when 'float8' then 'double precision' else 'text' end as type
        from pganalytics.family_columns c
        where c.family = p_family and c.kind <> 'label'
            and not exists (select from pg_attribute a
                            where a.attrelid = format('metric.%I', p_family)::regclass and a.attname = c.name
                                and not a.attisdropped)
        order by c.position
    loop
        execute format('alter table metric.%I add column %I %s', p_family, v_column.name, v_column.type);
        v_added := v_added + 1;
    end loop;

    select string_agg(format('s.labels->>%L as %I', c.name, c.name), ', ' order by c.position) filter (where c.kind = 'label'),
        string_agg(format('t.%I', c.name), ', ' order by c.position) filter (where c.kind <> 'label')
    into v_labels, v_values
    from pganalytics.family_columns c
    where c.family = p_family;

    v_sql := format('create view metric_view.%I as select t.time, v.collector_id, t.server_id, v.name as server_name, '
                    't.series_id, t.interval_ms, %s, %s from metric.%I t '
                    'join pganalytics.series s on s.series_id = t.series_id '
                    'join pganalytics.servers v on v.server_id = t.server_id',
                    p_family, concat_ws(', ', 's.labels', v_labels), v_values, p_family);
    v_mark := 'pganalytics ' || md5(v_sql);
    if obj_description(to_regclass(format('metric_view.%I', p_family)), 'pg_class') is distinct from v_mark then
        execute format('drop view if exists metric_view.%I', p_family);
        execute v_sql;
        execute format('comment on view metric_view.%I is %L', p_family, v_mark);
    end if;
    return v_added;
end $$;
