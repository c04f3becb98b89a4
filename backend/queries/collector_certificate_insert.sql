-- One more certificate for a collector that shows a good one: $1 collector id, $2 serial of the new one, $3 its expiry,
-- $4 serial of the one shown, $5 address. Empty when that one was revoked meanwhile. The answer to a renewal may get
-- lost, so the one shown stays good; so do the two newest others, one of which may lie unused on the collector's disk.
-- What is older was lost on the way.
with good as (
    select serial, collector_id
    from pganalytics.certificates
    where serial = $4
        and collector_id = $1::uuid
        and revoked_at is null
    for update
), surplus as (
    update pganalytics.certificates
    set revoked_at = now()
    where serial in (
        select other.serial
        from pganalytics.certificates other
        join good using (collector_id)
        where other.serial <> good.serial
            and other.revoked_at is null
            and other.expires_at > now()
        order by other.issued_at desc, other.serial
        offset 2)
), certificate as (
    insert into pganalytics.certificates (serial, collector_id, expires_at)
    select $2, good.collector_id, $3::timestamptz
    from good
), audited as (
    insert into pganalytics.audit (actor, action, object, detail, address)
    select $1, 'collector.renew', $1, json_build_object('serial', $2, 'replaces', $4), $5
    from good
)
select collector_id::text
from good
