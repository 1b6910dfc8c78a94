"""Complex numbers as pairs: each operation and its derivative against mpmath."""

from functools import partial

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import torch

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program import complex as cx
from oracles.exact.program import complex_arrays as ca
from oracles.exact.program import fourier
from oracles.exact.program import functions as fn
from oracles.exact.program.complex import Complex
from oracles.exact.program.derive import jvp
from oracles.exact.program.formats import ROUNDING_MODELS
from oracles.exact.program.program import Builder
from oracles.exact.rounding.bound import bound

RNG = np.random.default_rng(0)
BITS, CLOSE = 200, mpmath.mpf(10) ** -40
# In all four quadrants, and beside the cuts; no point is on one.
POINTS = np.array([0.3 + 0.7j, -1.4 + 0.2j, -0.6 - 2.1j, 1.7 - 0.4j, 0.2 - 1.3j, -0.1 + 1.6j])
THEIRS = {
    "abs": abs, "angle": mpmath.arg, "conj": mpmath.conj, "exp2": lambda z: mpmath.mpf(2) ** z,
    "expm1": lambda z: mpmath.exp(z) - 1, "imag": mpmath.im, "real": mpmath.re,
    "log1p": lambda z: mpmath.log(1 + z), "log2": lambda z: mpmath.log(z) / mpmath.log(2),
    "log10": lambda z: mpmath.log(z) / mpmath.log(10), "logistic": lambda z: 1 / (1 + mpmath.exp(-z)),
    "neg": lambda z: -z, "reciprocal": lambda z: 1 / z, "rsqrt": lambda z: 1 / mpmath.sqrt(z),
    "sign": lambda z: z / abs(z), "square": lambda z: z * z,
}  # fmt: skip
REAL_VALUED = {"abs", "angle", "imag", "real"}
NOT_HOLOMORPHIC = REAL_VALUED | {"conj", "sign"}


def recorded(function, *points):
    """The program of a function of complex arrays, and the numbers of its inputs."""
    builder, values = Builder(), []
    operands = []
    for z in map(np.asarray, points):
        operands.append(Complex(*(builder.input(z.shape, "float64") for _ in range(2))))
        values += [z.real, z.imag]
    found = function(*operands)
    return builder.program(cx.vars_of(found)), values


def of(function, *points):
    """Its values with many digits, complex ones as such."""
    program, values = recorded(function, *points)
    return _numbers(evaluate(program, values, BITS))


def _numbers(parts):
    flat = [[mpmath.mpf(b.mid().str(60, radius=False)) for b in part.ravel().tolist()] for part in parts]
    return [mpmath.mpc(*z) for z in zip(*flat, strict=True)] if len(flat) == 2 else flat[0]


@pytest.fixture(autouse=True)
def digits():
    with mpmath.workdps(60):
        yield


@pytest.mark.parametrize("name", cx.ELEMENTWISE)
def test_a_function_has_its_value(name):
    theirs = THEIRS.get(name) or getattr(mpmath, name)
    for ours, z in zip(of(cx.ELEMENTWISE[name], POINTS), POINTS, strict=True):
        assert abs(ours - theirs(mpmath.mpc(z))) < CLOSE


@pytest.mark.parametrize("name", cx.ELEMENTWISE)
def test_a_function_has_its_derivative(name):
    """By differences of mpmath, along 1 and along i; of a holomorphic one the latter is i times that."""
    theirs = THEIRS.get(name) or getattr(mpmath, name)
    program, values = recorded(cx.ELEMENTWISE[name], POINTS)
    ones, zeros, step = np.ones(POINTS.shape), np.zeros(POINTS.shape), mpmath.mpf(10) ** -25
    found = []
    for along in (1, 1j):
        tangents = (ones, zeros) if along == 1 else (zeros, ones)
        found.append(_numbers(evaluate(jvp(program, [0, 1]), [*values, *tangents], BITS)))
        for ours, z in zip(found[-1], POINTS, strict=True):
            above, below = (theirs(mpmath.mpc(z) + sign * step * along) for sign in (1, -1))
            assert abs(ours - (above - below) / (2 * step)) < mpmath.mpf(10) ** -30
    if name not in NOT_HOLOMORPHIC:
        assert all(abs(b - 1j * a) < CLOSE for a, b in zip(*found, strict=True))


def test_the_quadrant_is_that_of_a_computed_number():
    """The sign of what is computed is not known to be that of a zero."""
    x, y = POINTS.real, POINTS.imag
    builder = Builder()
    a, b = (builder.input(x.shape, "float64") for _ in range(2))
    program = builder.program([fn.atan2(b * 1.0, a)])
    assert np.allclose([float(v.mid()) for v in evaluate(program, [x, y], BITS)[0]], np.arctan2(y, x))


Z, W = (RNG.normal(size=(3, 3)) + 1j * RNG.normal(size=(3, 3)) for _ in range(2))
BINARY = {
    "add": (cx.add, np.add),
    "sub": (lambda z, w: z - w, np.subtract),
    "mul": (cx.mul, np.multiply),
    "div": (cx.div, np.divide),
    "power": (cx.power, np.power),
    "matmul": (ca.matmul, np.matmul),
    "solve": (ca.solve, np.linalg.solve),
    "solve from the right": (partial(ca.solve, left=False), lambda a, b: b @ np.linalg.inv(a)),
    "a real factor": (lambda z, w: cx.mul(z, w.re), lambda z, w: z * w.real),
    "a real divisor": (lambda z, w: cx.div(z, w.re), lambda z, w: z / w.real),
    "of a real number": (lambda z, w: cx.div(z.re, w), lambda z, w: z.real / w),
    "a real matrix": (lambda z, w: ca.matmul(z.re, w), lambda z, w: z.real @ w),
    "a number": (lambda z, w: z * 2j + w - 1j, lambda z, w: z * 2j + w - 1j),
    "from a number": (lambda z, w: 1j - z / (2 + w), lambda z, w: 1j - z / (2 + w)),
    "product": (lambda z, w: ca.product(z * w, (0,)), lambda z, w: (z * w).prod(0)),
    "inverse": (lambda z, w: ca.inverse(z), lambda z, w: np.linalg.inv(z)),
    "cube": (lambda z, w: cx.power(z, 3), lambda z, w: z**3),
    "negative power": (lambda z, w: cx.power(z, -2), lambda z, w: z**-2.0),
    "no power": (lambda z, w: cx.power(z, 0), lambda z, w: z**0),
    "adjoint": (lambda z, w: ca.adjoint(z), lambda z, w: z.conj().T),
    "choose": (
        lambda z, w: cx.choose(z.builder.constant(Z.real > 0), z, w),
        lambda z, w: np.where(z.real > 0, z, w)),
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_an_operation_is_numpys(name):
    ours, theirs = BINARY[name]
    found, wanted = of(ours, Z, W), theirs(Z, W)
    assert np.allclose(np.array([complex(v) for v in found]).reshape(wanted.shape), wanted, 1e-12, 1e-13)


# -- spectra ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7, 12, 17, 19, 20, 30, 36, 64])
@pytest.mark.parametrize("forward", [True, False])
def test_a_transform_is_the_sum_that_defines_it(n, forward):
    z = RNG.normal(size=n) + 1j * RNG.normal(size=n)
    found = of(lambda x: fourier.transform(x, (0,), forward), z)
    sign = -2j if forward else 2j
    for k in range(0, n, max(1, n // 5)):
        terms = [mpmath.mpc(z[j]) * mpmath.expjpi((sign * j * k / mpmath.mpf(n)).imag) for j in range(n)]
        assert abs(found[k] - mpmath.fsum(terms)) < CLOSE


def test_a_transform_of_several_axes_is_numpys():
    z = RNG.normal(size=(2, 3, 20)) + 1j * RNG.normal(size=(2, 3, 20))
    found = np.array([complex(v) for v in of(lambda x: fourier.transform(x, (0, 2), True), z)])
    assert np.allclose(found.reshape(z.shape), np.fft.fftn(z, axes=(0, 2)))


@pytest.mark.parametrize(("kept", "length"), [(5, 8), (5, 9), (3, 8), (9, 7), (1, 1), (2, 2)])
def test_the_real_inverse_is_numpys(kept, length):
    z = RNG.normal(size=kept) + 1j * RNG.normal(size=kept)
    found = [float(v) for v in of(lambda x: fourier.real_inverse(x, (0,), length), z)]
    assert np.allclose(np.array(found) / length, np.fft.irfft(z, length))


@pytest.mark.parametrize("n", [8, 17, 60])
def test_the_bound_of_a_transform_holds_what_numpy_computes(n):
    z = (RNG.normal(size=(40, n)) + 1j * RNG.normal(size=(40, n))).astype(np.complex64)
    program, values = recorded(lambda x: fourier.transform(x, (1,), True), z)
    _within(program, values, np.fft.fft(z))


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_the_bound_of_a_quotient_holds_what_is_computed(scale):
    """Smith's algorithm in float32, where products cancel: (1 + i)(1 - i(1 + e)) and the like."""
    e = RNG.normal(size=200) * 2.0**-20
    z = ((1 + 1j) * scale * (1 + e)).astype(np.complex64)
    w = (1 - 1j * (1 + e[::-1])).astype(np.complex64) * RNG.normal(size=200).astype(np.float32)
    program, values = recorded(cx.div, z, w)
    _within(program, values, z / w)


def _within(program, values, computed):
    for v in (*program.inputs, *(e.output for e in program.equations)):
        v.dtype = v.dtype.replace("float64", "float32")
    found = bound(program, values, ROUNDING_MODELS["numpy"]).balls
    for balls, numbers in zip(found, (computed.real, computed.imag), strict=True):
        assert all(b.contains(float(c)) for b, c in zip(balls.ravel(), numbers.ravel(), strict=True))


def nasty(rng, dtype, n=600):
    """Numbers of any exponent, the ends among them."""
    low, high = (-1074, 1023) if dtype == "float64" else (-149, 127)
    exponents = [rng.integers(low, high, n), rng.integers(low, low + 60, n), rng.integers(high - 60, high, n)]
    return np.ldexp(rng.normal(size=n), np.choose(rng.integers(0, 3, n), exponents)).astype(dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_bound_holds_quotients_by_a_real_number_that_was_made_complex(dtype):
    """Below the normal numbers 1 / c is infinite, by which some kernels multiply."""
    a, b, c = (nasty(np.random.default_rng(k), dtype) for k in range(3))
    builder = Builder()
    x, y, z = (builder.input(v.shape, dtype) for v in (a, b, c))
    found = cx.div(Complex(x, y), cx.pair(z, 0.0))
    program = builder.program([found.re, found.im])
    kind = "complex128" if dtype == "float64" else "complex64"
    above, below = (np.empty(a.shape, kind) for _ in range(2))
    above.real, above.imag, below.real, below.imag = a, b, c, 0
    with np.errstate(all="ignore"), jax.enable_x64(True):
        computed = {
            "numpy": above / below,
            "torch": (torch.tensor(above) / torch.tensor(below)).numpy(),
            "jax": np.asarray(jnp.asarray(above) / jnp.asarray(below)),
        }
    for library, numbers in computed.items():
        balls = bound(program, [a, b, c], ROUNDING_MODELS[library]).balls
        for part, own in zip((numbers.real, numbers.imag), balls, strict=True):
            told = [
                (v, ball) for v, ball in zip(part.tolist(), own.tolist(), strict=True) if ball.is_finite()
            ]
            assert len(told) > 100
            assert all(v in ball for v, ball in told)
