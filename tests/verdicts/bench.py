"""What a verdict costs, and what each checker lets through: run with `make bench`.

Full verdicts (T, a, E, B, C in one dtype, after tracing) beside torch's gradcheck, slow and fast, and JAX's
check_grads, on the same right and wrong backward passes. Fails where a limit is passed or ours lets one
through.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from time import perf_counter
from typing import Any

import jax
import numpy as np
import pandas as pd
import torch
from jax.test_util import check_grads

from harness.cases import catalogue
from harness.proof.judge import worst_argument
from harness.proof.program import examine_program, verdicts
from harness.proof.truth import LIMITS as EXACT_LIMITS
from harness.proof.truth import Truth, true_gradient
from harness.verdicts import Verdict
from oracles.exact.rounding.bound import ROUNDING_MODELS
from oracles.frameworks.framework import framework
from tests.verdicts import mutants_jax, mutants_torch
from tests.verdicts.corpus import FUNCTIONS, PAIRS, SHAPES, draw, gradient, to_jax, to_torch

LIMITS = {(4, 8): 0.5, (32, 64): 0.5, (256, 1024): 20.0}
FLAGSHIP_LIMIT_S = 5.0
SLOW_UP_TO = (4, 8)  # gradcheck's Jacobian: 11 s a check at (32, 64), 550 GB at (256, 1024)
MODULES: dict[str, Any] = {"torch": mutants_torch, "jax": mutants_jax}


def ours(name: str, function: Any, x: Any, cotangent: Any, truth: Truth | None) -> tuple[Any, Truth, float]:
    """The verdict, the truth (taken as given if there is one), and the seconds after tracing."""
    own = framework(name)
    recording = own.record(function, [x], differentiate=True)
    program = own.record(own.pullback(function, (0,)), [cotangent, x], differentiate=False)
    gradient(name, function, x, cotangent)  # compile what is compiled
    start = perf_counter()
    true = truth or true_gradient(recording, [cotangent], [0], ["x"])
    examined = examine_program(true, program, ROUNDING_MODELS[name], EXACT_LIMITS)
    found = worst_argument(verdicts(true, examined, [gradient(name, function, x, cotangent)]))
    return found.verdict, true, perf_counter() - start


def gradcheck(fast: bool) -> Callable[[Any, Any], bool]:
    def check(function: Any, x: Any) -> bool:
        leaf = to_torch(x).requires_grad_()
        return bool(torch.autograd.gradcheck(function, leaf, fast_mode=fast, raise_exception=False))

    return check


def jax_check(function: Any, x: Any) -> bool:
    with jax.enable_x64(x.dtype == np.float64):
        try:
            check_grads(function, (to_jax(x),), order=1, modes=["rev"])
        except AssertionError:
            return False
    return True


OTHERS: dict[str, tuple[str, str, Callable[[Any, Any], bool]]] = {
    "torch gradcheck, slow": ("torch", "float64", gradcheck(fast=False)),
    "torch gradcheck, fast": ("torch", "float64", gradcheck(fast=True)),
    "jax check_grads, float64": ("jax", "float64", jax_check),
    "jax check_grads, float32": ("jax", "float32", jax_check),
}


def our_row(framework: str, dtype: str, shape: tuple[int, int]) -> dict[str, Any]:
    x, cotangent = draw(shape, dtype, 0)
    times, alarms, through = {}, 0, 0
    truths = {}
    for name in FUNCTIONS:
        kind, truths[name], times[name] = ours(framework, MODULES[framework].RIGHT[name], x, cotangent, None)
        alarms += kind is not Verdict.ACCURATE
    for pair in PAIRS:
        kind, _, _ = ours(framework, MODULES[framework].MUTANTS[pair], x, cotangent, truths[pair[0]])
        through += kind is not Verdict.WRONG
    slowest = max(times["softmax"], times["layernorm"])
    return _row(f"ours, {framework} {dtype}", shape, slowest, through, alarms, LIMITS[shape])


def other_row(name: str, shape: tuple[int, int]) -> dict[str, Any]:
    framework, dtype, check = OTHERS[name]
    if "slow" in name and shape > SLOW_UP_TO:
        return _row(name, shape, None, None, None, None)
    x, _ = draw(shape, dtype, 0)
    times, alarms = [], 0
    for function in FUNCTIONS:
        start = perf_counter()
        alarms += not check(MODULES[framework].RIGHT[function], x)
        times.append(perf_counter() - start)
    through = sum(check(MODULES[framework].MUTANTS[pair], x) for pair in PAIRS)
    return _row(name, shape, max(times), through, alarms, None)


def _row(
    name: str,
    shape: tuple[int, int],
    seconds: float | None,
    through: int | None,
    alarms: int | None,
    limit: float | None,
) -> dict[str, Any]:
    return {
        "checker": name,
        "shape": str(shape),
        "slowest check s": seconds,
        "limit s": limit,
        "of 33 wrong let through": through,
        "of 4 right accused": alarms,
    }


def flagship() -> dict[str, Any]:
    """All 79,510 parameters of the document's network, by hand in NumPy."""
    from oracles.exact.from_numpy import record

    case = catalogue()["two_layer_net"]
    args, cotangent = case.draw("document", "float64", 0)
    assert case.vjp is not None
    recording = record(case.function, args, {})
    program = record(case.vjp, (cotangent, *args), {}, differentiate=False)
    start = perf_counter()
    true = true_gradient(recording, [cotangent], range(4), case.differentiated)
    examined = examine_program(true, program, ROUNDING_MODELS["numpy"], EXACT_LIMITS)
    found = worst_argument(verdicts(true, examined, case.vjp(cotangent, *args)))
    row = _row("ours, numpy float64", (100, 784), perf_counter() - start, None, None, FLAGSHIP_LIMIT_S)
    return row | {"checker": "ours, flagship network", "of 4 right accused": int(found.verdict != "accurate")}


def main() -> int:
    warnings.filterwarnings("ignore")
    rows = [flagship()]
    for shape in SHAPES:
        rows += [our_row("torch", "float32", shape), our_row("jax", "float32", shape)]
        rows += [other_row(name, shape) for name in OTHERS]
    frame = pd.DataFrame(rows).astype(object)
    print(frame.where(frame.notna(), "").to_string(index=False))
    late = [r for r in rows if r["limit s"] is not None and r["slowest check s"] > r["limit s"]]
    missed = [r for r in rows if r["checker"].startswith("ours") and r["of 33 wrong let through"]]
    return 1 if late or missed else 0


if __name__ == "__main__":
    sys.exit(main())
