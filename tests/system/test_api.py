# SPDX-License-Identifier: PostgreSQL
"""The REST API as its users know it: sessions, roles, lists, parameters."""
import requests

import pytest

from stack import Api, eventually


def anonymous(backend):
    session = requests.Session()
    session.trust_env = False
    session.verify = str(backend.ca)
    return session


def login(session, backend, name="admin", password=None):
    return session.post(f"{backend.url}/api/v1/auth/login", json={"login": name, "password": password or backend.password},
                        timeout=30)


def test_a_browser_session_refreshes_once_and_ends_when_its_token_is_used_twice(backend):
    session = anonymous(backend)
    assert login(session, backend).status_code == 200
    cookies = {cookie.name: cookie for cookie in session.cookies}
    assert set(cookies) == {"pga_access", "pga_refresh", "pga_csrf"}
    assert cookies["pga_access"].secure and cookies["pga_access"].has_nonstandard_attr("HttpOnly")
    assert not cookies["pga_csrf"].has_nonstandard_attr("HttpOnly")
    assert session.get(f"{backend.url}/api/v1/auth/me", timeout=30).json()["login"] == "admin"

    stolen = cookies["pga_refresh"].value
    for _ in range(2):
        assert session.post(f"{backend.url}/api/v1/auth/refresh", timeout=30).status_code == 200
    fresh = {cookie.name: cookie.value for cookie in session.cookies}["pga_refresh"]
    assert fresh != stolen
    thief = anonymous(backend)
    refused = thief.post(f"{backend.url}/api/v1/auth/refresh", json={"refresh_token": stolen}, timeout=30)
    assert refused.status_code == 401
    assert session.post(f"{backend.url}/api/v1/auth/refresh", timeout=30).status_code == 401, "the whole chain has ended"


def test_logout_ends_the_session(backend):
    session = anonymous(backend)
    login(session, backend)
    refresh = {cookie.name: cookie.value for cookie in session.cookies}["pga_refresh"]
    assert session.post(f"{backend.url}/api/v1/auth/logout", timeout=30).status_code == 204
    assert session.get(f"{backend.url}/api/v1/auth/me", timeout=30).status_code == 401
    again = anonymous(backend).post(f"{backend.url}/api/v1/auth/refresh", json={"refresh_token": refresh}, timeout=30)
    assert again.status_code == 401


def test_a_change_by_cookie_needs_the_csrf_token(backend, registered):
    session = anonymous(backend)
    login(session, backend)
    url = f"{backend.url}/api/v1/collectors/{registered.id}"
    assert session.delete(url, timeout=30).status_code == 403
    token = {cookie.name: cookie.value for cookie in session.cookies}["pga_csrf"]
    assert session.delete(url, headers={"X-CSRF-Token": token}, timeout=30).status_code == 204


def test_roles(backend, registered):
    backend.command("user", "add", "reader", "--role", "viewer", stdin="a-long-password\n")
    reader = Api(backend.url, backend.ca, "reader", "a-long-password").login()
    assert reader.user["role"] == "viewer"
    assert reader.get(f"/collectors/{registered.id}")["name"]
    assert reader.raw("DELETE", f"/collectors/{registered.id}").status_code == 403
    assert "reader" in backend.command("user", "list").stdout
    backend.command("user", "passwd", "reader", stdin="another-password\n")
    assert login(anonymous(backend), backend, "reader", "a-long-password").status_code == 401
    assert login(anonymous(backend), backend, "reader", "another-password").status_code == 200
    refused = backend.command("user", "add", "reader", "--role", "viewer", stdin="a-long-password\n", check=False)
    assert refused.returncode != 0 and "reader" in refused.stderr


def test_lists_are_paged(backend, registered):
    api = backend.api()
    for i in range(5):
        body = {"name": f"page-{i}", "hostname": "h"}
        answer = requests.post(f"{backend.url}/api/v1/collectors/register", json=body, verify=str(backend.ca), timeout=30,
                               headers={"X-Registration-Secret": backend.registration_secret})
        assert answer.status_code == 201
    everything = [row["id"] for row in api.get("/collectors")["collectors"]]
    seen, cursor = [], None
    while True:
        page = api.get("/collectors", limit=2, cursor=cursor)
        assert len(page["collectors"]) <= 2
        seen += [row["id"] for row in page["collectors"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == everything


@pytest.mark.parametrize("path, status, text", [
    ("/nothing", 404, ""),
    ("/servers/0", 404, "server 0"),
    ("/servers/999999", 404, "server"),
    ("/servers/x", 404, "server"),
    ("/collectors/x", 404, "collector"),
    ("/collectors?limit=0", 400, "limit"),
    ("/collectors?cursor=x", 400, "cursor"),
    ('/collectors?cursor=["a","------------------------------------"]', 400, "cursor"),
    ('/collectors?cursor=["\\u0000","00000000-0000-0000-0000-000000000000"]', 400, "cursor"),
    ("/servers?cursor=-1", 400, "cursor"),
])
def test_what_is_not_there_or_not_allowed_is_said(backend, path, status, text):
    answer = backend.api().raw("GET", path)
    assert answer.status_code == status, answer.text
    assert text in answer.json()["error"]["message"]
    assert answer.headers["X-Request-Id"] == answer.json()["error"]["request_id"]


@pytest.fixture(scope="module")
def watched(backend, monitored):
    from stack import Collector
    with Collector(backend, {"main": monitored.dsn(user="monitor")}, name="watched") as running:
        api = backend.api()
        server = eventually(lambda: next(s for s in api.get("/servers")["servers"] if s["collector_id"] == running.id
                                         and s["tps"] is not None), 60)
        yield api, server


@pytest.mark.parametrize("query, text", [
    ("", "metric"),
    ("metric=nothing.here", "nothing.here"),
    ("metric=pg_stat_database", "pg_stat_database"),
    ("metric=pg_stat_database.datname", "datname"),
    ("metric=pg_stat_database.xact_commit&agg=avg", "avg"),
    ("metric=pg_stat_database.numbackends&agg=rate", "rate"),
    ("metric=pg_stat_database.xact_commit&from=now&to=-1h", "from"),
    ("metric=pg_stat_database.xact_commit&step=0", "step"),
    ("metric=pg_stat_database.xact_commit&labels=[]", "labels"),
    ('metric=pg_stat_database.xact_commit&labels={"datname":"\\u0000"}', "labels"),
    ('metric=pg_stat_database.xact_commit&labels={"\\u0000":"x"}', "labels"),
    ("metric=pg_stat_database.xact_commit&limit=501", "limit"),
    ("metric=pg_stat_database.xact_commit,pg_stat_database.blks_hit&limit=500&from=-3h&step=1", "points"),
    ("metric=pg_stat_database.xact_commit'%3Bdrop table x", "metric"),
])
def test_metric_parameters(watched, query, text):
    api, server = watched
    answer = api.raw("GET", f"/servers/{server['id']}/metrics?{query}")
    assert answer.status_code == 400, answer.text
    assert text in answer.json()["error"]["message"]


def test_a_server_has_its_headline_figures(watched):
    api, server = watched
    server = eventually(lambda: next(one for one in [api.get(f"/servers/{server['id']}")] if one["tps"]), 60)
    assert server["status"] == "up" and server["reachable"] and server["version"].startswith("15.")
    assert server["in_recovery"] is False and server["max_connections"] == 40
    assert server["tps"] > 0 and 0 < server["cache_hit"] <= 1 and server["connections"] >= 1


def test_rates_and_gauges(watched):
    api, server = watched

    def both():
        answer = api.get(f"/servers/{server['id']}/metrics", group_by="",
                         metric="pg_stat_database.xact_commit,pg_stat_database.numbackends", **{"from": "-2m"})
        rate, gauge = answer["metrics"]
        assert (rate["kind"], rate["agg"], gauge["kind"], gauge["agg"]) == ("counter", "rate", "gauge", "avg")
        values = [value for one in (rate, gauge) for _, value in one["series"][0]["points"] if value is not None]
        assert rate["series"][0]["total"] > 0 and len(values) >= 2
        return True

    eventually(both, 30)


def test_statements_have_texts(watched, monitored):
    api, server = watched
    for i in range(3):
        monitored.execute(f"select {i} as needle_in_the_haystack")

    def found():
        rows = api.get(f"/servers/{server['id']}/statements", search="needle_in_the_haystack", order="calls")["statements"]
        return rows and rows[0]["query"] and rows[0]["calls"] >= 1 and rows

    row = eventually(found, 60)[0]
    assert "$1" in row["query"] and row["datname"] == "postgres" and row["usename"] == "postgres"


def test_activity_and_families(watched):
    api, server = watched
    assert any(row["count"] >= 1 for row in eventually(
        lambda: api.get(f"/servers/{server['id']}/activity")["sessions"], 30))
    families = {family["name"] for family in api.get("/families")["families"]}
    assert {"pg_stat_database", "pg_stat_user_tables", "pg_stat_statements", "system_cpu"} <= families


def test_own_metrics_are_prometheus_text(backend, watched, tmp_path):
    text = requests.get(f"{backend.url}/metrics", verify=str(backend.ca), timeout=30).text
    names = [line.split("{")[0].split(" ")[0] for line in text.splitlines() if line and not line.startswith("#")]
    assert 'pganalytics_push_total{code="ok"}' in text and "process_resident_memory_bytes" in names
    typed = {line.split(" ")[2] for line in text.splitlines() if line.startswith("# TYPE")}
    for name in names:
        base = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        assert name in typed or base in typed, name


def test_the_ui_is_served_with_a_strict_policy(backend):
    answer = requests.get(f"{backend.url}/", verify=str(backend.ca), timeout=30)
    assert answer.status_code == 200 and "text/html" in answer.headers["Content-Type"]
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert requests.get(f"{backend.url}/servers/7", verify=str(backend.ca), timeout=30).status_code == 200
