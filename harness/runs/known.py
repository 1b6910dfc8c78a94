"""Known defects: rows that fail because of somebody else's bug, each with a reason and a link.

The file is strict in both directions: a row it does not name fails, and a row it names that no longer fails
is stale and fails too.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import msgspec

from harness.runs.record import Row


class KnownDefect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the rows `inputs` of one case, oracle and dtype fail; `link` says where it is reported."""

    case: str
    oracle: str
    dtype: str
    inputs: tuple[str, ...]
    reason: str
    link: str


class _File(msgspec.Struct, forbid_unknown_fields=True):
    defect: list[KnownDefect]


def parse(text: str) -> dict[Row, KnownDefect]:
    """The defects of a TOML text by row.

    Raises:
        ValueError: The text is no such file, or names a row twice.
    """
    try:
        entries = msgspec.toml.decode(text, type=_File).defect
    except msgspec.DecodeError as problem:
        raise ValueError(f"known-defects file: {problem}") from None
    found: dict[Row, KnownDefect] = {}
    for entry in entries:
        for name in entry.inputs:
            row = Row(entry.case, entry.oracle, entry.dtype, name)
            if row in found:
                raise ValueError(f"known-defects file: {'/'.join(row)} is listed twice; keep one entry")
            found[row] = entry
    return found


@cache
def known_defects() -> dict[Row, KnownDefect]:
    """The defects that ship with the catalogue, by row."""
    return parse((files("harness") / "known_defects.toml").read_text(encoding="utf-8"))
