"""A million draws of each kernel of the core against Arb (a tenth of it of each smooth function), and random
programs by plan: nothing is wrong.

    python -m tests.oracles.exact.core.soundness --draws 1000000 --programs 20000

The kernels run once more, on fewer draws, in a build in which the compiler watches for undefined behaviour
and for memory that is not the core's (`-fsanitize=undefined,address`).
"""

from __future__ import annotations

import argparse
import ctypes
import os
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np

from oracles.exact.core import library
from oracles.exact.core.build import FLAGS, SOURCE, build, compiler
from tests.oracles.exact.core.agreement import held, random_program
from tests.oracles.exact.core.decisions import DECISIONS, Decided
from tests.oracles.exact.core.endless import ENDS
from tests.oracles.exact.core.smooth_functions import FUNCTIONS, checked
from tests.oracles.exact.core.trials import TRIALS

AT_ONCE = 20_000
SANITIZERS = ["-g", "-O1", "-fsanitize=undefined,address", "-fno-sanitize-recover=all"]


def kernels(draws: int, seed: int, core: ctypes.CDLL | None = None) -> int:
    """Every kernel on so many draws; how many results are wrong."""
    wrong = 0
    for number, (name, trial) in enumerate(TRIALS.items()):
        rng = np.random.default_rng([seed, number])
        count = unknown = own = 0
        while count < draws:
            draw = trial.draw(rng, min(AT_ONCE, draws))
            found = trial.hold(draw, core)
            count, unknown, own = count + len(draw.truths), unknown + found.unknown, own + len(found.wrong)
        print(f"{name}: {count} results, {own} wrong, {unknown / count:.1%} not known", flush=True)
        wrong += own
    for name in FUNCTIONS:
        smooth = checked(name, max(draws // 10, 300), seed, core)
        print("\n".join(smooth.outside[:5]), end="\n" * bool(smooth.outside))
        print(
            f"{name}: {len(smooth.outside)} wrong, {smooth.unknown:.1%} not known, {smooth.digits:.0f} bits",
            flush=True,
        )
        wrong += len(smooth.outside)
    return wrong


def decisions(draws: int, seed: int) -> int:
    """Every comparison and choice on so many rows; how many are wrong."""
    rng = np.random.default_rng(seed)
    wrong = 0
    for (name, how), ask in (DECISIONS | ENDS).items():
        total = Decided(0, 0, [])
        for _ in range(-(-draws // AT_ONCE)):
            found = ask(rng, min(AT_ONCE, draws))
            total = Decided(
                total.made + found.made, total.possible + found.possible, total.wrong + found.wrong
            )
        print(f"{name}{how}: {total.made} of {total.possible} decided, {len(total.wrong)} wrong", flush=True)
        wrong += len(total.wrong)
    return wrong


def programs(count: int, seed: int) -> int:
    """So many random programs by plan; how many are wrong."""
    total: Counter[str] = Counter()
    for number in range(seed, seed + count):
        drawn = random_program(number)
        said = held(*drawn) if drawn else Counter({"not recorded": 1})
        if any(what.startswith("wrong") for what in said):
            print(f"program {number}: {dict(said)}")
        total += said
    print(f"programs: {count}, elements and outcomes: {dict(total)}")
    return sum(n for what, n in total.items() if what.startswith("wrong"))


def sanitized(draws: int) -> int:
    """The kernels in a build that watches itself; 0 where nothing was seen."""
    runtime = subprocess.run(
        [*compiler(), "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(runtime).is_file():
        print("sanitized: this compiler has no libasan.so to load first; left out")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        flags = [f for f in FLAGS if not f.startswith("-O")]
        watched = build(Path(folder, "watched.so"), SOURCE, [*flags, *SANITIZERS])
        command = [sys.executable, "-m", __spec__.name, "--draws", str(draws), "--watched", str(watched)]
        setting = {**os.environ, "LD_PRELOAD": runtime, "ASAN_OPTIONS": "detect_leaks=0"}
        return subprocess.run(command, env=setting, check=False).returncode


def _watched(path: str) -> ctypes.CDLL:
    core = ctypes.CDLL(path)
    core.run.argtypes, core.run.restype = [ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p], ctypes.c_int64
    return core


def main() -> None:
    """Print what was tested; exit 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--draws", type=int, default=1_000_000)
    parser.add_argument("--programs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--watched", default="", help="only the kernels, of this build")
    options = parser.parse_args()
    if options.watched:
        raise SystemExit(kernels(options.draws, options.seed, _watched(options.watched)) > 0)
    if library.problem():
        raise SystemExit(library.problem())
    wrong = kernels(options.draws, options.seed) + decisions(options.draws // 10, options.seed)
    wrong += programs(options.programs, options.seed)
    raise SystemExit(sanitized(options.draws // 100) or wrong > 0)


if __name__ == "__main__":
    main()
