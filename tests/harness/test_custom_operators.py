"""Operators that a user has added with `torch.library`: their Python code is the function."""

import numpy as np
import pytest
import torch
from scipy import special

from harness import check_gradient
from harness.verdicts import Verdict

LIBRARY = torch.library.Library("gradproof_added", "DEF")
X = torch.tensor([[0.3, 1.2, 0.7], [2.0, 0.4, 0.9]], dtype=torch.float64)


def added(name, body, backward, key="CPU", schema="(Tensor x) -> Tensor"):
    """An operator of this code and gradient; the arguments and the results are kept for that."""
    LIBRARY.define(name + schema)
    LIBRARY.impl(name, body, key)

    def keep(ctx, inputs, output):
        outputs = output if isinstance(output, tuple) else (output,)
        ctx.save_for_backward(*(t for t in (*inputs, *outputs) if isinstance(t, torch.Tensor)))

    called = f"gradproof_added::{name}"
    torch.library.register_autograd(called, backward, setup_context=keep, lib=LIBRARY)
    return getattr(torch.ops.gradproof_added, name)


def rms(x):
    r = torch.rsqrt((x * x).mean(-1, keepdim=True) + 1e-6)
    return x * r, r


def rms_in_numpy(x):
    x = x.numpy()
    r = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + 1e-6)
    return torch.from_numpy(x * r), torch.from_numpy(r)


def of_rms(factor):
    def backward(ctx, g, g_r):
        x, _, r = ctx.saved_tensors
        along = (g * x).sum(-1, keepdim=True)
        return r * g - (factor * along + g_r) * x * r**3 / x.shape[-1]

    return backward


@pytest.mark.parametrize("body", [rms, rms_in_numpy])
@pytest.mark.parametrize("key", ["CPU", "CompositeExplicitAutograd"])
def test_the_code_is_the_function_and_the_rule_is_judged_by_it(body, key):
    names = [f"{body.__name__}_{key}_{kind}" for kind in ("right", "wrong")]
    right, wrong = (
        added(name, body, of_rms(factor), key, "(Tensor x) -> (Tensor, Tensor)")
        for name, factor in zip(names, (1.0, 0.99), strict=True)
    )
    for order in (1, 2):
        assert check_gradient(right, (X,), order=order).passed, str(check_gradient(right, (X,), order=order))
        assert check_gradient(wrong, (X,), order=order).verdict is Verdict.WRONG


def test_an_operator_of_scipys_functions():
    def gaussian(ctx, g):
        return g * 2 / np.sqrt(np.pi) * torch.exp(-(ctx.saved_tensors[0] ** 2))

    assert check_gradient(
        added("erf", lambda x: torch.from_numpy(special.erf(x.numpy())), gaussian), (X,)
    ).passed


def test_one_that_calls_another_and_holds_something_fixed():
    def squared(x):
        with torch.no_grad():
            return x.detach() * x

    inner = added("square", squared, lambda ctx, g: 2 * g * ctx.saved_tensors[0])
    rules = [lambda ctx, g, k=k: g * k * ctx.saved_tensors[0] * ctx.saved_tensors[1] for k in (2, 1)]
    right, wrong = (added(f"exp{k}", lambda x: inner(x).exp(), rule) for k, rule in enumerate(rules))
    assert check_gradient(right, (X,)).passed
    assert check_gradient(wrong, (X,)).verdict is Verdict.WRONG


def test_one_that_writes_into_its_argument():
    def body(x, out):
        out.copy_(2 * x.sin())

    LIBRARY.define("put_sine(Tensor x, Tensor(a!) out) -> ()")
    LIBRARY.impl("put_sine", body, "CPU")

    class Sine(torch.autograd.Function):
        factor = 2.0

        @staticmethod
        def forward(ctx, x):
            out = torch.empty_like(x)
            torch.ops.gradproof_added.put_sine(x, out)
            ctx.save_for_backward(x)
            return out

        @classmethod
        def backward(cls, ctx, g):
            return cls.factor * g * ctx.saved_tensors[0].cos()

    assert check_gradient(Sine.apply, (X,)).passed
    wrong = type("Wrong", (Sine,), {"factor": 1.9})
    assert check_gradient(wrong.apply, (X,)).verdict is Verdict.WRONG


def test_arguments_and_title_are_the_schemas():
    thrice = added("thrice", lambda x: 3 * x, lambda ctx, g: 3 * g)
    assert str(check_gradient(thrice, (X,))).startswith("thrice/x ")


def test_code_that_says_its_numbers_outside_torch():
    listed = added(
        "listed", lambda x: torch.tensor(np.sin(x.tolist())), lambda ctx, g: g * ctx.saved_tensors[0].cos()
    )
    found = check_gradient(listed, (X,))
    assert found.verdict is Verdict.UNSUPPORTED
    assert "outside torch" in found.diagnosis
    assert "pass spec=" in found.diagnosis


def in_wide(x):
    """As kernels of half precision are written: composite operators, casts, copies of what is transposed."""
    wide = x.double()
    turned = torch.softmax(wide, -1).t().contiguous().reshape(-1).reshape(x.shape[::-1])
    return torch.einsum("ij,ij->ij", turned.t(), wide).to(x.dtype)


def of_in_wide(factor):
    def backward(ctx, g):
        (x, *_) = ctx.saved_tensors
        y, wide, g = torch.softmax(x.double(), -1), x.double(), g.double()
        inner = (g * wide * y).sum(-1, keepdim=True)
        return (y * g + factor * y * (g * wide - inner)).to(x.dtype)

    return backward


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_composite_operators_in_the_code_are_taken_apart(dtype):
    x = X.to(dtype)
    right, wrong = (
        added(f"in_wide_{dtype}_{k}".replace("torch.", ""), in_wide, of_in_wide(factor))
        for k, factor in enumerate((1.0, 0.0))
    )
    assert check_gradient(right, (x,)).passed, str(check_gradient(right, (x,)))
    assert check_gradient(wrong, (x,)).verdict is Verdict.WRONG


def test_a_schema_may_say_view_of_what_is_none():
    LIBRARY.define("no_view(Tensor(a) x) -> Tensor(a)")
    LIBRARY.impl("no_view", lambda x: x * x, "CPU")

    class Square(torch.autograd.Function):
        factor = 2.0

        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return torch.ops.gradproof_added.no_view(x)

        @classmethod
        def backward(cls, ctx, g):
            return cls.factor * g * ctx.saved_tensors[0]

    assert check_gradient(Square.apply, (X,)).passed
    assert check_gradient(type("Wrong", (Square,), {"factor": 0.0}).apply, (X,)).verdict is Verdict.WRONG


@pytest.fixture(scope="module")
def counted():
    """An operator of `custom_op`, whose code and rule are NumPy's, and count."""
    calls = []

    @torch.library.custom_op("gradproof_added::counted", mutates_args=())
    def counted(x: torch.Tensor) -> torch.Tensor:
        calls.append("forward")
        found = np.zeros(x.shape)
        found += np.sin(x.numpy())
        return torch.from_numpy(found)

    def backward(ctx, g):
        calls.append("backward")
        found = np.zeros(g.shape)
        found[:] = g.numpy() * np.cos(ctx.saved_tensors[0].numpy())
        return torch.from_numpy(found)

    counted.register_autograd(
        backward, setup_context=lambda ctx, inputs, output: ctx.save_for_backward(*inputs)
    )
    return counted, calls


def test_its_functions_are_reached_as_those_of_any_function(counted):
    operator, calls = counted
    found = check_gradient(operator, (X,))
    assert found.verdict is Verdict.ACCURATE, str(found)
    assert "not examined" not in str(found)
    assert set(calls) <= {"forward", "backward"}
