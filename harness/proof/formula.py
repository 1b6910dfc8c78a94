"""E against T: is the formula of a gradient program the derivative of its specification?

Both are balls, so where they are disjoint the formula is another function's, and that is proven. Before it
is said, numbers that stand in the code are taken for what they mean, and a forward that is a staircase is
looked at from a distance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from flint import arb

from harness.proof.comparison import Comparison, enclosed, evaluated_as_narrowly
from harness.proof.endings import tolerance
from harness.proof.evidence import Mask, meets
from harness.proof.flat import steps
from harness.proof.materiality import explain, explain_by_others
from harness.proof.nearness import known_to_meet, resolving
from harness.proof.question import Question, ValueRule
from harness.proof.sides import Side
from harness.proof.subdifferential import refutation
from harness.proof.truth import Truth
from harness.subject.derivative import GRADIENT, REVERSE, Array
from harness.subject.names import place_of
from oracles.exact.core.pairs import Pairs, of_balls
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import evaluate_quickly
from oracles.exact.enclose.kinks import limits_along_rays, resolve, slopes_around
from oracles.exact.enclose.literals import literals, replaced
from oracles.exact.enclose.refine import refine
from oracles.exact.enclose.witness import sides_with_rule
from oracles.exact.program.balls import KINKS, LOST, as_balls
from oracles.exact.program.errors import Exhausted, Pole, Undecided
from oracles.exact.program.formats import format_of
from oracles.exact.program.indices import unraveled
from oracles.exact.program.program import SYMMETRIC, Program, Var
from oracles.exact.program.recording import Recording
from oracles.exact.program.units import bounded
from oracles.exact_oracle import BITS

LEFT_OF_ZERO_ULPS = 16  # of the largest input, that a forward which iterates may leave of a slope of 0
LITERAL_BITS = 40  # how far slopes around a kink may differ where literals are balls
SMALL = 1e-2  # a relative error that looks like a constant or an approximation, and not like another formula
ITERATES = 5  # calls of one operation on one line: a loop, or a solver's
LAST_STEP = 4  # ulps that the last iterate's rounding may move a gradient
SOLVES = 20  # likewise: a solver that has converged, and no formula on one line
SHARED = 4  # ulps that an element at a kink is known to
NEAR = 64  # how many roundings of the inputs an iteration may stop short: 1 to 30 seen
SECONDS = 20.0  # for the second witness
NARROW = 2.0**-100  # of the largest true element: no hull
DIGITS = (12, 18, 30)  # as many as tell two numbers apart

SPEC = "pass the function that is meant as spec="
SOLVED = "the formula differs from the specification's by a few ulps alone: a solver's last step is rounded"
ENDED = "the formula differs from the specification's by what its own tolerance"
IGNORES = "the backward does not use its cotangent"
SURROGATE = "if the gradient is meant to be another function's, pass that function as surrogate="


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

    def sides(but: int | None = None) -> Comparison:
        return Comparison(
            Side(program.program, program.values, found, question.given(program.argument, 1, but)),
            Side(
                truth.gradient, truth.inputs, truth.enclosures,
                question.given(truth.argument, 0, but), truth.forward,
            ),
            truth.dtypes, partial(_with_literals, truth), partial(_at_moved, truth), cast=program.cast,
        )  # fmt: skip

    compared = sides()
    try:
        explain(compared, question.resolution)
        derivative = question.derivative
        if len(question.active) > 1 and not (derivative.is_of_results or derivative.in_directions):
            for k, moving in enumerate(truth.wrt):
                explain_by_others(compared, k, partial(sides, truth.argument[moving]), question.resolution)
    except Undecided as reason:
        return Formula(
            None, f"it differs, and whether written digits or rounded data explain that is open: {reason}"
        )
    agrees = compared.agrees
    if all(a.all() for a in agrees):
        return replace(_together(truth, found, agrees), notes=tuple(compared.notes))
    solves = question.value is ValueRule.NEAR and _iterates(program.program, SOLVES)
    if solves and _is_to_its_last_step(truth, found, agrees):
        return Formula(tuple(map(np.ones_like, agrees)), notes=(*compared.notes, SOLVED))
    if question.value is ValueRule.NEAR and (ends := _own_tolerance(truth, program, found, agrees)):
        said = f"{ENDED} of {ends:.2g} leaves"
        return Formula(tuple(map(np.ones_like, agrees)), notes=(*compared.notes, said), tolerance=ends)
    which, element = _furthest(truth, found, agrees)
    rule, true = found[which].ball(element), truth.enclosures[which].ball(element)
    rounds = truth.is_zero and not _iterates(truth.specification)  # then the rule is another function's
    if question.custom and question.value is not ValueRule.FREE and not rounds:
        moving = truth.wrt[which]
        at_distance = sides_with_rule(
            truth.forward, truth.values, truth.cotangents, moving, element, rule, true, SECONDS,
            near=_attained(truth, found, agrees), again=truth.again,
        )  # fmt: skip
        if at_distance:
            return Formula(
                None, "; ".join([at_distance, *([f"{SPEC}, or {SURROGATE}"] if question.is_plain else [])])
            )
    leaps = None
    if len(question.derivative.steps) > 1:
        if promise := _promise(truth.specification):
            return Formula(None, promise)
        if question.derivative.steps[-1] == REVERSE and (leaps := _leaps(truth, agrees)):
            agrees = [agree | own for agree, own in zip(agrees, leaps, strict=True)]
            if all(a.all() for a in agrees):
                name = place_of(truth.names[which], element)
                said = f"the derivative before it jumps at {name}, so there is no further one"
                return Formula(tuple(agrees), said, open=leaps)
            which, element = _furthest(truth, found, agrees)
    said = _accusation(truth, found, agrees, which, element, question.is_plain)
    if question.derivative == GRADIENT and question.linear:
        said = "; ".join(filter(None, [_ignoring(truth, program, found, agrees), said]))
    close = _is_near(found[which], truth.enclosures[which], element) or _is_unresolved(truth, found, agrees)
    iterates = _iterates(truth.specification) or (program.program.guards and _iterates(program.program))
    return Formula(tuple(agrees), said, near=bool(close and iterates), open=leaps)


def _enclosed(truth: Truth, program: Recording, question: Question) -> tuple[list[Enclosure], Recording]:
    """E, and the program that gives it: where a length is 0 it may have bounds instead of no value.

    Raises:
        Undecided: As `refine`.
    """
    try:
        return refine(program.program, program.values, BITS, question.limits, quickly=True), program
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


def _is_near(e: Enclosure, t: Enclosure, element: tuple[int, ...]) -> bool:
    return bool(abs(e.mid[element] - t.mid[element]) < SMALL * abs(t.mid[element]))


def _is_unresolved(truth: Truth, found: Sequence[Enclosure], agrees: Sequence[Mask]) -> bool:
    """Whether the formula differs by no more than a few ulps of the largest number that is given.

    So do second derivatives of a solver that has converged, which are 0 in the limit; and where a bisection
    ends, which fifty halvings tell to 2^-50 of the range, each value that is constant.
    """
    size = max((np.max(np.abs(np.asarray(x, np.float64)), initial=0.0) for x in truth.inputs), default=0.0)
    return all(
        bool(
            (agree | (np.abs(e.mid - t.mid) < LEFT_OF_ZERO_ULPS * format_of(dtype).ulp(np.array(size)))).all()
        )
        for e, t, agree, dtype in zip(found, truth.enclosures, agrees, truth.dtypes, strict=True)
    )


def _leaps(truth: Truth, agrees: Sequence[Mask]) -> tuple[Mask, ...] | None:
    """Where the formula differs, and what is differentiated jumps; None if that is nowhere."""
    found = tuple(
        np.zeros(agree.shape, bool) if e.leaps is None else e.leaps & ~agree
        for e, agree in zip(truth.enclosures, agrees, strict=True)
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


def _iterates(program: Program, times: int = ITERATES) -> bool:
    """Whether one line of the source calls one operation so many times, and at one place more than once.

    A long line calls it at many places, and is no loop.
    """
    calls = {e.origin for e in program.equations if e.origin}
    lines = Counter((c.operation, c.place) for c in calls)
    again = Counter((c.operation, c.place, c.place.offset if c.place else -1) for c in calls)
    repeated = {(operation, line) for (operation, line, _), count in again.items() if count > 1}
    return any(count >= times for line, count in lines.items() if line in repeated)


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


def _with_literals(
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


def _at_moved(
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
    """The derivative by its program with other numbers; at kinks as narrow as T, where it is asked."""
    if any((h.wide & a).any() for h, a in zip(hulls, asked, strict=False)):
        return enclosed(resolve(program, inputs, truth.wrt, [h.balls for h in hulls], bits))
    return list(hulls)


def _attained(truth: Truth, found: Sequence[Enclosure], agrees: Sequence[Mask]) -> bool:
    """Whether the formula is nowhere much further from the truth than rounded inputs move that somewhere."""
    for e, t, attainable, agree in zip(found, truth.enclosures, truth.attainable, agrees, strict=True):
        most = np.max(attainable, where=np.isfinite(attainable), initial=0.0)
        if np.any(~agree & ~(np.abs(e.mid - t.mid) <= NEAR * most)):
            return False
    return True


def _is_to_its_last_step(truth: Truth, found: Sequence[Enclosure], agrees: Sequence[Mask]) -> bool:
    """Whether the formula differs by a few ulps alone, of float32 where the dtype is coarser.

    A solver that has converged is off by the rounding of its last iterate.
    """
    for e, t, dtype, agree in zip(found, truth.enclosures, truth.dtypes, agrees, strict=True):
        room = LAST_STEP * format_of(resolving(dtype)).ulp(t.mid)
        if np.any(~agree & ~(np.abs((e.mid - t.mid) + (e.rest - t.rest)) + e.radius + t.radius <= room)):
            return False
    return True


def _own_tolerance(
    truth: Truth, program: Recording, found: Sequence[Enclosure], agrees: Sequence[Mask]
) -> float:
    """By which tolerance of its own the rule ends, where that explains what it is off; else 0.

    Coarser than half of the digits it is none: a loop over time ends by its numbers, too. How many digits
    that leaves of a small gradient is for its numbers to say.
    """
    ends = tolerance(program) if program.program.guards else 0.0
    room = NEAR * ends * max(1.0, *(float(np.max(np.abs(t.mid), initial=0.0)) for t in truth.enclosures))
    for e, t, dtype, agree in zip(found, truth.enclosures, truth.dtypes, agrees, strict=True):
        off = np.abs((e.mid - t.mid) + (e.rest - t.rest)) + e.radius + t.radius
        if not ends <= 2.0 ** -(format_of(dtype).digits // 2) or np.any(~agree & ~(off <= room)):
            return 0.0
    return ends


def _furthest(
    truth: Truth, found: Sequence[Enclosure], agrees: Sequence[Mask]
) -> tuple[int, tuple[int, ...]]:
    """The input and the element where the formula is furthest off, relative to the largest true element."""
    best, where = -1.0, (0, ())
    for k, (e, t, agree) in enumerate(zip(found, truth.enclosures, agrees, strict=True)):
        if agree.all():
            continue
        size = float(np.max(np.abs(t.mid), initial=0.0)) or 1.0
        with np.errstate(all="ignore"):
            apart = np.abs(e.mid - t.mid) / size
        gap = np.where(agree, -1.0, np.where(np.isnan(apart), np.inf, apart))  # beyond float64 both
        at = unraveled(np.argmax(gap), gap.shape)
        if float(gap[at]) > best:
            best, where = float(gap[at]), (k, at)  # type: ignore[assignment]
    return where


def _accusation(
    truth: Truth,
    found: Sequence[Enclosure],
    agrees: Sequence[Mask],
    which: int,
    element: tuple[int, ...],
    advise: bool,
) -> str:
    e, t = found[which], truth.enclosures[which]
    name = place_of(truth.names[which], element)
    wrong = sum(int((~a).sum()) for a in agrees)
    total = sum(a.size for a in agrees)
    pairs = [(e.shown(element, n), t.shown(element, n)) for n in DIGITS]
    given, true = next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
    said = (
        f"the formula gives {given} at {name}, the derivative is {true}"
        f"{_relative(e.ball(element), t.ball(element))}; {wrong} of {total} elements differ"
    )
    return f"{said}. {_hint(truth, found, which, element, advise)}".rstrip(". ")


def _ignoring(truth: Truth, program: Recording, found: Sequence[Enclosure], agrees: Sequence[Mask]) -> str:
    """Which gradients are computed without the cotangent, in words; "" where none is, or it is always 0."""
    cotangents = {v for v, k in zip(program.program.inputs, program.argument, strict=True) if k == 0}
    names = [
        truth.names[k]
        for k, (e, agree) in enumerate(zip(found, agrees, strict=True))
        if not (agree.all() or e.is_zero or _needed(program.program, k) & cotangents)
    ]
    if not names:
        return ""
    which = f" for {', '.join(names)}" if len(names) < len(truth.names) else ""
    return ignores(which, [c.shape for c in truth.cotangents] == [()])


def ignores(which: str, is_of_a_number: bool) -> str:
    """What a backward does not do for `which` arguments, and what to do; a number's gradient needs none."""
    advice = ", or pass a gradient that needs none as grad=" if is_of_a_number else ""
    return f"{IGNORES}{which}: multiply by it{advice}"


def _needed(program: Program, output: int) -> set[Var]:
    """All values that an output is computed with."""
    needed = {program.outputs[output]}
    for equation in reversed(program.equations):
        if equation.output in needed:
            needed.update(equation.operands)
    return needed


def _relative(rule: arb, true: arb) -> str:
    if true.contains(0) or not rule.is_finite():
        return ""
    return f" (relative error {float(abs((rule - true) / true).mid()):.2g})"


def _hint(
    truth: Truth, found: Sequence[Enclosure], which: int, element: tuple[int, ...], advise: bool
) -> str:
    """What it might be instead, where that can be recognised; and to `advise`, how to say so."""
    number, t = _missing_literal(truth, found), truth.enclosures[which]
    near = _is_near(found[which], t, element)
    told, how = "", ""
    if number:
        told, how = f"It is the derivative of the function without its {number}", SPEC
    elif truth.is_zero and _iterates(truth.specification) and not steps(truth.specification):
        told, how = "The forward is flat here (does it halve an interval between constants?)", SPEC
    elif truth.is_zero:  # a rounded forward, or a spike, whose rule is meant for another function
        told, how = "The forward is flat here (is it rounded, or a step?)", SURROGATE
    elif _is_identity(truth):
        told, how = "The forward is the identity here", SURROGATE
    elif near:
        told, how = "So close, the forward may be an approximation of what is meant", f"then {SPEC}"
    return f"{told}: {how}" if told and advise else told


def _is_identity(truth: Truth) -> bool:
    if len(truth.enclosures) != 1 or len(truth.cotangents) != 1:
        return False
    (true,), (cotangent,) = truth.enclosures, truth.cotangents
    if true.shape != cotangent.shape or true.wide.any():  # a hull of all slopes meets the identity's too
        return False
    if true.pairs and not true.pairs.contains(np.asarray(cotangent, np.float64)).all():
        return False
    return bool(meets(true.balls, as_balls(cotangent)).all())


def _missing_literal(truth: Truth, found: Sequence[Enclosure]) -> str:
    """A number in the specification without which the formula would be right, "" if there is none.

    The numbers below 1/100: what is added to keep a logarithm or a root finite. One in whose place 0 makes a
    kink, as a floor for what is 0, is none: there the formula meets a hull of slopes.
    """
    small = [b for b, _ in literals(truth.gradient) if b.is_exact() and 0 < abs(b) < 0.01]
    for number in {float(b): b for b in small}.values():
        without = replaced(truth.gradient, lambda b, _, n=number: arb(0) if b == n else b)  # type: ignore[misc]
        try:
            other = enclosed(evaluate_quickly(without, truth.inputs, BITS))
        except (Undecided, ZeroDivisionError):
            continue
        told = zip(found, other, truth.enclosures, strict=True)
        if all((known_to_meet(e, w) & (t.wide | ~w.wide)).all() for e, w, t in told):
            return f"{float(number):.6g}"
    return ""
