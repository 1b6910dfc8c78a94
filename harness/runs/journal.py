"""A run as a file: a header that says of what machine and what code, and a line of JSON for each row."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import BinaryIO, ClassVar, Literal

import msgspec

from harness.cases.plugins import listed_files
from harness.runs.fingerprint import Fingerprint, fingerprint
from harness.runs.record import Cell, Record, Row, from_json, to_json
from harness.runs.writing import writing
from harness.selection import Scope, Untrusted, UsageError
from harness.verdicts import Outcome
from oracles.exact.program.words import shown

PACKAGES = ("reference", "oracles", "harness")


class Header(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The first line of a run's file: `code` is a digest of the sources that ran, `scope` what was asked."""

    schema: Literal[1]
    fingerprint: Fingerprint
    code: str
    scope: Scope | None = None

    @classmethod
    def of_this_run(cls, scope: Scope | None = None) -> Header:
        """The header of a run of this code on this machine."""
        return cls(1, fingerprint(), code_digest(), scope)


@cache
def code_digest() -> str:
    """A digest of the packages' own sources, and of the modules that pyproject.toml lists cases of.

    What ran under another digest says nothing of this code.
    """
    found = hashlib.sha256()
    for package in PACKAGES:
        root = Path(str(files(package)))
        for path in sorted(p for p in root.rglob("*") if p.suffix in {".py", ".toml"}):
            found.update(f"{package}/{path.relative_to(root).as_posix()}\0".encode())
            found.update(path.read_bytes())
    for path in listed_files():
        found.update(path.read_bytes())
    return found.hexdigest()[:16]


class Journal:
    """A run's file, written line by line, each on the disk before the next: a killed run can go on.

    Attributes:
        begun: The files of this command, in order.
        path: Where it is.
    """

    begun: ClassVar[list[Journal]] = []

    def __init__(self, path: Path, go_on: bool = False, scope: Scope | None = None) -> None:
        """Begin the file, or go on after the last whole line of the one that is there.

        Raises:
            UsageError: It cannot be written.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("r+b" if go_on else "wb")
        except OSError as problem:
            raise UsageError(
                f"the rows cannot be written to {path} ({problem.strerror or problem}); name a file in a "
                "folder that takes files"
            ) from None
        self._begun_with = 1  # the header
        Journal.begun.append(self)
        if go_on:
            text = self._file.read()
            whole = text.rfind(b"\n") + 1
            self._begun_with = text.count(b"\n")
            self._file.truncate(whole)
            self._file.seek(whole)
        else:
            with writing(path):
                self._put(msgspec.json.encode(Header.of_this_run(scope)))

    @property
    def rows(self) -> int:
        """How many this process has written: by what the file has, whenever Ctrl-C came; 0 if it is gone."""
        try:
            return max(self.path.read_bytes().count(b"\n") - self._begun_with, 0)
        except FileNotFoundError:
            return 0

    def write(self, record: Record) -> None:
        """Add the line of a record."""
        self.add(to_json(record))

    def add(self, line: bytes) -> None:
        """Add a line."""
        with writing(self.path):
            self._put(line)

    def _put(self, line: bytes) -> None:
        self._file.write(line + b"\n")
        self._file.flush()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


def read_header(path: Path) -> Header | None:
    """The header of a run's file; None for a file of rows alone.

    Raises:
        Untrusted: The header is of another schema, or damaged.
    """
    with path.open("rb") as lines:
        first = lines.readline()
    if not first.startswith(b'{"schema"'):
        return None
    try:
        return msgspec.json.decode(first, type=Header)
    except msgspec.DecodeError as problem:
        raise Untrusted(f"{path}, line 1: no header of a run that this version reads: {problem}") from None


def refuse_other_code(path: Path) -> None:
    """Refuse a saved run that says nothing of this code, because other code ran, or nobody knows which.

    Raises:
        UsageError: There is no header, or the digests of the sources differ.
    """
    header = read_header(path)
    if header is None:
        raise UsageError(
            f"--from {path} has no header, and so does not say of which code and machine it is; `gate` and "
            "`report --output` save runs that do"
        )
    if header.code != code_digest():
        raise UsageError(
            f"--from {path} is a run of other code than this, and says nothing of this code; run `gate` "
            "again, or compare two saved runs with --against"
        )


def read_lines(path: Path) -> Iterator[Record]:
    """The records of a run's file as they stand, a row that was timed twice; a torn last line is left out.

    Raises:
        Untrusted: A line is not a record; the message gives its number.
    """
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if number == 1 and line.startswith(b'{"schema"'):
                continue
            try:
                record = from_json(line)
            except ValueError as problem:
                if not line.endswith(b"\n"):
                    return  # the run was killed while it wrote its last line
                raise Untrusted(f"{path}, line {number}: {problem}") from None
            yield record


def read_records(path: str | os.PathLike[str]) -> Iterator[Record]:
    """The records of a run's file, each row once.

    A run writes a row when it is compared, and again when it has been timed; the later line stands.

    Args:
        path: The file, such as `reports/run.jsonl` of `gate`, or `records.jsonl` of `report --output`.

    Raises:
        OSError: It cannot be read.
        Untrusted: A line is not a record, or two lines of one row differ in more than their times.
        ValueError: It is no path.
    """
    if not isinstance(path, str | os.PathLike):
        raise ValueError(f"path must be the path of a file, got {shown(path)}")
    path = Path(path)
    latest: dict[Cell, Record] = {}
    for record in read_lines(path):
        earlier = latest.get(record.cell)
        if earlier and not is_same_result(earlier, record):
            name = "/".join(Row.of(record.cell))
            raise Untrusted(f"{path} has two different results for {name}, seed {record.seed}")
        latest[record.cell] = record
    yield from latest.values()


def is_same_result(earlier: Record, later: Record) -> bool:
    """Whether a later record of a row adds times to the earlier, or an error that came with them: no more."""
    return later.outcome is Outcome.ERROR or result_of(earlier) == result_of(later)


def result_of(record: Record) -> tuple[object, ...]:
    """What a row says of the gradient, in a form in which NaN equals itself."""
    names = ("verdict", "outcome", "bits_lost", "error_ulp", "computed", "true", "proven_digits")
    return tuple(repr(getattr(record, name)) for name in names)
