"""Eigenvalues and eigenvectors of symmetric matrices, and singular values, batched over the leading axes.

Arb isolates the eigenvalues with a proof (acb_mat_eig_simple); equal ones have no derivative: undecided.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from flint import arb, ctx

from oracles.exact.program.balls import as_balls, filled, matrix, zeros
from oracles.exact.program.derive import Tangents
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import exactly
from oracles.exact.program.primitives.arithmetic import scale
from oracles.exact.program.primitives.arrays import concatenate, reduce_sum, reshape
from oracles.exact.program.primitives.linear_algebra import batched, cubed, matmul, transpose
from oracles.exact.program.primitives.nearby import lost, of_nearby
from oracles.exact.program.primitives.orders import flip
from oracles.exact.program.primitives.roughness import rough
from oracles.exact.program.primitives.sums import sizes_of
from oracles.exact.program.primitives.symmetric import Moves, symmetric
from oracles.exact.program.primitives.taylor import scalar
from oracles.exact.program.primitives.undetermined import undetermined
from oracles.exact.program.program import Array, Equation, Primitive, Var

_LAST: dict[Any, tuple[list[arb], Array]] = {}
EQUAL = "cannot separate the eigenvalues: equal ones have no derivative"


def _decompose(a: Array) -> tuple[list[arb], Array]:
    """The eigenvalues of one symmetric matrix, ascending, and unit eigenvectors in columns, in any sign.

    Values and vectors are asked for one after the other: what was found last is kept.
    """
    balls = a.ravel().tolist()
    if not all(b.is_finite() for b in balls):
        raise Undecided(EQUAL)
    key = ctx.prec, tuple((b.mid().man_exp(), b.rad().man_exp()) for b in balls)
    if (found := _LAST.get(key)) is None:
        found = _decomposed(a)
        _LAST.clear()
        _LAST[key] = found
    return found


def _decomposed(a: Array) -> tuple[list[arb], Array]:
    unit = power_of_two(a)
    try:
        values, right = matrix(a / unit).eig(right=True)
    except ValueError:
        raise Undecided(EQUAL) from None
    order = sorted(range(len(values)), key=lambda j: float(values[j].real.mid()))
    columns = []
    for j in order:
        column = [right[i, j] for i in range(len(values))]
        pivot = max(column, key=lambda z: float(abs(z).mid()))
        real = [(z / pivot).real for z in column]
        size = sum((x * x for x in real), arb(0)).sqrt()
        columns.append([x / size for x in real])
    return [values[j].real * unit for j in order], np.array(columns, object).T


def power_of_two(*parts: Array) -> arb:
    """One near the largest number of a matrix: divided by it, Arb isolates what it does not beyond 2^128."""
    top = max(float(sizes_of(part).max(initial=0.0)) for part in parts)
    return arb(2) ** (math.frexp(top)[1] if 0 < top < math.inf else 0)


def _eigenvalues_jvp(equation: Equation, tangents: Tangents) -> Var:
    """dw_i = v_i^T da v_i (Magnus, On differentiating eigenvalues and eigenvectors, 1985)."""
    (a,), (ta,) = equation.operands, tangents
    assert ta is not None
    v = a.builder.emit(eigenvectors_, (a,), a.shape, a.dtype)
    return reduce_sum(scale(matmul(ta, v), v), (a.ndim - 2,))


def _eigenvectors_jvp(equation: Equation, tangents: Tangents) -> Var:
    """dv_j = sum_i v_i (v_i^T da v_j) / (w_j - w_i) over i not j (the same)."""
    (a,), (ta,) = equation.operands, tangents
    assert ta is not None
    v = equation.output
    w = a.builder.emit(eigenvalues_, (a,), a.shape[:-1], a.dtype)
    along = scale(matmul(transpose(v), matmul(ta, v)), inverse_gaps(w))
    return matmul(v, along)


def inverse_gaps(w: Var) -> Var:
    """1 / (w_j - w_i), 0 on the diagonal, where a ball's distance from itself is up to its width."""
    n = w.shape[-1]
    others = 1.0 - np.eye(n)
    gaps = reshape(w, (*w.shape[:-1], 1, n)) - reshape(w, (*w.shape[:-1], n, 1))
    return w.builder.constant(others, w.dtype) / (gaps * others + np.eye(n))


def _eigenvalues(a: Array) -> Array:
    return batched(lambda m: filled(_decompose(m)[0], (len(m),)), a) if a.size else zeros(a.shape[:-1])


def _eigenvectors(a: Array) -> Array:
    return batched(lambda m: _decompose(m)[1], a)


eigenvalues_ = Primitive(
    "eigenvalues", _eigenvalues, _eigenvalues_jvp, rounded=of_nearby(_eigenvalues), cost=cubed
)
eigenvectors_ = Primitive(
    "eigenvectors",
    _eigenvectors,
    _eigenvectors_jvp,
    rounded=of_nearby(_eigenvectors, vectors=True),
    cost=cubed,
)


Vectors: TypeAlias = Callable[[Array], Array]


def _signs(vectors: Array, a: Array, *, of: Any) -> Array:
    """1 or -1 for each column, so that it points as LAPACK's does; any choice is an eigenvector."""
    numbers = np.array([float(b.mid()) for b in as_balls(a).ravel()]).reshape(a.shape)
    theirs = of(numbers)
    ours = np.array([float(b.mid()) for b in vectors.ravel()]).reshape(vectors.shape)
    signs = np.where((ours * theirs).sum(-2) < 0, -1, 1)
    return filled([arb(int(s)) for s in signs.ravel()], signs.shape)


signs_ = Primitive("lapack_signs", _signs, rounded=exactly)


def vectors_of_eigh(numbers: Array) -> Array:
    """As NumPy's LAPACK has them."""
    return np.asarray(np.linalg.eigh(numbers)[1])


def vectors_of_svd(numbers: Array) -> Array:
    """Those of the shorter side, in columns."""
    u, _, vt = np.linalg.svd(numbers, full_matrices=False)
    return np.asarray(u if numbers.shape[-2] <= numbers.shape[-1] else np.swapaxes(vt, -1, -2).conj())


def signs_of(vectors: Var, a: Var, of: Vectors) -> Var:
    """For each column 1, or -1 where the library's points the other way; a row."""
    shape = (*vectors.shape[:-2], vectors.shape[-1])
    signs = a.builder.emit(signs_, (vectors, a), shape, a.dtype, of=of)
    return reshape(signs, (*shape[:-1], 1, shape[-1]))


def vectors_of_qr(numbers: Array) -> Array:
    """The first columns of q."""
    return np.asarray(np.linalg.qr(numbers)[0])


def _signed(vectors: Var, a: Var, of: Vectors) -> Var:
    return vectors * signs_of(vectors, a, of)


def eigh(
    a: Var, lower: bool = True, of: Vectors = vectors_of_eigh, moves: Moves = Moves.TRIANGLE
) -> tuple[Var, Var]:
    """The eigenvalues, ascending, and eigenvectors in columns of the symmetric matrix with this triangle.

    `of` gives those of a library, whose signs they have.
    """
    whole = symmetric(a, lower, moves)
    w = a.builder.emit(eigenvalues_, (whole,), a.shape[:-1], a.dtype)
    v = a.builder.emit(eigenvectors_, (whole,), a.shape, a.dtype)
    return w, _signed(v, whole, of)


def singular_values(a: Var) -> Var:
    """The singular values, largest first: roots of the eigenvalues of a a^T or a^T a, the smaller."""
    gram = matmul(a, transpose(a)) if a.shape[-2] <= a.shape[-1] else matmul(transpose(a), a)
    w = a.builder.emit(eigenvalues_, (gram,), gram.shape[:-1], a.dtype)
    return scalar("sqrt", flip(w, -1))


def of_longer_side(vectors: Var, s: Var) -> Var:
    """p u |a| / s more in B than their formula loses, and p u of their lengths, which is less."""
    return rough(vectors, "singular", (s,), 2 * lost(vectors.shape[-2], 1.0))


def completed(vectors: Var, full: bool) -> Var:
    """As many columns as there are rows, if they are wanted: the rest of them is not determined."""
    *batch, m, k = vectors.shape
    if not full or m == k:
        return vectors
    return concatenate([vectors, undetermined(vectors, (*batch, m, m - k))], -1)


def svd(a: Var, full: bool = False, of: Vectors = vectors_of_svd) -> tuple[Var, Var, Var]:
    """u, s and v^T of a = u diag(s) v^T, largest first, with as many vectors as there are singular values.

    full: with as many of the longer side as it has numbers, see `undetermined`.

    `of` gives those of a library, of the shorter side, whose signs they have.

    The vectors of the shorter side are eigenvectors of a a^T (a^T a); the others follow: v = a^T u / s.
    Computed, they are those of a matrix a + E near a, so that v is |E| / s off beside what u is off.
    """
    wide = a.shape[-2] <= a.shape[-1]
    b, s = a if wide else transpose(a), singular_values(a)
    gram = matmul(b, transpose(b))
    short = _signed(flip(a.builder.emit(eigenvectors_, (gram,), gram.shape, a.dtype), -1), a, of)
    long = matmul(transpose(b), short) / reshape(s, (*s.shape[:-1], 1, s.shape[-1]))
    long = completed(of_longer_side(long, s), full)
    return (short, s, transpose(long)) if wide else (long, s, transpose(short))
