"""One program, compared three ways: truth with differences, the framework with the truth, a mistake with both.

Nothing of what the differences come from is gradproof's: the program's meaning is its `exact` text, run by
NumPy over mpmath's numbers.
"""

from __future__ import annotations

import random
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from harness.exact import exact_gradient
from harness.result import Result
from harness.verdicts import Verdict
from oracles.exact.program.errors import Undecided, Unsupported
from tests.power.check import check
from tests.power.fault import loaded
from tests.programs.changed import changed_columns, jacobian_vjp, mistaken
from tests.programs.draw import Drawn, draw
from tests.programs.meaning import Refused, along, off_in_truth, off_in_value
from tests.programs.numbers import Exact
from tests.programs.program import Program

MODES: dict[str, dict[str, Any]] = {
    "reverse": {}, "forward": {"mode": "forward"}, "order 2": {"order": 2}, "jit": {"jit": True},
}  # fmt: skip

LEAST = 1e-2  # what a gradient is compared with that is 0 but for its rounding
LOST = 8  # bits of a gradient, at least, that is the framework's own mistake
NOISE = 8  # times what the right gradient is off
REFUSING = ("torch refuses", "forward mode needs a jvp")


@dataclass
class Trial:
    """What is found of one program.

    Attributes:
        drawn, mode, seed: The program, which derivative, and what everything was drawn from.
        verdict, reason: On the framework's gradient, or that there is none, and why.
        elements: How many elements of the truth were compared with differences.
        mistake, found: What was changed, and the verdict on that; "" where nothing was.
        failures: What must not be, in words.
        seconds: Of CPU.
    """

    drawn: Drawn
    mode: str
    seed: int
    verdict: str = ""
    reason: str = ""
    elements: int = 0
    mistake: str = ""
    found: str = ""
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0


def trial(framework: str, seed: int, mistakes: bool = True) -> Trial:
    """Draw the program of a seed, and compare; `mistakes`: also with one in its gradient."""
    rng = random.Random(f"{framework} {seed}")
    drawn = draw(framework, rng)
    modes = ["reverse"] * 6 + ["forward", "order 2"] + (["jit"] if framework == "jax" else [])
    mode = rng.choice(modes)
    if drawn.dtype in {"float16", "bfloat16"} and mode == "order 2":
        mode = "reverse"
    if framework == "jax" and "while" in drawn.program.kinds:
        mode = "forward"  # it has no reverse mode
    return compared(drawn, mode, seed, mistakes)


def compared(drawn: Drawn, mode: str, seed: int, mistakes: bool = True) -> Trial:
    """All comparisons of one program."""
    found, start, rng = Trial(drawn, mode, seed), time.process_time(), random.Random(seed)
    with warnings.catch_warnings(), np.errstate(all="ignore"), jax.enable_x64(True):
        warnings.simplefilter("ignore")
        try:
            _compare(found, drawn, mode, rng, mistakes)
        except Refused as why:
            found.verdict, found.reason = "refused", str(why)
        except Exception as problem:
            found.failures.append(f"raised: {type(problem).__name__}: {problem}")
    found.seconds = time.process_time() - start
    return found


def _compare(found: Trial, drawn: Drawn, mode: str, rng: random.Random, mistakes: bool) -> None:
    exact = Exact(drawn.program, drawn.arguments, mode == "forward")
    off = off_in_value(drawn, exact)
    if exact.jumps([along(rng, a.shape) for a in drawn.arguments]):
        found.verdict, found.reason = "jump", "the function itself jumps at this point"
        result = _checked(drawn, drawn.program, mode, []) if drawn.framework != "numpy" else None
        if result is not None and result.passed and "jumps at" not in str(result):
            found.failures.append(f"unseen jump: {result}")
        return
    found.failures += [off] if off else []
    if drawn.framework == "numpy" and mode != "reverse":
        _compare_enclosures(found, drawn, exact, mode)
        return
    columns = exact.jacobian() if drawn.framework == "numpy" else []
    result = _checked(drawn, drawn.program, mode, columns)
    if result.verdict is Verdict.UNSUPPORTED and result.diagnosis.startswith(REFUSING):
        raise Refused(result.diagnosis)
    found.verdict, found.reason = result.verdict.value, result.diagnosis
    if not result.passed and result.verdict is not Verdict.CONVENTION and result.verdict.right:
        found.failures.append(f"not passed: {result}")
    if (
        "jumps at" in str(result) and mode != "order 2"
    ):  # where the derivative may jump, and the value does not
        found.failures.append(f"imagined jump: {result}")
    sight = result.sights[0] if result.sights else None
    if sight is None:
        return
    true = sight.posed.true
    inner = [
        a
        for a, name in zip(sight.posed.inputs, sight.posed.labels, strict=True)
        if name.startswith(("cotangent", "tangent", "direction"))
    ]
    _compare_truth(found, exact, true.enclosures, inner, sight.posed.directions, rng)
    if result.verdict in {Verdict.WRONG, Verdict.MISCOMPUTED}:
        lost = max(part.judgement.bits_lost for part in result.parts if part.judgement)
        if found.failures or lost < LOST:
            found.failures.append(f"accused: {result}")
        else:  # the truth is what mpmath says, and what ran is far off it
            found.verdict, found.reason = "defect", f"of {drawn.framework}: {result}"
    if mistakes and mode in {"reverse", "jit"} and result.verdict.right:
        _compare_mistake(found, drawn, mode, result, columns, rng)


def _checked(drawn: Drawn, program: Program, mode: str, columns: list[list[Any]]) -> Result:
    args = [loaded(drawn.framework, a.copy()) for a in drawn.arguments]
    by_hand = {}
    if columns:
        by_hand["vjp"] = jacobian_vjp(columns, [a.dtype for a in drawn.arguments])
    function = program.function(drawn.framework)
    probes = len(program.steps) % 3 == 0 and not columns
    return check(function, args, framework=drawn.framework, probes=probes, **MODES[mode], **by_hand)


def _compare_enclosures(found: Trial, drawn: Drawn, exact: Exact, mode: str) -> None:
    """NumPy's steps beyond the gradient, which nobody wrote by hand: the truth alone."""
    rng = random.Random(mode)
    shapes = [np.shape(v) for v in exact.values]
    moved = [a.shape for a in drawn.arguments]
    first = [along(rng, s) for s in (moved if mode == "forward" else shapes)]
    second = [along(rng, s) for s in moved]
    given: dict[str, Any] = (
        {"tangents": first} if mode == "forward" else {"cotangent": [tuple(first), tuple(second)]}
    )
    if mode != "forward" and len(first) == 1:
        given = {"cotangent": [first[0], tuple(second) if len(second) > 1 else second[0]]}
    try:
        function = drawn.program.function("numpy")
        true = exact_gradient(
            function, [a.copy() for a in drawn.arguments], digits=18, **MODES[mode], **given
        )
    except (Unsupported, Undecided) as why:
        found.verdict, found.reason = type(why).__name__.lower(), str(why)
        return
    true = true if isinstance(true, tuple) else (true,)
    found.verdict = "truth"
    inner = [] if mode == "forward" else first
    _compare_truth(found, exact, true, inner, first if mode == "forward" else second, rng)


def _compare_truth(found: Trial, exact: Exact, true: Sequence[Any], *directions: Any) -> None:
    off = off_in_truth(exact, found.mode, true, *directions)
    found.elements += 0 if off is None else sum(e.balls.size for e in true)
    if off:
        found.failures.append(off)


def _compare_mistake(
    found: Trial, drawn: Drawn, mode: str, right: Result, columns: list[list[Any]], rng: random.Random
) -> None:
    if columns:
        found.mistake, other = changed_columns(columns, rng)
        program = drawn.program
    else:
        changed = mistaken(drawn.program, drawn.framework, drawn.dtype, rng)
        if changed is None:
            return
        (found.mistake, program), other = changed, columns
    try:
        result = _checked(drawn, program, mode, other)
    except Exception as problem:
        found.found = f"raised {type(problem).__name__}"
        found.failures.append(
            f"raised: {found.mistake}: {type(problem).__name__}: {problem}\n{program.source(drawn.framework)}"
        )
        return
    found.found = result.verdict.value
    legal = result.verdict is Verdict.CONVENTION  # between the slopes of both sides, a mistake does not show
    if result.passed and not legal and _differ(right, result, drawn.dtype):
        found.failures.append(f"missed: {found.mistake}: {result}\n{program.source(drawn.framework)}")
    elif result.passed:
        found.mistake = found.found = ""


def _differ(one: Result, other: Result, dtype: str) -> bool:
    """Whether what ran differs by more than rounding explains."""
    if not other.sights:
        return True
    least = {"float64": 2.0**-14, "float32": 2.0**-12}.get(dtype, 0.25)
    ran = (r.sights[0].seen.gradient.arrays for r in (one, other))
    for a, b, true in zip(*ran, one.sights[0].posed.true.enclosures, strict=True):
        right, changed = np.asarray(a, np.float64), np.asarray(b, np.float64)
        gap = np.max(np.abs(right - changed), initial=0)
        noise = np.max(np.abs(right - true.mid), initial=0)  # of what cancels, a mistake changes no more
        if gap > least * max(float(np.max(np.abs(true.mid), initial=0)), LEAST) + NOISE * noise:
            return True
    return False
