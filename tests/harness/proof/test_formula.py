"""E against T, on NumPy programs whose formula is right or wrong by construction."""

import math
import re

import numpy as np
import pytest
import torch

import harness
from harness.page.elements import elements
from harness.proof.accusation import SPEC, SURROGATE
from harness.proof.formula import compare
from harness.proof.question import Question
from harness.proof.truth import true_gradient
from harness.verdicts import Verdict
from oracles.exact.enclose.limits import Limits
from oracles.exact.from_numpy import record
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Undecided
from oracles.exact_oracle import LIMITS

X = np.array([0.5, -1.25, 2.0])
CT = np.array([0.75, -1.5, 1.0])


def compared(forward, rule, *args, cotangent=CT, **more):
    """What E says of a rule, `rule(cotangent, *args)`, and the names are x, y."""
    args = args or (X,)
    recording = record(forward, args, {})
    names = tuple("xy"[: len(args)])
    truth = true_gradient(recording, [cotangent], range(len(args)), names, LIMITS, vjp, False)
    question = Question(lambda arrays: recording, names, tuple(range(len(args))), **more)
    return compare(truth, record(rule, (cotangent, *args), {}, differentiate=False), question)


def wrong(found):
    """Which elements are said to be wrong."""
    return [(~a).nonzero()[0].tolist() for a in found.agrees]


def test_the_derivative_written_otherwise_is_the_same_formula():
    found = compared(lambda x: x**3, lambda g, x: g * x * x + 2 * x * (g * x))
    assert all(a.all() for a in found.agrees)
    assert found.reason == ""


@pytest.mark.parametrize("factor", [1.001, 1 + 2.0**-20, 1 + 2.0**-45, -1.0, 0.0])
def test_another_factor_is_another_formula_at_every_element(factor):
    found = compared(lambda x: x * x, lambda g, x: 2 * factor * g * x)
    assert wrong(found) == [[0, 1, 2]]
    assert found.reason.startswith("the formula gives ")
    assert "3 of 3 elements differ" in found.reason


@pytest.mark.parametrize("off", [1e-3, 1e-13])
def test_two_numbers_that_differ_are_shown_as_different(off):
    """As torch's forward rule of logcumsumexp, which adds 1e-13 below the line."""
    found = harness.check_gradient(
        lambda x: x * x, [np.array([0.3, 0.7])], vjp=lambda ct, x: ct * (2 * x) * (1 + off)
    )
    given, true = re.search(r"gives (\S+) at .*, the derivative is (\S+)", found.diagnosis).groups()
    assert given != true


def test_only_the_wrong_elements_are_wrong_and_the_furthest_is_named():
    def rule(g, x):
        found = 2 * g * x
        found[1] *= 1.5
        return found

    found = compared(lambda x: x * x, rule)
    assert wrong(found) == [[1]]
    assert found.reason == (
        "the formula gives 5.62500000000 at x[1], the derivative is 3.75000000000 (relative error 0.5); "
        "1 of 3 elements differ"
    )


def test_the_argument_that_is_wrong_is_named():
    found = compared(lambda x, y: x * y, lambda g, x, y: (g * y, g * x * 1.125), X, X + 1)
    assert wrong(found) == [[], [0, 1, 2]]
    assert " at y[" in found.reason
    assert "(relative error 0.12); 3 of 6 elements differ" in found.reason


# -- numbers that stand in the code -----------------------------------------------------------------------


def bell(x):
    return np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def test_a_constant_that_is_rounded_in_another_place_is_the_same_number():
    inverse = 1 / math.sqrt(2 * math.pi)
    found = compared(bell, lambda g, x: -g * x * np.exp(-x * x / 2) * inverse)
    assert all(a.all() for a in found.agrees)


def test_a_constant_with_a_wrong_tenth_digit_is_another():
    off = (1 + 1e-10) / math.sqrt(2 * math.pi)
    assert wrong(compared(bell, lambda g, x: -g * x * np.exp(-x * x / 2) * off)) == [[0, 1, 2]]


# -- hints ------------------------------------------------------------------------------------------------


def test_a_forward_without_its_small_number_is_recognised():
    found = compared(lambda x: np.log(x * x + 1e-7), lambda g, x: 2 * g / x)
    assert wrong(found) == [[0, 1, 2]]
    assert found.reason.endswith(f"It is the derivative of the function without its 1e-07: {SPEC}")


def test_a_small_number_that_is_not_what_is_missing_is_not_blamed():
    found = compared(lambda x: np.log(x * x + 1e-7), lambda g, x: 3 * g / x)
    assert "without its" not in found.reason


def test_a_floor_in_whose_place_0_is_a_kink_is_not_what_is_missing():
    """max(x - 1, 1e-300) at 1: max(x - 1, 0) has any slope from 0 to 1 there, which meets every formula."""
    found = compared(
        lambda x: np.sin(x) + np.maximum(x - 1.0, 1e-300),
        lambda g, x: g * np.cos(x) * (1 + 1e-11),
        np.array([1.0]),
        cotangent=np.array([0.75]),
    )
    assert wrong(found) == [[0]]
    assert "without its" not in found.reason


def test_a_flat_forward_hints_at_a_surrogate():
    found = compared(np.round, lambda g, x: g * 1.0)
    assert wrong(found) == [[0, 1, 2]]
    assert found.reason.endswith(f"The forward is flat here (is it rounded, or a step?): {SURROGATE}")


def test_an_identity_hints_at_a_surrogate():
    found = compared(lambda x: x * 1, lambda g, x: -g)
    assert found.reason.endswith(f"The forward is the identity here: {SURROGATE}")


@pytest.mark.parametrize(("factor", "said"), [(1.001, True), (1.5, False)])
def test_a_close_formula_hints_at_an_approximation(factor, said):
    found = compared(lambda x: x * x, lambda g, x: 2 * factor * g * x)
    hint = f"So close, the forward may be an approximation of what is meant: then {SPEC}"
    assert found.reason.endswith(hint) == said


# -- the second witness -----------------------------------------------------------------------------------


def halved(x):
    """x clipped to [-2, 2], found by halving an interval: its own derivative is 0."""
    low, high = np.full_like(x, -2), np.full_like(x, 2)
    for _ in range(12):
        middle = (low + high) / 2
        low = np.where(middle < x, middle, low)
        high = np.where(middle < x, high, middle)
    return (low + high) / 2 + 0.25 * x * 0 + 0.0625 * x  # not flat: the witness is asked


INSIDE = np.array([0.3, -1.1, 1.7])


def test_an_iteration_whose_rule_is_seen_from_a_distance_is_undecided():
    found = compared(halved, lambda g, x: 1.0625 * g, INSIDE)
    assert found.agrees is None
    assert found.reason.startswith("from a distance (steps around 2^")
    assert found.reason.endswith(f"it is an iteration or is rounded; {SPEC}, or {SURROGATE}")


@pytest.mark.parametrize("slope", [1.5, -1.0625])
def test_a_wrong_rule_for_an_iteration_is_wrong(slope):
    assert wrong(compared(halved, lambda g, x: slope * g, INSIDE)) == [[0, 1, 2]]


def test_a_rule_of_an_iteration_within_its_resolution_is_undecided_and_further_off_wrong():
    """The rule is off by as much as the iteration's stairs are high, or by 2^-30."""

    def energy(x):
        y = halved(x)
        return x * x + 2.0**-53 * y

    near = compared(energy, lambda g, x: g * (2 * x + 2.0**-53 * 0.5), INSIDE)
    assert near.agrees is None
    assert "off the derivative here" in near.reason
    assert wrong(compared(energy, lambda g, x: g * (2 * x + 2.0**-30), INSIDE)) == [[0, 1, 2]]


def by_newton(x):
    """The square root of 2, from x: it depends on x by what is left to do."""
    for _ in range(7):
        x = x - (x * x - 2) / (2 * x)
    return x


def test_what_vanishes_as_an_iteration_converges_is_near_and_wrong_all_the_same():
    found = compared(by_newton, lambda g, x: 0 * g * x, np.array([1.0, 1.5, 2.0]))
    assert (wrong(found), found.near) == ([[0, 2]], True)
    assert not compared(by_newton, lambda g, x: 0 * g * x, np.array([1.0, 1.5, 30.0])).near
    assert not compared(lambda x: 1e-30 * x, lambda g, x: 0 * g * x).near


def on_one_line(x):
    return np.sin(x) * x + np.cos(x) * x + np.tanh(x) * x + np.arctan(x) * x + np.exp(x) * x


def test_a_long_line_is_no_loop():
    assert not compared(on_one_line, lambda g, x: g * np.exp(x)).near
    y = np.array([1.0, 1.0, 1.0])  # one number alone tells no factor
    rule = on_one_line(1 + 1e-6) - on_one_line(1.0)
    assert not compared(on_one_line, lambda g, x: g * (rule * 1e6), y).near


def test_what_a_framework_wrote_knows_no_better_than_the_forward():
    assert wrong(compared(halved, lambda g, x: 1.0625 * g, INSIDE, custom=False)) == [[0, 1, 2]]


def test_where_numbers_that_may_stand_for_others_decide_a_branch_nothing_is_said():
    """0.1 is a ball around a tenth, and whether x * 10 * 0.1 is below x is open then."""

    def f(x):
        return np.where(x * 10 * 0.1 < x, x, x * x)

    found = compared(f, lambda g, x: g * np.where(x * 10 * 0.1 < x, 3.0, 2.5), np.array([0.7, 1.3, 2.1]))
    assert found.agrees is None
    assert "may explain that: a comparison hangs on them at this point: cannot compare" in found.reason


# -- what cannot be said ----------------------------------------------------------------------------------


def test_a_program_that_cannot_be_evaluated_says_why():
    with pytest.raises(Undecided, match=r"output 0, element \(1,\): not finite"):
        compared(lambda x: x * x, lambda g, x: 2 * g * x + np.log(x) * 0, limits=Limits(seconds=2.0))


def test_at_a_kink_the_formula_meets_every_legal_slope():
    at_zero = np.array([-1.0, 0.0, 1.0])
    for slope, expected in ((0.0, []), (0.5, []), (1.0, []), (2.0, [1]), (-0.125, [1])):

        def rule(g, x, slope=slope):
            return g * np.where(x > 0, 1.0, np.where(x == 0, slope, 0.0))

        found = compared(lambda x: np.maximum(x, 0), rule, at_zero, cotangent=np.ones(3))
        assert wrong(found) == [expected], slope


TIED = np.array([1.0, 0.5, 1.0])


@pytest.mark.parametrize(("shares", "said"), [
    ([0.5, 0.0, 0.5], []), ([1.0, 0.0, 0.0], []), ([0.25, 0.0, 0.75], []),
    ([1.0, 0.0, 1.0], "they give 2, where the derivative is 1"),
    ([0.0, 0.0, 0.0], "they give 0, where the derivative is 1"),
])  # fmt: skip
def test_the_shares_of_a_tied_maximum_add_up_to_one(shares, said):
    found = compared(np.max, lambda g, x: g * np.array(shares), TIED, cotangent=np.ones(()))
    assert wrong(found) == ([[0, 2]] if said else [[]])
    assert found.reason.endswith(f"along (1, 0, 1) {said}" if said else "")


def test_a_slope_that_is_free_has_no_sum_that_is_wanted():
    """|x| and max(x, 0) at 0 may take any of their slopes, each on its own."""

    def f(x):
        return np.abs(x) + np.maximum(x, 0)

    for slope in (-1.0, 0.0, 0.5, 2.0):
        found = compared(f, lambda g, x, slope=slope: g * slope + x * 0, np.zeros(3), cotangent=np.ones(3))
        assert wrong(found) == [[]]


# -- numbers that stand for others, where the branch that is taken says nothing of the slope ----------------


def isolated(c):
    """c sin(x) / x, and c where x is 0: there the slope is 0, and that of the branch that is taken is 5 c."""
    return lambda x: np.where(x == 0.0, c * (1.0 + 5.0 * x), c * np.sin(x) / np.where(x == 0.0, 1.0, x))


@pytest.mark.parametrize("c", [1.0, 0.1])
def test_a_number_that_stands_for_others_does_not_change_the_branch(c):
    at, cotangent = np.array([0.0]), np.array([2.0])
    found = compared(isolated(c), lambda g, x: 5.0 * c * g, at, cotangent=cotangent)
    assert wrong(found) == [[0]]
    assert wrong(compared(isolated(c), lambda g, x: 0.0 * g, at, cotangent=cotangent)) == [[]]


@pytest.mark.parametrize(("third", "wrongs"), [(1 / 3, []), (0.333, [0]), (0.0, [0])])
def test_at_an_isolated_point_numbers_still_stand_for_others(third, wrongs):
    def forward(x):  # slope 0.1 / 0.3 = 1/3, and 0.7 on the branch
        return np.where(x == 0.0, 0.7 * x, 0.1 * x / 0.3)

    found = compared(forward, lambda g, x: third * g, np.array([0.0]), cotangent=np.array([2.0]))
    assert wrong(found) == [wrongs]


# -- where the derivative before jumps -----------------------------------------------------------------------


@pytest.mark.parametrize("x", [[0.0, 1.0], [0.0, 0.0, 0.0]])
def test_a_second_derivative_where_the_first_jumps_is_not_there_and_so_never_wrong(x):
    """exp(-|x|) has the slopes 1 and -1 beside 0: torch's second derivative there is 0, beside it 1."""
    found = harness.check_gradient(
        lambda x: torch.exp(-x.abs()), (torch.tensor(x, dtype=torch.float64),), order=2, probes=False
    )
    assert found.verdict is Verdict.UNDECIDED
    assert "jumps at x[" in str(found)


def test_a_wrong_second_derivative_beside_such_a_jump_is_wrong():
    class Tent(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.exp(-x.abs())

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return -g * x.sign() * torch.exp(-x.abs() * 1.01)

    x = torch.tensor([0.0, 1.0], dtype=torch.float64)
    found = harness.check_gradient(Tent.apply, (x,), order=2, probes=False)
    assert found.verdict is Verdict.WRONG
    assert "[1], the derivative is" in str(found)
    assert each(found) == [Verdict.UNDECIDED, Verdict.WRONG]


def test_what_lies_beside_such_a_jump_has_the_verdict_that_it_has_alone():
    """Of a number nothing is known that jumps, of its neighbours all."""
    x = torch.tensor([0.0, -0.0, 1.0, -3.0], dtype=torch.float64)
    found = harness.check_gradient(lambda x: torch.exp(-x.abs()), (x,), order=2, probes=False)
    assert each(found) == [Verdict.UNDECIDED] * 2 + [Verdict.ACCURATE] * 2


def each(found):
    one = elements(found.sights[0], 0)
    return [one.verdict(at) for at in np.ndindex(one.shape)]
