"""At which of its numbers an index jumps at a point: a whole number made of steps, or of comparisons.

Only there a derivative is written for both sides (see `cells`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Set

import numpy as np

from oracles.exact.enclose.asked import Answer, Question, at_edges, moving_of, questions_of
from oracles.exact.enclose.edges import is_at_an_edge
from oracles.exact.enclose.evaluate import Work
from oracles.exact.enclose.meeting import told_apart
from oracles.exact.program.cells import Jump, Jumps, Turning
from oracles.exact.program.errors import Undecided
from oracles.exact.program.jumping import Number, Places, Whose, is_integer
from oracles.exact.program.primitives.arithmetic import convert_
from oracles.exact.program.primitives.choices import abs_
from oracles.exact.program.primitives.edges import edged_
from oracles.exact.program.program import Array, Program, Var


def look_for_jumps(function: Program, values: Sequence[Array], wrt: Sequence[int], work: Work) -> bool:
    """Say of a function at which of its numbers an index jumps at this point, and whether a branch does."""
    jumps = _jumps(function, values, wrt, work)
    function.write_cells(jumps)
    return jumps is not None and bool(jumps.turning)


def _jumps(function: Program, values: Sequence[Array], wrt: Sequence[int], work: Work) -> Jumps | None:
    if not any(e.operands and is_integer(e.output) for e in function.equations):
        return None  # as of most functions
    moving = moving_of(function, wrt)
    questions = questions_of(function, moving)
    answers = at_edges(function, values, moving, questions) if questions else []
    numbers = [n for n in _numbers(answers) if not _may_jump(n.of, function, values, wrt, work)]
    if not numbers:
        return None
    whose = told_apart(numbers, lambda numbers: _followed(function, moving, numbers))
    each = [number for own in whose.numbers.values() for number in own]
    jumps = tuple(Jump(number.of, number.jump.tobytes(), number.closed) for number in each)
    known = {number.of: number for number in numbers}
    open_ = {answer.question.asked.output for answer in answers if not _is_known(answer, known)}
    asked = [q for q in questions if q.asked.output not in open_]
    turning = tuple(Turning(v, _where(whose.places(v))) for v, _ in function.guards if whose.places(v))
    return Jumps(jumps, frozenset(_seen(function, asked, whose)), turning)


def _may_jump(
    number: Var, function: Program, values: Sequence[Array], wrt: Sequence[int], work: Work
) -> bool:
    """Whether a number is another one beside this point: then it is at its edge on one side alone."""
    alone = Program(function.inputs, function.equations, (number,)).giving(slice(None))
    try:
        return is_at_an_edge(alone, values, wrt, work)
    except Undecided:
        return True


def _where(places: Places) -> bytes:
    return sum(places.values(), np.zeros((), np.int64)).astype(bool).tobytes()


def _numbers(answers: Sequence[Answer]) -> list[Number]:
    """The numbers that are at a jump."""
    found: dict[Var, Number] = {}
    for question, _, edge, places in answers:
        for root, at in places.items():
            if (mine := ~np.isnan(edge) & (at > 0)).any():
                v = root.of
                known = found.get(v, Number(v, np.full(v.shape, np.nan), question.closed))
                known.jump.flat[at[mine] - 1] = edge[mine]
                closed = question.closed if question.closed == known.closed else None
                found[v] = Number(v, known.jump, closed)
    return list(found.values())


def _followed(function: Program, moving: Set[Var], numbers: Sequence[Number]) -> Whose:
    whose = Whose(moving)
    for number in numbers:
        whose.begin(number)
    for e in function.equations:
        whose.add(e, e.output)
    return whose


def _is_known(answer: Answer, numbers: dict[Var, Number]) -> bool:
    """Whether all that are at this edge are so as numbers."""
    found = np.zeros(answer.near.shape, bool)
    for root, at in answer.places.items():
        if root.of in numbers:
            found |= (at > 0) & (numbers[root.of].jump.ravel()[at - 1] == answer.edge)
    return bool(found[answer.near].all())


def _seen(function: Program, asked: Sequence[Question], whose: Whose) -> Iterator[Var]:
    """How far comparisons are from their edges, of those of which nothing is lost on the way."""
    lost = whose.lost.union(v for v, _ in function.guards)
    for e in reversed(function.equations):
        if e.output in lost:
            lost.update(v for v in e.operands if whose.places(v))
    pairs = {q.asked.operands for q in asked}
    pairs -= {e.operands for e in function.equations if e.primitive.comparison and e.output in lost}
    made = {e.output: e for e in function.equations}
    for gap in {v for e in function.equations if e.primitive is edged_ for v in e.operands[1:-1]}:
        way = [gap]
        while (e := made.get(way[-1])) is not None and e.primitive in (convert_, abs_):
            way += e.operands
        if e is not None and e.operands in pairs:
            yield gap
