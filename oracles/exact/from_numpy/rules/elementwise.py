"""NumPy's universal functions: one rule each, on recorded values that are in the loop's dtype already."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from oracles.exact.from_numpy.gather import spread
from oracles.exact.from_numpy.refusals import unsupported
from oracles.exact.from_numpy.rules.linalg import matmul, vecdot
from oracles.exact.from_numpy.rules.reductions import flags, logaddexp_of_all
from oracles.exact.from_numpy.rules.special import SPECIAL
from oracles.exact.from_numpy.tape import words
from oracles.exact.program import functions as fn
from oracles.exact.program.primitives import compare, convert, pi, scalar, select
from oracles.exact.program.primitives.apart import extreme_there
from oracles.exact.program.primitives.arithmetic import convert_
from oracles.exact.program.primitives.arrays import constant_value, reshape
from oracles.exact.program.primitives.orders import cumsum, scan
from oracles.exact.program.program import Var
from oracles.exact.program.signs import negative

Rule = Callable[..., Any]


def _named(rule: Rule, names: str) -> dict[str, Rule]:
    """The rule for each of NumPy's names; it is told ours, which stands after a colon if it is another."""
    pairs = (pair.partition(":") for pair in words(names))
    return {theirs: partial(rule, ours or theirs) for theirs, _, ours in pairs}


def _elementwise(name: str) -> Callable[..., Var]:
    def rule(x: Var, *others: Var) -> Var:
        return x.builder.elementwise(name, x, *others)

    return rule


def _step(name: str) -> Rule:
    return lambda x: fn.step(name, x) if x.is_float else x


def _sign(x: Var) -> Var:
    """Of floats a step; of whole numbers which of two comparisons holds."""
    if x.is_float:
        return fn.step("sign", x)
    return convert(compare("gt", x, 0), x.dtype) - convert(compare("lt", x, 0), x.dtype)


def _multiply(x: Var, y: Var) -> Var:
    """x y. Multiplied by a mask, x is a choice between x and 0: so the mask's edges are kinks."""
    for mask, other in ((x, y), (y, x)):
        origin = mask.builder.definitions.get(mask)
        if origin and origin.primitive is convert_ and origin.operands[0].dtype == "bool":
            shape = np.broadcast_shapes(mask.shape, other.shape)
            return select(spread(origin.operands[0], shape), mask.builder.broadcast(other, shape), 0.0)
    return x * y


def _not(x: Var) -> Var:
    """The other way round; a comparison stays one."""
    origin = x.builder.definitions.get(x)
    if origin and origin.primitive.comparison:
        return compare(origin.primitive.comparison.opposite, *origin.operands)
    return _elementwise("not")(x)


def _power(x: Var, y: Var) -> Var:
    """x^y; roots by name, so that 0 is no exception."""
    known = constant_value(y)
    for exponent, root in ((0.5, "sqrt"), (-0.5, "rsqrt")):
        if x.is_float and known is not None and np.all(known == exponent):
            return scalar(root, x.builder.broadcast(x, np.broadcast_shapes(x.shape, y.shape)))
    if not x.is_float:
        raise unsupported("integer powers of integers that depend on the data; convert them to float first")
    return fn.power(x, y)


def _heaviside(x: Var, at_zero: Var) -> Var:
    return select(compare("lt", x, 0.0), 0.0, select(compare("gt", x, 0.0), 1.0, at_zero))


def _base_two(x: Var) -> Var:
    return x * scalar("log", x.builder.constant(2.0, x.dtype))


def _column(x: Var, axis: int) -> Var:
    """x without an axis of one element."""
    return reshape(x, [n for a, n in enumerate(x.shape) if a != axis % x.ndim])


UFUNCS: dict[str, Rule] = {
    **_named(scalar, "exp expm1 exp2 log log1p log2 log10 sqrt cbrt reciprocal sin cos tan sinh cosh tanh"),
    **_named(scalar, "arcsin:asin arccos:acos arctan:atan arcsinh:asinh arccosh:acosh arctanh:atanh"),
    **{name: _step(name) for name in ("floor", "ceil", "trunc")},
    "sign": _sign,
    **{f"bitwise_{name}": _elementwise(name) for name in ("and", "or", "xor")},
    **{f"logical_{n}": (lambda x, y, n=n: _elementwise(n)(flags(x), flags(y))) for n in ("and", "or", "xor")},
    **_named(compare, "less:lt less_equal:le greater:gt greater_equal:ge equal:eq not_equal:ne"),
    "logical_not": lambda x: _not(flags(x)),
    "invert": _not,
    "rint": _step("round"),
    "add": lambda x, y: x + y,
    "subtract": lambda x, y: x - y,
    "multiply": _multiply,
    "divide": lambda x, y: x / y,
    "floor_divide": fn.floor_divide,
    "remainder": lambda x, y: fn.remainder(x, y, "floor"),
    "fmod": lambda x, y: fn.remainder(x, y, "trunc"),
    "divmod": lambda x, y: (fn.floor_divide(x, y), fn.remainder(x, y, "floor")),
    "modf": lambda x: (x - fn.step("trunc", x), fn.step("trunc", x)),
    "negative": lambda x: -x,
    **dict.fromkeys(("positive", "conjugate"), lambda x: x),
    **dict.fromkeys(("absolute", "fabs"), fn.absolute),
    "square": lambda x: fn.square(x) if x.is_float else x * x,
    **dict.fromkeys(("power", "float_power"), _power),
    **{name: _elementwise(name) for name in ("maximum", "minimum")},
    "fmax": partial(extreme_there, "maximum"),
    "fmin": partial(extreme_there, "minimum"),
    "hypot": fn.hypot,
    "arctan2": fn.atan2,
    "logaddexp": fn.logaddexp,
    "logaddexp2": lambda x, y: fn.logaddexp(_base_two(x), _base_two(y)) / _base_two(x.builder.constant(1.0)),
    "copysign": fn.copysign,
    "heaviside": _heaviside,
    "ldexp": lambda x, n: x * scalar("exp2", convert(n, x.dtype)),
    **dict.fromkeys(("degrees", "rad2deg"), lambda x: x * (180.0 / pi(x.builder, x.dtype))),
    **dict.fromkeys(("radians", "deg2rad"), lambda x: x * (pi(x.builder, x.dtype) / 180.0)),
    "signbit": lambda x: negative(x) if x.is_float else compare("lt", x, 0),
    "matmul": matmul,
    "vecdot": vecdot,
    "matvec": lambda a, v: _column(matmul(a, reshape(v, (*v.shape, 1))), -1),
    "vecmat": lambda v, a: _column(matmul(reshape(v, (*v.shape[:-1], 1, v.shape[-1])), a), -2),
}
# SciPy's own, of the same names as in scipy.special.
SCIPY: dict[str, Rule] = {
    **_named(
        scalar, "erf erfc erfinv erfcinv expm1 log1p cbrt exp2 gammaln:lgamma psi:digamma digamma expi spence"
    ),
    "erfcx": fn.erfcx,
    "j0": lambda x: scalar("bessel_j", x, nu=0),
    "j1": lambda x: scalar("bessel_j", x, nu=1),
    "expit": fn.logistic,
    "log_expit": fn.log_sigmoid,
    "xlogy": fn.xlogy,
    "xlog1py": fn.xlog1py,
    "entr": fn.entr,
    "ndtr": fn.ndtr,
    "log_ndtr": fn.log_ndtr,
    "ndtri": fn.ndtri,
    **SPECIAL,
}
# What a finite number answers; literals that are not finite answer for themselves.
PREDICATES = {"isnan": False, "isinf": False, "isfinite": True, "isnat": False}
REDUCTIONS: dict[str, Callable[..., Any]] = {
    "add": np.sum, "multiply": np.prod, "maximum": np.max, "minimum": np.min, "fmax": np.nanmax,
    "fmin": np.nanmin, "logical_and": np.all, "logical_or": np.any,
}  # fmt: skip
FOLDS: dict[str, Rule] = {"logaddexp": logaddexp_of_all}
RUNNING: dict[str, Rule] = {
    "add": cumsum,
    "multiply": fn.cumprod,
    "maximum": fn.cummax,
    "minimum": fn.cummin,
    "fmax": partial(scan, partial(extreme_there, "maximum")),
    "fmin": partial(scan, partial(extreme_there, "minimum")),
}
