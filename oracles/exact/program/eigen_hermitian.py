"""Eigenvalues and eigenvectors of Hermitian matrices, and complex singular values and vectors.

The phases of vectors are a library's; `of` gives what it has. Where they move, no vector turns its own phase:
of what depends on the phase any derivative is as good.
"""

from __future__ import annotations

import numpy as np
from flint import acb, arb

from oracles.exact.program import complex as cx
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program.balls import as_balls, filled, zeros
from oracles.exact.program.complex import Complex
from oracles.exact.program.derive import Tangents
from oracles.exact.program.eigen_parts import (
    diagonal,
    gaps,
    isolated,
    numbers,
    of_stack,
    parts,
    stacked,
    tangent,
)
from oracles.exact.program.formats import Format, Growth
from oracles.exact.program.primitives import scalar
from oracles.exact.program.primitives.arithmetic import scale
from oracles.exact.program.primitives.arrays import reshape
from oracles.exact.program.primitives.linear_algebra import batched, cubed
from oracles.exact.program.primitives.nearby import lost, of_nearby
from oracles.exact.program.primitives.orders import flip
from oracles.exact.program.primitives.spectral import (
    Vectors,
    completed,
    of_longer_side,
    vectors_of_eigh,
    vectors_of_svd,
)
from oracles.exact.program.program import Array, Equation, Primitive, Var


def _hermitian(re: Array, im: Array) -> tuple[list[arb], list[list[acb]]]:
    """The eigenvalues, ascending, and unit eigenvectors of any phase."""
    values, columns = isolated(re, im)
    found = []
    for k in sorted(range(len(values)), key=lambda k: float(values[k].real.mid())):
        size = sum((abs(z) ** 2 for z in columns[k]), arb(0)).sqrt()
        found.append((values[k].real, [z / size for z in columns[k]]))
    return [w for w, _ in found], [v for _, v in found]


def _hermitian_values(re: Array, im: Array) -> Array:
    def one(re: Array, im: Array) -> Array:
        return filled(_hermitian(re, im)[0], (len(re),))

    return batched(one, re, im) if re.size else zeros(re.shape[:-1])


def _hermitian_vectors(re: Array, im: Array) -> Array:
    def one(re: Array, im: Array) -> Array:
        return parts(np.array(_hermitian(re, im)[1], object).T)

    return batched(one, re, im) if re.size else zeros((*re.shape[:-2], 2, *re.shape[-2:]))


def _hermitian_values_jvp(equation: Equation, tangents: Tangents) -> Var:
    """dw = the diagonal of V^H dA V, which is real (Magnus, 1985)."""
    _, v, along = _along_hermitian(equation, tangents)
    return diagonal(ca.matmul(ca.adjoint(v), along)).re


def _hermitian_vectors_jvp(equation: Equation, tangents: Tangents) -> Var:
    """As above, with V^H for V^-1: no vector moves along itself, nor turns its phase."""
    w, v, along = _along_hermitian(equation, tangents)
    return stacked(ca.matmul(v, ca.bilinear(scale, ca.matmul(ca.adjoint(v), along), gaps(w))), -3)


def _along_hermitian(equation: Equation, tangents: Tangents) -> tuple[Var, Complex, Complex]:
    re, im = equation.operands
    v = re.builder.emit(hermitian_vectors_, (re, im), (*re.shape[:-2], 2, *re.shape[-2:]), re.dtype)
    w = re.builder.emit(hermitian_values_, (re, im), re.shape[:-1], re.dtype)
    return w, of_stack(v, -3), ca.matmul(tangent(equation, tangents), of_stack(v, -3))


hermitian_values_ = Primitive(
    "hermitian_eigenvalues",
    _hermitian_values,
    _hermitian_values_jvp,
    rounded=of_nearby(_hermitian_values),
    cost=cubed,
)
hermitian_vectors_ = Primitive(
    "hermitian_eigenvectors",
    _hermitian_vectors,
    _hermitian_vectors_jvp,
    rounded=of_nearby(_hermitian_vectors, vectors=True),
    cost=cubed,
)


def _phases(vectors: Array, re: Array, im: Array, *, of: Vectors) -> Array:
    """Of each column the number of size 1 that turns it as the library's points; any is an eigenvector's."""
    theirs = of(numbers(re, im))
    ours = numbers(vectors[..., 0, :, :], vectors[..., 1, :, :])
    turn = (ours.conj() * theirs).sum(-2)
    exact = [acb(z.real, z.imag) if z else acb(1) for z in turn.ravel().tolist()]
    return parts(np.array([z / abs(z) for z in exact], object).reshape(turn.shape), len(turn.shape) - 1)


def _phases_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """As far off as the vectors are: their phases are another's where all of them may be."""
    vectors = as_balls(operands[0])
    radii = np.array([float(b.rad()) for b in vectors.ravel()]).reshape(vectors.shape).max((-3, -2))
    off = 2 * vectors.shape[-1] * (radii + lost(vectors.shape[-1], target.unit))
    wide = filled([arb(0, r) if np.isfinite(r) else arb("nan") for r in off.ravel().tolist()], off.shape)
    return np.asarray(_phases(*operands, **equation.params) + wide[..., None, :])


phases_ = Primitive("lapack_phases", _phases, rounded=_phases_rounded)


def eigh(a: Complex, lower: bool = True, of: Vectors = vectors_of_eigh) -> tuple[Var, Complex]:
    """The eigenvalues, ascending, and eigenvectors in columns of the Hermitian matrix with this triangle."""
    whole = ca.hermitian(a, lower)
    return _eigenvalues(whole), _phased(_eigenvectors(whole), whole, of)


def singular_values(a: Complex) -> Var:
    """Largest first: roots of the eigenvalues of a a^H or a^H a, the smaller."""
    return scalar("sqrt", flip(_eigenvalues(_gram(a)), -1))


def svd(a: Complex, full: bool = False, of: Vectors = vectors_of_svd) -> tuple[Complex, Var, Complex]:
    """u, s and v^H of a = u diag(s) v^H, largest first; as `spectral.svd` has real ones.

    `of` gives the library's vectors of the shorter side, whose phases they have.
    """
    wide = a.shape[-2] <= a.shape[-1]
    b, s = a if wide else ca.adjoint(a), singular_values(a)
    short = _phased(_eigenvectors(_gram(a)).apart(lambda v: flip(v, -1)), a, of)
    long = ca.matmul(ca.adjoint(b), short).apart(lambda v: v / reshape(s, (*s.shape[:-1], 1, s.shape[-1])))
    long = long.apart(lambda v: completed(of_longer_side(v, s), full))
    return (short, s, ca.adjoint(long)) if wide else (long, s, ca.adjoint(short))


def _gram(a: Complex) -> Complex:
    b = a if a.shape[-2] <= a.shape[-1] else ca.adjoint(a)
    return ca.matmul(b, ca.adjoint(b))


def _eigenvalues(a: Complex) -> Var:
    return a.builder.emit(hermitian_values_, (a.re, a.im), a.shape[:-1], a.re.dtype)


def _eigenvectors(a: Complex) -> Complex:
    shape = (*a.shape[:-2], 2, *a.shape[-2:])
    return of_stack(a.builder.emit(hermitian_vectors_, (a.re, a.im), shape, a.re.dtype), -3)


def _phased(vectors: Complex, a: Complex, of: Vectors) -> Complex:
    stack, shape = stacked(vectors, -3), (*vectors.shape[:-2], 2, vectors.shape[-1])
    turn = of_stack(a.builder.emit(phases_, (stack, a.re, a.im), shape, a.re.dtype, of=of), -2)
    return cx.mul(vectors, turn.apart(lambda v: reshape(v, (*v.shape[:-1], 1, v.shape[-1]))))
