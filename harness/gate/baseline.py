"""The baseline: what every row was when somebody last agreed to it, as a file that a diff can show.

It is JSON with a line for each row. It is read strictly, and with a digest, so that neither a damaged file
nor a line that was edited by hand passes for what was measured. It is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import math
import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
from filelock import FileLock

from harness.files import replace_file
from harness.runs.fingerprint import Fingerprint
from harness.runs.record import Record, Row, refuse_no_numbers
from harness.runs.timing import Ratio
from harness.selection import BASELINE, Absent, Untrusted
from harness.verdicts import Outcome, Verdict

SCHEMA: Literal[1] = 1
LOCK_S = 60.0
HEAD = 100  # bytes, in which a baseline names its schema


def updating(path: Path, why: str, *words: str) -> str:
    """The command that writes the baseline of a file."""
    where = () if path == BASELINE else ("--baseline", str(path))
    return (
        f'{shlex.join(["python", "-m", "gradproof", "baseline", "update", *words, *where])} --reason "{why}"'
    )


def creating(path: Path) -> str:
    """The command that writes the first one."""
    return updating(path, "the first baseline")


CREATE = creating(BASELINE)


class Number(float):
    """A float that JSON can hold: NaN and the infinities are the strings "nan", "inf" and "-inf"."""


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """One row as it was: the numbers of the record of that name, at its worst element.

    The times are the ratio to the NumPy reference (of the reference: to a yardstick) with its 99 % interval.
    `update` is the place in the list of updates of the one that set the row.
    """

    case: str
    oracle: str
    dtype: str
    input: str
    verdict: Verdict
    outcome: Outcome
    bits_lost: Number | None = None
    error_ulp: Number | None = None
    proven_digits: Number | None = None
    time_ratio: Number | None = None
    time_ratio_low: Number | None = None
    time_ratio_high: Number | None = None
    update: int = 0

    def __post_init__(self) -> None:
        refuse_no_numbers(self.verdict, self.bits_lost, self.proven_digits)
        for name in ("time_ratio", "time_ratio_low", "time_ratio_high"):
            ratio = getattr(self, name)
            if ratio is not None and not 0 < ratio < math.inf:
                raise ValueError(f"{name} is {ratio}; a ratio of times is positive and finite")

    @property
    def row(self) -> Row:
        """What names the row."""
        return Row(self.case, self.oracle, self.dtype, self.input)

    @classmethod
    def of(cls, record: Record, update: int = 0) -> Expected:
        """What a record says, with as many digits as a reader of a diff wants."""
        ratio = Ratio.of(
            record.gradient_time_ratio, record.gradient_time_ratio_low, record.gradient_time_ratio_high
        )
        return cls(
            case=record.case, oracle=record.oracle, dtype=record.dtype, input=record.input,
            verdict=record.verdict, outcome=record.outcome, bits_lost=_short(record.bits_lost),
            error_ulp=_short(record.error_ulp), proven_digits=_short(record.proven_digits),
            time_ratio=_short(ratio and ratio.median), time_ratio_low=_short(ratio and ratio.low),
            time_ratio_high=_short(ratio and ratio.high), update=update,
        )  # fmt: skip


class Update(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why rows were set, from which commit, and on what machine."""

    reason: str
    commit: str
    fingerprint: Fingerprint


class Baseline(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All rows by name, and the updates that they refer to, the last one last."""

    seed: int
    updates: tuple[Update, ...]
    rows: Mapping[Row, Expected]


class File(msgspec.Struct, forbid_unknown_fields=True):
    """A baseline as it stands on the disk; `digest` is of all the rest."""

    schema: Literal[1]
    seed: int
    digest: str
    updates: list[Update]
    rows: list[Expected]


def read(path: Path, create: str = "", renew: str = "") -> Baseline:
    """The baseline of a file; `create` and `renew` are the commands that a message names, if not the usual.

    Raises:
        Absent: The file is not there.
        Untrusted: It is cut short, of another schema, edited by hand, has a row twice, or a
            value that no row can have. The message says what to do.
    """
    create, renew = create or creating(path), renew or updating(path, "why", "--anew")
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise Absent(f"there is no baseline at {path}; create it: {create}") from None
    try:
        found = msgspec.json.decode(text, type=File, dec_hook=_number)
    except (msgspec.DecodeError, UnicodeDecodeError) as problem:
        if _is_another(text):  # it may be a source, which nobody must be told to delete
            raise Untrusted(
                f"{path} is damaged, or no baseline at all: {problem}; restore it, or name a baseline"
            ) from None
        raise Untrusted(f"{path} is damaged: {problem}; restore it, or write it anew: {renew}") from None
    rows: dict[Row, Expected] = {}
    for row in found.rows:
        if row.row in rows:
            raise Untrusted(f"{path} has {'/'.join(row.row)} twice; restore it, or write it anew: {renew}")
        if not 0 <= row.update < len(found.updates):
            raise Untrusted(
                f"{path}: {'/'.join(row.row)} has update {row.update}, which is not there; restore it, or "
                f"write it anew: {renew}"
            )
        rows[row.row] = row
    if _digest(found.seed, found.updates, found.rows) != found.digest:
        raise Untrusted(
            f"{path} is not what was written: it was edited by hand, or merged. Restore it, or write it "
            f"anew: {renew}"
        )
    return Baseline(found.seed, tuple(found.updates), rows)


def _is_another(text: bytes) -> bool:
    """Whether a file holds something else than a baseline, or than what is left of one."""
    return bool(text.strip(b" \t\r\n{}")) and b'"schema"' not in text[:HEAD]


def write(path: Path, baseline: Baseline) -> None:
    """Write a baseline, sorted by name; whatever happens meanwhile, the old one or the new one is there.

    Updates that no row refers to any more are left out, but for the last.
    """
    used = sorted({row.update for row in baseline.rows.values()} | {len(baseline.updates) - 1})
    place = {old: new for new, old in enumerate(used)}
    updates = [baseline.updates[k] for k in used]
    rows = [msgspec.structs.replace(r, update=place[r.update]) for _, r in sorted(baseline.rows.items())]
    digest = _digest(baseline.seed, updates, rows)
    body = (
        f'{{"schema": {SCHEMA}, "seed": {baseline.seed}, "digest": "{digest}",\n'
        f'"updates": [\n{_lines(updates)}\n],\n"rows": [\n{_lines(rows)}\n]}}\n'
    )
    path.resolve().parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, body)


def locked(path: Path) -> FileLock:
    """A lock that one updater of a baseline holds while it reads, changes and writes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return FileLock(path.with_name(path.name + ".lock"), timeout=LOCK_S)


def _digest(seed: int, updates: Iterable[Update], rows: Iterable[Expected]) -> str:
    text = f"{seed}\n{_lines(updates)}\n{_lines(rows)}"
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _lines(items: Iterable[msgspec.Struct]) -> str:
    return ",\n".join(msgspec.json.encode(item, enc_hook=_plain).decode() for item in items)


def _short(number: float | None) -> Number | None:
    return None if number is None else Number(f"{number:.4g}")


def _plain(value: Any) -> float | str:
    if isinstance(value, Number):
        return float(value) if math.isfinite(value) else repr(float(value))
    raise NotImplementedError(f"no JSON for {type(value)}")


def _number(kind: type, value: Any) -> Any:
    if kind is not Number:
        raise NotImplementedError(f"no {kind} in a baseline")
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return Number(value)
        except OverflowError:
            raise ValueError(f"a number of {len(str(value))} digits is more than a float holds") from None
    if value in ("nan", "inf", "-inf"):
        return Number(value)
    raise ValueError(f'{value!r} is no number; NaN and infinity are "nan", "inf", "-inf"')
