"""What a verdict costs, and what each checker lets through: run with `make bench`.

`check_gradient` beside torch's gradcheck, slow and fast, and JAX's check_grads, on the same right and wrong
backward passes. Fails where a limit is passed, or ours lets a wrong one through or accuses a right one.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import jax
import numpy as np
import pandas as pd
import torch
from jax.test_util import check_grads

from harness import check_gradient
from harness.cases import catalogue
from harness.verdicts import Verdict
from tests.verdicts import mutants_jax, mutants_torch
from tests.verdicts.corpus import FUNCTIONS, PAIRS, SHAPES, draw, to_jax, to_torch

# Seconds that a check may take, once its function has been checked: the least of a few, on a busy machine.
LIMITS = {(4, 8): 0.1, (32, 64): 0.1, (256, 1024): 2.0}
FLAGSHIP_LIMIT_S = 1.0
AGAIN = 3
SLOW_UP_TO = (4, 8)  # gradcheck's Jacobian: 11 s a check at (32, 64), 550 GB at (256, 1024)
MODULES: dict[str, Any] = {"torch": mutants_torch, "jax": mutants_jax}


class Checker(NamedTuple):
    """One that is asked: `check(function, x, cotangent)` tells whether it lets a gradient pass."""

    name: str
    framework: str
    dtype: str
    check: Callable[[Any, Any, Any], bool]
    is_ours: bool = False


def _ours(load: Callable[[Any], Any]) -> Callable[[Any, Any, Any], bool]:
    def check(function: Any, x: Any, cotangent: Any) -> bool:
        found = check_gradient(function, (load(x),), cotangent=cotangent)
        if found.verdict not in {Verdict.ACCURATE, Verdict.WRONG}:
            raise AssertionError(f"{found.verdict} is no answer here: {found}")
        return found.passed

    return check


def _gradcheck(fast: bool) -> Callable[[Any, Any, Any], bool]:
    def check(function: Any, x: Any, cotangent: Any) -> bool:
        leaf = to_torch(x).requires_grad_()
        return bool(torch.autograd.gradcheck(function, leaf, fast_mode=fast, raise_exception=False))

    return check


def _check_grads(function: Any, x: Any, cotangent: Any) -> bool:
    with jax.enable_x64(x.dtype == np.float64):
        try:
            check_grads(function, (to_jax(x),), order=1, modes=["rev"])
        except AssertionError:
            return False
    return True


CHECKERS = (
    Checker("ours, torch float32", "torch", "float32", _ours(to_torch), True),
    Checker("ours, jax float32", "jax", "float32", _ours(to_jax), True),
    Checker("torch gradcheck, slow", "torch", "float64", _gradcheck(fast=False)),
    Checker("torch gradcheck, fast", "torch", "float64", _gradcheck(fast=True)),
    Checker("jax check_grads, float64", "jax", "float64", _check_grads),
    Checker("jax check_grads, float32", "jax", "float32", _check_grads),
)


def row(checker: Checker, shape: tuple[int, int]) -> dict[str, Any]:
    """What one checker says of all the functions, and its slowest check of a right one."""
    if "slow" in checker.name and shape > SLOW_UP_TO:
        return _row(checker.name, shape)
    right, wrong = MODULES[checker.framework].RIGHT, MODULES[checker.framework].MUTANTS
    at, times, passed = draw(shape, checker.dtype, 0), [], 0
    for function in FUNCTIONS:
        found = [_timed(lambda f=right[function]: checker.check(f, *at)) for _ in range(1 + AGAIN)]
        times.append(_first_and_again(found))
        passed += all(passes for passes, _ in found)
    through = sum(checker.check(wrong[pair], *at) for pair in PAIRS)
    first, again = map(max, zip(*times, strict=True))
    limit = LIMITS[shape] if checker.is_ours else None
    return _row(checker.name, shape, first, again, limit, through, len(FUNCTIONS) - passed)


def _row(
    name: str,
    shape: tuple[int, int],
    first: float | None = None,
    again: float | None = None,
    limit: float | None = None,
    through: int | None = None,
    accused: int | None = None,
) -> dict[str, Any]:
    return {
        "checker": name,
        "shape": str(shape),
        "first s": first,
        "again s": again,
        "limit s": limit,
        "of 33 wrong let through": through,
        "of 4 right accused": accused,
    }


def _timed(run: Callable[[], bool]) -> tuple[bool, float]:
    start = perf_counter()
    return run(), perf_counter() - start


def _first_and_again(found: Sequence[tuple[bool, float]]) -> tuple[float, float]:
    first, *again = (seconds for _, seconds in found)
    return first, min(again)


def flagship() -> dict[str, Any]:
    """All 79,510 parameters of the document's network, by hand in NumPy."""
    case = catalogue()["two_layer_net"]
    args, cotangent = case.draw("document", "float64", 0)

    def check() -> bool:
        found = check_gradient(case.function, args, vjp=case.vjp, argnums=range(4), cotangent=cotangent)
        return found.verdict is Verdict.ACCURATE

    found = [_timed(check) for _ in range(1 + AGAIN)]
    name, accused = "ours, numpy float64, the network", int(not all(passes for passes, _ in found))
    return _row(name, (100, 784), *_first_and_again(found), FLAGSHIP_LIMIT_S, accused=accused)


def main(shapes: Sequence[tuple[int, int]] = SHAPES, checkers: Sequence[Checker] = CHECKERS) -> int:
    """Print the table; 1 where a promise is not kept."""
    warnings.filterwarnings("ignore")
    rows = [flagship(), *(row(checker, shape) for shape in shapes for checker in checkers)]
    frame = pd.DataFrame(rows).astype(object)
    print(frame.where(frame.notna(), "").to_string(index=False, float_format="{:.3g}".format))
    late = [r for r in rows if r["limit s"] is not None and r["again s"] > r["limit s"]]
    faulty = [r for r in rows if r["limit s"] and (r["of 33 wrong let through"] or r["of 4 right accused"])]
    return 1 if late or faulty else 0


if __name__ == "__main__":
    sys.exit(main())
