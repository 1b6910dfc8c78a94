"""A truth is kept for the same program at the same numbers, and for nothing else."""

from __future__ import annotations

import numpy as np
import pytest

import harness
from oracles.exact.from_numpy import record
from tests.power.kept import content, keeping_truths

X = np.array([0.5, -1.25])


def asked(f, x=X, slope=2.0, **named):
    return harness.check_gradient(f, (x,), vjp=lambda g, x: g * slope, **named).verdict.value


def test_changed_gradients_of_one_function_have_one_truth_and_the_verdicts_that_they_have_without():
    slopes = (2.0, 2.0 + 2.0**-40, -2.0, 0.0)
    without = [asked(lambda x: 2 * x, slope=s) for s in slopes]
    with keeping_truths() as kept:
        assert [asked(lambda x: 2 * x, slope=s) for s in slopes] == without
    assert len(kept) == 1
    assert without == ["accurate", "wrong", "wrong", "wrong"]


def test_another_forward_and_other_numbers_have_truths_of_their_own():
    with keeping_truths() as kept:
        assert asked(lambda x: 2 * x) == "accurate"
        assert asked(lambda x: 3 * x) == "wrong"
        assert asked(lambda x: 2 * x, X + 1) == "accurate"
        assert asked(lambda x: 2 * x, X.astype(np.float32)) == "accurate"
        assert asked(lambda x: 2 * x, seed=1) == "accurate"  # another cotangent
    assert len(kept) == 5


def test_nothing_is_kept_afterwards():
    with keeping_truths() as kept:
        asked(lambda x: 2 * x)
    asked(lambda x: 3 * x)
    assert len(kept) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda x: x * 0.0, lambda x: x * -0.0),
        (lambda x: np.exp(x), lambda x: np.expm1(x)),
        (lambda x: x[0] * x[1], lambda x: x[1] * x[0]),
        (lambda x: np.sum(x, 0), lambda x: np.sum(x, 0, keepdims=True)),
        (lambda x: x - 0.1, lambda x: 0.1 - x),
        (lambda x: x * 0.1, lambda x: x * 0.2),
        (lambda x: np.where(x > 0, x, 0), lambda x: np.where(x >= 0, x, 0)),
    ],
)
def test_programs_that_differ_have_different_contents(one, other):
    contents = [content(record(f, (X,), {}).program) for f in (one, one, other)]
    assert contents[0] == contents[1] != contents[2]
    assert hash(contents[0]) == hash(contents[1])
