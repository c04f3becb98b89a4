-- One secret, encrypted. $1 name.
select json_build_object('key_id', key_id, 'nonce', encode(nonce, 'hex'), 'ciphertext', encode(ciphertext, 'hex'))
from pganalytics.secrets
where name = $1
