"""One row of the atlas: a function's derivative of one order in one dtype, at all its points together."""

from __future__ import annotations

from typing import Any

import msgspec

from harness.verdicts import JUDGED, Verdict

DTYPES = ("float64", "float32", "float16", "bfloat16")
COUNTED = (
    Verdict.ACCURATE, Verdict.CONVENTION, Verdict.IMPRECISE, Verdict.MISCOMPUTED, Verdict.WRONG,
    Verdict.UNDECIDED, Verdict.UNSUPPORTED,
)  # fmt: skip


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that is known; None is "not measured".

    `order` is that of the derivative, 0 for the function's own value. `points` is how many elements were
    judged; a field for each verdict counts those that have it. `worst` is the worst verdict, at `where`: the
    point's name with the element, or the number itself where one number decides. Bits lost and ulps are
    those of all elements with one true value: the median, 99 % of them, the worst. `time_ratio` is how many
    times as long as the function its gradient takes. `note` says why there are no numbers, or fewer.
    """

    function: str
    dtype: str
    order: int
    points: int = 0
    accurate: int = 0
    convention: int = 0
    imprecise: int = 0
    miscomputed: int = 0
    wrong: int = 0
    undecided: int = 0
    unsupported: int = 0
    worst: Verdict = Verdict.NONE
    where: str = ""
    bits_lost_50: float | None = None
    bits_lost_99: float | None = None
    bits_lost_worst: float | None = None
    ulps_50: float | None = None
    ulps_99: float | None = None
    ulps_worst: float | None = None
    time_ratio: float | None = None
    note: str = ""

    @property
    def key(self) -> tuple[str, str, int]:
        """What names it."""
        return self.function, self.dtype, self.order

    @property
    def counts(self) -> dict[Verdict, int]:
        """How many elements have each verdict."""
        return {v: n for v in COUNTED if (n := getattr(self, v.value))}


FIELDS = Row.__struct_fields__
assert set(COUNTED) == JUDGED


class Measured(msgspec.Struct, frozen=True):
    """A row as a run writes it down, with its error over the input where that was asked for."""

    row: Row
    sweep: dict[str, Any] | None = None
