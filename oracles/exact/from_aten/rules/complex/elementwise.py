"""What ATen's elementwise operators are on complex numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule, words
from oracles.exact.from_aten.rules import RULES as REAL_RULES
from oracles.exact.from_aten.rules.complex.calls import alone, kind_of, promoted
from oracles.exact.program import complex as cx
from oracles.exact.program.complex import REAL, Complex
from oracles.exact.program.primitives import convert, pi
from oracles.exact.program.program import Var


def _added(x: Any, y: Any, alpha: Any = 1) -> Any:
    return cx.add(x, y if alpha == 1 else y * alpha)


def _subtracted(x: Any, y: Any, alpha: Any = 1) -> Any:
    return cx.sub(x, y if alpha == 1 else y * alpha)


def _power(x: Any, y: Any) -> Any:
    """Of a number, which has a logarithm, or of a tensor."""
    if isinstance(x, Complex):
        return cx.power(x, y)
    logarithm = np.log(complex(x))
    return cx.exp(cx.mul(y, complex(logarithm)))


def _both(predicate: Rule, how: str) -> Rule:
    """A predicate of real numbers, of both parts or of one."""

    def rule(call: OperatorCall, x: Complex) -> Var:
        each = [predicate(call, v) for v in (x.re, x.im)]
        return call.recorder.elementwise(how, *each, dtype="bool")

    return rule


def _slope(of: Callable[[Any], Any]) -> Rule:
    """The backward of a holomorphic function from its value: g times the conjugate of its slope."""
    rule = promoted(lambda g, y: cx.mul(g, cx.conj(of(y))))
    return lambda call, g, y: rule(call, g, y)


def _sinc(x: Complex) -> Complex:
    """sin(pi x) / (pi x), 1 at 0."""
    turned = cx.mul(x, pi(x.builder, x.re.dtype))
    return cx.choose(cx.is_zero(x), 1.0, cx.div(cx.sin(turned), turned))


def _in(x: Any, call: OperatorCall) -> Any:
    """An operand in the precision of the result; a real one stays real."""
    kind = kind_of(call)
    if isinstance(x, Complex):
        return cx.as_complex(x, kind)
    return convert(x, REAL[kind]) if isinstance(x, Var) else x


_ELEMENTWISE = words(
    "acos acosh asin asinh atan atanh cos cosh exp exp2 expm1 log log10 log1p log2 neg reciprocal rsqrt"
    " sin sinh sqrt square tan tanh"
)
RULES: dict[str, Rule] = {
    **{name: alone(cx.ELEMENTWISE[name]) for name in _ELEMENTWISE},
    "abs": alone(cx.absolute),
    "angle": alone(cx.angle),
    "sgn": alone(cx.sign),
    "sigmoid": alone(cx.logistic),
    **dict.fromkeys(("conj_physical", "_conj_physical"), alone(cx.conj)),
    "complex": lambda call, re, im: cx.pair(re, im),
    "polar": lambda call, size, angle: cx.polar(size, angle),
    "add": promoted(_added),
    "sub": promoted(_subtracted),
    "rsub": promoted(lambda x, y, alpha=1: _subtracted(y, x, alpha)),
    "mul": lambda call, x, y: cx.mul(*(_in(v, call) for v in (x, y))),
    "div": lambda call, x, y: cx.div(*(_in(v, call) for v in (x, y))),
    **dict.fromkeys(("pow", "float_power"), promoted(_power)),
    "addcmul": promoted(lambda x, a, b, value=1: cx.add(x, cx.mul(cx.mul(a, b), value))),
    "addcdiv": promoted(lambda x, a, b, value=1: cx.add(x, cx.mul(cx.div(a, b), value))),
    "lerp": promoted(lambda x, y, weight: cx.add(x, cx.mul(y - x, weight))),
    "ldexp": promoted(lambda x, n: cx.mul(x, cx.exp2(n) if isinstance(n, Complex) else 2.0**n)),
    "sinc": alone(_sinc),
    "logaddexp": promoted(cx.logaddexp),
    "eq": lambda call, x, y: cx.equal("eq", x, y),
    "ne": lambda call, x, y: cx.equal("ne", x, y),
    "isnan": _both(REAL_RULES["isnan"], "or"),
    "isinf": _both(REAL_RULES["isinf"], "or"),
    "isfinite": _both(REAL_RULES["isfinite"], "and"),
    "tanh_backward": _slope(lambda y: 1.0 - cx.square(y)),
    "sigmoid_backward": _slope(lambda y: y - cx.square(y)),
}
