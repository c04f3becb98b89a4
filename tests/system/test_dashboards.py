# SPDX-License-Identifier: PostgreSQL
"""Every query of every Grafana dashboard runs on a store with data, as grafana_user, and names what exists."""
import json
import re

import psycopg2
import pytest

from stack import ROOT, Collector, eventually

DASHBOARDS = sorted((ROOT / "grafana" / "dashboards").glob("*.json"))


def queries():
    for path in DASHBOARDS:
        dashboard = json.loads(path.read_text())
        for variable in dashboard["templating"]["list"]:
            yield pytest.param(variable["query"], id=f"{path.stem}: variable {variable['name']}")
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield pytest.param(target["rawSql"], id=f"{path.stem}: {panel['title']}")


def expand(sql, server_id):
    """What Grafana's macros and variables become."""
    time_filter = r"\1 between now() - interval '1 hour' and now()"
    sql = re.sub(r"\$__timeFilter\((\w+)\)", time_filter, sql)
    sql = re.sub(r"\$__timeGroupAlias\((\w+), \$__interval\)", r'floor(extract(epoch from \1) / 10) * 10 as "time"', sql)
    sql = sql.replace("$__interval", "10s").replace("$server", str(server_id))
    assert "$" not in sql, f"a macro that this test does not know: {sql}"
    return sql


@pytest.fixture(scope="module")
def store(backend, monitored):
    with Collector(backend, {"main": monitored.dsn(user="monitor")}, name="dashboards") as running:
        api = backend.api()
        server = eventually(lambda: next(s for s in api.get("/servers")["servers"]
                                         if s["collector_id"] == running.id and s["tps"] is not None), 60)
        connection = psycopg2.connect(backend.store_dsn())
        connection.autocommit = True
        yield connection, server["id"]
        connection.close()


def test_there_are_dashboards():
    assert DASHBOARDS


@pytest.mark.parametrize("sql", queries())
def test_query(store, sql):
    connection, server_id = store
    with connection.cursor() as cursor:
        cursor.execute("set role grafana_user")
        cursor.execute("set statement_timeout = '60s'")
        cursor.execute(expand(sql, server_id))
        names = [column.name for column in cursor.description]
        assert len(set(names)) == len(names)
        if "time" in names:
            assert names[0] == "time"


def test_the_role_of_the_dashboards_sees_metrics_and_nothing_else(store):
    connection, _ = store
    with connection.cursor() as cursor:
        cursor.execute("set role grafana_user")
        for table in ("users", "sessions", "secrets", "collector_tokens", "certificates", "audit"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(f"select * from pganalytics.{table}")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("insert into metric.pg_server select * from metric.pg_server")
        cursor.execute('select count(*) from (select * from metrics order by "timestamp" desc limit 5) as newest')
        assert cursor.fetchone()[0] == 5


def test_panels_have_a_description_and_do_not_overlap():
    for path in DASHBOARDS:
        taken = set()
        for panel in json.loads(path.read_text())["panels"]:
            assert panel["description"], panel["title"]
            place = panel["gridPos"]
            cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
            assert not cells & taken, panel["title"]
            taken |= cells
            assert place["x"] + place["w"] <= 24
