"""Every case in NumPy and every framework against the exact gradients, on shapes and numbers drawn anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.cases import catalogue
from harness.runs.record import Cell
from harness.runs.row import examine
from harness.verdicts import Outcome, Verdict
from oracles import JaxOracle, NumpyOracle, TorchOracle, jax_functions, torch_functions
from oracles.exact_oracle import ExactOracle
from tests.oracles.drawn_anew import shaped_cases
from tests.sampling import draws, sample

JAX, TORCH, NUMPY, EXACT = JaxOracle(), TorchOracle(), NumpyOracle(), ExactOracle()
COMPILED = JaxOracle(compiled=True)
each_case = pytest.mark.parametrize("name", catalogue())
seeds = st.integers(0, 2**32 - 1)


def asked(oracle, case, dtype, args, cotangent):
    subject = oracle.subject(case, np.dtype(dtype))
    loaded = [subject.load(a) for a in args]
    value = subject.fetch_value(subject.value(*loaded))
    return value, subject.fetch_gradient(subject.gradient(subject.load(cotangent), *loaded)).arrays


def agrees(oracle, case, dtype, seed):
    """The value and the gradient are proven right, and keep the digits that their inputs allow."""
    record = examine(case, oracle, Cell(case.name, "drawn", dtype, oracle.name, seed), {})
    assert (record.outcome, record.verdict) == (Outcome.PASS, Verdict.ACCURATE), record.diagnosis
    assert (record.where == "") == (case.vjp is None)


@each_case
@settings(max_examples=draws(4, 8), deadline=None)
@given(data=st.data(), seed=seeds, dtype=st.sampled_from(["float64", "float32"]))
def test_the_hand_derived_gradient_agrees_on_every_shape(name, data, seed, dtype):
    agrees(NUMPY, data.draw(shaped_cases(name)), dtype, seed)


@each_case
@settings(max_examples=draws(4, 8), deadline=None)
@given(data=st.data(), seed=seeds, dtype=st.sampled_from(["float64", "float32"]))
def test_torch_agrees_on_every_shape(name, data, seed, dtype):
    agrees(TORCH, data.draw(shaped_cases(name)), dtype, seed)


@each_case
@pytest.mark.parametrize("oracle", sample([COMPILED, JAX], 2), ids=lambda o: o.name)
@settings(max_examples=draws(1, 2), deadline=None)  # each new shape is compiled
@given(data=st.data(), seed=seeds, dtype=st.sampled_from(["float64", "float32"]))
def test_jax_agrees_on_every_shape(name, oracle, data, seed, dtype):
    agrees(oracle, data.draw(shaped_cases(name)), dtype, seed)


@pytest.mark.parametrize("functions", [jax_functions, torch_functions], ids=lambda m: m.__name__)
def test_each_framework_writes_the_whole_catalogue_and_nothing_else(functions):
    assert set(functions.FUNCTIONS) == set(catalogue())


@each_case
@pytest.mark.parametrize("oracle", [NUMPY, TORCH, EXACT, *sample([COMPILED, JAX], 2)], ids=lambda o: o.name)
def test_the_cotangent_is_used_and_used_linearly(name, oracle):
    """A framework asked for the gradient of the sum would pass a cotangent of ones only."""
    case = catalogue()[name]
    args, cotangent = case.draw("ordinary", "float64", 1)
    _, once = asked(oracle, case, "float64", args, cotangent)
    _, thrice = asked(oracle, case, "float64", args, -3 * cotangent)
    for a, b in zip(once, thrice, strict=True):
        assert (a is None) == (b is None) == (case.vjp is None)
        if a is not None:
            np.testing.assert_allclose(b, -3 * a, rtol=1e-11, atol=1e-14)
            assert np.any(a)


@pytest.mark.parametrize("oracle", [NUMPY, JAX, TORCH, EXACT], ids=lambda o: o.name)
def test_no_gradient_is_none_and_not_zeros(oracle):
    case = catalogue()["step_function"]
    args, cotangent = case.draw("ordinary", "float64", 0)
    value, gradients = asked(oracle, case, "float64", args, cotangent)
    assert gradients == (None,)
    np.testing.assert_array_equal(value, (args[0] > 0).astype(int))


@pytest.mark.parametrize("oracle", [NUMPY, JAX, TORCH, EXACT], ids=lambda o: o.name)
def test_the_guard_inside_the_logarithm_is_in_the_gradient(oracle):
    """(p_y / (p_y + 1e-7)) (p - onehot): visible where p_y is as small as the guard."""
    case = catalogue()["softmax_loss"]
    args = np.array([[0.0, np.log(1e7)]]), np.array([[1.0, 0.0]])
    p = 1 / (1 + 1e7)
    factor = p / (p + 1e-7)
    _, (gradient,) = asked(oracle, case, "float64", args, np.ones(()))
    np.testing.assert_allclose(gradient, [[factor * (p - 1), factor * (1 - p)]], rtol=1e-8)
    assert 0.49 < factor < 0.51


def test_a_case_that_is_not_written_is_unsupported_with_a_reason():
    from dataclasses import replace

    unknown = replace(catalogue()["relu"], name="gelu")
    assert JAX.unsupported(unknown) == "gelu is not written in oracles/jax_functions.py"
    assert TORCH.unsupported(unknown) == "gelu is not written in oracles/torch_functions.py"
    assert not any(o.unsupported(case) for o in (JAX, TORCH, NUMPY, EXACT) for case in catalogue().values())
