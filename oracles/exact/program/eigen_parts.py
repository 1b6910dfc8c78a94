"""What eigenvalues and eigenvectors of complex matrices have in common.

Arb isolates the eigenvalues with a proof (acb_mat_eig_simple); equal ones have no derivative: undecided. A
primitive has one result, so both parts of complex numbers stand in one array, along an axis of two.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import acb, acb_mat

from oracles.exact.program import complex as cx
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program.balls import as_balls, filled
from oracles.exact.program.complex import Complex
from oracles.exact.program.derive import Tangents
from oracles.exact.program.errors import Undecided
from oracles.exact.program.primitives.arrays import index, reshape
from oracles.exact.program.primitives.spectral import EQUAL, inverse_gaps, power_of_two
from oracles.exact.program.program import Array, Equation, Var


def isolated(re: Array, im: Array) -> tuple[list[acb], list[list[acb]]]:
    """Each eigenvalue with its eigenvector, whose largest component is 1."""
    n, unit = len(re), power_of_two(re, im)
    rows = [[acb(re[i, j] / unit, im[i, j] / unit) for j in range(n)] for i in range(n)]
    try:
        values, right = acb_mat(rows).eig(right=True)
    except ValueError:
        raise Undecided(EQUAL) from None
    columns = []
    for j in range(n):
        column = [right[i, j] for i in range(n)]
        pivot = max(column, key=lambda z: float(abs(z).mid()))
        columns.append([z / pivot for z in column])
    return [w * unit for w in values], columns


def tangent(equation: Equation, tangents: Tangents) -> Complex:
    """How the matrix moves, whose parts are the operands; a part that stands still has zeros."""

    def moved(t: Var | None, v: Var) -> Var:
        return v.builder.constant(np.zeros(v.shape), v.dtype) if t is None else t

    return Complex(*map(moved, tangents, equation.operands))


def gaps(w: Complex | Var) -> Any:
    """1 / (w_j - w_i), 0 on the diagonal, as `inverse_gaps`."""
    if not isinstance(w, Complex):
        return inverse_gaps(w)
    n = w.shape[-1]
    others = 1.0 - np.eye(n)
    apart = w.apart(lambda v: reshape(v, (*v.shape[:-1], 1, n)) - reshape(v, (*v.shape[:-1], n, 1)))
    return cx.mul(cx.reciprocal(apart.apart(lambda v: v * others) + np.eye(n)), others)


def diagonal(a: Complex) -> Complex:
    """Of the last two axes."""
    return a.apart(lambda v: index(v, lambda p: np.diagonal(p, axis1=-2, axis2=-1)))


def stacked(a: Complex, axis: int) -> Var:
    """Both parts as one array, along a new axis there."""
    return ca.stacked([a.re, a.im], axis)


def of_stack(v: Var, axis: int) -> Complex:
    """The complex numbers whose parts lie along this axis, which goes."""
    at = v.ndim + axis

    def part(k: int) -> Var:
        return index(v, lambda p: p.take(k, at))

    return Complex(part(0), part(1))


def parts(z: Array, axis: int = 0) -> Array:
    """The real and the imaginary parts of an array of complex balls, along a new axis."""
    flat = z.ravel().tolist()
    re, im = (filled([getattr(one, part) for one in flat], z.shape) for part in ("real", "imag"))
    return np.stack([re, im], axis)


def numbers(re: Array, im: Array) -> Array:
    """The middles of complex balls."""

    def middles(part: Array) -> Array:
        return np.array([float(x.mid()) for x in as_balls(part).ravel()]).reshape(part.shape)

    return np.asarray(middles(re) + 1j * middles(im))
