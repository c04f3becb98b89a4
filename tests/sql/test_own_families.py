# SPDX-License-Identifier: PostgreSQL
"""Families of users in the store: their bounds, and what happens when something is in their way."""
import datetime

import psycopg2

from store import Pusher, body, frame

WHEN = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def described(name="own", columns=("n",)):
    return {"name": name, "help": "h", "scope": "instance",
            "columns": [{"name": "who", "kind": "label", "type": "text"}]
                       + [{"name": column, "kind": "gauge", "type": "float8"} for column in columns]}


def own_push(collector, family, rows=1, others=()):
    """@rows of the family, with a value in its last column; @others: more frames."""
    column = family["columns"][-1]["name"]
    made = body(collector, [frame(family["name"], WHEN, ["who", column], [[str(i), i] for i in range(rows)]), *others])
    return {**made, "families": [family]}


def reasons(answer):
    return [(one["family"], one["reason"], one["rows"]) for one in answer["rejected"]]


def test_their_number_and_their_columns_are_bounded(store):
    collector = store.add_collector()
    first = store.push(own_push(collector, described()))[0]
    assert first["accepted"]["rows"] == 1
    store.sql("insert into pganalytics.families (family, scope, mode, own) "
              "select 'f' || g, 'instance', 'rows', true from generate_series(1, 199) g")
    wal = frame("pg_stat_wal", WHEN, ["wal_bytes"], [[7]])
    full = store.push(own_push(collector, described("one_more"), others=[wal]))[0]
    assert reasons(full) == [("one_more", "there are 200 families of users already", 1)] and full["accepted"]["rows"] == 1
    assert store.push(own_push(collector, described()))[0]["rejected"] == []

    for start in (0, 100):
        wide = described(columns=[f"c{start + i}" for i in range(100)])
        assert store.push(own_push(collector, wide))[0]["rejected"] == []
    wide = described(columns=[f"d{i}" for i in range(100)])
    assert "more than 250 columns" in reasons(store.push(own_push(collector, wide))[0])[0][1]


def test_a_table_that_is_read_for_long_keeps_nobody_waiting(store):
    """A column cannot be added meanwhile: these rows are refused, everything else goes on, and later it is added."""
    collector = store.add_collector()
    store.push(own_push(collector, described()))
    wider = described(columns=["n", "m"])
    wal = frame("pg_stat_wal", WHEN, ["wal_bytes"], [[7]])
    with psycopg2.connect(store.conninfo) as reader, reader.cursor() as cursor:
        cursor.execute("select count(*) from metric.own")
        answer = store.push(own_push(collector, wider, rows=2, others=[wal]))[0]
        assert answer["accepted"]["rows"] == 1, answer
        assert reasons(answer) == [("own", "its table is in use and cannot be changed just now", 2)]
    assert store.push(own_push(collector, wider, rows=2))[0]["accepted"]["rows"] == 2
    assert store.one("select count(m) from metric.own") == 2


def test_a_table_that_was_dropped_is_made_again(store):
    collector = store.add_collector()
    with Pusher(store) as pusher:
        assert pusher.send(own_push(collector, described()))["accepted"]["rows"] == 1
        store.sql("drop table metric.own cascade")
        assert pusher.send(own_push(collector, described(), rows=3))["accepted"]["rows"] == 3
    assert store.one("select count(*) from metric_view.own") == 3


def test_a_built_in_family_that_comes_later_takes_the_name(store):
    """As when a version brings a family that a user has: his goes on, with its rows, under another name."""
    store.sql("drop table metric.pg_stat_wal cascade")
    for table in ("families", "family_columns"):
        store.sql(f"delete from pganalytics.{table} where family = 'pg_stat_wal'")
    collector = store.add_collector()
    store.push(own_push(collector, described("stand_in")))
    server = store.server_id(collector)
    store.sql("alter view metric_view.stand_in rename to pg_stat_wal; alter table metric.stand_in rename to pg_stat_wal; "
              "alter index metric.stand_in_server_time rename to pg_stat_wal_server_time; "
              f"alter table metric_partition.p{WHEN:%Y%m%d}_stand_in rename to p{WHEN:%Y%m%d}_pg_stat_wal")
    for table in ("families", "family_columns", "series"):
        store.sql(f"update pganalytics.{table} set family = 'pg_stat_wal' where family = 'stand_in'")

    store.migrate()
    assert store.sql("select who, n from metric_view.pg_stat_wal_own") == [("0", 0)]
    assert store.sql("select family, own from pganalytics.families where family in ('pg_stat_wal', 'pg_stat_wal_own') order by 1") == [
        ("pg_stat_wal", False), ("pg_stat_wal_own", True)]
    assert store.push(body(collector, [frame("pg_stat_wal", WHEN, ["wal_bytes"], [[7]])]))[0]["accepted"]["rows"] == 1
    assert store.one("select sum(wal_bytes) from metric.pg_stat_wal where server_id = %s", server) == 7
    assert store.push(own_push(collector, described("pg_stat_wal_own"), rows=2))[0]["accepted"]["rows"] == 2
    assert store.one("select count(*) from metric.pg_stat_wal_own") == 3
