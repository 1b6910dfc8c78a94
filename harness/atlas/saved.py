"""The atlas as files: the summary, with its versions once above it, and a run as it goes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness.atlas.row import DTYPES, FIELDS, Measured, Row
from harness.page.document import environment_of
from harness.selection import Untrusted

BEGINS = "# "


@dataclass(frozen=True)
class Atlas:
    """Rows, and what they were measured with.

    Attributes:
        versions: By name: Python, torch, jax, numpy, ...
        rows: In the order of the functions.
    """

    versions: dict[str, str]
    rows: tuple[Row, ...]


def versions() -> dict[str, str]:
    """What decides numbers here."""
    return dict(environment_of())


def text_of(atlas: Atlas) -> str:
    """As CSV, below a line that says the versions. What is 0 or not measured is blank."""
    lines = io.StringIO()
    lines.write(f"{BEGINS}{'; '.join(f'{name} {version}' for name, version in atlas.versions.items())}\n")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(FIELDS)
    for row in atlas.rows:
        writer.writerow(_written(getattr(row, name), name) for name in FIELDS)
    return lines.getvalue()


def _written(value: Any, name: str) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None or (value == 0 and name != "order") else str(value)


def read(path: Path) -> Atlas:
    """The atlas in a file.

    Raises:
        Untrusted: It is none, or damaged; the message gives the line.
        OSError: It cannot be read.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or not lines[0].startswith(BEGINS) or len(lines) < 2 or lines[1] != ",".join(FIELDS):
        raise Untrusted(
            f"{path} is no atlas: it must begin with versions and the columns {', '.join(FIELDS)}"
        )
    named = dict(one.rpartition(" ")[::2] for one in lines[0].removeprefix(BEGINS).split("; "))
    rows = []
    for number, cells in enumerate(csv.reader(lines[2:]), 3):
        told = {name: cell for name, cell in zip(FIELDS, cells, strict=False) if cell != ""}
        try:
            row = msgspec.convert(told, Row, strict=False)
        except ValueError as problem:
            raise Untrusted(f"{path}, line {number}: {problem}") from None
        rows.append(row)
    return Atlas(named, tuple(rows))


def journal_of(path: Path, names: Iterable[str]) -> Iterator[Measured]:
    """The rows of a run's file that are of these functions; a torn last line is left out.

    Raises:
        Untrusted: A line is no row; the message gives its number.
    """
    chosen = set(names)
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if number == 1:
                continue  # of what code and machine it is
            try:
                found = msgspec.json.decode(line, type=Measured)
            except ValueError as problem:
                if not line.endswith(b"\n"):
                    return
                raise Untrusted(f"{path}, line {number}: {problem}") from None
            if found.row.function in chosen:
                yield found


def in_order(found: Iterable[Measured], names: Sequence[str]) -> list[Measured]:
    """Once each, in the order of the functions, dtypes and orders."""
    places = {name: k for k, name in enumerate(names)}
    latest = {one.row.key: one for one in found}
    return sorted(
        latest.values(), key=lambda m: (places[m.row.function], DTYPES.index(m.row.dtype), m.row.order)
    )
