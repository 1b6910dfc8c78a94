"""The file and line that a finding points to: of the guilty operation, where that is known."""

from __future__ import annotations

from typing import NamedTuple

from harness.gate.finding import Finding
from harness.gate.words import Words


class Place(NamedTuple):
    """A line of a file, whose path is relative to the current directory, with slashes."""

    file: str
    line: int
    operation: str = ""


def place_of(finding: Finding, words: Words) -> Place | None:
    """Where to look: at the operation that goes wrong in a file here; else at what was checked."""
    record = finding.record
    if record and record.file:
        return Place(record.file, record.line, record.operation)
    home = words.home(finding.row)
    return Place(*home) if home else None
