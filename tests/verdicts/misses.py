"""No miss: the 33 wrong backward passes in three frameworks, three sizes and three dtypes: `make soundness`.

Every mutant has to be `wrong` and every right one `accurate`; (4, 8) is also among the tests.
"""

from __future__ import annotations

import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import Any

from harness.asking import question_of
from harness.proof.answer import answered
from harness.proof.program import examine_derivative
from harness.proof.question import Question
from harness.proof.truth import Posed, pose
from harness.subject.derivative import GRADIENT
from harness.subject.target import Target, target_of
from harness.subject.tested import Tested, under_test
from harness.verdicts import Verdict
from tests.verdicts import mutants_jax, mutants_numpy, mutants_torch
from tests.verdicts.corpus import DTYPES, FUNCTIONS, PAIRS, SHAPES, draw, to_jax, to_torch

MODULES: dict[str, Any] = {"numpy": mutants_numpy, "torch": mutants_torch, "jax": mutants_jax}
LOAD: dict[str, Any] = {"numpy": lambda x: x, "torch": to_torch, "jax": to_jax}


def subject(system: str, implementation: Any, x: Any) -> tuple[Target, Tested]:
    """The function, and its gradient."""
    own = system == "numpy"
    target = target_of(
        implementation.forward if own else implementation, (LOAD[system](x),), {}, None, system
    )
    return target, under_test(target, GRADIENT, implementation.vjp if own else None)


def judged(question: Question, tested: Tested, posed: Posed) -> Verdict:
    """The verdict, with a truth that is already proven."""
    found = answered(question, tested, posed, partial(examine_derivative, question, tested, posed))
    return min((part.verdict for part in found.parts), key=lambda verdict: verdict.severity)


def main(
    shapes: Sequence[tuple[int, int]] = SHAPES,
    dtypes: Sequence[str] = DTYPES,
    systems: Sequence[str] = tuple(MODULES),
) -> int:
    """0 where nothing is missed, else 1."""
    warnings.filterwarnings("ignore")
    counts: Counter[tuple[str, str]] = Counter()
    bad = []
    for shape in shapes:
        for dtype in dtypes:
            x, cotangent = draw(shape, dtype, 0)
            for system in systems:
                module = MODULES[system]
                known = {}
                for name in FUNCTIONS:
                    target, tested = subject(system, module.RIGHT[name], x)
                    question = question_of(
                        target, GRADIENT, cotangent=cotangent, thorough=False, blames=False
                    )
                    known[name] = question, pose(question, target.arrays)
                    found = judged(question, tested, known[name][1])
                    counts["right", found.value] += 1
                    if found is not Verdict.ACCURATE:
                        bad.append((system, dtype, shape, name, found.value))
                for pair in PAIRS:
                    question, posed = known[pair[0]]
                    found = judged(question, subject(system, module.MUTANTS[pair], x)[1], posed)
                    counts["mutant", found.value] += 1
                    if found is not Verdict.WRONG:
                        bad.append((system, dtype, shape, pair, found.value))
            print(shape, dtype, dict(counts), flush=True)
    for line in bad:
        print(*line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
