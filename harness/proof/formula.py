"""E against T: is the formula of a gradient program the derivative of its specification?

Both are balls, so where they are disjoint the formula is another function's, and that is proven. Before it
is said, numbers that stand in the code are taken for what they mean, and a forward that is a staircase is
looked at from a distance.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from harness.proof.accusation import SPEC, SURROGATE, accusation, ignoring
from harness.proof.apart import Apart, iterates
from harness.proof.comparison import Comparison
from harness.proof.evidence import Mask
from harness.proof.materiality import explain, explain_by_others
from harness.proof.question import Question, ValueRule
from harness.proof.remembered import refined
from harness.proof.sides import Side
from harness.proof.subdifferential import refutation
from harness.proof.truth import Truth
from harness.proof.truth_again import at_moved, with_literals
from harness.subject.derivative import GRADIENT, REVERSE
from harness.subject.names import place_of
from oracles.exact.core.pairs import Pairs, of_balls
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.refine import refine
from oracles.exact.enclose.witness import sides_with_rule
from oracles.exact.program.errors import Exhausted, Pole, Undecided
from oracles.exact.program.formats import format_of
from oracles.exact.program.program import SYMMETRIC, Program
from oracles.exact.program.recording import Recording
from oracles.exact.program.units import bounded
from oracles.exact_oracle import BITS

SOLVES = 20  # calls of one operation on one line: a solver that has converged, and no formula on one line
SHARED = 4  # ulps that an element at a kink is known to
SECONDS = 20.0  # for the second witness
NARROW = 2.0**-100  # of the largest true element: no hull

SOLVED = "the formula differs from the specification's by a few ulps alone: a solver's last step is rounded"
ENDED = "the formula differs from the specification's by what its own tolerance"
OPEN = (
    "the formula differs a little, and the last digits of the numbers that stand in the code may explain "
    "that: a comparison hangs on them at this point"
)


@dataclass(frozen=True, slots=True)
class Formula:
    """What E says.

    Attributes:
        agrees: Per differentiated input and element, whether E meets T; None where E is not known.
        reason: Why it is not known, or why it disagrees.
        notes: By how much it differs where that does not matter, and why it does not.
        near: Whether it disagrees by little, and one of the two iterates: a forward may approximate what is
            meant (a solver with few steps), and the rule know better; a rule that ends by its numbers solves
            to a tolerance.
        open: Where nothing can be said of an element, though of others: what it is the derivative of jumps.
        tolerance: By which the rule itself ends, where what that leaves is all that it is off; else 0.
    """

    agrees: tuple[Mask, ...] | None
    reason: str = ""
    notes: tuple[str, ...] = ()
    near: bool = False
    open: tuple[Mask, ...] | None = None
    tolerance: float = 0.0

    @property
    def is_right(self) -> bool:
        """Whether E meets T everywhere."""
        return self.agrees is not None and all(a.all() for a in self.agrees)


def compare(truth: Truth, program: Recording, question: Question) -> Formula:
    """Whether a recorded gradient program gives the truth, element by element.

    Args:
        truth: The truth; only inputs for which the program has an output are in it.
        program: The program under test, its inputs' numbers included.
        question: Which derivative it is, and how exactly.

    Raises:
        Undecided: The program has no value in exact arithmetic, to any precision within the limits.
    """
    found, program = _enclosed(truth, program, question)
    sides = partial(_sides, truth, program, found, question)
    compared = sides()
    try:
        _explain(compared, sides, truth, question)
    except Undecided as reason:
        said = f"{OPEN}: {reason}"
        apart = Apart(truth, program, found, compared.agrees)
        return _of_a_solver(apart, question, compared.notes) or Formula(None, said)
    apart = Apart(truth, program, found, compared.agrees)
    if all(a.all() for a in apart.agrees):
        return replace(_together(truth, found, apart.agrees), notes=tuple(compared.notes))
    return (
        _of_a_solver(apart, question, compared.notes)
        or _at_a_distance(apart, question)
        or _differing(apart, question)
    )


def _enclosed(truth: Truth, program: Recording, question: Question) -> tuple[list[Enclosure], Recording]:
    """E, and the program that gives it: where a length is 0 it may have bounds instead of no value.

    Raises:
        Undecided: As `refine`.
    """
    try:
        return refined(program.program, program.values, question.limits), program
    except Undecided as reason:
        within = None if isinstance(reason, (Exhausted, Pole)) else bounded(program.program)
        if within is None:
            raise
        found = refine(within, program.values, BITS, question.limits)
        if any(map(_is_wider_than_truth, found, truth.enclosures)):
            raise
        return found, replace(program, program=within)


def _is_wider_than_truth(e: Enclosure, t: Enclosure) -> bool:
    """Whether there is an element of which E says less than T."""
    size = float(np.max(np.abs(t.mid), initial=0.0)) or 1.0
    return bool(np.any(~t.wide & ~(e.radius <= NARROW * size)))


def _sides(
    truth: Truth, program: Recording, found: Sequence[Enclosure], question: Question, but: int | None = None
) -> Comparison:
    """The two, to be compared; numbers of the argument `but` are none that stand for others."""
    return Comparison(
        Side(program.program, program.values, found, question.given(program.argument, 1, but)),
        Side(
            truth.gradient, truth.inputs, truth.enclosures,
            question.given(truth.argument, 0, but), truth.forward,
        ),
        truth.dtypes, partial(with_literals, truth), partial(at_moved, truth), cast=program.cast,
        attainable=truth.attainable,
    )  # fmt: skip


def _explain(
    compared: Comparison, sides: Callable[[int], Comparison], truth: Truth, question: Question
) -> None:
    """What written digits, rounded data and other arguments explain counts as agreed.

    Raises:
        Undecided: Whether they explain it is open.
    """
    explain(compared, question.resolution)
    derivative = question.derivative
    if len(question.active) > 1 and not (derivative.is_of_results or derivative.in_directions):
        for k, moving in enumerate(truth.wrt):
            explain_by_others(compared, k, partial(sides, truth.argument[moving]), question.resolution)


def _together(truth: Truth, found: Sequence[Enclosure], agrees: Sequence[Mask]) -> Formula:
    """Each element is legal; at kinks they must be so together: of a tied maximum one share for all.

    Shares are rounded numbers: three times 1/3 is not 1. And each may be a sum of a few that are.
    """
    said = ""
    if truth.along is not None:
        ulps = [format_of(d).ulp(e.mid) for e, d in zip(found, truth.dtypes, strict=True)]
        pairs = [e.pairs or of_balls(e.balls) for e in found]
        known = [Pairs(x.h, x.l, x.r + SHARED * u) for x, u in zip(pairs, ulps, strict=True)]
        said = refutation(truth.along, truth.enclosures, known)
    if not said:
        return Formula(tuple(agrees))
    off_kinks = tuple(a & ~t.wide for a, t in zip(agrees, truth.enclosures, strict=True))
    return Formula(off_kinks, said)


def _of_a_solver(apart: Apart, question: Question, notes: Sequence[str]) -> Formula | None:
    """Beside what spec= names, a solver's rule may be off by its last step, or by its own tolerance."""
    if question.value is not ValueRule.NEAR:
        return None
    agrees = tuple(map(np.ones_like, apart.agrees))
    if iterates(apart.recording.program, SOLVES) and apart.is_to_its_last_step:
        return Formula(agrees, notes=(*notes, SOLVED))
    if ends := apart.own_tolerance():
        return Formula(agrees, notes=(*notes, f"{ENDED} of {ends:.2g} leaves"), tolerance=ends)
    return None


def _at_a_distance(apart: Apart, question: Question) -> Formula | None:
    """A custom rule may be right from a distance, where the forward is a staircase; None where it is not."""
    truth = apart.truth
    rounds = truth.is_zero and not iterates(truth.specification)  # then the rule is another function's
    if not question.custom or question.value is ValueRule.FREE or rounds:
        return None
    which, element = apart.furthest
    rule, true = apart.found[which].ball(element), truth.enclosures[which].ball(element)
    said = sides_with_rule(
        truth.forward, truth.values, truth.cotangents, truth.wrt[which], element, rule, true, SECONDS,
        near=apart.is_attained, again=truth.again,
    )  # fmt: skip
    advice = [f"{SPEC}, or {SURROGATE}"] if question.is_plain else []
    return Formula(None, "; ".join([said, *advice])) if said else None


def _differing(apart: Apart, question: Question) -> Formula:
    """It is another formula, but for what beyond the first order has no derivative."""
    truth, leaps = apart.truth, None
    if len(question.derivative.steps) > 1:
        if promise := _promise(truth.specification):
            return Formula(None, promise)
        if question.derivative.steps[-1] == REVERSE and (leaps := _leaps(apart)):
            which, element = apart.furthest
            apart = apart.but(leaps)
            if all(a.all() for a in apart.agrees):
                name = place_of(truth.names[which], element)
                said = f"the derivative before it jumps at {name}, so there is no further one"
                return Formula(tuple(apart.agrees), said, open=leaps)
    which, element = apart.furthest
    said = accusation(apart, which, element, question.is_plain)
    if question.derivative == GRADIENT and question.linear:
        said = "; ".join(filter(None, [ignoring(apart), said]))
    near = (apart.is_near(which, element) or apart.is_unresolved) and apart.iterates
    return Formula(tuple(apart.agrees), said, near=near, open=leaps)


def _leaps(apart: Apart) -> tuple[Mask, ...] | None:
    """Where the formula differs, and what is differentiated jumps; None if that is nowhere."""
    found = tuple(
        np.zeros(agree.shape, bool) if e.leaps is None else e.leaps & ~agree
        for e, agree in zip(apart.truth.enclosures, apart.agrees, strict=True)
    )
    return found if any(leaps.any() for leaps in found) else None


def _promise(specification: Program) -> str:
    """What the code promises of its operands, and derivatives beyond the first do not keep to; or ""."""
    for origin in {e.origin for e in specification.equations if e.origin}:
        if origin.operation.endswith(SYMMETRIC):
            at = f" (at {origin.place})" if origin.place else ""
            return (
                f"the gradient of {origin.operation}{at} relies on a symmetric operator, and a further "
                "derivative moves it off the symmetric ones: there the two differ"
            )
    return ""
