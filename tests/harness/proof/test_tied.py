"""When the recorded run is looked at: where a value is unbounded, and not as its truth is."""

import re
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness.check import check_gradient
from harness.exact import exact_value
from harness.proof.tied import elsewhere
from harness.verdicts import Verdict
from oracles.exact.enclose.refine import refine
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Undecided
from oracles.exact_oracle import BITS, LIMITS

TRUE = np.array([1.5, 300.0])


def looked_at(value, ran, x=TRUE, function=lambda x: x * 1.0, wider=tuple):
    """What is said of a value that nothing bounds, and how often its recording ran."""
    runs = []
    recording = record(function, (x,), {}, differentiate=False)
    (true,) = refine(recording.program, recording.values, BITS, LIMITS)

    def executed():
        runs.append(1)
        return (np.array(ran, x.dtype),)

    own = replace(recording, executed=executed, runs_again=True, wider=wider)
    said = elsewhere(own, 0, np.array(value, x.dtype), true, lambda: None, "numpy")
    return said, len(runs)


def test_a_value_near_its_truth_is_not_run_again():
    assert looked_at([1.5 + 1e-12, 300.0], [9.0, 9.0]) == ("", 0)


def test_an_infinity_that_is_the_truth_of_its_dtype_is_not_run_again():
    """e^200 is beyond float32; so is its truth."""
    x = np.array([1.5, 200.0], np.float32)
    exp = np.array([np.exp(np.float32(1.5)), np.inf])
    assert looked_at(exp, [9.0, 9.0], x, np.exp) == ("", 0)
    assert looked_at([exp[0], -np.inf], exp, x, np.exp)[1] == 1


@pytest.mark.parametrize(("value", "ran"), [([1.5, np.inf], [1.5, 300.0]), ([np.nan, 300.0], [1.5, 300.0])])
def test_a_value_that_is_not_its_truth_is_compared_with_the_recorded_run(value, ran):
    said, runs = looked_at(value, ran)
    assert "the recorded run " in said
    assert runs == 1


def test_the_same_infinity_where_it_is_recorded_says_nothing():
    assert looked_at([1.5, np.inf], [1.5, np.inf]) == ("", 1)


def test_a_value_near_its_truth_is_not_bounded_where_the_recorded_run_gave_it_too():
    """The network's loss, a mean of many terms, is hardly ever the nearest number."""

    def bounded():
        bounds.append(1)

    bounds: list[int] = []
    near = np.array([1.5 + 1e-12, 300.0])
    recording = record(lambda x: x * 1.0, (TRUE,), {}, differentiate=False)
    (true,) = refine(recording.program, recording.values, BITS, LIMITS)
    for ran, asked in ((near, 0), (TRUE, 1)):
        own = replace(recording, executed=lambda ran=ran: (ran,))
        assert elsewhere(own, 0, near, true, bounded, "numpy") == ""
        assert len(bounds) == asked


def raising():
    raise TypeError("float32 only")


@pytest.mark.parametrize(
    ("wider", "is_said"),
    [
        (tuple, True),
        (raising, True),
        (lambda: (np.array([1.6, 300.0]),), True),  # another function in float64, too
        (lambda: (np.array([1.5, 290.1]),), True),
        (lambda: (np.array([1.5 + 1e-5, 300.0]),), False),
    ],
)
def test_what_nothing_bounds_is_another_function_unless_float64_is_near(wider, is_said):
    value = np.float32([1.5, 290.0])
    said, _ = looked_at(value, value, np.float32(TRUE), wider=wider)
    assert ("the recorded run gave another value than the real run" in said) is is_said


def normalized(module):
    """By a variance that cancels: the mean of the squares less the square of the mean."""

    def function(x):
        mean = x.mean(-1)
        variance = (x * x).mean(-1) - mean**2
        return (x - mean[..., None]) / module.sqrt(variance + 1e-5)[..., None]

    return function


def by_hand(ct, x):
    mean = x.mean(-1)[..., None]
    s = 1 / np.sqrt((x * x).mean(-1)[..., None] - mean**2 + np.float32(1e-5))
    h = (x - mean) * s
    return s * (ct - ct.mean(-1, keepdims=True) - h * (ct * h).mean(-1, keepdims=True))


ROWS = np.random.default_rng(0).normal(size=(8, 64)) + 300


@pytest.mark.parametrize(
    ("function", "x", "options"),
    [
        (normalized(np), np.float32(ROWS), {"vjp": by_hand}),
        (normalized(torch), torch.tensor(ROWS, dtype=torch.float32), {}),
        (normalized(torch), torch.tensor(ROWS - 290, dtype=torch.bfloat16), {}),
        (normalized(jnp), jnp.asarray(ROWS, jnp.float32), {}),
    ],
)
def test_a_function_whose_own_digits_cancel_is_no_other_function(function, x, options):
    """Its variance may be 0 or less, so nothing bounds what it gives; it is off by more than a hundredth."""
    found = check_gradient(function, (x,), **options)
    assert found.verdict in {Verdict.IMPRECISE, Verdict.ACCURATE}, found
    if found.verdict is Verdict.IMPRECISE:
        assert re.search(r"sub(tract)? at test_tied.py:\d+: \d+ of \d+ bits cancel", str(found))


def angle_from(start, xp, nearly):
    """The angle of a rotation from another one, as log maps have it, whose cosine may round to 1."""
    cos, sin = (xp.asarray(f(float(start)), dtype=start.dtype) for f in (np.cos, np.sin))

    def angle(x):
        far = xp.arccos(xp.clip(xp.cos(x) * cos + xp.sin(x) * sin, -1, 1))
        along = xp.sin(x) * cos - xp.cos(x) * sin
        return along if far < nearly else far / xp.sin(far) * along

    return angle


@pytest.mark.parametrize("start", [0.3, 0.7, 1.1])
def test_a_residual_of_0_is_of_the_branch_that_was_recorded(start):
    """Half an ulp decides whether the cosine is 1, and so B of the function has no end."""
    wide, narrow = np.float64(start), np.float32(start)
    assert check_gradient(angle_from(wide, np, 1e-6), (wide,), grad=lambda x: 1.0).verdict == "accurate"
    for one in (wide, narrow):
        point = torch.tensor(one)
        assert check_gradient(angle_from(point, torch, 1e-3), (point,)).verdict == "accurate"
    for factor, verdict in ((1.0, "accurate"), (1.01, "wrong")):
        found = check_gradient(
            angle_from(narrow, np, 1e-3), (narrow,), grad=lambda x, f=factor: np.float32(f)
        )
        assert found.verdict == verdict


@pytest.mark.parametrize(("value", "is_said"), [(0.0, False), (1e-16, False), (1e-12, True), (0.01, True)])
def test_what_the_recorded_branch_does_not_round_to_is_another_function(value, is_said):
    start = np.array(0.3)
    assert bool(looked_at(value, value, start, angle_from(start, np, 1e-6))[0]) is is_said


def in_part(x):
    return x[:1] if hasattr(x, "tape") else np.sin(x)


def alone(x):
    return x if hasattr(x, "tape") else (np.sin(x), x)


@pytest.mark.parametrize("function", [in_part, alone])
@pytest.mark.parametrize("vjp", [lambda g, x: 0 * x, lambda g, x: x[:1]])
def test_a_value_of_another_shape_than_its_record_accuses_nobody(function, vjp):
    result = check_gradient(function, (np.array(TRUE),), vjp=vjp)
    assert result.verdict == "undecided"
    assert "the recorded run " in str(result)
    with pytest.raises(Undecided, match="its value has shape"):
        exact_value(function, (np.array(TRUE),))


def test_a_gradient_of_another_shape_is_wrong():
    result = check_gradient(np.sin, (np.array(TRUE),), vjp=lambda g, x: (g * np.cos(x))[:1])
    assert result.verdict == "wrong"
    assert "shape (1,) instead of (2,)" in str(result)
