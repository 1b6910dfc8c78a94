"""Elementwise primitives. Operands have one shape; broadcasting is its own primitive.

Rules in the manner of Griewank and Walther, Evaluating Derivatives (2nd ed., 2008), chapter 3: a tangent of
each output from the tangents of the operands, as it is written on paper.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import (
    ZERO,
    all_finite,
    as_balls,
    certain_extreme,
    decide,
    each,
    filled,
    note_kink,
    note_lost,
    note_tie,
)
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.primitives.linear import Tangents, jointly_linear, linear
from oracles.exact.program.program import Array, Builder, Equation, Operand, Primitive, Var, define
from oracles.exact.program.scalars import SCALARS


def _sum_of(*terms: Var | None) -> Var:
    present = [t for t in terms if t is not None]
    total = present[0]
    for term in present[1:]:
        total = total + term
    return total


# -- arithmetic -------------------------------------------------------------------------------------------

constant = define(Primitive("constant", lambda value: value))
pi_ = define(Primitive("pi", lambda: filled([arb.pi()], ())))
detach_ = define(Primitive("detach", lambda x: x))  # its value, held fixed: no derivative


def pi(builder: Builder, dtype: str) -> Var:
    """The number pi itself, as narrow a ball as the precision allows."""
    return builder.emit(pi_, (), (), dtype)


def detach(x: Var) -> Var:
    """x, not differentiated."""
    return x.builder.emit(detach_, (x,), x.shape, x.dtype)


def _add_jvp(equation: Equation, tangents: Tangents) -> Var:
    return _sum_of(*tangents)


def _sub_jvp(equation: Equation, tangents: Tangents) -> Var:
    tx, ty = tangents
    if tx is None or ty is None:
        return _sum_of(tx, None if ty is None else -ty)
    return tx - ty


def _div_jvp(equation: Equation, tangents: Tangents) -> Var:
    """d(x/y) = dx (1/y) - dy (x/y) (1/y)."""
    (_, y), (tx, ty) = equation.operands, tangents
    inverse = scalar("reciprocal", y)
    along_y = None if ty is None else -scale(ty, equation.output * inverse)
    return _sum_of(None if tx is None else scale(tx, inverse), along_y)


def _mul_jvp(equation: Equation, tangents: Tangents) -> Var:
    (x, y), (tx, ty) = equation.operands, tangents
    return _sum_of(None if tx is None else scale(tx, y), None if ty is None else scale(ty, x))


add = define(Primitive("add", np.add, _add_jvp, lambda e, k, ct: ct))
sub = define(Primitive("sub", np.subtract, _sub_jvp, lambda e, k, ct: ct if k == 0 else -ct))
neg = define(Primitive("neg", np.negative, linear(0), lambda e, k, ct: -ct))
mul = define(Primitive("mul", np.multiply, _mul_jvp))


def _div(x: Array, y: Array) -> Array:
    return np.divide(as_balls(x), as_balls(y))


div = define(Primitive("div", _div, _div_jvp))


def _scale(z: Array, c: Array) -> Array:
    product = np.asarray(np.multiply(z, c))  # NumPy unwraps 0-d objects
    if all_finite(product):
        return product

    def one(a: arb, b: arb) -> arb:
        if a.is_zero() and not b.is_finite():
            note_lost()
        return ZERO if a.is_zero() else a * b

    return each(one, z, c)


# z c where z is a tangent or cotangent: a z that is exactly zero says that the branch was not taken, or that
# the value does not matter, so the product is zero even where c is not finite. Linear in either operand.
scale_ = define(
    Primitive(
        "scale",
        _scale,
        linear(0, 1),
        lambda e, k, ct: scale(ct, e.operands[1]) if k == 0 else scale(e.operands[0], ct),
    )
)


def scale(z: Var, c: Operand) -> Var:
    """The product z c, zero wherever z is exactly zero."""
    return z.builder.elementwise("scale", z, c, dtype=z.dtype)


# -- scalar functions: every derivative from the Taylor coefficients --------------------------------------


def _taylor_coefficient(*operands: Array, function: str, order: int, **static: Any) -> Array:
    return taylor_coefficients(operands, function, order, static)[order]


def taylor_coefficients(
    operands: Sequence[Array], function: str, order: int, static: dict[str, Any]
) -> list[Array]:
    """The arrays c_0 to c_order of the function at every element, from one series each."""
    entry, x = SCALARS[function], as_balls(operands[0])
    if entry.arrays is not None:
        whole = entry.arrays(x, order, *operands[1:])
        if whole is not None:
            return whole
    parameters = list(map(as_balls, operands[1:]))
    if order == 0 and entry.value is not None and not static.get("along"):
        return [each(entry.value, x, *parameters)]
    columns = [p.ravel().tolist() for p in (x, *parameters)]
    rows = [entry.taylor(ball, order, *rest, **static) for ball, *rest in zip(*columns, strict=True)]
    return [filled([row[k] for row in rows], x.shape) for k in range(order + 1)]


def _taylor_jvp(equation: Equation, tangents: Tangents) -> Var:
    """d c_k = (k + 1) c_{k+1} dx, and likewise along the parameter where its derivatives are known."""
    (x, *parameters), (tx, *others) = equation.operands, tangents
    params = dict(equation.params)
    function, order, along = params.pop("function"), params.pop("order"), params.pop("along", 0)
    terms: list[Var | None] = [None, None]
    if tx is not None:
        kept = {"along": along} if along else {}
        slope = scalar(function, x, *parameters, order=order + 1, **kept, **params)
        terms[0] = scale(tx, slope if order == 0 else slope * float(order + 1))
    if any(t is not None for t in others):
        if SCALARS[function].mixed is None or len(others) > 1:
            raise Unsupported(f"{function} has no rule for the derivative with respect to its parameter")
        slope = scalar(function, x, *parameters, order=order, along=along + 1, **params)
        terms[1] = scale(_sum_of(*others), slope if along == 0 else slope * float(along + 1))
    return _sum_of(*terms)


taylor = define(Primitive("taylor", _taylor_coefficient, _taylor_jvp))


def scalar(function: str, x: Var, *parameters: Operand, order: int = 0, **static: Any) -> Var:
    """The Taylor coefficient of this order (0: the value) of a function in `scalars` at x, elementwise."""
    return x.builder.elementwise(
        "taylor", x, *parameters, dtype=x.dtype, function=function, order=order, **static
    )


# -- comparisons: certain, or undecided -------------------------------------------------------------------


def _comparison(name: str, holds: np.ufunc, fails: np.ufunc) -> Primitive:
    def evaluate(x: Array, y: Array) -> Array:
        if x.dtype != object and y.dtype != object:
            return np.asarray(holds(x, y))
        found = decide(as_balls(x), as_balls(y), holds, fails)
        if name in {"eq", "ne"} and np.any(found == (name == "eq")):
            note_tie(found)
        return found

    return define(Primitive(name, evaluate))


lt = _comparison("lt", np.less, np.greater_equal)
le = _comparison("le", np.less_equal, np.greater)
gt = _comparison("gt", np.greater, np.less_equal)
ge = _comparison("ge", np.greater_equal, np.less)
eq = _comparison("eq", np.equal, np.not_equal)
ne = _comparison("ne", np.not_equal, np.equal)


def compare(name: str, x: Operand, y: Operand) -> Var:
    """x < y and its kin (lt, le, gt, ge, eq, ne), as booleans."""
    builder = next(v.builder for v in (x, y) if isinstance(v, Var))
    return builder.elementwise(name, x, y, dtype="bool")


def _logic(name: str, function: Callable[..., Any]) -> Primitive:
    return define(Primitive(name, lambda *a: np.asarray(function(*a))))


and_ = _logic("and", np.bitwise_and)
or_ = _logic("or", np.bitwise_or)
xor = _logic("xor", np.bitwise_xor)
not_ = _logic("not", np.invert)
integer_div = _logic("integer_div", lambda x, y: (np.sign(x) * np.sign(y)) * (np.abs(x) // np.abs(y)))
integer_rem = _logic("integer_rem", np.fmod)

# -- choices and kinks ------------------------------------------------------------------------------------


def _select(pred: Array, x: Array, y: Array) -> Array:
    if pred.dtype == bool and (x.dtype == object) != (y.dtype == object):
        x, y = as_balls(x), as_balls(y)
    return np.where(pred, x, y)


def _select_jvp(equation: Equation, tangents: Tangents) -> Var:
    """The tangent of the chosen side. On the edge of `a < b` both one-sided derivatives are legal."""
    builder = equation.output.builder
    definition = builder.definitions.get(equation.operands[0])
    if (
        definition
        and definition.primitive.name in BLENDED
        and builder.moving.intersection(definition.operands)
    ):
        a, b = definition.operands
        if BLENDED[definition.primitive.name] == "le":
            a, b = b, a
        return blend(a, b, tangents[1], tangents[2], equation.output)
    return jointly_linear(1, 2)(equation, tangents)


def _select_transpose(equation: Equation, k: int, ct: Var) -> Var:
    pred = equation.operands[0]
    return select(pred, ct, 0.0) if k == 1 else select(pred, 0.0, ct)


BLENDED = {"ge": "ge", "gt": "ge", "le": "le", "lt": "le"}
select_ = define(Primitive("select", _select, _select_jvp, _select_transpose))


def select(pred: Var, x: Operand, y: Operand) -> Var:
    """x where pred, else y."""
    like = next(v for v in (x, y) if isinstance(v, Var))
    x, y = (like.builder.as_var(v, like.dtype) for v in (x, y))
    return like.builder.elementwise("select", pred, x, y, dtype=like.dtype)


def _blend(a: Array, b: Array, x: Array, y: Array) -> Array:
    def choose(a: arb, b: arb, x: arb, y: arb) -> arb:
        if a > b:
            return x
        if a < b:
            return y
        note_kink(f"neither of {a.str(8)} and {b.str(8)} is certainly larger")
        return x.union(y)

    return each(choose, as_balls(a), as_balls(b), x, y)


# x where a > b, y where a < b, and the hull of both where neither is certain: the legal derivatives of
# max(a, b) and its kin. Piecewise constant in a and b, linear in x and y.
blend_ = define(
    Primitive(
        "blend",
        _blend,
        jointly_linear(2, 3),
        lambda e, k, ct: blend(
            e.operands[0], e.operands[1], ct if k == 2 else None, ct if k == 3 else None, ct
        ),
    )
)


def blend(a: Var, b: Var, x: Var | None, y: Var | None, like: Var) -> Var:
    """x where a > b, y where a < b, their hull where neither is certain; None is zero, shaped like `like`."""
    zero = like.builder.constant(0.0, like.dtype)
    return like.builder.elementwise(
        "blend", a, b, zero if x is None else x, zero if y is None else y, dtype=like.dtype
    )


def _maximum_jvp(equation: Equation, tangents: Tangents) -> Var:
    x, y = equation.operands
    return blend(x, y, tangents[0], tangents[1], equation.output)


def _minimum_jvp(equation: Equation, tangents: Tangents) -> Var:
    x, y = equation.operands
    return blend(x, y, tangents[1], tangents[0], equation.output)


def _extreme(choose: str, integers: np.ufunc) -> Any:
    certain = certain_extreme(choose)

    def evaluate(x: Array, y: Array) -> Array:
        if x.dtype != object and y.dtype != object:
            return np.asarray(integers(x, y))
        return each(certain, as_balls(x), as_balls(y))

    return evaluate


maximum = define(Primitive("maximum", _extreme("max", np.maximum), _maximum_jvp))
minimum = define(Primitive("minimum", _extreme("min", np.minimum), _minimum_jvp))


def _abs_jvp(equation: Equation, tangents: Tangents) -> Var:
    (x,), (tx,) = equation.operands, tangents
    assert tx is not None
    return blend(x, x.builder.broadcast(x.builder.constant(0.0, x.dtype), x.shape), tx, -tx, x)


abs_ = define(Primitive("abs", np.absolute, _abs_jvp))


# -- steps: constant between jumps ------------------------------------------------------------------------


def _step(name: str, function: Any, integers: Any) -> Primitive:
    def evaluate(x: Array, **params: Any) -> Array:
        return each(function, x) if x.dtype == object else np.asarray(integers(x))

    return define(Primitive(name, evaluate))


def _certain(x: arb, rounded: arb) -> arb:
    if not rounded.is_exact():
        raise Undecided(f"cannot tell on which side of a jump {x} lies")
    return rounded


def _sign(x: arb) -> arb:
    return ZERO if x.is_zero() else _certain(x, x.sgn())


def _round_half_even(x: arb) -> arb:
    below = _certain(x, (x + 0.5).floor())
    if x + 0.5 == below and int(float(below)) % 2:
        return below - 1
    return below


sign = _step("sign", _sign, np.sign)
floor = _step("floor", lambda x: _certain(x, x.floor()), lambda x: x)
ceil = _step("ceil", lambda x: _certain(x, x.ceil()), lambda x: x)
round_ = _step("round", _round_half_even, lambda x: x)
trunc = _step("trunc", lambda x: _certain(x, x.floor() if x >= 0 else x.ceil()), lambda x: x)


# -- what is not finite: only an infinity that was written so; NaN cannot be written ---------------------


def _kind(name: str, holds: Callable[[arb], bool]) -> Primitive:
    def one(ball: arb) -> bool:
        # Arb's NaN says that nothing is known, which may be a pole or a ball that is still too wide.
        if ball.is_nan() or not (ball.is_finite() or ball.is_exact()):
            raise Undecided(f"cannot tell whether {ball} is a finite number")
        return holds(ball)

    def evaluate(x: Array) -> Array:
        flat = [one(ball) for ball in as_balls(x).ravel().tolist()]
        return np.array(flat, bool).reshape(x.shape)

    return define(Primitive(name, evaluate))


is_nan = _kind("is_nan", lambda ball: bool(ball.is_nan()))
is_infinite = _kind(
    "is_infinite", lambda ball: bool(ball.is_exact() and not ball.is_finite() and not ball.is_nan())
)


# -- casts ------------------------------------------------------------------------------------------------


def _convert(x: Array, *, to: str) -> Array:
    if to in {"float64", "float32", "float16", "bfloat16"}:
        return as_balls(x)
    if x.dtype != object:
        return x.astype(to)
    if to == "bool":
        return decide(x, each(lambda _: ZERO, x), np.not_equal, np.equal)
    whole = each(lambda b: _certain(b, b.floor() if b >= 0 else b.ceil()), x)
    return np.array([int(float(v)) for v in whole.ravel()], to).reshape(x.shape)


def _convert_jvp(equation: Equation, tangents: Tangents) -> Var:
    (tx,) = tangents
    assert tx is not None
    return convert(tx, equation.output.dtype)


convert_ = define(
    Primitive("convert", _convert, _convert_jvp, lambda e, k, ct: convert(ct, e.operands[0].dtype))
)


def convert(x: Var, dtype: str) -> Var:
    """x in another dtype. Between floats nothing changes here: exact arithmetic does not round."""
    return x if x.dtype == dtype else x.builder.emit(convert_, (x,), x.shape, dtype, to=dtype)
