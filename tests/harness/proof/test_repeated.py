"""Indices that are each there once: a gradient that adds nothing up is right there, and that is told."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness

TABLE = np.random.default_rng(0).normal(size=(6, 3))
TOLD = "holds each index once here; with one twice the gradient is wrong"


def pullback(adds):
    def pulled(g, table, index):
        onto = np.zeros_like(table)
        if adds:
            np.add.at(onto, index, g)
        else:
            onto[index] += g
        return onto

    return pulled


def torch_rows(adds):
    class Rows(torch.autograd.Function):
        @staticmethod
        def forward(ctx, table, index):
            ctx.save_for_backward(table, index)
            return table[index]

        @staticmethod
        def backward(ctx, g):
            table, index = ctx.saved_tensors
            return torch.zeros_like(table).index_put((index,), g, accumulate=adds), None

    return Rows.apply


def jax_rows(adds):
    rows = jax.custom_vjp(lambda table, index: table[index])

    def backward(kept, g):
        onto = jnp.zeros_like(kept[0]).at[kept[1]]
        return (onto.add(g) if adds else onto.set(g)), None

    rows.defvjp(lambda table, index: (table[index], (table, index)), backward)
    return rows


def checked(framework, adds, index, table=TABLE):
    if framework == "numpy":
        return harness.check_gradient(
            lambda table, index: table[index], (table, index), argnums=0, vjp=pullback(adds)
        )
    if framework == "torch":
        return harness.check_gradient(torch_rows(adds), (torch.tensor(table), torch.tensor(index)), argnums=0)
    with jax.enable_x64(True):
        return harness.check_gradient(jax_rows(adds), (jnp.asarray(table), jnp.asarray(index)), argnums=0)


@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
@pytest.mark.parametrize("index", [[4, 1, 2], [[4, 1], [2, 0]]], ids=str)
@pytest.mark.parametrize("adds", [True, False])
def test_what_adds_nothing_up_is_told(framework, index, adds):
    found = checked(framework, adds, np.array(index))
    assert found.verdict == "accurate", str(found)
    assert (TOLD in str(found)) != adds


@pytest.mark.parametrize("framework", ["numpy", "torch", "jax"])
def test_where_an_index_is_there_twice_it_is_wrong(framework):
    assert checked(framework, False, np.array([1, 1, 2])).verdict == "wrong"
    assert checked(framework, True, np.array([1, 1, 2])).verdict == "accurate"


def test_a_permutation_stays_one():
    """Its inverse puts each back: twice there it would be none."""
    found = harness.check_gradient(
        lambda x, order: x[order],
        (TABLE, np.array([2, 0, 1, 5, 4, 3])),
        argnums=0,
        vjp=lambda g, x, order: g[np.argsort(order)],
    )
    assert found.verdict == "accurate", str(found)
    assert "twice" not in str(found)


def test_a_rule_of_the_framework_is_not_asked():
    found = harness.check_gradient(
        torch.nn.functional.embedding, (torch.tensor([4, 1, 2]), torch.tensor(TABLE)), argnums=1
    )
    assert "twice" not in str(found)


class EmbeddingDot:
    """The product of each row with the row of a table that its index names: the indices are its target."""

    def __init__(self, adds):
        self.W, self.adds = TABLE.copy(), adds

    def forward(self, h, idx):
        self.h, self.idx = h, idx
        return np.sum(self.W[idx] * h, axis=1)

    def backward(self, dout):
        g = dout[:, None] * self.h
        self.dW = np.zeros_like(self.W)
        if self.adds:
            np.add.at(self.dW, self.idx, g)
        else:
            self.dW[self.idx] += g
        return dout[:, None] * self.W[self.idx]


class CrossEntropy:
    def forward(self, x, t):
        shifted = np.exp(x - x.max(1, keepdims=True))
        self.y, self.t = shifted / shifted.sum(1, keepdims=True), t
        return -np.log(self.y[np.arange(len(t)), t]).mean()

    def backward(self, dout=1):
        dx = self.y.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / len(self.t)


@pytest.mark.parametrize("adds", [True, False])
def test_the_indices_of_a_layer_are_asked(adds):
    found = harness.check_layer(EmbeddingDot(adds), TABLE[:3] + 1, np.array([4, 1, 2]))
    assert found.verdict == "accurate", str(found)
    assert (f"t {TOLD}" in str(found)) != adds


def test_labels_that_are_each_there_once_may_repeat():
    found = harness.check_layer(CrossEntropy(), TABLE[:2], np.array([2, 1]))
    assert found.verdict == "accurate", str(found)
    assert "twice" not in str(found)


def test_a_layer_that_takes_no_index_twice_is_right():
    class Distinct(EmbeddingDot):
        def forward(self, h, idx):
            assert len(set(idx.tolist())) == len(idx), "an index is there twice"
            return super().forward(h, idx)

    found = harness.check_layer(Distinct(False), TABLE[:3] + 1, np.array([4, 1, 2]))
    assert found.verdict == "accurate", str(found)
