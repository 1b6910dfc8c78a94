"""Programs at the border between right and wrong, and the verdict that each deserves.

`verdict` is what is to be said when nothing is declared; `declared` what is to be said with `spec` or
`surrogate`, where there is one. The reasons are those of the design, section 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tests.verdicts import healthy_jax, healthy_numpy, healthy_torch, mutants_torch
from tests.verdicts.corpus import draw


class Case(NamedTuple):
    """One program at one point.

    Attributes:
        framework: numpy, torch or jax.
        function: An `Implementation` for numpy, else a callable that carries its backward.
        x: The point, float64.
        verdict: What is to be said of it undeclared.
        spec: The function that the forward approximates, in the same framework.
        surrogate: The function whose gradient is meant.
        declared: The verdict with `spec` or `surrogate`.
        mutates: Whether its backward overwrites the cotangent.
    """

    framework: str
    function: Any
    x: Any
    verdict: str
    spec: Callable[..., Any] | None = None
    surrogate: Callable[..., Any] | None = None
    declared: str | None = None
    mutates: bool = False


ORDINARY, _ = draw((4, 6), "float64", 11)
# Within the clip range and outside, away from the steps of round(8 x) and from -1 and 1.
STEPS = np.array([[-1.7, -0.93, -0.41, 0.05], [0.3, 0.8, 0.97, 2.3]])
POSITIVE = np.array([0.6, 0.8, 0.95, 1.1, 1.25, 1.4])
AT_ZERO = np.array([-1.5, 0.0, 0.75, 0.0])
# Outside [0, 1] a slope is no element of relu's subdifferential at 0.
SLOPES = {0.0: "convention", 0.5: "convention", 1.0: "convention", 2.0: "wrong", -0.1: "wrong"}

CASES: dict[str, Case] = {
    # The forward is an iteration whose own derivative is not what its author means: the implicit backward is
    # right, and central differences of the forward at steps wide against 2^-25 or 2^-50 side with it.
    **{
        f"sparsemax by {n} halvings, {framework}": Case(
            framework, module.sparsemax(n), ORDINARY, "undecided",
            spec=module.sparsemax_spec, declared="accurate",
        )
        for n in (25, 50)
        for framework, module in (("jax", healthy_jax), ("torch", healthy_torch))
    },
    # A deliberate surrogate: T is exactly 0 almost everywhere. Undeclared, the differences at wide steps side
    # with the rule (streaks of 5 and 7 in the design's measurements), so `undecided` may be said as well.
    "straight-through, jax": Case(
        "jax", healthy_jax.straight_through, STEPS, "wrong", surrogate=lambda x: x, declared="accurate"
    ),
    "straight-through, torch": Case(
        "torch", healthy_torch.StraightThrough.apply, STEPS, "wrong",
        surrogate=healthy_torch.identity, declared="accurate",
    ),
    "fake quantisation, jax": Case(
        "jax", healthy_jax.quantised, STEPS, "wrong", surrogate=healthy_jax.clipped, declared="accurate"
    ),
    "fake quantisation, torch": Case(
        "torch", healthy_torch.Quantised.apply, STEPS, "wrong",
        surrogate=healthy_torch.clipped, declared="accurate",
    ),
    # What is held belongs to the specification.
    "held gate, jax": Case("jax", healthy_jax.gated, ORDINARY, "accurate"),
    "held gate by hand, jax": Case("jax", healthy_jax.gated_by_hand, ORDINARY, "accurate"),
    "held maximum, jax": Case("jax", healthy_jax.shifted_logsumexp, ORDINARY, "accurate"),
    "straight-through idiom, jax": Case("jax", healthy_jax.straight_through_idiom, STEPS, "accurate"),
    "held gate, torch": Case("torch", healthy_torch.gated, ORDINARY, "accurate"),
    "held size, torch": Case("torch", healthy_torch.scaled, ORDINARY, "accurate"),
    "straight-through idiom, torch": Case("torch", healthy_torch.straight_through_idiom, STEPS, "accurate"),
    # ... except inside a Function's forward, where nothing is recorded and detach means nothing.
    "detach inside a Function, torch": Case("torch", healthy_torch.Detaching.apply, ORDINARY, "accurate"),
    # In place: wrong where the old numbers are used again, right where they are not.
    "incoming gradient overwritten, torch": Case(
        "torch", healthy_torch.SoftmaxOverwriting.apply, ORDINARY, "wrong", mutates=True
    ),
    "incoming gradient kept, torch": Case("torch", mutants_torch.Softmax.apply, ORDINARY, "accurate"),
    "temporary overwritten, torch": Case("torch", healthy_torch.SiluOverwriting.apply, ORDINARY, "wrong"),
    "temporary reused, torch": Case("torch", healthy_torch.SiluInPlace.apply, ORDINARY, "accurate"),
    "copy overwritten, numpy": Case("numpy", healthy_numpy.SOFTMAX_OVERWRITING, ORDINARY, "wrong"),
    "temporary overwritten, numpy": Case("numpy", healthy_numpy.SILU_OVERWRITING, ORDINARY, "wrong"),
    "temporary reused, numpy": Case("numpy", healthy_numpy.SILU_IN_PLACE, ORDINARY, "accurate"),
    # The numbers are right and the caller's cotangent is gone: to be reported apart from the verdict.
    "cotangent overwritten, numpy": Case(
        "numpy", healthy_numpy.SILU_OVERWRITING_THE_COTANGENT, ORDINARY, "accurate", mutates=True
    ),
    # The book's backward belongs to the loss without 1e-7: wrong by about 1e-7 / y at the label.
    "the book's loss, numpy": Case(
        "numpy", healthy_numpy.BOOK, ORDINARY, "wrong", spec=healthy_numpy.ideal_loss, declared="accurate"
    ),
    "the book's loss with its own gradient, numpy": Case(
        "numpy", healthy_numpy.BOOK_EXACT, ORDINARY, "accurate"
    ),
    # A kink: any slope between 0 and 1 is legal, and others are not.
    **{
        f"relu with slope {slope} at 0, {framework}": Case(framework, module.relu(slope), AT_ZERO, verdict)
        for slope, verdict in SLOPES.items()
        for framework, module in (("numpy", healthy_numpy), ("torch", healthy_torch), ("jax", healthy_jax))
    },
    # A smooth approximation cannot be told from a wrong factor: it needs its specification.
    "three Newton steps, jax": Case(
        "jax", healthy_jax.newton, POSITIVE, "wrong", spec=healthy_jax.inverse_root, declared="accurate"
    ),
    "three Newton steps, torch": Case(
        "torch", healthy_torch.Newton.apply, POSITIVE, "wrong",
        spec=lambda x: x.rsqrt(), declared="accurate",
    ),
}  # fmt: skip
