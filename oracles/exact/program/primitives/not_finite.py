"""What is not finite since code makes it so: 0/0, and what is infinite, as 1/0 and log(0) are.

Arb's NaN says that nothing is known of a number: more bits may give one. So it is not asked. But 0/0 is NaN,
another number over 0 is infinite (IEEE 754, 7.2 and 7.3), and so is a function at its pole (9.2): these are
looked for where code asks for NaN or infinities. A 0 is taken for +0, as counts and distances are: no exact
number is -0.
"""

from __future__ import annotations

import numpy as np

from oracles.exact.program.balls import as_balls
from oracles.exact.program.primitives import comparisons
from oracles.exact.program.primitives.arithmetic import add, div, mul, neg, sub
from oracles.exact.program.primitives.arrays import MOVES, concatenate_, constant_value
from oracles.exact.program.primitives.choices import abs_, either, select, select_
from oracles.exact.program.primitives.missing import SAME, followed, if_any, instead, missing, spread, there
from oracles.exact.program.primitives.predicates import is_infinite, is_nan
from oracles.exact.program.primitives.staying import MINUS, PLUS
from oracles.exact.program.primitives.taylor import ENDS, taylor
from oracles.exact.program.program import Equation, Operand, Primitive, Var

# Infinities, and their signs. What a choice takes is not followed, since it is how code leaves them out; but
# where it leaves out NaN or +inf, -inf is asked about next.
MOVED = (*SAME, *MOVES, concatenate_)
# Where functions are infinite; powers only where they are negative.
RISING = {"reciprocal": (0.0,), "rsqrt": (0.0,), "power": (0.0,), "real_power": (0.0,)}
FALLING = {name: (end,) for name, end in ENDS.items()}
POLES = {**RISING, **FALLING, "atanh": (-1.0, 1.0), "erfinv": (-1.0, 1.0)}

Mask = Var | None  # None: nowhere


def void(x: Var) -> Mask:
    """Where x is NaN since it is made of 0/0, inf/inf, 0 inf or inf - inf; None if of none of them."""

    def found(made: Equation, each: list[Mask]) -> Mask:
        if made.primitive is select_ and (left := _leaves_out(made)):
            return _any(_both(made.operands[0], each[1]), None if left == "NaN" else each[2])
        own = [spread(made, each)]
        if made.primitive is div:
            over, under = made.operands
            own.append(_both(_is_zero(under), _is_zero(over)))
            own.append(_both(pole(over), pole(under)))
        elif made.primitive is mul:
            own += [_both(pole(v), _is_zero(w)) for v, w in _pairs(made) if pole(v) is not None]
        elif made.primitive in (add, sub) and (ends := _both(*map(pole, made.operands))) is not None:
            own.append(_both(ends, _not(_are_one_way(made))))
        return _any(*own)

    return followed(x, x.builder.void, found)


def pole(x: Var) -> Mask:
    """Where x is infinite since it is made of a number over 0, or of a function at its pole; else None."""

    def found(made: Equation, each: list[Mask]) -> Mask:
        primitive = made.primitive
        if primitive is div:
            over, under = made.operands
            zero = _is_zero(under)
            return _any(None if zero is None else _and(zero, _compared("ne", over, 0.0)), _without(*each))
        if primitive is taylor:
            return _at_pole(made)
        if primitive is mul:
            ends = [(end, w) for v, w in _pairs(made) if (end := pole(v)) is not None]
            return _any(*(_and(end, _compared("ne", w, 0.0)) for end, w in ends))
        if primitive in (add, sub):
            one, other = each
            if one is None or other is None:
                return _any(one, other)
            return _any(
                _without(one, other), _without(other, one), _and(_and(one, other), _are_one_way(made))
            )
        if primitive is select_:
            return _left(made, each)
        return spread(made, each) if primitive in (*MOVED, neg, abs_) else None

    return followed(x, x.builder.poles, found)


def _left(made: Equation, each: list[Mask]) -> Mask:
    """Where what a choice takes is infinite, if it is one that leaves out NaN, or +inf, or is known."""
    which, _, value = made.operands
    if which.builder.known(which) is not None:
        return _chosen(which, each)
    if (left := _leaves_out(made)) not in ("NaN", "+inf"):
        return None
    return _any(_both(which, each[1]), each[2] if left == "NaN" else _without(each[2], up(value)))


def _chosen(which: Var, each: list[Mask]) -> Mask:
    """What holds of what a choice takes, by what holds of its two values."""
    return _any(_both(which, each[1]), _without(each[2], which))


def _leaves_out(made: Equation) -> str:
    """What of its last value a choice leaves out: "NaN", or infinities; "" of all other choices."""
    what, of = made.output.builder.leaving.get(made.operands[0], ("", None))
    return what if of is made.operands[2] else ""


def _leaving(question: Var, what: str, x: Var) -> Var:
    question.builder.leaving[question] = what, x
    return question


def _at_pole(made: Equation) -> Mask:
    x, function = made.operands[0], made.params["function"]
    if made.params["order"] or function not in POLES:
        return None
    at = _any(*(_compared("eq", x, end) for end in POLES[function]))
    return _both(at, comparisons.compare("lt", made.operands[1], 0)) if "power" in function else at


def up(x: Var) -> Mask:
    """Where x is +inf, of what is infinite; None if nothing is."""

    def found(made: Equation, each: list[Mask]) -> Mask:
        primitive, out = made.primitive, made.output
        if pole(out) is None:
            return None
        if primitive is taylor:
            function = made.params["function"]
            if function in RISING or function in FALLING:
                return out.builder.constant(np.full(out.shape, function in RISING))
            return _compared("gt", made.operands[0], 0.0)
        if primitive in (div, mul):
            return _are_alike(*(_compared("lt", v, 0.0) for v in made.operands))
        if primitive is abs_:
            return out.builder.constant(np.ones(out.shape, bool))
        if primitive in (add, sub):
            one, other = each
            if one is None or other is None:
                return one if one is not None else other if primitive is add or other is None else _not(other)
            at = pole(made.operands[0])
            return _any(_both(at, one), _without(other if primitive is add else _not(other), at))
        if primitive is select_:
            return _chosen(made.operands[0], each)
        return _not(each[0]) if primitive is neg and each[0] is not None else spread(made, each)

    return followed(x, x.builder.ups, found)


def _are_one_way(made: Equation) -> Var:
    """Whether two infinities of a sum or a difference are one of the same sign there."""
    one, other = (_compared("gt", v, 0.0) for v in made.operands)
    return _are_alike(one, other if made.primitive is add else _not(other))


def _is_zero(x: Var) -> Mask:
    """Where x is 0; None if it is a number of the code, and none is."""
    known = constant_value(x)
    if known is not None and not any(b.contains(0) for b in as_balls(known).ravel().tolist()):
        return None
    return _compared("eq", x, 0.0)


def _pairs(made: Equation) -> list[tuple[Var, Var]]:
    one, other = made.operands
    return [(one, other), (other, one)]


def _compared(name: str, x: Var, y: float) -> Var:
    """A comparison with a number, of which no infinity is larger."""
    if (at := pole(x)) is not None and (high := _both(at, up(x))) is not None:
        x = instead(instead(x, at, -2.0), high, 2.0)
    return comparisons.compare(name, x, y)


def _both(p: Mask, q: Mask) -> Mask:
    return None if p is None or q is None else _and(p, q)


def _and(p: Var, q: Var) -> Var:
    return p.builder.elementwise("and", p, q, dtype="bool")


def _are_alike(p: Var, q: Var) -> Var:
    """Whether both hold or neither, as a choice knows its comparisons."""
    return either([_and(p, q), _and(_not(p), _not(q))])


def _without(p: Mask, q: Mask) -> Mask:
    return p if p is None or q is None else _and(p, _not(q))


def _any(*masks: Mask) -> Mask:
    some = [mask for mask in masks if mask is not None]
    return if_any(either(some)) if some else None


def _not(p: Var) -> Var:
    return p.builder.elementwise("not", p, dtype="bool")


# -- what code asks ---------------------------------------------------------------------------------------


def _gone(x: Var) -> tuple[Mask, Mask, Var]:
    """Where x is NaN, and where it is infinite, as far as that is known; and x, with 0 for these."""
    nowhere = _any(missing(x), void(x))
    infinite = _without(pole(x), nowhere)
    gone = _any(nowhere, infinite)
    return nowhere, infinite, x if gone is None else instead(x, gone, 0.0)


def asked(kind: Primitive, x: Var) -> Var:
    """Whether x is NaN, or infinite: of what is missing and of what is made so that is known."""
    nowhere, infinite, numbers = _gone(x)
    known, found = nowhere if kind is is_nan else infinite, x.builder.emit(kind, (numbers,), x.shape, "bool")
    found = found if known is None else either([known, found])
    return _leaving(found, "NaN", x) if kind is is_nan else found


def is_signed(x: Var, sign: int) -> Var:
    """Whether x is the infinity of this sign."""
    _, infinite, numbers = _gone(x)
    found = x.builder.emit(is_infinite, (numbers,), x.shape, "bool")
    elsewhere = -float(sign)  # and not 0, where the comparison would be at its edge
    side = comparisons.compare("gt" if sign > 0 else "lt", select(found, numbers, elsewhere), 0.0)
    own, high = _and(found, side), up(x)
    if infinite is None or high is None:
        return own
    found = either([own, _and(infinite, high if sign > 0 else _not(high))])
    return _leaving(found, "+inf" if sign > 0 else "-inf", x)


def is_finite(x: Var) -> Var:
    """Whether x is a number."""
    return _not(either([asked(is_nan, x), asked(is_infinite, x)]))


def compare(name: str, x: Operand, y: Operand) -> Var:
    """x < y and its kin, as booleans: what is missing is another number, and neither larger nor smaller."""
    if name in ("eq", "ne") and isinstance(x, Var) and (sign := _infinity(y)) and pole(x) is not None:
        found = is_signed(x, sign)
        return found if name == "eq" else _not(found)
    some = _any(*(missing(v) for v in (x, y) if isinstance(v, Var)))
    if x is y and isinstance(x, Var):  # so code asks for NaN
        some = _any(some, void(x))
        if some is not None or pole(x) is not None:
            itself = x.builder.constant(np.full(x.shape, name in ("eq", "le", "ge")))
            answer = _unless(some, itself, name)
            return _leaving(answer, "NaN", x) if name == "ne" else answer
    if some is not None:
        x, y = (there(v) if isinstance(v, Var) else v for v in (x, y))
    return _unless(some, comparisons.compare(name, x, y), name)


def _unless(missing: Mask, answer: Var, name: str) -> Var:
    """The answer of a comparison, where nothing is missing."""
    if missing is None:
        return answer
    return either([missing, answer]) if name == "ne" else _and(_not(missing), answer)


def _infinity(y: Operand) -> int:
    """The sign of an infinity that stands in the code; 0 of all else."""
    numbers = constant_value(y) if isinstance(y, Var) else np.asarray(y)
    balls = [] if numbers is None or numbers.dtype.kind in "biu" else as_balls(numbers).ravel().tolist()
    return next((s for s, end in ((1, PLUS), (-1, MINUS)) if balls and all(b == end for b in balls)), 0)
