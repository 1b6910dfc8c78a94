"""B holds the correctly rounded truth: random programs, in every dtype, of every library, at every size.

    python -m tests.oracles.exact.rounded --programs 100000

The correctly rounded result is one that a program may compute, so a bound without it accuses the best.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import ExactError
from oracles.exact.program.formats import FORMATS, format_of
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from tests.oracles.exact.test_random_programs import BINARY, SHAPE, UNARY, written

BITS = 256
LIBRARIES = tuple(ROUNDING_MODELS)
# Of the largest exponent of a dtype: ordinary numbers, and those whose squares underflow or overflow.
SIZES = (0.0, 0.0, 0.1, 0.45, 0.6, -0.1, -0.45, -0.6)


def outside(steps: list[tuple], dtype: str, library: str, size: float, seed: int) -> list[str]:
    """The elements of a gradient whose correctly rounded truth lies outside its bound, in words."""
    kind, rng = format_of(dtype), np.random.default_rng(seed)
    scale = 2.0 ** round(size * kind.greatest_exponent)
    x, y = (_rounded(scale * rng.normal(size=SHAPE), dtype) for _ in range(2))
    inputs = [x, y, _rounded(rng.normal(size=SHAPE), dtype)]
    try:
        program = vjp(written(steps, dtype), [0, 1])
        true = evaluate(program, inputs, BITS)
        within = bound(program, inputs, ROUNDING_MODELS[library])
    except ExactError:
        return []
    if (
        within.overflow
    ):  # it computes 0 where the truth is 1 / (1 + y^2); the judge knows what is rounded once
        return []
    found = []
    for k, (one, balls) in enumerate(zip(true, within.balls, strict=True)):
        for at in np.ndindex(one.shape):
            if not one[at].is_finite() or one[at].rel_accuracy_bits() < 60 or not balls[at].is_finite():
                continue
            nearest = kind.rounded(float(one[at].mid()))
            if np.isfinite(nearest) and nearest not in balls[at]:
                what = f"{dtype}, {library}, {size}, seed {seed}, {steps}"
                found.append(f"{what}: {nearest!r} of output {k} at {at}, bounded by {balls[at]}")
    return found


def _rounded(numbers: Any, dtype: str) -> Any:
    rounded = [format_of(dtype).rounded(v) for v in numbers.ravel().tolist()]
    return np.array(rounded).reshape(numbers.shape)


def drawn(rng: np.random.Generator) -> list[tuple]:
    """The steps of a random program."""
    names = [*UNARY, *BINARY]
    chosen = [names[k] for k in rng.integers(len(names), size=rng.integers(1, 6))]
    return [(n, *rng.integers(10, size=2 if n in BINARY else 1).tolist()) for n in chosen]


def main() -> int:
    """Draw programs; 1 where a bound does not hold the correctly rounded truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=1000)
    rng, found = np.random.default_rng(0), list[str]()
    asked = parser.parse_args()
    for seed in range(asked.programs):
        dtype, library = list(FORMATS)[seed % 4], LIBRARIES[seed // 4 % len(LIBRARIES)]
        new = outside(drawn(rng), dtype, library, SIZES[seed // 12 % len(SIZES)], seed)
        print(*new, sep="\n", end="\n" if new else "")
        found += new
    print(f"{asked.programs} programs: {len(found)} correctly rounded elements outside their bound")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
