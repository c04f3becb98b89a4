# SPDX-License-Identifier: PostgreSQL
"""The collector without a backend: what it would send waits in its spool, and spool_dump prints it.

    collector = LoneCollector(tmp_path, {"main": server.dsn(user="monitor")}).start()
    collector.wait_for_batches(2)
    assert total(collector.frames("pg_stat_user_tables"), "n_tup_ins", relname="t") == 10
"""
import json
import os
import shutil
import subprocess

from stack import Process, program
from wait import eventually, patience

NOWHERE = "https://127.0.0.1:1"


def copy_directory(source, target):
    """False when a file went away meanwhile."""
    shutil.rmtree(target, ignore_errors=True)
    try:
        shutil.copytree(source, target)
    except (shutil.Error, FileNotFoundError):
        return False
    return True


def read_batches(spool, copy):
    """All batches of the directory @spool, in order, by way of a copy: its owner may be at work."""
    eventually(lambda: copy_directory(spool, copy), 10, "the spool changes faster than it can be copied")
    done = subprocess.run([program("spool_dump"), copy], capture_output=True, text=True, timeout=patience(60),
                          check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class LoneCollector(Process):
    """pganalytics with a token, but nobody to send to."""

    def __init__(self, directory, servers, interval=1, extra=""):
        super().__init__(directory, "collector")
        self.state = self.directory / "state"
        self.config = self.directory / "collector.toml"
        self.write_config(servers, interval, extra)

    def write_config(self, servers, interval=1, extra=""):
        tables = "".join(f"[[postgres]]\nname = \"{name}\"\ndsn = {json.dumps(dsn)}\n" for name, dsn in servers.items())
        # Read every second, everything costs sixty times as much as in life.
        limits = "" if "[limits]" in extra else "[limits]\ncpu_budget = 100\n"
        self.config.write_text(
            f'[collector]\nid = "lone"\ninterval = {interval}\nstate_dir = "{self.state}"\n[backend]\nurl = "{NOWHERE}"\n'
            f'[security]\njwt_token = "x"\n[metrics]\ndirectory = "{self.directory}/metrics.d"\n{limits}{tables}{extra}')

    def start(self):
        self.launch([program("pganalytics"), "--config", self.config], {})
        return self

    def command(self, *arguments, environment=None):
        return subprocess.run([program("pganalytics"), "--config", self.config, *arguments], capture_output=True,
                              text=True, timeout=patience(60), check=False,
                              env={"PATH": os.environ["PATH"], **(environment or {})})

    def dry_run(self):
        """Batches by server, what stands on standard error, and the exit status."""
        done = self.command("--dry-run")
        batches = [json.loads(line) for line in done.stdout.splitlines()]
        return {b["servers"][0]["name"]: b for b in batches}, done.stderr, done.returncode

    def batches(self, server="main"):
        """All batches in the spool so far, in order. Works while the collector runs, too."""
        spool = self.state / "servers" / server / "spool"
        if not spool.exists():
            return []
        return read_batches(spool, self.directory / "spool-copy")

    def frames(self, family, server="main", database=None):
        return [f for b in self.batches(server) for f in b["frames"]
                if f["family"] == family and (database is None or f.get("database") == database)]

    def wait_for_batches(self, count, server="main"):
        """Until @count more batches are there."""
        target = len(self.batches(server)) + count
        return eventually(lambda: len(self.batches(server)) >= target and self.batches(server), 30, "no more batches")


def rows(frame):
    return [dict(zip(frame["columns"], row)) for row in frame["rows"]]


def find(frames, **labels):
    """The rows with these labels, of all frames."""
    return [row for frame in frames for row in rows(frame) if all(row[k] == v for k, v in labels.items())]


def rows_read(collector, family):
    """In each turn, as the collector tells of itself."""
    return [row["rows"] for row in find(collector.frames("collector_family"), family=family) if row["rows"] is not None]


def total(frames, column, **labels):
    return sum(row[column] or 0 for row in find(frames, **labels))
