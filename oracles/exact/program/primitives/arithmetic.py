"""Arithmetic, constants and casts, elementwise. Operands have one shape; broadcasting is its own primitive.

Rules in the manner of Griewank and Walther, Evaluating Derivatives (2nd ed., 2008), chapter 3: a tangent of
each output from the tangents of the operands, as it is written on paper.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from flint import arb, fmpq

from oracles.exact.program.balls import (
    LOST,
    ZERO,
    all_finite,
    as_balls,
    as_numbers,
    comparison,
    decide,
    each,
    filled,
)
from oracles.exact.program.derive import Tangents, linear
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import FORMATS, Format, Growth, exactly, once
from oracles.exact.program.maxima import Maxima
from oracles.exact.program.program import (
    PRIMITIVES,
    Array,
    Builder,
    Equation,
    Operand,
    Primitive,
    Var,
    sum_of,
)
from oracles.exact.program.scalars import QUOTIENT_UNITS

COUNTS = 64  # two of them are less than 2^8, below which bfloat16 has all integers

# -- constants --------------------------------------------------------------------------------------------


def _constant_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """A literal is the number that is written, or what the program makes of it."""
    value = as_balls(equation.primitive.evaluate(**equation.params))
    if not value.ndim:
        ball = value.item()
        number = float(ball.mid()) if ball.is_finite() else math.nan
        rounded = target.rounded(number)
        if math.isfinite(rounded) and arb(rounded) != ball:
            value = filled([ball.union(arb(rounded))], ())
    return growth.stored(value, equation.output.dtype)


constant = Primitive("constant", lambda value: value, rounded=_constant_rounded)
pi_ = Primitive("pi", lambda: filled([arb.pi()], ()), rounded=once)


def _cosines(*, turns: Array, of: int) -> Array:
    """cos(2 pi k / n), of whole numbers k."""
    known = {k: arb.cos_pi_fmpq(fmpq(2 * k, of)) for k in np.unique(turns).tolist()}
    return filled([known[k] for k in turns.ravel().tolist()], turns.shape)


def _cosines_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    return growth.grown(equation, _cosines(**equation.params), 1, True)


cosines_ = Primitive("cosines", _cosines, rounded=_cosines_rounded)
# its value, held fixed: no derivative
detach_ = Primitive("detach", lambda x: x, rounded=exactly, rows=Maxima.unchanged)
# its value, held fixed by reverse mode alone: torch's no_grad, which forward mode does not see
no_grad_ = Primitive("no_grad", lambda x, *, in_backward: x, rounded=exactly, rows=Maxima.unchanged)


def pi(builder: Builder, dtype: str) -> Var:
    """The number pi itself, as narrow a ball as the precision allows."""
    return builder.emit(pi_, (), (), dtype)


def detach(x: Var) -> Var:
    """x, not differentiated."""
    return x.builder.emit(detach_, (x,), x.shape, x.dtype)


def no_grad(x: Var, in_backward: bool = False) -> Var:
    """x, not differentiated by reverse mode; `in_backward` since a gradient is taken that has no graph."""
    return x.builder.emit(no_grad_, (x,), x.shape, x.dtype, in_backward=in_backward)


# -- arithmetic -------------------------------------------------------------------------------------------


def _sub_jvp(equation: Equation, tangents: Tangents) -> Var:
    tx, ty = tangents
    if tx is None or ty is None:
        return sum_of(tx, None if ty is None else -ty)
    return tx - ty


def _div_jvp(equation: Equation, tangents: Tangents) -> Var:
    """d(x/y) = dx (1/y) - dy (x/y) (1/y)."""
    (_, y), (tx, ty) = equation.operands, tangents
    inverse = reciprocal(y)
    along_y = None if ty is None else -scale(ty, equation.output * inverse)
    return sum_of(None if tx is None else scale(tx, inverse), along_y)


def _mul_jvp(equation: Equation, tangents: Tangents) -> Var:
    (x, y), (tx, ty) = equation.operands, tangents
    return sum_of(None if tx is None else scale(tx, y), None if ty is None else scale(ty, x))


def _basic(units: float, inexact: bool = True) -> Any:
    """One of the four operations of IEEE 754: so many unit roundoffs of the result."""

    def rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
        x, y = map(as_balls, operands)
        return growth.grown(equation, equation.primitive.evaluate(x, y), units, inexact)

    return rounded


def _add_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """A sum of small integers is exact in every format: so is the order of a derivative, and stays one."""
    total = equation.primitive.evaluate(*map(as_balls, operands))
    return growth.grown(equation, total, 0 if all(map(_are_counts, operands)) else 1, False)


def _mul_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """A product with a power of two is exact, above the subnormal numbers; a square is not negative."""
    x, y = map(as_balls, operands)
    product = equation.primitive.evaluate(x, y)
    if equation.operands[0] is equation.operands[1]:
        product = each(lambda b: (b * b) if b.rel_accuracy_bits() > 2 else (b * b).nonnegative_part(), x)
    return growth.grown(equation, product, 0 if any(map(_are_powers_of_two, operands)) else 1, True)


def _are_counts(x: Array) -> bool:
    return all(isinstance(b, arb) and b.is_exact() and b.is_integer() and abs(b) <= COUNTS for b in x.flat)


def _are_powers_of_two(x: Array) -> bool:
    """Whether every element is a power of two, or 0 as in a mask: a product with it does not round."""
    return all(
        isinstance(b, arb) and b.is_exact() and (b.is_zero() or (b.is_finite() and abs(b.man_exp()[0]) == 1))
        for b in x.ravel().tolist()
    )


add = Primitive(
    "add",
    np.add,
    lambda e, tangents: sum_of(*tangents),
    lambda e, k, ct: ct,
    _add_rounded,
    terms=np.maximum,
)
sub = Primitive(
    "sub",
    np.subtract,
    _sub_jvp,
    lambda e, k, ct: ct if k == 0 else -ct,
    _basic(1, inexact=False),
    rows=Maxima.difference,
    terms=np.maximum,
    itself=0.0,
)
neg = Primitive("neg", np.negative, linear(0), lambda e, k, ct: -ct, exactly)
mul = Primitive("mul", np.multiply, _mul_jvp, rounded=_mul_rounded)

div = Primitive(
    "div",
    lambda x, y: np.divide(as_balls(x), as_balls(y)),
    _div_jvp,
    rounded=_basic(QUOTIENT_UNITS),
)


def reciprocal(x: Var) -> Var:
    """1 / x, as a library function."""
    return x.builder.elementwise("taylor", x, dtype=x.dtype, function="reciprocal", order=0)


def _scale(z: Array, c: Array) -> Array:
    z, c = as_balls(z), as_balls(c)
    product = np.asarray(np.multiply(z, c))  # NumPy unwraps 0-d objects
    if all_finite(product):
        return product

    def one(a: arb, b: arb) -> arb:
        if a.is_zero() and not b.is_finite():
            LOST.say(None)
        return ZERO if a.is_zero() else a * b

    return each(one, z, c)


# z c where z is a tangent or cotangent: a z that is exactly zero says that the branch was not taken, or that
# the value does not matter, so the product is zero even where c is not finite. Linear in either operand.
scale_ = Primitive(
    "scale",
    _scale,
    linear(0, 1),
    lambda e, k, ct: scale(ct, e.operands[1]) if k == 0 else scale(e.operands[0], ct),
    once,
)


def scale(z: Var, c: Operand) -> Var:
    """The product z c, zero wherever z is exactly zero."""
    return z.builder.elementwise("scale", z, c, dtype=z.dtype)


# -- casts ------------------------------------------------------------------------------------------------


def certain(x: arb, rounded: arb) -> arb:
    """What x is rounded to, where that is one number.

    Raises:
        Undecided: It may be either of two.
    """
    if not rounded.is_exact():
        low, high = (end.mid().str(4, radius=False) for end in (x.lower(), x.upper()))
        between = f"is {low} or nearly so" if low == high else f"lies between {low} and {high}"
        raise Undecided(
            "a step (floor, ceil, round, sign or a cast to integers) cannot be decided: the number that it "
            f"gets {between}, and it jumps there"
        )
    return rounded


def towards_zero(x: arb) -> arb:
    """What it is without its fraction, where that is certain."""
    return ZERO if abs(x) < 1 else certain(x, x.floor() if x >= 0 else x.ceil())


def _convert(x: Array, *, to: str, saturates: bool = False) -> Array:
    if to in FORMATS:
        return as_balls(x)
    if x.dtype != object:
        return x.astype(to)
    if to == "bool":
        zero = each(lambda _: ZERO, x)
        return decide(x, zero, *comparison(x, zero, np.not_equal, np.equal))
    least, most = int(np.iinfo(to).min), int(np.iinfo(to).max)

    def whole(b: arb) -> int:
        if saturates and (b < least or b > most):
            return least if b < 0 else most
        infinite = b.is_exact() and not b.is_finite()
        found = b if infinite else towards_zero(b)
        if not least <= found <= most:
            raise Undecided(f"{b.str(8)} is not in the range of {to}: what it becomes depends on the machine")
        return int(str(found.unique_fmpz()))

    return np.array([whole(b) for b in x.ravel().tolist()], to).reshape(x.shape)


def _convert_rounded(growth: Growth, equation: Equation, operands: list[Array], target: Format) -> Array:
    """Rounding to a narrower format, and of integers beyond its digits."""
    source = FORMATS.get(equation.operands[0].dtype)
    result = as_numbers(operands[0])
    if source is None:
        fits = all(abs(b) <= 2**target.digits and abs(b) < target.overflow for b in result.ravel().tolist())
    else:
        fits = source.digits <= target.digits and source.greatest_exponent <= target.greatest_exponent
    return result if fits else growth.grown(equation, result, 1, True)


convert_ = Primitive(
    "convert",
    _convert,
    lambda e, tangents: convert(sum_of(*tangents), e.output.dtype),
    lambda e, k, ct: convert(ct, e.operands[0].dtype),
    _convert_rounded,
    lambda x, *, to, **_: x if to == "bool" else as_numbers(x),
    Maxima.cast,
    around=lambda e: _whole_around(e),
)


def convert(x: Var, dtype: str, **ends: bool) -> Var:
    """x in another dtype. Between floats nothing changes here: exact arithmetic does not round.

    A number out of the range of an integer is undecided; with saturates=True the nearest one.
    A mask as numbers is a choice between 1 and 0, and what a number is as a boolean a comparison with 0: so
    their edges are seen.
    """
    if x.dtype == dtype:
        return x
    if dtype in FORMATS and not x.is_float:
        count = _count(x, dtype)
        if count is not None and count.masked:
            return count.number
    if dtype == "bool" and x.is_float:
        return x.builder.elementwise("ne", x, 0.0, dtype="bool")
    return x.builder.emit(convert_, (x,), x.shape, dtype, to=dtype, **ends)


class _Count(NamedTuple):
    """An integer made of masks and constants, as a number; its largest size; whether masks are in it."""

    number: Var
    largest: int
    masked: bool


# Of which operations such an integer is made, and how large it is then, by how large the operands are.
_COUNTING: dict[str, Callable[..., int]] = {
    **dict.fromkeys(("convert", "broadcast", "reshape", "neg"), int),
    **dict.fromkeys(("add", "sub"), operator.add),
    "mul": operator.mul,
    "select": max,
}


def _count(x: Var, dtype: str) -> _Count | None:
    """None where the integer is something else, or may wrap."""
    equation, builder = x.builder.definitions.get(x), x.builder
    if equation is None or x.is_float:
        return None
    name, comparison = equation.primitive.name, equation.primitive.comparison
    if name == "constant":
        value = np.asarray(equation.params["value"])
        size = max((abs(int(v)) for v in value.ravel().tolist()), default=0)
        return _Count(builder.constant(value.astype(np.float64), dtype), size, False)
    if comparison and comparison.larger is not None and equation.operands[0].is_float:
        one, zero = (builder.constant(v, dtype) for v in (1.0, 0.0))
        return _Count(builder.elementwise("select", x, one, zero, dtype=dtype), 1, True)
    if name not in _COUNTING or x.dtype == "bool":
        return None
    kept = equation.operands[:1] if name == "select" else ()
    parts = [_count(v, dtype) for v in equation.operands[len(kept) :]]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    largest, limits = _COUNTING[name](*(part.largest for part in known)), np.iinfo(x.dtype)
    if largest > limits.max or (limits.min == 0 and name in ("sub", "neg")):
        return None
    if name == "convert":
        return known[0]._replace(largest=largest)
    number = builder.emit(
        equation.primitive, (*kept, *(p.number for p in known)), x.shape, dtype, **equation.params
    )
    return _Count(number, largest, bool(kept) or any(part.masked for part in known))


def _whole_around(equation: Equation) -> Var:
    """A number as an integer, in a derivative: undecided where it is one, for it jumps there."""
    (x,), out = equation.operands, equation.output
    if out.is_float or out.dtype == "bool" or x not in out.builder.moving:
        return out
    whole = x.builder.emit(PRIMITIVES["trunc"], (x,), x.shape, x.dtype)
    definition = x.builder.definitions[whole]
    assert definition.primitive.around is not None
    edge = definition.primitive.around(definition)
    return out.builder.emit(convert_, (edge,), x.shape, out.dtype, **equation.params)
