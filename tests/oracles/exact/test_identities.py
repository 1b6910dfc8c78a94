"""Which elements are 0 whatever the inputs are: identities are found, and what only comes near is none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from harness.check import check_gradient
from oracles.exact.enclose import refine
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.enclose.identities import vanishing
from oracles.exact.program import functions as fn
from oracles.exact.program.derive import vjp
from oracles.exact.program.primitives import (
    arithmetic,
    arrays,
    choices,
    comparisons,
    linear_algebra,
    reductions,
)
from oracles.exact.program.primitives.taylor import scalar
from oracles.exact.program.program import Builder, Program, Var
from oracles.exact.rounding import nearby
from tests.oracles.exact.programs import SAMPLES, build

X, Y, Z = (np.random.default_rng(k).normal(size=(3, 4)) for k in range(3))
PLACES = np.array([[0, 5, 5, -1], [2, 3, 3, 3], [7, 1, 0, 4]])
Formula = Callable[[Var, Var, Var], tuple[Var, Var]]


def _select(x: Var, y: Var, z: Var, name: str) -> Var:
    return choices.select(comparisons.compare(name, x, y), z, x * z)


def _slope(function: str, x: Var, order: int = 1, *more: Var) -> Var:
    return scalar(function, x, *more, order=order)


def _cubed(x: Var, order: int) -> Var:
    return scalar("power", x, x.builder.constant(3.0, "float64"), order=order)


def _rows(x: Var) -> list[Var]:
    return [x[k] for k in range(3)]


SAME: dict[str, Formula] = {
    "add": lambda x, y, z: ((x + y) + z, x + (z + y)),
    "sub": lambda x, y, z: (x - y, -(y - x)),
    "mul": lambda x, y, z: ((x + y) * z, x * z + z * y),
    "scale": lambda x, y, z: (arithmetic.scale(x, y), y * x),
    "div": lambda x, y, z: (x / y + z, (x + z * y) / y),
    "constants": lambda x, y, z: (x * 0.1 - x * 0.0625, x * (0.1 - 0.0625)),
    "reciprocal": lambda x, y, z: (_slope("reciprocal", x, 0) * y, y / x),
    "slope of 1 / x": lambda x, y, z: (_slope("reciprocal", x), -1.0 / (x * x)),
    "exp": lambda x, y, z: (_slope("exp", x, 2) * 2.0, _slope("exp", x, 0)),
    "sqrt": lambda x, y, z: (_slope("sqrt", x) * _slope("sqrt", x, 0) * 2.0, x / x),
    "rsqrt": lambda x, y, z: (_slope("rsqrt", x, 0) * _slope("sqrt", x, 0), x / x),
    "log": lambda x, y, z: (_slope("log", x) * x, x / x),
    "log2": lambda x, y, z: (_slope("log2", x) * x * 3.0, _slope("log2", z) * z * 3.0),
    "sin": lambda x, y, z: (_slope("sin", x), _slope("cos", x, 0)),
    "erf": lambda x, y, z: (_slope("erf", x), -_slope("erfc", x)),
    "exp2": lambda x, y, z: (
        _slope("exp2", x) * _slope("exp2", y, 0), _slope("exp2", y) * _slope("exp2", x, 0)
    ),
    "power": lambda x, y, z: (_cubed(x, 0), x * x * x),
    "slope of a power": lambda x, y, z: (_cubed(x, 1), x * x * 3.0),
    "third slope of a power": lambda x, y, z: (_cubed(x, 3), x / x),
    "exp of a log": lambda x, y, z: (
        _slope("exp", x - (z + _slope("log", y, 0)), 0) * y, _slope("exp", x - z, 0)
    ),
    "exp of -log": lambda x, y, z: (_slope("exp", -_slope("log", y, 0) + x, 1) * y, _slope("exp", x, 0)),
    "exp of a log in another shape": lambda x, y, z: (
        _slope("exp", arrays.permute(_slope("log", arrays.permute(y, (1, 0)), 0), (1, 0)) + x, 0),
        _slope("exp", x, 0) * y,
    ),
    "abs": lambda x, y, z: (
        x.builder.elementwise("abs", x), choices.select(comparisons.compare("lt", x, 0.0), -x, x)
    ),
    "extremes": lambda x, y, z: (
        x.builder.elementwise("maximum", x, y) + x.builder.elementwise("minimum", x, y), x + y
    ),
    "maximum": lambda x, y, z: (
        x.builder.elementwise("maximum", x, y), choices.select(comparisons.compare("lt", x, y), y, x)
    ),
    "select": lambda x, y, z: (_select(x, y, z, "lt") + _select(x, y, z, "ge"), z + x * z),
    "gt": lambda x, y, z: (_select(x, y, z, "gt"), choices.select(comparisons.compare("lt", y, x), z, x * z)),
    "le": lambda x, y, z: (_select(x, y, z, "le") + _select(x, y, z, "gt"), z + x * z),
    "blend": lambda x, y, z: (choices.blend(x, y, z, None, x), z - choices.blend(x, y, None, z, x)),
    "reduce_sum": lambda x, y, z: (arrays.reduce_sum(x, (0,)), sum(_rows(x)[1:], _rows(x)[0])),
    "cumsum": lambda x, y, z: (fn.cumsum(x, 0)[2], arrays.reduce_sum(x, (0,))),
    "matmul": lambda x, y, z: (
        linear_algebra.matmul(x, arrays.permute(y, (1, 0)))[0, 1], arrays.reduce_sum(x[0] * y[1], (0,))
    ),
    "take": lambda x, y, z: (x[:, ::-1][:, ::-1], x),
    "scatter_add": lambda x, y, z: (
        arrays.reduce_sum(arrays.scatter_add(x, PLACES, (8,)), (0,)), arrays.reduce_sum(x, (0, 1)) - x[0, 3]
    ),
    "concatenate": lambda x, y, z: (arrays.concatenate([x, y], 1)[:, 4:], y),
    "reshape": lambda x, y, z: (arrays.reshape(x, (4, 3))[0], arrays.reshape(x, (12,))[:3]),
    "broadcast": lambda x, y, z: (arrays.reduce_sum(x.builder.broadcast(x[0], (5, 4)), (0,)), x[0] * 5.0),
    "detach": lambda x, y, z: (arithmetic.detach(x), x),
    "largest": lambda x, y, z: (reductions.reduce_max(x, (1,)), reductions.reduce_max(x + 0.0, (1,))),
}  # fmt: skip


def _difference(formula: Formula, factor: float = 1.0) -> Program:
    builder = Builder()
    x, y, z = (builder.input((3, 4), "float64") for _ in range(3))
    one, other = formula(x, y, z)
    return builder.program([one - other * factor])


def _zeros(program: Program, here: bool = False) -> bool:
    wanted = [np.ones(v.shape, bool) for v in program.outputs]
    found = vanishing(program, [X, Y, Z], wanted, here)
    assert all((mask.all() or not mask.any()) for mask in found)
    return all(mask.all() for mask in found)


@pytest.mark.parametrize("name", SAME)
def test_an_identity_is_found(name: str) -> None:
    assert _zeros(_difference(SAME[name]))


@pytest.mark.parametrize("name", SAME)
def test_what_comes_near_is_none(name: str) -> None:
    assert not _zeros(_difference(SAME[name], 1 + 2.0**-52))


@pytest.mark.parametrize("name", SAMPLES)
def test_no_sample_is_nothing_by_mistake(name: str) -> None:
    """Of values and gradients: what is said to be 0 holds 0 in Arb's arithmetic, at other points too."""
    sample = SAMPLES[name]
    program = build(sample.function, sample.points)
    if any(not v.is_float for v in program.outputs):
        return
    derived = vjp(program, range(len(sample.points)), False)
    for own, inputs in (
        (program, sample.points),
        (derived, (*sample.points, np.ones(program.outputs[0].shape))),
    ):
        wanted = [np.ones(v.shape, bool) for v in own.outputs]
        for here in (False, True):
            zeros = vanishing(own, inputs, wanted, here)
            for mask, balls in zip(zeros, evaluate(own, inputs, 200), strict=True):
                assert all(ball.contains(0) for ball in balls[mask])


def test_a_bias_before_batch_norm_needs_no_more_bits(monkeypatch):
    torch = pytest.importorskip("torch")
    batch_norm = torch.nn.functional.batch_norm

    def layer(x, weight, bias):
        return batch_norm(torch.nn.functional.conv2d(x, weight, bias), None, None, training=True)

    def never(*_, **__):
        raise AssertionError("ball by ball")

    for module in (refine, nearby):
        monkeypatch.setattr(module, "evaluate", never)
    torch.manual_seed(0)
    result = check_gradient(layer, (torch.randn(2, 2, 4, 4), torch.randn(3, 2, 2, 2), torch.randn(3)))
    assert result.verdict.value == "accurate"
