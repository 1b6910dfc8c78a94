"""The value beside the gradient: the specification's, or said to be another's."""

import math

import numpy as np
import pytest

from harness.proof.truth import BITS, LIMITS
from harness.proof.value import verdict_on_value
from harness.verdicts.verdict import Verdict
from oracles.exact.enclose.refine import refine
from oracles.exact.from_numpy import record
from oracles.exact.program.errors import Unsupported

X = np.array([0.5, -1.25, 2.0])


def truth(function, x):
    recording = record(function, (x,), {})
    return refine(recording.program, recording.values, BITS, LIMITS)[0]


def said(function, program=None, value=None, x=X, dtype="float64"):
    """The verdict on `value`, computed by `program`, where `function` is the specification, and why."""
    program = program or function
    found = program(x) if value is None else np.asarray(value)
    recorded = lambda: record(program, (x,), {}, edges=False)  # noqa: E731
    return verdict_on_value(truth(function, x), found, recorded, "numpy", dtype)


RIGHT = (Verdict.ACCURATE, "")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("function", [np.exp, np.tanh, lambda x: x * x - 3, lambda x: np.sum(x * x)])
def test_the_specification_itself_does_not_differ(function, dtype):
    assert said(function, x=X.astype(dtype), dtype=dtype) == RIGHT


def test_the_same_function_written_otherwise_does_not_differ():
    assert said(lambda x: (x + 1) * (x - 1), lambda x: x * x - 1) == RIGHT
    assert said(lambda x: x / math.pi, lambda x: x * (1 / math.pi)) == RIGHT


@pytest.mark.parametrize("factor", [1.5, 1 + 1e-9, -1.0])
def test_another_function_is_named_with_both_numbers_and_the_place(factor):
    verdict, found = said(lambda x: x * x, lambda x: x * x * factor)
    assert verdict is Verdict.WRONG
    assert found.startswith("value: another function: ")
    assert found.endswith(" instead of 0.250000000000 at (0,)")


def test_another_function_at_one_element_is_found_there():
    def program(x):
        found = x * x
        found[2] += 0.5
        return found

    assert said(lambda x: x * x, program)[1].endswith("4.50000000000 instead of 4.00000000000 at (2,)")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.ones((3, 1)), "value: shape (3, 1) instead of (3,)"),
        (np.ones(()), "value: shape () instead of (3,)"),
        (np.ones(3, "float32"), "value: dtype float32 instead of float64"),
        (np.ones(3, int), "value: dtype int64 instead of float64"),
    ],
)
def test_a_value_of_another_form_differs(value, message):
    assert said(lambda x: x * x, value=value) == (Verdict.WRONG, message)


@pytest.mark.parametrize("wrong", [1 + 2.0**-40, math.nan, math.inf, -math.inf])
def test_what_the_program_does_not_compute_is_outside_its_rounding(wrong):
    value = X * X
    value[1] *= wrong
    verdict, found = said(lambda x: x * x, value=value)
    assert verdict is Verdict.MISCOMPUTED
    assert found == (
        f"value: {float(value[1])!r} where the truth is 1.56250000000, outside what its rounding allows"
    )


def test_one_ulp_within_the_rounding_does_not_differ():
    assert said(np.exp, value=np.nextafter(np.exp(X), 9)) == RIGHT


def test_nan_is_outside_what_any_rounding_allows():
    """exp(1000) overflows, so there is no bound; the truth is a number all the same."""
    x = np.array([1.0, 1000.0])

    def naive(x):
        with np.errstate(over="ignore", invalid="ignore"):
            e = np.exp(x)
            return e / e.sum()

    verdict, found = said(naive, x=x)
    assert verdict is Verdict.MISCOMPUTED
    assert found.startswith("value: nan where the truth is ")
    assert said(naive, value=np.array([0.0, 1.0]), x=x) == RIGHT  # nothing is bounded, no number accused


def test_an_integer_is_itself():
    def step(found):
        return verdict_on_value(np.array([0, 1]), np.asarray(found), lambda: None, "numpy", "float64")

    assert step([0, 1]) == step(np.array([0, 1], np.int32)) == step(np.array([False, True])) == RIGHT
    assert step([1, 1]) == (Verdict.WRONG, "value: [1 1] instead of [0 1]")
    assert step([0.0, 1.0]) == (Verdict.WRONG, "value: [0. 1.] instead of [0 1]")


def test_of_a_program_that_cannot_be_recorded_nothing_is_proven():
    def unrecorded():
        raise Unsupported("no program")

    assert verdict_on_value(truth(np.exp, X), np.exp(X), unrecorded, "numpy", "float64") == RIGHT
