"""Findings as SARIF 2.1.0 (OASIS), which GitHub's code scanning and editors show beside the source."""

from __future__ import annotations

from urllib.parse import quote

import msgspec

from harness.gate.finding import Kind, Level
from harness.gate.findings import Told, texts, worst_first
from harness.gate.places import Place, place_of
from harness.version import __version__

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
LEVELS = {Level.FAIL: "error", Level.WARN: "warning", Level.NOTE: "note"}


class Text(msgspec.Struct):
    """Words."""

    text: str


class Rule(msgspec.Struct, rename="camel"):
    """A kind of finding."""

    id: str
    short_description: Text
    help: Text


class Driver(msgspec.Struct):
    """Who found it."""

    name: str
    version: str
    rules: list[Rule]


class Tool(msgspec.Struct):
    """What ran."""

    driver: Driver


class Region(msgspec.Struct, rename="camel"):
    """A line."""

    start_line: int


class Artifact(msgspec.Struct):
    """A file, relative to the folder of the run; a URI has other characters than a path."""

    uri: str


class Physical(msgspec.Struct, rename="camel"):
    """A line of a file."""

    artifact_location: Artifact
    region: Region


class Location(msgspec.Struct, rename="camel", omit_defaults=True):
    """Where a finding is; the message names the operation that is written there."""

    physical_location: Physical
    message: Text | None = None


class Found(msgspec.Struct, rename="camel", omit_defaults=True):
    """A finding; its fingerprint is the row's name, by which it is known again."""

    rule_id: str
    level: str
    message: Text
    partial_fingerprints: dict[str, str]
    locations: list[Location] = []


class Run(msgspec.Struct):
    """One run."""

    tool: Tool
    results: list[Found]


class Log(msgspec.Struct):
    """A file."""

    version: str
    runs: list[Run]
    schema: str = msgspec.field(name="$schema", default=SCHEMA)


def sarif(told: Told) -> str:
    """What a gate found, as a SARIF log: a result for each finding."""
    rules = [Rule(kind.value, Text(kind.entry.meaning), Text(kind.entry.advice)) for kind in Kind]
    results = []
    for finding in worst_first(told.findings):
        where = [_location(place)] if (place := place_of(finding, told.words)) else []
        message = Text("\n".join(texts([finding], told.words)))
        name = {"gradproof/row": "/".join(finding.row)}
        results.append(Found(finding.kind.value, LEVELS[finding.level], message, name, where))
    log = Log("2.1.0", [Run(Tool(Driver("gradproof", __version__, rules)), results)])
    return msgspec.json.format(msgspec.json.encode(log)).decode() + "\n"


def _location(place: Place) -> Location:
    line = Physical(Artifact(quote(place.file)), Region(place.line))
    return Location(line, Text(place.operation) if place.operation else None)
