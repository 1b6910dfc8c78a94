"""How far a computed gradient lies from the truth, and where."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.inputs.arrays import Array
from harness.proof.judge import distance
from oracles.exact.enclose.refine import Enclosure


@dataclass(frozen=True, slots=True)
class Errors:
    """The largest errors over all differentiated arguments; NaN counts as larger than anything.

    Attributes:
        where: The element with the largest error relative to its argument's largest entry.
        computed, true: The two values there, the true one as the nearest float64.
        max_abs: Largest |computed - true|.
        max_rel: Largest |computed - true| / |true|, element by element (0/0 is 0).
        ulp: Largest |computed - true| in units in the last place of the true element.
        scaled: |computed - true| relative to the largest |true| of the argument: the number that is judged.
        at_kink: How many elements lie on a kink and hold one of the legal values; not counted above.
        fault: What is wrong apart from size (missing, shape, dtype), "" if nothing.
    """

    where: str = ""
    computed: float = math.nan
    true: float = math.nan
    max_abs: float = math.nan
    max_rel: float = math.nan
    ulp: float = math.nan
    scaled: float = math.nan
    at_kink: int = 0
    fault: str = ""


def measure(
    names: Sequence[str],
    truth: Sequence[Enclosure | None],
    computed: Sequence[Array | None],
    dtypes: Sequence[np.dtype[Any]],
) -> Errors:
    """Measure a gradient argument by argument and keep the worst of each measure.

    Args:
        names: The differentiated arguments' names, for the message.
        truth: The enclosures; None is "no gradient".
        computed: What is questioned; the masked entries of a masked array are not measured.
        dtypes: What each gradient must have: its argument's dtype.
    """
    if len(computed) != len(truth):
        return Errors(fault=f"{len(computed)} gradients instead of {len(truth)}")
    found = []
    for name, true, got, dtype in zip(names, truth, computed, dtypes, strict=True):
        fault = _fault(name, true, got, dtype)
        if fault:
            return Errors(fault=fault)
        if true is not None and got is not None:
            found.append(_measure_array(name, true, got))
    return functools.reduce(_merge, found) if found else Errors()


def _fault(name: str, true: Enclosure | None, got: Array | None, dtype: np.dtype[Any]) -> str:
    if true is None:
        return "" if got is None else f"{name}: a gradient where there is none"
    if got is None:
        return f"{name}: no gradient (None), which is not a zero gradient"
    if got.shape != true.shape:
        return f"{name}: shape {got.shape} instead of {true.shape}"
    if got.size and np.ma.getmaskarray(got).all():
        return f"{name}: nothing was computed"
    return "" if got.dtype == dtype else f"{name}: dtype {got.dtype} instead of {dtype}"


def _measure_array(name: str, true: Enclosure, got: Array) -> Errors:
    measured, got = ~np.ma.getmaskarray(got), np.ma.getdata(got)
    at_kink = measured & true.wide & true.contains(got) & bool(true.kinks)
    counted = measured & ~at_kink
    mid = true.mid
    with np.errstate(all="ignore"):
        error = distance(true, got.astype(np.float64))
        # The true value may be beyond the dtype: then infinity of its sign is right.
        error = np.where(np.isinf(got) & (got == mid.astype(got.dtype)), 0.0, error)
        error = np.where(counted, error, 0.0)
        size = np.where(counted, np.abs(mid), 0.0)
        relative = np.where(error == 0, 0.0, error / size)
        narrow = size.astype(got.dtype)
        ulp = np.where(error == 0, 0.0, error / _ulp(narrow))
        # Below the dtype's normal numbers there are no relative digits to keep.
        largest = max(_largest(np.where(np.isfinite(narrow), size, 0.0)), float(np.finfo(got.dtype).tiny))
        scaled = _largest(error) / largest
    index = (
        np.unravel_index(np.argmax(np.where(np.isnan(error), np.inf, error)), got.shape) if got.size else ()
    )
    return Errors(
        where=f"{name}[{', '.join(map(str, index))}]",
        computed=float(got[index]) if got.size else math.nan,
        true=float(mid[index]) if got.size else math.nan,
        max_abs=_largest(error),
        max_rel=_largest(relative),
        ulp=_largest(ulp),
        scaled=scaled,
        at_kink=int(np.sum(at_kink)),
    )


def _ulp(size: Array) -> Array:
    """The distance to the next number of the dtype, at its largest number to the one before."""
    above = np.spacing(size)
    found: Array = np.where(np.isinf(above), np.spacing(np.nextafter(size, size.dtype.type(0))), above)
    return found.astype(np.float64)


def _largest(values: Array) -> float:
    """The maximum; NaN if any is NaN (NumPy's max propagates it), 0 of nothing."""
    return float(np.max(values, initial=0.0))


def _merge(a: Errors, b: Errors) -> Errors:
    return dataclasses.replace(
        max(a, b, key=lambda e: _rank(e.scaled)),
        max_abs=max(a.max_abs, b.max_abs, key=_rank),
        max_rel=max(a.max_rel, b.max_rel, key=_rank),
        ulp=max(a.ulp, b.ulp, key=_rank),
        at_kink=a.at_kink + b.at_kink,
    )


def _rank(value: float) -> tuple[bool, float]:
    """NaN ranks above every number and infinity, so that no maximum can lose it."""
    return math.isnan(value), value
