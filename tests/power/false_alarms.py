"""No false alarm: right gradients at random arguments, and what is said of them.

Whatever is not passed is a bug of ours or a defect that `known_alarms` has.
"""

from __future__ import annotations

import warnings
from typing import Any

import jax
import numpy as np

import harness
from harness.result import Result
from harness.verdict import Verdict
from tests.power import right_jax, right_torch
from tests.power.right import Draw, drawn

FRAMEWORKS = {"torch": right_torch.FUNCTIONS, "jax": right_jax.FUNCTIONS}
DTYPES = ("float64", "float32", "float16", "bfloat16")
SEEDS = 15  # of each function in each dtype
PASSED = "passed"
OPEN = (Verdict.UNDECIDED.value, Verdict.UNSUPPORTED.value)
NO_KERNEL = ("not implemented for", "is not supported")


def cells() -> list[tuple[str, str, str]]:
    """All functions in all dtypes."""
    return [(f, name, dtype) for f, functions in FRAMEWORKS.items() for name in functions for dtype in DTYPES]


def of_cell(framework: str, name: str, dtype: str, seeds: range = range(SEEDS)) -> list[dict[str, Any]]:
    """One function in one dtype at each seed: a row for each thing that is said; none without a kernel."""
    rows: dict[str, dict[str, Any]] = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"), jax.enable_x64(dtype == "float64"):
        warnings.simplefilter("ignore")
        for seed in seeds:
            draw = drawn(framework, FRAMEWORKS[framework][name], dtype, seed)
            found = asked(draw, seed)
            if found is None:
                return []
            said = PASSED if found.passed else found.verdict.value
            row = rows.setdefault(
                said,
                {
                    "framework": framework, "function": name, "dtype": dtype, "said": said,
                    "checks": 0, "elements": 0, "example": example(found, draw, seed),
                },
            )  # fmt: skip
            row["checks"] += 1
            row["elements"] += sum(int(np.prod(part.shape)) for part in found.parts)
    return list(rows.values())


def asked(draw: Draw, seed: int) -> Result | None:
    """What ours says; None where the framework has no kernel for it."""
    try:
        return harness.check_gradient(draw.function, draw.args, seed=seed, **draw.more)
    except (NotImplementedError, TypeError) as reason:
        if any(text in str(reason) for text in NO_KERNEL):
            return None
        raise


def example(found: Result, draw: Draw, seed: int) -> str:
    """Which draw it was, and its worst element."""
    if found.passed:
        return ""
    worst = found.worst
    told = f"{worst.where} is {worst.computed!r}, true {worst.true_digits}" if worst else found.diagnosis
    return f"seed {seed}, {draw.said}: {told}"
