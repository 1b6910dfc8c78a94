"""The file and line that a finding points to: of the guilty operation, where the diagnosis names it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from harness.gate.finding import Finding
from harness.gate.words import Words

NAMED = re.compile(r"\b([\w-]+\.py):(\d+)")
NOT_OURS = frozenset({"__pycache__", "node_modules", "site-packages", "build", "dist"})


class Place(NamedTuple):
    """A line of a file, whose path is relative to the current directory, with slashes."""

    file: str
    line: int


def place_of(finding: Finding, words: Words) -> Place | None:
    """Where to look: at the operation, if one file here has its name; else at what was checked."""
    record = finding.record
    for name, line in NAMED.findall(f"{record.diagnosis} {record.blame}" if record else ""):
        found = _files(name, Path.cwd())
        if len(found) == 1:
            return Place(found[0], int(line))
    home = words.home(finding.row)
    return Place(*home) if home else None


@cache
def _files(name: str, root: Path) -> list[str]:
    return [path.relative_to(root).as_posix() for path in _walk(root) if path.name == name]


def _walk(root: Path) -> Iterator[Path]:
    """The Python files below a folder, without environments and what is hidden."""
    for folder, inside, names in os.walk(root):
        here = Path(folder)
        inside[:] = [
            n for n in inside
            if not n.startswith(".") and n not in NOT_OURS and not (here / n / "pyvenv.cfg").exists()
        ]  # fmt: skip
        yield from (here / name for name in names if name.endswith(".py"))
