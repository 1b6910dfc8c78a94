"""Gradients that are 0 everywhere, and so in no bits: what many layers have costs no evaluation more."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

import harness  # noqa: E402
from harness.verdicts import Verdict  # noqa: E402
from oracles.exact.enclose import refine  # noqa: E402
from oracles.exact.rounding import attainable  # noqa: E402

KEYS = slice(8, 16)  # of the bias of attention's input


def draw(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


INPUTS = {dtype: draw(12, 8, dtype=dtype) for dtype in (torch.float32, torch.float64)}


def attention(bias):
    """What the keys' bias adds to all scores of a query, softmax takes away."""
    inputs = INPUTS[bias.dtype]
    queries, keys, values = inputs + bias[:8], inputs.flip(0) + bias[KEYS], inputs * 2 + bias[16:]
    return torch.softmax(queries @ keys.T, -1) @ values


def normalised(x):
    return torch.nn.functional.batch_norm(x, None, None, training=True).sum()


@pytest.fixture
def asked(monkeypatch):
    """What was asked of Arb: the bits of each evaluation, and the runs nearby."""
    found, evaluate, by_arb = [], refine.evaluate, attainable.by_arb

    def evaluated(program, inputs, bits, *rest):
        found.append(bits)
        return evaluate(program, inputs, bits, *rest)

    def nearby(*given):
        found.append("nearby")
        return by_arb(*given)

    monkeypatch.setattr(refine, "evaluate", evaluated)
    monkeypatch.setattr(attainable, "by_arb", nearby)
    return found


@pytest.mark.parametrize("dtype", INPUTS)
def test_the_bias_of_keys_is_0_nearby_too_without_arb(asked, dtype):
    assert harness.check_gradient(attention, (draw(24, dtype=dtype),)).verdict is Verdict.ACCURATE
    assert "nearby" not in asked
    assert max(asked, default=0) <= 128


def test_a_gradient_that_is_0_everywhere_takes_two_evaluations(asked):
    assert harness.check_gradient(normalised, (draw(16, 4, dtype=torch.float32),)).verdict is Verdict.ACCURATE
    assert set(asked) <= {128, 2048}


@pytest.mark.parametrize("dtype", INPUTS)
def test_what_should_be_0_and_is_not_is_wrong(dtype):
    class Shifted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, bias):
            return bias.clone()

        @staticmethod
        def backward(ctx, g):
            g = g.clone()
            g[KEYS] += 1e-6
            return g

    found = harness.check_gradient(lambda bias: attention(Shifted.apply(bias)), (draw(24, dtype=dtype),))
    assert found.verdict is Verdict.WRONG
    assert "8 of 24 elements differ" in str(found)


def test_what_is_0_here_alone_is_not_taken_for_0_nearby():
    """cos a - cos b, where a is b: half an ulp of either is more than its digits show."""
    a = draw(8, dtype=torch.float32)

    def differences(c, a, b):
        return torch.cat([c[:8] * (a.cos() - b.cos()), c[8:]])

    found = harness.check_gradient(differences, (draw(16, dtype=torch.float32), a, a.clone()))
    assert found.verdict is Verdict.ACCURATE
    assert found.parts[0].judgement.attainable_ulp > 1e20  # of the smallest number of all
