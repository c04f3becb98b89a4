-- What collectors are told to collect, version by version, and how they fared with it; families that are not built in.
-- Locks: access exclusive on collectors and families, for an instant (no rewrite). Time: instant.
-- Undo: drop table pganalytics.collector_config; drop the columns that are added here.

create table pganalytics.collector_config (
    collector_id uuid not null references pganalytics.collectors on delete cascade,
    version      integer not null,
    document     text not null,                        -- TOML
    created_at   timestamptz not null default now(),
    created_by   text not null,
    primary key (collector_id, version)
);

alter table pganalytics.collectors
    add config_version     integer not null default 0, -- the newest one; 0: there is none
    add config_etag        text not null default '0',
    add config_applied     integer,                    -- what the collector says it works with
    add config_refused     integer,                    -- what it could not work with
    add config_reason      text,                       -- why not
    add config_reported_at timestamptz;

alter table pganalytics.families
    add own boolean not null default false;            -- a user's: collectors said what it is
