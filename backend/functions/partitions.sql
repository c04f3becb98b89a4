-- Native daily partitions. Making one takes SHARE UPDATE EXCLUSIVE on the parent only (create, then attach), so readers
-- and writers go on. Dropping one takes ACCESS EXCLUSIVE for an instant, and gives up after half a second of waiting.

create or replace function pganalytics.partition_name(p_table name, p_day date)
returns text language sql immutable parallel safe
set search_path = pg_catalog
as $$ select format('p%s_%s', to_char(p_day, 'YYYYMMDD'), p_table) $$;

-- Makes the partitions of days p_first to p_last that are missing; returns how many it made.
create or replace function pganalytics.make_partitions(p_schema name, p_table name, p_first date, p_last date)
returns integer language plpgsql
set search_path = pg_catalog
set timezone = 'UTC'
as $$
declare
    v_day  date;
    v_part text;
    v_made integer := 0;
begin
    for v_day in select d::date from generate_series(p_first, p_last, interval '1 day') d loop
        v_part := pganalytics.partition_name(p_table, v_day);
        continue when to_regclass(format('metric_partition.%I', v_part)) is not null;
        perform pg_advisory_xact_lock(hashtextextended('pganalytics.partition ' || v_part, 0));
        continue when to_regclass(format('metric_partition.%I', v_part)) is not null;
        execute format('create table metric_partition.%I (like %I.%I including defaults including indexes)',
                       v_part, p_schema, p_table);
        execute format('alter table %I.%I attach partition metric_partition.%I for values from (%L) to (%L)',
                       p_schema, p_table, v_part, v_day::timestamptz, (v_day + 1)::timestamptz);
        v_made := v_made + 1;
    end loop;
    return v_made;
end $$;

-- Drops the oldest partition that is wholly before p_before; returns its name, or NULL when there is none. One at a
-- time, so that the lock on the parent lasts for one drop only.
create or replace function pganalytics.drop_partition(p_schema name, p_table name, p_before date)
returns text language plpgsql
set search_path = pg_catalog
set lock_timeout = '500ms'
as $$
declare
    v_part text;
begin
    select c.relname into v_part
    from pg_inherits i
        join pg_class c on c.oid = i.inhrelid
        join pg_namespace n on n.oid = c.relnamespace
    where i.inhparent = to_regclass(format('%I.%I', p_schema, p_table))
        and n.nspname = 'metric_partition'
        and c.relname < 'p' || to_char(p_before, 'YYYYMMDD')
    order by c.relname
    limit 1;
    if v_part is not null then
        execute format('drop table metric_partition.%I', v_part);
    end if;
    return v_part;
end $$;
