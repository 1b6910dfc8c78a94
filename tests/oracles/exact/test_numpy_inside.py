"""NumPy code inside functions of tensors: recorded where it stands."""

import array
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.special
import torch
from numpy.fft import irfft2, rfft2
from torch import FloatTensor, from_numpy

from harness import check_gradient, exact_gradient
from harness.dropin import gradcheck
from harness.verdicts import Verdict
from oracles.exact.from_aten import record
from oracles.exact.program.errors import Opaque, Undecided
from tests.harness.proof.torch_functions import pulled
from tests.oracles.exact.numpy_tools import piecewise
from tests.sampling import cells

X = torch.linspace(-1.5, 2, 6, dtype=torch.float64)
M = torch.linspace(-1, 1, 9, dtype=torch.float64).reshape(3, 3) + 2 * torch.eye(3, dtype=torch.float64)


def of_numpy(code):
    return lambda x: from_numpy(code(x.detach().numpy()))


def inverse_along(m, g):
    inverse = torch.linalg.inv(m)
    return -inverse.T @ g @ inverse.T


RULES = {
    "NumPy both ways": (of_numpy(np.sin), lambda g, x: g * of_numpy(np.cos)(x), X),
    "NumPy and torch": (of_numpy(np.tanh), lambda g, x: g * (1 - torch.tanh(x) ** 2), X),
    "SciPy": (
        of_numpy(scipy.special.erf),
        lambda g, x: g * 2 / math.sqrt(math.pi) * of_numpy(lambda a: np.exp(-a * a))(x),
        X,
    ),
    "float32": (of_numpy(np.exp), lambda g, x: g * of_numpy(np.exp)(x), X.float()),
    "branches and writes": (
        of_numpy(piecewise),
        lambda g, x: g * torch.where(x > 0.5, 2 * x, torch.exp(x)),
        X,
    ),
    "linear algebra": (of_numpy(np.linalg.inv), lambda g, m: inverse_along(m, g), M),
    "by other ways back": (
        lambda x: x.new(np.exp(x.detach().cpu().numpy())),
        lambda g, x: g * torch.as_tensor(np.exp(x.numpy()), dtype=x.dtype),
        X,
    ),
    "classes": (
        lambda x: torch.DoubleTensor(np.sin(x.detach().numpy())),
        lambda g, x: g * torch.from_dlpack(np.cos(x.numpy())),
        X,
    ),
    "the default class": (
        lambda x: torch.Tensor(np.sin(x.detach().numpy())),
        lambda g, x: g * FloatTensor(np.cos(x.numpy())) * isinstance(x, torch.FloatTensor),
        X.float(),
    ),
}


@pytest.mark.parametrize(("name", "factor"), cells(RULES, [1.0, 1.001]))
def test_a_rule_is_judged_by_the_code(name, factor):
    forward, backward, x = RULES[name]
    f = pulled(forward, lambda g, x: factor * backward(g, x))
    verdict = Verdict.ACCURATE if factor == 1 else Verdict.WRONG
    for function in (f, lambda x: f(x) * x + torch.exp(x)):
        found = check_gradient(function, [x])
        assert found.verdict is verdict
        assert "not examined" not in found.explain()


def test_gradcheck_of_it_is_proven():
    forward, backward, x = RULES["NumPy both ways"]
    assert gradcheck(pulled(forward, backward), (x.clone().requires_grad_(),))
    doubled = pulled(forward, lambda g, x: 2 * backward(g, x))
    assert not gradcheck(doubled, (x.clone().requires_grad_(),), raise_exception=False)


class BadFFT(torch.autograd.Function):
    """As a known tutorial has it; its gradient is not that of its value, as its name says."""

    @staticmethod
    def forward(ctx, x):
        return x.new(abs(rfft2(x.detach().numpy())))

    @staticmethod
    def backward(ctx, g):
        return g.new(irfft2(g.numpy()))


def test_a_tutorial_s_fft_is_found_wrong():
    found = check_gradient(BadFFT.apply, [torch.sin(torch.arange(16.0).double() ** 2).reshape(4, 4)])
    assert found.verdict is Verdict.WRONG


def test_its_exact_gradient_is_that_of_the_code():
    found = exact_gradient(pulled(of_numpy(piecewise), lambda g, x: g), [X], cotangent=torch.ones(6))
    expected = exact_gradient(lambda x: piecewise(x).sum(), [X.numpy()])
    assert all(a.overlaps(b) for a, b in zip(found.balls, expected.balls, strict=True))
    assert found.proven_error < 1e-30


def test_what_autograd_does_not_follow_is_held_fixed():
    """Outside of a custom function nothing leads back from NumPy: so torch has it, and so it is right."""
    assert check_gradient(lambda x: x * of_numpy(np.sin)(x), [X]).verdict is Verdict.ACCURATE
    assert check_gradient(lambda x: x * of_numpy(lambda a: a > 0.3)(x), [X]).verdict is Verdict.ACCURATE


def test_it_is_bounded_as_numpy_rounds():
    """The operations are NumPy's, whose functions may be off by more ulps than torch's."""
    program = record(pulled(of_numpy(np.sin), lambda g, x: g), [X]).program
    assert [e.origin.library for e in program.equations if e.called == "sin"] == ["numpy"]
    program = record(torch.sin, [X]).program
    assert {e.origin.library for e in program.equations if e.origin} == {""}


def write(x):
    array = (x * 2).detach().numpy()
    array[0] = 5.0
    return from_numpy(array) * x


def write_the_tensor(x):
    y = (x * 2).detach()
    array = y.numpy()
    y.add_(1.0)
    return from_numpy(array) * x


@pytest.mark.parametrize(("f", "said"), [
    (write, "shares with a NumPy array is written"),
    (write_the_tensor, "shares with a NumPy array is written"),
    (of_numpy(lambda a: a * np.random.default_rng().random()), "random numbers"),
    (lambda x: x * torch.tensor(x.tolist(), dtype=x.dtype), "computes something outside torch"),
    (lambda x: from_numpy(np.array(x.tolist()) * x.detach().numpy()), "computes something outside torch"),
    (lambda x: from_numpy(np.asarray(x.detach()) * x.detach().numpy()), "computes something outside torch"),
    (of_numpy(lambda a: np.array(array.array("d", a))), "float.. would take a number"),
    (lambda x: torch.tensor(np.sin(x.detach().numpy()), requires_grad=True) * x, "with these arguments"),
])  # fmt: skip
def test_what_is_not_known_says_so(f, said):
    with pytest.raises(Opaque, match=said):
        record(f, [X])


def test_a_branch_on_its_edge_is_not_decided():
    with pytest.raises(Undecided):
        exact_gradient(pulled(of_numpy(piecewise), lambda g, x: g), [torch.tensor([0.5]).double()])


def test_threads_record_one_after_the_other():
    forward, backward, x = RULES["NumPy both ways"]
    with ThreadPoolExecutor(4) as pool:
        found = pool.map(lambda _: check_gradient(pulled(forward, backward), [x]).verdict, range(8))
    assert set(found) == {Verdict.ACCURATE}


def test_torch_is_as_it_was():
    before = torch.from_numpy, torch.tensor, torch.Tensor.new, torch.Tensor.numpy
    check_gradient(pulled(of_numpy(np.sin), lambda g, x: g), [X])
    with pytest.raises(Opaque):
        record(write, [X])
    assert (torch.from_numpy, torch.tensor, torch.Tensor.new, torch.Tensor.numpy) == before
    assert not {"numpy", "new", "new_tensor", "__new__"} & vars(torch.Tensor).keys()
    assert torch.FloatTensor is FloatTensor
    assert torch.Tensor([1, 2]).tolist() == [1.0, 2.0]
    assert torch.Tensor(2, 3).shape == (2, 3)


def test_memory_of_numpy_s_that_is_not_written_may_be_asked_for_its_dtype_and_filled_by_torch():
    x = torch.tensor([0.25, -0.5], dtype=torch.float64)

    def function(x):
        blank = torch.from_numpy(np.empty(2))
        blank.fill_(3.0)
        return x.to(torch.from_numpy(np.empty([], dtype=np.float64)).dtype) * blank

    assert check_gradient(function, (x,)).verdict == "accurate"
