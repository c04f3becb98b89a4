# SPDX-License-Identifier: PostgreSQL
"""What a collector is told from afar: the API's side, how collectors take it up, and families of the users' own."""
import base64
import datetime
import signal
import threading

import psycopg2
import requests
from lone import read_batches
from pgserver import PgServer
from stack import Api, Backend, Collector, eventually

GOOD = '[collector]\ninterval = 2\n'


def gauge_family(name, sql):
    """A family with one column, the gauge n."""
    return (f'[[family]]\nname = "{name}"\nhelp = "h"\n[[family.query]]\nsql = "{sql}"\n'
            '[[family.column]]\nname = "n"\nkind = "gauge"\nhelp = "h"\n')


def path(collector):
    return f"/config/{collector.id}"


def put(api, collector, text, **headers):
    return api.raw("PUT", path(collector), data=text.encode(), headers=headers)


def ask(backend, session, collector_id, headers=None, **parameters):
    """As a collector asks."""
    return session.get(f"{backend.url}/api/v1/config/{collector_id}", params=parameters, headers=headers, timeout=30)


# --- The API ----------------------------------------------------------------------------------------------------------


def test_versions_and_entity_tags(backend, registered):
    api = backend.api()
    empty = api.raw("GET", path(registered))
    assert (empty.status_code, empty.text, empty.headers["ETag"]) == (200, "", '"0"')
    first = put(api, registered, GOOD)
    assert first.status_code == 200 and first.json()["version"] == 1, first.text
    tag = first.headers["ETag"]
    assert tag == f'"{first.json()["etag"]}"'

    session = registered.client()
    got = ask(backend, session, registered.id)
    assert (got.status_code, got.text, got.headers["ETag"]) == (200, GOOD, tag)
    assert got.headers["Content-Type"].startswith("application/toml")
    same = ask(backend, session, registered.id, headers={"If-None-Match": f'"x", W/{tag}'})
    assert (same.status_code, same.text) == (304, "")
    assert ask(backend, session, registered.id, headers={"If-None-Match": '"0"'}).status_code == 200

    stale = put(api, registered, "", **{"If-Match": '"0"'})
    assert stale.status_code == 412 and stale.json()["error"]["code"] == "precondition_failed", stale.text
    second = put(api, registered, "", **{"If-Match": tag})
    assert second.json()["version"] == 2
    assert api.raw("GET", path(registered)).text == ""
    assert api.raw("GET", path(registered), params={"version": 1}).text == GOOD
    assert api.raw("GET", path(registered), params={"version": 3}).status_code == 404
    versions = api.get(path(registered) + "/versions")["versions"]
    assert [(one["version"], one["created_by"], one["bytes"]) for one in versions] == [
        (2, "admin", 0), (1, "admin", len(GOOD))]
    assert registered.push({"collector_id": registered.id, "metrics": []}).json()["config_version"] == 2


def test_all_faults_are_answered_with_their_places(backend, registered):
    api = backend.api()
    bad = put(api, registered, '[collector]\ninterval = 0\nstate_dir = "/x"\n[metrics.family.pg_lock]\nenabled = 3\n')
    assert bad.status_code == 400, bad.text
    error = bad.json()["error"]
    assert error["code"] == "config_invalid" and "3 faults" in error["message"]
    assert [(one["line"], one["section"], one["key"]) for one in error["details"]] == [
        (2, "collector", "interval"), (3, "collector", "state_dir"), (4, "metrics.family", "pg_lock")]
    assert "1s to 1h" in error["details"][0]["message"] and "pg_locks" in error["details"][2]["hint"]
    assert put(api, registered, "x = = 1").json()["error"]["details"][0]["line"] == 1
    assert put(api, registered, "#" * (300 << 10)).status_code == 413
    assert api.raw("GET", path(registered)).headers["ETag"] == '"0"', "nothing was stored"


def test_who_may_read_and_write(backend, registered, monitored, request):
    api = backend.api()
    put(api, registered, GOOD)
    other = type(registered)(backend, {"main": monitored.dsn(user="monitor")}, name=request.node.name + "-other")
    try:
        other.register()
        refused = ask(backend, other.client(), registered.id)
        assert refused.status_code == 403 and refused.json()["error"]["code"] == "identity_mismatch", refused.text
        assert other.client().put(f"{backend.url}/api/v1{path(other)}", data=b"", timeout=30).status_code == 401
    finally:
        other.remove()

    backend.command("user", "add", "looker", "--role", "viewer", stdin="a long enough password\n")
    viewer = type(api)(backend.url, backend.ca, "looker", "a long enough password").login()
    assert viewer.raw("GET", path(registered)).status_code == 403
    assert put(viewer, registered, "").status_code == 403
    nobody = requests.get(f"{backend.url}/api/v1{path(registered)}", verify=str(backend.ca), timeout=30)
    assert nobody.status_code == 401
    bare = registered.client()
    bare.cert = None
    assert ask(backend, bare, registered.id).json()["error"]["code"] == "certificate_required"
    unknown = "00000000-0000-4000-8000-000000000000"
    assert api.raw("GET", f"/config/{unknown}").status_code == 404
    assert api.raw("PUT", f"/config/{unknown}", data=b"").status_code == 404


def test_what_a_collector_reports_is_shown(backend, registered):
    api = backend.api()
    put(api, registered, GOOD)
    session = registered.client()
    assert ask(backend, session, registered.id, applied=0, refused=1, reason="line 2: no").status_code == 200
    told = api.get(f"/collectors/{registered.id}")["config"]
    assert told["version"] == 1 and told["applied"] == 0 and told["refused"] == {"version": 1, "reason": "line 2: no"}
    assert ask(backend, session, registered.id, applied=1).status_code == 200
    told = api.get(f"/collectors/{registered.id}")["config"]
    assert told["applied"] == 1 and told["refused"] is None
    assert api.raw("GET", path(registered), params={"applied": 7}).status_code == 200
    assert api.get(f"/collectors/{registered.id}")["config"]["applied"] == 1, "only the collector itself reports"


# --- The collector ----------------------------------------------------------------------------------------------------


def told(api, collector):
    return api.get(f"/collectors/{collector.id}")["config"]


def wait_applied(api, collector, version, seconds=30):
    return eventually(lambda: told(api, collector)["applied"] == version and told(api, collector), seconds,
                      f"version {version} is not in force")


def server_id(api, collector):
    return next(row["id"] for row in api.get("/servers")["servers"] if row["collector_id"] == collector.id)


def test_taken_up_without_a_restart_and_every_increase_once(backend, monitored, collector):
    """Counters over four changes of the configuration add up to what the server counted."""
    api = backend.api()
    sid = eventually(lambda: server_id(api, collector), 30)
    metric, labels = "pg_stat_user_tables.n_tup_ins", {"relname": "counted"}
    monitored.execute("create table counted (n int)", dbname="postgres")
    eventually(lambda: api.increases(sid, metric, labels=labels) != {}, 30, "the table is not seen")
    done = threading.Event()

    def insert():
        while not done.is_set():  # a session each, which tells its counters when it ends
            monitored.execute("insert into counted values (1)", dbname="postgres")

    writer = threading.Thread(target=insert)
    writer.start()
    try:
        for version, text in enumerate([GOOD, '[collector]\ninterval = 1\n[metrics]\npreset = "full"\n',
                                        '[metrics.family.pg_locks]\nenabled = false\n', ""], start=1):
            assert put(api, collector, text).status_code == 200
            wait_applied(api, collector, version)
        eventually(lambda: monitored.value("select count(*) from counted") > 100, what="the writer is stuck")
    finally:
        done.set()
        writer.join()
    inserted = monitored.value("select count(*) from counted")
    eventually(lambda: api.increase(sid, metric, labels=labels) >= inserted, 30, "increases are missing")
    assert api.increase(sid, metric, labels=labels) == inserted
    assert collector.is_alive() and not collector.log_lines("error"), collector.log_tail()


def test_what_cannot_run_is_rolled_back(backend, monitored, collector):
    """Every family of it fails: the one before is in force again, and an administrator sees why."""
    api = backend.api()
    assert put(api, collector, GOOD).status_code == 200
    wait_applied(api, collector, 1)
    broken = "".join(f'[metrics.family.{name["name"]}]\nenabled = false\n' for name in api.get("/families")["families"]
                     if name["name"] != "custom" and not name["own"])
    assert put(api, collector, broken + gauge_family("broken", "select no_such() as n")).status_code == 200
    state = eventually(lambda: told(api, collector)["refused"] and told(api, collector), 30,
                       "it is not refused")
    assert state["applied"] == 1 and state["refused"]["version"] == 2 and state["version"] == 2
    assert "no family" in state["refused"]["reason"]
    line = [one for one in collector.log_lines("error") if "refused" in one["message"]][-1]
    assert line["version"] == 2 and line["in_force"] == 1

    sid = server_id(api, collector)
    before = api.increase(sid, "pg_stat_database.xact_commit")
    eventually(lambda: api.increase(sid, "pg_stat_database.xact_commit") > before, 30, "it does not go on")
    assert put(api, collector, '[collector]\ninterval = 1\n').status_code == 200
    assert wait_applied(api, collector, 3)["refused"] is None


def test_a_document_that_this_collector_cannot_read(backend, monitored, registered):
    """metrics.d has a family of that name already: only the collector can know."""
    api = backend.api()
    directory = registered.directory / "metrics.d"
    directory.mkdir()
    family = 'name = "mine"\nhelp = "h"\n[[query]]\nsql = "select 1 as a"\n[[column]]\nname = "a"\nkind = "gauge"\nhelp = "h"\n'
    (directory / "mine.toml").write_text(family)
    registered.config.write_text(registered.config.read_text() + f'\n[metrics]\ndirectory = "{directory}"\n')
    registered.start()
    try:
        document = "[[family]]\n" + family.replace("[[query]]", "[[family.query]]").replace("[[column]]", "[[family.column]]")
        assert put(api, registered, document).status_code == 200
        state = eventually(lambda: told(api, registered)["refused"] and told(api, registered), 30)
        assert state["applied"] == 0 and "there is a family mine already" in state["refused"]["reason"], state
        assert "configuration 1, line 2" in state["refused"]["reason"], state

        (directory / "mine.toml").unlink()
        registered.process.send_signal(signal.SIGHUP)
        assert wait_applied(api, registered, 1)["refused"] is None
    finally:
        registered.stop()
        registered.check_log()


def test_the_last_good_one_while_the_backend_is_away(backend, monitored, registered):
    """Started without a backend it works by what it was told last, and SIGHUP keeps that, too."""
    api = backend.api()
    text = registered.config.read_text()
    registered.start()
    try:
        put(api, registered, '[collector]\ninterval = 2\n[metrics.family.pg_locks]\nenabled = false\n')
        wait_applied(api, registered, 1)
        kept = (registered.state / "remote-config.toml").read_text()
        assert kept.startswith("# configuration 1-") and "pg_locks" in kept
        assert not (registered.state / "remote-config.trial").exists()
        registered.stop()

        registered.config.write_text(text.replace(backend.url, "https://127.0.0.1:1"))
        left = len(batches_of(registered))  # what it could not send before it was stopped

        def dump():
            return batches_of(registered)[left:]

        registered.start()
        eventually(lambda: len(dump()) >= 2, 30, "no batches")
        registered.process.send_signal(signal.SIGHUP)
        eventually(lambda: any("read anew" in one["message"] for one in registered.log_lines()), 30)
        count = len(dump())
        eventually(lambda: len(dump()) > count, 30)
        assert {one["servers"][0]["interval_ms"] for one in dump()} == {2000}
        assert not [f for one in dump() for f in one["frames"] if f["family"] == "pg_locks"]

        put(api, registered, "")
        registered.config.write_text(text)
        registered.process.send_signal(signal.SIGHUP)
        wait_applied(api, registered, 2)
        assert not [line for line in registered.log_lines("warn") if "baseline" in line["message"]]
    finally:
        registered.kill()
        registered.check_log()


def batches_of(collector):
    """All batches in its spool."""
    spool = collector.state / "servers" / "main" / "spool"
    return read_batches(spool, collector.directory / "spool-copy") if spool.exists() else []


# --- Families of users ------------------------------------------------------------------------------------------------

QUEUE = '''name = "{name}"
help = "Jobs by state."
interval = 1
[[{p}query]]
sql = "select state, count(*) as jobs, sum(done) as done from public.job group by state"
[[{p}column]]
name = "state"
kind = "label"
[[{p}column]]
name = "jobs"
kind = "gauge"
type = "int8"
unit = "jobs"
help = "Jobs in this state."
[[{p}column]]
name = "done"
kind = "counter"
help = "Steps done."
'''

SELFISH = (gauge_family("sleeper", "select pg_sleep(100)::text as a, 1 as n")
           + gauge_family("waiter", "select count(*) as n from public.locked")
           + gauge_family("wrong", "select 1 / 0 as n"))


def described(name, kind="gauge", type_="float8", column="n"):
    return {"name": name, "help": "h", "scope": "instance",
            "columns": [{"name": "who", "kind": "label", "type": "text"},
                        {"name": column, "kind": kind, "type": type_, "help": "h"}]}


def batch(collector, families, frames):
    """A push made by hand; @frames: [(family, column, [values])]."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat()
    return {"collector_id": collector.id, "servers": [{"name": "main"}], "families": families,
            "frames": [{"family": family, "server": "main", "time": now, "columns": ["who", column],
                        "rows": [[str(i), value] for i, value in enumerate(values)]} for family, column, values in frames]}


def test_families_by_file_and_by_the_api(backend, monitored, registered):
    """They are in the list, in series, in the relation metrics, with the values that the server has."""
    api = backend.api()
    monitored.execute("create table job (state text, done int); grant select on job to monitor")
    monitored.execute("insert into job select 'open', 0 from generate_series(1, 3); insert into job values ('done', 7)")
    directory = registered.directory / "metrics.d"
    directory.mkdir()
    (directory / "file_queue.toml").write_text(QUEUE.format(name="file_queue", p=""))
    registered.config.write_text(registered.config.read_text() + f'\n[metrics]\ndirectory = "{directory}"\n')
    put(api, registered, "[[family]]\n" + QUEUE.format(name="api_queue", p="family."))
    registered.start()
    try:
        for name in ("file_queue", "api_queue"):
            found = eventually(lambda name=name: {one["name"]: one for one in api.get("/families")["families"]}[name], 40)
            assert found["own"] and found["help"] == "Jobs by state."
            assert [(one["name"], one["kind"], one["type"], one["unit"]) for one in found["columns"]] == [
                ("state", "label", "text", ""), ("jobs", "gauge", "int8", "jobs"), ("done", "counter", "int8", "")]
            sid = server_id(api, registered)
            answer = eventually(lambda name=name: series(api, sid, f"{name}.jobs"), 30)
            assert answer == {"open": 3, "done": 1}
        monitored.execute("update job set done = done + 5 where state = 'done'")
        for name in ("file_queue", "api_queue"):
            eventually(lambda name=name: api.increase(sid, f"{name}.done", labels={"state": "done"}) == 5, 30,
                       "the increase is missing")
        with psycopg2.connect(backend.store_dsn()) as connection, connection.cursor() as cursor:
            cursor.execute("select distinct value from metrics where metric_name = 'api_queue.jobs' "
                           "and labels = '{\"state\": \"open\"}'")
            assert cursor.fetchall() == [(3,)]
            cursor.execute("select distinct jobs from metric_view.file_queue where state = 'open'")
            assert cursor.fetchall() == [(3,)]
            cursor.execute("select has_table_privilege('grafana_user', 'metric_view.file_queue', 'select')")
            assert cursor.fetchone() == (True,)
    finally:
        registered.stop()
        registered.check_log()


def series(api, sid, metric):
    answer = api.get(f"/servers/{sid}/metrics", metric=metric, agg="last", step="1")
    return {one["labels"]["state"]: [v for _, v in one["points"] if v is not None][-1]
            for one in answer["metrics"][0]["series"]}


def test_a_family_cannot_wait_nor_write_nor_harm(backend, monitored, collector):
    """One that sleeps, one behind a lock, one that fails: each costs its bound, and the others go on."""
    api = backend.api()
    for text in ("select 1; commit", "select 1 as n; select 2 as n", "commit;"):
        bad = put(api, collector, f'[[family]]\nname = "x"\nhelp = "h"\n[[family.query]]\nsql = "{text}"\n'
                                  '[[family.column]]\nname = "n"\nkind = "gauge"\nhelp = "h"\n')
        assert bad.status_code == 400 and "semicolon" in bad.text, bad.text
    monitored.execute("create table locked (n int); grant select on locked to monitor")
    sid = eventually(lambda: server_id(api, collector), 30)
    with psycopg2.connect(monitored.dsn()) as holder, holder.cursor() as cursor:
        cursor.execute("lock table locked in access exclusive mode")
        assert put(api, collector, SELFISH).status_code == 200
        wait_applied(api, collector, 1, seconds=60)
        before = api.increase(sid, "pg_stat_database.xact_commit")
        eventually(lambda: api.increase(sid, "pg_stat_database.xact_commit") > before, 60, "nothing else is read")

        def complaints():
            found = {line["family"]: line["error"]["message"] for line in collector.log_lines("warn")
                     if line["message"] == "metric family could not be read"}
            assert {"sleeper", "waiter", "wrong"} <= set(found), found
            return found

        said = eventually(complaints, 60)
        assert "statement timeout" in said["sleeper"] and "lock timeout" in said["waiter"], said
        cursor.execute("select count(*) from pg_stat_activity where usename = 'monitor' and state = 'active' "
                       "and clock_timestamp() - query_start > '16 s'")
        assert cursor.fetchone() == (0,)


def test_writing_is_refused_by_the_server(backend, monitored, collector):
    api = backend.api()
    monitored.execute("create table sneaked (n int); grant insert on sneaked to monitor; "
                      "create function sneak() returns int language sql as 'insert into public.sneaked values (1) returning 1'")
    put(api, collector, '[[family]]\nname = "sneaky"\nhelp = "h"\n[[family.query]]\nsql = "select public.sneak() as n"\n'
                        '[[family.column]]\nname = "n"\nkind = "gauge"\nhelp = "h"\n')
    said = eventually(lambda: [line["error"] for line in collector.log_lines("warn") if line.get("family") == "sneaky"], 40)
    assert said[0]["sqlstate"] == "25006", said
    assert monitored.value("select count(*) from sneaked") == 0


def test_two_collectors_that_disagree(backend, monitored, registered, request):
    """The first one decides what a column is; the other loses the rows of that family only, and is told why."""
    other = Collector(backend, {"main": monitored.dsn(user="monitor")}, name=request.node.name + "-other").register()
    try:
        good = registered.push(batch(registered, [described("contested")], [("contested", "n", [1.5, 2.5])])).json()
        assert good["accepted"]["rows"] == 2 and good["rejected"] == [], good
        conflict = [described("contested", kind="counter", type_="int8"), described("uncontested")]
        answer = other.push(batch(other, conflict, [("contested", "n", [1, 2, 3]), ("uncontested", "n", [4.0])])).json()
        assert answer["accepted"]["rows"] == 1, answer
        assert [(one["family"], one["rows"]) for one in answer["rejected"]] == [("contested", 3)]
        assert "column n is a counter of type int8, and a gauge of type float8 in the store" in answer["rejected"][0]["reason"]
        assert backend.metric("pganalytics_ingest_rejected_rows_total") >= 3

        wider = described("contested", column="m")
        answer = other.push(batch(other, [wider], [("contested", "m", [9.0])])).json()
        assert answer["rejected"] == [] and answer["accepted"]["rows"] == 1, answer
        columns = {one["name"]: one for one in backend.api().get("/families")["families"]}["contested"]["columns"]
        assert {one["name"]: one["kind"] for one in columns} == {"who": "label", "n": "gauge", "m": "gauge"}
        assert registered.push(batch(registered, [described("contested")], [("contested", "n", [3.5])])).json()["rejected"] == []
    finally:
        other.remove()


def test_descriptions_that_cannot_be(backend, registered):
    """Each costs its own rows, nothing else, and says what is wrong."""
    wrong = {
        "pg_locks": (described("pg_locks"), "is not known"),  # the built-in one has no such columns
        "custom": (described("custom"), "a built-in family has this name"),
        "select": (described("select"), "name is not valid"),
        "hosty": ({**described("hosty"), "scope": "host"}, "scope"),
        "textual": ({**described("textual"), "mode": "texts"}, "mode"),
        "kindless": (described("kindless", kind="histogram"), "its kind is not known"),
        "mixed": (described("mixed", kind="gauge", type_="text"), "a gauge is not text"),
        "twice": (described("twice", column="who"), "column who is there twice"),
        "empty": ({**described("empty"), "columns": [{"name": "who", "kind": "label", "type": "text"}]}, "labels only"),
        "nobody": (None, "the family is not known"),
    }
    families = [one for one, _ in wrong.values() if one] + [described("fine")]
    frames = [(name, "n", [1.0]) for name in wrong] + [("fine", "n", [1.0])]
    answer = registered.push(batch(registered, families, frames)).json()
    assert answer["accepted"]["rows"] == 1, answer
    reasons = {}
    for one in answer["rejected"]:
        reasons.setdefault(one["family"], []).append(one["reason"])
    assert set(reasons) == set(wrong)
    for name, (_, expected) in wrong.items():
        assert any(expected in reason for reason in reasons[name]), (name, reasons[name])


def test_two_backends_on_one_store(monitored):
    """What one has learned of a family, and of a configuration, the other knows."""
    environment = {"JWT_SECRET": "j" * 64, "ENCRYPTION_KEY": base64.b64encode(b"k" * 32).decode()}
    with PgServer(15, tcp=True) as store:
        url = store.dsn()
        with Backend(database_url=url, environment=environment) as one, Backend(database_url=url, environment=environment) as two:
            collector = Collector(one, {"main": monitored.dsn(user="monitor")}, name="wanderer").register()
            try:
                put(one.api(), collector, GOOD)
                first = collector.push(batch(collector, [described("shared")], [("shared", "n", [1.0])])).json()
                collector.backend = two
                session = collector.client()
                session.verify = str(two.ca)
                second = collector.push(batch(collector, [described("shared")], [("shared", "n", [2.0])]), session=session).json()
                for answer in (first, second):
                    assert answer["accepted"]["rows"] == 1 and answer["config_version"] == 1, answer
                api = Api(two.url, two.ca, "admin", one.password).login()
                assert "shared" in {row["name"] for row in api.get("/families")["families"]}
                assert ask(two, session, collector.id).text == GOOD
            finally:
                collector.remove()
