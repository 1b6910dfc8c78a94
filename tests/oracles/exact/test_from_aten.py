"""PyTorch code as programs: semantics of autograd, kernels against closed forms and torch's own gradients."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import harness
from harness.cases import catalogue
from harness.commands.coverage import by_function, count_proven, faults
from harness.verdicts import Verdict
from oracles.exact.core.plans import planned
from oracles.exact.coverage.disagreements import EXPLAINED
from oracles.exact.coverage.torch import coverage
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_aten import record, rules
from oracles.exact.from_aten.call import plain
from oracles.exact.program.balls import KINKS
from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.errors import Undecided, Unsupported
from oracles.exact.program.recording import Recording
from oracles.torch_functions import FUNCTIONS
from tests.sampling import WHOLE, long

BITS = 128
RNG = np.random.default_rng(7)


def draw(*shape: int) -> Tensor:
    return torch.from_numpy(np.asarray(np.round(np.random.default_rng(sum(shape)).normal(size=shape), 2)))


def gradients(recording: Recording, *cotangents: Any) -> list[np.ndarray]:
    """The exact gradients of all inputs; a cotangent of 1 for a scalar output."""
    program = vjp(recording.program, range(len(recording.values)))
    given = [np.asarray(c) for c in cotangents] or [np.ones(())]
    return evaluate(program, [*recording.values, *given], BITS)


def mids(balls: np.ndarray) -> np.ndarray:
    """The midpoints, after a look at the radii."""
    flat = balls.ravel().tolist()
    assert all(b.is_finite() and float(b.rad()) < 1e-20 * max(1.0, abs(float(b.mid()))) for b in flat)
    return np.array([float(b.mid()) for b in flat]).reshape(balls.shape)


def gradient(function: Callable[..., Any], *args: Any) -> Any:
    found = [mids(g) for g in gradients(record(function, args))]
    return found[0] if len(found) == 1 else found


def agrees(function: Callable[..., Any], *args: Tensor, tolerance: float = 1e-8) -> None:
    """Our gradient against torch's, along a random cotangent; and <u, Jv> = <J'u, v> as balls."""
    leaves = [a.detach().clone().requires_grad_() for a in args]
    out = function(*leaves)
    cotangent = RNG.normal(size=tuple(out.shape)).round(2)
    theirs = torch.autograd.grad(
        out, leaves, torch.from_numpy(np.asarray(cotangent)).to(out.dtype), allow_unused=True
    )
    recording = record(function, args)
    ours = gradients(recording, cotangent)
    for mine, their in zip(ours, theirs, strict=True):
        expected = 0.0 if their is None else their.double().numpy()
        np.testing.assert_allclose(
            mids(mine), np.broadcast_to(expected, mine.shape), rtol=tolerance, atol=tolerance
        )
    moves = [RNG.normal(size=v.shape).round(2) for v in recording.values]
    (moved,) = evaluate(jvp(recording.program, range(len(moves))), [*recording.values, *moves], BITS)
    forward = sum((b * float(c) for b, c in zip(moved.ravel(), cotangent.ravel(), strict=True)), start=0)
    backward = sum(
        (
            b * float(v)
            for g, m in zip(ours, moves, strict=True)
            for b, v in zip(g.ravel(), m.ravel(), strict=True)
        ),
        start=0,
    )
    assert (forward - backward).contains(0)


# -- what is differentiated -------------------------------------------------------------------------------


class Square(torch.autograd.Function):
    """x^2 with a wrong backward, which must not matter."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.detach() * x

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * 77


def test_the_forward_counts_and_not_the_custom_backward() -> None:
    apply = Square.apply  # bound before the recording
    assert gradient(lambda x: apply(x), np.float64(3.0)) == 6.0
    assert Square.forward(None, torch.tensor(3.0)) == 9.0  # as it was


def test_a_record_inside_another_leaves_it_counting() -> None:
    def function(x: Tensor) -> Tensor:
        assert gradient(Square.apply, np.float64(2.0)) == 4.0
        result: Tensor = Square.apply(x)
        return result

    assert gradient(function, np.float64(3.0)) == 6.0
    assert "__getattribute__" not in vars(type(Square))


def test_a_function_that_is_born_while_recording() -> None:
    def cube(x: Tensor) -> Tensor:
        class Cube(torch.autograd.Function):
            @staticmethod
            def forward(x: Tensor) -> Tensor:
                with torch.no_grad():
                    return x.detach() ** 3

            @staticmethod
            def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
                pass

            @staticmethod
            def backward(ctx: Any, grad: Tensor) -> Tensor:
                return grad

        result: Tensor = Cube.apply(x)
        return result

    assert gradient(cube, np.float64(2.0)) == 12.0


def test_what_enters_a_function_detached_stays_so() -> None:
    product = Product.apply
    assert gradient(lambda x: product(x, x.detach()), np.float64(3.0)) == 3.0
    assert gradient(lambda x: product(x, x), np.float64(3.0)) == 6.0


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor) -> Tensor:
        return x * y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        return grad, grad


def no_grad_factor(x: Tensor) -> Tensor:
    with torch.no_grad():
        factor = x * x
    return x * factor


def data_write(x: Tensor) -> Tensor:
    y = x * 2
    y.data.mul_(5)  # the value changes, the derivative does not
    return y * y


def no_grad_write(x: Tensor) -> Tensor:
    y = x * 2
    with torch.no_grad():
        y.mul_(5)
    return y * 1


@pytest.mark.parametrize(
    ("function", "at_3"),
    [
        (lambda x: x * x.detach(), 3.0),
        (lambda x: x * x.data, 3.0),
        (no_grad_factor, 9.0),
        (data_write, 2 * 30.0 * 2.0),
        (no_grad_write, 2.0),
        (lambda x: (x * 2).detach_() * x, 6.0),
        (lambda x: (x * x).detach().requires_grad_() * 0.0 + x, 1.0),
    ],
)
def test_what_autograd_holds_fixed_is_held_fixed(function: Callable[[Tensor], Tensor], at_3: float) -> None:
    assert gradient(function, np.float64(3.0)) == at_3


def leaves_grad_mode_off(x: Tensor) -> Tensor:
    y = no_grad_factor(x)
    torch.set_grad_enabled(False)
    return y


@pytest.mark.parametrize("mode", [torch.no_grad, lambda: torch.set_grad_enabled(False), torch.inference_mode])
def test_the_caller_s_grad_mode_changes_no_record(mode: Callable[[], Any]) -> None:
    with mode():
        modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled()
        x = torch.tensor([3.0], dtype=torch.float64)  # in inference mode an inference tensor
        slopes = ((no_grad_factor, 9.0, 27.0), (leaves_grad_mode_off, 9.0, 27.0), (Square.apply, 6.0, 6.0))
        for function, reverse, forward in slopes:  # which does not see no_grad
            recording = record(function, (x,))
            assert (torch.is_grad_enabled(), torch.is_inference_mode_enabled()) == modes
            for derive, at_3 in ((vjp, reverse), (jvp, forward)):
                program = derive(recording.program, (0,))
                assert mids(evaluate(program, [*recording.values, np.ones(1)], BITS)[0]) == [at_3]


def test_a_tensor_that_was_made_in_inference_mode_is_named() -> None:
    with torch.inference_mode():
        factor = torch.tensor([2.0])
    with pytest.raises(Unsupported, match=r"made in inference mode.*or clone it there"):
        record(lambda x: x * factor, (torch.tensor([3.0]),))


def test_in_place_operators_write_the_memory_that_views_share() -> None:
    def function(x: Tensor) -> Tensor:
        y = x * 1
        row, flat = y[1], y.view(-1)
        row.mul_(3)
        flat[0:2].copy_(x[0, :2] ** 2)
        y.t()[2].add_(y[0] * 2)
        y[x > 10] = 0.5
        return y.cumsum(0) * y

    agrees(function, draw(3, 3))


def test_gradients_inside_the_function() -> None:
    def penalty(x: Tensor) -> Tensor:
        (g,) = torch.autograd.grad(torch.tanh(x).sum(), x, create_graph=True)
        return (g * g).sum() + torch.func.grad(lambda z: (z**3).sum())(x).sum()

    x = np.array([0.3, -0.7])
    t = np.tanh(x)
    np.testing.assert_allclose(gradient(penalty, x), -4 * (1 - t**2) ** 2 * t + 6 * x, rtol=1e-14)


@pytest.mark.filterwarnings("ignore:`torch.jit.script`:DeprecationWarning")  # torch.func's own
def test_forward_mode_and_vmap_inside_the_function() -> None:
    agrees(lambda x: torch.func.hessian(lambda z: (z**4).sum() * z[0])(x), draw(3))
    agrees(lambda x: torch.vmap(lambda row: row.softmax(0) * row.norm())(x), draw(3, 4))


def test_detached_inner_gradients_are_constants() -> None:
    def function(x: Tensor) -> Tensor:
        (g,) = torch.autograd.grad((x**3).sum(), x)
        return (g * x).sum()

    np.testing.assert_allclose(gradient(function, np.array([2.0])), [12.0])


def under_no_grad(x: Tensor) -> Tensor:
    with torch.no_grad():
        most = (2 * x).max()
    return most * x


@pytest.mark.parametrize(
    "steps",
    [["forward"], ["reverse"], ["forward", "reverse"], ["reverse", "forward"], ["reverse", "reverse"]],
)
@pytest.mark.parametrize("function", [under_no_grad, lambda x: (2 * x).max().detach() * x])
def test_forward_mode_does_not_see_no_grad(function: Any, steps: list[str]) -> None:
    """So torch has it: "this API does not apply to forward-mode AD"; `detach` does."""
    x = torch.tensor([1.5, -0.5], dtype=torch.float64)
    assert harness.check_gradient(function, (x,), mode=steps, probes=False).passed


def test_arguments_are_trees_of_arrays_of_any_dtype() -> None:
    def function(tree: dict[str, Any], scale: Tensor, factor: float) -> Tensor:
        assert tree["b"][0].dtype == torch.bfloat16
        assert scale.dtype == torch.float32
        return (tree["a"][tree["b"][1]] * tree["b"][0]).sum() * scale * factor

    tree = {"a": np.array([0.1, 0.2]), "b": [torch.tensor(0.1, dtype=torch.bfloat16), np.array([0, 0])]}
    recording = record(function, (tree, np.float32(0.1)), {"factor": 0.5})
    assert [v.dtype for v in recording.program.inputs] == ["float64", "bfloat16", "float32"]
    assert recording.argument == (0, 0, 1)
    assert recording.values[1] == 0.10009765625  # exactly the number it is
    first = gradients(recording)[0]
    np.testing.assert_allclose(mids(first), [0.10009765625 * float(np.float32(0.1)), 0.0], rtol=1e-15)


# -- branches and what leaves the tensors -----------------------------------------------------------------


def test_branches_are_decided_exactly_and_guarded() -> None:
    def function(x: Tensor) -> Tensor:
        return x.sum() if x.max() > 0.5 and x.argmax().item() == 1 else x.prod()

    recording = record(function, (np.array([0.1, 0.7]),))
    assert len(recording.program.guards) == 2
    np.testing.assert_array_equal(mids(gradients(recording)[0]), [1.0, 1.0])
    with pytest.raises(Undecided, match="branch took True; here it is False"):
        evaluate(recording.program, [np.array([0.1, 0.2])], BITS)


def test_a_branch_that_rounding_would_take_wrongly() -> None:
    def function(x: Tensor) -> Tensor:
        return x * 3 if (1.0 + x) - 1.0 > 0 else x * 5  # 1e-30 is lost in float64

    assert gradient(function, np.float64(1e-30)) == 3.0


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda x: x * x.sum().item(), r"number leaves the tensors .*test_from_aten.py:\d+"),
        (lambda x: x * float(x.sum()), "number leaves the tensors"),
        (lambda x: x * (x.detach() + 1).sum().item(), "number leaves the tensors"),
        (
            lambda x: x * torch.zeros_like(x).index_fill(0, torch.tensor(0), 2).add(x).max().item(),
            "number lea",
        ),
        (lambda x: torch.tensor(x.detach().tolist()) ** 2 * x, "outside torch"),
        (lambda x: torch.tensor(x.detach().tolist()) * x, "outside torch"),
        (lambda x: x * float(x.detach().numpy().sum()), r"leaves torch through \.numpy"),
        (lambda x: x * x.detach().numpy().sum().item(), r"leaves torch through \.numpy"),
        (lambda x: x.numpy(), "through .numpy"),
        (lambda x: NumbersExp.apply(x), "outside torch"),
        (lambda x: write_outside(x), "memory was changed outside torch"),
        (lambda x: x * torch.normal(x, 1.0), "random numbers"),
        (lambda x: x * torch.distributions.Gamma(x.exp(), 1.0).rsample(), "random numbers"),
        (lambda x: x.add_(1), "changes its input"),
        (lambda x: x.detach().add_(1), "changes its input"),
        (lambda x: torch.geqrf(torch.complex(x, x).diag())[0].abs(), "of complex numbers has no rule"),
        (
            lambda x: torch.special.airy_ai(x),
            r"aten.special_airy_ai has no rule: say what it computes",
        ),
        (lambda x: x.sum().detach().numpy(), "returns a ndarray"),
        (lambda x: replaced_data(x), "was its .data replaced"),
        (lambda x: replaced_input(x), "was its .data replaced"),
    ],
)
def test_what_has_no_exact_value_says_so(function: Callable[[Tensor], Any], says: str) -> None:
    with pytest.raises(Unsupported, match=says):
        record(function, (np.array([0.5, 1.0, 1.5]),))


IMAGE, GRID = draw(1, 1, 4, 4), draw(1, 2, 2, 2) / 4
TALL = torch.tensor([[1.0, 1.0], [1.0, 1.001], [0.5, 0.5]], dtype=torch.float64)
HEADS = draw(1, 2, 3, 2)


def inference_variance(x: Tensor) -> Tensor:
    with torch.inference_mode():
        spread = x.var(unbiased=False)  # as a whole, which a rule would read as var(dim=False)
    return x + spread


@pytest.mark.parametrize(
    ("function", "x", "says"),
    [
        (lambda x: x.topk(30, sorted=False)[0], draw(200), "sorted=False"),
        (lambda a: torch.linalg.lstsq(a, TALL, rcond=0.1)[0], TALL, "drops singular values"),
        (lambda w: F.embedding(torch.tensor([1, 1]), w, scale_grad_by_freq=True), TALL, "scale_grad_by_freq"),
        (
            lambda w: F.embedding_bag(torch.tensor([[1, 1]]), w, scale_grad_by_freq=True),
            TALL,
            "scale_grad_by_freq",
        ),
        (
            lambda x: torch.segment_reduce(x, "mean", lengths=torch.tensor([1, 3]), initial=2.0),
            draw(4),
            "mean with initial",
        ),
        (inference_variance, draw(4), "inference mode"),
    ],
)
def test_what_a_rule_does_not_know_is_not_taken_for_what_it_knows(
    function: Callable[[Tensor], Any], x: Tensor, says: str
) -> None:
    with pytest.raises(Unsupported, match=says):
        record(function, (x,))


@pytest.mark.parametrize("more", [{}, {"side": "left"}, {"side": "right"}, {"right": True}])
def test_searchsorted_on_both_sides(more: dict[str, Any]) -> None:
    edges, table = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64), draw(4)
    recording = record(
        lambda x: x * table[torch.searchsorted(edges, x, **more)], (np.array([0.0, 1.0, 1.5]),)
    )
    assert (
        mids(evaluate(recording.program, recording.values, BITS)[0]).tolist()
        == recording.executed()[0].tolist()
    )


EDGES = torch.tensor([[[0.0, 1.0, 2.0], [-1.0, 1.0, 1.5]], [[3.0, 4.0, 5.0], [0.0, 0.0, 1.5]]]).double()
SHUFFLED, ORDER = EDGES[..., [2, 0, 1]].contiguous(), torch.tensor([1, 2, 0]).expand(2, 2, 3).contiguous()


@pytest.mark.parametrize(
    "places",
    [
        lambda x: torch.searchsorted(EDGES, x),
        lambda x: torch.searchsorted(EDGES, x, side="right", out_int32=True),
        lambda x: torch.searchsorted(SHUFFLED, x, right=True, sorter=ORDER),
        lambda x: torch.bucketize(x, EDGES[0, 1], right=True, out_int32=True),
    ],
)
def test_each_row_is_searched_in_edges_of_its_own(places: Callable[[Tensor], Tensor]) -> None:
    table = draw(4)
    x = torch.tensor([[[0.0, 1.0, 1.5, 9.0], [1.0, 1.25, -2.0, 1.5]]]).double().repeat(2, 1, 1)
    recording = record(lambda x: x * table[places(x).long()], (x,))
    found = mids(evaluate(recording.program, recording.values, BITS)[0])
    assert found.tolist() == recording.executed()[0].tolist()


# -- operators through which torch gives no gradient ---------------------------------------------------------

bessel = torch.special.bessel_j0


@pytest.fixture
def with_a_rule_for_bessel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rules.RULES, "special_bessel_j0", plain(lambda x: x * 3.0))  # which one is no matter


@pytest.mark.usefixtures("with_a_rule_for_bessel")
@pytest.mark.parametrize(
    "function",
    [
        bessel,
        lambda x: x * bessel(x),
        lambda x: x + bessel(x)[0:1],
        lambda x: x * (bessel(x) * 2).clone(),
        lambda x: Product.apply(x, bessel(x)),
        lambda x: torch.vmap(lambda row: row * bessel(row))(x),
        lambda x: torch.stack([x, bessel(x)]),
    ],
)
def test_a_missing_gradient_is_no_zero(function: Callable[[Tensor], Tensor]) -> None:
    says = r"torch gives no gradient through aten.special_bessel_j0.*under torch.no_grad\(\) if"
    with pytest.raises(Unsupported, match=says):
        record(function, (draw(3),))


def without_grad(x: Tensor) -> Tensor:
    with torch.no_grad():
        factor = bessel(x)
    return x * factor


def fixed_afterwards(x: Tensor) -> Tensor:
    factor = bessel(x)
    with torch.no_grad():
        factor = factor * 1.0
    return x * factor


def filled_without_grad(x: Tensor) -> Tensor:
    factor = torch.zeros_like(x)
    with torch.no_grad():
        factor.copy_(bessel(x))
    return x * factor


class ByBessel(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return bessel(x)  # a forward is differentiated, whatever autograd knows of it

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad * 3.0


@pytest.mark.usefixtures("with_a_rule_for_bessel")
@pytest.mark.parametrize(
    ("function", "at_2"),
    [
        (without_grad, 6.0),
        (fixed_afterwards, 6.0),
        (filled_without_grad, 6.0),
        (lambda x: x * bessel(x.detach()), 6.0),
        (lambda x: x * bessel(x.data), 6.0),
        (ByBessel.apply, 3.0),
        (lambda x: x + torch.zeros_like(x), 1.0),
        (lambda x: x * x.new_ones(()), 1.0),
        (lambda x: x * (x // 0.75), 2.0),
        (lambda x: x * (x + 0.25).round() * (x > 0) * x.sign(), 2.0),
        (lambda x: (x + 0.25).int() * x + x.float().double(), 3.0),
        (lambda x: x * torch.tensor(np.sign(x.detach().numpy())), 1.0),
    ],
)
def test_what_is_meant_to_be_constant_stays_so(function: Callable[[Tensor], Tensor], at_2: float) -> None:
    assert gradient(function, np.float64(2.0)) == at_2


class NumbersExp(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.tensor(np.exp(x.detach().tolist()))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return grad


def replaced_data(x: Tensor) -> Tensor:
    y = x * 2
    y.data = torch.ones(3, dtype=torch.float64)
    return y * x


def replaced_input(x: Tensor) -> Tensor:
    x.data = x.data * 1.0  # as a constraint on a weight
    return F.conv1d(x.view(1, 1, 3), torch.ones(1, 1, 2, dtype=x.dtype)) * x.sum()


def write_outside(x: Tensor) -> Tensor:
    y = x * 2
    y.detach().numpy()[0] = 7.0
    return y * y


def test_dropout_in_evaluation_and_numbers_from_constants_are_fine() -> None:
    scale = torch.tensor(0.25, dtype=torch.float64)
    found = gradient(lambda x: (F.dropout(x, 0.5, training=False) * scale.item()).sum(), np.ones(2))
    np.testing.assert_array_equal(found, [0.25, 0.25])
    found = gradient(
        lambda x: (x * (2 * scale + 1).item())[: int((scale.neg() + 1.5).item())].sum(), np.ones(2)
    )
    np.testing.assert_array_equal(found, [1.5, 0])


def test_dropout_in_training_is_its_mask() -> None:
    torch.manual_seed(0)
    found = gradient(lambda x: F.dropout(x, 0.75).sum(), np.ones(64))
    assert set(found.tolist()) == {0.0, 4.0}


def test_a_wrong_rule_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    agrees(F.gelu, draw(5))
    gelu = rules.RULES["gelu"]
    monkeypatch.setitem(rules.RULES, "gelu", lambda call, x, **kw: gelu(call, x, **kw) * (1 + 2.0**-20))
    with pytest.raises(AssertionError):
        agrees(F.gelu, draw(5))


# -- modules ----------------------------------------------------------------------------------------------


def test_a_sequential_module_unchanged() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(4, 5), nn.LayerNorm(5), nn.GELU(), nn.Linear(5, 3)).double()
    x, target = draw(6, 4), torch.tensor([0, 2, 1, 1, 0, 2])
    agrees(lambda x: F.cross_entropy(net(x), target), x)
    agrees(net, x)
    parameters = dict(net.named_parameters())
    loss = lambda p, x: F.cross_entropy(torch.func.functional_call(net, p, (x,)), target)  # noqa: E731
    ours = record(loss, (parameters, x))
    assert ours.argument == (0,) * 6 + (1,)
    found = gradients(ours)
    theirs = torch.autograd.grad(F.cross_entropy(net(x), target), list(parameters.values()))
    for mine, their in zip(found, theirs, strict=False):
        np.testing.assert_allclose(mids(mine), their.numpy(), rtol=1e-8, atol=1e-12)


def test_batch_norm_is_recorded_in_training_and_its_buffers_are_put_back() -> None:
    norm = nn.BatchNorm1d(3).double()
    agrees(norm, draw(5, 3))
    assert norm.num_batches_tracked == 1  # torch's own run, in `agrees`
    norm.reset_running_stats()
    record(norm, (draw(5, 3),))
    assert norm.num_batches_tracked == 0
    assert not norm.running_mean.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_recurrent_and_attention_modules(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    tolerance = 1e-8 if dtype == torch.float64 else 1e-4
    lstm, block = nn.LSTM(3, 4).to(dtype), nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0).to(dtype)
    agrees(lambda x: lstm(x)[0], draw(5, 2, 3).to(dtype), tolerance=tolerance)
    agrees(block, draw(3, 2, 4).to(dtype), tolerance=tolerance)


@pytest.mark.parametrize("align", [True, False])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample_inside_and_beyond_the_image(mode: str, padding: str, align: bool) -> None:
    """Where a point is kept at the border, the weights' steps would jump: it does not move there."""
    grid = torch.tensor([[[[-0.8, 0.3], [0.1, -1.7]], [[1.4, 2.9], [-3.3, 0.6]]]], dtype=torch.float64)
    options = {"mode": mode, "padding_mode": padding, "align_corners": align}
    agrees(lambda x, g: F.grid_sample(x, g, **options), draw(1, 2, 3, 4), grid)


def sampled(x: Tensor) -> Tensor:
    grid = F.affine_grid(x[:, 0, :2, :3], [1, 2, 4, 5], align_corners=False)
    return F.grid_sample(x, grid, align_corners=False)


# -- definitions ------------------------------------------------------------------------------------------


def test_digamma_where_torch_has_ten_digits() -> None:
    (found,) = gradients(record(torch.special.digamma, (np.float64(-9.3),)))
    with mpmath.workdps(40):
        true = mpmath.polygamma(1, mpmath.mpf(-9.3))
        assert abs(mpmath.mpf(str(found[()].mid().str(40, radius=False))) - true) < mpmath.mpf(10) ** -34


def test_causal_attention_against_its_formula() -> None:
    q, k, v = (draw(1, 1, 3, n) for n in (2, 2, 2))

    def formula(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        weights = torch.exp(q @ k.mT / math.sqrt(2)) * torch.tril(torch.ones(3, 3))
        return weights / weights.sum(-1, keepdim=True) @ v

    recording = record(lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), (q, k, v))
    cotangent = draw(1, 1, 3, 2).numpy()
    other = gradients(record(formula, (q, k, v)), cotangent)
    for mine, theirs in zip(gradients(recording, cotangent), other, strict=True):
        np.testing.assert_allclose(mids(mine), mids(theirs), rtol=1e-14, atol=1e-14)


@pytest.mark.parametrize(
    "mask", [None, torch.tensor([[True, False, True], [True, True, False], [False, False, True]]), draw(3, 3)]
)
def test_attention_with_both_kinds_of_mask(mask: Tensor | None) -> None:
    agrees(
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, attn_mask=mask),
        *(draw(2, 3, 4) for _ in "qkv"),
    )


@pytest.mark.parametrize(
    ("function", "shapes"),
    [
        (lambda x, w, b: F.conv2d(x, w, b, 2, 1, dilation=2, groups=2), [(2, 4, 7, 6), (6, 2, 2, 3), (6,)]),
        (lambda x, w: F.conv_transpose1d(x, w, None, 3, 1, 2, groups=2), [(2, 4, 5), (4, 3, 4)]),
        (lambda x: F.max_pool2d(x, 3, 2, padding=1, ceil_mode=True), [(1, 2, 6, 5)]),
        (lambda x: F.avg_pool1d(x, 3, 2, padding=1, count_include_pad=False), [(2, 2, 7)]),
        (lambda x: F.adaptive_avg_pool2d(x, (3, 2)), [(1, 2, 7, 5)]),
        (lambda x: F.interpolate(x, scale_factor=1.7, mode="bicubic"), [(1, 1, 4, 5)]),
        (lambda x, w, b: F.group_norm(x, 2, w, b), [(3, 4, 5), (4,), (4,)]),
        (lambda x: F.instance_norm(x), [(2, 3, 5)]),
        (lambda x, w: F.rms_norm(x, (4,), w), [(3, 4), (4,)]),
        (lambda a, b: torch.linalg.solve(a, b), [(2, 3, 3), (2, 3, 2)]),
        (lambda a: torch.linalg.cholesky(a @ a.mT + torch.eye(3)), [(3, 3)]),
        (lambda a: torch.linalg.slogdet(a)[1] * torch.linalg.det(a), [(2, 3, 3)]),
        (torch.linalg.inv, [(2, 3, 3)]),
        (lambda q, k: F.scaled_dot_product_attention(q, k, k, enable_gqa=True), [(1, 4, 3, 2), (1, 2, 3, 2)]),
        (lambda x: x.sort(-1, descending=True)[0] * x.topk(4)[0], [(3, 4)]),
        (lambda x: x.index_put((torch.tensor([0, 0, 2]),), x[:3] * 2, accumulate=True), [(4, 2)]),
        (lambda x: x.scatter_reduce(0, torch.tensor([[0, 1], [0, 0]]), x[:2] ** 2, "prod"), [(3, 2)]),
        (lambda w: F.embedding(torch.tensor([[1, 2], [0, 1]]), w, padding_idx=0), [(3, 2)]),
        (lambda x: F.ctc_loss(x.log_softmax(-1), torch.tensor([[1, 1]]), (5,), (2,)), [(5, 1, 3)]),
        (lambda x: x * torch.bucketize(x.detach(), torch.tensor([-0.5, 0.5]).double()), [(5,)]),
        (lambda x: sampled(x), [(1, 2, 3, 4)]),
        (lambda x, y: torch.einsum("bij,bkj->bik", x, y), [(2, 3, 4), (2, 2, 4)]),
    ],
)  # fmt: skip
def test_kernels_against_torch(function: Callable[..., Tensor], shapes: list[tuple[int, ...]]) -> None:
    agrees(function, *(draw(*shape) for shape in shapes))


@pytest.mark.parametrize(
    ("labels", "lengths", "sizes", "options"),
    [
        ([[1, 1, 2], [1, 2, 3], [4, 4, 4]], (6, 5, 6), (3, 2, 3), {"reduction": "none"}),
        ([1, 1, 2, 1, 2, 4], (6, 4, 5), (3, 2, 1), {"blank": 3}),
        ([[1, 1, 2], [1, 2, 3], [4, 4, 4]], (6, 5, 4), (3, 2, 3), {"zero_infinity": True}),
        ([[1, 2], [1, 2], [4, 3]], (6, 5, 6), (0, 2, 1), {"reduction": "sum"}),
    ],
)
def test_sequences_of_several_lengths_go_together(labels, lengths, sizes, options):
    agrees(
        lambda x: F.ctc_loss(x.log_softmax(-1), torch.tensor(labels), lengths, sizes, **options),
        draw(6, 3, 5),
    )


def test_a_batch_of_sequences_is_no_longer_a_program_than_one():
    def program(count):
        targets, size = torch.ones((count, 2), dtype=torch.int64), (2,) * count
        found = record(lambda x: F.ctc_loss(x, targets, (5,) * count, size), (draw(5, count, 3),), {})
        return vjp(found.program, [0])

    one, many = program(1), program(16)
    assert len(many.equations) < 1.1 * len(one.equations)
    assert many.cost < 16 * one.cost


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("lengths", [[4, 4, 2], [1, 4, 2]])
def test_packed_sequences(lengths, batch_first):
    torch.manual_seed(0)
    layer = nn.GRU(2, 3, batch_first=batch_first).double().requires_grad_(False)

    def function(x):
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor(lengths), batch_first, False)
        return nn.utils.rnn.pad_packed_sequence(layer(packed)[0], batch_first, 0.5)[0]

    agrees(function, draw(3, 4, 2) if batch_first else draw(4, 3, 2))


@pytest.mark.parametrize("likely", [1.0, 5.0])
def test_what_is_unlikely_in_many_steps_is_no_work_for_more_bits(likely):
    """All paths of 200 steps over 50 labels have e^-780 and less, here and there far less."""
    targets = torch.randint(1, 50, (2, 12), generator=torch.Generator().manual_seed(0))
    x = draw(200, 2, 50) * likely
    found = record(lambda x: F.ctc_loss(x.log_softmax(-1), targets, (200, 180), (12, 9)), (x,), {})
    plan = planned(vjp(found.program, [0]))
    assert plan is not None
    (gradient,) = plan.run([x.numpy(), np.ones(())]) or [None]
    assert gradient is not None
    assert (gradient.r <= 2.0**-80).all()


@pytest.mark.parametrize("name", sorted(set(FUNCTIONS) - {"step_function"}))
def test_the_catalogue(name: str) -> None:
    case = catalogue()[name]
    args = [
        torch.from_numpy(a)
        for a in case.inputs[0].make(np.random.default_rng(0), np.dtype(np.float64), case.inputs[0].shape)
    ]

    def function(*moved: Tensor) -> Tensor:
        whole = list(args)
        for i, a in zip(case.argnums, moved, strict=True):
            whole[i] = a
        return FUNCTIONS[name](*whole)

    agrees(function, *(args[i] for i in case.argnums))


def test_torch_s_own_catalogue() -> None:
    """A part of it; `make coverage` asks all. Each disagreement was looked at and is torch's."""
    found = by_function(coverage(every=28 if WHOLE else 56, most=1))
    assert count_proven(found) >= 0.75 * len(found)
    assert not faults(found, EXPLAINED["torch"])


@pytest.mark.parametrize(
    "function",
    [
        torch.nan_to_num,
        lambda x: torch.where(torch.isposinf(x), 0.0, x * x),
        lambda x: torch.where(torch.isneginf(x), 0.0, x * x),
        lambda x: torch.where(torch.isfinite(x) & ~torch.isinf(x), x.exp(), 0.0),
    ],
)
def test_a_finite_number_is_at_no_edge_of_what_is_infinite(function) -> None:
    with KINKS.collected() as kinks:
        result = harness.check_gradient(function, [torch.tensor([0.0, 1.0, -2.0, 30.0])])
    assert result.verdict is Verdict.ACCURATE
    assert not kinks


def test_a_defect_of_torch_is_seen() -> None:
    found = by_function(coverage("as_strided_scatter"))
    assert any("gradient 0, element 0 is 0, torch has" in text for text in found["as_strided_scatter"])
    assert faults(found, {})
    assert not faults(found, EXPLAINED["torch"])


@pytest.mark.parametrize(
    "status", ["disagrees: value 0, element 1 is 0", "disagrees: gradient 1", "error: it"]
)
def test_an_explanation_is_of_what_was_looked_at_alone(status: str) -> None:
    assert faults({"as_strided_scatter": [status]}, EXPLAINED["torch"])


def test_a_mode_that_is_taken_for_another_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bicubic sampling as the nearest: differences of the record agree with it, torch's values do not."""
    own = rules.RULES["grid_sampler_2d"]
    assert not faults(by_function(coverage("grid_sampler_2d")), {})
    as_nearest = lambda call, x, grid, mode, *rest: own(call, x, grid, 1 if mode == 2 else mode, *rest)  # noqa: E731
    monkeypatch.setitem(rules.RULES, "grid_sampler_2d", as_nearest)
    (wrong,) = faults(by_function(coverage("grid_sampler_2d")), {}).values()
    assert all(text.startswith("disagrees: value 0, element ") for text in wrong)


class Projected(torch.autograd.Function):
    """A base class whose forward is a class method, as libraries of losses have it."""

    @classmethod
    def forward(cls, ctx, x):
        ctx.save_for_backward(x)
        return cls.project(x)

    @staticmethod
    def backward(ctx, g):
        return 2 * g * ctx.saved_tensors[0]


class Squared(Projected):
    @staticmethod
    def project(x):
        return x * x


def test_a_forward_that_is_a_class_method_is_that_of_the_subclass():
    x = torch.tensor([0.5, -2.0], dtype=torch.float64)
    assert record(Squared.apply, (x,)).program.equations
    assert Squared.apply(x).tolist() == [0.25, 4.0]


COMPILED = """
import sys
import torch
import harness

x = torch.tensor([0.3, 1.2], requires_grad=True)
assert harness.check_gradient(lambda x: torch.sin(x).prod(), (x,), order=2).passed
assert "torch._dynamo" not in sys.modules, "it takes two seconds to load"
for whole in (False, True):
    fast = torch.compile(lambda x: torch.sin(x) * x, backend="eager", fullgraph=whole)
    assert harness.check_gradient(fast, (x,)).passed
    assert harness.check_gradient(lambda x: fast(x).prod(), (x,)).passed
    fast(x)
assert harness.check_gradient(lambda x: torch.sin(x).prod(), (x,)).passed
wrong = torch.compile(lambda x: torch.sin(x) * x.detach(), backend="eager", fullgraph=True)
assert harness.check_gradient(wrong, (x,), spec=lambda x: torch.sin(x) * x).verdict == "wrong"
wrong(x)
"""


@long
def test_torchs_compiler_is_not_loaded_and_leaves_us_alone_once_it_is() -> None:
    found = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_next_number_moves_with_the_one_before_it(dtype: torch.dtype) -> None:
    """A step that stays, for autograd too; in what a step is taken towards there is no slope."""
    x = torch.tensor([0.5, -1.25, 1.0]).to(dtype)
    infinity = torch.tensor(math.inf, dtype=dtype)
    for function in (
        lambda x: torch.nextafter(x.sin(), x + 1) * x,
        lambda x: torch.nextafter(x * x, infinity) ** 2,
        lambda x: torch.nextafter(x, x) * x,  # there is no step, and torch holds it
    ):
        found = harness.check_gradient(function, (x,))
        assert found.verdict is Verdict.ACCURATE
        assert "not examined" not in found.explain()
    wrong = harness.check_gradient(lambda x: torch.nextafter(x, x + 1) * x, (x,), vjp=lambda g, x: g * x)
    assert wrong.verdict is Verdict.WRONG


@pytest.mark.parametrize("reduce", ["max", "min", "mean"])
def test_what_segments_give_may_be_computed_with(reduce: str) -> None:
    """Softmax by segments, as graph libraries write it; an empty segment has no number."""
    x = draw(6, 2)

    def softmax(x: Tensor, offsets: Tensor) -> Tensor:
        found = torch.segment_reduce(x, reduce, offsets=offsets, axis=0)
        return torch.exp(x - found.repeat_interleave(offsets.diff(), 0))

    full, empty = torch.tensor([0, 2, 3, 6]), torch.tensor([0, 2, 2, 6])
    assert harness.check_gradient(softmax, (x, full)).passed
    assert harness.check_gradient(softmax, (x, empty)).verdict is Verdict.UNSUPPORTED
