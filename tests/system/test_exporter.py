# SPDX-License-Identifier: PostgreSQL
"""The collector as a Prometheus exporter: what promtool and the strict parser of OpenMetrics say, what the server itself
and postgres_exporter say, and that neither many nor slow nor wrong requests do harm."""
import concurrent.futures
import gzip
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pytest
import requests

import parts
import peer_dashboards
from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from ports import free_port
from stack import ROOT, Collector, Process, program
from wait import eventually, patience

TEXT = "text/plain;version=0.0.4"
OPENMETRICS = "application/openmetrics-text;version=1.0.0"

# What Debian's exporter shows and ours does not, with the reasons in docs/prometheus.md.
NOT_SHOWN = re.compile(
    r"(go_|promhttp_|postgres_exporter_build_info|process_virtual_memory_max|pg_scrape_collector_"
    r"|pg_settings_(default_transaction_read_only|transaction_read_only|transaction_deferrable|statement_timeout_seconds"
    r"|lock_timeout_seconds|idle_session_timeout_seconds|jit|max_parallel_workers_per_gather"
    r"|ssl_passphrase_command_supports_reload|wal_summary_keep_time_seconds)$"
    r"|pg_stat_replication_pg_current_wal_lsn_bytes|pg_stat_database_conflicts_)")  # of a primary there are none


def parse(text):
    """{(name, ((label, value), ...)): value}; a line that is none is an error, so are two of the same."""
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = re.fullmatch(r'([a-z_0-9]+)(?:\{(.*)\})? (\S+)', line)
        assert match, line
        labels = tuple(sorted(re.findall(r'([a-z_0-9]+)="((?:[^"\\]|\\.)*)"', match.group(2) or "")))
        assert (match.group(1), labels) not in found, f"twice: {line}"
        found[match.group(1), labels] = float(match.group(3))
    return found


class Exporter(Process):
    """A collector without a backend."""

    def __init__(self, targets, interval=1, extra="", listen=None, databases='["*"]'):
        super().__init__(tempfile.mkdtemp(prefix="pga-exporter-"), "exporter")
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}/metrics"
        self.config = self.directory / "collector.toml"
        self.listen = listen or f"127.0.0.1:{self.port}"
        self.write_config(targets, interval, extra, databases)

    def write_config(self, targets, interval=1, extra="", databases='["*"]'):
        servers = "".join(f'[[postgres]]\nname = "{name}"\ndsn = {json.dumps(dsn)}\ndatabases = {databases}\n'
                          for name, dsn in targets.items())
        self.config.write_text(f'[collector]\ninterval = {interval}\nstate_dir = "{self.directory}/state"\n'
                               f'[prometheus]\nlisten = "{self.listen}"\n{extra}\n{servers}')

    def __enter__(self):
        self.launch([program("pganalytics"), "--config", self.config], {})
        eventually(lambda: self.try_scrape(), 20, "nothing is served")
        return self

    def __exit__(self, kind, *_):
        try:
            self.stop(expected_status=0 if kind is None else None)
            if kind is None:
                self.check_log()
                assert not (self.directory / "state").exists()  # an exporter writes nothing
        finally:
            self.kill()
            shutil.rmtree(self.directory, ignore_errors=True)

    def try_scrape(self):
        try:
            return self.get().status_code == 200
        except requests.ConnectionError:
            return False

    def get(self, accept=TEXT, **parameters):
        return requests.get(self.url, headers={"Accept": accept}, params=parameters, timeout=60)

    def scrape(self, **parameters):
        return parse(self.get(**parameters).text)

    def names(self):
        return {name for name, _ in self.scrape()}

    def wait_for(self, *names):
        eventually(lambda: set(names) <= self.names(), 30, f"not all of {names} come")


def value(samples, metric, **labels):
    """The one sample with these labels."""
    found = [v for (name, has), v in samples.items() if name == metric and labels.items() <= dict(has).items()]
    assert len(found) == 1, f"{metric}{labels}: {found}"
    return found[0]


def check_metrics(text):
    done = subprocess.run([parts.program("prometheus", "usr/bin/promtool"), "check", "metrics"], input=text, text=True,
                          capture_output=True, env=parts.environment("prometheus"), timeout=patience(30), check=False)
    assert done.returncode == 0 and not done.stdout and not done.stderr, done.stdout + done.stderr


def check_openmetrics(text):
    sys.path.append(parts.program("prometheus_client", "usr/lib/python3/dist-packages"))
    from prometheus_client.openmetrics.parser import text_string_to_metric_families
    assert sum(1 for _ in text_string_to_metric_families(text)) > 100


@pytest.mark.parametrize("major,statements", [(12, True), (15, False), (18, True)])
def test_promtool_and_openmetrics_have_nothing_to_say(major, statements):
    settings = MONITORED_SETTINGS if statements else {"track_io_timing": "on"}
    with PgServer(major, settings=settings) as server:
        if statements:
            monitoring_setup(server)
        else:
            server.execute("create role monitor login; grant pg_monitor to monitor")
        server.execute('create database "it\'s"')
        for database in ("postgres", "it's"):
            server.execute('create table "a\\b" (x int); insert into "a\\b" select generate_series(1, 10)',
                           dbname=database)
        with Exporter({"main": server.dsn(user="monitor")}) as exporter:
            exporter.wait_for("pg_up", "pg_stat_user_tables_n_tup_ins", "pg_settings_max_connections",
                              "pg_stat_database_xact_commit", *(["pg_stat_statements_calls_total"] if statements else []))
            eventually(lambda: value(exporter.scrape(), "pg_stat_user_tables_n_tup_ins", datname="it's") == 10, 20)
            text = exporter.get().text
            check_metrics(text)
            answer = exporter.get(OPENMETRICS)
            assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
            check_openmetrics(answer.text)
            samples = parse(text)
            assert value(samples, "pg_stat_user_tables_n_tup_ins", relname="a\\\\b", datname="postgres") == 10
            assert value(samples, "pg_settings_server_version_num") // 10000 == major
            assert value(samples, "pg_replication_is_replica") == 0
            assert value(samples, "pg_up") == 1 and value(samples, "pg_exporter_last_scrape_error") == 0
            assert value(samples, "pg_static", short_version=server.value("show server_version").split(" ")[0] + ".0") == 1
            series = sum(1 for name, _ in samples if name.startswith("pg_stat_statements_"))
            assert 0 < series <= 1000 if statements else series == 0
        assert not server.log_errors()


@pytest.fixture(scope="module")
def watched():
    """A server with an archive and some work done, and a standby."""
    settings = {**MONITORED_SETTINGS, "archive_mode": "on", "archive_command": "true", "autovacuum": "off"}
    with PgServer(15, settings=settings) as server:
        monitoring_setup(server)
        server.execute("create database app")
        server.execute("create table t (a int primary key); insert into t select generate_series(1, 1000);"
                       "delete from t where a > 900; select pg_switch_wal()", dbname="app")
        with server.make_standby() as standby:
            yield server, standby


def test_beside_postgres_exporter_names_and_values_are_the_same(watched):
    server, _ = watched
    port = free_port()
    environment = {**parts.environment("postgres_exporter"), "DATA_SOURCE_NAME": server.dsn()}
    peer_program = parts.program("postgres_exporter", "usr/bin/prometheus-postgres-exporter")
    session = server.connect()  # so that there are sessions and locks to count
    session.cursor().execute("begin; lock table pg_stat_statements in access share mode")
    with Exporter({"main": server.dsn(user="monitor")}) as exporter, tempfile.TemporaryFile() as log:
        peer = subprocess.Popen([peer_program, f"--web.listen-address=127.0.0.1:{port}"], env=environment, stderr=log)
        try:
            def ask():
                try:
                    return parse_peer(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text)
                except requests.ConnectionError:
                    return None
            theirs = eventually(ask, 20, "postgres_exporter does not answer")
            missing = {name for name, _ in theirs if not NOT_SHOWN.match(name)}
            # Values that nobody knows: NaN there, absent here.
            known = {name for (name, _), v in theirs.items() if v == v}
            wait_empty(lambda: (missing & known) - exporter.names(), "not shown")
            compare(ask, exporter)
        finally:
            peer.terminate()
            peer.wait()
    session.close()


@pytest.mark.parametrize("major", [15, 18])
def test_dashboards_and_alerts_made_for_postgres_exporter_find_their_names(major):
    with PgServer(major, settings={**MONITORED_SETTINGS, "hot_standby_feedback": "on"}) as server:
        monitoring_setup(server)
        server.execute("create database app")
        server.execute("create table t (a int); insert into t values (1)", dbname="app")
        server.execute("select pg_create_physical_replication_slot('standby', true)")
        with server.make_standby(settings={"primary_slot_name": "standby", "wal_receiver_status_interval": "1s"}) as standby:
            session = server.connect("app")
            session.cursor().execute("begin; select * from t")  # holds a lock
            with Exporter({"main": server.dsn(user="monitor"), "replica": standby.dsn(user="monitor")}) as exporter:
                wait_empty(lambda: not_found(exporter, major), "not shown")
                names = exporter.names()
                check_metrics(exporter.get().text)
                check_openmetrics(exporter.get(OPENMETRICS).text)
            session.close()
    asked = set().union(*peer_dashboards.ASKED.values())
    wrong = {name for name in names & asked if peer_dashboards.reason_for_absence(name, major)}
    assert not wrong, f"shown, although a reason is given why not: {wrong}"
    told = (ROOT / "docs/prometheus.md").read_text()
    assert not [name for name in asked - names if f"`{name}`" not in told], "the documentation does not say so"


def not_found(exporter, major):
    """What is asked for and neither shown, with these labels, nor absent for a reason."""
    shown = {}
    for name, labels in exporter.scrape():
        shown.setdefault(name, set()).update(key for key, _ in labels)
    return [(board, name, labels - shown.get(name, set())) for board, asked in peer_dashboards.ASKED.items()
            for name, labels in asked.items()
            if not peer_dashboards.reason_for_absence(name, major) and (name not in shown or labels - shown[name])]


def wait_empty(ask, what):
    try:
        eventually(lambda: not ask(), 30)
    except AssertionError:
        raise AssertionError(f"{what}: {list(ask())[:10]}") from None


def parse_peer(text):
    return parse("\n".join(line for line in text.splitlines() if line.startswith("pg_")))


STEADY = re.compile(r"pg_(settings_(?!extra_float_digits)|stat_archiver_(archived|failed)|stat_bgwriter_(checkpoints|maxwritten)"
                    r"|stat_database_(tup_inserted|tup_updated|tup_deleted|deadlocks|conflicts|temp_|xact_rollback)"
                    r"|replication_slots)")


def compare(ask, exporter):
    """Of values that do not move by being looked at, the same numbers."""
    def differences():
        theirs, ours, differ = ask(), exporter.scrape(), []
        for (name, labels), expected in theirs.items():
            if not STEADY.match(name) or NOT_SHOWN.match(name) or ("datname", "") in labels:
                continue
            wanted = {k: v for k, v in labels if k not in ("server", "datid")}
            found = [v for (n, has), v in ours.items() if n == name and wanted.items() <= dict(has).items()]
            if len(found) != 1 or abs(found[0] - expected) > 1e-6 * abs(expected):
                differ.append((name, wanted, expected, found))
        return differ
    wait_empty(differences, "different")


def test_a_standby_and_its_primary(watched):
    server, standby = watched
    with Exporter({"primary": server.dsn(user="monitor"), "replica": standby.dsn(user="monitor")}) as exporter:
        exporter.wait_for("pg_stat_replication_pg_wal_lsn_diff", "pg_stat_database_conflicts_confl_lock",
                          "pg_replication_lag_seconds")
        eventually(lambda: value(exporter.scrape(), "pg_replication_lag_seconds", server="replica") == 0, 20)
        samples = exporter.scrape()
        assert value(samples, "pg_replication_is_replica", server="primary") == 0
        assert value(samples, "pg_replication_is_replica", server="replica") == 1
        assert value(samples, "pg_stat_database_conflicts_confl_lock", server="replica", datname="app") == 0
        tables = server.execute("select n_tup_ins, n_tup_del, n_live_tup from pg_stat_user_tables", dbname="app")[0]
        for name, expected in zip(("n_tup_ins", "n_tup_del", "n_live_tup"), tables):
            assert value(samples, f"pg_stat_user_tables_{name}", server="primary", relname="t") == expected
        check_metrics(exporter.get().text)
        one = exporter.scrape(server="replica")
        assert {dict(labels)["server"] for _, labels in one} == {"replica"}
        assert exporter.get(server="nobody").status_code == 404


def test_scrapes_cause_no_query(watched):
    server, _ = watched
    quiet = "[sampling]\nenabled = false"
    with Exporter({"main": server.dsn(user="monitor")}, interval=3600, extra=quiet) as exporter:
        exporter.wait_for("pg_up", "pg_stat_user_tables_n_tup_ins")

        def calls():
            return server.value("select sum(calls) from pg_stat_statements s join pg_roles r on r.oid = s.userid"
                                " where rolname = 'monitor'")
        server.wait_until("select count(*) > 0 and max(state_change) < clock_timestamp() - interval '3 s' and"
                          " bool_and(state = 'idle') from pg_stat_activity where usename = 'monitor'", 60)
        before = calls()
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(50) as pool:
            answers = list(pool.map(lambda i: exporter.get(OPENMETRICS if i % 2 else TEXT), range(200)))
        assert {answer.status_code for answer in answers} == {200}
        assert calls() == before > 0
        seconds = int(time.monotonic() - began) + 2
        assert len({answer.text for answer in answers}) <= 2 * seconds  # made once a second for each form


def send(port, data, read=True):
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(data)
        answer = b""
        while read and (part := connection.recv(65536)):
            answer += part
        return answer


def test_wrong_requests_get_clear_answers(watched):
    server, _ = watched
    with Exporter({"main": server.dsn(user="monitor")}) as exporter:
        exporter.wait_for("pg_up")
        base = f"http://127.0.0.1:{exporter.port}"
        posted = requests.post(exporter.url, data="x" * 100000, timeout=60)
        assert posted.status_code == 405 and posted.headers["Allow"] == "GET, HEAD"
        assert requests.get(base + "/metric", timeout=60).status_code == 404
        assert "metrics are at /metrics" in requests.get(base + "/", timeout=60).text
        head = requests.head(exporter.url, timeout=60)
        assert head.status_code == 200 and int(head.headers["Content-Length"]) > 100 and not head.content
        assert b" 400 " in send(exporter.port, b"GET /metrics HTTP/1.1\r\n\r\n")[:20]  # without Host
        big = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 40000 + b"\r\n\r\n"
        try:
            assert b" 431 " in send(exporter.port, big)[:20]
        except ConnectionResetError:
            pass  # closed before all of it was sent
        packed = requests.get(exporter.url, headers={"Accept-Encoding": "gzip"}, stream=True, timeout=60)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert b"pg_up{" in gzip.decompress(packed.raw.read())
        eventually(lambda: value(exporter.scrape(), "pganalytics_exporter_refused_requests_total") == 2)


def test_slow_clients_hinder_nobody(watched):
    server, _ = watched
    with Exporter({"main": server.dsn(user="monitor")}) as exporter:
        exporter.wait_for("pg_stat_user_tables_n_tup_ins")
        slow = []
        for i in range(40):
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            connection.connect(("127.0.0.1", exporter.port))
            connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n" + (b"\r\n" if i % 2 else b"X: y"))
            slow.append(connection)
        for _ in range(3):
            assert exporter.get().elapsed.total_seconds() < patience(5)
        for connection in slow:
            connection.close()


def test_a_server_that_is_away_is_shown_as_away(tmp_path):
    with PgServer(17, settings=MONITORED_SETTINGS) as server:
        monitoring_setup(server)
        with Exporter({"main": server.dsn(user="monitor")}) as exporter:
            exporter.wait_for("pg_stat_database_xact_commit", "system_load_load1")
            server.stop("immediate")
            eventually(lambda: value(exporter.scrape(), "pg_up") == 0, 20)
            samples = exporter.scrape()
            names = {name for name, _ in samples}
            assert "pg_stat_database_xact_commit" not in names and "system_load_load1" in names
            assert value(samples, "pg_exporter_last_scrape_error") == 1
            server.start()
            eventually(lambda: value(exporter.scrape(), "pg_up") == 1, 30)
            exporter.wait_for("pg_stat_database_xact_commit")


def test_addresses_tokens_and_reload(watched):
    server, _ = watched
    targets = {"main": server.dsn(user="monitor")}
    with Exporter(targets) as exporter:
        started = eventually(lambda: exporter.log_lines("info"))[0]  # it may serve before it says so
        assert started["message"].startswith("started as an exporter only") and started["metrics"] == exporter.listen
        taken = Exporter(targets, listen=exporter.listen)
        taken.launch([program("pganalytics"), "--config", taken.config], {})
        assert taken.process.wait(patience(20)) == 1 and "already taken" in taken.log_text()
        taken.process = None
        shutil.rmtree(taken.directory)
        # Another address, and one that is not loopback where this host has one.
        old, own = exporter.url, own_address()
        exporter.port = free_port()
        exporter.url = f"http://127.0.0.1:{exporter.port}/metrics"
        exporter.listen = f"127.0.0.1:{exporter.port}, [::1]:{exporter.port}" + (f", {own}:{exporter.port}" if own else "")
        exporter.write_config(targets, extra='token = "let-me-in"')
        exporter.process.send_signal(signal.SIGHUP)
        eventually(exporter.try_scrape, 20, "the new address is not served")
        exporter.wait_for("pg_stat_user_tables_n_tup_ins")
        assert requests.get(f"http://[::1]:{exporter.port}/metrics", timeout=60).status_code == 200
        with pytest.raises(requests.ConnectionError):
            requests.get(old, timeout=60)
        if own:
            url = f"http://{own}:{exporter.port}/metrics"
            refused = requests.get(url, timeout=60)
            assert refused.status_code == 401 and refused.headers["WWW-Authenticate"].startswith("Bearer")
            for token, status in (("let-me-i", 401), ("let-me-im", 401), ("let-me-in", 200)):
                answer = requests.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
                assert answer.status_code == status, token
        exporter.listen = f"0.0.0.0:{exporter.port}"
        exporter.write_config(targets)  # for everybody, without a token: kept as it was
        exporter.process.send_signal(signal.SIGHUP)
        eventually(lambda: "no token is asked for" in exporter.log_text(), 20)
        assert exporter.try_scrape()


def own_address():
    """An address of this host that is not loopback; None where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def test_beside_a_backend_both_get_the_same(backend, watched):
    server, _ = watched
    port = free_port()
    extra = f'[prometheus]\nlisten = "127.0.0.1:{port}"\n'
    server.execute("select pg_sleep(0.2), 'once'")
    once = server.value("select queryid::text from pg_stat_statements where query like 'select pg_sleep($1), $2'")
    collector = Collector(backend, {"main": server.dsn(user="monitor")}, name="both", extra=extra)
    with collector:
        def ours():
            try:
                return parse(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=60).text)
            except requests.ConnectionError:
                return {}
        eventually(lambda: ours().get(("pganalytics_sender_batches_total", ()), 0) >= 4, 30, "nothing is sent")
        samples = ours()
        assert value(samples, "pg_stat_statements_calls_total", queryid=once) == 1, "not run since, but there"
        assert value(samples, "pganalytics_batches_total", server="main") >= 3
        assert value(samples, "pganalytics_spool_dropped_batches_total", server="main") == 0
        assert value(samples, "pganalytics_family_runs_total", family="pg_stat_database") >= 1
        check_metrics(requests.get(f"http://127.0.0.1:{port}/metrics", headers={"Accept": TEXT}, timeout=60).text)
        assert backend.api().servers()["main"]
