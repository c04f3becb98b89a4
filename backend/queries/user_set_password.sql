-- $1 login, $2 password hash, $3 who does it. Ends the user's sessions. Empty when there is no such user.
with changed as (
    update pganalytics.users
    set password_hash = $2
    where lower(login) = lower($1)
    returning user_id, login
), ended as (
    update pganalytics.sessions
    set revoked_at = now()
    from changed
    where sessions.user_id = changed.user_id
        and sessions.revoked_at is null
), audited as (
    insert into pganalytics.audit (actor, action, object)
    select $3, 'user.password', changed.login
    from changed
)
select json_build_object('id', user_id, 'login', login)
from changed
