"""How near to its limit a loop has come that ends by its own numbers: `while abs(new - old).max() > 1e-12`.

What such a loop gives is known to its tolerance and no further, in exact arithmetic, too. It is read from the
comparison that ended it, the last of several at one place and the first with another answer: as the loop has
ended, the larger of the two numbers is the tolerance. A loop that gave up has none.
"""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from oracles.exact.enclose.refine import refine
from oracles.exact.program.errors import Undecided
from oracles.exact.program.program import Equation, Program, Var
from oracles.exact.program.recording import Recording
from oracles.exact_oracle import BITS, LIMITS

STEPS = 5  # answers of one kind before the other: a loop, and no `if`
JOINED = frozenset({"and", "or", "not"})


def tolerance(recording: Recording) -> float:
    """The largest tolerance by which a loop in the program ended; 0 where none did by its numbers."""
    program = recording.program
    made = {e.output: e for e in program.equations}
    compared = [c for v in _ends(program, made) for c in _comparisons(v, made)]
    if not compared:
        return 0.0
    asked = Program(program.inputs, program.equations, tuple(v for c in compared for v in c.operands))
    try:
        found = refine(asked.giving(slice(None)), recording.values, BITS, LIMITS, quickly=True)
    except Undecided:
        return 0.0
    return max(float(np.max(np.abs(one.mid), initial=0.0)) for one in found)


def _ends(program: Program, made: dict[Var, Equation]) -> list[Var]:
    """The conditions that ended loops."""
    found, runs = [], defaultdict[object, tuple[bool, int]](lambda: (False, 0))
    for v, expected in program.guards:
        origin = made[v].origin if v in made and expected.size == 1 else None
        if origin is None:
            continue
        answer, place = bool(expected.item()), (origin.operation, origin.place)
        before, count = runs[place]
        if answer != before and count >= STEPS:
            found.append(v)
        runs[place] = answer, count + 1 if answer == before else 1
    return found


def _comparisons(condition: Var, made: dict[Var, Equation]) -> list[Equation]:
    """The comparisons of floating numbers that a condition is made of."""
    equation = made.get(condition)
    if equation is None:
        return []
    if equation.primitive.name in JOINED:
        return [c for v in equation.operands for c in _comparisons(v, made)]
    compared = equation.primitive.comparison
    ordered = compared is not None and compared.larger is not None
    return [equation] if ordered and all(v.is_float for v in equation.operands) else []
