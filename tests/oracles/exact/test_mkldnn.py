"""torch's mkldnn tensors: the truth of the dense function."""

import pytest
import torch
import torch.nn.functional as F

from harness import check_gradient, exact_gradient, exact_value
from harness.dropin import GradientWarning, gradcheck, settings
from harness.verdicts import Verdict

X = torch.linspace(-1, 1, 12).reshape(3, 4) + 0.3
IMAGE = torch.sin(torch.arange(216.0) ** 2).reshape(2, 3, 6, 6)
KERNEL = torch.cos(torch.arange(108.0) ** 2).reshape(4, 3, 3, 3)
WEIGHT, BIAS = torch.linspace(-2, 1, 8).reshape(2, 4), torch.tensor([0.5, -0.5])


def _normalized(x):
    return F.batch_norm(x, torch.zeros(3), torch.ones(3), torch.tensor([1.0, 2, 3]), torch.zeros(3), True)


def _prelu(x):
    weight = torch.tensor([0.25])
    return F.prelu(x, weight if x.layout == torch.strided else weight.to_mkldnn())


OPERATORS = {  # each runs on mkldnn tensors and on dense ones
    "relu": (torch.relu, X),
    "gelu": (F.gelu, X),
    "product": (lambda x: x * x + 3 * x, X),
    "transpose": (lambda x: x.transpose(0, 1) * x.reshape(4, 3), X),
    "clone and detach": (lambda x: x.clone() * x.detach(), X),
    "written in place": (lambda x: (x * 2).mul_(x).relu_(), X),
    "linear": (lambda x: F.linear(x, WEIGHT, BIAS), X),
    "convolution": (lambda x: F.conv2d(x, KERNEL, padding=1, stride=2), IMAGE),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1, ceil_mode=True), IMAGE),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2, 2), IMAGE),
    "adaptive_avg_pool2d": (lambda x: F.adaptive_avg_pool2d(x, (2, 3)), IMAGE),
    "batch_norm": (_normalized, IMAGE),
    "prelu": (_prelu, IMAGE),
}


@pytest.mark.parametrize("name", OPERATORS)
def test_its_truth_is_the_dense_functions(name):
    f, x = OPERATORS[name]
    inside = lambda x: f(x.to_mkldnn()).to_dense()  # noqa: E731
    assert check_gradient(inside, [x]).passed
    assert check_gradient(f, [x.to_mkldnn()]).passed
    c = torch.randn(f(x).shape, generator=torch.Generator().manual_seed(0))
    found, expected = exact_gradient(inside, [x], cotangent=c), exact_gradient(f, [x], cotangent=c)
    assert all(a.overlaps(b) for a, b in zip(found.balls.flat, expected.balls.flat, strict=True))
    assert found.proven_error < 1e-25


def test_the_weights_of_a_layer_are_asked_too():
    def layer(x, weight, bias):
        return F.linear(x.to_mkldnn(), weight, bias).to_dense()

    assert check_gradient(layer, [X, WEIGHT, BIAS]).passed
    assert check_gradient(lambda k: F.conv2d(IMAGE.to_mkldnn(), k).to_dense(), [KERNEL]).passed


def _convolved(x):
    """As `torch.utils.mkldnn` has it: padding before stride."""
    return torch.mkldnn_convolution(x.to_mkldnn(), KERNEL.to_mkldnn(), None, [1, 1], [2, 2], [1, 1], 1)


VALUES = {  # of what torch has no gradient of, or calls by another name where it has one
    "convolution": (_convolved, lambda x: F.conv2d(x, KERNEL, stride=2, padding=1), IMAGE),
    "transpose": (lambda x: torch._mkldnn_transpose(x.to_mkldnn(), 0, 1), lambda x: x.T, X),
}


@pytest.mark.parametrize("name", VALUES)
def test_its_value_is_the_dense_functions(name):
    f, dense, x = VALUES[name]
    found, expected = exact_value(lambda x: f(x).to_dense(), [x]), exact_value(dense, [x])
    assert all(a.overlaps(b) for a, b in zip(found.balls.flat, expected.balls.flat, strict=True))


def test_it_is_an_argument_a_result_and_a_constant():
    found = check_gradient(lambda d, x: [d["a"] * x.to_mkldnn(), x], [{"a": X.to_mkldnn()}, X])
    assert found.passed
    assert {part.name for part in found.parts if not part.of_value} == {"d['a'].to_dense()", "x"}
    constant = X.to_mkldnn()
    assert check_gradient(lambda m: m * constant, [X.to_mkldnn()]).passed


@pytest.mark.skipif(
    not torch.ops.mkldnn._is_mkldnn_bf16_supported(), reason="oneDNN has no bfloat16 on this processor"
)
def test_it_is_an_argument_in_bfloat16():
    assert check_gradient(lambda m: torch.relu(m).to_dense(), [X.bfloat16().to_mkldnn()]).passed


@pytest.mark.filterwarnings(
    "ignore:Input #0 requires gradient"
)  # torch wishes for float64, which oneDNN has not
def test_gradcheck_of_it_is_proven(monkeypatch):
    monkeypatch.setattr(settings, "tolerances", 0)  # it is said once in a process
    x = X.clone().requires_grad_()
    with pytest.warns(GradientWarning, match="the tolerance follows from the program"):
        assert gradcheck(lambda x: F.gelu(x.to_mkldnn()).to_dense(), (x,), atol=1, eps=0.1)


def test_its_second_derivative_is_known():
    assert check_gradient(lambda m: m * m * m, [X.to_mkldnn()], order=2).passed


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_wrong_rule_is_found(factor):
    class Relu(torch.autograd.Function):
        @staticmethod
        def forward(ctx, m):
            ctx.save_for_backward(m)
            return torch.relu(m)

        @staticmethod
        def backward(ctx, g):
            (m,) = ctx.saved_tensors
            return (g.to_dense() * (m.to_dense() > 0) * factor).to_mkldnn()

    verdict = Verdict.ACCURATE if factor == 1 else Verdict.WRONG
    assert check_gradient(Relu.apply, [X.to_mkldnn()]).verdict is verdict
    assert check_gradient(lambda x: Relu.apply(x.to_mkldnn()).to_dense(), [X]).verdict is verdict

    def by_hand(c, m):
        return (c * factor).to_mkldnn()

    assert check_gradient(lambda m: m.to_dense() * 1, [X.to_mkldnn()], vjp=by_hand).verdict is verdict


def test_what_is_not_known_says_so():
    outside = X.to_mkldnn()
    found = check_gradient(lambda m: outside.add_(m), [X.to_mkldnn()])
    assert "mkldnn tensor from outside is written in place" in found.diagnosis
    shared = check_gradient(lambda m: [q := m * 2, q.reshape(4, 3).relu_()][0], [X.to_mkldnn()])
    assert "memory was changed" in shared.diagnosis
    with pytest.raises(RuntimeError, match="unsupported tensor layout"):  # torch's own: it has no backward
        check_gradient(torch.tanh, [X.to_mkldnn()])
