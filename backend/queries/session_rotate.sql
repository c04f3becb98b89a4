-- Trades a refresh token for the next one. $1 its hash (hex), $2 new session id, $3 hash of the next one (hex), $4 seconds.
-- Gives {"verdict": ok, again, reused or invalid, "id", "login", "role"}: see functions/sessions.sql.
select pganalytics.session_rotate(decode($1, 'hex'), $2::uuid, decode($3, 'hex'), $4::integer)
