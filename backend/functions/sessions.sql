-- Sessions: begin, trade the refresh token, end; and the change of a password, which ends them all. Each takes the lock of
-- the user's row first, so that for one user they happen one after the other: a trade that runs while the session is ended
-- would otherwise leave a successor that the end did not see. plpgsql, because after the lock a statement needs to see
-- what others committed before it was given, which one statement with its one snapshot does not.

-- Begins a session for whoever proved p_password_hash. False when that was changed, or the user disabled, meanwhile.
create or replace function pganalytics.session_begin(
    p_session_id uuid, p_user_id uuid, p_password_hash text, p_token_hash bytea, p_seconds integer, p_address text)
returns boolean language plpgsql
set search_path = pg_catalog
as $$
declare
    v_login text;
begin
    select u.login into v_login
    from pganalytics.users u
    where u.user_id = p_user_id and u.password_hash = p_password_hash and u.disabled_at is null
    for no key update;
    if not found then
        return false;
    end if;
    insert into pganalytics.sessions (session_id, chain_id, user_id, token_hash, expires_at)
    values (p_session_id, p_session_id, p_user_id, p_token_hash, now() + make_interval(secs => p_seconds));
    insert into pganalytics.audit (actor, action, object, address)
    values (v_login, 'session.begin', p_session_id::text, p_address);
    return true;
end $$;

-- Trades a refresh token for the next one, whose hash p_next_hash follows from it (auth.h). The verdicts:
--   ok       the next one is good now
--   again    it was traded in the last ten seconds and the next one was not used yet: two tabs of a browser asked at
--            once, or an answer was lost. They all get the same next one, so there are never two that are good
--   reused   traded before: a copy of the token is about, so the whole chain ends
--   invalid  unknown, ended, expired, or the user is disabled
create or replace function pganalytics.session_rotate(
    p_token_hash bytea, p_session_id uuid, p_next_hash bytea, p_seconds integer)
returns json language plpgsql
set search_path = pg_catalog
as $$
declare
    v_user    pganalytics.users;
    v_session pganalytics.sessions;
    v_verdict text;
begin
    select u.* into v_user
    from pganalytics.sessions s
        join pganalytics.users u on u.user_id = s.user_id
    where s.token_hash = p_token_hash
    for no key update of u;
    select s.* into v_session
    from pganalytics.sessions s
    where s.token_hash = p_token_hash;
    v_verdict := case
        when v_session.session_id is null or v_session.revoked_at is not null or v_session.expires_at <= now()
            or v_user.disabled_at is not null
            then 'invalid'
        when v_session.used_at is null then 'ok'
        when v_session.used_at > clock_timestamp() - interval '10 seconds'
            and exists (
                select
                from pganalytics.sessions n
                where n.token_hash = p_next_hash and n.chain_id = v_session.chain_id and n.used_at is null)
            then 'again'
        else 'reused'
    end;
    if v_verdict = 'ok' then
        update pganalytics.sessions set used_at = clock_timestamp() where session_id = v_session.session_id;
        insert into pganalytics.sessions (session_id, chain_id, user_id, token_hash, expires_at)
        values (p_session_id, v_session.chain_id, v_session.user_id, p_next_hash, now() + make_interval(secs => p_seconds));
    elsif v_verdict = 'reused' then
        update pganalytics.sessions
        set revoked_at = now()
        where chain_id = v_session.chain_id and revoked_at is null;
    end if;
    return json_build_object('verdict', v_verdict, 'id', v_user.user_id, 'login', v_user.login, 'role', v_user.role);
end $$;

-- Ends the session that a refresh token belongs to; returns how many of its tokens were good until then.
create or replace function pganalytics.session_end(p_token_hash bytea)
returns integer language plpgsql
set search_path = pg_catalog
as $$
declare
    v_chain uuid;
    v_ended integer;
begin
    select s.chain_id into v_chain
    from pganalytics.sessions s
        join pganalytics.users u on u.user_id = s.user_id
    where s.token_hash = p_token_hash
    for no key update of u;
    update pganalytics.sessions
    set revoked_at = now()
    where chain_id = v_chain and revoked_at is null;
    get diagnostics v_ended = row_count;
    return v_ended;
end $$;

-- Sets a password and ends the user's sessions. Null when there is no such user.
create or replace function pganalytics.set_password(p_login text, p_password_hash text, p_actor text)
returns json language plpgsql
set search_path = pg_catalog
as $$
declare
    v_user pganalytics.users;
begin
    update pganalytics.users u
    set password_hash = p_password_hash
    where lower(u.login) = lower(p_login)
    returning u.* into v_user;
    if not found then
        return null;
    end if;
    update pganalytics.sessions
    set revoked_at = now()
    where user_id = v_user.user_id and revoked_at is null;
    insert into pganalytics.audit (actor, action, object) values (p_actor, 'user.password', v_user.login);
    return json_build_object('id', v_user.user_id, 'login', v_user.login);
end $$;
