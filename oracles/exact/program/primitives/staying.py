"""Numbers that stay where they are around a point though inputs move: what a clip gives beyond its bounds.

A step jumps where its operand is a whole number, unless that does not move there: floor(max(x, -2)) is -2
for every x below -2. What is not known to stay may move.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import TypeAlias

import numpy as np

from oracles.exact.program.balls import as_balls
from oracles.exact.program.program import Array, Equation, Primitive, Var

Stays: TypeAlias = Var | bool  # where a value stays, as booleans of its shape; or everywhere, or nowhere

# Each element is made of the operands' elements at its place; these move elements to other places.
ELEMENTWISE = frozenset({
    "add", "sub", "mul", "div", "neg", "abs", "taylor", "scale", "convert", "detach", "no_grad",
    "not", "and", "xor",
})  # fmt: skip
MOVES = frozenset({"broadcast", "reshape", "permute", "concatenate"})


def _surely_larger(x: Array, y: Array) -> Array:
    return np.asarray(as_balls(x) > as_balls(y), bool)


# x > y where that is certain, and so it is around the point; false where it is not
surely_larger = Primitive("surely_larger", _surely_larger, opened=_surely_larger)


def stays(x: Var) -> Stays:
    """Where x is one number around the point that a derivative is taken at; `x` is of its program."""
    known = x.builder.staying
    waiting = [x]
    while waiting:
        v = waiting[-1]
        if v in known:
            waiting.pop()
            continue
        made = v.builder.definitions.get(v)
        if made is None or (v.is_float and v not in v.builder.moving):
            known[v] = v not in v.builder.moving
        elif missing := [w for w in made.operands if w not in known]:
            waiting += missing
        else:
            known[v] = _told(made, [known[w] for w in made.operands])
    return known[x]


def _told(equation: Equation, each: list[Stays]) -> Stays:
    """Where the result stays, by where its operands do."""
    name, out, operands = equation.primitive.name, equation.output, equation.operands
    if all(own is True for own in each):
        return True
    if equation.primitive is surely_larger:
        return out
    if name in RULES:
        return RULES[name](operands, each)
    if equation.primitive.comparison and operands[0].is_float:
        a, b = operands
        return _any(_larger(a, b), _larger(b, a), _all(*each))
    if name in ELEMENTWISE or equation.primitive.comparison:
        return _all(*each)
    if name == "take" and each[0] is not False and each[1] is True:
        return _moved(equation, (_whole(operands[0], each[0]), operands[1]))
    if name in MOVES and any(own is not False for own in each):
        return _moved(equation, tuple(map(_whole, operands, each)))
    return False


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


RULES: dict[str, Callable[[tuple[Var, ...], list[Stays]], Stays]] = {
    "maximum": _of_larger,
    "minimum": _of_smaller,
    "blend": _of_blend,
    "select": _of_choice,
    "or": _of_either,
}


def _whole(v: Var, own: Stays) -> Var:
    return v.builder.constant(np.full(v.shape, own)) if isinstance(own, bool) else own


def _larger(x: Var, y: Var) -> Var:
    return x.builder.elementwise(surely_larger.name, x, y, dtype="bool")


def _all(*each: Stays) -> Stays:
    """Where all of them hold."""
    if False in [own for own in each if isinstance(own, bool)]:
        return False
    return _joined("and", [own for own in each if isinstance(own, Var)], True)


def _any(*each: Stays) -> Stays:
    """Where one of them holds."""
    if True in [own for own in each if isinstance(own, bool)]:
        return True
    return _joined("or", [own for own in each if isinstance(own, Var)], False)


def _joined(name: str, each: list[Var], empty: bool) -> Stays:
    return reduce(lambda x, y: x.builder.elementwise(name, x, y, dtype="bool"), each) if each else empty
