"""How a rule by hand depends on its cotangent: asked from order 2 on, beside the derivative in the inputs.

The first derivative is a function of the inputs and of its cotangent. What the framework derived itself, it
derives again in both. A rule that a person wrote may lose its cotangent, or say something else of it: it
detaches it, computes under no_grad, or has a wrong rule itself. Then the second derivative of the function
alone is right, and that of every function that goes on from its result is wrong. So the derivative is taken
in the cotangent too, as `gradgradcheck` takes it; likewise in the tangent of a forward rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import numpy as np

from harness.answers import answer_beside, shown_away
from harness.inputs.points import near
from harness.proof.faults import faults
from harness.proof.question import Answer, Probe, Question
from harness.proof.sight import GIVEN
from harness.result import Result
from harness.subject.by_hand import WithoutCotangent
from harness.subject.derivative import FORWARD, Derivative, Function
from harness.subject.target import Target
from harness.subject.tested import Tested
from harness.verdicts import Verdict

DIRECTION = "direction"  # the input that a row names
LOST = (
    "the rule's derivative in its cotangent, or tangent, is wrong, so second derivatives through this "
    "function are wrong: look for detach, .data, no_grad, once_differentiable or stop_gradient in the rule, "
    "or for a wrong rule of its own"
)

_asked: ContextVar[bool] = ContextVar("_asked", default=True)


@contextmanager
def in_arguments_alone() -> Iterator[None]:
    """Inside, no derivative is taken in a cotangent: who asks has made arguments of them."""
    token = _asked.set(False)
    try:
        yield
    finally:
        _asked.reset(token)


def asks_in_directions(found: Result, target: Target, derivative: Derivative, rule: Function | None) -> bool:
    """Whether a rule by hand has a part in what was found: `rule`, or one inside the function.

    A gradient of a number takes no cotangent.
    """
    if len(derivative.steps) == 1 or not found.sights or not _asked.get():
        return False
    return not isinstance(rule, WithoutCotangent) and (rule is not None or target.has_rules)


def in_directions(
    question: Question,
    under_test: Callable[[Derivative], Tested],
    target: Target,
    found: Result,
    beside: Sequence[tuple[str, Sequence[Any]]],
) -> Result:
    """What was found, and a row for each cotangent and tangent of the derivatives inside the last one.

    Those of order 2 are asked about at order 3 too, where what is linear shows no more.

    Args:
        question, target, found, beside: What was asked in the inputs, of what, the answer, and the points.
        under_test: Gives a derivative of the target.
    """
    steps, answers = question.derivative.steps, list[Answer]()
    for order in range(2, len(steps) + 1):
        derivative = Derivative(steps[:order], in_directions=True)
        own = replace(
            question, probes=(), derivative=derivative, custom=steps[order - 1] != FORWARD,
            cotangent=question.cotangent and question.cotangent[:order],
        )  # fmt: skip
        tested, which = under_test(derivative), DIRECTION + f" of order {order}" * (order < len(steps))
        here = answer_beside(own, tested, target.arrays, GIVEN)
        decides = tuple(replace(part, remark=False) for part in here.parts)
        each = [replace(here, parts=decides), *(answer_beside(own, tested, at, name) for name, at in beside)]
        if here.hidden and Probe.BESIDE in question.probes:
            each.append(shown_away(own, tested, target, here))
        elif Probe.BESIDE in question.probes and (of_one := _of_one_number(target)):
            at = near(target, of_one, question.seed).arrays
            each.append(Answer(tuple(faults(answer_beside(own, tested, at, Probe.BESIDE)))))
        answers += [_named(one, which) for one in each]
    parts = [part for one in answers for part in one.parts]
    said = [LOST] if any(part.verdict is Verdict.WRONG for part in parts) else []
    return replace(
        found,
        parts=(*found.parts, *parts),
        faults=tuple(dict.fromkeys([*found.faults, *(text for one in answers for text in one.faults)])),
        notes=tuple(dict.fromkeys([*found.notes, *said, *(text for one in answers for text in one.notes)])),
    )


def _of_one_number(target: Target) -> list[int]:
    """What is differentiated and one number throughout: at 0 a rule that lacks 1 - y^2 is right."""
    return [k for k in target.active if target.arrays[k].size and np.ptp(target.arrays[k]) == 0]


def _named(found: Answer, which: str) -> Answer:
    """The answer at a point, without the value's rows, which are known; its rows name the directions."""
    own = (part for part in found.parts if not part.of_value and part.verdict is not Verdict.NONE)
    named = (replace(part, input=which if part.input == GIVEN else f"{part.input}, {which}") for part in own)
    return replace(found, parts=tuple(named))
