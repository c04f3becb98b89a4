# SPDX-License-Identifier: PostgreSQL
"""Fixtures of the system tests. Each module has a backend, a monitored server and what it starts itself."""
import pytest

from pgserver import MONITORED_SETTINGS, PgServer, monitoring_setup
from stack import Backend, Collector


@pytest.fixture(scope="module")
def monitored():
    """A PostgreSQL to be watched, with a role that has only pg_monitor."""
    with PgServer(15, settings=MONITORED_SETTINGS) as server:
        monitoring_setup(server)
        yield server


@pytest.fixture(scope="module")
def backend():
    with Backend() as running:
        yield running


@pytest.fixture
def collector(backend, monitored, request):
    """Registered and running, one server named main, a reading every second."""
    with Collector(backend, {"main": monitored.dsn(user="monitor")}, name=request.node.name) as running:
        yield running


@pytest.fixture
def registered(backend, monitored, request):
    """Registered, not running: for pushes made by hand."""
    collector = Collector(backend, {"main": monitored.dsn(user="monitor")}, name=request.node.name)
    collector.register()
    yield collector
    collector.remove()
