-- The collector of that name and host, made when it is new. $1 new id, $2 name, $3 hostname, $4 address, $5 region,
-- $6 version. Registering again keeps the id and lifts a revocation.
insert into pganalytics.collectors (collector_id, name, hostname, address, region, version)
values ($1::uuid, $2, $3, $4, $5, $6)
on conflict (name, hostname) do update
set address = excluded.address,
    region = excluded.region,
    version = excluded.version,
    revoked_at = null
returning collector_id::text
