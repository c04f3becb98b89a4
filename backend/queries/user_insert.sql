-- $1 id, $2 login, $3 password hash, $4 role, $5 who does it. Empty when the login is taken.
with made as (
    insert into pganalytics.users (user_id, login, password_hash, role)
    values ($1::uuid, $2, $3, $4)
    on conflict (lower(login)) do nothing
    returning user_id, login, role
), audited as (
    insert into pganalytics.audit (actor, action, object, detail)
    select $5, 'user.create', made.login, json_build_object('role', made.role)
    from made
)
select json_build_object('id', user_id, 'login', login, 'role', role)
from made
