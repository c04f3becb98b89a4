-- Demo load: small writes spread over the tables.
\set table random(1, 16)
\set customer random(0, 499)
\set id random(1, 2000)
begin;
update events_:table set amount = amount + 1, updated_at = now() where id = :id;
insert into events_:table (customer, amount, note) values (:customer, 9.90, 'new');
commit;
