"""What a kernel may lose beside what its formula loses here: a value as it is, and more around it in B."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import as_balls, each
from oracles.exact.program.derive import Tangents, zeros_like
from oracles.exact.program.formats import UNKNOWN, Format, Growth
from oracles.exact.program.primitives.sums import sizes_of
from oracles.exact.program.program import Array, Equation, Primitive, Var

SIZES: dict[str, Any] = {}  # how large what is added up in a kernel is, by its kind and its operands


def _quotient(a: Array, b: Array, c: Array, d: Array, *, normal: float) -> Array:
    """|a + bi| / |c + di|, from above; of subnormal ones without end, as 1 / c is."""
    below = np.array([float((abs(x) + abs(y)).lower()) - normal for x, y in zip(c.flat, d.flat, strict=True)])
    with np.errstate(all="ignore"):
        found = 1.5 * (sizes_of(a) + sizes_of(b)).ravel() / np.maximum(below, 0.0)
    return np.where(np.isfinite(found), found, np.inf).reshape(a.shape)


def _spectrum(re: Array, im: Array, *, axis: int) -> Array:
    """The sum of all sizes along the axis."""
    return np.asarray(np.add.reduce(sizes_of(re) + sizes_of(im), axis=axis, keepdims=True))


def _singular(s: Array) -> Array:
    """|a| / s_j for each column j, of the singular values s of a."""
    whole = np.sqrt(np.add.reduce(sizes_of(s) ** 2, axis=-1, keepdims=True))
    least = np.array([float(x.lower()) for x in s.ravel().tolist()]).reshape(s.shape)
    found = np.divide(whole, least, where=least > 0, out=np.full(s.shape, np.inf))
    return np.asarray(found[..., None, :])


SIZES |= {"quotient": _quotient, "spectrum": _spectrum, "itself": sizes_of, "singular": _singular}


def _rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    params = dict(equation.params)
    units, size = params.pop("units"), SIZES[params.pop("kind")]
    value, *terms = map(as_balls, operands)
    if math.isinf(units):
        return each(lambda b: UNKNOWN, value)
    lost = np.broadcast_to(units * target.unit * size(*terms, **params), value.shape)
    return each(lambda b, by: b + arb(0, by) if by else b, value, lost)


def _jvp(equation: Equation, tangents: Tangents) -> Var:
    return tangents[0] if tangents[0] is not None else zeros_like(equation.output)


rough_ = Primitive("rough", lambda x, *_, **__: x, _jvp, rounded=_rounded)


def rough(x: Var, kind: str, terms: Sequence[Var], units: float, **params: Any) -> Var:
    """x itself, which a kernel may compute with `units` more unit roundoffs of a size: see SIZES.

    Its tangent is x's: what a kernel's derivative loses is another kernel's.
    """
    return x.builder.emit(rough_, (x, *terms), x.shape, x.dtype, kind=kind, units=units, **params)
