"""The budget is that of the narrowest format that the forward casts to on the way of a derivative."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness
from harness.proof.question import Question
from harness.proof.truth import pose
from harness.verdicts import Verdict
from oracles.exact.from_aten import record
from tests.harness.proof.torch_functions import pulled

RNG = np.random.default_rng(0)
ROWS, MATRIX = (0.2 * RNG.normal(size=shape).astype("float32") for shape in ((4, 8), (8, 3)))
CLASSES = torch.tensor([0, 1, 2, 0])
X, W = torch.tensor(ROWS), torch.tensor(MATRIX)
JX, JW = jnp.asarray(ROWS), jnp.asarray(MATRIX)
HALF = jnp.bfloat16


def autocast(x, w):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return torch.tanh(x @ w).float()


def loss(x, w):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return torch.nn.functional.cross_entropy(torch.nn.functional.linear(x, w.T), CLASSES)


def carried(x):
    def step(c, row):
        return (c + row.astype(HALF) * 0.5).astype(HALF), c.sum()

    return jax.lax.scan(step, jnp.zeros(8, HALF), x)[0].astype(jnp.float32)


MIXED = {
    "autocast": (autocast, (X, W)),
    "a loss under autocast": (loss, (X, W)),
    "a cast inside": (lambda x: x.bfloat16().exp().float(), (X,)),
    "JAX's casts": (lambda x: jnp.tanh(x.astype(HALF) @ JW.astype(HALF)).astype(jnp.float32), (JX,)),
    "a product with bfloat16": (lambda x: jnp.tanh(x @ JW.astype(HALF)), (JX,)),
    "preferred_element_type": (
        lambda x, w: jnp.einsum(
            "ij,jk->ik", x.astype(HALF), w.astype(HALF), preferred_element_type=jnp.float32
        ),
        (JX, JW),
    ),
    "scan": (carried, (JX,)),
}


@pytest.mark.parametrize("name", MIXED)
def test_mixed_precision_is_accurate_and_the_row_says_by_what_budget(name):
    function, args = MIXED[name]
    result = harness.check_gradient(function, args)
    assert result.verdict is Verdict.ACCURATE, result
    assert {part.judgement.narrowest for part in result.parts if not part.of_value} == {"bfloat16"}


def test_a_loss_beyond_that_says_whose_budget_it_is():
    result = harness.check_gradient(autocast, (8 * X, 8 * W), bits_lost=0, upstream="fail")
    assert result.verdict is Verdict.IMPRECISE
    assert "of 8 bits lost (budget 0: it casts to bfloat16)" in str(result)


def test_a_wrong_factor_is_found_under_a_cast():
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            return x.bfloat16() @ w.bfloat16()

        @staticmethod
        def backward(ctx, g):
            x, w = ctx.saved_tensors
            return 1.001 * (g @ w.bfloat16().T).float(), (x.bfloat16().T @ g).float()

    result = harness.check_gradient(Scaled.apply, (X, W))
    assert result.verdict is Verdict.WRONG


def narrow_backward(factor):
    return pulled(torch.sin, lambda g, x: factor * g * x.float().cos().double())


def beside(x):
    narrow = x.detach().bfloat16().double()  # it is not differentiated
    return x.exp() + 0 * narrow


NOT_ON_THE_WAY = {
    "a backward in float32": (narrow_backward(1), (X.double(),), Verdict.IMPRECISE),
    "a detached copy": (beside, (X.double(),), Verdict.ACCURATE),
    "a cast to more": (lambda x: x.double().exp().float(), (X,), Verdict.ACCURATE),
    "a mask": (lambda x: x * (x.bfloat16() > 0).float(), (X,), Verdict.ACCURATE),
}


@pytest.mark.parametrize("name", NOT_ON_THE_WAY)
def test_a_cast_beside_the_way_leaves_the_budget(name):
    function, args, verdict = NOT_ON_THE_WAY[name]
    result = harness.check_gradient(function, args)
    assert result.verdict is verdict, result
    assert {part.judgement.narrowest for part in result.parts if not part.of_value} == {""}


def test_each_argument_has_its_own_way():
    def function(x, w):
        return x.bfloat16().float() * w

    arrays = [ROWS, ROWS]
    question = Question(lambda a: record(function, tuple(map(torch.tensor, a)), {}), ("x", "w"), (0, 1))
    assert pose(question, arrays).true.narrowest == ("bfloat16", "")


# -- a float64 function with a narrower part -----------------------------------------------------------------


PARTS = {
    "gelu": lambda x, narrow: jax.nn.gelu(x.astype(narrow)),
    "a number": lambda x, narrow: x.astype(narrow) * 0.1,
    "a matrix product": lambda x, narrow: jnp.tanh(
        0.7978846 * jnp.dot(x[None], jnp.ones((3, 2), narrow), preferred_element_type=narrow)
    ),
}


@pytest.mark.parametrize("narrow", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", PARTS)
def test_numbers_in_a_narrower_part_of_a_float64_function_are_what_stands_there(name, narrow):
    with jax.enable_x64(True):
        x = jnp.array([0.5, -1.0, 2.0])
        result = harness.check_gradient(lambda x: PARTS[name](x, narrow).astype(x.dtype), (x,))
    assert result.verdict is Verdict.ACCURATE, result


def test_a_rule_has_the_decimal_of_a_number_in_a_narrower_part_or_is_wrong():
    def ruled(factor):
        f = jax.custom_vjp(lambda x: (x.astype(jnp.float32) * 0.1).astype(x.dtype))
        f.defvjp(lambda x: (f(x), None), lambda _, g: (g * factor,))
        return harness.check_gradient(f, (jnp.array([0.5, -1.0, 2.0]),)).verdict

    with jax.enable_x64(True):
        assert ruled(0.1) is Verdict.ACCURATE
        assert ruled(0.1001) is Verdict.WRONG


class Step(torch.autograd.Function):
    """A step, straight through, whose result is float32."""

    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return (x > 0).float()

    @staticmethod
    def backward(ctx, g):
        return ctx.factor * g, None


@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "accurate"), (1 + 2.0**-20, "wrong")])
def test_a_cotangent_is_what_the_result_can_hold(factor, verdict):
    x = torch.tensor([0.3, -0.2, 0.7], dtype=torch.float64)
    found = harness.check_gradient(lambda x: Step.apply(x, factor), (x,), surrogate=lambda x: x)
    assert {str(part.verdict) for part in found.parts} == {verdict}, str(found)


@pytest.mark.parametrize("narrow", ["bfloat16", "float16"])
@pytest.mark.parametrize(("factor", "verdict"), [(1.0, "accurate"), (1.01, "wrong")])
def test_so_it_is_in_jax_and_along_scaled_ones(narrow, factor, verdict):
    f = jax.custom_vjp(lambda x: jnp.sin(x).astype(narrow))
    f.defvjp(lambda x: (f(x), x), lambda x, g: (factor * g.astype(x.dtype) * jnp.cos(x),))
    found = harness.check_gradient(f, (jnp.array([0.3, -1.2, 2.1]),), spec=jnp.sin)
    assert {str(part.verdict) for part in found.parts if not part.of_value} == {verdict}, str(found)


@pytest.mark.parametrize("more", [{}, {"mode": "forward"}, {"order": 2}])
def test_a_specification_is_cast_as_the_function_s_result_is(more):
    x = torch.tensor([0.3, -1.2, 2.1, 0.7])
    for narrow in (torch.bfloat16, torch.float16, torch.float64):
        found = harness.check_gradient(lambda x: torch.sin(x).to(narrow), (x,), spec=torch.sin, **more)  # noqa: B023
        alone = harness.check_gradient(lambda x: torch.sin(x).to(narrow), (x,), **more)  # noqa: B023
        assert [part.verdict for part in found.parts if not part.of_value] == [
            part.verdict for part in alone.parts if not part.of_value
        ], str(found)
        assert found.verdict == "accurate"


def test_so_is_one_of_complex_numbers():
    def f(x):
        return torch.complex(torch.sin(x), torch.cos(x)).to(torch.complex64)

    x = torch.tensor([0.3, -1.2], dtype=torch.float64)
    found = harness.check_gradient(f, (x,), spec=lambda x: torch.complex(torch.sin(x), torch.cos(x)))
    assert found.verdict == "accurate", str(found)
