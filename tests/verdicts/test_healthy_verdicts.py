"""The verdict on programs at the border between right and wrong, undeclared and declared."""

import pytest

from harness.check import check_gradient
from tests.sampling import sample
from tests.verdicts.corpus import to_jax, to_torch
from tests.verdicts.healthy import CASES, SLOPES

LOAD = {"numpy": lambda x: x.copy(), "torch": to_torch, "jax": to_jax}


def checked(name, **declared):
    case = CASES[name]
    args = (LOAD[case.framework](case.x.copy()),)
    if case.framework == "numpy":
        return check_gradient(case.function.forward, args, vjp=case.function.vjp, **declared)
    return check_gradient(case.function, args, **declared)


LONG = [n for n in CASES if "50 halvings" in n]  # in each framework, seconds
ASKED = [n for n in CASES if n not in LONG or n in sample(LONG, 2)]


@pytest.mark.parametrize("name", ASKED)
def test_undeclared(name):
    found = checked(name)
    assert found.verdict == CASES[name].verdict
    assert found.passed == (found.verdict in {"accurate", "convention"} and not CASES[name].mutates)


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.declared])
def test_declared(name):
    case = CASES[name]
    found = checked(name, spec=case.spec) if case.spec else checked(name, surrogate=case.surrogate)
    assert found.verdict == case.declared
    assert found.passed


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.mutates])
def test_an_overwritten_cotangent_is_named(name):
    found = checked(name)
    assert found.faults == ("the cotangent was overwritten: a gradient must leave its arguments alone",)
    assert found.diagnosis.startswith(found.faults[0])


@pytest.mark.parametrize("name", [n for n in ASKED if n.startswith("sparsemax")])
def test_an_iteration_asks_for_its_specification(name):
    found = checked(name)
    assert found.diagnosis.startswith("from a distance (steps around 2^")
    assert "pass the function that is meant as spec=" in found.diagnosis


@pytest.mark.parametrize("name", [n for n, case in CASES.items() if case.surrogate])
def test_a_flat_forward_asks_for_a_surrogate(name):
    assert checked(name).diagnosis.endswith(
        "The forward is flat here (is it rounded, or a step?): if the gradient is meant to be another "
        "function's, pass that function as surrogate="
    )


def test_the_books_gradient_belongs_to_the_loss_without_its_small_number():
    found = checked("the book's loss, numpy")
    assert found.diagnosis.endswith(
        "It is the derivative of the function without its 1e-07: pass the function that is meant as spec="
    )
    assert "24 of 24 elements differ" in found.diagnosis


@pytest.mark.parametrize("name", [n for n in CASES if n.startswith("three Newton steps")])
def test_an_approximation_asks_for_what_it_approximates(name):
    assert checked(name).diagnosis.endswith(
        "(relative error 0.0021); 6 of 6 elements differ. So close, the forward may be an approximation of "
        "what is meant: then pass the function that is meant as spec="
    )


@pytest.mark.parametrize("framework", LOAD)
@pytest.mark.parametrize("slope", SLOPES)
def test_a_slope_at_a_kink_is_named(slope, framework):
    found = checked(f"relu with slope {slope} at 0, {framework}")
    if SLOPES[slope] == "convention":
        assert f" takes {slope:.3g} of the slope (" in found.diagnosis
        assert found.diagnosis.endswith(", and 1 more elements at kinks")
    else:
        assert "2 of 4 elements differ" in found.diagnosis
