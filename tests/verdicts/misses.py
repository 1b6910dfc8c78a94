"""No miss: the 33 wrong backward passes in three frameworks, three sizes and three dtypes: `make soundness`.

Every mutant has to be `wrong` and every right one `accurate`; (4, 8) is also among the tests.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from typing import Any

from harness.proof.judge import worst_argument
from harness.proof.program import examine_program, verdicts
from harness.proof.truth import LIMITS, Truth, true_gradient
from harness.verdicts import Verdict
from oracles.exact.rounding.bound import ROUNDING_MODELS
from oracles.frameworks.framework import framework
from tests.verdicts import mutants_jax, mutants_numpy, mutants_torch
from tests.verdicts.corpus import DTYPES, FUNCTIONS, PAIRS, SHAPES, draw, gradient

MODULES: dict[str, Any] = {"numpy": mutants_numpy, "torch": mutants_torch, "jax": mutants_jax}


def judged(name: str, implementation: Any, x: Any, cotangent: Any, truth: Truth) -> Verdict:
    """The verdict, with a truth that is already proven."""
    own = framework(name)
    pullback = implementation.vjp if name == "numpy" else own.pullback(implementation, (0,))
    program = own.record(pullback, [cotangent, x], differentiate=False)
    examined = examine_program(truth, program, ROUNDING_MODELS[name], LIMITS)
    return worst_argument(verdicts(truth, examined, [gradient(name, implementation, x, cotangent)])).verdict


def main() -> int:
    warnings.filterwarnings("ignore")
    counts: Counter[tuple[str, str]] = Counter()
    bad = []
    for shape in SHAPES:
        for dtype in DTYPES:
            x, cotangent = draw(shape, dtype, 0)
            for system, module in MODULES.items():
                truths = {}
                for name in FUNCTIONS:
                    right = module.RIGHT[name]
                    forward = right.forward if system == "numpy" else right
                    recording = framework(system).record(forward, [x], differentiate=True)
                    truths[name] = true_gradient(recording, [cotangent], [0], ["x"])
                    found = judged(system, right, x, cotangent, truths[name])
                    counts["right", str(found)] += 1
                    if found is not Verdict.ACCURATE:
                        bad.append((system, dtype, shape, name, str(found)))
                for pair in PAIRS:
                    found = judged(system, module.MUTANTS[pair], x, cotangent, truths[pair[0]])
                    counts["mutant", str(found)] += 1
                    if found is not Verdict.WRONG:
                        bad.append((system, dtype, shape, pair, str(found)))
            print(shape, dtype, dict(counts), flush=True)
    for line in bad:
        print(*line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
