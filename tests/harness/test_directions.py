"""A rule by hand is a function of its cotangent too: from order 2 on that is asked."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from jax import lax

from gradproof import check_gradient
from harness.directions import DIRECTION
from harness.dropin import check_grads, gradgradcheck
from harness.dropin.configuration import settings
from harness.dropin.originals import original
from tests.meta.adversarial.test_marked import Double

GradcheckError = importlib.import_module("torch.autograd.gradcheck").GradcheckError

X = torch.tensor([0.3, -1.0, 0.7], dtype=torch.float64)
JX = jnp.array([0.3, -1.0, 0.7])


def ruled(forward, backward):
    """The apply of a custom function of one argument; `backward(x, *cotangents)`."""

    class Ruled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return forward(x)

    Ruled.backward = staticmethod(lambda ctx, *g: backward(ctx.saved_tensors[0], *g))
    return Ruled.apply


def in_jax(forward, backward):
    """A `custom_vjp` of one argument, likewise."""
    function = jax.custom_vjp(forward)
    function.defvjp(lambda x: (forward(x), x), lambda x, g: (backward(x, g),))
    return function


def by_jvp(of_tangent):
    """The cube by a `custom_jvp`, in which the tangent goes through another one."""
    passed = jax.custom_jvp(lambda t: t)
    passed.defjvp(lambda primals, tangents: (primals[0], of_tangent(tangents[0])))
    cube = jax.custom_jvp(lambda x: x**3)
    cube.defjvp(lambda x, t: (x[0] ** 3, 3 * x[0] ** 2 * passed(t[0])))
    return cube


class Both(torch.autograd.Function):
    """The cube with a backward and a jvp, of which both take `of` what they are along."""

    of = staticmethod(lambda t: t)

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        ctx.save_for_forward(x)
        return x**3

    @staticmethod
    def backward(ctx, g):
        return Both.of(g) * 3 * ctx.saved_tensors[0] ** 2

    @staticmethod
    def jvp(ctx, t):
        return Both.of(t) * 3 * ctx.saved_tensors[0] ** 2


def without_grad(x, g):
    with torch.no_grad():
        return 2 * g


def softmax_by(of_sum):
    def backward(x, g):
        y = torch.softmax(x, -1)
        return y * (g - (of_sum(g) * y).sum(-1, keepdim=True))

    return ruled(lambda x: torch.softmax(x, -1), backward)


def hooked(x):
    y = x**3
    y.register_hook(lambda g: g.detach())
    return y


def hooked_at_its_node(x):
    y = x**3
    y.grad_fn.register_prehook(lambda g: (g[0].detach(),))
    return y


def of_a_wrong_rule(x, g):
    return ruled(torch.clone, lambda _, gg: 2 * gg)(g) * 3 * x**2


def cube(x):
    return x**3


right, detached = (lambda x, g: g * 3 * x**2), (lambda x, g: g.detach() * 3 * x**2)
stopped = in_jax(cube, lambda x, g: lax.stop_gradient(g) * 3 * x**2)

LOSING = {
    "detach": (ruled(cube, detached), X),
    "data": (ruled(cube, lambda x, g: g.data.clone() * 3 * x**2), X),
    "no_grad, linear": (ruled(lambda x: 2 * x, without_grad), X),
    "once_differentiable, linear": (Double.apply, X),
    "in one of two terms": (softmax_by(torch.Tensor.detach), X),
    "a wrong rule of the rule": (ruled(cube, of_a_wrong_rule), X),
    "a hook": (hooked, X),
    "a hook at its node": (hooked_at_its_node, X),
    "a part of the function": (lambda x: ruled(cube, detached)(x).sum() + x.sin().sum(), X),
    "JAX": (stopped, JX),
    "JAX, in jit": (jax.jit(stopped), JX),
    "JAX, in vmap": (jax.vmap(stopped), JX),
    "JAX, in scan": (lambda x: lax.scan(lambda c, _: (stopped(c), None), x, None, length=1)[0], JX),
    "JAX, linear": (in_jax(lambda x: 2 * x, lambda x, g: 2 * lax.stop_gradient(g)), JX),
}
RIGHT = {
    "cube": (ruled(cube, right), X),
    "a linear one": (ruled(lambda x: 2 * x, lambda x, g: 2 * g), X),
    "softmax": (softmax_by(lambda g: g), X),
    "bfloat16": (softmax_by(lambda g: g), X.bfloat16()),
    "at a kink": (ruled(lambda x: x.clamp(min=0), lambda x, g: g * (x > 0)), X.round()),
    "complex": (ruled(cube, lambda z, g: g * (3 * z**2).conj()), torch.complex(X, X + 1)),
    "JAX": (in_jax(cube, right), JX),
    "JAX, complex": (in_jax(cube, right), JX + 1j * JX),
}


def rows(found):
    return [(p.input, p.name, p.verdict.value) for p in found.parts if not p.of_value]


@pytest.mark.parametrize("name", LOSING)
def test_a_rule_that_loses_its_cotangent_is_wrong_from_order_two_on(name):
    function, x = LOSING[name]
    assert check_gradient(function, (x,)).verdict == "accurate"
    for order in (2, 3):
        found = check_gradient(function, (x,), order=order)
        assert found.verdict == "wrong"
        where = DIRECTION if order == 2 else f"{DIRECTION} of order 2"
        assert (where, "cotangent", "wrong") in rows(found)
        assert any(
            "the rule's derivative in its cotangent, or tangent, is wrong" in note for note in found.notes
        )
    squared = check_gradient(lambda x: function(x) ** 2, (x,), order=2)
    assert squared.verdict == "wrong"  # which is what it costs


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_rule_passes_with_a_row_for_its_cotangent(name):
    function, x = RIGHT[name]
    found = check_gradient(function, (x,), order=2)
    assert found.passed
    assert (DIRECTION, "cotangent") in [(where, of) for where, of, _ in rows(found)]


@pytest.mark.parametrize("function", [torch.tanh, lambda x: x * torch.tanh(x), jnp.tanh, jax.nn.logsumexp])
def test_what_the_framework_derives_is_not_asked_about(function):
    x = X if function is torch.tanh or "<lambda>" in function.__name__ else JX
    assert all(where == "given" for where, *_ in rows(check_gradient(function, (x,), order=2)))


def test_the_doors_agree():
    function, x = LOSING["detach"][0], X.clone().requires_grad_()
    for check in (original("gradgradcheck"), gradgradcheck):
        with pytest.raises(GradcheckError):
            check(function, (x,))
    with pytest.raises(AssertionError):
        check_grads(stopped, (JX,), 2, modes=["rev"])


def test_a_drop_in_that_has_cotangents_for_arguments_does_not_ask_about_them_again():
    settings.made.clear()
    assert gradgradcheck(RIGHT["cube"][0], (X.clone().requires_grad_(),))
    (made,) = settings.made
    assert all(where == "given" for found in made.results for where, *_ in rows(found))


@pytest.mark.parametrize("steps", [("reverse", "forward"), ("forward", "reverse"), ("reverse", "reverse")])
@pytest.mark.parametrize("lost", [False, True])
def test_likewise_in_other_modes(monkeypatch, steps, lost):
    monkeypatch.setattr(Both, "of", staticmethod(torch.Tensor.detach if lost else lambda t: t))
    found = check_gradient(Both.apply, (X,), mode=steps)
    assert rows(found)[0] == ("given", "x", "accurate")
    name = "x" if steps[1] == "forward" else "tangent of x" if steps[0] == "forward" else "cotangent"
    assert rows(found)[1] == (DIRECTION, name, "wrong" if lost else "accurate")


@pytest.mark.parametrize("steps", [("forward", "forward"), ("forward", "reverse")])
def test_a_rule_for_tangents_depends_on_its_tangent(steps):
    assert check_gradient(by_jvp(lambda t: t), (JX,), mode=steps).verdict == "accurate"
    assert check_gradient(by_jvp(lambda t: 2 * t), (JX,), mode=steps).verdict == "wrong"
    given = [[np.ones(3)], [np.array([1.0, -2.0, 0.5])]]  # along the argument
    assert check_gradient(by_jvp(lambda t: 2 * t), (JX,), mode=steps, cotangent=given).verdict == "wrong"


def test_each_result_and_each_derivative_inside_has_its_row():
    two = ruled(lambda x: (x**3, x.sin()), lambda x, g, h: g * 3 * x**2 + h.detach() * x.cos())
    found = check_gradient(two, (X,), order=2)
    assert [row[1:] for row in rows(found)[1:]] == [("cotangent[0]", "accurate"), ("cotangent[1]", "wrong")]
    third = check_gradient(RIGHT["JAX"][0], (JX,), order=3)
    assert [of for _, of, _ in rows(third)] == ["x", "cotangent", "cotangent", "direction of x"]


def test_a_gradient_by_hand_is_asked_and_one_without_a_cotangent_is_not():
    for loses in (False, True):
        along = torch.Tensor.detach if loses else lambda g: g
        found = check_gradient(cube, (X,), vjp=lambda g, x, of=along: of(g) * 3 * x**2, order=2)
        kept = check_gradient(
            lambda x: (x**3, x), (X,), residual_vjp=lambda x, g, of=along: of(g) * 3 * x**2, order=2
        )
        assert found.passed is kept.passed is not loses
    number = check_gradient(lambda x: (x**3).sum(), (X,), grad=lambda x: 3 * x**2, order=2)
    assert rows(number) == [("given", "x", "accurate")]


def test_a_surrogate_says_how_it_depends_on_the_cotangent():
    for backward, passes in ((lambda x, g: g, True), (lambda x, g: g.detach(), False)):
        found = check_gradient(ruled(torch.round, backward), (X,), surrogate=lambda x: x, order=2)
        assert found.passed is passes


def test_points_beside_are_asked_too():
    found = check_gradient(ruled(cube, right), (X,), order=2, boundary=["ones"])
    assert ("ones, direction", "cotangent", "accurate") in rows(found)
    ones = ruled(cube, lambda x, g: torch.where(x == 1, g.detach(), g) * 3 * x**2)
    assert check_gradient(ones, (X,), order=2).verdict == "accurate"
    found = check_gradient(ones, (X,), order=2, boundary=["ones"])
    assert ("ones, direction", "cotangent", "wrong") in rows(found)


def test_where_the_gradient_is_zero_it_is_asked_beside():
    zeros = torch.zeros(3, dtype=torch.float64)
    found = check_gradient(ruled(cube, detached), (zeros,), order=2)
    assert rows(found)[-1] == (f"beside, {DIRECTION}", "cotangent", "wrong")
    assert check_gradient(ruled(cube, right), (zeros,), order=2).passed


def test_cotangents_of_ones_are_no_argument_that_hides_something():
    ones = torch.ones(3, dtype=torch.float64)
    assert check_gradient(ruled(cube, right), (X,), order=2, cotangent=[ones, ones]).passed
    assert not check_gradient(ruled(cube, detached), (X,), order=2, cotangent=[ones, ones]).passed


def test_the_hooks_of_a_parameter_in_a_closure_are_left_alone():
    held, seen = torch.nn.Parameter(torch.ones(3, dtype=torch.float64)), []
    held.register_hook(seen.append)
    assert check_gradient(lambda x: (held * x) ** 3, (X,), order=2).passed
    node = torch.autograd.graph.get_gradient_edge(held).node
    handle = node.register_prehook(lambda g: None)
    assert len(handle.hooks_dict_ref()) == 1


class _Pulled(torch.autograd.Function):
    """The pullback of tanh, whose own is that of y = 0, where 1 - y^2 is 1."""

    @staticmethod
    def forward(ctx, g, y):
        ctx.save_for_backward(g, y)
        return g * (1 - y * y)

    @staticmethod
    def backward(ctx, gg):
        g, y = ctx.saved_tensors
        return gg.clone(), -2 * g * y * gg


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.tanh()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        return _Pulled.apply(g, *ctx.saved_tensors)


@pytest.mark.parametrize("x", [0.0, 0.3])
def test_what_is_hidden_at_zeros_is_asked_beside_them(x):
    found = check_gradient(_Tanh.apply, (torch.full((3,), x, dtype=torch.float64),), order=2)
    assert found.verdict == "wrong", str(found)
    assert check_gradient(torch.tanh, (torch.zeros(3, dtype=torch.float64),), order=2).passed
