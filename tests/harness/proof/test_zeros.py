"""A gradient that is 0, of a program whose bound has no end: samples of its rounding tell what it may be."""

import pytest
import torch

import harness
from harness.verdicts import Verdict
from oracles.exact.rounding import sampled

X = 32 * torch.randn(16, generator=torch.Generator().manual_seed(2)).bfloat16()
SHIFT = torch.zeros((), dtype=torch.bfloat16)  # changes no softmax


class Online(torch.autograd.Function):
    """A softmax by blocks, as flash attention has it: from a maximum of -inf."""

    @staticmethod
    def forward(ctx, x, shift):
        s = x + shift
        top, total = s.new_full((), -torch.inf), s.new_zeros(())
        for block in s.split(4):
            new = torch.maximum(top, block.max())
            total, top = total * torch.exp(top - new) + torch.exp(block - new).sum(), new
        y = torch.exp(s - top) / total
        ctx.save_for_backward(s, top + torch.log(total), y)
        return y

    @staticmethod
    def backward(ctx, g):
        s, logs, y = ctx.saved_tensors
        d = torch.exp(s - logs) * (g - (g * y).sum())
        return d, d.sum()


class Shifted(Online):
    """Its gradient in the shift is that of one element."""

    @staticmethod
    def backward(ctx, g):
        d, _ = Online.backward(ctx, g)
        return d, d[3]


def checked(function):
    return harness.check_gradient(function.apply, (X, SHIFT), probes=False)


@pytest.fixture
def runs(monkeypatch):
    """Every sampled run that is made."""
    made = []
    once = sampled._Sampled.all
    monkeypatch.setattr(sampled._Sampled, "all", lambda self, *a, **k: made.append(1) or once(self, *a, **k))
    return made


def test_an_infinity_that_stands_in_the_code_is_not_one_that_rounding_makes(runs):
    found = checked(Online)
    assert found.verdict is Verdict.ACCURATE, found
    shift = found.parts[1].judgement
    assert shift.bound_ulp == float("inf")
    assert shift.computed
    assert len(runs) == 1  # it explains the number, so no other is made


def test_a_wrong_gradient_in_what_changes_nothing_is_wrong(runs):
    assert checked(Shifted).verdict is Verdict.WRONG
    assert not runs
