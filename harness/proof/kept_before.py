"""What a function has kept of a point before the check: numbers that do not move, where they should.

An object that keeps its last result, and was asked at the very point that is checked, gives that: to a
record it is a constant, and the function is flat there. So it is asked once more as it is after a run
elsewhere. What is known then counts if the numbers that run are the same, to the bit, as without that run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from harness.proof.observe import Loaded, same
from harness.proof.pulls import Raised, caught, elsewhere, run_both
from harness.proof.question import Answer, Question, UnderTest
from harness.subject.derivative import Array
from harness.subject.state import current
from harness.subject.tested import Tested
from harness.verdicts import Verdict
from oracles.exact.program.program import Program, Var

ASKED_AFTER = (
    "what it had kept of this point before the check is a constant: it was asked after a run elsewhere"
)


def may_hold(found: Answer) -> bool:
    """Whether what was recorded may hold numbers of the point: arrays, or nothing that moves with it."""
    if (sight := found.sight) is None:
        return False
    forward, gradient = sight.posed.forward, sight.examined.recording
    if _is_constant(forward.program, forward.program.inputs):
        return True
    if gradient is None:
        return False
    inputs = [v for v, k in zip(gradient.program.inputs, gradient.argument, strict=False) if k > 0]
    return _is_constant(gradient.program, inputs)


def _is_constant(program: Program, inputs: Sequence[Var]) -> bool:
    arrays = (e for e in program.equations if e.primitive.name == "constant" and e.output.size > 1)
    return not program.moves_with(inputs) or any(e.output.is_float for e in arrays)


def after_a_run_elsewhere(
    question: Question, tested: UnderTest, arrays: Sequence[Array], ask: Callable[[], Answer]
) -> Answer | None:
    """The answer then; None where the function keeps nothing, or that does not help.

    Args:
        question, tested: What is asked, and of what.
        arrays: The point.
        ask: Gives the answer.
    """
    if not isinstance(tested, Tested):
        return None
    own = tested.subject()
    there = elsewhere(question, arrays)
    with current().after(lambda: caught(lambda: run_both(tested, there))) as keeps:
        found = caught(ask) if keeps else None
    if not isinstance(found, Answer) or any(part.verdict is Verdict.UNDECIDED for part in found.parts):
        return None
    if (sight := found.sight) is None:
        return None
    at, seen = Loaded.of(own, sight.posed.inputs, sight.posed.directions), sight.seen
    value = caught(lambda: own.fetch_value(at.value()))
    gradient = caught(lambda: own.fetch_gradient(at.gradient()).arrays)
    if isinstance(value, Raised) or isinstance(gradient, Raised):
        return None
    is_it = same(value, seen.value) and same(gradient, seen.gradient.arrays)
    return replace(found, notes=(*found.notes, ASKED_AFTER)) if is_it else None
