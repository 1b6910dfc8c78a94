"""B by a plan against B by Arb, for samples of every primitive and their gradients: hardly another."""

from __future__ import annotations

import numpy as np
import pytest

from oracles.exact.core import library
from oracles.exact.core.pairs import Pairs
from oracles.exact.program.derive import vjp
from oracles.exact.program.formats import ROUNDING_MODELS
from oracles.exact.program.program import Builder
from oracles.exact.rounding.bound import bound
from tests.oracles.exact.core.agreement import assert_alike
from tests.oracles.exact.programs import SAMPLES

pytestmark = pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")

ARBS = {"digamma", "lgamma"}  # at negative numbers
WIDER = {"real power": 2.0}  # its plan is of exp and log, and Arb's ball of the slope is that of a power
PART = 1.08


@pytest.mark.parametrize(("model", "dtype"), [("numpy", "float64"), ("torch", "float16"), ("jax", "float32")])
@pytest.mark.parametrize("name", SAMPLES)
def test_every_sample_and_its_gradient_are_bounded_as_by_arb(name, model, dtype):
    function, points = SAMPLES[name]
    if dtype == "float16" and name.startswith("complex"):
        dtype = "float32"  # there is no complex half
    points = [x.astype(dtype) for x in points]
    builder = Builder()
    program = builder.program([function(*(builder.input(x.shape, dtype) for x in points))])
    gradient = vjp(program, list(range(len(points))))
    cotangents = [np.ones(v.shape) for v in program.outputs]
    for one, given in ((program, points), (gradient, (*points, *cotangents))):
        quick = bound(one, given, ROUNDING_MODELS[model])
        with library.without():
            slow = bound(one, given, ROUNDING_MODELS[model])
        pairs = [found for found in quick.found if isinstance(found, Pairs)]
        fused = model == "jax" and any(e.primitive.name == "reduce_max" for e in one.equations)
        finite = all(ball.is_finite() for balls in slow.balls for ball in balls.ravel())
        assert pairs or not finite or fused or name in ARBS
        for found, balls in zip(pairs, slow.balls if pairs else (), strict=True):
            assert_alike(found, balls, WIDER.get(name, PART), PART)
