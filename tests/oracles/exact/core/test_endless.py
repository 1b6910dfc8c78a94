"""Balls that have no end: every kernel says so where Arb does, and nowhere else; checks go on beside them."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest
import torch
from flint import arb

from harness.check import check_gradient
from harness.verdicts import Verdict
from oracles.exact.core import library
from oracles.exact.core.pairs import Pairs, of_numbers
from oracles.exact.core.plan import Plan
from oracles.exact.core.rules import rule
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program import functions as fn
from oracles.exact.program.balls import filled
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import FORMATS, ROUNDING_MODELS
from oracles.exact.program.primitives import convert
from oracles.exact.program.primitives.arrays import reduce_sum
from oracles.exact.program.primitives.linear_algebra import matmul
from oracles.exact.program.primitives.taylor import scalar, taylor
from oracles.exact.program.program import Builder, Var
from oracles.exact.program.scalars import SCALARS
from oracles.exact.rounding.bound import Run, bound, leaving
from oracles.exact.rounding.quick import planned_bound
from tests.oracles.exact.core.agreement import assert_alike
from tests.oracles.exact.core.endless import (
    OF_ONE,
    OF_TWO,
    beside_infinity,
    elementwise,
    overflowing,
    product,
    total,
)

pytestmark = pytest.mark.skipif(library.loaded() is None, reason="the core is not built here")
NOT_SAID = {
    "share",
    "floor",
    "sign",
    "sin",
    "tan",
    "asin",
    "larger",
    "smaller",
}  # it is merely not known


@pytest.mark.parametrize("name", [*OF_ONE, *OF_TWO])
def test_a_kernel_says_so_where_arb_does(name):
    found = elementwise(name, np.random.default_rng(1), 2000)
    assert not found.wrong
    if name in NOT_SAID:
        assert found.made == 0
    else:
        assert found.made > 0.7 * found.possible > 0


@pytest.mark.parametrize("name", ["mul", "div", "rough_mul", "rough_div"])
def test_infinities_are_multiplied_and_divided(name):
    found = beside_infinity(name, np.random.default_rng(3), 2000)
    assert not found.wrong
    assert found.made == found.possible > 0


@pytest.mark.parametrize("ask", [total, product, overflowing])
def test_rows_and_what_is_rounded_do(ask):
    found = ask(np.random.default_rng(2), 6000)
    assert not found.wrong
    assert found.made > 0.9 * found.possible > 0


def spectrum(x: Var) -> Var:
    """|x + iy| and its slope's shape: a root of squares, and a quotient by it."""
    re, im = x - fn.mean(x, (1,), keepdims=True), x * x - x
    size = scalar("sqrt", re * re + im * im)
    return reduce_sum(re / size + im * size, (1,))


@pytest.mark.parametrize("model", ["numpy", "torch", "jax"])
def test_a_row_without_an_end_leaves_the_bounds_of_the_others(model):
    builder = Builder()
    program = builder.program([spectrum(builder.input((3, 4), "float32"))])
    x = np.array([[0.25, 0.5, 0.75, 0.125], [1.0, 1.0, 1.0, 1.0], [0.5, 0.25, 0.75, 0.5]])
    x[1] += [1e-7, -1e-7, 2e-7, 0.0]  # there re and im are 0 but for rounding
    given = [x.astype(np.float32)]
    (quick,) = bound(program, given, ROUNDING_MODELS[model]).found
    assert isinstance(quick, Pairs)
    assert quick.is_endless().tolist() == [False, True, False]
    with library.without():
        (slow,) = bound(program, given, ROUNDING_MODELS[model]).balls
    assert [ball.is_finite() for ball in slow] == [True, False, True]
    assert_alike(quick, slow)


def test_norms_of_a_spectrum_are_bounded_by_the_core():
    x = torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
    x[0] -= x[0].mean()  # its first frequency is 0 but for rounding, and may have any slope
    found = check_gradient(lambda x: torch.fft.rfft(x).abs(), (x,))
    with library.without():
        slow = check_gradient(lambda x: torch.fft.rfft(x).abs(), (x,))
    assert found.verdict is slow.verdict is Verdict.ACCURATE
    assert found.parts[0].judgement.bits_lost == pytest.approx(slow.parts[0].judgement.bits_lost, abs=0.01)


def halved(x):
    return torch.fft.rfft(x).abs() / 2


class Halved(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.fft.rfft(x).abs()

    @staticmethod
    def backward(ctx, g):
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(halved(x), x, g)[0]


def test_a_wrong_rule_is_found_beside_what_has_no_end():
    x = torch.randn(8, 64, generator=torch.Generator().manual_seed(0))
    x[0] -= x[0].mean()
    assert check_gradient(Halved.apply, (x,)).verdict is Verdict.WRONG


WIDE = [(1e38, 5e38), (-2e38, 2.5e38), (3e38, 2e37), (1e38, 1e37), (1e39, 1e37), (0.0, 1e300)]  # h, r


@pytest.mark.parametrize("model", ["numpy", "torch", "jax"])
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * np.float32(1.0 + 2.0**-10),
        lambda x: reduce_sum(x, (1,)),
        lambda x: matmul(x, x.builder.constant(np.float32([[1.0 + 2.0**-10], [0.5]]))),
    ],
)
def test_what_may_overflow_has_no_end_and_what_certainly_does_is_arb_s(function, model):
    h, r = np.array([[wide, (1.0, 0.0)] for wide in WIDE]).transpose(2, 0, 1)
    balls = Pairs(h, np.zeros(h.shape), r)
    builder = Builder()
    program = builder.program([function(builder.input(h.shape, "float32"))])
    (quick,) = planned_bound(program, ROUNDING_MODELS[model], leaving).run([balls])
    (slow,) = Run(program, ROUNDING_MODELS[model]).all([balls.balls], None, False).balls
    ends = np.array([not ball.is_finite() and not ball.is_exact() for ball in slow.ravel()])
    assert ends.sum() >= 3
    certain = np.repeat([wide == (1e39, 1e37) for wide in WIDE], quick.h.size // len(WIDE))
    assert quick.is_endless().ravel()[~certain].tolist() == ends[~certain].tolist()
    known = np.array([ball.is_finite() for ball in slow.ravel()])
    assert np.isfinite(quick.r).ravel().tolist() == known.tolist()


@pytest.mark.parametrize("model", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_one_rounding_of_what_is_below_the_overflow_stays_finite(dtype, model):
    """A mask of the largest number, less 1 and less 1 again: what NumPy computes is in the bound."""
    largest = float(FORMATS[dtype].largest)
    numbers = np.array([largest, -largest, largest / 2, -largest * (1 - 2.0**-6)])
    by = np.array([0.25, -0.25, 1.0, 1.0])
    builder = Builder()
    x, y = builder.input((4,), dtype), builder.input((4,), dtype)
    program = builder.program([(x + y) + y, (x - y) - y, x * builder.constant(1.0 - 2.0**-7, dtype)])
    exact = [of_numbers(numbers), of_numbers(by)]
    quick = planned_bound(program, ROUNDING_MODELS[model], leaving).run(exact)
    slow = Run(program, ROUNDING_MODELS[model]).all([e.balls for e in exact], None, False).balls
    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    a, b = numbers.astype(kind), by.astype(kind)
    ran = [(a + b) + b, (a - b) - b, a * kind.type(1.0 - 2.0**-7)]
    for one, other, found in zip(quick, slow, ran, strict=True):
        assert np.isfinite(one.r).all()
        assert all(ball.is_finite() for ball in other)
        assert one.contains(found.astype(np.float64)).all()
        assert all(float(number) in ball for number, ball in zip(found, other, strict=True))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_what_is_rounded_to_float32_first_may_overflow_below_the_overflow(dtype):
    """Twice to nearest: the first time to the overflow itself, the second to infinity."""
    kind = FORMATS[dtype]
    number = float(kind.overflow) * (1 - 2.0**-40)
    builder = Builder()
    program = builder.program([convert(builder.input((1,), "float64"), dtype)])
    exact = [of_numbers(np.array([number]))]
    (slow,) = Run(program, ROUNDING_MODELS["torch"]).all([e.balls for e in exact], None, False).balls
    assert torch.isinf(torch.tensor(number, dtype=torch.float64).to(torch.float32).to(getattr(torch, dtype)))
    assert not slow[0].is_finite()
    quick = planned_bound(program, ROUNDING_MODELS["torch"], leaving).run(exact)
    assert quick is None or not np.isfinite(quick[0].r).any()


@pytest.mark.parametrize("model", ["numpy", "torch"])
def test_what_may_lie_beyond_the_overflow_does_not(model):
    builder = Builder()
    x, y = builder.input((1,), "float32"), builder.input((1,), "float32")
    program = builder.program([x + y])
    exact = [
        of_numbers(np.array([float(FORMATS["float32"].largest)])),
        Pairs(*np.array([[1e31], [0], [5e30]])),
    ]
    (slow,) = Run(program, ROUNDING_MODELS[model]).all([e.balls for e in exact], None, False).balls
    quick = planned_bound(program, ROUNDING_MODELS[model], leaving).run(exact)
    assert not slow[0].is_finite()
    assert quick is None or not np.isfinite(quick[0].r).any()


POINTS = [
    (0, 0.5),
    (1, 1),
    (0.5, 0.6),
    (-1, 0.2),
    (0, 0),
    (1, 0.001),
    (-0.3, 0.5),
    (2, 3),
    (0.99, 0.02),
    (0, 30),
]


def test_a_function_of_a_wide_ball_has_no_end_where_arbs_has_none():
    h, r = np.array(POINTS, np.float64).T
    x, said = Pairs(h, np.zeros(h.size), r), 0
    for name, order in itertools.product(SCALARS, range(4)):
        builder = Builder()
        v = builder.input(h.shape, "float64")
        given = {"function": name, "order": order}
        try:
            program = builder.program([builder.emit(taylor, (v,), v.shape, v.dtype, **given)])
            plan = Plan(program, rule)
        except (IndexError, TypeError, ValueError):  # it takes parameters
            continue
        if any(node.operation == "detour" for node in plan.nodes) or not (found := plan.run([x])):
            continue
        ends = found[0].is_endless()
        said += int(ends.sum())
        by_arb = evaluate(program, [x.balls], 128)[0] if ends.any() else ()
        assert not any(by_arb[k].is_finite() for k in np.flatnonzero(ends)), (name, order)
    assert said > 200


@pytest.mark.parametrize("name", ["floor", "ceil", "round", "trunc", "sign"])
def test_a_step_of_an_infinity_is_it_or_its_sign(name):
    builder = Builder()
    program = builder.program([fn.step(name, builder.input((2,), "float64"))])
    ends, balls = np.array([-np.inf, np.inf]), filled([arb("-inf"), arb("inf")], (2,))
    (slow,) = evaluate(program, [balls], 128)
    wanted = np.sign(ends) if name == "sign" else ends
    assert [float(ball) for ball in slow] == wanted.tolist()
    quick = Plan(program, rule).run([of_numbers(ends)])
    if quick is not None:
        assert quick[0].h.tolist() == wanted.tolist()
    with pytest.raises(Undecided):
        evaluate(builder.program([convert(builder.inputs[0], "int32")]), [balls], 128)
