-- Demo load: lookups by key and by index.
\set table random(1, 16)
\set customer random(0, 499)
\set id random(1, 2000)
select * from events_:table where id = :id;
select count(*), sum(amount) from events_:table where customer = :customer;
