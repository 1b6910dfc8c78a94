"""What a plan gives, held against Arb: both hold the truth, so their balls meet; or it gives nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.core.pairs import Pairs
from oracles.exact.core.plan import Plan
from oracles.exact.core.rules import rule
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.balls import KINKS
from oracles.exact.program.errors import Turned, Undecided, Unsupported
from oracles.exact.program.program import Program
from tests.oracles.exact.core.operands import BITS
from tests.oracles.exact.core.random_programs import Writer, inputs

STEPS, TURNED = 14, "another branch"


def random_program(seed: int) -> tuple[Program, list[Any], list[Any]] | None:
    """A program, what its plan is given, and a point in that; None where it cannot be recorded."""
    rng = np.random.default_rng(seed)
    try:
        program = Writer(rng).program(int(rng.integers(3, STEPS)))
    except (Undecided, Unsupported):
        return None
    return program, *inputs(rng, program)


def random_programs(count: int) -> Iterator[tuple[int, Program, list[Any], list[Any]]]:
    """Those of so many seeds that can be recorded, each after its seed."""
    for seed in range(count):
        if drawn := random_program(seed):
            yield seed, *drawn


def outcome(plan: Any, given: Sequence[Any]) -> Any:
    """What a plan gives, or that it takes another branch."""
    try:
        return plan.run(given)
    except Turned:
        return TURNED


def held(program: Program, given: Sequence[Any], at: Sequence[Any], bits: int = BITS) -> Counter[str]:
    """How many elements agree, are not known, or are wrong; or why the plan gave nothing.

    What is "wrong": a ball without the truth, a decision that Arb does not make, a value that does not exist.
    """
    with KINKS.collected() as opened:
        found = outcome(Plan(program, rule), given)
    try:
        with KINKS.collected() as kinks:
            truths = evaluate(program, at, bits)
    except Turned:
        return Counter({"undecided" if found in (None, TURNED) else "wrong: decided": 1})
    except Undecided:
        return Counter({"undecided" if found is None else "wrong: decided": 1})
    if found == TURNED:
        return Counter({"wrong: turned": 1})
    if found is None:
        return Counter({"kink" if kinks else "given up": 1})
    if kinks and not opened:
        return Counter({"wrong: a kink": 1})
    said: Counter[str] = Counter()
    for pairs, truth in zip(found, truths, strict=True):
        said += _compared(pairs, truth)
    return said


def assert_alike(quick: Pairs, balls: Any, wider: float = 1.05, narrower: float = 1.05) -> None:
    """Both hold the exact value, and neither is wider than the other by more than that.

    What has no end here has none there; of what has none there more may be known here.
    """
    for one, ball in zip(quick.balls.ravel(), balls.ravel(), strict=True):
        assert one.overlaps(ball)
        if not ball.is_finite():
            continue
        tiny = 2.0**-90 * float(abs(ball.mid())) + 2.0**-1020
        assert float(one.rad()) <= wider * float(ball.rad()) + tiny
        assert float(ball.rad()) <= narrower * float(one.rad()) + tiny


def _compared(pairs: Pairs, truth: Any) -> Counter[str]:
    if pairs.shape != truth.shape:
        return Counter({"wrong: the shape": 1})
    said: Counter[str] = Counter()
    for ball, true in zip(pairs.balls.ravel().tolist(), truth.ravel().tolist(), strict=True):
        true = true if isinstance(true, arb) else arb(int(true))
        if not ball.is_finite():
            said["unknown" if true.is_finite() else "no value"] += 1
        elif not true.is_finite():
            said["wrong: no value"] += 1
        else:
            said["agree" if ball.overlaps(true) else "wrong"] += 1
    return said


def bits_of(found: Any) -> Any:
    """Everything that a run gave, for comparing runs."""
    if found is None or found == TURNED:
        return found
    planes = (a for p in found for a in (p.h, p.l, p.r))
    return [np.where(np.isnan(a), np.nan, a).tobytes() for a in planes]
