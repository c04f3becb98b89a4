-- From the catalog to tables: families and columns are registered, tables widened, views renewed. Columns are only ever
-- added: a column that left the catalog stays, one whose type changed is refused.

-- A built-in family needs a name that a family of users has: that one goes on under another name, with all its rows.
create or replace function pganalytics.give_way(p_family text)
returns text language plpgsql
set search_path = pg_catalog
as $$
declare
    v_new  text := left(p_family, 44) || '_own';
    v_part name;
begin
    if not exists (select from pganalytics.families f where f.family = p_family and f.own) then
        return null;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('pganalytics.own_families', 0));
    for v_number in 2 .. 9 loop
        exit when not exists (select from pganalytics.families f where f.family = v_new);
        v_new := left(p_family, 42) || '_own_' || v_number;
    end loop;
    execute format('drop view if exists metric_view.%I', p_family);
    for v_part in
        select c.relname
        from pg_inherits i
            join pg_class c on c.oid = i.inhrelid
        where i.inhparent = to_regclass(format('metric.%I', p_family))
    loop
        execute format('alter table metric_partition.%I rename to %I', v_part, left(v_part, length('p20000101_')) || v_new);
    end loop;
    execute format('alter index if exists metric.%I rename to %I', p_family || '_server_time', v_new || '_server_time');
    execute format('alter table metric.%I rename to %I', p_family, v_new);
    update pganalytics.families set family = v_new where family = p_family;
    update pganalytics.family_columns set family = v_new where family = p_family;
    update pganalytics.series set family = v_new where family = p_family;
    perform pganalytics.widen_family(v_new);
    return v_new;
end $$;

create or replace function pganalytics.register_family(p_family jsonb)
returns smallint language plpgsql
set search_path = pg_catalog
as $$
declare
    v_id    smallint;
    v_fault text;
begin
    if not p_family ? 'own' then
        perform pganalytics.give_way(p_family->>'name');
    end if;
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

-- A family that a collector brought. NULL, or why it cannot be. Backends do it one after another.
create or replace function pganalytics.register_own_family(p_family jsonb)
returns text language plpgsql
set search_path = pg_catalog
as $$
declare
    v_name  text := p_family->>'name';
    v_own   boolean;
    v_fault text;
begin
    perform pg_advisory_xact_lock(hashtextextended('pganalytics.own_families', 0));
    select f.own into v_own from pganalytics.families f where f.family = v_name;
    if not v_own then
        return 'a built-in family has this name';
    end if;
    if v_own is null and (select count(*) from pganalytics.families f where f.own) >= 200 then
        return 'there are 200 families of users already';
    end if;

    select format('column %s is a %s of type %s, and a %s of type %s in the store: give it another name',
                  n.name, n.kind, n.type, o.kind, o.type)
    into v_fault
    from pganalytics.family_columns o
        join jsonb_to_recordset(p_family->'columns') as n (name text, kind text, type text) on n.name = o.name
    where o.family = v_name and (o.kind, o.type) is distinct from (n.kind, n.type)
    order by o.position
    limit 1;
    if v_fault is not null then
        return v_fault;
    end if;
    if (select count(*)
        from (
            select o.name from pganalytics.family_columns o where o.family = v_name
            union
            select n.name from jsonb_to_recordset(p_family->'columns') as n (name text)
        ) u) > 250 then
        return 'it had more than 250 columns in the course of time';
    end if;

    perform pganalytics.register_family(p_family || '{"own": true}');
    update pganalytics.families f set own = true where f.family = v_name and not f.own;
    return null;
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
