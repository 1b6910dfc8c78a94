"""Small programs that between them use every primitive and composition: the tests of derivatives run them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program import eigen_general, eigen_hermitian, fourier
from oracles.exact.program import functions as fn
from oracles.exact.program.complex import Complex, absolute, div
from oracles.exact.program.primitives import (
    arithmetic,
    arrays,
    choices,
    comparisons,
    edges,
    holomorphic,
    least_squares,
    linear_algebra,
    orders,
    orthogonal,
    reductions,
    sorting,
    spectral,
    staying,
    taylor,
)
from oracles.exact.program.program import Array, Builder, Program, Var

scalar = taylor.scalar


class Sample(NamedTuple):
    """A function of Vars, and the points (one array per argument) that it is smooth at."""

    function: Callable[..., Var]
    points: tuple[Array, ...]


def _draw(shape: tuple[int, ...], seed: int, low: float = -2.0, high: float = 2.0) -> Array:
    rng = np.random.default_rng(seed)
    return np.round(rng.uniform(low, high, shape), 3)


X, Y = _draw((3, 4), 1), _draw((3, 4), 2)
MASK = np.arange(12).reshape(3, 4) % 3 == 0
ROWS = np.array([[0.0], [4.0], [0.0]])
MASKED = np.array([[False] * 4, [True] * 4, [True, False] * 2])
POSITIVE, UNIT = _draw((3, 4), 3, 0.1, 3.0), _draw((3, 4), 4, -0.9, 0.9)
A = _draw((3, 3), 5) + 3 * np.eye(3)
B = _draw((3, 3), 8)
SYMMETRIC = A @ A.T
STACK, STACK2 = _draw((2, 3, 4), 6), _draw((2, 4, 2), 7)
WITH_ZEROS = np.where(np.arange(12).reshape(3, 4) % 5 == 0, 0.0, X)


def _masked(x: Var) -> Var:
    """x with the second row, and a part of the third, masked with -inf."""
    return choices.select(x.builder.constant(MASKED), np.array(staying.MINUS, object), x)


def _eig(which: int, part: str, a: Var, b: Var) -> Var:
    """One part of the eigenvalues, or of the eigenvectors."""
    found = eigen_general.eig(Complex(a, b), eigen_general.of_eig(np.dtype("complex128")))
    return getattr(found[which], part)


SCALAR_DOMAINS: dict[str, Array] = {
    **dict.fromkeys(("exp", "expm1", "exp2", "sin", "cos", "tan", "sinh", "cosh", "tanh"), X),
    **dict.fromkeys(("atan", "asinh", "erf", "erfc", "sinc", "cbrt", "reciprocal", "digamma", "lgamma"), X),
    **dict.fromkeys(("log", "log1p", "log2", "log10", "sqrt", "length", "rsqrt", "expi", "spence"), POSITIVE),
    **dict.fromkeys(("asin", "acos", "atanh", "erfinv"), UNIT),
    "acosh": POSITIVE + 1,
    "erfcinv": POSITIVE / 2,
}

SAMPLES: dict[str, Sample] = {
    **{name: Sample(lambda x, name=name: scalar(name, x), (x,)) for name, x in SCALAR_DOMAINS.items()},
    "power": Sample(lambda x: scalar("power", x, 3), (X,)),
    "negative power": Sample(lambda x: scalar("power", x, -2), (X,)),
    "powers": Sample(lambda x: scalar("power", x, np.arange(12).reshape(3, 4) % 4), (X,)),
    "polygamma": Sample(lambda x: scalar("polygamma", x, 2), (POSITIVE,)),
    "hurwitz_zeta": Sample(lambda x: scalar("hurwitz_zeta", x, 2.5), (POSITIVE,)),
    "bessel i0": Sample(lambda x: scalar("bessel_i", x, nu=0, scaled=False), (X,)),
    "bessel i1e": Sample(lambda x: scalar("bessel_i", x, nu=1, scaled=True), (X,)),
    "bessel j0": Sample(lambda x: scalar("bessel_j", x, nu=0), (X,)),
    "bessel j1": Sample(lambda x: scalar("bessel_j", x, nu=1), (X,)),
    "gamma_lower": Sample(lambda x: scalar("gamma_lower", x, 1.5), (POSITIVE,)),
    "gamma_upper": Sample(lambda x: scalar("gamma_upper", x, 1.5), (POSITIVE,)),
    "add": Sample(lambda x, y: x + y, (X, Y)),
    "sub": Sample(lambda x, y: x - y, (X, Y)),
    "mul": Sample(lambda x, y: x * y, (X, Y)),
    "div": Sample(lambda x, y: x / y, (X, POSITIVE)),
    "neg": Sample(lambda x: -x, (X,)),
    "scale": Sample(arithmetic.scale, (X, Y)),
    "broadcast": Sample(lambda x, y: x * y, (X, Y[:, :1])),
    "convert": Sample(lambda x: arithmetic.convert(x, "float32"), (X,)),
    "select": Sample(lambda x, y: choices.select(x.builder.constant(MASK), x, y), (X, Y)),
    "select <": Sample(lambda x, y: choices.select(comparisons.compare("lt", x, y), x * x, y), (X, Y)),
    "select < both": Sample(
        lambda x, y: choices.select(comparisons.compare("lt", x, y), x * x, y * y * y), (X, Y)
    ),
    "edged": Sample(lambda x: edges.edged(x * x, arrays.reduce_sum(x, (0, 1)), [fn.absolute(x - 9.0)]), (X,)),
    "blend": Sample(lambda a, b, x, y: choices.blend(a, b, x, y, x), (X, Y, X, Y)),
    "maximum": Sample(fn.maximum, (X, Y)),
    "minimum": Sample(fn.minimum, (X, Y)),
    "abs": Sample(fn.absolute, (X,)),
    "clamp": Sample(lambda x: fn.clamp(x, -0.5, 0.5), (X,)),
    "floor of a clip": Sample(lambda x: x * fn.step("floor", fn.clamp(x, -1.0, 1.0)), (X,)),
    "reshape": Sample(lambda x: arrays.reshape(x, (2, 6)), (X,)),
    "permute": Sample(lambda x: arrays.permute(x, (2, 0, 1)), (STACK,)),
    "take": Sample(lambda x: x[[0, 0, 2], 1:], (X,)),
    "take with zeros": Sample(lambda x: arrays.take(x, np.array([[-1, 3], [3, 5]])), (X,)),
    "scatter_add": Sample(lambda x: arrays.scatter_add(x, np.arange(12).reshape(3, 4) % 5 - 1, (2, 2)), (X,)),
    "concatenate": Sample(lambda x, y: arrays.concatenate([x, y, x], 1), (X, Y)),
    "concatenate, many": Sample(
        lambda x, y: arrays.concatenate([x if k % 3 else y[:, : k % 4 + 1] for k in range(70)], -1), (X, Y)
    ),
    "reduce_sum": Sample(lambda x: arrays.reduce_sum(x, (0, 2)), (STACK,)),
    "reduce_max": Sample(lambda x: reductions.reduce_max(x, (0, 2)), (STACK,)),
    "reduce_max of cubes": Sample(lambda x: reductions.reduce_max(x * x * x, (0, 2)), (STACK,)),
    "reduce_min": Sample(lambda x: reductions.reduce_min(x, (1,), keepdims=True), (X,)),
    "reduce_prod": Sample(lambda x: reductions.reduce_prod(x, (0, 1)), (WITH_ZEROS,)),
    "sort": Sample(lambda x: sorting.sort(x, 1), (X,)),
    "sort of cubes": Sample(lambda x: sorting.sort(x * x * x, 0, descending=True), (X,)),
    "cumsum": Sample(lambda x: orders.cumsum(x, 1), (X,)),
    "cumsum reverse": Sample(lambda x: orders.cumsum(x, 0, reverse=True), (X,)),
    "cumprod": Sample(lambda x: fn.cumprod(x, 1), (WITH_ZEROS,)),
    "cummax": Sample(lambda x: fn.cummax(x, 1, reverse=True), (X,)),
    "cumlogsumexp": Sample(lambda x: fn.cumlogsumexp(x, 1), (X,)),
    "complex quotient": Sample(lambda x, y: div(Complex(x, y), Complex(y, x)).im, (X, Y)),
    "transform": Sample(lambda x, y: fourier.transform(Complex(x, y), (1, 0), True).re, (X, Y)),
    "matmul": Sample(linear_algebra.matmul, (STACK, STACK2)),
    "einsum": Sample(lambda x, y, z: linear_algebra.einsum("ij,kj,kl->il", x, y, z), (X, Y, X)),
    "einsum diagonal": Sample(lambda x: linear_algebra.einsum("ii->i", x), (A,)),
    "dot_general": Sample(
        lambda x, y: linear_algebra.dot_general(x, y, ((2,), (1,)), ((0,), (0,))), (STACK, STACK2)
    ),
    "solve": Sample(linear_algebra.solve, (A, X)),
    "inverse": Sample(linear_algebra.inverse, (A,)),
    "det": Sample(linear_algebra.det, (A,)),
    "matrix_exp": Sample(lambda a: linear_algebra.exponential(a * 0.25), (A,)),
    "matrix_exp along": Sample(
        lambda a, e: a.builder.emit(linear_algebra.exponential_along_, (a * 0.25, e), a.shape, a.dtype),
        (A, A.T),
    ),
    "holomorphic": Sample(
        lambda a, b: arrays.concatenate(
            [v for name in ("faddeeva", "lgamma") for v in holomorphic.holomorphic(name, a, b)], 0
        ),
        (POSITIVE, X),
    ),
    "eigenvalues": Sample(lambda a: spectral.eigh(a)[0], (SYMMETRIC,)),
    "eigenvectors": Sample(lambda a: spectral.eigh(a)[1], (SYMMETRIC,)),
    "singular values": Sample(spectral.singular_values, (X,)),
    "singular vectors, full": Sample(lambda a: spectral.svd(a, full=True)[2][..., :3, :], (X,)),
    "singular vectors": Sample(lambda a: spectral.svd(a)[2], (X,)),
    "orthonormal": Sample(lambda a: orthogonal.factors(a)[0], (X.T,)),
    "orthonormal, wide": Sample(lambda a: orthogonal.factors(a)[0], (X,)),
    "triangular": Sample(lambda a: orthogonal.factors(a)[1], (X.T,)),
    "triangular, wide": Sample(lambda a: orthogonal.factors(a)[1], (X,)),
    "least squares": Sample(least_squares.fit, (X.T, Y.T)),
    "least squares, wide": Sample(least_squares.fit, (X, Y)),
    "least squares, square": Sample(least_squares.fit, (A, Y)),
    "residue": Sample(
        lambda a, b, x: least_squares.residue(*map(fn.square, (linear_algebra.matmul(a, x) - b, a, b, x))),
        (X.T, Y.T, A),
    ),
    "gamma_lower in a": Sample(lambda a, x: scalar("gamma_lower", x, a), (POSITIVE, POSITIVE[:, ::-1])),
    "gamma_upper in a": Sample(lambda a, x: scalar("gamma_upper", x, a), (POSITIVE, POSITIVE[:, ::-1])),
    "hurwitz_zeta in s": Sample(lambda s, q: scalar("hurwitz_zeta", q, s + 1.0), (POSITIVE, POSITIVE[::-1])),
    "cholesky": Sample(linear_algebra.cholesky, (SYMMETRIC,)),
    "triangle": Sample(lambda a: linear_algebra.triangle(a, lower=True), (A,)),
    "softmax": Sample(lambda x: fn.softmax(x, 1), (X,)),
    "log_softmax": Sample(lambda x: fn.log_softmax(x, 0), (X,)),
    "logsumexp": Sample(lambda x: fn.logsumexp(x, (0, 1)), (X,)),
    "masked rows": Sample(lambda x: scalar("exp", fn.logsumexp(_masked(x), (1,))), (X,)),
    "norms beyond a bound": Sample(
        lambda x: scalar("sqrt", arrays.reduce_sum(fn.square(fn.maximum(x, 1.0) - 1.0), (1,))), (X - ROWS,)
    ),
    "logistic": Sample(fn.logistic, (X,)),
    "softplus": Sample(fn.softplus, (X,)),
    "log_sigmoid": Sample(fn.log_sigmoid, (X,)),
    "logaddexp": Sample(fn.logaddexp, (X, Y)),
    "fmod": Sample(lambda x, y: fn.remainder(x, y, "trunc"), (X, POSITIVE)),
    "mod": Sample(lambda x, y: fn.remainder(x, y, "floor"), (X, POSITIVE)),
    "real power": Sample(fn.power, (POSITIVE, Y)),
    "hypot": Sample(fn.hypot, (X, Y)),
    "unit": Sample(lambda x, y: x.builder.elementwise("unit", x, fn.hypot(x, y)), (X, Y)),
    "within": Sample(lambda x, y: x.builder.elementwise("within", x, fn.hypot(x, y)), (X, Y)),
    "atan2": Sample(fn.atan2, (X, Y)),
    "xlogy": Sample(fn.xlogy, (X, POSITIVE)),
    "xlog1py": Sample(fn.xlog1py, (X, POSITIVE)),
    "entr": Sample(fn.entr, (POSITIVE,)),
    "ndtr": Sample(fn.ndtr, (X,)),
    "log_ndtr": Sample(fn.log_ndtr, (X,)),
    "ndtri": Sample(fn.ndtri, (POSITIVE / 4,)),
    "gelu": Sample(fn.gelu, (X,)),
    "variance": Sample(lambda x: fn.variance(x, (1,), 1.0), (X,)),
    **{f"complex eigenvalues, {part}": Sample(partial(_eig, 0, part), (A, B)) for part in ("re", "im")},
    **{f"complex eigenvectors, {part}": Sample(partial(_eig, 1, part), (A, B)) for part in ("re", "im")},
    "hermitian eigenvalues": Sample(lambda a, b: eigen_hermitian.eigh(Complex(a, b))[0], (A, B)),
    "hermitian eigenvectors": Sample(lambda a, b: absolute(eigen_hermitian.eigh(Complex(a, b))[1]), (A, B)),
    "complex singular values": Sample(lambda a, b: eigen_hermitian.singular_values(Complex(a, b)), (X, Y)),
    "complex singular vectors": Sample(lambda a, b: absolute(eigen_hermitian.svd(Complex(a, b))[2]), (X, Y)),
}


def build(function: Callable[..., Var], points: tuple[Array, ...]) -> Program:
    """The program of a function at arguments of these shapes."""
    builder = Builder()
    return builder.program([function(*(builder.input(p.shape, "float64") for p in points))])


TURNED = np.linalg.qr(np.random.default_rng(0).standard_normal((6, 6)))[0]  # sums of sizes of about 2


def turning(steps: int) -> Callable[[Var], Var]:
    """A recurrence of six numbers: balls grow by about 2 each step, and what they hold does not."""

    def function(x: Var) -> Var:
        w, h = x.builder.constant(TURNED.astype(x.dtype)), x
        for _ in range(steps):
            turned = linear_algebra.matmul(arrays.reshape(h, (1, 6)), w)
            h = taylor.scalar("sin", arrays.reshape(turned, (6,)) * 0.01) * 100.0
        return h

    return function


def along(sample: Sample, directions: tuple[Array, ...]) -> Program:
    """The program of s(t) = f(x + t d), t a scalar."""
    builder = Builder()
    t = builder.input((), "float64")
    moved = [
        builder.constant(x) + t * builder.constant(d) for x, d in zip(sample.points, directions, strict=True)
    ]
    return builder.program([sample.function(*moved)])


def value(sample: Sample, bits: int = 128) -> Array:
    """f at its points."""
    return evaluate(build(*sample), sample.points, bits)[0]
