"""Eigenvalues and eigenvectors of any square matrix, which are complex.

Their order, and the sign and phase of the vectors, are those of a library; `of` gives what it has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from flint import acb, arb

from oracles.exact.program import complex as cx
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program.balls import filled, zeros
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
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import exactly
from oracles.exact.program.primitives import scalar
from oracles.exact.program.primitives.arithmetic import scale
from oracles.exact.program.primitives.arrays import reduce_sum
from oracles.exact.program.primitives.linear_algebra import batched, cubed
from oracles.exact.program.primitives.nearby import of_nearby
from oracles.exact.program.program import Array, Equation, Primitive, Var

Library: TypeAlias = Callable[[Array], tuple[Array, Array]]  # eigenvalues and -vectors of complex matrices
ORDER = "the eigenvalues lie so near to each other that their order in the result is not known"


def _decompose(re: Array, im: Array, of: Library) -> tuple[list[acb], list[list[acb]]]:
    """The eigenvalues of one matrix in the library's order, and eigenvectors of any length and phase."""
    values, columns = isolated(re, im)
    if all(bool(x == 0) for x in im.ravel()):
        for k in [k for k in range(len(values)) if _is_real(k, values)]:
            values[k], columns[k] = acb(values[k].real), [acb(x.real) for x in columns[k]]
    theirs, _ = of(numbers(re, im))
    ours = numbers(*parts(np.array(values, object)))
    apart = np.abs(ours[None] - theirs[:, None])
    order = apart.argmin(1)
    nearest = np.sort(apart, 1)
    if len(set(order.tolist())) < len(values) or (
        len(values) > 1 and np.any(2 * nearest[:, 0] >= nearest[:, 1])
    ):
        raise Undecided(ORDER)
    return [values[k] for k in order], [columns[k] for k in order]


def _is_real(k: int, values: list[acb]) -> bool:
    """Of a real matrix: its conjugate is an eigenvalue, too, and can be in no other ball than its own."""
    mirrored = values[k].conjugate()
    return bool(values[k].overlaps(mirrored)) and not any(
        mirrored.overlaps(other) for j, other in enumerate(values) if j != k
    )


def _values(re: Array, im: Array, *, of: Library) -> Array:
    def one(re: Array, im: Array) -> Array:
        return parts(np.array(_decompose(re, im, of)[0], object))

    return batched(one, re, im) if re.size else zeros((*re.shape[:-2], 2, re.shape[-1]))


def _vectors(re: Array, im: Array, *, of: Library) -> Array:
    def one(re: Array, im: Array) -> Array:
        return parts(np.array(_decompose(re, im, of)[1], object).T)

    return batched(one, re, im) if re.size else zeros((*re.shape[:-2], 2, *re.shape[-2:]))


def _values_jvp(equation: Equation, tangents: Tangents) -> Var:
    """dw = the diagonal of V^-1 dA V (Magnus, On differentiating eigenvalues and eigenvectors, 1985)."""
    _, v, along = _along(equation, tangents)
    return stacked(diagonal(ca.solve(v, along)), -2)


def _vectors_jvp(equation: Equation, tangents: Tangents) -> Var:
    """dV = V C with c_ij = (V^-1 dA V)_ij / (w_j - w_i), and 0 for i = j: along itself no vector moves."""
    w, v, along = _along(equation, tangents)
    return stacked(ca.matmul(v, ca.bilinear(scale, ca.solve(v, along), gaps(w))), -3)


def _along(equation: Equation, tangents: Tangents) -> tuple[Complex, Complex, Complex]:
    """The eigenvalues and -vectors, and dA V."""
    w, v = _raw(Complex(*equation.operands), equation.params["of"])
    return w, v, ca.matmul(tangent(equation, tangents), v)


def _raw(a: Complex, of: Library) -> tuple[Complex, Complex]:
    """The eigenvalues, and eigenvectors of any length and phase."""
    emit, (*batch, n, _) = a.builder.emit, a.shape
    w = emit(values_, (a.re, a.im), (*batch, 2, n), a.re.dtype, of=of)
    v = emit(vectors_, (a.re, a.im), (*batch, 2, n, n), a.re.dtype, of=of)
    return of_stack(w, -2), of_stack(v, -3)


values_ = Primitive("complex_eigenvalues", _values, _values_jvp, rounded=of_nearby(_values), cost=cubed)
vectors_ = Primitive(
    "complex_eigenvectors", _vectors, _vectors_jvp, rounded=of_nearby(_vectors, vectors=True), cost=cubed
)


def _gauge(re: Array, im: Array, *, of: Library) -> Array:
    """1 or -1 at the component of each eigenvector that LAPACK makes real, its sign; 0 elsewhere.

    It is the largest one (geev), and the only one without an imaginary part where others are as large.
    """

    def one(re: Array, im: Array) -> Array:
        _, vectors = of(numbers(re, im))
        size = np.where(vectors.imag == 0, np.abs(vectors), 0.0)
        at = np.where(size.max(0) > 0, size.argmax(0), np.abs(vectors).argmax(0))
        mask = np.zeros(vectors.shape)
        columns = np.arange(len(at))
        mask[at, columns] = np.where(vectors.real[at, columns] < 0, -1.0, 1.0)
        return filled([arb(s) for s in mask.ravel().tolist()], mask.shape)

    return batched(one, re, im) if re.size else zeros(re.shape)


gauge_ = Primitive("lapack_gauge", _gauge, rounded=exactly)


def eig(a: Complex, of: Library) -> tuple[Complex, Complex]:
    """The eigenvalues of (..., n, n), and unit eigenvectors in columns with a real component, as geev's."""
    w, x = _raw(a, of)
    mask = a.builder.emit(gauge_, (a.re, a.im), a.shape, a.re.dtype, of=of)
    component = x.apart(lambda v: reduce_sum(mask * v, (-2,), keepdims=True))
    length = scalar("sqrt", reduce_sum(cx.squared_size(x), (-2,), keepdims=True)) * cx.absolute(component)
    return w, cx.mul(x, cx.conj(component)).apart(lambda v: v / length)


def of_eig(kind: np.dtype[Any], run: Callable[[Array], Any] = np.linalg.eig) -> Library:
    """NumPy's, or another's, of that dtype; a real matrix has another driver of LAPACK than a complex one."""

    def of(numbers: Array) -> tuple[Array, Array]:
        own = (numbers if kind.kind == "c" else numbers.real).astype(kind if kind.kind in "fc" else float)
        w, v = run(own)
        return np.asarray(w, complex), np.asarray(v, complex)

    return of
