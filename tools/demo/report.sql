-- Demo load: the slow statement that somebody will find at the top of the list.
select a.customer % 100 as customers, count(*), sum(a.amount * b.amount), string_agg(distinct left(a.note, 2), ',')
from events_1 as a
join events_2 as b on a.customer % 20 = b.customer % 20
group by 1
order by 3 desc
limit 20;
