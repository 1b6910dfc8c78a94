"""The three front ends on the same functions: what they enclose overlaps, element by element."""

from __future__ import annotations

import numpy as np
import pytest
from flint import arb

from harness.cases import catalogue
from oracles import jax_functions, torch_functions
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_aten import record as record_torch
from oracles.exact.from_jaxpr import record as record_jax
from oracles.exact.from_numpy import record as record_numpy
from oracles.exact.program.balls import exact, precision
from oracles.exact.program.derive import vjp

BITS = 256
CASES = [name for name, case in catalogue().items() if case.vjp]
# Their 1e-7 is a literal, taken as written: a float32 JAX program holds a rounded one, NumPy code does not.
GUARDED = {"cross_entropy_error", "softmax_loss", "simple_net", "two_layer_net"}
ROWS = [(name, "float64") for name in CASES] + [(name, "float32") for name in CASES if name not in GUARDED]


def enclosed(record, function, case, args, cotangent):
    recording = record(function, args, {})
    program = vjp(recording.program, [recording.argument.index(k) for k in case.argnums])
    return evaluate(program, [*recording.values, exact(cotangent)], BITS)


@pytest.mark.parametrize(("name", "dtype"), ROWS)
def test_their_gradients_overlap(name, dtype):
    case = catalogue()[name]
    args, cotangent = case.draw("ordinary", dtype, 0)
    ours = enclosed(record_numpy, case.function, case, args, cotangent)
    for record, functions in ((record_jax, jax_functions), (record_torch, torch_functions)):
        theirs = enclosed(record, functions.FUNCTIONS[name], case, args, cotangent)
        for x, y in zip(_joined(ours), _joined(theirs), strict=True):
            assert x.overlaps(y), f"{x} and {y}"
            assert x.rad() + y.rad() < 1e-60


def test_a_gradient_that_is_off_in_the_fortieth_digit_does_not_overlap():
    case = catalogue()["sigmoid"]
    args, cotangent = case.draw("ordinary", "float64", 0)
    with precision(BITS):
        for x in _joined(enclosed(record_numpy, case.function, case, args, cotangent)):
            assert not x.overlaps(x * (1 + arb("1e-40")))


def _joined(arrays):
    return np.concatenate([a.ravel() for a in arrays])
