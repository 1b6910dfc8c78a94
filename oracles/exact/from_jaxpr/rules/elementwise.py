"""One rule for each of JAX's primitives: `rule(call, *operands)` writes it with the harness's own.

The meaning of each primitive is that of the XLA operation of its name (openxla.org/stablehlo/spec). To add a
primitive, add an entry to a table here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_jaxpr.call import Eqn, Rule, constant
from oracles.exact.program import functions as f
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import compare, convert, detach, scalar, select
from oracles.exact.program.primitives.arrays import constant_value, reshape
from oracles.exact.program.primitives.choices import select_
from oracles.exact.program.primitives.comparisons import eq
from oracles.exact.program.primitives.missing import is_whole
from oracles.exact.program.primitives.not_finite import is_finite, void
from oracles.exact.program.primitives.reductions import reduce_prod
from oracles.exact.program.program import FLOATS, Array, Builder, Equation, Program, Var
from oracles.exact.program.recording import Recorder


def _of(name: str, **static: Any) -> Rule:
    return lambda call, x: scalar(name, x, **static)


def _primitive(name: str, integers: str = "") -> Rule:
    """An elementwise primitive of the same meaning; another one for integers if named."""
    return lambda call, *xs: call.recorder.elementwise(
        integers if integers and not xs[0].is_float else name, *xs, dtype=call.dtype
    )


def _div(call: Eqn, x: Var, y: Var) -> Var:
    """Of two written numbers the quotient as it is rounded, another written one: 80 / 100 of a percentile."""
    above, below = constant_value(x), constant_value(y)
    if above is None or below is None or call.dtype != "float64" or call.shape or not float(below.item()):
        return call.recorder.elementwise("div" if x.is_float else "integer_div", x, y, dtype=call.dtype)
    return constant(call.recorder, float(above.item()) / float(below.item()), call.dtype)


def _polynomial(call: Eqn, x: Var, coefficients: Sequence[Var]) -> Var:
    """By Horner's rule, from the coefficient of x^0 on; what is a single number is one everywhere."""
    x, *each = (call.recorder.broadcast(v, call.shape) for v in (x, *coefficients))
    return reduce(lambda y, c: y * x + c, each[::-1])


def _comparison(name: str) -> Rule:
    def rule(call: Eqn, x: Var, y: Var) -> Var:
        if x is y and is_whole(x) and void(x) is None:  # equal to itself
            return constant(call.recorder, np.full(x.shape, name in {"eq", "le", "ge"}), "bool")
        return compare(name, x, y)

    return rule


def _total(name: str) -> Rule:
    """Comparisons in a total order, for which zeros of both signs are made one, and NaN are."""
    return lambda call, x, y: compare(name, _as_given(x), _as_given(y))


def _as_given(x: Var) -> Var:
    """y, where x is `where(y == 0, 0, y)`."""
    made = x.builder.definitions.get(x)
    if made is None or made.primitive is not select_:
        return x
    mask, zero, y = made.operands
    asked = x.builder.definitions.get(mask)
    if asked is None or asked.primitive is not eq or asked.operands[0] is not y:
        return x
    zeros = map(constant_value, (zero, asked.operands[1]))
    return y if all(known is not None and not known.any() for known in zeros) else x


def _history(builder: Builder, x: Var) -> list[Equation]:
    """The equations that x comes from, in order."""
    needed, waiting = set(), [x]
    while waiting:
        v = waiting.pop()
        if v not in needed and v in builder.definitions:
            needed.add(v)
            waiting += builder.definitions[v].operands
    return [e for e in builder.equations if e.output in needed]


def _select_n(call: Eqn, which: Var, *cases: Var) -> Var:
    """Case k where `which` is k; a boolean counts as 0 or 1."""
    if which.dtype == "bool" and len(cases) > 1:
        known = call.recorder.known(which)
        if known is not None and known.size and known.all() == known.any():
            return cases[int(known.all())]
        return select(which, cases[1], cases[0])
    chosen = cases[0]
    for k, case in enumerate(cases[1:], 1):
        chosen = select(compare("ge", which, k), case, chosen)
    return chosen


def _integer_pow(call: Eqn, x: Var) -> Var:
    n = call.params["y"]
    if x.is_float:
        return scalar("power", x, n)
    return reduce_prod(call.recorder.broadcast(reshape(x, (*x.shape, 1)), (*x.shape, n)), (x.ndim,))


def _folded(function: Callable[..., Any]) -> Rule:
    """Integers as NumPy computes them, from numbers that are decided."""

    def rule(call: Eqn, *xs: Var) -> Var:
        return constant(call.recorder, function(*(call.recorder.decide(x) for x in xs)), call.dtype)

    return rule


def _pow(call: Eqn, x: Var, y: Var) -> Var:
    """By integer powers where the exponent is a whole number that depends on no input."""
    if not x.is_float:
        found: Var = _folded(np.power)(call, x, y)
        return found
    if not y.is_float:
        return scalar("power", x, y)
    whole = _whole_numbers(call.recorder, y)
    return f.power(x, y) if whole is None else scalar("power", x, whole)


def _whole_numbers(recorder: Recorder, y: Var) -> Array | None:
    """The integers that y is, None if it depends on an input or is something else."""
    equations = _history(recorder, y)
    used = [v for e in equations for v in (e.output, *e.operands)]
    if not used or any(v not in recorder.definitions for v in used):
        return None
    (value,) = evaluate(Program((), equations, (y,)), (), 128)
    if not all(b.is_exact() and b.is_integer() and abs(b) < 2**53 for b in value.ravel().tolist()):
        return None
    return np.array([int(float(b)) for b in value.ravel().tolist()], np.int64).reshape(y.shape)


def _cast(call: Eqn, x: Var) -> Var:
    """XLA takes the nearest integer that there is for a number out of range."""
    to_integers = x.is_float and call.dtype not in FLOATS and call.dtype != "bool"
    return convert(x, call.dtype, saturates=True) if to_integers else convert(x, call.dtype)


def _shifted_unsigned(x: Array, by: Array) -> Array:
    unsigned = f"u{x.dtype.name.removeprefix('u')}"
    return np.asarray(np.right_shift(x.view(unsigned), by.view(unsigned))).view(x.dtype)


def _leading_zeros(x: Array) -> Array:
    bits = 8 * x.dtype.itemsize
    unsigned = x.view(f"u{x.dtype.name.removeprefix('u')}")
    lengths = [bits - int(v).bit_length() for v in unsigned.ravel().tolist()]
    return np.array(lengths, x.dtype).reshape(x.shape)


def _bits(call: Eqn, x: Var) -> Var:
    """The same bits in another dtype, of integers; a narrower one gets an axis, and a wider one takes it."""
    if x.is_float:
        raise Unsupported(
            f"bitcast_convert_type of {x.dtype}: the bits of a number that is rounded are no function of it"
        )
    own, new = np.ascontiguousarray(call.recorder.decide(x)), np.dtype(call.dtype)
    if own.dtype.itemsize > new.itemsize:
        own = own[..., None]
    return constant(call.recorder, own.view(new).reshape(call.shape), call.dtype)


def _round(call: Eqn, x: Var) -> Var:
    """To the nearest integer; halves to even, or away from zero."""
    if int(call.params["rounding_method"]) == 1:
        return f.step("round", x)
    return f.step("sign", x) * f.step("floor", f.absolute(x) + 0.5)


def _nextafter(call: Eqn, x: Var, y: Var) -> Var:
    """x and the step that the run takes from it towards y, which stays."""
    before, to = (call.recorder.about(v).astype(np.dtype(call.dtype)) for v in (x, y))
    step = np.nextafter(before, to).astype(np.float64) - before
    if not np.isfinite(step).all():
        raise Unsupported("nextafter of a number that is not known")
    return f.moved_by(x, constant(call.recorder, step, call.dtype), detach(y))


def _reduce_precision(call: Eqn, x: Var) -> Var:
    """x through another format, with as large an exponent: the number is the same, and it is rounded."""
    bits = call.params["exponent_bits"], call.params["mantissa_bits"]
    own = next(known for known, dtype in _OF_BITS.items() if dtype == x.dtype)
    if bits[0] >= own[0] and bits[1] >= own[1]:
        return x
    if bits != (8, 7) or x.dtype != "float32":
        raise Unsupported(f"reduce_precision of {x.dtype} to {bits[0]} and {bits[1]} bits; use astype")
    return convert(convert(x, "bfloat16"), x.dtype)


_OF_BITS = {(5, 10): "float16", (8, 7): "bfloat16", (8, 23): "float32", (11, 52): "float64"}


_SCALARS = (
    "acos acosh asin asinh atan atanh cbrt cos cosh digamma erf erfc exp exp2 expm1 lgamma log log1p log2 "
    "rsqrt sin sinh sqrt tan tanh"
)
_SAME = "abs add and ceil floor mul neg not or sign sub xor"

ELEMENTWISE: dict[str, Rule] = {
    **{name: _of(name) for name in _SCALARS.split()},
    **{name: _comparison(name) for name in ["lt", "le", "gt", "ge", "eq", "ne"]},
    "lt_to": _total("lt"),
    "le_to": _total("le"),
    **{name: _primitive(name) for name in _SAME.split()},
    "add_any": _primitive("add"),
    "div": _div,
    "rem": lambda call, x, y: f.remainder(x, y, "trunc"),
    "max": _primitive("maximum"),
    "min": _primitive("minimum"),
    "erf_inv": _of("erfinv"),
    "logistic": lambda call, x: f.logistic(x),
    "square": lambda call, x: f.square(x) if x.is_float else x * x,
    "one_minus_square": lambda call, x: (1 + x) * (1 - x),
    "polynomial": lambda call, x, *coefficients: _polynomial(call, x, coefficients),
    "integer_pow": _integer_pow,
    "pow": _pow,
    "atan2": lambda call, y, x: f.atan2(y, x),
    "bessel_i0e": _of("bessel_i", nu=0, scaled=True),
    "bessel_i1e": _of("bessel_i", nu=1, scaled=True),
    "igamma": lambda call, a, x: scalar("gamma_lower", x, a),
    "igammac": lambda call, a, x: scalar("gamma_upper", x, a),
    "igamma_grad_a": lambda call, a, x: scalar("gamma_lower", x, a, along=1),
    "regularized_incomplete_beta": lambda call, a, b, x: scalar("beta_lower", x, a, b),
    "polygamma": lambda call, m, x: scalar("polygamma", x, m),
    "zeta": lambda call, s, q: scalar("hurwitz_zeta", q, s),
    "round": _round,
    "clamp": lambda call, low, x, high: f.clamp(x, low, high),
    "select_n": _select_n,
    "is_finite": lambda call, x: is_finite(x),
    "convert_element_type": _cast,
    "stop_gradient": lambda call, x: detach(x),
    "nextafter": _nextafter,
    "reduce_precision": _reduce_precision,
    **dict.fromkeys(("copy", "real", "conj", "name", "sharding_constraint"), lambda call, x: x),
    "shift_left": _folded(np.left_shift),
    "shift_right_arithmetic": _folded(np.right_shift),
    "shift_right_logical": _folded(_shifted_unsigned),
    "population_count": _folded(np.bitwise_count),
    "clz": _folded(_leading_zeros),
    "bitcast_convert_type": _bits,
}
