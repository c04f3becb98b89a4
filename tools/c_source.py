# SPDX-License-Identifier: PostgreSQL
"""Reading C and SQL sources for the checks: their texts without comments or strings, line for line."""
import re

_C = re.compile(r"""//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'""", re.DOTALL)
_SQL = re.compile(r"""--[^\n]*|/\*.*?\*/|(?<![\w$])[eE]?'(?:''|[^'])*'|"[^"\n]*\"""", re.DOTALL)


def _blank(match):
    """As many lines as before; a string stays a string, but an empty one."""
    text = match.group(0)
    quote = text[-1] if text[-1] in "\"'" and not text.startswith(("//", "/*", "--")) else ""
    return quote * 2 + "\n" * text.count("\n")


def without_comments_and_strings(text):
    """C: comments go, strings and characters become empty ones."""
    return _C.sub(_blank, text)


def without_comments(text):
    """C: comments go, strings stay."""
    return _C.sub(lambda m: m.group(0) if m.group(0)[0] in "\"'" else _blank(m), text)


def sql_without_comments_and_strings(text):
    """SQL: comments go, strings become empty ones; what stands between $$ stays, being SQL itself."""
    return _SQL.sub(_blank, text)
