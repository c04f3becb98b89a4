-- All users.
select coalesce(
    json_agg(
        json_build_object(
            'id', user_id, 'login', login, 'role', role, 'created_at', created_at, 'disabled', disabled_at is not null)
        order by lower(login)),
    '[]')
from pganalytics.users
