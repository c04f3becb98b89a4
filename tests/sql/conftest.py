# SPDX-License-Identifier: PostgreSQL
"""One server for all tests of this folder that do not hurt it; each store is a database of its own on it."""
import pytest

from pgserver import PgServer
from store import Store


@pytest.fixture(scope="session", name="server")
def fixture_server():
    with PgServer(15) as server:
        yield server


@pytest.fixture(scope="session", name="template")
def fixture_template(server):
    return Store(server)


@pytest.fixture(name="store")
def fixture_store(server, template):
    return Store(server, template=template)
