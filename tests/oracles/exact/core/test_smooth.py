"""The smooth functions of the C core: hundreds of balls each; more with `soundness` as a program."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oracles.exact.core import library
from oracles.exact.core.pairs import Pairs
from oracles.exact.core.plan import Plan
from oracles.exact.core.rules import COEFFICIENTS, rule
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.jets import JETS
from oracles.exact.program.primitives import scalar
from oracles.exact.program.program import Builder
from tests.oracles.exact.core.smooth_functions import FUNCTIONS, checked, value

pytestmark = pytest.mark.skipif(bool(library.problem()), reason="the core is not built")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_holds_the_truth_with_enough_digits(name: str) -> None:
    """Arb's value at a random point of each ball; exact arguments keep their digits."""
    found = checked(name, 300, seed=1)
    assert not found.outside
    assert found.digits >= FUNCTIONS[name].digits
    assert found.unknown <= 0.5


ZERO_AT_ZERO = (
    "erf",
    "sin",
    "tan",
    "expm1",
    "log1p",
    "tanh",
    "atan",
    "sinh",
    "asinh",
    "atanh",
    "asin",
    "cbrt",
)
EXACT = {(name, 0.0): 0.0 for name in ZERO_AT_ZERO}
EXACT |= {(name, 0.0): 1.0 for name in ("erfc", "cos", "cosh")}
EXACT |= {(name, 1.0): 0.0 for name in ("log", "acosh", "acos")}


@pytest.mark.parametrize(("name", "at"), EXACT)
def test_exact_values(name: str, at: float) -> None:
    """Where a function is a number, it has no radius."""
    found = value(name, Pairs(np.array([at]), np.zeros(1), np.zeros(1)))
    assert (*found.h, *found.l, *found.r) == (EXACT[name, at], 0.0, 0.0)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("ball", [(np.nan, 0.0, 0.0), (1.0, 0.0, np.nan), (1.0, 0.0, np.inf)])
def test_what_is_not_known_stays_unknown(name: str, ball: tuple[float, float, float]) -> None:
    """Neither a NaN nor an infinite radius gives a ball."""
    assert not value(name, Pairs(*np.array(ball)[:, None])).known


@pytest.mark.parametrize(
    "name", ["exp", "tanh", "erf", "erfc", "expm1", "atan", "sinh", "asinh", "cbrt", "log"]
)
def test_a_wide_ball_goes_from_one_end_to_the_other(name: str) -> None:
    """Where a function only rises, or only falls, it is between its ends."""
    x = Pairs(np.array([3.0, 20.5, 2.0, 30.0]), np.zeros(4), np.array([2.5, 20.0, 1.9, 1.0]))
    ends = [value(name, Pairs(h, x.l, x.l)) for h in (x.h - x.r, x.h + x.r)]
    found = value(name, x)
    assert found.known
    far = np.max([np.abs(end.h - found.h) for end in ends], axis=0)
    assert (far <= found.r).all()
    assert (found.r <= 1.001 * far + 1e-15).all() or name not in {"exp", "tanh", "erf", "erfc", "expm1"}


@pytest.mark.parametrize("name", ["sin", "cos"])
def test_a_wave_is_never_beyond_1(name: str) -> None:
    """However wide its ball is."""
    found = value(name, Pairs(np.array([0.5, 1e9, -3.0]), np.zeros(3), np.array([40.0, 1e8, 6.0])))
    assert (found.h.tolist(), found.r.tolist()) == ([0.0] * 3, [1.0] * 3)


@pytest.mark.parametrize("name", ["digamma", "trigamma", "hexagamma", "tan", "log", "log1p", "atanh"])
def test_a_wide_ball_around_a_pole_is_unknown(name: str) -> None:
    """Its ends say nothing of what is between them."""
    assert not value(name, Pairs(np.array([0.25]), np.zeros(1), np.array([5.0]))).known


@pytest.mark.parametrize(("name", "order"), [*((n, k) for n in JETS for k in range(4)), *COEFFICIENTS])
def test_slopes_are_those_of_arb(name: str, order: int) -> None:
    """Every coefficient as instructions, none of them Arb's, against Arb on the same program."""
    points = np.array([1.5, 2.25, 37.0] if name == "acosh" else [0.3, 0.6875, 0.99])
    builder = Builder()
    program = builder.program([scalar(name, builder.input(points.shape, "float64"), order=order)])
    plan = Plan(program, rule)
    assert not [n for n in plan.nodes if n.operation == "detour"]
    (found,) = plan.run([points]) or ()
    (true,) = evaluate(program, [points], 300)
    assert found.known
    assert (found.r <= 2.0**-85 * np.abs(found.h)).all()
    for ball, arbs in zip(found.balls.ravel(), true.ravel(), strict=True):
        assert ball.overlaps(arbs)


@pytest.mark.parametrize(("n", "order"), [(n, order) for n in range(5) for order in range(5)])
def test_slopes_of_polygamma_are_those_of_arb(n: int, order: int) -> None:
    """As instructions up to the fourth derivative of digamma, beyond as Arb's."""
    points = np.array([1e-4, 0.3, 2.0, 17.5, 300.0, 1e9])
    builder = Builder()
    which = builder.constant(np.full(points.shape, float(n)))
    program = builder.program(
        [scalar("polygamma", builder.input(points.shape, "float64"), which, order=order)]
    )
    plan = Plan(program, rule)
    detours = [m for m in plan.nodes if m.operation == "detour"]
    assert bool(detours) == (n + order > 4)
    (found,) = plan.run([points]) or ()
    (true,) = evaluate(program, [points], 300)
    assert detours or (found.r <= 2.0**-80 * np.abs(found.h)).all()
    for ball, arbs in zip(found.balls, true, strict=True):
        assert ball.overlaps(arbs)


@pytest.mark.parametrize("along", range(3))
@pytest.mark.parametrize("order", range(3))
def test_powers_are_those_of_arb(order: int, along: int) -> None:
    """x^y and its slopes along both."""
    x, y = np.array([0.3, 2.0, 17.5, 1.0]), np.array([0.5, -1.25, 3.0, 0.75])
    builder = Builder()
    base, exponent = (builder.input((4,), "float64") for _ in "xy")
    kept = {"along": along} if along else {}
    program = builder.program([scalar("real_power", base, exponent, order=order, **kept)])
    plan = Plan(program, rule)
    assert not [n for n in plan.nodes if n.operation == "detour"]
    (found,) = plan.run([x, y]) or ()
    (true,) = evaluate(program, [x, y], 300)
    assert (found.r <= 2.0**-90 * np.maximum(np.abs(found.h), 2.0**-10)).all()
    for ball, arbs in zip(found.balls, true, strict=True):
        assert ball.overlaps(arbs)


@pytest.mark.parametrize("name", ["erf", "sin", "cos", "log", "atan", "acosh", "lgamma"])
def test_a_slope_alone_does_not_compute_the_value(name: str) -> None:
    """Neither in a plan, nor in Arb's balls."""
    builder = Builder()
    plan = Plan(builder.program([scalar(name, builder.input((2,), "float64"), order=1)]), rule)
    assert name not in {n.operation for n in plan.nodes}
    if name in JETS:
        asked = JETS[name](Never(name), np.array([2.0, 3.0]), 1)
        assert asked[1].shape == (2,)
        with pytest.raises(LookupError):
            asked[0]


class Never:
    """Functions of numbers, one of which raises."""

    def __init__(self, name: str) -> None:
        self.name = name

    def number(self, above: int, below: int = 1) -> float:
        """A fraction."""
        return above / below

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name == self.name:
            raise LookupError(name)
        return lambda x: abs(x) + 1
