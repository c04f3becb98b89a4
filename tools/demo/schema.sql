-- Demo: the tables of one of the databases that the load works on. psql variable :tables says how many.
create extension if not exists pg_stat_statements;
select format(
    'create table events_%s (id bigint generated always as identity primary key, customer integer not null, '
    'amount numeric(10, 2) not null, note text, updated_at timestamptz not null default now())', i)
from generate_series(1, :tables) as i \gexec
select format('create index on events_%s (customer)', i) from generate_series(1, :tables) as i \gexec
select format(
    'insert into events_%s (customer, amount, note) select g %% 500, g %% 97 + 0.5, md5(g::text) '
    'from generate_series(1, 2000) as g', i)
from generate_series(1, :tables) as i \gexec
analyze;
