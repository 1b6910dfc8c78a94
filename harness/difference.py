"""How far a computed gradient lies from the expected one, and where."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.case import Array

Interval = tuple[Array, Array]


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest differences over all differentiated arguments; NaN counts as larger than anything.

    Attributes:
        where: The element with the largest difference relative to its argument's largest entry.
        computed, expected: The two values there.
        max_abs: Largest |computed - expected|.
        max_rel: Largest |computed - expected| / |expected|, element by element (0/0 is 0).
        max_ulp: Largest |computed - expected| in units in the last place of the expected element.
        scaled: |computed - expected| relative to the largest |expected| of the argument: the number that
            is judged.
        at_kink: How many elements differ at a kink, by a legal choice; they are left out of the above.
        fault: What is wrong apart from size (missing, shape, dtype), "" if nothing.
    """

    where: str = ""
    computed: float = math.nan
    expected: float = math.nan
    max_abs: float = math.nan
    max_rel: float = math.nan
    max_ulp: float = math.nan
    scaled: float = math.nan
    at_kink: int = 0
    fault: str = ""


def compare(
    names: Sequence[str],
    expected: Sequence[Array | None],
    computed: Sequence[Array | None],
    legal: Sequence[Interval] | None = None,
) -> Difference:
    """Compare gradients argument by argument and keep the worst of each measure.

    Args:
        names: The differentiated arguments' names, for the message.
        expected: What is compared with; None is "no gradient".
        computed: What is questioned; the masked entries of a masked array are not compared.
        legal: Per argument the lower and upper end of the legal gradients, where the point has a kink.
    """
    if len(computed) != len(expected):
        return Difference(fault=f"{len(computed)} gradients instead of {len(expected)}")
    found = []
    for i, (name, want, got) in enumerate(zip(names, expected, computed, strict=True)):
        fault = _fault(name, want, got)
        if fault:
            return Difference(fault=fault)
        if want is not None and got is not None:
            found.append(_compare_array(name, want, got, legal[i] if legal else None))
    return functools.reduce(_merge, found) if found else Difference()


def _fault(name: str, want: Array | None, got: Array | None) -> str:
    if want is None:
        return "" if got is None else f"{name}: a gradient where there is none"
    if got is None:
        return f"{name}: no gradient (None), which is not a zero gradient"
    if got.shape != want.shape:
        return f"{name}: shape {got.shape} instead of {want.shape}"
    if want.size and np.ma.getmaskarray(got).all():
        return f"{name}: nothing was computed"
    return "" if got.dtype == want.dtype else f"{name}: dtype {got.dtype} instead of {want.dtype}"


def _compare_array(name: str, want: Array, got: Array, legal: Interval | None) -> Difference:
    known = ~np.ma.getmaskarray(got)
    got = np.ma.getdata(got)
    with np.errstate(all="ignore"):
        error = np.where(got == want, 0.0, np.abs(got.astype(np.longdouble) - want))
        at_kink = np.zeros(want.shape, bool)
        if legal is not None:
            low, high = legal
            at_kink = known & (low < high) & (low <= got) & (got <= high)
        counted = known & ~at_kink
        error = np.where(counted, error, 0.0)
        size = np.abs(want)
        relative = np.where(error == 0, 0.0, error / size)
        ulp = np.where(error == 0, 0.0, error / np.spacing(size))
        # An infinite element is no measure for the others; where nothing else is left, any error is infinite.
        largest = np.float64(_largest(np.where(counted & np.isfinite(size), size, 0)))
        scaled = 0.0 if _largest(error) == 0 else float(np.float64(_largest(error)) / largest)
    index = (
        np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), want.shape) if want.size else ()
    )
    return Difference(
        where=f"{name}[{', '.join(map(str, index))}]",
        computed=float(got[index]) if want.size else math.nan,
        expected=float(want[index]) if want.size else math.nan,
        max_abs=float(_largest(error)),
        max_rel=float(_largest(relative)),
        max_ulp=float(_largest(ulp)),
        scaled=scaled,
        at_kink=int(np.sum(at_kink & (got != want))),
    )


def _largest(values: Array) -> float:
    """The maximum; NaN if any is NaN (NumPy's max propagates it), 0 of nothing."""
    return float(np.max(values, initial=0.0))


def _merge(a: Difference, b: Difference) -> Difference:
    return dataclasses.replace(
        max(a, b, key=lambda d: _rank(d.scaled)),
        max_abs=max(a.max_abs, b.max_abs, key=_rank),
        max_rel=max(a.max_rel, b.max_rel, key=_rank),
        max_ulp=max(a.max_ulp, b.max_ulp, key=_rank),
        at_kink=a.at_kink + b.at_kink,
    )


def _rank(value: float) -> tuple[bool, float]:
    """NaN ranks above every number and infinity, so that no maximum can lose it."""
    return math.isnan(value), value
