# SPDX-License-Identifier: PostgreSQL
"""A PgBouncer between a test and its servers.

    with PgBouncer({"*": server}, mode="transaction") as pooler:
        pooler.dsn(user="monitor")
"""
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import psycopg2

import parts
from pgserver import _server_user
from ports import free_port
from wait import eventually


class PgBouncer:
    """One process. @databases: {name or "*": PgServer, or a list of them to spread over}."""

    def __init__(self, databases, mode="session", settings=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="pga-bouncer-"))
        self.directory.chmod(0o755)
        self.port = free_port()
        self.log_path = self.directory / "pgbouncer.log"
        self.config = self.directory / "pgbouncer.ini"
        self.user = _server_user()
        self.process = None
        self.write_config(databases, mode, settings or {})

    def write_config(self, databases, mode, settings):
        lines = ["[databases]"]
        for name, servers in databases.items():
            servers = servers if isinstance(servers, list) else [servers]
            hosts = ",".join(str(s.host) for s in servers)
            lines.append(f"{name} = host={hosts} port={servers[0].port}")
        values = {"listen_addr": "127.0.0.1", "listen_port": self.port, "unix_socket_dir": "", "auth_type": "trust",
                  "auth_file": self.directory / "users", "pool_mode": mode,
                  "admin_users": "admin", "default_pool_size": 3, **settings}
        (self.directory / "users").write_text('"monitor" ""\n"admin" ""\n"postgres" ""\n')
        lines += ["[pgbouncer]"] + [f"{key} = {value}" for key, value in values.items()]
        self.config.write_text("\n".join(lines) + "\n")

    def __enter__(self):
        return self.start()

    def start(self):
        options = {}
        if self.user:
            os.chown(self.directory, self.user.pw_uid, self.user.pw_gid)
            options = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([parts.program("pgbouncer", "usr/sbin/pgbouncer"), str(self.config)],
                                            env=parts.environment("pgbouncer"), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, **options)
        eventually(self.is_ready, 20, "the pooler does not answer")
        return self

    def is_ready(self):
        assert self.process.poll() is None, self.log_path.read_text()
        self.admin("show version")
        return True

    def kill(self):
        self.process.kill()
        self.process.wait()

    def pause(self):
        """Freezes it: connections hang, nothing is refused."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def admin(self, command):
        """The rows of a SHOW command, as dictionaries."""
        connection = psycopg2.connect(self.dsn("pgbouncer", "admin"))
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(command)
                if not cursor.description:
                    return []
                return [dict(zip([c.name for c in cursor.description], row)) for row in cursor.fetchall()]
        finally:
            connection.close()

    def dsn(self, dbname="postgres", user="monitor"):
        return f"host=127.0.0.1 port={self.port} dbname={dbname} user={user}"
