-- Trades a refresh token for the next one. $1 its hash (hex), $2 new session id, $3 new hash (hex), $4 seconds.
-- verdict: ok; invalid (expired, revoked, user disabled); reused: a copy is about, so the whole chain ends.
-- Two trades at once: the second waits for the row, then sees it used.
with found as (
    select session_id, chain_id, user_id, expires_at, used_at, revoked_at
    from pganalytics.sessions
    where token_hash = decode($1, 'hex')
    for update
), verdict as (
    select
        found.session_id, found.chain_id, users.user_id, users.login, users.role,
        case
            when found.revoked_at is not null or found.expires_at <= now() or users.disabled_at is not null
                then 'invalid'
            when found.used_at is not null then 'reused'
            else 'ok'
        end as verdict
    from found
    join pganalytics.users on users.user_id = found.user_id
), ended as (
    update pganalytics.sessions
    set revoked_at = now()
    from verdict
    where verdict.verdict = 'reused'
        and sessions.chain_id = verdict.chain_id
        and sessions.revoked_at is null
), used as (
    update pganalytics.sessions
    set used_at = now()
    from verdict
    where verdict.verdict = 'ok'
        and sessions.session_id = verdict.session_id
), made as (
    insert into pganalytics.sessions (session_id, chain_id, user_id, token_hash, expires_at)
    select $2::uuid, chain_id, user_id, decode($3, 'hex'), now() + make_interval(secs => $4::integer)
    from verdict
    where verdict.verdict = 'ok'
)
select json_build_object('verdict', verdict, 'id', user_id, 'login', login, 'role', role)
from verdict
