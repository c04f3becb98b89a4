-- Keeps a secret unless there is one of that name. $1 name, $2 key id, $3 nonce, $4 ciphertext (hex).
insert into pganalytics.secrets (name, key_id, nonce, ciphertext)
values ($1, $2, decode($3, 'hex'), decode($4, 'hex'))
on conflict (name) do nothing
returning name
