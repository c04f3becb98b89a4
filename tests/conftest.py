# SPDX-License-Identifier: PostgreSQL
"""Makes tests/support importable from every Python test; says which tests stay together when they run side by side."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))

MAJORS = range(12, 19)


def shares(item):
    """Something of ours, a server mostly, is made once for several tests."""
    used = item._fixtureinfo.name2fixturedefs.values()  # pylint: disable=protected-access
    return any(one[-1].scope != "function" and one[-1].baseid for one in used)


def group(item):
    """Tests that share a module's server stay on one worker: a group is a module, or one server version of it."""
    if not shares(item):
        return item.nodeid
    parameters = getattr(item, "callspec", None)
    majors = [v for v in parameters.params.values() if isinstance(v, int) and v in MAJORS] if parameters else []
    return "-".join([item.module.__name__, *map(str, majors[:1])])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """The large groups begin first; tests that need no other fill the gaps."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item)))
    items.sort(key=lambda item: not shares(item))
