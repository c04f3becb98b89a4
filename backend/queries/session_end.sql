-- Ends the session that a refresh token belongs to. $1 its hash (hex).
with chain as (
    select chain_id
    from pganalytics.sessions
    where token_hash = decode($1, 'hex')
), ended as (
    update pganalytics.sessions
    set revoked_at = now()
    from chain
    where sessions.chain_id = chain.chain_id
        and sessions.revoked_at is null
    returning sessions.session_id
)
select count(*)::text
from ended
