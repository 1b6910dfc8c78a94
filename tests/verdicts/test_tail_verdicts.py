"""Where digits go in the libraries' own derivatives: how many are lost, and to which operation."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness.check import check_gradient
from harness.proof.evidence import budget
from harness.verdicts import Verdict
from oracles.exact.program.formats import FORMATS
from tests.sampling import sample
from tests.verdicts.corpus import to_jax, to_torch
from tests.verdicts.tails import TAILS, computed, lost, unattainable

LOAD = {"jax": to_jax, "torch": to_torch}
PAIRS = [(library, name) for name, tail in TAILS.items() for library in tail.bits]
# No loss of digits but a kernel that computes something else than it should, by more than any rounding.
MISCOMPUTED = {
    ("jax", "digamma at -9.3"): "polygamma",
    ("torch", "digamma at -9.3"): "polygamma",
    ("torch", "digamma at 2.5"): "polygamma",
}
# Neither, but another formula: three terms of an asymptotic series, 1.6e-11 off.
APPROXIMATED = {("jax", "log_ndtr at -40")}
# The operation is one kernel, and the loss is inside it.
INSIDE = {("torch", "gelu at -8"): "gelu_backward"}


def checked(library, name):
    tail = TAILS[name]
    args = (LOAD[library](np.array([tail.x], tail.dtype)),)
    return check_gradient(getattr(tail, library), args, cotangent=np.ones(1, tail.dtype), upstream="fail")


def bits_beyond(library, name):
    """The lost bits that could have been kept, from mpmath; 0 where none are lost."""
    tail = TAILS[name]
    found = computed(tail, library)
    digits = FORMATS[tail.dtype].digits
    return digits if found == 0 else min(max(lost(tail, found) - unattainable(tail), 0), digits)


@pytest.mark.parametrize(
    ("library", "name"), sample([p for p in PAIRS if p not in {*MISCOMPUTED, *APPROXIMATED}], 2)
)
def test_a_tail_is_imprecise_exactly_where_more_than_the_budget_is_lost(library, name):
    found, bits = checked(library, name), bits_beyond(library, name)
    assert found.worst.bits_lost == pytest.approx(bits, abs=0.6)
    too_many = bits > budget(TAILS[name].dtype)
    assert found.verdict is (Verdict.IMPRECISE if too_many else Verdict.ACCURATE)
    assert found.passed != too_many
    if not too_many:
        assert found.diagnosis == ""
    elif (library, name) in INSIDE:
        assert INSIDE[library, name] in found.diagnosis
    else:
        assert found.diagnosis.endswith(f" of {FORMATS[TAILS[name].dtype].digits} bits cancel")


def test_tails_lie_on_both_sides_of_the_budget():
    over = [bits_beyond(*p) > budget(TAILS[p[1]].dtype) for p in PAIRS]
    assert min(sum(over), len(over) - sum(over)) > 10


@pytest.mark.parametrize(("library", "name"), MISCOMPUTED)
def test_a_defect_of_a_kernel_is_miscomputed_by_its_name(library, name):
    found = checked(library, name)
    assert (found.verdict, found.passed) == (Verdict.MISCOMPUTED, False)
    assert found.worst.error_ulp > found.worst.bound_ulp
    assert " ulps off, where the rounding of its program allows " in found.diagnosis
    assert found.diagnosis.endswith(f"{MISCOMPUTED[library, name]} contributes 100 % of the bound")


@pytest.mark.parametrize(("library", "name"), APPROXIMATED)
def test_an_approximation_that_is_differentiated_is_no_accurate_gradient(library, name):
    found = checked(library, name)
    assert found.verdict in {Verdict.WRONG, Verdict.MISCOMPUTED}
    assert found.worst.bits_lost == pytest.approx(bits_beyond(library, name), abs=0.6)


# -- the document's formula and a stable one --------------------------------------------------------------


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


AT = (np.array([40.7]),)


def test_the_documents_slope_of_sigmoid_loses_all_digits_at_40():
    found = check_gradient(sigmoid, AT, vjp=lambda g, x: g * (1.0 - sigmoid(x)) * sigmoid(x))
    assert (found.verdict, found.worst.bits_lost) == (Verdict.IMPRECISE, 53)
    assert found.diagnosis.startswith("subtract at test_tail_verdicts.py:")
    assert found.diagnosis.endswith(": 53 of 53 bits cancel")


def test_a_stable_slope_of_sigmoid_at_the_same_point_is_accurate():
    found = check_gradient(sigmoid, AT, vjp=lambda g, x: g * sigmoid(x) * sigmoid(-x))
    assert (found.verdict, found.worst.bits_lost) == (Verdict.ACCURATE, 0)


# -- underflow --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "x"),
    [
        (lambda x: x / torch.linalg.norm(x), torch.tensor([3e-300, 4e-300], dtype=torch.float64)),
        (lambda x: x / torch.sqrt((x * x).sum()), torch.tensor([3e-300, 4e-300], dtype=torch.float64)),
        (lambda x: x / jnp.linalg.norm(x), jnp.array([3e-30, 4e-30], "float32")),
    ],
    ids=["torch norm", "torch sqrt", "jax norm"],
)
def test_a_norm_that_underflows_is_miscomputed_and_named(function, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = check_gradient(function, (x,))
    assert (found.verdict, found.passed) == (Verdict.MISCOMPUTED, False)
    assert not np.isfinite(found.worst.computed)
    assert ": underflow: a number that is not 0 becomes 0 at " in found.diagnosis


def test_a_norm_that_does_not_underflow_is_accurate():
    with jax.enable_x64(True):
        assert check_gradient(lambda x: x / jnp.linalg.norm(x), (jnp.array([3e-100, 4e-100]),)).passed
