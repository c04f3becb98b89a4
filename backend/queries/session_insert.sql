-- Begins a session. $1 session id, $2 user id, $3 hash of the refresh token (hex), $4 seconds it lasts, $5 address.
with made as (
    insert into pganalytics.sessions (session_id, chain_id, user_id, token_hash, expires_at)
    values ($1::uuid, $1::uuid, $2::uuid, decode($3, 'hex'), now() + make_interval(secs => $4::integer))
    returning session_id, user_id
), audited as (
    insert into pganalytics.audit (actor, action, object, address)
    select users.login, 'session.begin', made.session_id::text, $5
    from made
    join pganalytics.users using (user_id)
)
select session_id::text
from made
