"""What is said of a formula that differs from the truth: by what, and what it might be instead."""

from __future__ import annotations

import numpy as np
from flint import arb

from harness.proof.apart import Apart, iterates
from harness.proof.comparison import enclosed
from harness.proof.evidence import meets
from harness.proof.flat import steps
from harness.proof.nearness import known_to_meet
from harness.proof.truth import Truth
from harness.subject.names import place_of
from oracles.exact.enclose.evaluate import evaluate_quickly
from oracles.exact.enclose.literals import literals, replaced
from oracles.exact.program.balls import as_balls
from oracles.exact.program.errors import Undecided
from oracles.exact.program.program import Program, Var
from oracles.exact_oracle import BITS

DIGITS = (12, 18, 30)  # as many as tell two numbers apart
LITERAL = 1e-2  # below: what is added to keep a logarithm or a root finite

SPEC = "pass the function that is meant as spec="
SURROGATE = "if the gradient is meant to be another function's, pass that function as surrogate="
IGNORES = "the backward does not use its cotangent"
NEEDS_NONE = "pass a gradient that needs none as grad= (a layer's has dout=1)"


def accusation(apart: Apart, which: int, element: tuple[int, ...], advise: bool) -> str:
    """What the formula gives at an element and what the derivative is; and to `advise`, what to pass."""
    e, t = apart.found[which], apart.truth.enclosures[which]
    name = place_of(apart.truth.names[which], element)
    wrong = sum(int((~a).sum()) for a in apart.agrees)
    total = sum(a.size for a in apart.agrees)
    pairs = [(e.shown(element, n), t.shown(element, n)) for n in DIGITS]
    given, true = next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
    said = (
        f"the formula gives {given} at {name}, the derivative is {true}"
        f"{_relative(e.ball(element), t.ball(element))}; {wrong} of {total} elements differ"
    )
    return f"{said}. {_hint(apart, which, element, advise)}".rstrip(". ")


def ignoring(apart: Apart) -> str:
    """Which gradients are computed without the cotangent, in words; "" where none is, or it is always 0."""
    truth, program = apart.truth, apart.recording.program
    cotangents = {v for v, k in zip(program.inputs, apart.recording.argument, strict=True) if k == 0}
    if any(_needed(program, v) & cotangents for v, _ in program.guards):
        return ""  # a short way for this one, as for 1
    names = [
        truth.names[k]
        for k, (e, agree) in enumerate(zip(apart.found, apart.agrees, strict=True))
        if not (agree.all() or e.is_zero or _needed(program, program.outputs[k]) & cotangents)
    ]
    if not names:
        return ""
    which = f" for {', '.join(names)}" if len(names) < len(truth.names) else ""
    return ignores(which, [c.shape for c in truth.cotangents] == [()])


def ignores(which: str, is_of_a_number: bool) -> str:
    """What a backward does not do for `which` arguments, and what to do; a number's gradient needs none."""
    advice = f", or {NEEDS_NONE}" if is_of_a_number else ""
    return f"{IGNORES}{which}: multiply by it{advice}"


def _needed(program: Program, value: Var) -> set[Var]:
    """All that a value is computed with."""
    needed = {value}
    for equation in reversed(program.equations):
        if equation.output in needed:
            needed.update(equation.operands)
    return needed


def _relative(rule: arb, true: arb) -> str:
    if true.contains(0) or not rule.is_finite():
        return ""
    return f" (relative error {float(abs((rule - true) / true).mid()):.2g})"


def _hint(apart: Apart, which: int, element: tuple[int, ...], advise: bool) -> str:
    """What it might be instead, where that can be recognised; and to `advise`, how to say so."""
    truth = apart.truth
    told, how = "", ""
    if number := _missing_literal(apart):
        told, how = f"It is the derivative of the function without its {number}", SPEC
    elif truth.is_zero and iterates(truth.specification) and not steps(truth.specification):
        told, how = "The forward is flat here (does it halve an interval between constants?)", SPEC
    elif truth.is_zero:  # a rounded forward, or a spike, whose rule is meant for another function
        told, how = "The forward is flat here (is it rounded, or a step?)", SURROGATE
    elif _is_identity(truth):
        told, how = "The forward is the identity here", SURROGATE
    elif apart.is_near(which, element):
        told, how = "So close, the forward may be an approximation of what is meant", f"then {SPEC}"
    return f"{told}: {how}" if told and advise else told


def _is_identity(truth: Truth) -> bool:
    """Whether the derivative gives back its cotangent."""
    if len(truth.enclosures) != 1 or len(truth.cotangents) != 1:
        return False
    (true,), (cotangent,) = truth.enclosures, truth.cotangents
    if true.shape != cotangent.shape or true.wide.any():  # a hull of all slopes meets the identity's too
        return False
    if true.pairs and not true.pairs.contains(np.asarray(cotangent, np.float64)).all():
        return False
    return bool(meets(true.balls, as_balls(cotangent)).all())


def _missing_literal(apart: Apart) -> str:
    """A small number in the specification without which the formula would be right, "" if there is none.

    One in whose place 0 makes a kink, as a floor for what is 0, is none: there the formula meets a hull of
    slopes.
    """
    truth = apart.truth
    small = [b for b, _ in literals(truth.gradient) if b.is_exact() and 0 < abs(b) < LITERAL]
    for number in {float(b): b for b in small}.values():
        without = replaced(truth.gradient, lambda b, _, n=number: arb(0) if b == n else b)  # type: ignore[misc]
        try:
            other = enclosed(evaluate_quickly(without, truth.inputs, BITS))
        except (Undecided, ZeroDivisionError):
            continue
        told = zip(apart.found, other, truth.enclosures, strict=True)
        if all((known_to_meet(e, w) & (t.wide | ~w.wide)).all() for e, w, t in told):
            return f"{float(number):.6g}"
    return ""
