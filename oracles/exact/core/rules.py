"""Which instructions a primitive is. What is not here, or raises Unsupported, is Arb's."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import numpy as np
from flint import arb

from oracles.exact.core.functions import Expression, Functions, known_integer, power, real_power
from oracles.exact.core.nodes import AROUND, GAMMAS, STEPS, Value
from oracles.exact.core.pairs import Pairs
from oracles.exact.core.writer import Writer
from oracles.exact.program.balls import precision
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.jets import JETS
from oracles.exact.program.program import FLOATS, Equation

STEPPED = [f"{name}{end}" for name in STEPS for end in ("", "_around")]
Rule: TypeAlias = Callable[..., Value | None]

PROVEN_BITS = 192
MOST = 2**63 - 1  # of the core's integers
# Coefficients of functions that have no recurrence: an instruction, and what it is divided by.
DERIVATIVES = GAMMAS.split()  # of log Gamma
COEFFICIENTS = {
    (name, order): (DERIVATIVES[first + order], math.factorial(order))
    for first, name in enumerate(("lgamma", "digamma"))
    for order in range(len(DERIVATIVES) - first)
}


def _arithmetic(operation: str) -> Rule:
    def rule(plan: Writer, equation: Equation, *values: Value) -> Value | None:
        return plan.elementwise(operation, *values) if equation.output.is_float else None

    return rule


def _unit(plan: Writer, equation: Equation, v: Value, size: Value) -> Value:
    """The quotient; where the length is 0, as a kink, all that it may be."""
    zero, one, whole = (plan.number(ball, len(size.whole)) for ball in (arb(0), arb(1), arb(0, 1)))
    nothing = compared(plan, "eq", size, zero)
    quotient = plan.elementwise("div", v, plan.elementwise("select", nothing, one, size))
    return plan.elementwise("blend", size, zero, quotient, whole)


def _within(plan: Writer, equation: Equation, x: Value, most: Value) -> Value:
    return plan.elementwise("larger", plan.elementwise("smaller", x, most), plan.elementwise("neg", most))


def _compare(operation: str) -> Rule:
    def rule(plan: Writer, equation: Equation, *values: Value) -> Value | None:
        if not all(o.is_float for o in equation.operands):
            return None
        if operation in ("eq", "ne"):
            for x, other in (values, values[::-1]):
                found = _attains(plan, x, other) or _is_extreme(plan, x, other)
                if found:
                    return found if operation == "eq" else plan.elementwise("not", found, integers=True)
        return compared(plan, operation, *values)

    return rule


def compared(plan: Writer, operation: str, x: Value, y: Value) -> Value:
    """Booleans, or OPEN where the plan takes these."""
    return plan.elementwise(operation, x, y, integers=True, numbers=(int(plan.opened),))


def _surely(operation: str) -> Rule:
    """Where it is certain: what nobody decides is Arb's. In a bound it is not open, but false."""

    def rule(plan: Writer, equation: Equation, x: Value, y: Value) -> Value | None:
        decided = not plan.opened or _is_endless(y)
        return compared(plan, operation, x, y) if decided else None

    return rule


def _is_endless(x: Value) -> bool:
    """Whether it is a constant of infinities."""
    return isinstance(x.node.known, Pairs) and bool(np.isinf(x.node.known.h).all())


def _is_infinite(plan: Writer, equation: Equation, x: Value) -> Value:
    """Whether the size is infinity itself, as it stands in masks; of what is not known nobody can tell."""
    infinity = plan.number(arb("+inf"), len(x.whole))
    return compared(plan, "ge", plan.elementwise("abs", x), infinity)


def _is_nan(plan: Writer, equation: Equation, x: Value) -> Value:
    """Never, where something is known: NaN cannot be written."""
    known = _is_infinite(plan, equation, x)
    return plan.elementwise("xor", known, known, integers=True)


def _edge_rate(plan: Writer, equation: Equation, gap: Value) -> Value:
    """0 where the gap is above 0; elsewhere it is Arb's to say what is known, or in a bound nothing is.

    So what is compared at last is 1, or a ball around 0, which nobody decides.
    """
    zero, one, around, unknown = (
        plan.number(ball, len(gap.whole)) for ball in (arb(0), arb(1), arb(0, 1), arb("nan"))
    )
    certain = plan.elementwise("select", compared(plan, "gt", gap, zero), one, around)
    return plan.elementwise("select", compared(plan, "gt", certain, zero), zero, unknown)


def _extreme(operation: str) -> Rule:
    def rule(plan: Writer, equation: Equation, x: Value, y: Value) -> Value | None:
        found = plan.elementwise(operation, x, y) if equation.output.is_float else None
        if found and not (x.node.integers or y.node.integers):
            plan.extremes[found.key] = operation, x, y
        return found

    return rule


def _is_extreme(plan: Writer, x: Value, extreme: Value) -> Value | None:
    """Whether x equals the larger, or smaller, of x and y: whether it is not below y, or above.

    None where that is not what is compared.
    """
    if extreme.key not in plan.extremes:
        return None
    operation, *pair = plan.extremes[extreme.key]
    for one, other in (pair, pair[::-1]):
        if one.key == x.key and one.whole == extreme.whole == x.whole:
            return compared(plan, "ge" if operation == "larger" else "le", x, other)
    return None


def _attains(plan: Writer, x: Value, top: Value) -> Value | None:
    """Whether elements equal the extreme one of their own row, which no digits tell of computed numbers.

    None where that is not what is compared.
    """
    extreme = top.node
    if (
        extreme.operation not in ("top", "bottom")
        or extreme.operands[0][0] is not x.node
        or x.shape != x.whole
    ):
        return None
    count, apart, _ = extreme.numbers
    at = np.arange(x.node.size)
    rows = np.broadcast_to(np.arange(extreme.size).reshape(top.shape), x.shape)
    if not np.array_equal(rows.ravel(), at // (count * apart) * apart + at % apart):
        return None
    sign = 1 if extreme.operation == "top" else -1
    numbers = (count, apart, 2 * sign if plan.opened else sign)
    operands = ((x.node, 0, 1), (extreme, 0, 1))
    return Value(plan.node("attains", operands, x.node.size, x.node.size, True, numbers), x.shape, x.whole)


def _logic(operation: str) -> Rule:
    def rule(plan: Writer, equation: Equation, *values: Value) -> Value | None:
        booleans = equation.output.dtype == "bool"
        return plan.elementwise(operation, *values, integers=True) if booleans else None

    return rule


def _convert(plan: Writer, equation: Equation, value: Value) -> Value | None:
    to = equation.params["to"]
    if to not in FLOATS:
        return _whole_number(plan, value, to) if equation.params.keys() == {"to"} else None
    known = value.node.known
    if not value.node.integers:
        return value
    if isinstance(known, np.ndarray) and (np.abs(known) < 2**53).all():
        found = plan.constant(known.astype(np.float64))
        return Value(found.node, value.shape, value.whole)
    return plan.elementwise("integer", value)


def _whole_number(plan: Writer, value: Value, to: str) -> Value | None:
    """Towards 0. Of what saturates, wraps, or is beyond the dtype it is Arb's to say what it becomes."""
    if value.node.integers or to == "bool":
        return None
    ends = np.iinfo(to)
    numbers = int(ends.min), min(int(ends.max), MOST)
    return plan.elementwise("whole", value, integers=True, numbers=numbers)


def _constant(plan: Writer, equation: Equation) -> Value:
    """Integers that stand for floats are written as these."""
    numbers = np.asarray(equation.params["value"])
    if equation.output.is_float and numbers.dtype.kind in "iub" and (np.abs(numbers) < 2**53).all():
        numbers = numbers.astype(np.float64)
    return plan.constant(numbers)


def _select(plan: Writer, equation: Equation, which: Value, x: Value, y: Value) -> Value | None:
    """Of booleans: x where it is chosen, y where it is not, and both wherever they agree."""
    if equation.output.is_float:
        return plan.elementwise("select", which, x, y)
    if equation.output.dtype != "bool":
        return None
    both, either = (partial(plan.elementwise, name, integers=True) for name in ("and", "or"))
    other = plan.elementwise("not", which, integers=True)
    return either(either(both(which, x), both(other, y)), both(x, y))


def _taylor(plan: Writer, equation: Equation, x: Value, *parameters: Value) -> Value | None:
    params = dict(equation.params)
    function, order = params.pop("function"), params.pop("order")
    if function == "power" and not params:
        return power(plan, x, order, *parameters)
    if function == "real_power" and not any(v.node.integers for v in (x, parameters[0])):
        return real_power(plan, x, order, parameters[0], **params)
    if function == "polygamma" and not params:
        return _polygamma(plan, x, order, *parameters)
    if parameters or params or x.node.integers:
        return None
    of, at = Functions(plan, len(x.shape)), Expression(plan, x)
    found: Expression
    if function in JETS:
        found = JETS[function](of, at, order)[order]
        return found.value
    if (function, order) not in COEFFICIENTS:
        return None
    return _divided(of, at, *COEFFICIENTS[function, order])


def _divided(of: Functions, at: Expression, name: str, divisor: int) -> Value:
    found: Expression = getattr(of, name)(at)
    return (found if divisor == 1 else found * of.number(1, divisor)).value


def _polygamma(plan: Writer, x: Value, order: int, which: Value) -> Value | None:
    """The coefficient of psi^(n), for one integer n that is known: a derivative of log Gamma by k!."""
    derivative = known_integer(which) + order + 1
    if not 0 < derivative < len(DERIVATIVES) or x.node.integers:
        return None
    of = Functions(plan, len(x.shape))
    found = _divided(of, Expression(plan, x), DERIVATIVES[derivative], math.factorial(order))
    return Value(found.node, found.shape, x.whole)


def step(plan: Writer, equation: Equation, value: Value, how: int = 0) -> Value | None:
    """A step (`floor`), or what stands for it in a derivative (`floor_around`)."""
    name, _, around = equation.primitive.name.partition("_")
    if not equation.output.is_float or value.node.integers:
        return None
    return plan.elementwise(name, value, numbers=(how | AROUND if around else how,))


def _reduced(operation: str) -> Rule:
    def rule(plan: Writer, equation: Equation, value: Value) -> Value | None:
        if not equation.output.is_float:
            return None
        return plan.reduced(operation, value, equation.params["axes"])

    return rule


def _weights(plan: Writer, equation: Equation, value: Value) -> Value | None:
    params = equation.params
    return plan.along("weights", value, params["axes"], 1 if params["largest"] else -1)


def _mixture(plan: Writer, equation: Equation, x: Value, t: Value) -> Value | None:
    params = equation.params
    return plan.reduced("mixture", x, params["axes"], t, sign=1 if params["largest"] else -1)


def _concatenate(plan: Writer, equation: Equation, *parts: Value) -> Value | None:
    """Each part in its place, added to zeros elsewhere: nothing is rounded."""
    axis, shape = equation.params["axis"], equation.output.shape
    if not equation.output.is_float or any(p.node.integers for p in parts):
        return None
    start, found = 0, None
    for part in parts:
        positions = np.full(shape, -1)
        inside = (slice(None),) * axis + (slice(start, start + part.whole[axis]),)
        positions[inside] = np.arange(int(np.prod(part.whole))).reshape(part.whole)
        start += part.whole[axis]
        own = plan.moved(part, positions)
        found = own if found is None else plan.elementwise("add", found, own)
    return found


def _proven(plan: Writer, equation: Equation) -> Value:
    """Numbers that depend on nothing, as Arb knows them with more bits than a pair has."""
    with precision(PROVEN_BITS):
        return plan.constant(equation.primitive.evaluate(**equation.params))


def _whole(plan: Writer, equation: Equation, *values: Value) -> Value:
    return values[-1]


def _first(plan: Writer, equation: Equation, *values: Value) -> Value:
    return values[0]


def best(plan: Writer, equation: Equation, x: Value, scores: Value) -> Value:
    """Where along an axis the largest score is, the first of those that come from one number x.

    Raises:
        Unsupported: They are integers.
    """
    return plan.reduced("best", x, (equation.params["axis"],), scores, integers=True)


RULES: dict[str, Rule] = {
    **{name: _arithmetic(name) for name in ("add", "sub", "mul", "div", "neg", "abs")},
    **{name: _compare(name) for name in ("lt", "le", "gt", "ge", "eq", "ne")},
    **{name: _logic(name) for name in ("and", "or", "xor", "not")},
    "scale": _arithmetic("mul"),
    "unit": _unit,
    "within": _within,
    "maximum": _extreme("larger"),
    "minimum": _extreme("smaller"),
    "blend": _arithmetic("blend"),
    **dict.fromkeys(STEPPED, step),
    "select": _select,
    "convert": _convert,
    "detach": _whole,
    "no_grad": _whole,
    "edged": _whole,
    "rough": _first,
    "constant": _constant,
    **dict.fromkeys(("pi", "cosines"), _proven),
    "taylor": _taylor,
    "reduce_sum": _reduced("sum"),
    "argmax": lambda plan, equation, x, scores: best(plan, equation, x, x),
    "reduce_max": _reduced("top"),
    "reduce_min": _reduced("bottom"),
    "weights": _weights,
    "mixture": _mixture,
    "broadcast": lambda plan, equation, x: plan.repeated(x, equation.params["shape"]),
    "edge_rate": _edge_rate,
    "is_infinite": _is_infinite,
    "surely_larger": _surely("gt"),
    "surely_equal": _surely("eq"),
    "is_nan": _is_nan,
    "reshape": lambda plan, equation, x: plan.reshaped(x, equation.params["shape"]),
    "permute": lambda plan, equation, x: plan.permuted(x, equation.params["axes"]),
    "take": lambda plan, equation, x, positions: plan.taken(x, positions),
    "scatter_add": lambda plan, equation, x, where: plan.scattered(x, where, equation.params["shape"]),
    "concatenate": _concatenate,
    "cumsum": lambda plan, equation, x: plan.along("cumsum", x, (equation.params["axis"],)),
    "matmul": lambda plan, equation, x, y: plan.product(x, y),
}


def rule(plan: Writer, equation: Equation, values: tuple[Value, ...]) -> Value | None:
    """The value of an equation, written as instructions; None where it has none."""
    own = RULES.get(equation.primitive.name)
    if own is None:
        return None
    try:
        found = own(plan, equation, *values)
    except Unsupported:
        return None
    return found and Value(found.node, found.shape, equation.output.shape)
