"""What is said of a gradient that is wrong as written, where its function holds constant what moves.

A solver runs under `no_grad`, and a hook or a custom function gives the gradient of what it found: a deep
equilibrium, the statistics of a batch. As written that is wrong. It is not taken for right where it is the
derivative with nothing held constant: so is a wrong factor of 2 in `f(x, x.detach())` of a symmetric f.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from harness.proof.question import Answer, Question
from harness.proof.truth import Posed
from harness.verdicts import RIGHT, Verdict
from oracles.exact.program.errors import ExactError
from oracles.exact.program.held import held
from oracles.exact.program.primitives.arithmetic import no_grad_
from oracles.exact.program.program import Equation


def as_unheld(question: Question, posed: Posed, own: bool, ask: Callable[[Question], Answer]) -> list[str]:
    """That it is right with nothing held constant, or may be meant so, and how to say that.

    Args:
        question, posed: What was asked, and is wrong.
        own: Whether the framework gives the gradient, which follows nothing that is held unless a rule does.
        ask: Asks another question at this point.
    """
    found = held(posed.forward.program)
    if not found or not question.is_plain:
        return []
    specify = question.specify
    whole = replace(question, specify=lambda arrays: specify(arrays).as_released())
    if _is_right(ask, replace(whole, probes=(), thorough=False, blames=False)):
        return [
            f"as written it is wrong, and right if nothing is held constant{_at(found)}: if that is meant, "
            "pass the function without that as spec="
        ]
    without = [e for e in found if e.primitive is no_grad_]
    if not without or not own:
        return []
    return [
        f"what moves is held constant{_at(without)}: if the rule by hand is meant for the derivative of that "
        "too, pass the function without no_grad as spec="
    ]


def _is_right(ask: Callable[[Question], Answer], question: Question) -> bool:
    parts: Sequence[Any] = ()
    with suppress(ExactError):
        parts = [part for part in ask(question).parts if not part.of_value]
    return bool(parts) and all(part.verdict in {*RIGHT, Verdict.IMPRECISE} for part in parts)


def _at(found: Sequence[Equation]) -> str:
    """By what, and on which line: the first that is known."""
    first = next((e for e in found if e.origin and e.origin.place), None)
    if first is None or first.origin is None:
        return " (detach, no_grad, stop_gradient)"
    by = "no_grad" if first.primitive is no_grad_ else "detach or stop_gradient"
    return f" ({by} at {first.origin.place})"
