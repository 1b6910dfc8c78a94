"""At the edge of a branch of the code, or of a mask that chooses elements, both sides are known."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient, exact_gradient
from oracles.exact.program.errors import Undecided

ZEROS, WHOLE = np.zeros(4), np.array([-1.0, 0.0, 2.0, 0.0])


def relu_in_a_loop(x):
    y = np.zeros_like(x)
    for k in range(len(x)):
        if x[k] > 0:
            y[k] = x[k]
    return y


def leaky_by_a_mask(x):
    y = x.copy()
    y[x <= 0] *= 0.1
    return y


def elu_by_a_mask(x):
    y, low = x.copy(), x < 0
    y[low] = np.exp(y[low]) - 1
    return y


def chosen_and_summed(x):
    return np.sum(x[x > 0] ** 2) + np.sum(x)


def largest_in_a_loop(x):
    top = x[0]
    for v in x[1:]:
        if v > top:
            top = v
    return top


def huber(x):
    return 0.5 * x * x if abs(x) <= 1 else abs(x) - 0.5


def sine_by_its_argument(x):
    return 1 + 0 * x if x == 0 else np.sin(x) / x


def leaky_of_torch(x):
    y = x.clone()
    y[x <= 0] *= 0.1
    return y


def softmax_of_its_largest(x):
    e = np.exp(x - largest_in_a_loop(x))
    return e / e.sum()


def softmax_slope(g, x):
    p = softmax_of_its_largest(x)
    return p * (g - (g * p).sum())


# What is computed, where, its pullback, the verdict, and a pullback that is wrong at the edge alone.
EDGES = {
    "a loop of branches": (
        relu_in_a_loop, ZEROS, lambda g, x: g * (x > 0), "convention",
        lambda g, x: g * np.where(x == 0, 2, x > 0),
    ),
    "a loop of branches, some at their edge": (
        relu_in_a_loop, WHOLE, lambda g, x: g * (x >= 0), "convention",
        lambda g, x: g * np.where(x == 0, -1, x > 0),
    ),
    "a mask that is multiplied in place": (
        leaky_by_a_mask, WHOLE, lambda g, x: g * np.where(x > 0, 1, 0.1), "convention",
        lambda g, x: g * (x > 0),
    ),
    "a mask whose sides meet smoothly": (
        elu_by_a_mask, WHOLE, lambda g, x: g * np.where(x < 0, np.exp(x), 1), "accurate",
        lambda g, x: g * np.where(x < 0, np.exp(x), x > 0),
    ),
    "chosen elements that vanish": (
        chosen_and_summed, WHOLE, lambda g, x: g * (2 * x * (x > 0) + 1), "accurate",
        lambda g, x: g * (2 * x * (x > 0) + (x != 0)),
    ),
    "two that are the largest": (
        largest_in_a_loop, np.array([1.0, 3.0, 3.0, 2.0]), lambda g, x: g * (x == x.max()) / 2, "convention",
        lambda g, x: g * (x == x.max()),
    ),
    "a bound": (
        huber, np.array(1.0), lambda g, x: g * np.clip(x, -1, 1), "accurate",
        lambda g, x: g * np.where(x == 1, 0.5, np.clip(x, -1, 1)),
    ),
    "a slope of 1e-88 beside two that are the largest": (
        softmax_of_its_largest, np.array([1.0, 1.0, -200.0]), softmax_slope, "accurate",
        lambda g, x: softmax_slope(g, x) * (x > 0),
    ),
    "two slopes that are small": (
        lambda x: 1e-100 * x if x > 0 else 2e-100 * x, np.array(0.0), lambda g, x: 1e-100 * g, "convention",
        lambda g, x: 0 * g,
    ),
    "a single number": (
        lambda x: x if x > 0 else 0 * x, np.array(0.0), lambda g, x: g * (x > 0), "convention",
        lambda g, x: 2 * g,
    ),
    "a number that is left out": (
        sine_by_its_argument, np.array(0.0), lambda g, x: 0 * g, "accurate", lambda g, x: g,
    ),
}  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", EDGES)
def test_both_sides_of_an_edge_are_known(name, dtype):
    if dtype == np.float32 and ("1e-88" in name or "small" in name):
        pytest.skip("float32 has no such numbers")
    function, x, right, verdict, wrong = EDGES[name]
    x = x.astype(dtype)
    found = check_gradient(function, (x,), vjp=lambda g, x: right(g, x).astype(dtype), probes=False)
    assert found.verdict == verdict, found
    found = check_gradient(function, (x,), vjp=lambda g, x: np.asarray(wrong(g, x), dtype), probes=False)
    assert found.verdict == "wrong"


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_both_sides_are_known_in_torch(dtype, mode):
    found = check_gradient(leaky_of_torch, (torch.tensor(WHOLE, dtype=dtype),), mode=mode)
    assert found.verdict == "convention", found


class Leaky(torch.autograd.Function):
    """`at_0`: the slope at 0, where 0.1 to 1 are legal."""

    at_0 = 1.0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return leaky_of_torch(x)

    @classmethod
    def backward(cls, ctx, g):
        (x,) = ctx.saved_tensors
        return torch.where(x == 0, g * cls.at_0, torch.where(x > 0, g, g * 0.1))


@pytest.mark.parametrize(("slope", "verdict"), [(1.0, "convention"), (0.1, "convention"), (0.0, "wrong")])
def test_a_rule_of_torch_takes_one_of_the_two_slopes(slope, verdict):
    function = type("Function", (Leaky,), {"at_0": slope})
    assert check_gradient(function.apply, (torch.tensor(WHOLE),)).verdict == verdict


def test_the_hull_is_that_of_the_two_slopes():
    found = exact_gradient(leaky_by_a_mask, (WHOLE,), cotangent=np.ones(4))
    np.testing.assert_allclose(found.mid, [0.1, 0.55, 1, 0.55], rtol=1e-15)
    np.testing.assert_allclose(found.radius, [0, 0.45, 0, 0.45], atol=1e-8)


def least_above_0(x):
    """Of many zeros hardly any ray is above 0 in all: that side is not seen, and it has slopes."""
    least = x[0]
    for v in x[1:]:
        if v < least:
            least = v
    return least if least > 0 else 0 * least


def least_if_all_are_above_0(x):
    """The side that no ray sees lies behind other questions."""
    return x.min() if all(v > 0 for v in x) else 0 * x[0]


def positive(v):
    return v > 0


def least_is_asked_where_another_is(x):
    """On some rays the second question at that line is another one, and answered otherwise."""
    s = 0 * x[0]
    if positive(x[0]) and positive(1 + x[1]):
        s = s + x[0]
    least = x.min()
    return s + least if positive(least) else s


@pytest.mark.parametrize("size", [3, 5, 7, 9])
@pytest.mark.parametrize(
    "function", [least_above_0, least_if_all_are_above_0, least_is_asked_where_another_is]
)
def test_a_slope_of_a_side_that_no_ray_sees_is_not_wrong(function, size):
    first = np.arange(size) == 0
    found = check_gradient(function, (np.zeros(size),), grad=lambda x: 1.0 * first, probes=False)
    assert found.verdict == "undecided"


def size(a):
    return a if a > 0 else -a


@pytest.mark.parametrize("tilt", [0.2, 0.01, 1e-6])
@pytest.mark.parametrize("sign", [1, -1])
def test_two_edges_that_random_directions_do_not_part_are_two(tilt, sign):
    found = check_gradient(
        lambda x: size(x[1]) - size(x[1] + tilt * x[0]),
        (np.zeros(2),),
        grad=lambda x: sign * np.array([tilt, 2.0]),
        probes=False,
    )
    assert found.verdict != "wrong"


@pytest.mark.parametrize("at", [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
@pytest.mark.parametrize(("factor", "verdict"), [(1, "convention"), (20, "wrong")])
def test_branches_of_jax_have_both_sides(at, factor, verdict):
    @jax.custom_vjp
    def leaky(x):
        return jnp.stack([jax.lax.cond(v > 0, lambda v: v, lambda v: 0.1 * v, v) for v in x])

    leaky.defvjp(lambda x: (leaky(x), x), lambda x, g: (factor * g * jnp.where(x > 0, 1, 0.1),))
    found = check_gradient(leaky, (jnp.array(at),), probes=False)
    assert found.verdict == verdict


def test_a_value_that_moves_fast_beside_the_point_does_not_jump():
    found = check_gradient(
        lambda x: 1e16 * x if x > 0 else 0 * x, (ZEROS[0],), grad=lambda x: 1e16, probes=False
    )
    assert found.verdict == "convention"


def test_a_large_program_is_left_open_at_once(monkeypatch):
    monkeypatch.setattr("oracles.exact.enclose.branches.LARGEST", 10)
    assert check_gradient(leaky_by_a_mask, (WHOLE,), vjp=lambda g, x: g).verdict == "undecided"


@pytest.mark.parametrize(
    ("function", "x", "said"),
    [
        (lambda x: 1e-90 * x if x > 0 else 1e-90 * x - 1e-90, np.array(0.0), "what is differentiated jumps"),
        (lambda x: x if x > 0 else x + 1, np.array(0.0), "what is differentiated jumps"),
        (lambda x: x[x > 0], WHOLE, "another branch is taken"),
        (largest_in_a_loop, np.ones(5), "another branch is taken"),  # nobody knows all five sides
        (lambda x: x if abs(x) > 0 else 0 * x, np.array(0.0), "another branch is taken"),
    ],
    ids=["a small jump", "a jump", "another shape", "five that are tied", "a branch at one point"],
)
def test_where_not_all_sides_are_known_it_is_open(function, x, said):
    with pytest.raises(Undecided, match=said):
        exact_gradient(function, (x,))
