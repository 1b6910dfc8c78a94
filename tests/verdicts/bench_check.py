"""What `check_gradient` costs beside torch's gradcheck, on the same functions: run with `make bench`.

At 100 elements a check may take 50 ms, tracing not counted; at 2,048 it is never slower than gradcheck, and
slower than its fast mode, beside which stands what that lets through. pytest starts at most 0.1 s later.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import warnings
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pandas as pd
import torch

import harness
from harness.runs.timing import paired
from harness.verdicts import Verdict
from oracles.frameworks.framework import framework
from tests.verdicts.corpus import FUNCTIONS, PAIRS, draw, to_torch
from tests.verdicts.mutants_torch import MUTANTS, RIGHT

SMALL, LARGE = (10, 10), (32, 64)
SMALL_LIMIT_S, START_LIMIT_S = 0.05, 0.1
STARTS = 9


def gradcheck(function: Any, x: Any, fast: bool) -> bool:
    """Torch's own answer."""
    leaf = to_torch(x).requires_grad_()
    return bool(torch.autograd.gradcheck(function, leaf, fast_mode=fast, raise_exception=False))


def trace(function: Any, x: torch.Tensor) -> None:
    """Record the function and its gradient, as a check does before it proves anything."""
    own = framework("torch")
    own.record(function, [x], differentiate=True)
    own.record(own.pullback(function, (0,)), [torch.ones_like(x), x], differentiate=False)


def row(name: str) -> dict[str, Any]:
    """One function: times, their ratios, and how many of its wrong backward passes each lets through."""
    small, large = (to_torch(draw(shape, "float64", 0)[0]) for shape in (SMALL, LARGE))
    ours = partial(harness.check_gradient, RIGHT[name], (large,))
    slow, fast = (
        paired(ours, partial(gradcheck, RIGHT[name], large.numpy(), fast=mode)) for mode in (False, True)
    )
    at_100 = paired(
        partial(harness.check_gradient, RIGHT[name], (small,)), partial(trace, RIGHT[name], small)
    )
    wrong = [MUTANTS[pair] for pair in PAIRS if pair[0] == name]
    return {
        "function": name,
        "ours at 100 ms": 1e3 * at_100.time_s,
        "of it tracing": 1e3 * at_100.reference_time_s,
        "ours at 2048 ms": 1e3 * slow.time_s,
        "gradcheck ms": 1e3 * slow.reference_time_s,
        "ours / it": slow.ratio,
        "fast ms": 1e3 * fast.reference_time_s,
        "ours / fast": fast.ratio,
        "wrong": len(wrong),
        "fast lets through": sum(gradcheck(f, large.numpy(), fast=True) for f in wrong),
        "ours lets through": sum(
            harness.check_gradient(f, (large,)).verdict is not Verdict.WRONG for f in wrong
        ),
    }


def later_start() -> float:
    """By how many seconds pytest starts later with the plugin, in turns."""
    times: dict[bool, list[float]] = {True: [], False: []}
    with tempfile.TemporaryDirectory() as folder:
        test = Path(folder, "test_nothing.py")
        test.write_text("def test_nothing():\n    pass\n")
        for turn in range(2 * STARTS):
            loaded = turn % 4 in {0, 3}
            command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(test)]
            start = perf_counter()
            without = [] if loaded else ["-p", "no:gradproof"]
            subprocess.run([*command, *without], cwd=folder, check=True, capture_output=True)
            times[loaded].append(perf_counter() - start)
    return median(times[True]) - median(times[False])


def main() -> int:
    """Print both tables; 1 where a limit is passed or ours lets a wrong one through."""
    warnings.filterwarnings("ignore")
    frame = pd.DataFrame([row(name) for name in FUNCTIONS])
    start = later_start()
    print(frame.to_string(index=False, float_format="%.3g"))
    print(f"pytest starts {1e3 * start:.0f} ms later with the plugin (limit {1e3 * START_LIMIT_S:.0f} ms)")
    kept = (
        (frame["ours at 100 ms"] - frame["of it tracing"] <= 1e3 * SMALL_LIMIT_S).all(),
        (frame["ours / it"] <= 1).all(),
        (frame["ours lets through"] == 0).all(),
        start <= START_LIMIT_S,
    )
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
