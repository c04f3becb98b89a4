# SPDX-License-Identifier: PostgreSQL
"""Makes tests/support importable from every Python test."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent / "support"))
