# SPDX-License-Identifier: PostgreSQL
"""The collector by itself, on real servers: what --validate and --dry-run say, and which increases reach its spool.

No backend runs here: batches wait in the spool, and spool_dump prints them.
"""
import json
import signal
import socket
import subprocess
import threading

import pytest
from lone import LoneCollector, find, rows, total
from pgserver import MAJORS, MONITORED_SETTINGS, PgServer, Unavailable, binaries, monitoring_setup
from stack import eventually, program

# The rules are about the statistics system, which changed in 15; every major's families are in tests/sql.
EPOCH_MAJORS = [major for major in MAJORS if major in (12, 14, 15, 18)]


@pytest.fixture(name="server")
def one_server():
    with PgServer(15, settings={**MONITORED_SETTINGS, "autovacuum": "off"}) as made:
        monitoring_setup(made)
        made.execute("create database app")
        made.execute("create table t (id int primary key, note text)", dbname="app")
        yield made


@pytest.fixture(name="collector")
def one_collector(server, tmp_path):
    made = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")})
    yield made
    made.kill()
    made.check_log()


# --- What people see ------------------------------------------------------------------------------------------------


def test_dry_run_prints_the_batch_and_what_it_costs(server, collector):
    server.execute("insert into t select g, 'x' from generate_series(1, 100) g", dbname="app")
    server.execute("alter role monitor password 'hunter2'")
    batches, report, status = collector.dry_run()
    assert status == 0, report
    batch = batches["main"]
    families = {f["family"] for f in batch["frames"]}
    assert {"pg_stat_database", "pg_stat_user_tables", "pg_stat_user_indexes", "pg_stat_statements", "statement_text",
            "pg_stat_activity", "pg_locks", "pg_settings", "system_memory", "collector_family"} <= families
    assert batch["servers"][0]["version_num"] == int(server.value("show server_version_num"))
    tables = [f for f in batch["frames"] if f["family"] == "pg_stat_user_tables" and f["database"] == "app"]
    assert find(tables, relname="t")[0]["n_live_tup"] == 100
    assert "hunter2" not in json.dumps(batches)
    lines = {words[0]: words for words in map(str.split, report.splitlines()) if words and words[0] in families}
    assert len(lines["pg_stat_database"]) == 4 and int(lines["pg_stat_database"][1]) >= 2, report
    assert sum(float(words[3]) for words in lines.values() if len(words) == 4) > 0, report  # answers that come at once cost 0.0
    assert not (collector.state / "servers").exists(), "a dry run keeps nothing"
    assert not server.log_errors()


def test_dry_run_names_what_is_missing_and_what_mends_it(server, collector):
    server.execute("drop extension pg_stat_statements; create role poor login")
    collector.write_config({"main": server.dsn(user="poor")})
    _, report, status = collector.dry_run()
    assert status == 0, report
    assert "create extension pg_stat_statements" in report
    assert 'grant pg_monitor to "poor"' in report
    assert not server.log_errors()


def test_dry_run_of_a_server_that_is_away_says_so(server, collector):
    collector.write_config({"away": "host=/nowhere user=x", "main": server.dsn(user="monitor")})
    batches, report, status = collector.dry_run()
    assert status == 1
    assert batches["away"]["servers"][0]["reachable"] is False
    assert "/nowhere" in batches["away"]["servers"][0]["error"]
    assert {"system_memory"} <= {f["family"] for f in batches["away"]["frames"]}, "the host can still be read"
    assert len(batches["main"]["frames"]) > 10, "the others are read"
    assert "cannot be read" in report
    away = report.split("server away", 1)[1].split("server main", 1)[0]
    assert "not there" not in away, "what is not known is not said to be absent"


@pytest.mark.parametrize("major", [MAJORS[0], MAJORS[-1]])
def test_dry_run_on_the_oldest_and_the_newest(major, tmp_path):
    try:
        binaries(major)
    except Unavailable as missing:
        pytest.skip(str(missing))
    with PgServer(major, settings=MONITORED_SETTINGS) as server:
        monitoring_setup(server)
        batches, report, status = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}).dry_run()
        assert status == 0, report
        assert "failed" not in report and len(batches["main"]["frames"]) > 15, report
        assert not server.log_errors()


def test_validate_names_all_faults_with_their_place(collector):
    collector.config.write_text('[collector]\nintervall = 5\n[buffer]\nmax_bytes = "lots"\n[metrics.family.pg_locs]\n')
    done = collector.command("--validate")
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert len(lines) == 3, done.stderr
    assert ":2:" in lines[0] and "interval" in lines[0]
    assert ":4:" in lines[1] and "max_bytes" in lines[1]
    assert "pg_locks" in lines[2]


def test_validate_checks_the_certificate(collector, tmp_path):
    def make(name, days):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                        "-subj", "/CN=x", "-days", str(days), "-keyout", tmp_path / f"{name}.key", "-out",
                        tmp_path / f"{name}.crt"], check=True, capture_output=True)

    make("a", 90)
    make("b", 90)
    text = collector.config.read_text()

    def validate(cert, key):
        collector.config.write_text(text.replace(
            "[backend]\n", f'[backend]\ntls_cert = "{tmp_path}/{cert}.crt"\ntls_key = "{tmp_path}/{key}.key"\n'))
        return collector.command("--validate")

    done = validate("a", "a")
    assert done.returncode == 0 and "valid for 89 more days" in done.stdout, done.stdout + done.stderr
    done = validate("a", "b")
    assert done.returncode == 2 and "key" in done.stderr
    done = validate("missing", "a")
    assert done.returncode == 2 and "missing.crt" in done.stderr


def test_a_wrong_command_line_is_explained(collector):
    done = collector.command("--dryrun")
    assert done.returncode == 2 and "did you mean --dry-run?" in done.stderr
    done = collector.command("--help")
    assert done.returncode == 0 and "--dry-run" in done.stdout
    done = collector.command("--version")
    assert done.returncode == 0 and "libpq" in done.stdout


# --- Increases ------------------------------------------------------------------------------------------------------


def insert(server, start, count):
    """One transaction each; a transaction's statistics are there when its session has ended."""
    for i in range(start, start + count):
        server.execute(f"insert into t values ({i}, 'x')", dbname="app")


def inserted(collector):
    return total(collector.frames("pg_stat_user_tables", database="app"), "n_tup_ins", relname="t")


def test_increases_are_exact_across_kills_of_the_collector(server, collector):
    insert(server, 0, 3)
    collector.start()
    collector.wait_for_batches(2)
    done = 3
    for turn in range(4):
        insert(server, done, 10)
        done += 10
        if turn % 2:
            collector.wait_for_batches(1)
        collector.kill()
        insert(server, done, 7)  # while nobody looks
        done += 7
        collector.start()
        collector.wait_for_batches(1)
    collector.wait_for_batches(2)
    collector.stop()
    assert inserted(collector) == done - 3
    frames = collector.frames("pg_stat_user_tables", database="app")
    assert not any(f.get("gap") for f in frames)
    assert [b["sequence"] for b in collector.batches()] == list(range(1, len(collector.batches()) + 1))


def test_a_clean_restart_of_the_server_loses_nothing(server, collector):
    insert(server, 0, 3)
    collector.start()
    collector.wait_for_batches(2)
    insert(server, 3, 10)
    server.restart()
    insert(server, 13, 5)
    eventually(lambda: inserted(collector) == 15, 30, "the increase across the restart")
    assert not any(f.get("gap") for f in collector.frames("pg_stat_user_tables", database="app"))


@pytest.mark.parametrize("major", EPOCH_MAJORS)
def test_a_crash_of_the_server_is_a_gap_and_no_number(major, tmp_path):
    try:
        binaries(major)
    except Unavailable as missing:
        pytest.skip(str(missing))
    with PgServer(major, settings={**MONITORED_SETTINGS, "autovacuum": "off"}) as server:
        monitoring_setup(server)
        server.execute("create database app")
        server.execute("create table t (id int primary key, note text)", dbname="app")
        insert(server, 0, 1)
        collector = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}).start()
        collector.wait_for_batches(2)
        server.restart()  # clean: the same statistics go on
        collector.wait_for_batches(2)
        assert not any(f.get("gap") for f in collector.frames("pg_stat_database"))
        server.stop("immediate")
        server.start()
        insert(server, 1, 30)  # more than was counted before the crash: only the epoch tells
        eventually(lambda: any(f.get("gap") for f in collector.frames("pg_stat_user_tables", database="app")), 30,
                   "no gap was marked")
        insert(server, 31, 4)
        eventually(lambda: inserted(collector) >= 4, 30, "counting did not go on")
        collector.wait_for_batches(1)
        assert inserted(collector) <= 34
        for frame in collector.frames("pg_stat_database"):
            for row in rows(frame):
                assert all(v is None or not isinstance(v, (int, float)) or v >= 0 for v in row.values()), row
        collector.stop()


def test_a_promotion_is_seen_and_counting_goes_on(server, collector):
    standby = server.make_standby()
    try:
        standby.start()
        collector.write_config({"main": standby.dsn(user="monitor")})
        collector.start()
        batch = collector.wait_for_batches(2)[-1]
        assert batch["servers"][0]["in_recovery"] is True
        assert any(f["family"] == "pg_stat_wal_receiver" for f in batch["frames"])
        standby.execute("select pg_promote()")
        eventually(lambda: not collector.batches()[-1]["servers"][0].get("in_recovery", False), 30, "not seen")
        batch = collector.wait_for_batches(2)[-1]
        assert not any(f["family"] == "pg_stat_wal_receiver" for f in batch["frames"])
        assert not any(f.get("gap") for f in collector.frames("pg_stat_database"))
        assert any(line["message"] == "server changed its role" for line in collector.log_lines())
        assert not [line for line in standby.log_errors() if "terminating walreceiver" not in line]
        collector.stop()
    finally:
        standby.remove()


def test_a_reset_of_statistics_gives_nulls_not_spikes(server, collector):
    insert(server, 0, 50)
    collector.start()
    collector.wait_for_batches(2)
    server.execute("select pg_stat_reset()", dbname="app")
    server.execute("select pg_stat_statements_reset()")
    insert(server, 50, 4)
    collector.wait_for_batches(2)
    insert(server, 54, 6)
    eventually(lambda: inserted(collector) in (6, 10), 30, "counting did not go on")
    calls = [row["calls"] for row in find(collector.frames("pg_stat_statements"), datname="app")]
    assert all(c is None or 0 <= c <= 50 for c in calls), calls


def test_a_turn_that_tells_nothing_is_not_kept_and_one_that_does_does_not_wait(server, tmp_path):
    """Locks are looked at each second, everything else each hour: that costs no batch while nobody waits."""
    collector = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}, interval=3600,
                              extra="[metrics.family.pg_blocking]\ninterval = 1\n")
    collector.start()
    first = collector.wait_for_batches(1)
    looked = "select coalesce(sum(calls), 0) from pg_stat_statements where query like '%pg_stat_progress_vacuum%'"
    before = server.value(looked)
    eventually(lambda: server.value(looked) >= before + 3, 30, "it does not look for those who wait")
    assert len(collector.batches()) == len(first)
    holder = server.connect("app")
    holder.cursor().execute("begin; lock table t")
    waiter = threading.Thread(target=lambda: server.execute("select from t", dbname="app"))
    waiter.start()
    try:
        eventually(lambda: any(frame["rows"] for frame in collector.frames("pg_blocking")), 20, "the queue is not told")
        told = collector.batches()
    finally:
        holder.close()
        waiter.join()
    eventually(lambda: not collector.frames("pg_blocking")[-1]["rows"], 20, "the end of the queue is not told")
    assert len(told) > len(first)
    assert not server.log_errors()
    collector.stop()


def test_unchanged_rows_do_not_travel(server, collector):
    server.execute("create table still ()", dbname="app")
    collector.start()
    collector.wait_for_batches(4)
    frames = collector.frames("pg_stat_user_tables", database="app")
    assert frames[0]["keyframe"] and find(frames[:1], relname="still")
    assert len(frames) > 2 and not find(frames[1:], relname="still")


def test_texts_travel_once_and_without_values(server, collector):
    server.execute("select 'hunter2' as only_once", dbname="app")
    server.execute("alter role monitor password 'hunter2'")
    collector.start()
    eventually(lambda: find(collector.frames("statement_text")), 30, "no texts")
    collector.stop()
    collector.start()
    collector.wait_for_batches(3)
    texts = [row["query"] for row in find(collector.frames("statement_text")) if "only_once" in (row["query"] or "")]
    assert texts == ["select $1 as only_once"]
    assert "hunter2" not in json.dumps(collector.batches())


# --- When things break ----------------------------------------------------------------------------------------------


def test_a_server_that_goes_away_comes_back(server, collector):
    collector.start()
    collector.wait_for_batches(2)
    server.stop()
    eventually(lambda: collector.batches()[-1]["servers"][0].get("reachable") is False, 30, "not said to be away")
    server.start()
    eventually(lambda: collector.batches()[-1]["servers"][0].get("reachable", True), 30, "not said to be back")
    messages = [line["message"] for line in collector.log_lines()]
    assert messages.count("server cannot be read") == 1 and messages.count("server is read again") == 1, messages


def test_one_server_that_hangs_does_not_hinder_the_others(server, collector):
    with PgServer(15, settings=MONITORED_SETTINGS) as other:
        monitoring_setup(other)
        collector.write_config({"main": server.dsn(user="monitor"), "other": other.dsn(user="monitor")})
        collector.start()
        collector.wait_for_batches(2, "other")
        other.pause()
        try:
            collector.wait_for_batches(4)
        finally:
            other.resume()
        collector.wait_for_batches(1, "other")


def test_a_locked_table_does_not_hold_up_the_reading(server, collector):
    holder = server.connect("app")
    holder.autocommit = False
    holder.cursor().execute("lock table t in access exclusive mode")
    collector.start()
    collector.wait_for_batches(3)
    assert find(collector.frames("pg_stat_user_tables", database="app"), relname="t")
    assert find(collector.frames("pg_locks"))
    holder.close()


def test_reload_applies_what_is_valid_and_keeps_the_rest(server, collector):
    collector.start()
    collector.wait_for_batches(1)
    good = collector.config.read_text()

    collector.config.write_text(good + "[collector.x]\n")
    collector.process.send_signal(signal.SIGHUP)
    eventually(lambda: any(l["message"] == "settings are kept as they were" for l in collector.log_lines("error")), 20,
               "the fault was not logged")
    collector.wait_for_batches(1)

    collector.config.write_text(good + "[metrics.family.pg_settings]\nenabled = false\n")
    collector.process.send_signal(signal.SIGHUP)
    eventually(lambda: any(l["message"] == "settings were read anew" for l in collector.log_lines()), 20, "no reload")
    before = len(collector.batches())
    collector.wait_for_batches(2)
    later = collector.batches()[before + 1:]
    assert later and not any(f["family"] == "pg_settings" for b in later for f in b["frames"])
    database = [f for b in later for f in b["frames"] if f["family"] == "pg_stat_database"]
    assert database and not any(f.get("gap") or f.get("interval_ms", 0) == 0 for f in database), "increases go on"
    collector.stop()


def test_a_server_can_be_added_and_taken_out_while_it_runs(server, collector):
    collector.start()
    collector.wait_for_batches(1)
    collector.write_config({"main": server.dsn(user="monitor"), "second": server.dsn(user="monitor")})
    collector.process.send_signal(signal.SIGHUP)
    collector.wait_for_batches(2, "second")
    collector.write_config({"second": server.dsn(user="monitor")})
    collector.process.send_signal(signal.SIGHUP)
    eventually(lambda: sum(l["message"] == "settings were read anew" for l in collector.log_lines()) == 2, 20, "reload")
    left = len(collector.batches("main"))
    batches = collector.wait_for_batches(2, "second")
    assert len(collector.batches("main")) == left > 0, "nothing more is read, what waits is kept"
    frames = [f for b in batches for f in b["frames"] if f["family"] == "pg_stat_database"]
    assert sum(f.get("interval_ms", 0) == 0 for f in frames) == 1, "the server that stayed was not disturbed"
    collector.stop()


def test_only_one_collector_runs_in_a_state_directory(collector):
    collector.start()
    collector.wait_for_batches(1)
    done = collector.command()
    assert done.returncode == 1
    assert str(collector.process.pid) in done.stderr


def test_a_state_directory_that_cannot_be_written_is_told_with_the_cure(collector):
    text = collector.config.read_text()
    collector.config.write_text(text.replace(f'state_dir = "{collector.state}"', 'state_dir = "/sys/pganalytics"'))
    done = collector.command()
    assert done.returncode == 1 and "/sys/pganalytics" in done.stderr and "state_dir must be" in done.stderr, done.stderr


@pytest.mark.parametrize("scheme", ["http", "HTTP"])
def test_registration_does_not_send_the_secret_in_the_clear(tmp_path, scheme):
    secret = tmp_path / "secret"
    secret.write_text("a-registration-secret-of-some-length\n")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        done = subprocess.run([program("pganalytics"), "register", "--api", f"{scheme}://127.0.0.1:{listening.getsockname()[1]}",
                               "--state-dir", tmp_path / "state", "--secret-file", secret], capture_output=True, text=True,
                              timeout=60, cwd=tmp_path, check=False)
        with pytest.raises(BlockingIOError):
            listening.accept()
    assert done.returncode == 2 and "not encrypted" in done.stderr and "https://" in done.stderr
    assert not (tmp_path / "state" / "identity.json").exists()
