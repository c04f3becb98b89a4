# SPDX-License-Identifier: PostgreSQL
"""Programs that tests run beside ours (a pooler, Prometheus, backup tools), unpacked from the distribution's packages
into the cache directory: nothing is installed, no service is started.

    program = parts.program("prometheus", "usr/bin/promtool")
    subprocess.run([program, "check", "metrics"], env=parts.environment("prometheus"), ...)
"""
import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile

from pgserver import Unavailable, cache_directory

# What each part is unpacked from: its package, and the libraries that the system may not have.
PARTS = {
    "prometheus": ["prometheus"],
    "prometheus_client": ["python3-prometheus-client", "python3-decorator"],
    "postgres_exporter": ["prometheus-postgres-exporter"],
    "pgbouncer": ["pgbouncer", "libevent-2.1-7", "libc-ares2"],
    "pgbackrest": ["pgbackrest", "libssh2-1"],
    # A server of its own with extensions of others, which version 15 only finds in its own directory.
    "postgres_15": ["postgresql-15", "postgresql-15-pg-qualstats", "postgresql-15-pg-stat-kcache",
                    "postgresql-15-pg-wait-sampling"],
    "barman": ["barman", "python3-barman", "python3-argcomplete", "python3-dateutil", "python3-psycopg2", "python3-six",
               "python3-pkg-resources", "rsync", "libpopt0"],
    "patroni": ["patroni", "python3-cdiff", "python3-click", "python3-dateutil", "python3-prettytable", "python3-psutil",
                "python3-urllib3", "python3-yaml", "python3-psycopg2", "python3-pysyncobj", "python3-six",
                "python3-pkg-resources", "python3-wcwidth", "libyaml-0-2"],
}


def _download(packages, directory):
    command = ["apt-get", "download", "-qq", "-o", "APT::Sandbox::User=", *packages]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if done.returncode != 0 and os.geteuid() == 0:  # no lists yet
        subprocess.run(["apt-get", "update", "-qq"], capture_output=True)
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True)
    if done.returncode != 0:
        raise Unavailable(f"apt-get download {' '.join(packages)}: {done.stderr.strip()}")


def root(part):
    """The directory that the part is unpacked in, as if it were /."""
    target = cache_directory() / "parts" / part
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target.parent / f"{part}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.is_dir():
            return target
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            _download(PARTS[part], scratch)
            unpacked = pathlib.Path(scratch) / "root"
            for package in sorted(pathlib.Path(scratch).glob("*.deb")):
                subprocess.run(["dpkg-deb", "-x", package, unpacked], check=True)
            shutil.move(unpacked, target)
        os.chmod(target, 0o755)  # some parts run as another user
    return target


def program(part, path):
    return str(root(part) / path)


def environment(part):
    """The process's, with the part's own libraries behind the system's."""
    libraries = [str(p) for p in (root(part) / "usr" / "lib").glob("*-linux-gnu")]
    return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
