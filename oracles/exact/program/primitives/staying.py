"""Numbers that stay where they are around a point though inputs move: what a clip gives beyond its bounds.

A step jumps where its operand is a whole number, unless that does not move there: floor(max(x, -2)) is -2
for every x below -2. A logarithm has no slope at 0, unless that 0 stays: the sum of a row that is masked
wholly with -inf is 0 whatever the rest is. What is not known to stay may move.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import NamedTuple, TypeAlias

import numpy as np
from flint import arb

from oracles.exact.program.balls import as_balls
from oracles.exact.program.primitives.arrays import constant_value
from oracles.exact.program.program import PRIMITIVES, Array, Equation, Primitive, Var

Stays: TypeAlias = Var | bool  # where a value stays, as booleans of its shape; or everywhere, or nowhere

# Each element is made of the operands' elements at its place; these move elements to other places.
ELEMENTWISE = frozenset({
    "div", "neg", "abs", "taylor", "scale", "convert", "detach", "no_grad",
    "not", "and", "xor",
})  # fmt: skip
MOVES = frozenset({"broadcast", "reshape", "permute", "concatenate"})
REDUCED = frozenset(
    {"reduce_sum", "reduce_max", "reduce_min", "reduce_and", "reduce_or"}
)  # made of whole rows
KEEPS = frozenset({"neg", "convert", "detach", "no_grad", "rough"})  # what is infinite stays so, in its place
JOINED: dict[str, np.ufunc] = {"and": np.logical_and, "or": np.logical_or}
MINUS, PLUS = arb("-inf"), arb("inf")  # as masks are written


class Told(NamedTuple):
    """Of a value: where it stays, and where an infinity that stands in the code is in it."""

    stays: Stays
    infinite: Stays


def _surely_larger(x: Array, y: Array) -> Array:
    return np.asarray(as_balls(x) > as_balls(y), bool)


# x > y where that is certain, and so it is around the point; false where it is not
surely_larger = Primitive("surely_larger", _surely_larger, opened=_surely_larger)


def _surely_equal(x: Array, y: Array) -> Array:
    return np.asarray(as_balls(x) == as_balls(y), bool)


# x = y where both are known to the last digit; false where they are not
surely_equal = Primitive("surely_equal", _surely_equal, opened=_surely_equal)


def stays(x: Var) -> Stays:
    """Where x is one number around the point that a derivative is taken at; `x` is of its program."""
    known: dict[Var, Told] = x.builder.staying
    waiting = [x]
    while waiting:
        v = waiting[-1]
        if v in known:
            waiting.pop()
            continue
        made = v.builder.definitions.get(v)
        if made is None:
            known[v] = Told(v not in v.builder.moving, False)
        elif missing := [w for w in made.operands if w not in known]:
            waiting += missing
        else:
            each = [known[w] for w in made.operands]
            known[v] = Told(_simplest(_told(made, each)), _simplest(_infinite(made, each)))
    return known[x].stays


def stay_equal(x: Var, y: Var) -> Var | None:
    """Where two are one number, known to the last digit, and stay it; None if they do so nowhere."""
    still = _all(stays(x), stays(y))
    if still is False or not x.is_float:
        return None
    equal = x.builder.elementwise(surely_equal.name, x, y, dtype="bool")
    found = _all(still, equal)
    return found if isinstance(found, Var) else None


def is_known(x: Var) -> Var:
    """Where a value is known to the last digit: a step does not jump there."""
    return x.builder.elementwise(surely_equal.name, x, x, dtype="bool")


def _simplest(own: Stays) -> Stays:
    """As one truth value, where that is known."""
    known = own.builder.known(own) if isinstance(own, Var) else None
    return own if known is None or known.any() != known.all() else bool(known.all())


def _told(equation: Equation, told: list[Told]) -> Stays:
    """Where the result stays, by where its operands do."""
    name, out, operands = equation.primitive.name, equation.output, equation.operands
    each = [own.stays for own in told]
    if all(own is True for own in each):
        return True
    if equation.primitive is surely_larger:
        return out
    if name == "nearest":  # but where it jumps, where either will do
        return True
    if equation.primitive.jumps and out.is_float:  # a step stays where it does not jump: it is a hull there
        return is_known(out)
    if name in ("is_nan", "is_infinite"):  # what is finite is so around the point
        return _any(_not(out), *each)
    if name in RULES:
        return RULES[name](operands, each)
    if equation.primitive.comparison and operands[0].is_float:
        a, b = operands
        if a is b:  # as code asks for NaN
            return True
        return _any(_larger(a, b), _larger(b, a), _all(*each))
    if name in ("add", "sub"):  # -inf and any number that is not +inf is -inf
        return _any(
            *(_all(a.stays, a.infinite, _not(b.infinite)) for a, b in (told, told[::-1])),
            _all(*each),
        )
    if name in ELEMENTWISE or equation.primitive.comparison or equation.primitive is surely_equal:
        return _all(*each)
    if name in REDUCED:
        return _of_row(equation, each[0])
    if name == "take" and each[0] is not False and each[1] is True:
        return _moved(equation, (_whole(operands[0], each[0]), operands[1]))
    if name in MOVES and any(own is not False for own in each):
        return _moved(equation, tuple(map(_whole, operands, each)))
    return False


def _infinite(equation: Equation, told: list[Told]) -> Stays:
    """Where an infinity that stands in the code is in the result: moved, chosen, or with a number added."""
    name, out, operands = equation.primitive.name, equation.output, equation.operands
    each = [own.infinite for own in told]
    if not out.is_float:
        return False
    if name == "constant":
        value = np.asarray(equation.params["value"])
        return value.dtype == object and out.builder.constant((value == MINUS) | (value == PLUS))
    if all(own is False for own in each):
        return False
    if name in KEEPS:
        return each[0]
    if name in ("add", "sub"):
        return _any(*each)
    if name == "select":
        x, y = map(_whole, operands[1:], each[1:])
        return x.builder.elementwise("select", operands[0], x, y, dtype="bool")
    if name == "take":
        return _moved(equation, (_whole(operands[0], each[0]), operands[1]))
    return _moved(equation, tuple(map(_whole, operands, each))) if name in MOVES else False


def _moved(equation: Equation, operands: tuple[Var, ...]) -> Var:
    out = equation.output
    return out.builder.emit(equation.primitive, operands, out.shape, "bool", **equation.params)


def _of_larger(operands: tuple[Var, ...], each: list[Stays]) -> Stays:
    (a, b), (a_stays, b_stays) = operands, each
    return _any(_all(_larger(a, b), a_stays), _all(_larger(b, a), b_stays), _all(*each))


def _of_smaller(operands: tuple[Var, ...], each: list[Stays]) -> Stays:
    return _of_larger(operands[::-1], each)


def _of_blend(operands: tuple[Var, ...], each: list[Stays]) -> Stays:
    a, b, _, _ = operands
    return _any(_all(_larger(a, b), each[2]), _all(_larger(b, a), each[3]))


def _of_choice(operands: tuple[Var, ...], each: list[Stays]) -> Stays:
    if each[1] is False and each[2] is False:
        return False
    x, y = map(_whole, operands[1:], each[1:])
    return _all(each[0], x.builder.elementwise("select", operands[0], x, y, dtype="bool"))


def _of_either(operands: tuple[Var, ...], each: list[Stays]) -> Stays:
    true = (_all(v, own) for v, own in zip(operands, each, strict=True))
    return _any(*true, _all(*each))


def _of_product(operands: tuple[Var, ...], each: list[Stays]) -> Stays:
    """A factor that stays 0 is enough."""
    return _any(*map(_stays_zero, operands, each), _all(*each))


def _stays_zero(x: Var, own: Stays) -> Stays:
    if own is False:
        return False
    if own is True:  # of numbers that are given nobody asks, they are rarely 0
        value = constant_value(x)
        return value is not None and value.dtype != object and not value.any()
    return _all(own, x.builder.elementwise(surely_equal.name, x, 0.0, dtype="bool"))


def _of_row(equation: Equation, own: Stays) -> Stays:
    """Where all of a row stay; nowhere, if each row has one that never does."""
    out, axes = equation.output, equation.params["axes"]
    if isinstance(own, bool) or not _at_most(own).all(axis=axes).any():
        return own is True
    return out.builder.emit(PRIMITIVES["reduce_and"], (own,), out.shape, "bool", axes=axes)


def _at_most(own: Var) -> Array:
    """Where it may hold, as far as constants tell: of few masked rows nothing is asked at run time."""
    known: dict[Var, Array] = own.builder.at_most
    waiting = [own]
    while waiting:
        v = waiting[-1]
        made, value = v.builder.definitions.get(v), v.builder.known(v)
        name = made.primitive.name if made else ""
        if made is None or value is not None or name not in JOINED:
            known[v] = np.ones(v.shape, bool) if value is None else value
        elif v not in known:
            if missing := [w for w in made.operands if w not in known]:
                waiting += missing
                continue
            known[v] = np.asarray(JOINED[name](*(known[w] for w in made.operands)))
        waiting.pop()
    return known[own]


RULES: dict[str, Callable[[tuple[Var, ...], list[Stays]], Stays]] = {
    "maximum": _of_larger,
    "minimum": _of_smaller,
    "blend": _of_blend,
    "select": _of_choice,
    "or": _of_either,
    "mul": _of_product,
    "rough": lambda operands, each: each[0],  # the others say how the first is rounded
}


def _whole(v: Var, own: Stays) -> Var:
    return v.builder.constant(np.full(v.shape, own)) if isinstance(own, bool) else own


def _larger(x: Var, y: Var) -> Stays:
    written = constant_value(x)
    if written is not None and written.dtype == object and (written == MINUS).all():
        return False  # than it nothing is smaller
    return x.builder.elementwise(surely_larger.name, x, y, dtype="bool")


def _all(*each: Stays) -> Stays:
    """Where all of them hold."""
    if False in [own for own in each if isinstance(own, bool)]:
        return False
    return _joined("and", [own for own in dict.fromkeys(each) if isinstance(own, Var)], True)


def _not(own: Stays) -> Stays:
    return not own if isinstance(own, bool) else own.builder.elementwise("not", own, dtype="bool")


def _any(*each: Stays) -> Stays:
    """Where one of them holds."""
    if True in [own for own in each if isinstance(own, bool)]:
        return True
    return _joined("or", [own for own in dict.fromkeys(each) if isinstance(own, Var)], False)


def _joined(name: str, each: list[Var], empty: bool) -> Stays:
    return reduce(lambda x, y: x.builder.elementwise(name, x, y, dtype="bool"), each) if each else empty
