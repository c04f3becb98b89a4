# SPDX-License-Identifier: PostgreSQL
"""Makes tests/support importable from every Python test; says which tests stay together when they run side by side."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))

MAJORS = range(12, 19)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests that share a module's server stay on one worker: a group is a module, or one server version of it."""
    for item in items:
        parameters = getattr(item, "callspec", None)
        majors = [v for v in parameters.params.values() if isinstance(v, int) and v in MAJORS] if parameters else []
        item.add_marker(pytest.mark.xdist_group("-".join([item.module.__name__, *map(str, majors[:1])])))
