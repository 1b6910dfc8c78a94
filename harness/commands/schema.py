"""What the harness writes, as JSON Schema: read from the types that write it, so it is always true."""

from __future__ import annotations

import sys

import msgspec

from harness.gate.baseline import File
from harness.gate.findings import Line
from harness.runs.journal import Header
from harness.runs.record import Record
from harness.selection import listed
from harness.verdicts import ExitCode

KINDS: dict[str, type[msgspec.Struct]] = {
    "finding": Line,
    "record": Record,
    "header": Header,
    "baseline": File,
}


def print_schema(of: str) -> ExitCode:
    """The JSON Schema of one of them."""
    (chosen,) = listed("schema", of, list(KINDS))
    found = msgspec.json.schema(KINDS[chosen], schema_hook=lambda _: {"type": ["number", "string"]})
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")
    return ExitCode.OK
