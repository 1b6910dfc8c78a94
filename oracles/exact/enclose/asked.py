"""What is asked of numbers that move, and which are at an edge: neither answer is certain beside them.

`floor(x)`, a cast to integers and `x > 2` ask x on which side of something it is. What matters here ends in
an integer: where a comparison chooses between floats alone, the choice knows both (see `choices`).
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.evaluate import as_pairs, evaluate_quickly
from oracles.exact.program.errors import Undecided
from oracles.exact.program.jumping import COPYING, Number, Places, Whose, asks, is_integer
from oracles.exact.program.primitives.steps import STEPS, ceil, floor, round_
from oracles.exact.program.program import Array, Equation, Program, Var

BITS = 128
CLOSED = {floor: True, ceil: False}  # whether the code takes the upper side at the jump


class Question(NamedTuple):
    """An equation that asks a number on which side it is.

    Attributes:
        asked: The equation.
        of: The number.
        than: What it is compared with; None for a step.
        past: Where a step jumps, past a whole number.
        closed: As of `Number`.
    """

    asked: Equation
    of: Var
    than: Var | None
    past: float
    closed: bool | None


class Answer(NamedTuple):
    """Which elements are at an edge.

    Attributes:
        question: What was asked.
        near: Where they are.
        edge: The edge, where that is a number; NaN elsewhere.
        places: Whose elements these are, which may be copies.
    """

    question: Question
    near: NDArray[np.bool_]
    edge: NDArray[np.float64]
    places: Places


def moving_of(function: Program, wrt: Sequence[int]) -> set[Var]:
    """The floats that move with these inputs."""
    moving = {function.inputs[i] for i in wrt}
    for e in function.equations:
        if e.output.is_float and e.primitive not in STEPS and not moving.isdisjoint(e.operands):
            moving.add(e.output)
    return moving


def questions_of(function: Program, moving: Set[Var]) -> list[Question]:
    """What is asked of numbers that move, and told by an integer."""
    told, found = set[Var](), []
    for e in reversed(function.equations):
        if e.output in moving or not (e.output in told or is_integer(e.output)):
            continue
        told.update(e.operands)
        moves = [v for v in e.operands if v in moving]
        if asks(e, len(moves)):
            found.append(_question(e, moves[0]))
    return found


def at_edges(
    function: Program, values: Sequence[Array], moving: Set[Var], questions: Sequence[Question]
) -> list[Answer]:
    """Those of the questions where some number is at an edge at this point."""
    asked = tuple(dict.fromkeys(v for q in questions for v in (q.of, q.than) if v is not None))
    asking = Program(function.inputs, function.equations, asked).giving(slice(None))
    try:
        found = evaluate_quickly(asking, values, BITS)
    except Undecided:
        return []
    numbers = dict(zip(asked, map(as_pairs, found), strict=True))
    near = [(q, at, edge) for q in questions for at, edge in [_near(q, numbers)] if at.any()]
    if not near:
        return []
    copies = _copies(function, moving, {q.of for q, *_ in near})
    return [Answer(*one, copies.places(one[0].of)) for one in near]


def _question(e: Equation, x: Var) -> Question:
    order, k = e.primitive.comparison, e.operands.index(x)
    if order is None:
        return Question(e, x, None, 0.5 if e.primitive is round_ else 0.0, CLOSED.get(e.primitive))
    return Question(e, x, e.operands[1 - k], 0.0, (order.larger == k) == e.primitive.itself)


def _near(question: Question, numbers: dict[Var, Pairs]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Where a number may be at its edge, and that edge, if it is a number of float64."""
    x = numbers[question.of]
    with np.errstate(invalid="ignore"):
        if question.than is None:
            edge = np.floor(x.h - question.past + 0.5) + question.past
            near = np.abs((x.h - edge) + x.l) <= x.r
        else:
            than = numbers[question.than]
            near = np.abs((x.h - than.h) + (x.l - than.l)) <= x.r + than.r
            edge = np.where((than.l == 0) & (than.r == 0), than.h, np.nan)
    return near, np.where(near, edge, np.nan)


def _copies(function: Program, moving: Set[Var], wanted: Set[Var]) -> Whose:
    """Whose elements these are, which may be copied, moved and spread."""
    waiting, copies = set(wanted), Whose(moving)
    for e in reversed(function.equations):
        if e.output in waiting and e.primitive in COPYING:
            waiting |= moving & set(e.operands)

    def begin(v: Var) -> None:
        copies.begin(Number(v, np.zeros(v.shape), None))

    for v in waiting & set(function.inputs):
        begin(v)
    for e in function.equations:
        if e.output in waiting:
            if e.primitive in COPYING:
                copies.add(e, e.output)
            if e.output not in copies.made:
                begin(e.output)
    return copies
