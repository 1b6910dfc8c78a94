"""T by its program with other numbers: of literals as balls, of rounded data that are moved.

What explains a difference is asked of the specification, too; where T was told as a limit, or from the
slopes around a kink, so is this.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.proof.comparison import enclosed, evaluated_as_narrowly
from harness.proof.evidence import Mask
from harness.proof.nearness import known_to_meet
from harness.proof.truth import Truth
from harness.subject.derivative import Array
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import evaluate_quickly
from oracles.exact.enclose.kinks import limits_along_rays, resolve, slopes_around
from oracles.exact.enclose.slopes import without_edges
from oracles.exact.program.balls import KINKS, LOST
from oracles.exact.program.errors import Turned
from oracles.exact.program.program import Program
from oracles.exact_oracle import BITS

LITERAL_BITS = 40  # how far slopes around a kink may differ where literals are balls


def with_literals(
    truth: Truth, program: Program, inputs: Sequence[Array], asked: Sequence[Mask]
) -> list[Enclosure]:
    """T by its program with longer literals as balls.

    It contains T: the program says the same with other numbers. Where it does not, the point is isolated and
    the branch that is taken at it says nothing of the slope, which is that of the points around (`refine`).
    """
    with KINKS.collected() as kinks:
        hulls = enclosed(evaluate_quickly(program, inputs, BITS))
    hulls = _at_kinks(truth, program, inputs, hulls, asked if kinks else (), LITERAL_BITS)
    if all(known_to_meet(h, t).all() for h, t in zip(hulls, truth.enclosures, strict=True)):
        return hulls
    balls = [h.balls for h in hulls]
    return enclosed(limits_along_rays(program, inputs, truth.wrt, balls, LITERAL_BITS) or balls)


def at_moved(
    truth: Truth, program: Program, inputs: Sequence[Array], asked: Sequence[Mask]
) -> list[Enclosure]:
    """T by its program with other numbers, told where T is: as a limit, where T is one."""
    with KINKS.collected() as kinks, LOST.collected() as lost:
        hulls = evaluated_as_narrowly(program, inputs, truth.enclosures)
    if lost or any(map(_has_lost, hulls, truth.enclosures)):
        with KINKS.collected():
            return enclosed(slopes_around(program, inputs, truth.wrt, [h.balls for h in hulls], BITS))
    return _at_kinks(truth, program, inputs, hulls, asked if kinks else (), BITS)


def _has_lost(hull: Enclosure, t: Enclosure) -> bool:
    """Whether an element has no value, where T has one."""
    return bool(np.any(np.isfinite(t.radius) & ~np.isfinite(hull.radius)))


def _at_kinks(
    truth: Truth,
    program: Program,
    inputs: Sequence[Array],
    hulls: Sequence[Enclosure],
    asked: Sequence[Mask],
    bits: int,
) -> list[Enclosure]:
    """The derivative by its program with other numbers; at kinks as narrow as T, where it is asked.

    Where other branches are taken beside the point, T is told from these. Then it is the slope of the branch
    that is taken here: it counts where it meets T.
    """
    if not any((h.wide & a).any() for h, a in zip(hulls, asked, strict=False)):
        return list(hulls)
    try:
        return enclosed(resolve(program, inputs, truth.wrt, [h.balls for h in hulls], bits))
    except Turned:
        return enclosed(evaluate_quickly(without_edges(program), inputs, BITS))
