-- Control data: who may do what, which collectors and servers there are, how far each spool was taken.
-- Locks: creates only. Time: instant. Undo: drop schema pganalytics cascade (loses everything).

create schema if not exists pganalytics;

create table pganalytics.users (
    user_id       uuid primary key,
    login         text not null,
    password_hash text not null,                       -- $argon2id$...
    role          text not null check (role in ('admin', 'editor', 'viewer')),
    created_at    timestamptz not null default now(),
    disabled_at   timestamptz
);
create unique index users_login on pganalytics.users (lower(login));

-- One row for each refresh token ever given; a token used twice revokes its whole chain.
create table pganalytics.sessions (
    session_id   uuid primary key,
    chain_id     uuid not null,                        -- the login that it goes back to
    user_id      uuid not null references pganalytics.users on delete cascade,
    token_hash   bytea not null unique,                -- sha-256 of the refresh token
    created_at   timestamptz not null default now(),
    expires_at   timestamptz not null,
    used_at      timestamptz,                          -- rotated into the next one
    revoked_at   timestamptz
);
create index sessions_chain on pganalytics.sessions (chain_id);
create index sessions_user on pganalytics.sessions (user_id);

create table pganalytics.collectors (
    collector_id uuid primary key,
    name         text not null,
    hostname     text not null,
    address      text,
    region       text,
    version      text,
    created_at   timestamptz not null default now(),
    last_seen    timestamptz,
    revoked_at   timestamptz,
    unique (name, hostname)
);

create table pganalytics.certificates (
    serial       text primary key,                     -- lower-case hex without leading zeros
    collector_id uuid not null references pganalytics.collectors on delete cascade,
    issued_at    timestamptz not null default now(),
    expires_at   timestamptz not null,
    revoked_at   timestamptz
);
create index certificates_collector on pganalytics.certificates (collector_id);

create table pganalytics.collector_tokens (
    token_id     uuid primary key,                     -- the JWT's jti
    collector_id uuid not null references pganalytics.collectors on delete cascade,
    issued_at    timestamptz not null default now(),
    expires_at   timestamptz not null,
    revoked_at   timestamptz
);
create index collector_tokens_collector on pganalytics.collector_tokens (collector_id);

-- The monitored PostgreSQL servers, as their collectors name them.
create table pganalytics.servers (
    server_id         integer generated always as identity primary key,
    collector_id      uuid not null references pganalytics.collectors on delete cascade,
    name              text not null,
    system_identifier text,
    version_num       integer,
    in_recovery       boolean,
    reachable         boolean not null default true,
    error             text,
    postmaster_start  timestamptz,
    interval_ms       bigint,
    first_seen        timestamptz not null default now(),
    last_seen         timestamptz not null default now(),
    unique (collector_id, name)
);

-- How far each spool was taken: written in the transaction that writes the rows, which makes a push count once.
create table pganalytics.ingest_position (
    collector_id uuid not null references pganalytics.collectors on delete cascade,
    spool        text not null,
    sequence     bigint not null,
    missing      bigint not null default 0,            -- sequences that were skipped: given up by the collector
    updated_at   timestamptz not null default now(),
    primary key (collector_id, spool)
);

-- One row for each combination of labels of a family on a server.
create table pganalytics.series (
    series_id    integer generated always as identity primary key,
    server_id    integer not null references pganalytics.servers on delete cascade,
    family       text not null,
    labels       jsonb not null,                       -- values are strings
    first_seen   timestamptz not null default now(),
    last_seen    timestamptz not null default now()    -- kept to about an hour
);
create unique index series_key on pganalytics.series (server_id, family, md5(labels::text));

-- Families and columns that have tables: what the store was told by the catalog and by collectors.
create table pganalytics.family_columns (
    family       text not null,
    name         text not null,
    position     integer not null,
    kind         text not null check (kind in ('label', 'counter', 'gauge', 'info')),
    type         text not null check (type in ('int8', 'float8', 'text')),
    unit         text not null default '',
    help         text not null default '',
    primary key (family, name)
);

-- Secrets of the backend, AES-256-GCM under ENCRYPTION_KEY.
create table pganalytics.secrets (
    name         text primary key,
    key_id       text not null,
    nonce        bytea not null,
    ciphertext   bytea not null,
    created_at   timestamptz not null default now()
);

create table pganalytics.audit (
    audit_id     bigint generated always as identity primary key,
    at           timestamptz not null default now(),
    actor        text not null,                        -- login, collector id, or 'system'
    action       text not null,
    object       text not null,
    detail       jsonb not null default '{}',
    address      text
);
create index audit_at on pganalytics.audit (at);
