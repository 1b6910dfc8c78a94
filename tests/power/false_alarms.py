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
from harness.verdicts import Verdict
from oracles.exact.program.formats import FORMATS
from tests.power import right_jax, right_torch
from tests.power.right import Draw, Right, drawn

FRAMEWORKS = {"torch": right_torch.FUNCTIONS, "jax": right_jax.FUNCTIONS}
DTYPES = tuple(FORMATS)
SEEDS, MANY = 15, 560  # of each function in each dtype: seldom, and where a check takes few milliseconds
QUICK = {
    "F.relu", "F.relu6", "F.rrelu", "F.leaky_relu", "F.prelu", "F.threshold", "F.hardtanh", "F.hardshrink",
    "F.softshrink", "F.tanhshrink", "F.hardsigmoid", "F.hardswish", "F.sigmoid", "F.logsigmoid", "F.tanh",
    "F.silu", "F.mish", "F.elu", "F.selu", "F.softplus", "F.softmax", "F.log_softmax", "F.l1_loss",
    "F.huber_loss", "F.nll_loss", "F.kl_div", "F.soft_margin_loss", "F.multi_margin_loss", "torch.var",
    "torch.amax", "torch.lgamma", "torch.special.entr", "torch.special.erfcx", "torch.special.i1",
    "torch.special.ndtri", "torch.special.log_ndtr", "jax.nn.identity", "jax.nn.hard_tanh",
    "jax.nn.hard_sigmoid", "jax.nn.sigmoid", "jax.nn.leaky_relu", "jnp.clip", "jnp.max", "jnp.power",
}  # fmt: skip
PASSED = "passed"
OPEN = (Verdict.UNDECIDED.value, Verdict.UNSUPPORTED.value)
NO_KERNEL = ("not implemented for", "is not supported")


def cells() -> list[tuple[str, str, str]]:
    """All functions in all dtypes."""
    return [(f, name, dtype) for f, functions in FRAMEWORKS.items() for name in functions for dtype in DTYPES]


def seeds_of(name: str) -> int:
    """How many seeds a function is asked at."""
    return MANY if name in QUICK else SEEDS


def of_cell(framework: str, name: str, dtype: str, seeds: int = 0) -> list[dict[str, Any]]:
    """One function in one dtype at its seeds: a row for each thing that is said; none without a kernel."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    right = FRAMEWORKS[framework][name]
    with warnings.catch_warnings(), np.errstate(all="ignore"), jax.enable_x64(dtype == "float64"):
        warnings.simplefilter("ignore")
        for seed in range(seeds or seeds_of(name)):
            draw = drawn(framework, right, dtype, seed)
            found = asked(right, draw, seed)
            if found is None:
                return []
            said, blame = PASSED if found.passed else found.verdict.value, owner(found)
            row = rows.setdefault(
                (said, blame),
                {
                    "framework": framework, "function": name, "dtype": dtype, "said": said, "blame": blame,
                    "checks": 0, "elements": 0, "example": example(found, draw, seed),
                },
            )  # fmt: skip
            row["checks"] += 1
            row["elements"] += sum(int(np.prod(part.shape)) for part in found.parts if not part.of_value)
    return list(rows.values())


def owner(found: Result) -> str:
    """Whose fault it is that a gradient is not passed; "" where it is, or where that is not known."""
    blamed = [part.blame.owner for part in found.parts if part.blame and part.verdict is found.verdict]
    return "" if found.passed or not blamed else blamed[0]


def asked(right: Right, draw: Draw, seed: int) -> Result | None:
    """What ours says; None where the framework has no kernel for it."""
    try:
        return harness.check_gradient(right.function, draw.args, seed=seed, upstream="fail", **draw.more)
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
