# SPDX-License-Identifier: PostgreSQL
"""Programs that run beside a server, real ones, unpacked from packages: pgBackRest with a stanza, barman, Patroni. They
run as the user that runs the test servers, and are gone at the end. (A pooler: pgbouncer.py)"""
import os
import pathlib
import shutil
import subprocess
import tempfile

import requests

import parts
from pgserver import _server_user
from ports import free_port
from wait import patience


def as_server_user():
    """Options of subprocess for a program that must not run as root."""
    user = _server_user()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if user else {}


def give_to_server_user(*paths):
    user = _server_user()
    for path in paths:
        if user:
            os.chown(path, user.pw_uid, user.pw_gid)


class Beside:
    """A directory that the server's user owns, and at most one program in it."""

    def __init__(self, prefix):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix=prefix))
        self.directory.chmod(0o755)
        give_to_server_user(self.directory)
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def write(self, name, text, mode=0o644):
        path = self.directory / name
        path.write_text(text)
        path.chmod(mode)
        give_to_server_user(path)
        return path

    def launch(self, command, environment):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen([str(c) for c in command], cwd=self.directory, env=environment, stdout=log,
                                            stderr=log, stdin=subprocess.DEVNULL, **as_server_user())

    def log_text(self):
        return (self.directory / "log").read_text(errors="replace")

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class BackRest(Beside):
    """pgBackRest with the stanza `main` for @server, which must have been started with archive settings of ours."""

    def __init__(self, prefix="pga-backrest-"):
        super().__init__(prefix)
        self.repository = self.directory / "repository"
        for name in ("repository", "logs", "lock", "spool"):
            (self.directory / name).mkdir()
            give_to_server_user(self.directory / name)
        # The library path is part of the command: the server that archives does not know of it.
        environment = parts.environment("pgbackrest")
        self.program = self.write("pgbackrest", f"""#!/bin/sh
LD_LIBRARY_PATH={environment["LD_LIBRARY_PATH"]} exec {parts.program("pgbackrest", "usr/bin/pgbackrest")} \
--config={self.directory}/pgbackrest.conf "$@"
""", 0o755)

    def server_settings(self):
        return {"archive_mode": "on", "archive_command": f"{self.program} --stanza=main archive-push %p",
                "wal_level": "replica", "archive_timeout": 0}

    def configure(self, server, second_repository=None):
        more = f"repo2-path={second_repository}\n" if second_repository else ""
        self.write("pgbackrest.conf", f"""[global]
repo1-path={self.repository}
{more}log-path={self.directory}/logs
lock-path={self.directory}/lock
spool-path={self.directory}/spool
start-fast=y
compress-type=gz
compress-level=1
log-level-console=off
log-level-stderr=error
[main]
pg1-path={server.data}
pg1-socket-path={server.directory}
pg1-port={server.port}
pg1-user=postgres
""")

    def run(self, *arguments, check=True):
        done = subprocess.run([str(self.program), "--stanza=main", *arguments], text=True, capture_output=True,
                              timeout=patience(60), check=False, **as_server_user())
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done


def python_environment(part):
    """For a Python program of the part, with the system's interpreter and the part's modules."""
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": parts.environment(part)["LD_LIBRARY_PATH"],
            "PYTHONPATH": str(parts.root(part) / "usr/lib/python3/dist-packages"), "PYTHONDONTWRITEBYTECODE": "1"}


class Barman(Beside):
    """barman with the server `main`: base backups by pg_basebackup, the archive by an archive_command that copies."""

    def __init__(self):
        super().__init__("pga-barman-")
        self.home = self.directory / "home"
        self.home.mkdir()
        give_to_server_user(self.home)
        environment = python_environment("barman")
        assignments = " ".join(f"{k}='{v}'" for k, v in environment.items())
        self.program = self.write("barman", f"""#!/bin/sh
{assignments} exec /usr/bin/python3 {parts.program("barman", "usr/bin/barman")} -c {self.directory}/barman.conf "$@"
""", 0o755)

    def server_settings(self):
        return {"archive_mode": "on", "archive_command": f"cp %p {self.home}/main/incoming/%f", "wal_level": "replica"}

    def configure(self, server):
        user = _server_user()
        self.write("barman.conf", f"""[barman]
barman_home = {self.home}
barman_user = {user.pw_name if user else os.environ["USER"]}
log_file = {self.directory}/barman.log
compression = gzip
retention_policy = REDUNDANCY 1
[main]
description = test
conninfo = host={server.directory} port={server.port} user=postgres dbname=postgres
streaming_conninfo = host={server.directory} port={server.port} user=postgres
backup_method = postgres
archiver = on
immediate_checkpoint = true
path_prefix = {server.bindir}
""")
        incoming = self.home / "main" / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        give_to_server_user(incoming.parent, incoming)

    def run(self, *arguments, check=True):
        done = subprocess.run([str(self.program), *arguments], text=True, capture_output=True, timeout=patience(60),
                              check=False, cwd=self.directory, **as_server_user())
        assert not check or done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done


class PatroniCluster(Beside):
    """One Patroni node with a server of its own; its configuration store is Patroni's own raft on this node alone."""

    def __init__(self, bindir):
        super().__init__("pga-patroni-")
        self.port, self.server_port, raft_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.write("patroni.yml", f"""scope: testing
name: node1
restapi: {{listen: '127.0.0.1:{self.port}', connect_address: '127.0.0.1:{self.port}'}}
raft: {{data_dir: '{self.directory}/raft', self_addr: '127.0.0.1:{raft_port}'}}
bootstrap:
  dcs:
    ttl: 20
    loop_wait: 1
    retry_timeout: 3
    postgresql: {{parameters: {{fsync: 'off', max_connections: 30, shared_buffers: 16MB}}}}
  initdb: [{{encoding: UTF8}}, {{locale: C.UTF-8}}, no-sync]
postgresql:
  listen: 127.0.0.1:{self.server_port}
  connect_address: 127.0.0.1:{self.server_port}
  data_dir: {self.directory}/data
  bin_dir: {bindir}
  pgpass: {self.directory}/pgpass
  pg_hba: [local all all trust, host all all 127.0.0.1/32 trust, host replication all 127.0.0.1/32 trust]
  parameters: {{unix_socket_directories: '{self.directory}'}}
  authentication: {{superuser: {{username: postgres}}, replication: {{username: replicator}}}}
tags: {{nofailover: false, where: here}}
""")

    def start(self):
        self.launch(["/usr/bin/python3", parts.program("patroni", "usr/bin/patroni"), self.directory / "patroni.yml"],
                    python_environment("patroni"))
        return self

    def stop(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(patience(30))
            self.process = None

    def __exit__(self, *arguments):
        self.stop()
        super().__exit__(*arguments)

    def get(self, path):
        return requests.get(self.url + path, timeout=30)

    def patch(self, path, body):
        return requests.patch(self.url + path, json=body, timeout=30)

    def is_leading(self):
        assert self.process.poll() is None, self.log_text()
        try:
            return self.get("/cluster").json()["members"][0]["state"] == "running" and self.get("/leader").ok
        except (requests.RequestException, KeyError, IndexError):
            return False
