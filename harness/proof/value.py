"""Is the value the specification's? Proven like a gradient: E against T, and what was computed against B."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.inputs.arrays import Array
from harness.proof.judge import meets
from harness.verdicts.verdict import Verdict
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.refine import Enclosure, refine
from oracles.exact.program.errors import ExactError
from oracles.exact.program.literals import has_literals, widened
from oracles.exact.program.recording import Recording
from oracles.exact.rounding.bound import MACHINES, bound
from oracles.exact_oracle import BITS, LIMITS


def verdict_on_value(
    true: Enclosure | Array, value: Array, record: Callable[[], Recording], machine: str, dtype: str
) -> tuple[Verdict, str]:
    """Whether a value is another function's than the specification's, or not what its program computes.

    Args:
        true: The true value; an integer is itself.
        value: What was computed.
        record: Records the function as a program.
        machine: How it rounds.
        dtype: What a floating value must be in.
    """
    if not isinstance(true, Enclosure):
        whole = value.dtype.kind in "iub" and np.array_equal(true, value)
        return _said(Verdict.WRONG, "" if whole else f"value: {value} instead of {true}")
    if value.shape != true.shape:
        return Verdict.WRONG, f"value: shape {value.shape} instead of {true.shape}"
    if value.dtype.name != dtype:
        return Verdict.WRONG, f"value: dtype {value.dtype} instead of {dtype}"
    try:
        recording = record()
        (found,) = refine(recording.program, recording.values, BITS, LIMITS)
    except ExactError:
        return (
            Verdict.ACCURATE,
            "",
        )  # nothing is proven of the value; the gradient's own verdict says what is missing
    agrees = meets(found.balls, true.balls)
    if not agrees.all() and has_literals(recording.program):
        (wide,) = evaluate(widened(recording.program), recording.values, BITS)
        agrees |= meets(wide, true.balls)
    if not agrees.all():
        at = tuple(int(i) for i in np.argwhere(~agrees)[0])
        text = f"{found.shown(at)} instead of {true.shown(at)} at {at}"
        return Verdict.WRONG, f"value: another function: {text}"
    balls = bound(recording.program, recording.values, MACHINES[machine]).balls[0]
    pairs = list(zip(balls.ravel().tolist(), value.astype(np.float64).ravel().tolist(), strict=True))
    outside = [not (v == v and (v in ball or not ball.is_finite())) for ball, v in pairs]
    if not any(outside):
        return Verdict.ACCURATE, ""
    k = outside.index(True)
    digits = true.shown(tuple(int(i) for i in np.unravel_index(k, value.shape)))
    text = f"value: {pairs[k][1]!r} where the truth is {digits}, outside what its rounding allows"
    return Verdict.MISCOMPUTED, text


def _said(verdict: Verdict, text: str) -> tuple[Verdict, str]:
    return (verdict, text) if text else (Verdict.ACCURATE, "")
