"""No miss: the 33 wrong backward passes in three frameworks, three sizes and three dtypes: `make soundness`.

Every mutant has to be `wrong` and every right one `accurate`; (4, 8) is also among the tests.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from typing import Any

from harness.frameworks import UserFunction, differentiate
from harness.proof.reasons import examine_program, verdict
from harness.proof.truth import Truth, true_gradient
from harness.verdicts.verdict import Verdict
from tests.verdicts import mutants_jax, mutants_numpy, mutants_torch
from tests.verdicts.corpus import DTYPES, FUNCTIONS, PAIRS, SHAPES, draw, gradient

MODULES: dict[str, Any] = {"numpy": mutants_numpy, "torch": mutants_torch, "jax": mutants_jax}


def user_function(framework: str, implementation: Any) -> UserFunction:
    """An implementation of the corpus with its backward."""
    if framework == "numpy":
        return UserFunction("numpy", implementation.forward, implementation.vjp)
    return UserFunction(framework, implementation, differentiate(framework, implementation, (0,)))


def judged(framework: str, implementation: Any, x: Any, cotangent: Any, truth: Truth) -> Verdict:
    """The verdict, with a truth that is already proven."""
    user = user_function(framework, implementation)
    program = examine_program(truth, lambda: user.record(user.pull, [cotangent, x], edges=False), framework)
    return verdict(truth, program, [gradient(framework, implementation, x, cotangent)]).verdict


def main() -> int:
    warnings.filterwarnings("ignore")
    counts: Counter[tuple[str, str]] = Counter()
    bad = []
    for shape in SHAPES:
        for dtype in DTYPES:
            x, cotangent = draw(shape, dtype, 0)
            for framework, module in MODULES.items():
                truths = {}
                for name in FUNCTIONS:
                    user = user_function(framework, module.RIGHT[name])
                    recording = user.record(user.function, [x], edges=True)
                    truths[name] = true_gradient(recording, [cotangent], [0], ["x"])
                    found = judged(framework, module.RIGHT[name], x, cotangent, truths[name])
                    counts["right", str(found)] += 1
                    if found is not Verdict.ACCURATE:
                        bad.append((framework, dtype, shape, name, str(found)))
                for pair in PAIRS:
                    found = judged(framework, module.MUTANTS[pair], x, cotangent, truths[pair[0]])
                    counts["mutant", str(found)] += 1
                    if found is not Verdict.WRONG:
                        bad.append((framework, dtype, shape, pair, str(found)))
            print(shape, dtype, dict(counts), flush=True)
    for line in bad:
        print(*line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
