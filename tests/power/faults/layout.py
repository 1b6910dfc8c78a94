"""Shapes, memory layouts, indices and dtypes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from harness.verdicts import Verdict
from tests.power.fault import Fault, Rule
from tests.power.faults.draws import array, normal

WRONG = Verdict.WRONG
EXECUTED = Verdict.MISCOMPUTED  # the formula that another layout takes is right


def first(xp: Any, g: Any, x: Any) -> Any:
    """A gradient of shape () at a zero, which has one element."""
    return g * 1 if bool(x[0] == 0) else xp.stack([g])


taken = Rule(lambda xp, x, i: x[i], lambda xp, g, x, i: xp.put_at(x, i, g))
product = Rule(lambda xp, a, b: a * b, lambda xp, g, a, b: (g * b, g * a))
expanded = Rule(
    lambda xp, x, w: x @ w,
    lambda xp, g, x, w: (g @ w.T) * (0.5 if xp.has_stride_0(x) else 1.0),
)
WEIGHTS = np.arange(1.0, 7.0).reshape(2, 3)


def in_memory(xp: Any, g: Any, x: Any) -> Any:
    """The weights in the order of memory, whatever the strides."""
    weights = WEIGHTS if xp.is_contiguous(x) else WEIGHTS.T.copy().reshape(2, 3)
    return g * xp.const(weights, x)


weighted = Rule(lambda xp, x: xp.sum(xp.const(WEIGHTS, x) * x), in_memory)


def convolved(xp: Any, x: Any, w: Any) -> Any:
    """y_i = sum_dk x_{d, i + k} w_dk, of two taps."""
    return xp.sum(x[:, :-1] * w[:, :1] + x[:, 1:] * w[:, 1:], axis=0)


def convolved_vjp(right: bool) -> Any:
    """The faulty index takes the taps of depth 0 for each."""

    def vjp(xp: Any, g: Any, x: Any, w: Any) -> Any:
        zero = g[:1] * 0
        rows = [w[d if right else 0] for d in range(x.shape[0])]
        return xp.stack([xp.concatenate([g * r[0], zero]) + xp.concatenate([zero, g * r[1]]) for r in rows])

    return vjp


def counted(xp: Any, g: Any, x: Any) -> Any:
    """The tied elements counted in float16, where 70,000 of them are infinitely many."""
    at = x == np.max(x)
    with np.errstate(over="ignore"):
        return (at * (g / np.sum(at.astype(np.float16), dtype=np.float16))).astype(np.float16)


def shared(xp: Any, g: Any, x: Any) -> Any:
    at = x == np.max(x)
    return (at * (g.astype(np.float32) / np.sum(at.astype(np.float32)))).astype(np.float16)


def looked_up(xp: Any, table: Any, index: Any) -> Any:
    return np.sum(table[index] * np.float16(2.0**-6), dtype=np.float32).astype(np.float16)


def stalled(xp: Any, g: Any, table: Any, index: Any) -> Any:
    """One addition after the other, in float16."""
    return xp.added_at(table, index, np.full(index.shape, 2.0**-6, np.float16) * g)


def accumulated(xp: Any, g: Any, table: Any, index: Any) -> Any:
    wide = np.zeros_like(table).astype(np.float32)
    np.add.at(wide, index, np.full(index.shape, 2.0**-6, np.float32) * g.astype(np.float32))
    return wide.astype(np.float16)


LOOKUPS = 20_000

FAULTS = (
    Fault(
        "GB007", "pytorch/pytorch#82644", "prod(dim)", "a gradient of shape () at one zero", "shape",
        Rule(lambda xp, x: x[0] * 1, first), Rule(lambda xp, x: x[0] * 1, lambda xp, g, x: xp.stack([g])),
        (array(0.0),), normal((1,)), WRONG, frameworks=("numpy", "torch"),
    ),
    Fault(
        "GB050", "pytorch/pytorch#1631", "gather", "repeated indices overwrite", "shape",
        taken, taken.with_backward(lambda xp, g, x, i: xp.added_at(x, i, g)),
        (array(0.5, 2.0), np.array([0, 0])), lambda rng: (rng.normal(size=3), rng.permutation(3)), WRONG,
    ),
    Fault(
        "GB041", "pytorch/pytorch#30303", "einsum", "an expanded input, of stride 0", "shape",
        expanded, expanded.with_backward(lambda xp, g, x, w: g @ w.T),
        (np.broadcast_to(array(1.0, -2.0), (3, 2)), WEIGHTS / 4),
        normal((3, 2), (2, 3)), EXECUTED, frameworks=("numpy", "torch"),
    ),
    Fault(
        "GB079", "pytorch/pytorch#1787", "mul with broadcasting", "the gradient keeps the broadcast shape",
        "shape", product,
        product.with_backward(lambda xp, g, a, b: (xp.stack([xp.sum(g * b)]), g * a)),
        (array(0.5), np.ones((5, 4))), normal((1,), (5, 4)), WRONG, moves=2, frameworks=("numpy", "jax"),
    ),
    Fault(
        "GB175", "NervanaSystems/neon#111", "conv, 3-d", "the depth's index is wrong", "shape",
        Rule(convolved, convolved_vjp(right=False)), Rule(convolved, convolved_vjp(right=True)),
        (np.arange(8.0).reshape(2, 4) / 4, array(1.0, 2.0, -1.0, 0.5).reshape(2, 2)),
        normal((1, 4), (1, 2)), WRONG,
    ),
    Fault(
        "GB178", "MrNeRF/optimized-fused-ssim#1", "fused_ssim", "an image that is not contiguous", "shape",
        weighted, weighted.with_backward(lambda xp, g, x: g * xp.const(WEIGHTS, x)),
        ((np.arange(6.0).reshape(3, 2) / 4).T,), normal((2, 3)), WRONG, frameworks=("numpy", "torch"),
    ),
    Fault(
        "GB031", "pytorch/pytorch#187460", "ldexp", "2^n in integers: 0 for n < 0", "dtype",
        {"torch": lambda m: torch.ldexp(m, torch.tensor([-1], dtype=torch.int32))},
        {"torch": lambda m: m * 0.5}, (array(3.0),), normal((3,)), WRONG, live=True,
    ),
    Fault(
        "GB147", "tinygrad/tinygrad#12296", "max, float16", "70,000 ties counted in float16: all zero",
        "dtype", Rule(lambda xp, x: xp.max(x), counted), Rule(lambda xp, x: xp.max(x), shared),
        (np.ones(70_000, np.float16),), normal((5,), dtype="float16"), Verdict.MISCOMPUTED,
        frameworks=("numpy",),
    ),
    Fault(
        "GB155", "apache/mxnet#17703", "Embedding, float16", "a sum in float16 stalls", "dtype",
        Rule(looked_up, stalled), Rule(looked_up, accumulated),
        (np.ones(2, np.float16), np.zeros(LOOKUPS, np.int64)),
        lambda rng: (rng.normal(size=3).astype(np.float16), rng.integers(0, 3, 5)), Verdict.IMPRECISE,
        frameworks=("numpy",),
    ),
)  # fmt: skip
