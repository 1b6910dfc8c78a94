"""Healthy PyTorch programs: what autograd computes lies inside the bound, and its formula is right."""

import math

import ml_dtypes
import numpy as np
import pytest
import torch
from flint import arb
from torch.nn import functional

from harness.cases import catalogue
from oracles import TorchOracle
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.refine import refine
from oracles.exact.from_aten import record
from oracles.exact.from_aten.memory import numbers
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Undecided
from oracles.exact.program.program import Line
from oracles.exact.rounding.bound import ROUNDING_MODELS, bound
from oracles.frameworks.in_torch import as_tensor
from oracles.frameworks.torch_derivatives import pullback

DTYPES = ["float64", "float32", "bfloat16", "float16"]
TINY = {"float64": 1e-300, "float32": 1e-40, "bfloat16": 1e-40, "float16": 1e-7}
LIMITS = Limits(zero_bits=1100, seconds=20)
LITERAL = 2.0**-50  # a literal such as 2 / sqrt(pi) is a float64, also where the formula means the number
LABELS = torch.tensor([3, 0])


def hand_softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)


def hand_layer_norm(x):
    d = x - x.mean(-1, keepdim=True)
    return d / torch.sqrt((d * d).mean(-1, keepdim=True) + 1e-5)


def attention(q, k, v):
    return torch.softmax(q @ k.T / math.sqrt(q.shape[-1]), -1) @ v


def mlp(x, w, b, v):
    return functional.linear(torch.tanh(functional.linear(x, w, b)), v)


def squared(function):
    """Its backward needs the forward's own result."""
    return lambda x: function(x) * function(x)


def in_place(x):
    return torch.sin(x).mul_(2.0).add_(x)


X = (2, 5)
ELEMENTWISE = {
    "gelu": functional.gelu,
    "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
    "silu": functional.silu,
    "mish": functional.mish,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softplus": functional.softplus,
    "elu": functional.elu,
    "hardtanh": functional.hardtanh,
    "relu": functional.relu,
    "logsigmoid": functional.logsigmoid,
    "clamp": lambda x: x.clamp(-0.5, 0.5),
    "where_relu": lambda x: torch.where(x > 0, x, torch.zeros_like(x)),
    "cube": lambda x: x**3,
    "in_place": in_place,
}
ROWS = {
    "softmax": lambda x: x.softmax(-1),
    "hand_softmax": hand_softmax,
    "log_softmax": lambda x: x.log_softmax(-1),
    "logsumexp": lambda x: x.logsumexp(-1),
    "layer_norm": lambda x: functional.layer_norm(x, X[1:]),
    "hand_layer_norm": hand_layer_norm,
    "cumsum": lambda x: x.cumsum(-1),
    "var": lambda x: x.var(-1),
    "max": torch.max,
    "amax": lambda x: x.amax(-1),
    "max_dim": lambda x: x.max(-1).values,
    "norm": torch.linalg.vector_norm,
    "cross_entropy": lambda x: functional.cross_entropy(x, LABELS),
    "nll": lambda x: functional.nll_loss(x, LABELS),
}
SEVERAL = {
    "layer_norm_affine": (lambda x, w, b: functional.layer_norm(x, X[1:], w, b), [X, X[1:], X[1:]]),
    "group_norm": (lambda x, w, b: functional.group_norm(x, 2, w, b), [(1, 4, 3), (4,), (4,)]),
    "batch_norm": (
        lambda x, w, b: functional.batch_norm(x, None, None, w, b, training=True),
        [(4, 3), (3,), (3,)],
    ),
    "attention": (attention, [(3, 2)] * 3),
    "sdpa": (functional.scaled_dot_product_attention, [(1, 1, 3, 2)] * 3),
    "sdpa_causal": (
        lambda q, k, v: functional.scaled_dot_product_attention(q, k, v, is_causal=True),
        [(1, 1, 3, 2)] * 3,
    ),
    "mlp": (mlp, [(2, 3), (3, 3), (3,), (2, 3)]),
    "mse_loss": (functional.mse_loss, [X, X]),
    "smooth_l1": (functional.smooth_l1_loss, [X, X]),
    "huber": (functional.huber_loss, [X, X]),
    "embedding": (lambda w: functional.embedding(torch.tensor([[0, 2, 2], [1, 0, 2]]), w), [(3, 4)]),
    "prod": (lambda x: x.prod(-1), [(2, 3)]),
    "conv2d": (
        lambda x, w, b: functional.conv2d(x, w, b, padding=1),
        [(1, 1, 3, 3), (2, 1, 3, 3), (2,)],
    ),
    "avg_pool2d": (lambda x: functional.avg_pool2d(x, 2), [(1, 1, 4, 4)]),
    "max_pool2d": (lambda x: functional.max_pool2d(x, 2), [(1, 1, 4, 4)]),
}
FUNCTIONS = {
    **{name: (function, [X]) for name, function in (ELEMENTWISE | ROWS).items()},
    **{f"{name} squared": (squared(function), [X]) for name, function in ELEMENTWISE.items()},
    **SEVERAL,
}


def saturated(edge):
    return lambda x, rng, dtype: np.sign(x) * edge * rng.uniform(0.9, 1.0, x.shape)


def huge(x, rng, dtype):
    return x * math.sqrt(torch.finfo(getattr(torch, dtype)).max) / 8


KINDS = {
    "ordinary": lambda x, rng, dtype: x,
    "saturated-20": saturated(20),
    "tied": lambda x, rng, dtype: np.round(x),
    "saturated-88": saturated(88),
    "tiny": lambda x, rng, dtype: x * TINY[dtype],
    "huge": huge,
    "equal": lambda x, rng, dtype: np.full(x.shape, 0.5),
}


def drawn(name, dtype, kind):
    """The function, a cotangent and arguments of this kind."""
    function, shapes = FUNCTIONS[name]
    rng = np.random.default_rng(sum(map(ord, name + kind)))
    kept = getattr(torch, dtype)
    args = [torch.tensor(KINDS[kind](rng.standard_normal(s), rng, dtype)).to(kept) for s in shapes]
    try:
        out = function(*args)
    except (RuntimeError, NotImplementedError) as error:
        if "not implemented" in str(error):
            pytest.skip(str(error))
        raise
    return function, torch.tensor(rng.standard_normal(tuple(out.shape))).to(kept), args


def refined(program, values):
    """The outputs enclosed; None where a point is off the domain or at a pole.

    A series that cannot divide says so with a ValueError.
    """
    try:
        return [e.balls for e in refine(program, values, 128, LIMITS)]
    except (Undecided, ValueError):
        return None


def may_be(number, ball):
    """Whether a computed number is in a ball; an infinity is in its own and in the unbounded ball."""
    if not ball.is_finite():
        return not ball.is_exact() or ball.is_nan() or float(ball) == number
    return math.isfinite(number) and arb(number) in ball


def complaints(name, dtype, kind):
    """Every element that is outside its bound, and every one whose formula is not that of the truth."""
    function, cotangent, args = drawn(name, dtype, kind)
    pull, wrt = pullback(function, range(len(args))), range(len(args))
    computed = [numbers(g) for g in pull(cotangent, *args)]
    gradient, forward = record(pull, (cotangent, *args), differentiate=False), record(function, tuple(args))
    found = bound(gradient.program, gradient.values, ROUNDING_MODELS["torch"])
    formula = refined(gradient.program, gradient.values)
    truth = refined(vjp(forward.program, list(wrt)), [*forward.values, numbers(cotangent)])
    for k, array in enumerate(computed):
        for at, number in np.ndenumerate(array):
            ball, where = found.balls[k][at], f"{name} {dtype} {kind}, gradient {k}, {at}"
            if not may_be(float(number), ball):
                yield f"{where}: {number} is outside {ball.str(10)}"
            if formula is not None:
                exact = formula[k][at]
                if found.overflow is None and not ball.overlaps(exact):
                    yield f"{where}: the exact {exact.str(10)} is outside {ball.str(10)}"
                if truth is not None and not truth[k][at].overlaps(exact + exact * arb(0, LITERAL)):
                    yield f"{where}: {exact.str(20)} is not {truth[k][at].str(20)}"


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_healthy_gradient_is_inside_its_bound_and_meets_the_truth(name, dtype):
    """Two kinds of inputs each, others for every function and dtype; all of them take minutes."""
    first = list(FUNCTIONS).index(name) + 2 * DTYPES.index(dtype)
    for kind in (list(KINDS)[(first + j) % len(KINDS)] for j in (0, 3)):
        assert list(complaints(name, dtype, kind)) == []


def test_a_wrong_kernel_is_outside():
    """A tenth of a percent is far beyond what float32 may lose in a softmax."""
    function, cotangent, (x,) = drawn("softmax", "float32", "ordinary")
    pull = pullback(function, [0])
    gradient = record(pull, (cotangent, x), differentiate=False)
    balls = bound(gradient.program, gradient.values, ROUNDING_MODELS["torch"]).balls[0]
    wrong = numbers(pull(cotangent, x)[0]) * 1.001
    assert not any(may_be(float(v), b) for v, b in zip(wrong.ravel(), balls.ravel(), strict=True))


def test_equations_know_their_operator_and_the_users_line():
    """A backward kernel is at the line whose derivative it is; in-place operators have plain names."""
    x = torch.tensor([0.5, -0.25])
    program = record(pullback(in_place, [0]), (x, x), differentiate=False).program
    line = in_place.__code__.co_firstlineno + 1
    origins = {e.origin.operation: e.origin.place for e in program.equations if e.origin}
    assert origins["mul"] == origins["cos"] == Line(__file__, line)
    calls = [e.origin.call for e in program.equations if e.origin]
    assert calls == sorted(calls)


def test_what_autograd_holds_fixed_is_a_value_like_any():
    """A write that autograd does not see leaves no trace in a program that is not differentiated."""

    def function(x):
        y = x * 1.0
        with torch.no_grad():
            y.copy_(y.detach() * 3.0)
        return y.detach() * x

    x = torch.tensor([0.3, 1e30])
    recorded = record(function, (x,), differentiate=False)
    assert all(e.primitive.name in {"mul", "constant", "broadcast"} for e in recorded.program.equations)


@pytest.mark.parametrize("make", [as_tensor, np.asarray], ids=["tensors", "arrays"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16, ml_dtypes.bfloat16])
def test_a_case_is_recorded_as_it_is_computed(make, dtype):
    case, oracle = catalogue()["two_layer_net"], TorchOracle()
    args, cotangent = case.draw("ordinary", "float64", 0)
    args = tuple(a.astype(dtype) if a.dtype.kind == "f" else a for a in args)
    cotangent = np.asarray(cotangent).astype(dtype)
    subject = oracle.subject(case, np.dtype(dtype))
    computed = subject.fetch_gradient(subject.gradient(*map(subject.load, (cotangent, *args)))).arrays
    recorded = oracle.record(case, make(cotangent), tuple(map(make, args)))
    found = bound(recorded.program, recorded.values, ROUNDING_MODELS[oracle.machine])
    present = [g for g in computed if g is not None]
    for array, balls in zip(present, found.balls, strict=True):
        assert array.dtype == dtype
        assert all(may_be(float(v), b) for v, b in zip(array.ravel(), balls.ravel(), strict=True))


def test_several_outputs_have_a_cotangent_each():
    pull = pullback(lambda x: (x * 2.0, x.detach(), x.sin()), [0])
    x, one = torch.tensor([0.0, 1.0], dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    (found,) = pull((one, one, 3 * one), x)
    torch.testing.assert_close(found, 2 + 3 * x.cos())


def test_without_a_compiler_the_compiled_oracle_says_so(monkeypatch):
    from torch._inductor import config

    from oracles import torch_oracle

    monkeypatch.setattr(config.cpp, "cxx", ("no-such-compiler",))
    torch_oracle._no_compiler.cache_clear()
    try:
        assert TorchOracle().unavailable() == ""
        assert "C++ compiler" in TorchOracle(compiled=True).unavailable()
    finally:
        torch_oracle._no_compiler.cache_clear()
