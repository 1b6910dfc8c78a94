"""What is meant against what runs, and against the truth: the program's `exact` text decides."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.program.balls import precision
from tests.power.fault import loaded
from tests.programs.draw import Drawn
from tests.programs.numbers import CONTEXT, Exact
from tests.programs.program import results_of

BITS = 800
LEAP = 1e25  # differences of a derivative that jumps are larger
ROUGH = {"float64": 1e-6, "float32": 1e-2}  # of a value, against the largest
# Where rounding may choose another side, so that a narrow dtype says nothing of the value.
JUMPING = {
    "where", "where guarded", "mask", "masked", "take_along_axis", "in place", "write by mask", "branch", "while",
    "branch in a loop", "scan", "sign",
}  # fmt: skip


class Refused(Exception):
    """The framework itself does not run the program, or does not differentiate it."""


def off_in_value(drawn: Drawn, exact: Exact) -> str:
    """How the framework's value is not what is meant, but for its rounding; "" if it is.

    Raises:
        Refused: The framework does not run the program.
    """
    try:
        value = drawn.program.function(drawn.framework)(
            *(loaded(drawn.framework, a.copy()) for a in drawn.arguments)
        )
    except Exception as problem:
        raise Refused(f"value: {type(problem).__name__}: {str(problem)[:200]}") from problem
    kinds = set(drawn.program.kinds)
    narrow = any("float16" in k for k in kinds) or drawn.dtype in {"float16", "bfloat16"}
    if narrow and kinds & JUMPING:
        return ""
    rough = 0.5 if narrow else 1e-2 if any("cast" in k for k in kinds) else ROUGH[drawn.dtype]
    for got, true in zip(results_of(value), exact.values, strict=True):
        array = _numpy(got)
        if array.shape != true.shape:
            return f"value: shape {array.shape}, meant is {true.shape}"
        numbers = np.array([float(t) for t in true.ravel()]).reshape(true.shape)
        scale = 1 + np.max(np.abs(numbers), initial=0)
        gap = np.max(np.abs(array - numbers), initial=0)
        if not gap <= rough * scale:
            return f"value: off by {gap:.3g} of {scale:.3g}"
    return ""


def _numpy(got: Any) -> Any:
    got = got.detach().double().numpy() if hasattr(got, "detach") else got
    return np.asarray(got, np.float64)


def along(rng: random.Random, shape: tuple[int, ...]) -> Any:
    """A direction in which nothing stands still: numbers that are equal part."""
    return np.array(
        [rng.choice((-1, 1)) * rng.randrange(1, 33) / 16 for _ in range(int(np.prod(shape)))]
    ).reshape(shape)


def off_in_truth(
    exact: Exact,
    mode: str,
    true: Sequence[Any],
    inner: Sequence[Any],
    last: Sequence[Any],
    rng: random.Random,
) -> str | None:
    """How the enclosures, contracted with random numbers, miss the differences along them; "" if they do not.

    None where there is nothing to compare: no enclosure, or a derivative that jumps.

    Args:
        exact: The program in exact numbers.
        mode: Which derivative the enclosures are of.
        true: The enclosures.
        inner, last: What the derivatives inside, and the last one, are contracted with.
        rng: Draws the numbers.
    """
    weights = [along(rng, e.shape) for e in true]
    if mode == "forward":
        differences = exact.derivative(weights, last)
    elif mode == "order 2":
        differences = exact.derivative(inner, last, weights)
    else:
        differences = exact.derivative(last, weights)
    with precision(BITS):
        total = sum((arb(float(w)) * b for e, one in zip(true, weights, strict=True)
                     for w, b in zip(one.ravel(), e.balls.ravel(), strict=True)), arb(0))  # fmt: skip
        size = sum((abs(arb(float(w)) * b) for e, one in zip(true, weights, strict=True)
                    for w, b in zip(one.ravel(), e.balls.ravel(), strict=True)), arb(0))  # fmt: skip
        if not total.is_finite():
            return None
        if mode == "order 2" and abs(differences) > LEAP:
            return None  # the first derivative jumps
        slack = arb(0, 1e-20) * (1 + abs(size))
        near = arb(CONTEXT.nstr(differences, 100, strip_zeros=False, min_fixed=0, max_fixed=0))
        within = (total + slack).contains(near)
    said = f"truth: {total} along {[w.tolist() for w in weights]}, differences are {near}"
    return "" if within else said
