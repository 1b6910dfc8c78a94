"""Least squares and the pseudoinverse of matrices of full rank, batched over the leading axes.

fit(a, b) = a^+ b is the x of least |a x - b|, and of these the one of least |x|. Its derivative is that of
Golub and Pereyra, The differentiation of pseudo-inverses and nonlinear least squares problems (1973).
"""

from __future__ import annotations

from functools import partial

import flint
import numpy as np
from flint import arb

from oracles.exact.program.balls import as_balls, each, matmul, precision, zeros
from oracles.exact.program.derive import Tangents
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import UNKNOWN, Format, Growth
from oracles.exact.program.primitives import linear_algebra as la
from oracles.exact.program.primitives.arrays import reduce_sum, reshape
from oracles.exact.program.primitives.nearby import largest_norm, length, lengths, lost
from oracles.exact.program.primitives.roughness import rough
from oracles.exact.program.program import Array, Equation, Primitive, Var, sum_of


def _fit(a: Array, b: Array) -> Array:
    """By the normal equations: (a^T a)^-1 a^T b, or a^T (a a^T)^-1 b for a wide matrix."""
    turned = np.swapaxes(a, -1, -2)
    try:
        if a.shape[-2] < a.shape[-1]:
            return matmul(turned, la.solve_.evaluate(matmul(a, turned), b))
        return la.solve_.evaluate(matmul(turned, a), matmul(turned, b))
    except Undecided:
        raise Undecided("cannot show that the matrix has full rank") from None


def _fit_jvp(equation: Equation, tangents: Tangents) -> Var:
    """dx = a^+ (db - da x) + a^+ a^+^T da^T (b - a x) + (1 - a^+ a) da^T a^+^T x.

    The second term is 0 where a is wide, the third where it is tall, both where it is square.
    """
    (a, b), (ta, tb) = equation.operands, tangents
    x, (rows, columns) = equation.output, a.shape[-2:]
    if ta is None:
        assert tb is not None
        return fit(a, tb)
    right = [-la.matmul(ta, x)] if tb is None else [tb, -la.matmul(ta, x)]
    if rows == columns:
        return fit(a, sum_of(*right))
    turned, along = la.transpose(a), la.transpose(ta)
    if rows > columns:
        return fit(a, sum_of(*right, fit(turned, la.matmul(along, b - la.matmul(a, x)))))
    moved = la.matmul(along, fit(turned, x))
    return fit(a, sum_of(*right, -la.matmul(a, moved))) + moved


def _fit_transpose(equation: Equation, k: int, ct: Var) -> Var:
    """Linear in b, and the transpose of a^+ is the pseudoinverse of a^T."""
    return fit(la.transpose(equation.operands[0]), ct)


# -- rounding ---------------------------------------------------------------------------------------------


def _fit_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Every column is exact for a matrix a + E and a right side b + f near the given ones.

    |E| <= p u |a| and |f| <= p u |b|: LAPACK Users' Guide (3rd ed., 1999), section 4.5, for all of xGELS,
    xGELSY, xGELSS, xGELSD; Higham, Accuracy and Stability of Numerical Algorithms (2nd ed., 2002), theorems
    20.3 and 21.4, for Householder's reflections. A pseudoinverse v (1/s u^T) loses p u |a^+| more, u and v
    being p u from orthonormal ones (section 4.9): f says as much of right sides that are unit vectors.

    p is that of `nearby` for the longer side, 4 max(m, n). In 52,000 results of PyTorch, NumPy and SciPy, in
    float32 and float64 and by each driver of LAPACK, no more than 0.9 max(m, n) was seen.
    """
    a, b = (growth.stored(as_balls(o), target.name) for o in operands)
    if not equation.output.size or not a.size:
        return zeros(equation.output.shape)
    with precision(2 * flint.ctx.prec):  # the normal equations square the condition number
        found = la.batched(partial(_of_all_near, off=lost(max(a.shape[-2:]), target.unit)), a, b)
    return growth.grown(equation, found, 1, True)


def _of_all_near(a: Array, b: Array, off: float) -> Array:
    """The solutions of all a + E and b + f, which are `off` of their norms from the balls a and b.

    With a^+ = P of the middle a, its solution x, what is left r = b - a x, and Q = (a + E)^+:
    Q - P = -Q E P + Q Q^T E^T (1 - a P) for tall matrices, -Q E P + (1 - Q (a + E)) E^T P^T P for wide ones
    (Wedin, Perturbation theory for pseudo-inverses, 1973), and |Q| <= |P| / (1 - |P| |E|) where that is
    positive: there a + E has full rank. So |Q (b + f) - x| is at most |Q| (|f| + |E| |x|), and |Q|^2 |E| |r|
    more for tall matrices, |E| |P^T x| for wide ones.
    """
    rows, columns = a.shape
    middle, right = each(arb.mid, a), each(arb.mid, b)
    try:
        inverse = _fit(middle, as_balls(np.eye(rows, dtype=int)))
    except Undecided:
        return np.full((columns, b.shape[1]), UNKNOWN, object)
    x = matmul(inverse, right)
    moved = length(each(arb.rad, a)) + off * length(a)
    shrunk = 1 - largest_norm(inverse) * moved
    if not shrunk > 0:
        return np.full(x.shape, UNKNOWN, object)
    norm = largest_norm(inverse) / shrunk
    rest = norm * norm * lengths(right - matmul(middle, x)) if rows > columns else 0
    rest = lengths(matmul(inverse.T, x)) if rows < columns else rest
    aside = lengths(each(arb.rad, b)) + off * lengths(b)
    radii = norm * (aside + moved * lengths(x)) + moved * rest
    return np.asarray(x + each(lambda r: arb(0, r.upper()), radii))


fit_ = Primitive("least_squares", _fit, _fit_jvp, _fit_transpose, _fit_rounded, cost=la.cubed)


def fit(a: Var, b: Var) -> Var:
    """a^+ b of matrices a (..., m, n) of full rank and b (..., m, k); leading axes are broadcast."""
    a, b = la.in_batches(a, b)
    return a.builder.emit(fit_, (a, b), (*a.shape[:-2], a.shape[-1], b.shape[-1]), b.dtype)


def pinv(a: Var) -> Var:
    """a^+ (..., n, m) of full rank."""
    return fit(a, a.builder.constant(np.eye(a.shape[-2]), a.dtype))


def residue(squares: Var, a: Var, b: Var, x: Var) -> Var:
    """|a x - b|^2, column by column, from the squares of its numbers and those of a, b and x.

    LAPACK sums those of the rotated b. In the notation of `_of_all_near` that moves by 2 r (f - E x), at most
    3 p u (|b| + |a| |x|)^2, as |r| <= |b|; and by the squares of what r moves by, which B has from its x.
    """
    sums = [reduce_sum(v, (v.ndim - 2,)) for v in (squares, b, x)]
    whole = reduce_sum(a, (a.ndim - 2, a.ndim - 1))
    sizes = sums[1] + reshape(whole, (*whole.shape, 1)) * sums[2]
    return rough(sums[0], "itself", (sizes,), 6 * lost(max(a.shape[-2:]), 1.0))
