"""Comparisons and logic: certain, or undecided; where rounding may turn one, one of three truth values.

Then what is chosen by them, with kinks (select, blend, maximum, abs), and steps, constant between jumps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb, ctx

from oracles.exact.program.balls import (
    KINKS,
    OPEN,
    TIES,
    ZERO,
    as_balls,
    certain_extreme,
    comparison,
    decide,
    each,
    filled,
    settled,
    truths,
    zeros,
)
from oracles.exact.program.derive import Tangents, jointly_linear, zeros_like
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import UNKNOWN, Format, Growth, exactly
from oracles.exact.program.maxima import Maxima
from oracles.exact.program.primitives.arithmetic import certain, constant, convert, scale, towards_zero
from oracles.exact.program.primitives.arrays import broadcast_, permute_, reduce_sum, reshape_, take_
from oracles.exact.program.primitives.staying import stays
from oracles.exact.program.program import (
    Array,
    Comparison,
    Equation,
    Kink,
    Operand,
    Primitive,
    Var,
    sum_of,
)

SIDE_BITS = 8  # of the last bits of a number, what counts as at it
BETWEEN = 0.25  # no step jumps there
MOVES = (broadcast_, reshape_, permute_, take_)


def _comparison(
    name: str, holds: np.ufunc, fails: np.ufunc, opposite: str, larger: int | None = None
) -> Primitive:
    def evaluate(x: Array, y: Array) -> Array:
        if x.dtype != object and y.dtype != object:
            return np.asarray(holds(x, y))
        x, y = as_balls(x), as_balls(y)
        yes, no = comparison(x, y, holds, fails)
        equal = yes if name == "eq" else no
        if larger is None and equal.any():
            TIES.say(equal.tobytes())
        return decide(x, y, yes, no)

    def opened(x: Array, y: Array) -> Array:
        if OPEN in (x.dtype, y.dtype):
            return np.full(np.broadcast_shapes(x.shape, y.shape), 0.5, OPEN)
        if x.dtype != object and y.dtype != object:
            return np.asarray(holds(x, y))
        return truths(*comparison(as_balls(x), as_balls(y), holds, fails))

    def edge(equation: Equation) -> list[Var]:
        gap = equation.operands[0] - equation.operands[1]
        return [gap.builder.elementwise("abs", gap)]

    return Primitive(
        name,
        evaluate,
        opened=opened,
        rows=Maxima.equal if name == "eq" else None,
        comparison=Comparison(opposite, larger),
        edge=None if larger is None else edge,
        jumps=True,
    )


lt = _comparison("lt", np.less, np.greater_equal, "ge", larger=1)
le = _comparison("le", np.less_equal, np.greater, "gt", larger=1)
gt = _comparison("gt", np.greater, np.less_equal, "le", larger=0)
ge = _comparison("ge", np.greater_equal, np.less, "lt", larger=0)
eq = _comparison("eq", np.equal, np.not_equal, "ne")
ne = _comparison("ne", np.not_equal, np.equal, "eq")


def compare(name: str, x: Operand, y: Operand) -> Var:
    """x < y and its kin (lt, le, gt, ge, eq, ne), as booleans."""
    builder = next(v.builder for v in (x, y) if isinstance(v, Var))
    if name in ("eq", "ne") and isinstance(x, Var) and _is_zero(y):
        x, y = _terms(x) or (x, y)
    return builder.elementwise(name, x, y, dtype="bool")


def _terms(x: Var) -> tuple[Var, Var] | None:
    """a and b of a - b, where both are elements of one value, as in w[:, None] - w; None of all else.

    That it is 0 where these are one element no digits tell; that a is b then their balls do.
    """
    equation = x.builder.definitions.get(x)
    if equation is None or equation.primitive.name != "sub" or not x.is_float:
        return None
    a, b = equation.operands
    return (a, b) if _moved_from(a) is _moved_from(b) else None


def _moved_from(x: Var) -> Var:
    """The value whose elements it has."""
    while (e := x.builder.definitions.get(x)) is not None and e.primitive in MOVES:
        x = e.operands[0]
    return x


def _is_zero(y: Operand) -> bool:
    """Whether it stands in the code, and is 0."""
    number: Any = y
    if isinstance(y, Var):
        equation = y.builder.definitions.get(_moved_from(y))
        number = equation.params["value"] if equation and equation.primitive is constant else None
    return np.asarray(number).dtype != object and not np.any(number)


def _signed(x: Array) -> Array:
    if any(b.is_zero() for b in as_balls(x).ravel().tolist()):
        raise Undecided("a number is exactly 0, and it is not known whether that is 0.0 or -0.0")
    return x


# x itself, where the sign of a zero would matter and is not known: exact numbers have no -0.0
signed_ = Primitive("signed", _signed, rounded=exactly)


def kleene(values: Array) -> Array:
    """Booleans among truth values."""
    return values.astype(OPEN)


def _xor(x: Array, y: Array) -> Array:
    open_ = (x == 0.5) | (y == 0.5)
    return np.where(open_, 0.5, np.abs(kleene(x) - kleene(y))).astype(OPEN)


def _logic(name: str, function: Callable[..., Any], opened: Callable[..., Array] | None = None) -> Primitive:
    on_three = None if opened is None else lambda *a: settled(opened(*a))
    return Primitive(name, lambda *a: np.asarray(function(*a)), opened=on_three)


and_ = _logic("and", np.bitwise_and, lambda x, y: np.minimum(kleene(x), kleene(y)))
or_ = _logic("or", np.bitwise_or, lambda x, y: np.maximum(kleene(x), kleene(y)))
xor = _logic("xor", np.bitwise_xor, _xor)
not_ = _logic("not", np.invert, lambda x: 1 - kleene(x))


def _divided(function: Callable[[Array, Array], Any]) -> Callable[[Array, Array], Array]:
    def divide(x: Array, y: Array) -> Array:
        if not np.all(y):
            raise Undecided("an integer is divided by 0: what it becomes depends on the library")
        with np.errstate(over="ignore"):  # the least integer by -1 is itself
            return np.asarray(function(x, y))

    return divide


def _towards_zero(x: Array, y: Array) -> Array:
    down = np.asarray(np.floor_divide(x, y))
    up: Array = (np.fmod(x, y) != 0) & ((x < 0) != (y < 0))
    return np.asarray(down + up.astype(down.dtype))


integer_div = _logic("integer_div", _divided(_towards_zero))
integer_rem = _logic("integer_rem", _divided(np.fmod))
integer_floor_div = _logic("integer_floor_div", _divided(np.floor_divide))
integer_floor_rem = _logic("integer_floor_rem", _divided(np.remainder))


# -- what is not finite: only an infinity that was written so; NaN cannot be written ----------------------


def _kind(name: str, holds: Callable[[arb], bool]) -> Primitive:
    def is_open(ball: arb) -> bool:
        """Arb's NaN says that nothing is known, which may be a pole or a ball that is still too wide."""
        return bool(ball.is_nan() or not (ball.is_finite() or ball.is_exact()))

    def one(ball: arb) -> bool:
        if is_open(ball):
            raise Undecided(f"cannot tell whether {ball} is a finite number")
        return holds(ball)

    def evaluate(x: Array) -> Array:
        flat = [one(ball) for ball in as_balls(x).ravel().tolist()]
        return np.array(flat, bool).reshape(x.shape)

    def opened(x: Array) -> Array:
        flat = [0.5 if is_open(ball) else holds(ball) for ball in as_balls(x).ravel().tolist()]
        return settled(np.array(flat, OPEN).reshape(x.shape))

    return Primitive(name, evaluate, opened=opened)


is_nan = _kind("is_nan", lambda ball: bool(ball.is_nan()))
is_infinite = _kind(
    "is_infinite", lambda ball: bool(ball.is_exact() and not ball.is_finite() and not ball.is_nan())
)


# -- choices and kinks ------------------------------------------------------------------------------------


def _select(pred: Array, x: Array, y: Array) -> Array:
    if pred.dtype == bool and (x.dtype == object) != (y.dtype == object):
        x, y = as_balls(x), as_balls(y)
    return np.where(pred, x, y)


def _select_opened(pred: Array, x: Array, y: Array) -> Array:
    if pred.dtype != OPEN:
        return np.asarray(_select(pred, x, y))
    if x.dtype != object and y.dtype != object:
        if np.array_equal(x[pred == 0.5], y[pred == 0.5]):
            return np.where(pred == 1, x, y)
        if x.dtype.kind == "b" or OPEN in (x.dtype, y.dtype):
            x, y = kleene(x), kleene(y)
            return settled(np.where(pred == 0.5, np.where(x == y, x, 0.5), np.where(pred == 1, x, y)))
        raise Undecided("rounding decides which integer is chosen")

    def one(p: float, a: arb, b: arb) -> arb:
        return a.union(b) if p == 0.5 else a if p == 1 else b

    return each(one, pred, as_balls(x), as_balls(y))


def _around_edge(equation: Equation, x: Var | None, y: Var | None) -> Var | None:
    """x or y by what the choice turns on, and on its edge both; None where that is not two numbers."""
    builder = equation.output.builder
    definition = builder.definitions.get(equation.operands[0])
    comparison = definition.primitive.comparison if definition else None
    k = comparison.larger if comparison else None
    if definition is None or k is None or not builder.moving.intersection(definition.operands):
        return None
    a, b = definition.operands[k], definition.operands[1 - k]
    return blend(a, b, x, y, equation.output, closed=definition.primitive in (le, ge))


def _select_jvp(equation: Equation, tangents: Tangents) -> Var:
    """The tangent of the chosen side. On the edge of `a < b` both one-sided derivatives are legal."""
    return _around_edge(equation, *tangents[1:]) or jointly_linear(1, 2)(equation, tangents)


def _select_around(equation: Equation) -> Var:
    """On that edge it has both values, where they differ: a mask that is a factor, say."""
    out, (_, x, y) = equation.output, equation.operands
    return (_around_edge(equation, x, y) if out.is_float else None) or out


select_ = Primitive(
    "select",
    _select,
    _select_jvp,
    lambda e, k, ct: select(e.operands[0], ct, 0.0) if k == 1 else select(e.operands[0], 0.0, ct),
    exactly,
    _select_opened,
    Maxima.chosen,
    around=_select_around,
)


def select(pred: Var, x: Operand, y: Operand) -> Var:
    """x where pred, else y."""
    like = next(v for v in (x, y) if isinstance(v, Var))
    x, y = (like.builder.as_var(v, like.dtype) for v in (x, y))
    return like.builder.elementwise("select", pred, x, y, dtype=like.dtype)


def _blend(a: Array, b: Array, x: Array, y: Array, *, closed: bool | None) -> Array:
    def hull(a: arb, b: arb, x: arb, y: arb) -> arb:
        if x is y or (x.is_exact() and x == y):
            return x
        KINKS.say(f"neither of {a.str(8)} and {b.str(8)} is certainly larger")
        return x.union(y)

    a, b, x, y = np.broadcast_arrays(*map(as_balls, (a, b, x, y)))
    larger, tied = np.asarray(a > b, bool), _tied(a, b, x, y, closed=closed)
    found = np.where(larger, x, y)
    found[tied] = each(hull, a[tied], b[tied], x[tied], y[tied])
    return found


def _tied(a: Array, b: Array, x: Array, y: Array, *, closed: bool | None) -> Array:
    a, b = as_balls(a), as_balls(b)
    return np.asarray(~(np.asarray(a > b, bool) | np.asarray(a < b, bool)))


def _blend_mixed(share: float, a: Array, b: Array, x: Array, y: Array, *, closed: bool | None) -> Array:
    one, other = (y, x) if closed is False else (x, y)
    if share in (0, 1):
        return np.asarray(one if share else other)
    return np.asarray(share * one + (1 - share) * other)


def _blend_transpose(equation: Equation, k: int, ct: Var) -> Var:
    a, b, _, _ = equation.operands
    return blend(a, b, ct if k == 2 else None, ct if k == 3 else None, ct, **equation.params)


# x where a > b, y where a < b, and the hull of both where neither is certain: the legal derivatives of
# max(a, b) and its kin. Piecewise constant in a and b, linear in x and y.
blend_ = Primitive(
    "blend",
    _blend,
    jointly_linear(2, 3),
    _blend_transpose,
    exactly,
    kink=Kink(_tied, lambda a, b, x, y, closed: as_balls(a) - as_balls(b), _blend_mixed),
)


def blend(a: Var, b: Var, x: Var | None, y: Var | None, like: Var, closed: bool | None = None) -> Var:
    """x where a > b, y where a < b, their hull where neither is certain; None is zero, shaped like `like`.

    Where a and b are one number, the recorded code takes x if it is `closed`, y if not, and if that is None,
    as in a maximum, either.
    """
    zero = like.builder.constant(0.0, like.dtype)
    chosen = zero if x is None else x, zero if y is None else y
    return like.builder.elementwise("blend", a, b, *chosen, dtype=like.dtype, closed=closed)


def _extreme(choose: str, integers: np.ufunc) -> Any:
    certain = certain_extreme(choose)

    def evaluate(x: Array, y: Array) -> Array:
        if x.dtype != object and y.dtype != object:
            return np.asarray(integers(x, y))
        return each(certain, as_balls(x), as_balls(y))

    return evaluate


def _extreme_jvp(larger: int) -> Callable[[Equation, Tangents], Var]:
    return lambda e, t: blend(e.operands[0], e.operands[1], t[larger], t[1 - larger], e.output)


maximum = Primitive(
    "maximum", _extreme("max", np.maximum), _extreme_jvp(0), rounded=exactly, rows=Maxima.larger
)
minimum = Primitive("minimum", _extreme("min", np.minimum), _extreme_jvp(1), rounded=exactly)


def _abs_jvp(equation: Equation, tangents: Tangents) -> Var:
    (x,), (tx,) = equation.operands, tangents
    assert tx is not None
    return blend(x, zeros_like(x), tx, -tx, x)


abs_ = Primitive("abs", np.absolute, _abs_jvp, rounded=exactly)


# -- edges of what was decided: what is beyond them is not known ---------------------------------------------


def _edge_rate(gap: Array) -> Array:
    def one(ball: arb) -> arb:
        if ball > 0:
            return ZERO
        KINKS.say("two numbers that decide a branch, a mask or an order are equal, or may be")
        return UNKNOWN

    return each(one, gap)


edge_rate = Primitive(
    "edge_rate",
    _edge_rate,
    rounded=exactly,
    kink=Kink(
        lambda gap: np.array([not b > 0 for b in gap.ravel().tolist()], bool).reshape(gap.shape),
        lambda gap: gap,
        lambda share, gap: zeros(gap.shape),
    ),
)


def _edged_jvp(equation: Equation, tangents: Tangents) -> Var:
    """The value's tangent; at an edge, whatever moves there moves it at an unknown rate."""
    (_, *gaps, value), (moved, *_, own) = equation.operands, tangents
    if moved is None:
        return own if own is not None else zeros_like(value)
    builder = value.builder
    rates = [builder.emit(edge_rate, (gap,), gap.shape, gap.dtype) for gap in gaps]
    rate = sum_of(*(reduce_sum(r, range(r.ndim)) for r in rates))
    beyond = convert(scale(rate, moved), value.dtype)
    return sum_of(own, builder.broadcast(beyond, value.shape))


edged_ = Primitive("edged", lambda *operands: operands[-1], _edged_jvp, rounded=exactly)


def edged(value: Var, moves: Var, gaps: Sequence[Var]) -> Var:
    """The value; its derivative along `moves` is unknown where any of the gaps, numbers >= 0, is 0."""
    return value.builder.emit(edged_, (moves, *gaps, value), value.shape, value.dtype)


# -- steps: constant between jumps ------------------------------------------------------------------------


def _between(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Everything between the steps at the two ends."""
    evaluate = equation.primitive.evaluate

    def one(b: arb) -> arb:
        if not b.is_finite():
            return UNKNOWN
        low, high = evaluate(filled([b.lower(), b.upper()], (2,))).tolist()
        whole: arb = low.union(high) if low != high else low
        return whole

    return each(one, as_balls(operands[0]))


def _step(name: str, function: Callable[[arb], arb], integers: Any, jump: Callable[[arb], arb]) -> Primitive:
    """A step, and what stands for it in a derivative: at its jump the hull of both sides.

    `jump(x)` is the jump that is nearest to x.
    """

    def one(ball: arb) -> arb:
        """Of what is not known, 0 / 0, no side of a jump can be asked for: it is not known either."""
        return function(ball) if ball.is_finite() or ball.is_exact() else UNKNOWN

    def evaluate(x: Array) -> Array:
        return each(one, x) if x.dtype == object else np.asarray(integers(x))

    def both(x: Array) -> Array:
        return each(lambda ball: _on_both_sides(function, ball), as_balls(x))

    def jumps(x: Array) -> Array:
        return np.array([not b.is_exact() for b in both(x).ravel().tolist()], bool).reshape(x.shape)

    def between(share: float, x: Array) -> Array:
        return each(lambda b: b.mid() + (2 * share - 1) * b.rad(), both(x))

    kink = Kink(jumps, lambda x: each(lambda b: b - jump(b), as_balls(x)), between)
    hull = Primitive(f"{name}_around", both, rounded=_between, jumps=True, kink=kink)

    def around(equation: Equation) -> Var:
        (x,), out = equation.operands, equation.output
        still = stays(x) if x.is_float else True
        if isinstance(still, bool):
            return out if still else out.builder.emit(hull, (x,), out.shape, out.dtype)
        # Each of the two is only asked of the elements that are its own: elsewhere of a number between jumps.
        one, both = select(still, x, BETWEEN), select(still, BETWEEN, x)
        return select(
            still,
            out.builder.emit(equation.primitive, (one,), out.shape, out.dtype),
            out.builder.emit(hull, (both,), out.shape, out.dtype),
        )

    return Primitive(name, evaluate, rounded=_between, jumps=True, around=around)


def _on_both_sides(function: Callable[[arb], arb], x: arb) -> arb:
    """The values of a step from a little below the ball to a little above it."""
    if not x.is_finite():
        return UNKNOWN
    margin = abs(x) * arb(2) ** (SIDE_BITS - ctx.prec) if not x.contains(0) else arb(2) ** -ctx.prec
    below, above = function((x.lower() - margin).lower()), function((x.upper() + margin).upper())
    if below == above:
        return below
    KINKS.say(f"{x.str(8)} is where a step jumps from {below.str(8)} to {above.str(8)}")
    return below.union(above)


def _round_half_even(x: arb) -> arb:
    below = certain(x, (x + 0.5).floor())
    if x + 0.5 == below and int(float(below)) % 2:
        return below - 1
    return below


def _nearest(x: arb) -> arb:
    return (x.mid() + 0.5).floor()


sign = _step("sign", lambda x: ZERO if x.is_zero() else certain(x, x.sgn()), np.sign, lambda x: ZERO)
floor = _step("floor", lambda x: certain(x, x.floor()), lambda x: x, _nearest)
ceil = _step("ceil", lambda x: certain(x, x.ceil()), lambda x: x, _nearest)
round_ = _step("round", _round_half_even, lambda x: x, lambda x: _nearest(x - 0.5) + 0.5)
trunc = _step("trunc", towards_zero, lambda x: x, _nearest)
