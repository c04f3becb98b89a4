# SPDX-License-Identifier: PostgreSQL
"""lib/pg against real servers: the oldest, the distribution's, and the newest (tests/support/pg_conn_check.c)."""
import os
import pathlib
import re
import subprocess

import pytest
from pgserver import PgServer, Unavailable, binaries

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHECK = pathlib.Path(os.environ.get("PGA_BUILD", ROOT / "build/dev")) / "bin/pg_conn_check"
PIPELINE_CHECKS = ["pg_pipeline_check", "pg_pipeline_fallback_check"]


@pytest.mark.parametrize("major", [12, 15, 18])
def test_connection_keeps_its_promises(major):
    try:
        binaries(major)
    except Unavailable as missing:
        pytest.skip(str(missing))
    with PgServer(major) as server:
        for check in [CHECK.name, *PIPELINE_CHECKS]:
            done = subprocess.run([CHECK.with_name(check)], env={**os.environ, "PGA_TEST_DSN": server.dsn()},
                                  capture_output=True, text=True, timeout=900, check=False)
            assert done.returncode == 0, done.stdout + done.stderr
            assert re.search(r"PASSED\s+\] \d+ test", done.stdout + done.stderr)


@pytest.mark.parametrize("check", PIPELINE_CHECKS)
def test_pipelines_over_tcp(check):
    """Where the segments that leave can be counted."""
    with PgServer(15, tcp=True) as server:
        dsn = f"host=127.0.0.1 port={server.port} dbname=postgres user=postgres sslmode=disable gssencmode=disable"
        done = subprocess.run([CHECK.with_name(check)], env={**os.environ, "PGA_TEST_DSN": dsn}, capture_output=True,
                              text=True, timeout=900, check=False)
    assert done.returncode == 0 and "SKIPPED" not in done.stdout + done.stderr, done.stdout + done.stderr


def test_frozen_server_costs_the_deadline_only():
    """A server that is stopped (SIGSTOP) accepts connections in the kernel and never answers."""
    with PgServer(15) as server:
        server.pause()
        try:
            done = subprocess.run([CHECK.with_name("family_probe"), server.dsn() + " connect_timeout=1"],
                                  capture_output=True, text=True, timeout=120, check=False)
        finally:
            server.resume()
        assert done.returncode == 1
        assert "no answer in time" in done.stderr
