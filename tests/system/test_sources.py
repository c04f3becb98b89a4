# SPDX-License-Identifier: PostgreSQL
"""What is read beside a server, from real programs: PgBouncer with work of known size, pgBackRest and barman with real
backups, Patroni with a server of its own. WAL-G has no package and is not run: its answers are in the unit tests.

The rows are looked at where they end: in the backend's store, or in the batch that --dry-run prints."""
import contextlib
import json
import pathlib
import signal
import subprocess

import psycopg2
import psycopg2.extras
import pytest

from beside import BackRest, Barman, Beside, PatroniCluster, as_server_user, give_to_server_user
from pgbouncer import PgBouncer
from pgserver import MONITORED_SETTINGS, PgServer, binaries, monitoring_setup
from stack import Collector, eventually, program


class Watched:
    """A backend, and a collector with @extra settings for @server, reading every second or @interval seconds."""

    def __init__(self, backend, server, extra, name, interval=1):
        self.backend = backend
        self.api = backend.api()
        self.collector = Collector(backend, {name: server.dsn(user="monitor")}, name=name, extra=extra, interval=interval)
        self.name = name

    def __enter__(self):
        self.collector.__enter__()
        return self

    def __exit__(self, *arguments):
        self.collector.__exit__(*arguments)

    @property
    def server_id(self):
        return self.api.servers()[self.name]["id"]

    def select(self, sql):
        """Its first parameter is the server."""
        with psycopg2.connect(self.backend.store_dsn()) as store:
            with store.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
                cursor.execute(sql, (self.server_id,))
                return [dict(row) for row in cursor.fetchall()]

    def rows(self, family):
        """The newest row of each series."""
        return self.select(f"select distinct on (v.series_id) v.* from metric_view.{family} v where server_id = %s"
                           " order by v.series_id, v.time desc")

    def stored(self, family, condition):
        """All rows of any time: a state that passes may have passed between two looks."""
        return self.select(f"select * from metric_view.{family} where server_id = %s and {condition}")

    def row(self, family, **labels):
        found = [row for row in self.rows(family) if all(row[k] == v for k, v in labels.items())]
        assert len(found) == 1, found
        return found[0]

    def sees(self, family, condition, what, seconds=30, **labels):
        """Waits until the newest row fulfils @condition, and returns it."""
        last = []

        def look():
            if self.name not in self.api.servers():
                return False
            last[:] = self.rows(family)
            return any(condition(row) for row in last if all(row[k] == v for k, v in labels.items()))

        try:
            eventually(look, seconds, what)
        except AssertionError as error:
            raise AssertionError(f"{error}: {last}\n{self.collector.log_tail()}") from None
        return next(row for row in last if condition(row) and all(row[k] == v for k, v in labels.items()))


@pytest.fixture(scope="module")
def served():
    with PgServer(15, settings=MONITORED_SETTINGS, tcp=True) as server:
        monitoring_setup(server)
        yield server


def pgbouncer_table(pooler, name="main", user="postgres"):
    return f'[[pgbouncer]]\nname = "{name}"\nhost = "127.0.0.1"\nport = {pooler.port}\nuser = "{user}"\n'


def pooler_for(server):
    return PgBouncer({"postgres": server, "template1": server}, mode="transaction",
                     settings={"stats_users": "postgres", "max_client_conn": 77})


def work(pooler, count, dbname="postgres"):
    """@count transactions through the pooler."""
    with contextlib.closing(psycopg2.connect(pooler.dsn(dbname, "postgres"))) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for _ in range(count):
                cursor.execute("select 1")


def test_counters_of_a_pooler_are_the_work_done(backend, served):
    with pooler_for(served) as pooler, Watched(backend, served, pgbouncer_table(pooler), "pooled") as watched:
        def counted(database="postgres"):
            return watched.api.increase(watched.server_id, "pgbouncer_stats.xact_count", {"database": database})

        def settle():
            """A reading that began behind everything done so far has arrived."""
            for _ in range(2):
                now = watched.row("pgbouncer_state")["time"]
                eventually(lambda now=now: watched.row("pgbouncer_state")["time"] > now, 20, "no reading")

        work(pooler, 3)
        state = watched.sees("pgbouncer_state", lambda row: row["up"] == 1, "the pooler is not read")
        assert state["version"] == "1.18.0" and state["max_client_conn"] == 77 and state["error"] is None
        watched.sees("pgbouncer_pools", lambda row: row["sv_idle"] >= 1, "no pool", database="postgres")
        settle()
        before = counted()
        assert before in (0, 3)  # what was done before the first reading has no start that is known
        work(pooler, 40)
        eventually(lambda: counted() == before + 40, 20, "the work is not counted")
        work(pooler, 7, "template1")  # a database that enters counts from zero
        eventually(lambda: counted("template1") == 7, 20, "the other database is not counted")
        databases = {row["database"]: row for row in watched.rows("pgbouncer_databases")}
        assert databases["template1"]["pool_size"] == 3 and "pgbouncer" not in databases

        # Started again, with more work done than before, while nobody looked: nothing of that is an increase.
        watched.collector.process.send_signal(signal.SIGSTOP)
        pooler.kill()
        pooler.start()
        work(pooler, 100)
        watched.collector.process.send_signal(signal.SIGCONT)
        eventually(lambda: watched.stored("pgbouncer_state", "up = 0 and error is not null"), what="the loss is not noticed")
        watched.sees("pgbouncer_state", lambda row: row["up"] == 1, "it is not read again")
        settle()
        again = counted()
        assert again == before + 40
        work(pooler, 5)
        eventually(lambda: counted() == again + 5, 20, "it is not counted on")

        # A pause of one database, and a client that waits for its end.
        pooler.admin("pause postgres")
        watched.sees("pgbouncer_databases", lambda row: row["paused"] == 1, "no pause", database="postgres")
        client = subprocess.Popen(["psql", "-XAtc", "select 1", pooler.dsn("postgres", "postgres")],
                                  stdout=subprocess.DEVNULL)
        try:
            row = watched.sees("pgbouncer_pools", lambda row: row["cl_waiting"] >= 1 and row["maxwait"] > 0,
                               "nobody waits", database="postgres")
            assert row["pool_mode"] == "transaction"
            pooler.admin("resume postgres")
            assert client.wait(20) == 0
        finally:
            client.kill()
            client.wait()
        eventually(lambda: counted() == again + 6, 20, "the last one is not counted")
        said = [line["message"] for line in watched.collector.log_lines("warn")]
        assert said.count("source cannot be read") == 1  # once, then held back
        assert "ERROR" not in pooler.log_path.read_text()  # every command was known


def test_several_readings_between_two_ticks_are_counted_once(backend, served):
    """Each has its own increase, though they leave together."""
    often = "".join(f"[metrics.family.{name}]\ninterval = 1\n" for name in ("pgbouncer_state", "pgbouncer_stats"))
    with pooler_for(served) as pooler, Watched(backend, served, pgbouncer_table(pooler) + often, "often", 5) as watched:
        def counted():
            return watched.api.increase(watched.server_id, "pgbouncer_stats.xact_count", {"database": "postgres"})

        work(pooler, 1)
        watched.sees("pgbouncer_state", lambda row: row["up"] == 1, "the pooler is not read")
        for _ in range(2):  # a reading that began behind it has arrived
            last = watched.row("pgbouncer_state")["time"]
            eventually(lambda known=last: watched.row("pgbouncer_state")["time"] > known, 30, "no reading")
        before = counted()
        done = 0
        begin = watched.row("pgbouncer_state")["time"]
        while (watched.row("pgbouncer_state")["time"] - begin).total_seconds() < 12:
            work(pooler, 10)
            done += 10
        eventually(lambda: counted() >= before + done, 30, "the work is not counted")
        last = watched.row("pgbouncer_state")["time"]
        eventually(lambda known=last: watched.row("pgbouncer_state")["time"] > known, 30, "no reading")
        assert counted() == before + done
        with psycopg2.connect(watched.backend.store_dsn()) as store, store.cursor() as cursor:
            cursor.execute("select count(distinct time) from metric_view.pgbouncer_state where server_id = %s", (watched.server_id,))
            (readings,) = cursor.fetchone()
            cursor.execute("select count(distinct time) from pganalytics.reading join pganalytics.families using (family_id)"
                           " where family = 'pg_stat_database' and server_id = %s", (watched.server_id,))
            (ticks,) = cursor.fetchone()
        assert readings > 1.5 * ticks, "they were not read oftener than sent"


def test_a_pooler_that_hangs_and_one_that_refuses_do_not_hinder_another(backend, served):
    with pooler_for(served) as good, pooler_for(served) as bad:
        extra = (pgbouncer_table(good) + pgbouncer_table(bad, "hangs") +
                 pgbouncer_table(good, "refused", user="monitor"))
        with Watched(backend, served, extra, "poolers") as watched:
            watched.sees("pgbouncer_state", lambda row: row["up"] == 1, "it is not read", pgbouncer="hangs")
            row = watched.sees("pgbouncer_state", lambda row: row["up"] == 0, "no reason", pgbouncer="refused")
            assert "stats_users" in row["error"]
            bad.pause()
            try:
                row = watched.sees("pgbouncer_state", lambda row: row["up"] == 0, "not noticed", pgbouncer="hangs")
                assert "5000 ms" in row["error"]
                since = row["time"]
                watched.sees("pgbouncer_state", lambda row: row["up"] == 1 and row["time"] > since,
                             "the other one is not read", pgbouncer="main")
            finally:
                bad.resume()
            watched.sees("pgbouncer_state", lambda row: row["up"] == 1, "it is not read again", 60, pgbouncer="hangs")


def dry_run(directory, server, extra):
    """(frames by family as lists of dictionaries, report, exit status) of a collector that is run as the server's user."""
    config = directory / "collector.toml"
    config.write_text(f'[collector]\nstate_dir = "{directory}/state"\n[[postgres]]\n'
                      f'dsn = {json.dumps(server.dsn(user="monitor"))}\ndatabases = ["postgres"]\n{extra}')
    give_to_server_user(config)
    done = subprocess.run([str(program("pganalytics")), "--config", str(config), "--dry-run"], text=True,
                          capture_output=True, timeout=120, check=False, **as_server_user(),
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"})
    families = {}
    for line in done.stdout.splitlines():
        for frame in json.loads(line)["frames"]:
            families[frame["family"]] = [dict(zip(frame["columns"], row)) for row in frame["rows"]]
    return families, done.stderr, done.returncode


@pytest.fixture
def place():
    """A directory that the server's user owns."""
    with Beside("pga-sources-") as one:
        yield one.directory


def backup_table(one, name="main", **keys):
    lines = "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())
    return f'[[backup]]\nname = "{name}"\ncommand = [{json.dumps(str(one))}]\n{lines}'


def test_pgbackrest_with_real_backups(place):
    with BackRest() as rest:
        server = PgServer(15, settings={**MONITORED_SETTINGS, **rest.server_settings()})
        rest.configure(server)
        extra = backup_table(rest.program, tool="pgbackrest", stanza="main")
        with server:
            monitoring_setup(server)
            families, _, status = dry_run(place, server, extra)
            assert status == 0 and families["backup"][0]["errors"] == 1  # no stanza yet
            assert families["backup"][0]["status"] == "missing stanza path"

            rest.run("stanza-create")
            rest.run("backup", "--type=full")
            server.execute("create table t as select g from generate_series(1, 1000) g")
            rest.run("backup", "--type=incr")
            families, _, status = dry_run(place, server, extra)
            truth = {one["type"]: one for one in json.loads(rest.run("info", "--output=json").stdout)[0]["backup"]}
            row = families["backup"][0]
            assert status == 0 and families["backup_state"][0]["up"] == 1
            assert (row["tool"], row["stanza"], row["repository"], row["status"]) == ("pgbackrest", "main", "1", "ok")
            assert (row["backups"], row["full_backups"], row["incremental_backups"], row["errors"]) == (2, 1, 1, 0)
            assert row["last_label"] == truth["incr"]["label"] and row["last_type"] == "incremental"
            assert row["last_full_time"] == truth["full"]["timestamp"]["stop"]
            assert row["last_full_size"] == truth["full"]["info"]["size"]
            assert row["last_repository_delta_size"] == truth["incr"]["info"]["repository"]["delta"]
            assert 0 <= row["last_age"] < 120
            archive = families["backup_archive"][0]
            position = server.value("select pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")
            # The dry run came before this look at the position: it can only have grown.
            assert archive["archived_position"] + archive["lag"] <= max(position, archive["archived_position"])
            assert archive["lag"] < 64 << 20

            # The archive does not go on: the lag grows by what is written.
            server.execute("alter system set archive_command = 'false'")
            server.reload()
            server.wait_until("select current_setting('archive_command') = 'false'")
            for _ in range(3):
                server.execute("create table if not exists u (); drop table u; select pg_switch_wal()")
            families, _, _ = dry_run(place, server, extra)
            assert families["backup_archive"][0]["lag"] >= archive["lag"] + (2 << 24)

            # A second repository that cannot be read is a row of its own; the first is what it was.
            rest.configure(server, second_repository="/proc/nowhere")
            families, _, status = dry_run(place, server, extra)
            found = {one["repository"]: one for one in families["backup"]}
            assert found["1"]["errors"] == 0 and found["1"]["backups"] == 2
            assert found["2"]["errors"] == 1 and found["2"]["status"] == "missing stanza path"

            # No right to read the configuration: the reason, and what to do.
            (rest.directory / "pgbackrest.conf").chmod(0)
            families, report, status = dry_run(place, server, extra)
            assert status == 1 and families["backup"] == [] and families["backup_state"][0]["up"] == 0
            assert "Permission denied" in report and "must be able to read pgbackrest.conf" in report


def test_barman_with_a_real_backup(place):
    with Barman() as barman:
        server = PgServer(15, settings={**MONITORED_SETTINGS, **barman.server_settings()})
        barman.configure(server)
        extra = backup_table(barman.program, tool="barman", server_name="main")
        with server:
            monitoring_setup(server)
            done = barman.run("--format", "json", "check", "main", check=False)  # also makes its directories
            assert done.returncode == 1 and json.loads(done.stdout)["main"]["wal_archive"]["status"] == "FAILED"
            server.execute("select pg_switch_wal()")
            eventually(lambda: list((barman.home / "main" / "incoming").iterdir()), 20, "nothing is archived")
            barman.run("archive-wal", "main")
            barman.run("backup", "main")
            truth = json.loads(barman.run("--format", "json", "show-backup", "main", "latest").stdout)["main"]
            families, _, status = dry_run(place, server, extra)
            row = families["backup"][0]
            assert status == 0 and (row["backups"], row["full_backups"], row["errors"]) == (1, 1, 0)
            assert row["last_label"] == truth["backup_id"] and row["status"] == "ok"
            assert row["last_time"] == int(truth["base_backup_information"]["end_time_timestamp"])
            assert row["last_size"] == truth["base_backup_information"]["disk_usage_bytes"]
            assert families["backup_archive"][0]["failing"] == 0
            assert families["backup_archive"][0]["max_wal"] == truth["wal_information"]["last_available"]

            families, report, status = dry_run(place, server, extra.replace('"main"\n', '"other"\n'))
            assert status == 1 and "other" in report


def is_alive(pid):
    """Neither gone nor a zombie that nobody has looked after yet."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def test_tools_that_fail_hang_or_flood(place, served):
    def script(name, text):
        path = place / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    hang = script("hang", f"sleep 1000 & echo $! > {place}/pid; wait")
    extra = "".join([
        backup_table(place / "nothing", "gone", tool="wal-g"),
        backup_table(script("fail", "echo 'ERROR: PGPASSWORD=geheim postgres://u:geheim@h is refused' >&2; exit 3"),
                     "fails", tool="wal-g"),
        backup_table(hang, "hangs", tool="wal-g", timeout=1),
        backup_table(script("flood", "yes"), "floods", tool="wal-g", timeout=30),
        backup_table(script("odd", "echo '<html>'"), "odd", tool="pgbackrest"),
        backup_table(script("none", ""), "empty", tool="wal-g")])
    families, report, status = dry_run(place, served, extra)
    errors = {one["backup"]: one["error"] for one in families["backup_state"]}
    assert status == 1 and "No such file or directory" in errors["gone"]
    assert "ended with status 3" in errors["fails"] and "is refused" in errors["fails"]
    assert "geheim" not in json.dumps(families) + report
    assert "took longer than 1000 ms" in errors["hangs"]
    assert "gave more than 8388608 bytes" in errors["floods"]
    assert "what pgbackrest printed for info" in errors["odd"]
    assert errors["empty"] is None
    pid = int((place / "pid").read_text())
    eventually(lambda: not is_alive(pid), 20, "what it started is left")


def test_patroni(backend, served, place):
    with PatroniCluster(binaries(15)).start() as patroni:
        eventually(patroni.is_leading, 60, "Patroni does not lead")
        families, _, status = dry_run(place, served, f'[[patroni]]\nurl = "{patroni.url}/"\n')
        node = patroni.get("/patroni").json()
        row = families["patroni_state"][0]
        assert status == 0 and row["up"] == 1 and row["version"] == node["patroni"]["version"]
        assert (row["scope"], row["server_version"], row["timeline"]) == ("testing", node["server_version"], 1)
        assert row["wal_position"] <= node["xlog"]["location"]
        member = families["patroni_member"][0]
        assert (member["member"], member["role"], member["leader"], member["running"]) == ("node1", "leader", 1, 1)
        assert member["port"] == patroni.server_port and json.loads(member["tags"]) == {"where": "here"}
        cluster = families["patroni_cluster"][0]
        assert (cluster["leader"], cluster["members"], cluster["paused"], cluster["failovers"]) == ("node1", 1, 0, 0)

        with Watched(backend, served, f'[[patroni]]\nurl = "{patroni.url}"\n', "patroni") as watched:
            watched.sees("patroni_cluster", lambda row: row["paused"] == 0, "it is not read")
            assert patroni.patch("/config", {"pause": True}).ok
            watched.sees("patroni_cluster", lambda row: row["paused"] == 1, "the pause is not seen")
            assert patroni.patch("/config", {"pause": None}).ok
            watched.sees("patroni_cluster", lambda row: row["paused"] == 0, "the end of the pause is not seen")
            patroni.stop()
            watched.sees("patroni_state", lambda row: row["up"] == 0 and row["error"], "its end is not noticed")
