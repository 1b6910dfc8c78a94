"""Whether an index, a whole number that steps as the inputs move, jumps at a point.

Only there a derivative is written for both sides of its jumps (see `cells`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from oracles.exact.core.pairs import Pairs, of_balls
from oracles.exact.enclose.evaluate import evaluate_quickly
from oracles.exact.program.balls import as_balls
from oracles.exact.program.cells import KEEPING, Cells
from oracles.exact.program.errors import Undecided
from oracles.exact.program.primitives.arithmetic import convert_
from oracles.exact.program.primitives.steps import STEPS, round_
from oracles.exact.program.program import Array, Program, Var

BITS = 128
NEAR = 2.0**-90  # of its size, or of 1: no number of a format is so near a jump without being at it


def look_for_jumps(function: Program, values: Sequence[Array], wrt: Sequence[int]) -> None:
    """Say of a function whether an index of it may jump at these numbers of its inputs."""
    function.write_cells(Cells if any(_jump(function, values, wrt)) else None)


def _jump(function: Program, values: Sequence[Array], wrt: Sequence[int]) -> Iterator[bool]:
    steps = _steps(function, wrt)
    if not steps:
        return
    asking = Program(function.inputs, function.equations, tuple(x for x, _ in steps)).giving(slice(None))
    try:
        found = evaluate_quickly(asking, values, BITS)
    except Undecided:
        return
    for one, (_, at) in zip(found, steps, strict=True):
        pairs = one if isinstance(one, Pairs) else of_balls(as_balls(one))
        gap = (pairs.h - (np.floor(pairs.h - at + 0.5) + at)) + pairs.l
        yield bool(np.any(np.abs(gap) - pairs.r <= NEAR * np.maximum(1.0, np.abs(pairs.h))))


def _steps(function: Program, wrt: Sequence[int]) -> list[tuple[Var, float]]:
    """What steps, and makes an integer; and where it jumps, past a whole number."""
    if not any(e.primitive is convert_ and not e.output.is_float for e in function.equations):
        return []
    moving = {function.inputs[i] for i in wrt}
    stepping: dict[Var, dict[Var, float]] = {}
    found: dict[Var, float] = {}
    for e in function.equations:
        own = {x: at for v in e.operands for x, at in stepping.get(v, {}).items()}
        moves = not moving.isdisjoint(e.operands)
        if (
            e.primitive is convert_
            and e.output.dtype not in (e.operands[0].dtype, "bool")
            and not e.output.is_float
        ):
            found |= own or ({e.operands[0]: 0.0} if moves else {})
        elif e.primitive in STEPS and moves:
            stepping[e.output] = {e.operands[0]: 0.5 if e.primitive is round_ else 0.0}
        elif own and not moves and e.output.is_float and e.primitive in KEEPING:
            stepping[e.output] = own
        elif moves and e.output.is_float:
            moving.add(e.output)
    return list(found.items())
