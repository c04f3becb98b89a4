-- $1 login. Disabled users are not found.
select json_build_object('id', user_id, 'login', login, 'role', role, 'password_hash', password_hash)
from pganalytics.users
where lower(login) = lower($1)
    and disabled_at is null
