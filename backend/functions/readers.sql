-- The role that dashboards read with: metrics, and nothing else. Without the right to make roles it is left to the
-- database's administrator ("create role grafana_user login password ..."), and gets its grants at the next start.

create or replace function pganalytics.grant_readers()
returns boolean language plpgsql
set search_path = pg_catalog
as $$
begin
    if not exists (select from pg_roles where rolname = 'grafana_user') then
        begin
            create role grafana_user nologin;
        exception
            when insufficient_privilege then return false;
            when duplicate_object then null; -- another backend was faster
        end;
    end if;
    grant usage on schema metric, metric_view to grafana_user;
    grant select on all tables in schema metric, metric_view to grafana_user;
    grant select on public.metrics to grafana_user;
    revoke all on function pganalytics.reading_values(smallint, integer, timestamptz) from public;
    grant execute on function pganalytics.reading_values(smallint, integer, timestamptz) to grafana_user;
    return true;
end $$;

-- The same for one family that came later.
create or replace function pganalytics.grant_family(p_family text)
returns boolean language plpgsql
set search_path = pg_catalog
as $$
begin
    if not exists (select from pg_roles where rolname = 'grafana_user') then
        return false;
    end if;
    execute format('grant select on metric.%I, metric_view.%I to grafana_user', p_family, p_family);
    return true;
end $$;
