-- What a transaction of the ingest leaves behind besides metric rows: positions ($1: [{"c", "s", "q": sequence,
-- "m": newly missing}]), servers as they were last told ($2: [{"i": server, ...}]), collectors heard of ($3: [{"c", "v"}])
-- and readings ($4: [{"t": time, "s": server, "d": interval, "c", "n": rows, "f": family, "k": keyframe, "g": gap}]).
with positions as (
    update pganalytics.ingest_position p
    set sequence = w.q, missing = p.missing + w.m, updated_at = now()
    from json_to_recordset($1::json) as w (c uuid, s text, q bigint, m bigint)
    where p.collector_id = w.c and p.spool = w.s
    returning 1
), servers as (
    update pganalytics.servers s
    set system_identifier = coalesce(w.id, s.system_identifier),
        version_num = coalesce(nullif(w.v, 0), s.version_num),
        in_recovery = w.r,
        reachable = w.up,
        error = w.e,
        postmaster_start = coalesce(w.p, s.postmaster_start),
        interval_ms = w.d,
        last_seen = now()
    from json_to_recordset($2::json)
        as w (i integer, id text, v integer, r boolean, up boolean, e text, p timestamptz, d bigint)
    where s.server_id = w.i
    returning 1
), collectors as (
    update pganalytics.collectors c
    set last_seen = now(), version = coalesce(w.v, c.version)
    from json_to_recordset($3::json) as w (c uuid, v text)
    where c.collector_id = w.c
    returning c.collector_id, c.config_version
), readings as (
    insert into pganalytics.reading as r
        (time, server_id, interval_ms, collector_id, row_count, family_id, keyframe, gap)
    select w.t, w.s, max(w.d), w.c, sum(w.n), w.f, bool_or(w.k), bool_or(w.g)
    from json_to_recordset($4::json)
        as w (t timestamptz, s integer, d integer, c uuid, n integer, f smallint, k boolean, g boolean)
    group by w.t, w.s, w.c, w.f
    on conflict (server_id, family_id, time) do update
        set row_count = r.row_count + excluded.row_count, keyframe = r.keyframe or excluded.keyframe
    returning 1
)
select collector_id, config_version from collectors
