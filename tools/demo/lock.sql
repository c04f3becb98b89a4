-- Demo load: two clients meet at one row, so that one waits a moment for the other.
begin;
update events_3 set amount = amount + 1 where id = 1;
select pg_sleep(1.5);
commit;
