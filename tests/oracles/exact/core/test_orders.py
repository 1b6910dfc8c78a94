"""What the core sorts by itself is as Arb sorts it; what it cannot tell is Arb's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from flint import arb
from hypothesis import example, given
from hypothesis import strategies as st

from harness.check import check_gradient
from harness.verdicts import Verdict
from oracles.exact.core import library
from oracles.exact.core.orders import ORDERS
from oracles.exact.core.pairs import WIDE, Pairs, sum_of_numbers
from oracles.exact.core.plan import Plan
from oracles.exact.core.rules import rule
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program.balls import KINKS, precision
from oracles.exact.program.errors import Undecided
from oracles.exact.program.primitives import orders, sorting
from oracles.exact.program.program import PRIMITIVES, Builder

PARAMS = {"sort": {"axis": 1}, "argsort": {"axis": 1}, "arrange": {"axis": 1, "back": False}, "back": {}}
PARAMS["back"] = {"axis": 1, "back": True}
NUMBERS = st.sampled_from([-np.inf, -3.0, -1.0, -0.0, 0.0, 5e-324, 1.0, 1 + 2.0**-52, 2.0, 1e300, np.inf])


@st.composite
def rows(draw) -> tuple[Pairs, Pairs]:
    """Balls to be sorted, near one another, and what belongs to them."""
    shape = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    size = shape[0] * shape[1]
    h = np.array(draw(st.lists(NUMBERS, min_size=size, max_size=size)))
    low = np.array(
        draw(st.lists(st.sampled_from([0.0, 2.0**-60, -(2.0**-60)]), min_size=size, max_size=size))
    )
    r = np.array(
        draw(st.lists(st.sampled_from([0.0, 0.0, 0.0, 2.0**-70, 1.0]), min_size=size, max_size=size))
    )
    whole = sum_of_numbers(h, low * np.where(np.abs(h) < 1e100, np.abs(h), 0.0))
    r = np.where(np.isinf(h), 0.0, r)
    x = Pairs(whole.h, whole.l, r).reshape(shape)
    t = np.array(draw(st.lists(st.sampled_from([-1.0, 0.5, 3.0]), min_size=size, max_size=size)))
    width = np.array(
        draw(st.lists(st.sampled_from([0.0, 0.0, 2.0**-80, 0.25]), min_size=size, max_size=size))
    )
    return x, Pairs(t, np.zeros(size), width).reshape(shape)


def row(middles: list[float], radii: list[float]) -> Pairs:
    return Pairs(np.array([middles]), np.zeros((1, len(middles))), np.array([radii]))


def touching(x: Pairs) -> bool:
    """Whether two balls of a row touch, or nearly: thirty bits do not tell whether they meet."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(x.h[..., :, None] - x.h[..., None, :])
        reach = x.r[..., :, None] + x.r[..., None, :]
        return bool(((reach > 0) & (np.abs(apart - reach) <= 1e-6 * reach)).any())


@pytest.mark.parametrize("name", PARAMS)
@given(rows())
@example((row([1 + 2.0**-52, 0.0], [1.0, 0.0]), row([-1.0, -1.0], [0.0, 0.25])))
def test_what_is_moved_is_where_arb_moves_it(name, drawn):
    x, t = drawn
    primitive = "arrange" if name == "back" else name
    found = ORDERS[primitive](*((x, t) if primitive == "arrange" else (x,)), **PARAMS[name])
    if found is None:
        return
    balls = (x.balls, t.balls) if primitive == "arrange" else (x.balls,)
    with precision(WIDE):
        by_arb = PRIMITIVES[primitive].evaluate(*balls, **PARAMS[name])
    if isinstance(found, Pairs):
        pairs = list(zip(found.balls.flat, by_arb.flat, strict=True))
        assert all(a == b or a.overlaps(b) for a, b in pairs)
        # The ends of blocks are doubles here, and Arb's radii have thirty bits.
        if not x.l.any() and not touching(x):
            slack = [1e-6 * (1 + abs(a).upper()) if a.rad() + b.rad() > 0 else arb(0) for a, b in pairs]
            assert all(abs(a.rad() - b.rad()) <= most for (a, b), most in zip(pairs, slack, strict=True))
    else:
        assert found.tolist() == by_arb.tolist()


def test_order_that_is_certain_is_told_and_other_order_is_not():
    numbers = np.array([[3.0, -np.inf, 1.0, np.inf]])
    apart = Pairs(numbers, 0 * np.ones((1, 4)), np.full((1, 4), 0.25) * np.isfinite(numbers))
    assert ORDERS["argsort"](apart, axis=1).tolist() == [[1, 2, 0, 3]]
    for r in (2.0, np.inf, np.nan):
        assert (
            ORDERS["argsort"](Pairs(apart.h, apart.l, np.where(np.isfinite(numbers), r, 0)), axis=1) is None
        )
    equal = Pairs(np.array([[2.0, 1.0, 2.0]]), np.zeros((1, 3)), np.zeros((1, 3)))
    assert ORDERS["argsort"](equal, axis=1).tolist() == [[1, 0, 2]]  # equal ones as they stand
    assert ORDERS["sort"](equal, axis=1).h.tolist() == [[1.0, 2.0, 2.0]]
    t = Pairs(np.array([[5.0, 6.0, 7.0]]), np.zeros((1, 3)), np.zeros((1, 3)))
    with KINKS.collected() as kinks:
        found = ORDERS["arrange"](equal, t, axis=1, back=False)  # any of them may be first
    assert kinks
    assert found.h.tolist() == [[6.0, 6.0, 6.0]]
    assert found.r[0, 0] == 0
    assert ((found.r[0, 1:] >= 1) & (found.r[0, 1:] < 1 + 1e-15)).all()
    with KINKS.collected() as kinks:  # and what is one number stays it
        found = ORDERS["arrange"](equal, equal, axis=1, back=False)
    assert not kinks
    assert (found.h.tolist(), found.r.tolist()) == ([[1.0, 2.0, 2.0]], [[0.0, 0.0, 0.0]])


def noting(asked: list[str], evaluated: Callable[..., Any], *operands: Any) -> Any:
    asked.append("Arb")
    return evaluated(*operands)


@pytest.mark.skipif(bool(library.problem()), reason="the core is not built")
def test_a_plan_sorts_without_arb_and_leaves_ties_to_it(monkeypatch):
    builder = Builder()
    x = builder.input((2, 3), "float64")
    program = builder.program([sorting.sort(x, 1), orders.take_along(x, orders.argsort(x, 1), 1)])
    plan, asked = Plan(program, rule), []
    for node in plan.nodes:
        if node.equation and node.equation[0].primitive.name in ORDERS:
            equation, values, evaluated = node.equation
            node.equation = equation, values, partial(noting, asked, evaluated)
    at = np.array([[3.0, 1.0, 2.0], [0.0, -1.0, -2.0]])
    first, second = plan.run([at])
    assert first.h.tolist() == second.h.tolist() == np.sort(at, 1).tolist()
    assert not asked
    near = Pairs(at, 0 * at, 0 * at + 2.0)
    with pytest.raises(Undecided):
        evaluate(program, [near.balls], 128)
    assert plan.run([near]) is None
    assert asked


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_ties_of_large_sorts_are_the_cores(dtype, monkeypatch):
    monkeypatch.setattr(sorting, "_arranged", None)  # Arb's, which takes a minute
    x = torch.randn(32, 512, generator=torch.Generator().manual_seed(0)).to(dtype)
    x[3, 5] = x[3, 300]
    found = check_gradient(lambda x: x.sort(-1).values * torch.arange(512.0, dtype=dtype), [x])
    assert found.verdict is Verdict.CONVENTION
    with pytest.raises(TypeError):
        PRIMITIVES["arrange"].evaluate(x.numpy(), x.numpy(), axis=1, back=False)


class Mixed(torch.autograd.Function):
    """Of two that are equal, the first gets both gradients, or so much of them."""

    share = 1.0

    @staticmethod
    def forward(ctx, x):
        values, order = x.sort(-1)
        ctx.save_for_backward(order)
        return values

    @staticmethod
    def backward(ctx, g):
        (order,) = ctx.saved_tensors
        swapped = torch.stack([g[1], g[0], g[2]])
        given = Mixed.share * g + (1 - Mixed.share) * swapped
        return torch.zeros_like(g).scatter(0, order, given)


@pytest.mark.parametrize(
    ("share", "verdict"),
    [(1.0, "convention"), (0.5, "convention"), (0.0, "convention"), (1.5, "wrong"), (-0.25, "wrong")],
)
def test_which_mixtures_at_a_tie_are_legal(share, verdict, monkeypatch):
    monkeypatch.setattr(Mixed, "share", share)
    x = torch.tensor([0.5, 0.5, 2.0])
    found = [check_gradient(Mixed.apply, [x], cotangent=torch.tensor([1.0, 3.0, 5.0])).verdict.value]
    with library.without():
        found += [check_gradient(Mixed.apply, [x], cotangent=torch.tensor([1.0, 3.0, 5.0])).verdict.value]
    assert found == [verdict, verdict]
