-- $1 login, $2 password hash, $3 who does it. Ends the user's sessions. Empty when there is no such user.
select pganalytics.set_password($1, $2, $3)
