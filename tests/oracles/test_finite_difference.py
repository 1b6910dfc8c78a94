"""Finite differences: whole or sampled, honest about both, and gentle with the caller's arrays."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cases import catalogue
from harness.cases.case import InputMaker
from oracles import FiniteDifferenceOracle
from oracles.exact_oracle import enclosed_gradient
from oracles.finite_difference import DIRECTIONS, SAMPLE, STEP, WHOLE

FD = FiniteDifferenceOracle()


def ask(case, args, cotangent, dtype="float64"):
    subject = FD.subject(case, np.dtype(dtype))
    loaded = [subject.load(a) for a in args]
    return subject.fetch_gradient(subject.gradient(subject.load(cotangent), *loaded))


def of(function, *args, cotangent=None, argnums=(0,)):
    """The differences of any NumPy function."""
    case = dataclasses.replace(
        catalogue()["identity_function"], function=function, vjp=function, argnums=argnums,
        arguments=tuple("abcdef"[: len(args)]), inputs=(InputMaker("x", lambda *_: args, ()),),
    )  # fmt: skip
    return ask(case, args, np.ones(np.shape(function(*args))) if cotangent is None else cotangent)


def test_it_informs_and_never_decides():
    assert FD.decides is False


def test_an_integer_output_is_unsupported_with_the_reason():
    assert FD.unsupported(catalogue()["step_function"]) == (
        "the output is an integer: there is no gradient to difference"
    )
    assert not any(FD.unsupported(case) for case in catalogue().values() if case.vjp)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 4), m=st.integers(1, 4))
def test_a_quadratic_has_no_truncation_error(seed, n, m):
    rng = np.random.default_rng(seed)
    a, b, cotangent, x = (np.round(rng.normal(size=(n, m)), 2) for _ in range(4))
    found = of(lambda x: a * x**2 + b * x, x, cotangent=cotangent)
    np.testing.assert_allclose(found.arrays[0], cotangent * (2 * a * x + b), atol=1e-9)
    assert found.error_estimate < 1e-9


@pytest.mark.parametrize(("size", "whole"), [(WHOLE, True), (WHOLE + 1, False)])
def test_up_to_a_limit_all_entries_are_differenced_and_beyond_a_sample(size, whole):
    found = of(lambda x: x**2, np.linspace(1, 2, size))
    (array,) = found.arrays
    assert array.shape == (size,)
    assert array.count() == (size if whole else SAMPLE)
    assert len(found.directions) == (0 if whole else DIRECTIONS)
    assert (f"{SAMPLE} of {size} entries" in found.note) != whole


def test_the_limit_counts_all_arguments_and_each_gets_its_share_of_the_sample():
    x, y = np.linspace(1, 2, WHOLE), np.array([2.0])
    found = of(lambda x, y: np.sum(x) * y, x, y, argnums=(0, 1))
    assert [a.count() for a in found.arrays] == [SAMPLE // 2, 1]
    assert f"{SAMPLE // 2 + 1} of {WHOLE + 1} entries" in found.note


def test_sampled_entries_hold_the_derivative_at_their_own_place():
    x = np.linspace(1, 2, 400).reshape(20, 20)
    (array,) = of(lambda x: x**3, x).arrays
    known = ~np.ma.getmaskarray(array)
    np.testing.assert_allclose(array.data[known], 3 * x[known] ** 2, rtol=1e-6)


def test_a_direction_holds_the_derivative_along_its_own_tangents():
    x, y = np.linspace(1, 2, 300), np.linspace(3, 4, 10)
    found = of(lambda x, y: np.sum(x**2) + np.sum(y**3), x, y, argnums=(0, 1))
    assert len(found.directions) == DIRECTIONS
    for direction in found.directions:
        assert all(set(np.unique(t)) == {-1.0, 1.0} for t in direction.tangents)
        along = np.vdot(2 * x, direction.tangents[0]) + np.vdot(3 * y**2, direction.tangents[1])
        assert direction.derivative == pytest.approx(along, rel=1e-6)
    assert len({d.derivative for d in found.directions}) == DIRECTIONS


def test_the_estimate_is_the_distance_between_h_and_half_of_it():
    """For x^3 the truncation error is h^2 exactly, so |D(h) - D(h/2)| is 3/4 h^2."""
    found = of(lambda x: x**3, np.array([0.5]))
    assert found.error_estimate == pytest.approx(0.75 * STEP**2, rel=1e-3, abs=0)
    truth = 3 * 0.5**2
    assert abs(found.arrays[0][0] - truth) == pytest.approx(STEP**2, rel=1e-3, abs=0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_where_the_estimate_is_above_rounding_it_tells_the_size_of_the_error(seed):
    x = np.random.default_rng(seed).uniform(0.5, 2, 5)
    found = of(lambda x: np.exp(30 * x), x)
    error = np.max(np.abs(found.arrays[0] - 30 * np.exp(30 * x)))
    assert 0.5 * error < found.error_estimate < error


@pytest.mark.parametrize(
    ("function", "point", "note"),
    [
        (np.exp, [1.0, -1.0], ""),
        (np.exp, [0.0], ""),
        (np.exp, [STEP / 2, 1.0, -STEP / 2], "|x| < h at 2"),
        (np.exp, [STEP], ""),
        (np.log, [STEP / 2, 1.0], "|x| < h at 1; outside f's domain at 1"),
        (lambda x: np.maximum(x, 0), [-1.0, 2.0, -3.0], "no change at 2"),
    ],
)
def test_the_note_says_where_the_step_cannot_resolve_the_point(function, point, note):
    assert of(function, np.array(point)).note == note


@pytest.mark.parametrize("power", range(14))
def test_the_note_says_by_how_much_the_step_is_rounded(power):
    x = 10.0**power
    real = (Fraction(x + STEP) - Fraction(x - STEP)) / 2
    off = abs(real / Fraction(STEP) - 1)
    wanted = [f"step off by {float(off):.1%}"] if off >= Fraction(1, 1000) else []
    wanted += ["no change at 1"] if real == 0 else []
    assert of(lambda x: x, np.array([x])).note == "; ".join(wanted)
    if power in {1, 13}:  # so that both kinds are there
        assert bool(wanted) == (power == 13)


def test_outside_the_domain_is_nan_in_the_result_and_silent():
    found = of(np.log, np.array([STEP / 2, 1.0]))
    assert np.isnan(found.arrays[0][0])
    assert found.arrays[0][1] == pytest.approx(1.0)
    assert np.isnan(found.error_estimate)


INPUTS = [(c, m.name) for c in catalogue().values() if c.vjp for m in c.inputs if m.name != "document"]


@pytest.mark.parametrize(("case", "name"), INPUTS, ids=[f"{c.name}-{n}" for c, n in INPUTS])
def test_the_callers_arrays_are_never_touched(case, name):
    """Locked arrays: a write that is undone afterwards would raise as well."""
    args, cotangent = case.draw(name, "float64", 0)
    before = [a.copy() for a in args]
    for array in (*args, cotangent):
        array.flags.writeable = False
    found = ask(case, args, cotangent)
    assert all(np.array_equal(a, b) for a, b in zip(args, before, strict=True))
    assert [a.shape for a in found.arrays] == [args[i].shape for i in case.argnums]


def test_each_entry_is_differenced_at_the_point_itself():
    """An entry left perturbed would shift the next one's point."""
    found = of(lambda x: np.prod(x), np.array([2.0, 3.0, 5.0]))
    np.testing.assert_allclose(found.arrays[0], [15.0, 10.0, 6.0], rtol=1e-9)


def test_float32_stays_float32():
    case = catalogue()["softmax_loss"]
    args, cotangent = case.draw("ordinary", "float32", 0)
    assert ask(case, args, cotangent, "float32").arrays[0].dtype == np.float32


@pytest.mark.parametrize("name", [n for n, c in catalogue().items() if c.vjp])
def test_ordinary_draws_agree_with_the_true_gradient(name):
    case = catalogue()[name]
    args, cotangent = case.draw("ordinary", "float64", 3)
    true = enclosed_gradient(case, args, cotangent)
    for got, want in zip(ask(case, args, cotangent).arrays, true, strict=True):
        np.testing.assert_allclose(got, want.mid, atol=1e-6)
