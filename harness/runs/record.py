"""One row of the table as flat, plain data, and its life as a line of JSON."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from harness.verdicts import RIGHT, Outcome, Verdict
from oracles.exact.program.program import Origin

INSTALLED = frozenset({"site-packages", "dist-packages"})


class Cell(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What names a row: a unit of work that any process can do from these five values alone.

    Attributes:
        case: A name of `catalogue()`.
        input: A name of the case's inputs.
        dtype: float64 or float32.
        oracle: exact, numpy, jax, jax-jit, torch, torch-compile, fd, or that of another package.
        seed: What an ordinary input and the cotangent are drawn from.
    """

    case: str
    input: str
    dtype: str
    oracle: str
    seed: int


class Row(NamedTuple):
    """What names a row apart from its seed."""

    case: str
    oracle: str
    dtype: str
    input: str

    @classmethod
    def of(cls, cell: Cell) -> Row:
        """The row of a cell."""
        return cls(cell.case, cell.oracle, cell.dtype, cell.input)


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Everything measured of one cell. Times are in seconds; None is "not measured".

    Errors are against the truth, `proven_digits` of which are proven. `bits_lost`, `error_ulp`,
    `attainable_ulp` and `bound_ulp` are those of the worst element, which is `where`, in ulps of the true
    value there; `true_digits` has twenty digits of it. `scaled_error` is the largest error relative to the
    largest element of its argument; on the exact oracle's own rows it is the proven error of the truth.
    `diagnosis` says in words why the verdict is not accurate, or why there is none; `blame` whose fault that
    is: yours, or a library's, with its function and a public report. `operation` is where it goes wrong,
    with its `file` and `line`, where that is known and a file of the project's. `first_call_time_s`
    covers loading, set-up, compilation and one value and gradient. The ratios are to the NumPy reference,
    measured in turns in the same process: the median of the rounds, with its 99 % interval; those of the
    reference are to a yardstick, the softmax of 100 numbers.
    """

    case: str
    input: str
    dtype: str
    oracle: str
    seed: int
    shapes: str = ""
    verdict: Verdict = Verdict.NONE
    outcome: Outcome
    bits_lost: float | None = None
    error_ulp: float | None = None
    attainable_ulp: float | None = None
    bound_ulp: float | None = None
    where: str = ""
    diagnosis: str = ""
    blame: str = ""
    operation: str = ""
    file: str = ""
    line: int = 0
    computed: float | None = None
    true: float | None = None
    true_digits: str = ""
    max_abs_error: float | None = None
    max_rel_error: float | None = None
    scaled_error: float | None = None
    proven_digits: float | None = None
    error_estimate: float | None = None
    first_call_time_s: float | None = None
    value_time_s: float | None = None
    value_time_ratio: float | None = None
    gradient_time_s: float | None = None
    gradient_time_ratio: float | None = None
    gradient_time_ratio_low: float | None = None
    gradient_time_ratio_high: float | None = None

    @property
    def cell(self) -> Cell:
        """The cell this is the record of."""
        return Cell(self.case, self.input, self.dtype, self.oracle, self.seed)


def whereabouts(guilty: Origin | None, root: Path) -> dict[str, Any]:
    """The fields of a record that say where it goes wrong; none where the line is of no file below `root`.

    What is installed, or hidden, below it is no file of the project's.
    """
    if guilty is None or guilty.place is None or guilty.place.number < 1:
        return {}
    file = (root / guilty.place.file).resolve()
    if not (file.is_file() and file.is_relative_to(root.resolve())):
        return {}
    inside = file.relative_to(root.resolve())
    if any(part.startswith(".") or part in INSTALLED for part in inside.parts):
        return {}
    return {"operation": guilty.operation, "file": inside.as_posix(), "line": guilty.place.number}


def refuse_no_numbers(verdict: Verdict, bits_lost: float | None, proven_digits: float | None) -> None:
    """Refuse a right gradient that lost no number of bits, and a proof of no number of digits.

    Raises:
        ValueError: The one is NaN or infinite, or the other NaN.
    """
    if verdict in RIGHT and bits_lost is not None and not math.isfinite(bits_lost):
        raise ValueError(f"bits_lost is {bits_lost}, with the verdict {verdict}")
    if proven_digits is not None and math.isnan(proven_digits):
        raise ValueError("proven_digits is nan")


def to_json(record: Record) -> bytes:
    """One line of JSON. NaN and infinities, which JSON lacks, are the strings "nan", "inf" and "-inf"."""
    plain = {
        name: repr(float(value)) if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in msgspec.structs.asdict(record).items()
    }
    return msgspec.json.encode(plain)


def from_json(line: bytes | str) -> Record:
    """The record of one line.

    Raises:
        ValueError: The line is not a record, or no run writes such numbers; the message names the field.
    """
    try:
        record = msgspec.json.decode(line, type=Record, strict=False)
        refuse_no_numbers(record.verdict, record.bits_lost, record.proven_digits)
    except ValueError as problem:
        raise ValueError(f"not a record: {problem}") from None
    return record
