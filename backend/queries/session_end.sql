-- Ends the session that a refresh token belongs to. $1 its hash (hex).
select pganalytics.session_end(decode($1, 'hex'))::text
