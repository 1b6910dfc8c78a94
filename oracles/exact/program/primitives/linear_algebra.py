"""Matrix primitives, batched over the leading axes, through Arb's matrices.

Rules as in Giles, Collected matrix derivative results for forward and reverse mode (2008), and Murray,
Differentiation of the Cholesky decomposition (2016), here in forward mode; transposition gives the reverse.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from flint import arb, arb_mat

from oracles.exact.program.balls import ZERO, as_balls, filled, matrix, zeros
from oracles.exact.program.balls import matmul as balls_matmul
from oracles.exact.program.derive import Tangents, linear
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import FORMATS, Format, Growth
from oracles.exact.program.primitives.arithmetic import scale
from oracles.exact.program.primitives.arrays import concatenate, index, permute, reduce_sum, reduced, reshape
from oracles.exact.program.primitives.choices import either, select
from oracles.exact.program.primitives.nearby import eliminated, factored, logarithms
from oracles.exact.program.primitives.reductions import reduce_or
from oracles.exact.program.primitives.sums import not_zero, sizes_of, sum_units, summed
from oracles.exact.program.primitives.symmetric import Moves, symmetric
from oracles.exact.program.program import Array, Equation, Primitive, Var, sum_of


def transpose(x: Var) -> Var:
    """The last two axes exchanged."""
    return permute(x, (*range(x.ndim - 2), x.ndim - 1, x.ndim - 2))


def _matmul_transpose(equation: Equation, k: int, ct: Var) -> Var:
    """z = x y: x' = z' y^T, y' = x^T z'."""
    x, y = equation.operands
    return matmul(ct, transpose(y)) if k == 0 else matmul(transpose(x), ct)


def _matmul_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """|error| <= k u |x| |y| for k products, summed in any order (see `sum_units`)."""
    x, y = (growth.stored(as_balls(o), target.name, product=True) for o in operands)
    count, inner = x.shape[-1], target
    if growth.model.wide_products and target.name == "bfloat16":
        inner = FORMATS["float32"]
    with np.errstate(all="ignore"):
        sizes = np.matmul(sizes_of(x), sizes_of(y))
    sizes = np.where(np.isnan(sizes), np.inf, sizes)
    # Each product that is not 0 may lie below the normal numbers, and each partial sum be flushed there.
    some = np.matmul(not_zero(x), not_zero(y))
    below = some * (2 * growth.flushed(inner, product=True) or float(inner.least))
    result = equation.primitive.evaluate(x, y)
    grown = summed(
        growth, equation, result, sizes, sum_units(np.asarray(count + 1), inner), below, np.asarray(False)
    )
    return grown if inner is target else growth.grown(equation, grown, 1, True)


def cubed(equation: Equation) -> float:
    """A factorization of the first operand, matrix by matrix, and what is solved with it."""
    size = max(v.size for v in equation.operands)
    return float(size * equation.operands[0].shape[-1])


def _matmul_apart(operands: Sequence[Var], gone: Sequence[Var]) -> tuple[list[Var], Var]:
    """A row is missing with that of the first operand, and a column with that of the second."""
    (x, y), (p, q) = operands, gone
    rows = index(reduced(reduce_or, p, (p.ndim - 1,), False), lambda at: at[..., :, None])
    columns = index(reduced(reduce_or, q, (q.ndim - 2,), False), lambda at: at[..., None, :])
    return [select(p, 0.0, x), select(q, 0.0, y)], either([rows, columns])


matmul_ = Primitive(
    "matmul",
    balls_matmul,
    linear(0, 1),
    _matmul_transpose,
    _matmul_rounded,
    apart=_matmul_apart,
    cost=lambda e: e.output.size * e.operands[0].shape[-1] / 8,  # Arb's matrix product is fast
)


def matmul(x: Var, y: Var) -> Var:
    """x y over the last two axes; the leading axes are batches and are broadcast."""
    x, y = in_batches(x, y)
    return x.builder.emit(matmul_, (x, y), (*x.shape[:-1], y.shape[-1]), x.dtype)


def in_batches(x: Var, y: Var) -> tuple[Var, Var]:
    """Both with the leading axes of both."""
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    builder = x.builder
    return builder.broadcast(x, (*batch, *x.shape[-2:])), builder.broadcast(y, (*batch, *y.shape[-2:]))


def dot_general(
    x: Var, y: Var, contract: tuple[Sequence[int], Sequence[int]], batch: tuple[Sequence[int], Sequence[int]]
) -> Var:
    """Sum over pairs of contracted axes, elementwise over pairs of batch axes; batch axes come first."""
    (xc, yc), (xb, yb) = contract, batch
    xf = [i for i in range(x.ndim) if i not in xc and i not in xb]
    yf = [i for i in range(y.ndim) if i not in yc and i not in yb]
    batches = [x.shape[i] for i in xb]
    summed = int(np.prod([x.shape[i] for i in xc], dtype=int))
    rows, columns = [x.shape[i] for i in xf], [y.shape[i] for i in yf]
    left = reshape(permute(x, (*xb, *xf, *xc)), (*batches, int(np.prod(rows, dtype=int)), summed))
    right = reshape(permute(y, (*yb, *yc, *yf)), (*batches, summed, int(np.prod(columns, dtype=int))))
    return reshape(matmul(left, right), (*batches, *rows, *columns))


def einsum(spec: str, *operands: Var) -> Var:
    """NumPy's einsum with named axes ("ij,jk->ik"): operands are multiplied pair by pair."""
    left, out = spec.replace(" ", "").split("->")
    terms = left.split(",")
    x, names = _diagonal(operands[0], terms[0])
    for i, (y, term) in enumerate(zip(operands[1:], terms[1:], strict=True), 2):
        y, theirs = _diagonal(y, term)
        later = set(out).union(*terms[i:])
        shared = [c for c in names if c in theirs]
        batch, contract = [c for c in shared if c in later], [c for c in shared if c not in later]
        x = dot_general(
            x,
            y,
            ([names.index(c) for c in contract], [theirs.index(c) for c in contract]),
            ([names.index(c) for c in batch], [theirs.index(c) for c in batch]),
        )
        rest = [c for c in names if c not in shared] + [c for c in theirs if c not in shared]
        names = "".join(batch + rest)
    gone = [i for i, c in enumerate(names) if c not in out]
    x = reduce_sum(x, gone) if gone else x
    names = "".join(c for c in names if c in out)
    return permute(x, [names.index(c) for c in out])


def _diagonal(x: Var, names: str) -> tuple[Var, str]:
    """A name that stands twice is a diagonal."""
    unique = "".join(dict.fromkeys(names))
    if unique == names:
        return x, names
    return index(x, lambda p: np.einsum(f"{names}->{unique}", p)), unique


# -- systems ----------------------------------------------------------------------------------------------


def batched(function: Callable[..., Array], *arrays: Array) -> Array:
    """A function of matrices, of each in a batch of them; of none it has the shape of the last one."""
    batch = arrays[0].shape[:-2]
    if not all(a.size for a in arrays):
        return zeros(arrays[-1].shape)
    flat = [as_balls(a).reshape(-1, *a.shape[-2:]) for a in arrays]
    parts = [function(*matrices) for matrices in zip(*flat, strict=True)]
    return np.concatenate([p[None] for p in parts]).reshape(*batch, *parts[0].shape)


def _entries(m: arb_mat) -> Array:
    return filled(m.entries(), (m.nrows(), m.ncols()))


def _solve(a: Array, b: Array) -> Array:
    def one(a: Array, b: Array) -> Array:
        try:
            return _entries(matrix(a).solve(matrix(b)))
        except ZeroDivisionError:
            raise Undecided("cannot show that the matrix to solve with is invertible") from None

    return batched(one, a, b)


def _solve_jvp(equation: Equation, tangents: Tangents) -> Var:
    """a x = b: dx = a^-1 (db - da x)."""
    (a, _), (ta, tb) = equation.operands, tangents
    right = tb
    if ta is not None:
        along = -matmul(ta, equation.output)
        right = along if right is None else right + along
    assert right is not None
    return a.builder.emit(equation.primitive, (a, right), right.shape, right.dtype)


def _solve_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Of a matrix near a: see `nearby`."""
    a, b = (growth.stored(as_balls(o), target.name) for o in operands)
    return growth.grown(equation, _solve(eliminated(a, target.unit), b), 1, True)


def _solve_transpose(equation: Equation, k: int, ct: Var) -> Var:
    a, _ = equation.operands
    return a.builder.emit(equation.primitive, (transpose(a), ct), ct.shape, ct.dtype)


solve_ = Primitive("solve", _solve, _solve_jvp, _solve_transpose, _solve_rounded, cost=cubed)


def solve(a: Var, b: Var, left: bool = True) -> Var:
    """The x of a x = b, or of x a = b; a (..., n, n) invertible, b matrices; leading axes are broadcast."""
    a, b = in_batches(a, b)
    if not left:
        return transpose(solve(transpose(a), transpose(b)))
    return a.builder.emit(solve_, (a, b), b.shape, b.dtype)


def inverse(a: Var) -> Var:
    """The inverse of (..., n, n)."""
    return solve(a, a.builder.broadcast(a.builder.constant(np.eye(a.shape[-1]), a.dtype), a.shape))


def _det(a: Array) -> Array:
    flat = [as_balls(a)[where] for where in np.ndindex(a.shape[:-2])]  # no rows: the determinant is 1
    return filled([matrix(m).det() for m in flat], a.shape[:-2])


def _det_jvp(equation: Equation, tangents: Tangents) -> Var:
    """d det(a) = det(a) tr(a^-1 da)."""
    (a,), (ta,) = equation.operands, tangents
    assert ta is not None
    return scale(trace(matmul(inverse(a), ta)), equation.output)


def _det_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """The product of the n pivots of a matrix near a; NumPy's is e to the sum of their logarithms."""
    a = growth.stored(as_balls(operands[0]), target.name)
    found = _det(eliminated(a, target.unit))
    grown = growth.grown(equation, found, 2 * a.shape[-1], True)
    if growth.library(equation) != "numpy":
        return grown
    pairs = zip(grown.ravel().tolist(), logarithms(a, found).ravel().tolist(), strict=True)
    return filled([d * arb(1, units * target.unit) for d, units in pairs], grown.shape)


det_ = Primitive("det", _det, _det_jvp, rounded=_det_rounded, cost=cubed)


def det(a: Var) -> Var:
    """The determinant of (..., n, n)."""
    return a.builder.emit(det_, (a,), a.shape[:-2], a.dtype)


def trace(a: Var) -> Var:
    """The sum of the diagonal of (..., n, n)."""
    return reduce_sum(index(a, lambda p: np.diagonal(p, axis1=-2, axis2=-1)), (a.ndim - 2,))


# -- exponentials -----------------------------------------------------------------------------------------

PRODUCTS = 10  # terms and squarings that an ordinary matrix takes; a huge one takes hundreds


def _exponential(a: Array) -> Array:
    return batched(lambda m: _entries(matrix(m).exp()), a)


def _wide(a: Array, e: Array) -> Array:
    """[[a, e], [0, a]], whose exponential has the derivative of that of a along e above the diagonal."""
    return np.concatenate([np.concatenate([a, e], -1), np.concatenate([zeros(a.shape), a], -1)], -2)


def _exponential_along(a: Array, e: Array) -> Array:
    n = a.shape[-1]
    return _exponential(_wide(a, e))[..., :n, n:]


def _of_taylor(growth: Growth, equation: Equation, a: Array, target: Format) -> Array:
    """What PyTorch gives: |error| is at most 8 n u (1 + 2 |a|) e^|a|, the norm being a largest sum of sizes.

    x_0 is a polynomial of Taylor's in b = a / 2^s, |b| at most 1.1, in float32 3.1 (Bader, Blanes and Casas,
    Computing the Matrix Exponential with an Optimized Taylor Polynomial Approximation, 2019). What it adds up
    is about e^|b|, and some n u of that are lost. Each of s squarings loses n u |x|^2 and, beside
    |x_k| <= e^(2^k |b|), doubles what was lost: 2^s n u e^|a| in all (Higham, Functions of Matrices, 2008,
    section 10.3), and 2^s <= 1 + 2 |a|. Of that 1.8 was seen in 3,000 matrices; 8 are allowed. (For
    one matrix alone, |a| from 3e-4 to 0.05, in float32 0.05 to 0.6, PyTorch 2.13 is off: its issue 196592.)

    SciPy scales by norms of powers of a (Al-Mohy and Higham, 2009), and where these are small beside |a| it
    loses up to 250 n u (1 + 2 |a|) e^|a|: no bound is known for it that says anything.
    """
    if growth.library(equation) != "torch":
        raise Undecided(f"no rounding model for {equation.called}")
    n = a.shape[-1]
    a = growth.stored(as_balls(a), target.name)
    sizes = sizes_of(a)
    norms = np.minimum(sizes.sum(-1).max(-1, initial=0.0), sizes.sum(-2).max(-1, initial=0.0))
    lost = [8 * n * target.unit * (1 + 2 * arb(v)) * arb(v).exp() for v in norms.ravel().tolist()]
    around = filled([arb(0, r.upper()) for r in lost], norms.shape)
    return np.asarray(_exponential(a) + around[..., None, None])


def _exponential_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    return growth.grown(equation, _of_taylor(growth, equation, operands[0], target), 1, True)


def _exponential_along_rounded(
    growth: Growth, equation: Equation, operands: list[Array], target: Format
) -> Array:
    """PyTorch takes it from the exponential of the block matrix."""
    a, e = map(as_balls, operands)
    n = a.shape[-1]
    found = _of_taylor(growth, equation, _wide(a, e), target)[..., :n, n:]
    return growth.grown(equation, found, 1, True)


def _exponential_along_jvp(equation: Equation, tangents: Tangents) -> Var:
    """Linear in e; along a it is that of the matrix whose exponential it is a block of (Mathias, 1996)."""
    (a, e), (ta, te) = equation.operands, tangents
    terms = [] if te is None else [_along(a, te)]
    if ta is not None:
        n, none = a.shape[-1], index(a, lambda p: np.full(p.shape, -1))
        wide = concatenate([concatenate([a, e], -1), concatenate([none, a], -1)], -2)
        zero = index(ta, lambda p: np.full(p.shape, -1))
        moved = concatenate([concatenate([ta, zero], -1), concatenate([zero, ta], -1)], -2)
        terms.append(index(_along(wide, moved), lambda p: p[..., :n, n:]))
    return sum_of(*terms)


exponential_along_ = Primitive(
    "matrix_exp_along",
    _exponential_along,
    _exponential_along_jvp,
    lambda e, k, ct: _along(transpose(e.operands[0]), ct),
    _exponential_along_rounded,
    cost=lambda e: 8 * PRODUCTS * cubed(e),
)


def _along(a: Var, e: Var) -> Var:
    return a.builder.emit(exponential_along_, (a, e), a.shape, a.dtype)


def _exponential_jvp(equation: Equation, tangents: Tangents) -> Var:
    """The derivative of Fréchet (Najfeld and Havel, Derivatives of the matrix exponential, 1995)."""
    (a,), (ta,) = equation.operands, tangents
    assert ta is not None
    return _along(a, ta)


exponential_ = Primitive(
    "matrix_exp",
    _exponential,
    _exponential_jvp,
    rounded=_exponential_rounded,
    cost=lambda e: PRODUCTS * cubed(e),
)


def exponential(a: Var) -> Var:
    """e^a of (..., n, n)."""
    return a.builder.emit(exponential_, (a,), a.shape, a.dtype)


# -- triangles --------------------------------------------------------------------------------------------


def triangle(x: Var, lower: bool, strict: bool = False, unit: bool = False) -> Var:
    """x with zeros outside one triangle of its last two axes; strict: and on the diagonal; unit: ones."""
    *_, rows, columns = x.shape
    ones, k = np.ones((rows, columns), bool), int(strict or unit)
    mask = np.tril(ones, -k) if lower else np.triu(ones, k)
    found = select(x.builder.constant(np.broadcast_to(mask, x.shape).copy(), "bool"), x, 0.0)
    return found + np.eye(rows, columns) if unit else found


def _cholesky(a: Array) -> Array:
    def one(a: Array) -> Array:
        n, low = len(a), np.empty(a.shape, object)
        low.fill(ZERO)
        for j in range(n):
            pivot = a[j, j] - sum((low[j, k] * low[j, k] for k in range(j)), ZERO)
            if not pivot > 0:
                raise Undecided(f"cannot show that the matrix is positive definite (pivot {pivot})")
            low[j, j] = pivot.sqrt()
            for i in range(j + 1, n):
                dot = sum((low[i, k] * low[j, k] for k in range(j)), ZERO)
                low[i, j] = (a[i, j] - dot) / low[j, j]
        return low

    return batched(one, a)


def _cholesky_jvp(equation: Equation, tangents: Tangents) -> Var:
    """a = l l^T: dl = l phi(l^-1 da l^-T), phi the lower triangle with half the diagonal."""
    (ta,), low = tangents, equation.output
    assert ta is not None
    inner = transpose(solve(low, transpose(solve(low, ta))))
    half = np.tril(np.ones(low.shape[-2:])) - 0.5 * np.eye(low.shape[-1])
    return matmul(low, scale(inner, low.builder.constant(half, low.dtype)))


def _cholesky_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Of a matrix near a."""
    a = growth.stored(as_balls(operands[0]), target.name)
    return growth.grown(equation, _cholesky(factored(a, target.unit)), 1, True)


cholesky_ = Primitive("cholesky", _cholesky, _cholesky_jvp, rounded=_cholesky_rounded, cost=cubed)


def cholesky(a: Var, moves: Moves = Moves.TRIANGLE) -> Var:
    """The lower triangle l of a = l l^T, from the lower triangle of a (..., n, n), positive definite."""
    return a.builder.emit(cholesky_, (symmetric(a, moves=moves),), a.shape, a.dtype)
