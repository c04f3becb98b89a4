-- What the metric tables need around them: schemas, the list of families, the log of readings, statement texts.
-- The metric tables themselves are made from the catalog (backend/store/tables.c), not by a migration.
-- Locks: creates only. Time: instant. Undo: drop schema metric, metric_view, metric_partition cascade and the tables below.

create schema metric;            -- one table per family: what dashboards and people read
create schema metric_view;       -- the same with labels as columns
create schema metric_partition;  -- the daily partitions, named p<YYYYMMDD>_<table>

create table pganalytics.families (
    family_id        smallint generated always as identity primary key,
    family           text not null unique,
    help             text not null default '',
    scope            text not null check (scope in ('instance', 'database', 'host', 'custom')),
    mode             text not null check (mode in ('rows', 'texts')),
    interval_seconds integer not null default 0        -- 0: the collector's
);

-- One row for each frame that was stored, rows or no rows: what was known when. An absent metric row means "unchanged"
-- only where this says that the family was read. docs/decisions/0004-readings.md.
create table pganalytics.reading (
    time         timestamptz not null,                 -- end of the interval
    server_id    integer not null,
    interval_ms  integer not null,                     -- since the reading before; 0: there is none, counters unknown
    collector_id uuid not null,
    row_count    integer not null,
    family_id    smallint not null,
    keyframe     boolean not null,                     -- every row of the family is here
    gap          boolean not null,                     -- a new epoch: what happened since the reading before is unknown
    primary key (server_id, family_id, time)
) partition by range (time);
create index reading_collector on pganalytics.reading (collector_id, time);
create index reading_time on pganalytics.reading (time);

-- Statement texts, each stored once however many servers run it.
create table pganalytics.statement (
    text_hash  bytea primary key,                      -- sha-256
    query      text not null
);
create table pganalytics.statement_text (
    server_id  integer not null references pganalytics.servers on delete cascade,
    queryid    text not null,
    text_hash  bytea not null references pganalytics.statement,
    first_seen timestamptz not null default now(),
    last_seen  timestamptz not null default now(),     -- when its text was last sent, not when it last ran
    primary key (server_id, queryid)
);
create index statement_text_hash on pganalytics.statement_text (text_hash);
