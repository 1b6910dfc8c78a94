"""Numbers between -1 and 1 that nothing determines: singular vectors beyond those of the singular values.

Any orthonormal ones will do. What does not depend on them is proven; what does is unsupported, or undecided.
"""

from __future__ import annotations

import math

import numpy as np
from flint import arb

from oracles.exact.program.balls import filled, zeros
from oracles.exact.program.derive import Tangents, linear
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.formats import UNKNOWN, Format, Growth
from oracles.exact.program.program import Array, Equation, Primitive, Shape, Var

NOT_UNIQUE = "svd with full_matrices=True of a matrix that is not square: the rest is not unique"


def _undetermined(a: Array, *, shape: Shape) -> Array:
    return _within(1, shape)


def _within(size: float, shape: Shape) -> Array:
    """A ball of its own for each number: one and the same ball is one and the same number."""
    return filled([arb(0, size) for _ in range(math.prod(shape))], shape)


def _undetermined_jvp(equation: Equation, tangents: Tangents) -> Var:
    (t,), shape = tangents, equation.output.shape
    assert t is not None
    return t.builder.emit(moved_, (t,), shape, t.dtype, shape=shape, back=False)


def _undetermined_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Vectors of length 1 but for rounding."""
    return _within(2, equation.output.shape)


def _moved(t: Array, *, shape: Shape, back: bool) -> Array:
    """How they move, or back what moves them: unknown, but 0 of 0."""
    if all(x.is_zero() for x in t.ravel().tolist()):
        return zeros(shape)
    if back:
        raise Unsupported(NOT_UNIQUE)
    return np.full(shape, UNKNOWN, object)


def _moved_transpose(equation: Equation, k: int, ct: Var) -> Var:
    shape, back = equation.operands[0].shape, not equation.params["back"]
    return ct.builder.emit(moved_, (ct,), shape, ct.dtype, shape=shape, back=back)


def _moved_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    return _moved(*operands, **equation.params)


undetermined_ = Primitive("undetermined", _undetermined, _undetermined_jvp, rounded=_undetermined_rounded)
moved_ = Primitive("undetermined_along", _moved, linear(0), _moved_transpose, _moved_rounded)


def undetermined(a: Var, shape: Shape) -> Var:
    """Numbers of this shape that are made with a, though not a function of it."""
    return a.builder.emit(undetermined_, (a,), shape, a.dtype, shape=shape)
