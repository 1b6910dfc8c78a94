"""What a rounded literal stands for: the same place of the same function, traced in float64.

A jaxpr holds `0.1` in its own dtype. Two traces that have the same primitives in the same order differ in
their literals only, and where the one in float64 rounds to the other, it is what was written.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
from flint import arb
from jax.extend.core import ClosedJaxpr, Literal

from oracles.exact.program.balls import filled
from oracles.exact.program.formats import FORMATS, Format
from oracles.exact.program.program import Array

# Where a literal stands: an operand of an equation, a result or a constant of a jaxpr. By identity, so the
# jaxprs must live as long as this is used.
Slot: TypeAlias = tuple[int, str, int]
# What stands there in float64 if that rounds to the literal; None where it is a number that does not; and
# `SEVERAL` where it is not one number.
Partners: TypeAlias = dict[Slot, float | None]
SEVERAL = math.nan
# A program in float32 already has no cast to float32, and one in float64 no cast to a wider dtype.
_CASTS = frozenset({"convert_element_type", "reduce_precision"})
NARROW = frozenset(FORMATS) - {"float64"}
_SURE_BITS = 12  # of float32: that a longer number ends in as many zeros is a chance of 2^-12
Opened: TypeAlias = tuple[Any, Sequence[Any]]  # a jaxpr and its constants


def partners(
    own: ClosedJaxpr, wide: ClosedJaxpr | None, uncast: Callable[[], ClosedJaxpr | None]
) -> Partners:
    """For each literal that has one its partner in float64; `uncast` traces with nothing cast narrower."""
    found: Partners = {}
    if wide is not None:
        _pair(_opened(own), _opened(wide), found)
    if (wide is None or _narrows(wide.jaxpr)) and (other := uncast()) is not None:
        more: Partners = {}
        _pair(_opened(own), _opened(other), more)
        found |= {slot: number for slot, number in more.items() if _is_one(number)}
    return found


def _is_one(partner: float | None) -> bool:
    return partner is not None and not math.isnan(partner)


def _narrows(jaxpr: Any) -> bool:
    """Whether anything in it is a floating number of less than 64 bits."""
    kinds = {str(getattr(v.aval, "dtype", "")) for e in jaxpr.eqns for v in e.outvars}
    return bool(kinds & NARROW) or any(_narrows(part) for e in jaxpr.eqns for part, _ in _inside(e))


def meant(value: Any, dtype: str, partner: float | None) -> Array | None:
    """The number that a rounded literal stands for, or a ball around all it may; None: as it is.

    Of float32 it is the number that stands there where no partner says otherwise: it is what jnp computes
    under `jax.ensure_compile_time_eval`, or what code has for this dtype alone, as a loop whose carry begins
    in float32. That a derivative may have rounded it otherwise is seen where the two are compared (see
    `materiality`). Not so of narrower formats: 2 / sqrt(pi) is 1.125 in bfloat16, which looks like a number
    that is meant as it is.
    """
    target, number = FORMATS[dtype], float(value)
    if _is_one(partner):
        return np.asarray(partner, np.float64)
    if target.digits >= FORMATS["float32"].digits:
        return None
    return filled([arb(number, float(target.ulp(np.asarray(number))) / 2)], ())


def is_as_written(value: Any, dtype: str) -> bool:
    """Whether a single number is what the source has: a Python number, which JAX keeps, or one in float64."""
    number = float(value)
    return dtype == "float64" or isinstance(value, float) or number == 0 or not np.isfinite(number)


def is_short(value: Any, dtype: str) -> bool:
    """Whether a number of this dtype is so short that it is hardly what another was rounded to."""
    return dtype == "float32" and _length(float(value)) <= _SURE_BITS


def _length(number: float) -> int:
    """How many bits it has from the first to the last that is set."""
    return int(abs(arb(number).man_exp()[0])).bit_length()


def _pair(own: Opened, wide: Opened, found: Partners) -> None:
    (ours, constants), (theirs, others) = own, wide
    left, right = _without_casts(ours.eqns), _without_casts(theirs.eqns)
    if [e.primitive.name for e in left] != [e.primitive.name for e in right]:
        return
    if len(constants) == len(others):
        for k, (a, b) in enumerate(zip(constants, others, strict=True)):
            avals = ours.constvars[k].aval, theirs.constvars[k].aval
            _enter(found, (id(ours), "constant", k), a, b, avals)
    pairs = [*zip(left, right, strict=True), *_casts(ours.eqns, theirs.eqns)]
    for e, w in pairs:
        _atoms(found, (id(e), "operand"), e.invars, w.invars)
        for inner, partner in zip(_inside(e), _inside(w), strict=False):
            _pair(inner, partner, found)
    _atoms(found, (id(ours), "result"), ours.outvars, theirs.outvars)


def _atoms(found: Partners, place: tuple[int, str], ours: Any, theirs: Any) -> None:
    if len(ours) != len(theirs):
        return
    for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if isinstance(a, Literal) and isinstance(b, Literal):
            _enter(found, (*place, k), a.val, b.val, (a.aval, b.aval))


def _enter(found: Partners, slot: Slot, value: Any, wide: Any, avals: tuple[Any, Any]) -> None:
    own, other = (str(getattr(aval, "dtype", "")) for aval in avals)
    target = FORMATS.get(own)
    if target is None or np.shape(value) or np.shape(wide):
        return
    number = float(wide)
    # In its own dtype there too (`jnp.ones(3, "bfloat16")`), it is rounded because the source says so.
    fits = (
        number == float(value) if other == own else other == "float64" and _rounds_to(number, value, target)
    )
    partner = number if fits else None if other in (own, "float64") else SEVERAL
    if slot in found and found[slot] != partner:
        partner = SEVERAL  # a jaxpr that is called twice, with different partners
    found[slot] = partner


def _rounds_to(number: float, rounded: Any, target: Format) -> bool:
    """Rounded at once, or through float32 as JAX does it."""
    if number == float(rounded):
        return True
    through = FORMATS["float32"].rounded(number)
    return float(rounded) in (target.rounded(number), target.rounded(through))


def _without_casts(equations: Any) -> list[Any]:
    return [e for e in equations if e.primitive.name not in _CASTS]


def _casts(ours: Any, theirs: Any) -> Iterator[tuple[Any, Any]]:
    """The casts of both, where both have as many of them between two other equations."""
    for left, right in zip(_gaps(ours), _gaps(theirs), strict=True):
        if len(left) == len(right):
            yield from zip(left, right, strict=True)


def _gaps(equations: Any) -> list[list[Any]]:
    gaps: list[list[Any]] = [[]]
    for e in equations:
        if e.primitive.name in _CASTS:
            gaps[-1].append(e)
        else:
            gaps.append([])
    return gaps


def _opened(closed: ClosedJaxpr) -> Opened:
    return closed.jaxpr, closed.consts


def _inside(equation: Any) -> Iterator[Opened]:
    """The jaxprs among the parameters of an equation, with their constants as far as these are known."""
    for _, value in sorted(equation.params.items()):
        for part in value if isinstance(value, tuple | list) else (value,):
            if isinstance(part, ClosedJaxpr):
                yield _opened(part)
            elif hasattr(part, "eqns"):
                yield part, ()
