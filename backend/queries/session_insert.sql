-- Begins a session. $1 session id, $2 user id, $3 hash of the refresh token (hex), $4 seconds it lasts, $5 address,
-- $6 the password hash that was proved. Empty when the password was changed, or the user disabled, meanwhile.
select $1::text
where pganalytics.session_begin($1::text::uuid, $2::uuid, $6::text, decode($3, 'hex'), $4::integer, $5::text)
