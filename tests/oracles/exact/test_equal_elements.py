"""Which of equal elements a sort finds first is known by running it: positions are those that it found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import check_gradient
from harness.verdicts import Verdict
from oracles.exact.program.primitives.orders import as_it_ran
from tests.harness.proof.torch_functions import pulled

RNG = np.random.default_rng(0)
T = torch.tensor(RNG.standard_normal((4, 64)), dtype=torch.float32)
KEYS = torch.tensor(RNG.integers(-3, 4, (4, 64)), dtype=torch.float32)
MODES = torch.tensor(RNG.integers(0, 40, (4, 64)), dtype=torch.float32)
FINDS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "argsort": lambda x: x.argsort(1),
    "argsort, falling": lambda x: x.argsort(1, descending=True),
    "argsort, stable": lambda x: torch.argsort(x, dim=1, stable=True),
    "sort": lambda x: x.sort(1).indices,
    "topk": lambda x: x.topk(10, 1).indices,
    "topk, smallest": lambda x: x.topk(10, 1, largest=False).indices,
    "kthvalue": lambda x: x.kthvalue(9, 1, keepdim=True).indices,
    "kthvalue, no axis": lambda x: x.kthvalue(9, 1).indices[:, None],
    "median": lambda x: x.median(1, keepdim=True).indices,
    "mode": lambda x: x.mode(1, keepdim=True).indices,
    "half": lambda x: x.bfloat16().argsort(1),
    "first axis": lambda x: x.t().argsort(0).t(),
    "unique": lambda x: torch.unique(x, return_inverse=True)[1].clamp(max=63),
}


@pytest.mark.parametrize("keys", [KEYS, MODES])
@pytest.mark.parametrize("name", FINDS)
def test_positions_in_a_constant_are_those_that_torch_finds(name, keys):
    assert check_gradient(lambda t: t.gather(1, FINDS[name](keys)), (T,)).passed


@pytest.mark.parametrize("name", FINDS)
@pytest.mark.parametrize("step", [torch.sign, lambda t: (t > 0.5).float(), lambda t: torch.round(t.detach())])
def test_positions_in_what_is_cut_are_those_that_torch_finds(name, step):
    assert check_gradient(lambda t: t.gather(1, FINDS[name](step(t))), (T,)).passed


class Moved(torch.autograd.Function):
    """Its backward sorts by stable positions."""

    @staticmethod
    def forward(ctx, t):
        return t.gather(1, KEYS.argsort(1))

    @staticmethod
    def backward(ctx, g):
        return torch.zeros_like(g).scatter(1, torch.argsort(KEYS, dim=1, stable=True), g)


def test_a_gradient_that_takes_others_of_the_equal_elements_is_wrong():
    assert check_gradient(Moved.apply, (T,)).verdict is Verdict.WRONG


@pytest.mark.parametrize("kind", [None, "heapsort", "stable"])
@pytest.mark.parametrize("step", [np.sign, lambda t: (t > 0).astype(float), lambda t: KEYS.numpy() + 0.0 * t])
def test_positions_are_those_that_numpy_finds(step, kind):
    weights = RNG.standard_normal((4, 64))

    def f(t: Any) -> Any:
        return (np.take_along_axis(t, np.argsort(step(t), 1, kind), 1) * weights).sum()

    def gradient(t: Any) -> Any:
        found = np.zeros_like(t)
        np.put_along_axis(found, np.argsort(step(t), 1, kind), weights, 1)
        return found

    assert check_gradient(f, (T.double().numpy(),), grad=gradient).passed


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    rows=st.lists(st.lists(st.integers(0, 3), min_size=6, max_size=6), min_size=1, max_size=3), data=st.data()
)
def test_the_order_is_one_that_sorts_and_has_what_was_found(rows, data):
    elements = np.array(rows, float)
    start = data.draw(st.integers(0, 5))
    count = data.draw(st.integers(1, 6 - start))
    shuffled = np.array([data.draw(st.permutations(range(6))) for _ in rows])
    ranked = np.take_along_axis(elements, shuffled, 1)
    whole = np.take_along_axis(shuffled, np.argsort(ranked, 1, kind="stable"), 1)
    found = as_it_ran(elements.T, whole[:, start : start + count].T, 0, start)
    if found is None:
        assert all(len(set(row)) == 6 for row in rows)
    else:
        in_order = np.take_along_axis(elements, found.T, 1)
        assert (np.diff(in_order, axis=1) >= 0).all()
        assert (np.sort(found.T, 1) == np.arange(6)).all()
        assert (found.T[:, start : start + count] == whole[:, start : start + count]).all()


def test_what_does_not_sort_is_not_believed():
    assert as_it_ran(np.array([1.0, 1.0, 0.0]), np.array([0, 1, 2]), 0) is None


PLACES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "topk": lambda s: s.topk(2, -1).values[:, -1:],
    "topk, smallest": lambda s: s.topk(2, -1, largest=False).values[:, -1:],
    "sort, falling": lambda s: s.sort(-1, descending=True).values[:, 1:2],
    "kthvalue": lambda s: s.kthvalue(2, -1, keepdim=True).values,
    "median": lambda s: s.median(-1, keepdim=True).values,
    "nanmedian": lambda s: s.nanmedian(-1, keepdim=True).values,
    "median of all": lambda s: s.median(),
    "gather": lambda s: s.gather(-1, s.argsort(-1)[:, 1:2]),
    "maximum": lambda s: s.amax(-1, keepdim=True),
}


@pytest.mark.parametrize("name", PLACES)
def test_an_element_found_in_order_is_itself(name):
    """However it was computed: what is at least the k-th largest is kept, that one among it."""
    x = torch.linspace(-1, 1, 8, dtype=torch.float64).reshape(2, 4)

    def kept(x: torch.Tensor) -> torch.Tensor:
        s = torch.tanh(x)
        return torch.where(s >= PLACES[name](s), s, 0 * s)

    found = check_gradient(kept, (x,))
    assert found.verdict is Verdict.ACCURATE
    assert not found.notes  # the gradient's program is examined too
    equal = torch.zeros(1, 4, dtype=torch.float64)  # irrational and equal: of these none is known to be it
    assert check_gradient(lambda x: kept(x + 0.3), (equal,)).verdict is not Verdict.WRONG


def test_an_element_found_in_order_is_itself_in_jax_and_numpy():
    x = np.linspace(-1, 1, 8).reshape(2, 4)

    def in_jax(x):
        s = jnp.tanh(x)
        return jnp.where(s >= jax.lax.top_k(s, 2)[0][:, -1:], s, 0) + jnp.where(s < jnp.sort(s)[:, 1:2], s, 0)

    def in_numpy(x):
        s = np.tanh(x)
        return np.where(s >= np.partition(s, 2)[:, 2:3], s, 0) + np.where(s < np.sort(s)[:, 1:2], s, 0)

    def vjp(g, x):
        return g * (in_numpy(x) != 0) * (1 - np.tanh(x) ** 2)

    assert check_gradient(in_jax, (jnp.asarray(x),)).passed
    assert check_gradient(in_numpy, (x,), vjp=vjp).passed


TAKEN_TWICE = {
    "max": lambda x: x.exp()[[0, 1, 1]].max(0)[0],
    "sort": lambda x: x.exp()[[0, 1, 1]].sort()[0] @ torch.arange(3, dtype=x.dtype),
    "max_pool1d": lambda x: torch.nn.functional.max_pool1d(x.exp()[[0, 1, 1, 2]][None], 2).sum(),
}


@pytest.mark.parametrize("name", TAKEN_TWICE)
@pytest.mark.parametrize(("factor", "verdict"), [(1, "accurate"), (1.001, "wrong")])
def test_a_computed_element_that_is_taken_twice_is_no_tie(name, factor, verdict):
    function = TAKEN_TWICE[name]

    def backward(g, x):
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return torch.autograd.grad(function(x), x, factor * g)[0]

    x = torch.tensor([0.3, 0.7, -0.2], dtype=torch.float64)
    assert check_gradient(function, (x,)).verdict == "accurate"
    assert check_gradient(pulled(function, backward), (x,)).verdict == verdict
