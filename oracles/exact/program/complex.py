"""Complex numbers as pairs of real values: each operation as mathematics has it, once for all front ends.

A program knows real values only, so derivatives, bounds and verdicts are real, too: the derivative by the
real and by the imaginary part. Functions are holomorphic, or not, as their formulas are. Logarithms, powers
and roots are principal ones: they jump where `atan2` does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from oracles.exact.program import functions as f
from oracles.exact.program.formats import format_of
from oracles.exact.program.primitives import compare, convert, detach, pi, scalar, select
from oracles.exact.program.primitives.arrays import constant_value, reduce_sum
from oracles.exact.program.primitives.edges import edged
from oracles.exact.program.primitives.roughness import rough
from oracles.exact.program.primitives.squares import is_zero as is_written_zero
from oracles.exact.program.program import Array, Builder, Operand, Shape, Var

REAL = {"complex64": "float32", "complex128": "float64"}  # the dtype of the parts
OF_PARTS = {real: name for name, real in REAL.items()}
# Unit roundoffs of |z| / |w| that kernels lose, by Smith's algorithm (1962) or with scaled operands: each
# computes the same terms in at most this many operations. See Baudin and Smith, A robust complex division in
# Scilab (2012).
QUOTIENT_UNITS = 16


@dataclass(frozen=True, slots=True)
class Complex:
    """A complex value: its real and its imaginary part, of one shape and dtype."""

    re: Var
    im: Var
    __array_ufunc__ = None
    is_float = True  # its elements are balls, two each

    @property
    def shape(self) -> Shape:
        """The shape of both parts."""
        return self.re.shape

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return self.re.ndim

    @property
    def size(self) -> int:
        """The number of elements."""
        return self.re.size

    @property
    def dtype(self) -> str:
        """complex64 or complex128."""
        return OF_PARTS[self.re.dtype]

    @property
    def builder(self) -> Builder:
        """Where its equations are written."""
        return self.re.builder

    def __add__(self, other: Number) -> Complex:
        return add(self, other)

    def __sub__(self, other: Number) -> Complex:
        return sub(self, other)

    def __mul__(self, other: Number) -> Complex:
        return mul(self, other)

    def __truediv__(self, other: Number) -> Complex:
        return div(self, other)

    def __rsub__(self, other: Number) -> Complex:
        return sub(other, self)

    def __rtruediv__(self, other: Number) -> Complex:
        return div(other, self)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Complex:
        return Complex(-self.re, -self.im)

    def __getitem__(self, key: Any) -> Complex:
        return self.apart(lambda v: v[key])

    def apart(self, function: Callable[[Var], Var]) -> Complex:
        """What a linear function with real coefficients makes of it: of each part the same."""
        return Complex(function(self.re), function(self.im))


Number: TypeAlias = Complex | Operand | complex


def pair(re: Operand, im: Operand) -> Complex:
    """re + i im, both broadcast."""
    builder = next(v.builder for v in (re, im) if isinstance(v, Var))
    dtype = next(v.dtype for v in (re, im) if isinstance(v, Var))
    shape = np.broadcast_shapes(*(v.shape if isinstance(v, Var) else np.shape(v) for v in (re, im)))
    return Complex(*(builder.broadcast(builder.as_var(v, dtype), shape) for v in (re, im)))


def parts(x: Number) -> tuple[Any, Any]:
    """The real and the imaginary part; None for that of a real number."""
    if isinstance(x, Complex):
        return x.re, x.im
    if isinstance(x, Var):
        return x, None
    array = np.asarray(x)
    return (array.real, array.imag) if array.dtype.kind == "c" else (array, None)


def each_part(function: Callable[..., Any], *values: Complex | Var) -> Any:
    """A function of real values; of complex ones of both parts."""
    if not any(isinstance(v, Complex) for v in values):
        return function(*values)
    return Complex(*(function(*(getattr(v, part) for v in values)) for part in ("re", "im")))


def vars_of(x: Complex | Var) -> list[Var]:
    """The one value, or both."""
    return [x.re, x.im] if isinstance(x, Complex) else [x]


def as_complex(x: Complex | Var, dtype: str) -> Complex:
    """A value in this complex dtype."""
    real = REAL[dtype]
    if isinstance(x, Complex):
        return x.apart(lambda v: convert(v, real))
    re = convert(x, real)
    return pair(re, 0.0)


def real(x: Number) -> Any:
    """The real part."""
    return parts(x)[0]


def imag(x: Complex) -> Var:
    """The imaginary part."""
    return x.im


def conj(x: Complex) -> Complex:
    """The conjugate."""
    return Complex(x.re, -x.im)


def times_i(x: Complex) -> Complex:
    """i x."""
    return Complex(-x.im, x.re)


def over_i(x: Complex) -> Complex:
    """-i x."""
    return Complex(x.im, -x.re)


# -- arithmetic -------------------------------------------------------------------------------------------


def neg(x: Number) -> Any:
    """-x."""
    return -x


def add(x: Number, y: Number) -> Complex:
    """x + y."""
    (a, b), (c, d) = parts(x), parts(y)
    return pair(a + c, b if d is None else d if b is None else b + d)


def sub(x: Number, y: Number) -> Complex:
    """x - y: of an element and itself it is 0 (`same`), which the sum with -y would not tell."""
    (a, b), (c, d) = parts(x), parts(y)
    return pair(a - c, b if d is None else -d if b is None else b - d)


def mul(x: Number, y: Number) -> Complex:
    """x y; by a real number each part."""
    (a, b), (c, d) = parts(x), parts(y)
    if d is None:
        return pair(a * c, b * c)
    return pair(c * a, d * a) if b is None else pair(a * c - b * d, a * d + b * c)


def div(x: Number, y: Number) -> Complex:
    """x / y; by a real number each part."""
    c, d = parts(y)
    if d is None:
        a, b = parts(x)
        return pair(a / c, b / c)
    builder = next(v.builder for v in (x, y) if isinstance(v, Complex | Var))
    dtype = next(v.dtype for v in (x, y) if isinstance(v, Complex))
    shape = np.broadcast_shapes(*(np.shape(v) if not hasattr(v, "shape") else v.shape for v in (x, y)))
    x, y = _written(builder, x, dtype, shape), _written(builder, y, dtype, shape)
    if is_written_zero(y.im):
        quotient = x.apart(lambda v: v / y.re)
    else:
        below = f.square(y.re) + f.square(y.im)
        quotient = mul(x, conj(y)).apart(lambda v: v / below)
    terms = (x.re, x.im, y.re, y.im)
    normal = float(format_of(y.re.dtype).normal)
    return quotient.apart(lambda v: rough(v, "quotient", terms, QUOTIENT_UNITS, normal=normal))


def _written(builder: Builder, x: Number, dtype: str, shape: Shape) -> Complex:
    re, im = parts(x)
    kind = REAL[dtype]
    of = [builder.as_var(0.0 if v is None else v, kind) for v in (re, im)]
    return Complex(*(builder.broadcast(convert(v, kind), shape) for v in of))


def reciprocal(x: Complex) -> Complex:
    """1 / x."""
    return div(1.0, x)


def square(x: Complex) -> Complex:
    """x^2."""
    return mul(x, x)


def squared_size(x: Complex) -> Var:
    """|x|^2."""
    return f.square(x.re) + f.square(x.im)


def absolute(x: Complex) -> Var:
    """|x|, as kernels compute it: by C's hypot."""
    return f.as_one("hypot", lambda re: f.hypot(re, x.im), x.re)


def angle(x: Complex) -> Var:
    """The angle, from -pi to pi."""
    return f.atan2(x.im, x.re)


def polar(size: Var, angle: Var) -> Complex:
    """The number of this size and angle."""
    return pair(size * scalar("cos", angle), size * scalar("sin", angle))


def is_zero(x: Complex) -> Var:
    """Where both parts are 0, which one that is not decides."""
    return compare("eq", squared_size(x), 0.0)


def sign(x: Complex) -> Complex:
    """x / |x|, and 0 at 0, where it has no derivative."""
    size, zero = absolute(x), is_zero(x)
    along = x.re + x.im
    return x.apart(lambda v: edged(select(zero, 0.0, v / size), reduce_sum(along, range(along.ndim)), [size]))


def equal(name: str, x: Number, y: Number) -> Var:
    """Whether both parts are equal (eq), or one is not (ne)."""
    (a, b), (c, d) = parts(x), parts(y)
    each = compare(name, a, c), compare(name, 0.0 if b is None else b, 0.0 if d is None else d)
    return each[0].builder.elementwise("and" if name == "eq" else "or", *each, dtype="bool")


def choose(where: Var, x: Number, y: Number) -> Complex:
    """x where the condition holds, y elsewhere."""
    (a, b), (c, d) = parts(x), parts(y)
    like = next(v for v in (a, c) if isinstance(v, Var))
    one = [like.builder.as_var(0.0 if v is None else v, like.dtype) for v in (b, d)]
    return pair(select(where, a, c), select(where, *one))


# -- exponentials and what is made of them ----------------------------------------------------------------


def exp(x: Complex) -> Complex:
    """e^x."""
    return polar(scalar("exp", x.re), x.im)


def exp2(x: Complex) -> Complex:
    """2^x."""
    return exp(mul(x, _log_of(x, 2.0)))


def expm1(x: Complex) -> Complex:
    """e^x - 1: near 0 without cancellation."""
    half = scalar("sin", x.im / 2.0)
    re = scalar("expm1", x.re) * scalar("cos", x.im) - 2.0 * f.square(half)
    return pair(re, scalar("exp", x.re) * scalar("sin", x.im))


def log(x: Complex) -> Complex:
    """The principal logarithm."""
    return Complex(scalar("log", absolute(x)), angle(x))


def log1p(x: Complex) -> Complex:
    """log(1 + x)."""
    return Complex(scalar("log1p", x.re * 2.0 + squared_size(x)) / 2.0, f.atan2(x.im, x.re + 1.0))


def log2(x: Complex) -> Complex:
    """log x / log 2."""
    return div(log(x), _log_of(x, 2.0))


def log10(x: Complex) -> Complex:
    """log x / log 10."""
    return div(log(x), _log_of(x, 10.0))


def _log_of(like: Complex, number: float) -> Var:
    return scalar("log", like.builder.constant(number, like.re.dtype))


def sqrt(x: Complex) -> Complex:
    """The principal root."""
    return polar(scalar("sqrt", absolute(x)), angle(x) / 2.0)


def rsqrt(x: Complex) -> Complex:
    """One over the principal root."""
    return polar(scalar("rsqrt", absolute(x)), angle(x) / -2.0)


def power(x: Complex, y: Number) -> Complex:
    """x^y: by products for one integer, else e^(y log x)."""
    known = _one_number(y)
    if known is not None and known.imag == 0 and known.real % 1 == 0 and abs(known.real) <= 64:
        return integer_power(x, int(known.real))
    if known == 0.5:
        return sqrt(x)
    if known == -0.5:
        return rsqrt(x)
    return exp(mul(log(x), y))


def _one_number(y: Number) -> complex | None:
    if isinstance(y, Var | Complex):
        numbers = [constant_value(v) for v in ((y,) if isinstance(y, Var) else (y.re, y.im))]
        known = [np.unique(n) for n in numbers if n is not None and n.dtype.kind in "iubf"]
        if len(known) < len(numbers) or any(k.size != 1 for k in known):
            return None
        return complex(*(float(k.item()) for k in known))
    return complex(np.asarray(y).item()) if np.size(y) == 1 else None


def integer_power(x: Complex, n: int) -> Complex:
    """x^n by products."""
    if n <= 0:
        one = pair(x.re * 0.0 + 1.0, 0.0)
        return one if n == 0 else div(1.0, integer_power(x, -n))
    found: Complex | None = None
    for bit in f"{n:b}":
        found = None if found is None else square(found)
        if bit == "1":
            found = x if found is None else mul(found, x)
    assert found is not None
    return found


def sin(x: Complex) -> Complex:
    """sin a cosh b + i cos a sinh b."""
    a, b = x.re, x.im
    return pair(scalar("sin", a) * scalar("cosh", b), scalar("cos", a) * scalar("sinh", b))


def cos(x: Complex) -> Complex:
    """cos a cosh b - i sin a sinh b."""
    a, b = x.re, x.im
    return pair(scalar("cos", a) * scalar("cosh", b), -(scalar("sin", a) * scalar("sinh", b)))


def sinh(x: Complex) -> Complex:
    """-i sin(i x)."""
    return over_i(sin(times_i(x)))


def cosh(x: Complex) -> Complex:
    """cos(i x)."""
    return cos(times_i(x))


def tanh(x: Complex) -> Complex:
    """(sinh 2a + i sin 2b) / (cosh 2a + cos 2b)."""
    a, b = x.re * 2.0, x.im * 2.0
    below = scalar("cosh", a) + scalar("cos", b)
    return pair(scalar("sinh", a) / below, scalar("sin", b) / below)


def tan(x: Complex) -> Complex:
    """-i tanh(i x)."""
    return over_i(tanh(times_i(x)))


def asinh(x: Complex) -> Complex:
    """log(x + sqrt(x^2 + 1))."""
    return log(x + sqrt(square(x) + 1.0))


def acosh(x: Complex) -> Complex:
    """log(x + sqrt(x + 1) sqrt(x - 1))."""
    return log(x + mul(sqrt(x + 1.0), sqrt(x + -1.0)))


def atanh(x: Complex) -> Complex:
    """(log(1 + x) - log(1 - x)) / 2."""
    return div(log1p(x) - log1p(-x), 2.0)


def asin(x: Complex) -> Complex:
    """-i asinh(i x)."""
    return over_i(asinh(times_i(x)))


def acos(x: Complex) -> Complex:
    """pi/2 - asin x."""
    found = asin(x)
    return pair(pi(x.builder, x.re.dtype) / 2.0 - found.re, -found.im)


def atan(x: Complex) -> Complex:
    """-i atanh(i x)."""
    return over_i(atanh(times_i(x)))


def logistic(x: Complex) -> Complex:
    """1 / (1 + e^-x)."""
    return div(1.0, exp(-x) + 1.0)


def logaddexp(x: Complex, y: Complex) -> Complex:
    """A logarithm of e^x + e^y: the larger one, and the principal logarithm of what the other adds."""
    larger = compare("ge", detach(x.re), detach(y.re))
    top, other = choose(larger, x, y), choose(larger, y, x)
    return top + log1p(exp(other - top))


ELEMENTWISE: dict[str, Callable[[Complex], Any]] = {
    "abs": absolute, "acos": acos, "acosh": acosh, "angle": angle, "asin": asin, "asinh": asinh,
    "atan": atan, "atanh": atanh, "conj": conj, "cos": cos, "cosh": cosh, "exp": exp, "exp2": exp2,
    "expm1": expm1, "imag": imag, "log": log, "log10": log10, "log1p": log1p, "log2": log2,
    "logistic": logistic, "neg": neg, "real": real, "reciprocal": reciprocal, "rsqrt": rsqrt, "sign": sign,
    "sin": sin, "sinh": sinh, "sqrt": sqrt, "square": square, "tan": tan, "tanh": tanh,
}  # fmt: skip


def constant(
    builder: Builder, value: Array, dtype: str, make: Callable[[Builder, Array, str], Var]
) -> Complex:
    """A constant; `make` writes that of each part."""
    value = np.asarray(value)
    return Complex(*(make(builder, np.array(v), REAL[dtype]) for v in (value.real, value.imag)))
