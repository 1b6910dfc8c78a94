"""The border cases and the tails are what they say, before any verdict is asked about them."""

from __future__ import annotations

import numpy as np
import pytest

from tests.verdicts import healthy_jax, mutants_torch
from tests.verdicts.corpus import draw, gradient, value
from tests.verdicts.healthy import CASES, SLOPES
from tests.verdicts.tails import TAILS, computed, lost, unattainable


def output_cotangent(case):
    """A signed cotangent of the output's shape."""
    shape = np.shape(value(case.framework, case.function, case.x))
    return np.asarray(draw(shape, "float64", 5)[1])


@pytest.mark.parametrize(
    "name", [n for n, case in CASES.items() if case.declared and case.framework != "numpy"]
)
def test_a_declared_rule_is_the_gradient_of_what_it_declares(name):
    case = CASES[name]
    cotangent = output_cotangent(case)
    found = gradient(case.framework, case.function, case.x, cotangent)
    wanted = gradient(case.framework, case.spec or case.surrogate, case.x, cotangent)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-12 * np.abs(wanted).max())


def difference(function, x, cotangent, step=1e-3):
    """The gradient by fourth-order central differences, good to about eleven digits here."""
    found = np.empty_like(x)
    for at in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[at] = step
        ends = [np.sum(cotangent * function(x + k * move)) for k in (-2, -1, 1, 2)]
        found[at] = np.dot([1, -8, 8, -1], ends) / (12 * step)
    return found


@pytest.mark.parametrize(
    "name", [n for n, case in CASES.items() if case.framework == "numpy" and "slope" not in n]
)
def test_hand_written_numpy_is_right_or_wrong_as_it_says(name):
    case = CASES[name]
    cotangent = output_cotangent(case)
    found = case.function.vjp(cotangent.copy(), case.x)
    wanted = difference(case.function.forward, case.x, cotangent)
    assert (np.abs(found - wanted).max() > 1e-9 * np.abs(wanted).max()) == (case.verdict == "wrong")
    if case.spec:
        ideal = difference(case.spec, case.x, cotangent)
        np.testing.assert_allclose(found, ideal, rtol=0, atol=1e-10 * np.abs(ideal).max())


PLAIN = {
    "held gate by hand, jax": healthy_jax.gated,
    "detach inside a Function, torch": mutants_torch.PLAIN["silu"],
    "incoming gradient overwritten, torch": mutants_torch.PLAIN["softmax"],
    "incoming gradient kept, torch": mutants_torch.PLAIN["softmax"],
    "temporary overwritten, torch": mutants_torch.PLAIN["silu"],
    "temporary reused, torch": mutants_torch.PLAIN["silu"],
}


@pytest.mark.parametrize("name", PLAIN)
def test_a_custom_backward_is_right_or_wrong_as_it_says(name):
    case = CASES[name]
    cotangent = output_cotangent(case)
    wanted = gradient(case.framework, PLAIN[name], case.x, cotangent)
    found = gradient(case.framework, case.function, case.x, cotangent.copy())
    assert (np.abs(found - wanted).max() > 1e-12 * np.abs(wanted).max()) == (case.verdict == "wrong")


@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("slope", SLOPES)
def test_relu_has_the_slope_it_says(slope, framework):
    case = CASES[f"relu with slope {slope} at 0, {framework}"]
    found = gradient(framework, case.function, case.x, np.ones(4))
    np.testing.assert_array_equal(found, [0, slope, 1, slope])


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.mutates])
def test_what_mutates_overwrites_its_cotangent(name):
    case = CASES[name]
    cotangent = output_cotangent(case)
    before = cotangent.copy()
    gradient(case.framework, case.function, case.x, cotangent)
    assert (cotangent != before).any()


@pytest.mark.parametrize(("library", "name"), [(lib, n) for n, tail in TAILS.items() for lib in tail.bits])
def test_tails_lose_the_digits_that_were_measured(library, name):
    tail = TAILS[name]
    assert lost(tail, computed(tail, library)) == pytest.approx(tail.bits[library], abs=1)


def test_near_its_minimum_nobody_can_keep_the_digits_of_silu():
    tail = TAILS["silu near its minimum"]
    for library in tail.bits:
        assert lost(tail, computed(tail, library)) <= unattainable(tail)
