"""What ATen's elementwise operators are, and its comparisons, logic and choices: most in one line each.

A rule gets the operands (tensors as `Var`s, numbers as they are) in the order of the operator's schema. Add
an operator here, or in the module of its kind beside it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from oracles.exact.from_aten.call import OperatorCall, Rule, equal, plain, promoted, words
from oracles.exact.from_aten.memory import numbers
from oracles.exact.program import functions as f
from oracles.exact.program.primitives import compare, convert, detach, pi, scalar, select
from oracles.exact.program.primitives.apart import extreme_there
from oracles.exact.program.primitives.not_finite import asked, is_finite, is_signed
from oracles.exact.program.primitives.predicates import is_infinite, is_nan
from oracles.exact.program.program import Array, Operand, Var
from oracles.exact.program.signs import negative


def _pi_times(x: Var) -> Var:
    return x * pi(x.builder, x.dtype)


def _div(x: Any, y: Any, rounding_mode: str | None = None) -> Var:
    """The quotient, or the integer above, below or towards 0."""
    quotient: Var = _real(x) / _real(y)
    return quotient if rounding_mode is None else f.step(rounding_mode, quotient)


def _real(x: Any) -> Any:
    """Integers as real numbers, for what is not closed in them."""
    return x if not isinstance(x, Var) or x.is_float else convert(x, "float64")


def _ints(x: Any) -> Any:
    """Booleans as integers, for arithmetic."""
    return convert(x, "int64") if isinstance(x, Var) and x.dtype == "bool" else x


def _power(x: Operand, y: Operand) -> Var:
    """By the exponent: an integer, a half, or any."""
    if isinstance(y, (int, float)) and y in (0.5, -0.5):
        assert isinstance(x, Var)
        return scalar("sqrt" if y > 0 else "rsqrt", x)
    return f.power(_real(x), _real(y))


def _round(x: Var, decimals: int = 0) -> Var:
    return f.step("round", x * 10.0**decimals) / 10.0**decimals if decimals else f.step("round", x)


def _logit(x: Var, eps: float | None = None) -> Var:
    x = x if eps is None else f.clamp(x, eps, 1.0 - eps)
    return scalar("log", x / (1.0 - x))


def _mvlgamma(x: Var, p: int) -> Var:
    """log of the multivariate gamma function: log pi p(p-1)/4 + sum_j lgamma(x + (1 - j)/2)."""
    total = scalar("log", pi(x.builder, x.dtype)) * (p * (p - 1) / 4)
    for j in range(p):
        total = total + scalar("lgamma", x - j / 2)
    return total


def _polygamma(n: Any, x: Any) -> Var:
    """In place the argument comes first."""
    n, x = (n, x) if isinstance(x, Var) else (x, n)
    return scalar("polygamma", x, float(n))


def _zeta(x: Any, q: Any) -> Var:
    """Either may be a number."""
    return scalar("hurwitz_zeta", q if isinstance(q, Var) else x.builder.constant(float(q), x.dtype), x)


def _copysign(x: Var, y: Operand) -> Var:
    """|x| with the sign of y, which may be a number."""
    return f.copysign(x, detach(y) if isinstance(y, Var) else x.builder.constant(float(y), x.dtype))


def _bessel(nu: int, scaled: bool) -> Rule:
    """I_nu(x), or e^-|x| I_nu(x)."""

    def rule(x: Var) -> Var:
        value = scalar("bessel_i", x, nu=nu, scaled=False)
        return scalar("exp", -f.absolute(x)) * value if scaled else value

    return rule


_SCALARS = words(
    "exp expm1 log log1p log2 log10 exp2 sqrt rsqrt reciprocal sin cos tan sinh cosh tanh asin acos atan"
    " asinh acosh atanh erf erfc erfinv digamma lgamma"
)
_SAME = words("positive conj_physical _conj_physical _to_copy clone lift_fresh_copy")

ELEMENTWISE: dict[str, Rule] = {
    **{name: partial(scalar, name) for name in _SCALARS},
    "add": lambda x, y, alpha=1: _ints(x) + (y if alpha == 1 else _ints(y) * alpha),
    "sub": lambda x, y, alpha=1: _ints(x) - (y if alpha == 1 else _ints(y) * alpha),
    "rsub": lambda x, y, alpha=1: y - (x if alpha == 1 else x * alpha),
    "mul": lambda x, y: (x if isinstance(y, Var) else _ints(x)) * y,
    "div": _div,
    "neg": lambda x: -x,
    "abs": f.absolute,
    "square": lambda x: f.square(_real(x)),
    **dict.fromkeys(("pow", "float_power"), _power),
    "hypot": f.hypot,
    "atan2": f.atan2,
    **dict.fromkeys(("maximum", "max.other"), f.maximum),
    **dict.fromkeys(("minimum", "min.other"), f.minimum),
    "fmax": partial(extreme_there, "maximum"),
    "fmin": partial(extreme_there, "minimum"),
    "clamp": lambda x, min=None, max=None: f.clamp(x, min, max),
    "clamp_min": lambda x, low: f.clamp(x, low, None),
    "clamp_max": lambda x, high: f.clamp(x, None, high),
    "remainder": lambda x, y: f.remainder(_real(x), _real(y), "floor"),
    "fmod": lambda x, y: f.remainder(_real(x), _real(y), "trunc"),
    "floor_divide": lambda x, y: _div(x, y, "floor"),
    "frac": lambda x: x - f.step("trunc", x),
    **{name: partial(f.step, name) for name in ("floor", "ceil", "trunc", "sign")},
    "sgn": partial(f.step, "sign"),
    "round": _round,
    "addcmul": lambda x, a, b, value=1: x + (a * b if value == 1 else a * b * value),
    "addcdiv": lambda x, a, b, value=1: x + (a / b if value == 1 else a / b * value),
    "lerp": lambda x, y, weight: x + (y - x) * weight,
    "logaddexp": f.logaddexp,
    "logaddexp2": lambda x, y: scalar("log2", scalar("exp2", x) + scalar("exp2", y)),
    "xlogy": f.xlogy,
    "special_xlog1py": f.xlog1py,
    "special_entr": f.entr,
    "special_ndtr": f.ndtr,
    "special_log_ndtr": f.log_ndtr,
    "special_ndtri": f.ndtri,
    "special_erfcx": f.erfcx,
    "special_bessel_j0": lambda x: scalar("bessel_j", x, nu=0),
    "special_bessel_j1": lambda x: scalar("bessel_j", x, nu=1),
    "special_zeta": _zeta,
    "polygamma": _polygamma,
    "mvlgamma": _mvlgamma,
    "igamma": lambda a, x: scalar("gamma_lower", x, a),
    "igammac": lambda a, x: scalar("gamma_upper", x, a),
    "i0": _bessel(0, scaled=False),
    "special_i0e": _bessel(0, scaled=True),
    "special_i1": _bessel(1, scaled=False),
    "special_i1e": _bessel(1, scaled=True),
    "sinc": lambda x: scalar("sinc", _pi_times(x)),
    "logit": _logit,
    "deg2rad": lambda x: _pi_times(x) / 180.0,
    "rad2deg": lambda x: x * 180.0 / pi(x.builder, x.dtype),
    "heaviside": lambda x, values: select(
        compare("eq", x, 0.0), values, convert(compare("gt", x, 0.0), x.dtype)
    ),
    "copysign": _copysign,
    "angle": lambda x: select(compare("lt", x, 0.0), pi(x.builder, x.dtype), 0.0),
    "ldexp": lambda x, n: x * scalar("exp2", n),
    **dict.fromkeys(_SAME, lambda x: x),
}


# -- comparisons, logic and choices -----------------------------------------------------------------------


def _where(call: OperatorCall, condition: Var, x: Operand, y: Operand) -> Var:
    """x where the condition holds, y elsewhere."""
    choose = promoted(lambda a, b: select(condition, _var(call, a), _var(call, b)))
    found: Var = choose(call, x, y)
    return found


def _var(call: OperatorCall, x: Operand) -> Var:
    return x if isinstance(x, Var) else call.constant(x)


def _nan_to_num(
    x: Var, nan: float | None = None, posinf: float | None = None, neginf: float | None = None
) -> Var:
    """Constants for what is not finite; the largest number of the dtype for an infinity if none is given."""
    largest = float(torch.finfo(getattr(torch, x.dtype)).max)
    above, below = is_signed(x, 1), is_signed(x, -1)
    found = select(asked(is_nan, x), 0.0 if nan is None else nan, x)
    found = select(above, largest if posinf is None else posinf, found)
    return select(below, -largest if neginf is None else neginf, found)


def _frexp(call: OperatorCall, x: Var) -> tuple[Var, Array]:
    """x = fraction 2^n, the fraction's size in [1/2, 1)."""
    zero = call.decided(compare("eq", x, 0.0))
    size = select(call.recorder.constant(zero), 1.0, f.absolute(x))
    n = np.where(zero, 0, call.decided(convert(f.step("floor", scalar("log2", size)), "int64")) + 1)
    return x / call.recorder.constant(2.0**n, x.dtype), n


def _nextafter(call: OperatorCall, x: Var, y: Var) -> Var:
    """x and the step that this run took towards y, which stays; torch holds it where there is none."""
    before, after = (numbers(t).astype(np.float64) for t in (call.args[0], call.results[0]))
    there = call.recorder.broadcast(detach(y), call.shape)
    return f.moved_by(x, call.constant(after - before), there)


def _logical(name: str) -> Rule:
    """On truth values: anything that is not 0."""

    def rule(call: OperatorCall, *operands: Var) -> Var:
        return call.recorder.elementwise(name, *(_truth(x) for x in operands), dtype="bool")

    return rule


def _truth(x: Var) -> Var:
    return x if x.dtype == "bool" else compare("ne", x, 0.0 if x.is_float else 0)


RULES: dict[str, Rule] = {
    **{name: promoted(rule) for name, rule in ELEMENTWISE.items()},
    **{name: promoted(partial(compare, name)) for name in ("lt", "le", "gt", "ge")},
    **{name: promoted(partial(equal, name)) for name in ("eq", "ne")},
    **{f"logical_{name}": _logical(name) for name in ("and", "or", "xor", "not")},
    **{
        f"bitwise_{name}": lambda call, *xs, name=name: call.recorder.elementwise(name, *xs, dtype=call.dtype)
        for name in ("and", "or", "xor", "not")
    },
    "isnan": plain(partial(asked, is_nan)),
    "isinf": plain(partial(asked, is_infinite)),
    "isneginf": plain(partial(is_signed, sign=-1)),
    "isposinf": plain(partial(is_signed, sign=1)),
    "isfinite": plain(is_finite),
    "nan_to_num": promoted(_nan_to_num),
    "frexp": _frexp,
    "nextafter": _nextafter,
    "signbit": plain(lambda x: negative(x) if x.is_float else compare("lt", x, 0)),
    "where": _where,
    "masked_fill": lambda call, x, mask, value: _where(call, mask, value, x),
}
