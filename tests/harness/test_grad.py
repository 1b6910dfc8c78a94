"""A gradient without a cotangent, and a backward that ignores its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from numpy import r_
from scipy.optimize._optimize import MemoizeJac

from harness import assert_gradient, check_gradient, check_layer

X = np.array([0.5, -1.25, 2.0])
IGNORES = "the backward does not use its cotangent"
AS_GRAD = "or pass a gradient that needs none as grad= (a layer's has dout=1)"


def loss(x):
    return (x * x).sum()


LOADED = {"numpy": X, "torch": torch.tensor(X), "jax": jnp.asarray(X, "float32")}
each = pytest.mark.parametrize("x", LOADED.values(), ids=LOADED)


@each
def test_a_gradient_that_takes_no_cotangent_is_judged(x):
    assert assert_gradient(loss, (x,), grad=lambda x: 2 * x).subject == "<lambda>"
    wrong = check_gradient(loss, (x,), grad=lambda x: 2.01 * x)
    assert wrong.verdict == "wrong"
    assert IGNORES not in str(wrong)


@pytest.mark.parametrize(("penalty", "verdict"), [
    (lambda w: r_[0, w[1:]], "accurate"),
    (lambda w: w, "wrong"),
    (lambda w: np.c_[0.0, w[None, 1:]][0], "accurate"),
])  # fmt: skip
def test_the_penalty_that_leaves_out_the_first_weight_is_joined(penalty, verdict):
    found = check_gradient(
        lambda w: (np.r_[0, w[1:]] ** 2).sum() + w[0], (X,), grad=lambda w: 2 * penalty(w) + [1, 0, 0]
    )
    assert found.verdict == verdict


def test_it_gives_one_gradient_for_each_argument_and_takes_keywords():
    def f(x, y, scale):
        return scale * np.sum(x * y)

    def grad(x, y, scale):
        return scale * y, scale * x

    assert_gradient(f, (X, X + 1), kwargs={"scale": 3.0}, grad=grad)
    found = check_gradient(f, (X, X + 1), kwargs={"scale": 3.0}, grad=lambda x, y, scale: (y * scale, x))
    assert [(part.name, part.verdict) for part in found.parts[:2]] == [("x", "accurate"), ("y", "wrong")]


def test_it_may_be_the_frameworks_compiled_and_at_other_points():
    f = jax.grad(loss)
    assert_gradient(loss, (LOADED["jax"],), grad=f, jit=True, boundary=["zeros"])


@pytest.mark.parametrize("more", [{"order": 2}, {"mode": "forward-over-reverse"}])
def test_it_is_differentiated_again(more):
    x = LOADED["torch"]
    assert check_gradient(lambda x: (x**3).sum(), (x,), grad=lambda x: 3 * x**2, **more).passed
    assert not check_gradient(lambda x: (x**3).sum(), (x,), grad=lambda x: 3 * x, **more).passed


@pytest.mark.parametrize(
    ("f", "shapes"),
    [(lambda x: x * x, "(3,)"), (lambda x: (x.sum(), x[0]), "(), ()"), (lambda x: x[:1], "(1,)")],
)
def test_only_a_single_number_has_such_a_gradient(f, shapes):
    with pytest.raises(ValueError, match="f must return a single number with grad=") as raised:
        check_gradient(f, (X,), grad=lambda x: 2 * x)
    assert f"got shape {shapes}: return a number (the sum of all is not taken)" in str(raised.value)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"grad": loss, "vjp": loss}, "vjp and grad are both given; give only one"),
        ({"grad": loss, "cotangent": np.ones(())}, "grad and cotangent are both given"),
        ({"grad": 3}, "grad must be a function, got 3"),
        ({"grad": loss, "mode": "forward"}, "grad is checked in reverse mode, got mode="),
        ({"vjp": loss, "mode": ("forward", "reverse")}, "vjp is checked in reverse mode, got mode="),
    ],
)
def test_what_does_not_go_with_it_is_refused(more, said):
    """A gradient by hand was not looked at in forward mode, and the check passed."""
    with pytest.raises(ValueError, match=said):
        check_gradient(loss, (LOADED["jax"],), **more)


def test_what_it_changes_is_put_back():
    kept = {"calls": 0}

    class Net:
        def grad(self, x):
            kept["calls"] += 1
            self.last = x
            return 2 * x

    net = Net()
    assert_gradient(loss, (X,), grad=net.grad)
    assert vars(net) == {}


# -- a cotangent that is not used -------------------------------------------------------------------------


@jax.custom_vjp
def ignoring_jax(x):
    return x * x


ignoring_jax.defvjp(lambda x: (x * x, x), lambda x, g: (2 * x,))


class IgnoringTorch(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, g):
        return 2 * ctx.saved_tensors[0]


def opaque(g, x):
    return np.ldexp(*np.frexp(2 * x))


@pytest.mark.parametrize(
    ("f", "x", "more"),
    [
        (lambda x: x * x, X, {"vjp": lambda g, x: 2 * x}),
        (lambda x: x * x, X, {"vjp": opaque}),
        (lambda x: (x * x, x), X, {"residual_vjp": lambda x, g: 2 * x}),
        (lambda x: 3 * ignoring_jax(x), LOADED["jax"], {}),
        (lambda x: 3 * IgnoringTorch.apply(x), LOADED["torch"], {}),
    ],
    ids=["numpy", "opaque", "residuals", "jax", "torch"],
)
def test_a_backward_that_does_not_use_its_cotangent_is_told_so_first(f, x, more):
    found = check_gradient(f, (x,), **more)
    assert found.verdict in {"wrong", "miscomputed"}
    assert str(found).splitlines()[1].startswith(f"  {IGNORES}: multiply by it; ")


@pytest.mark.parametrize("vjp", [lambda g, x: 2 * x, opaque])
def test_of_a_number_grad_is_named_too(vjp):
    text = str(check_gradient(loss, (X,), vjp=vjp))
    assert f"{IGNORES}: multiply by it, {AS_GRAD}; " in text


def test_the_argument_whose_gradient_does_not_use_it_is_named():
    found = check_gradient(lambda x, y: x * y, (X, X), vjp=lambda g, x, y: (g * y, 1 * x))
    assert f"{IGNORES} for y: multiply by it; the formula" in found.diagnosis


@pytest.mark.parametrize("vjp", [lambda g, x: 0 * x, lambda g, x: 2.01 * g * x, lambda g, x: np.sign(g) * x])
def test_other_mistakes_are_not_told_so(vjp):
    assert IGNORES not in str(check_gradient(lambda x: x * x, (X,), vjp=vjp))


def test_a_layer_that_does_not_use_dout_is_told_so():
    class Layer:
        def forward(self, x):
            self.x = x
            return x * x

        def backward(self, dout):
            return 2 * self.x

    assert f"{IGNORES}: multiply by it; " in str(check_layer(Layer(), X))


@pytest.mark.parametrize("is_warm", [False, True])
@pytest.mark.parametrize("factor", [1.0, 1.01])
def test_what_minimize_makes_of_a_function_that_gives_both(factor, is_warm):
    """SciPy's class keeps the last point and what the function gave there, and is asked anew at each."""
    both = MemoizeJac(lambda x: (((x**3 - 1) ** 2).sum() / 2, factor * 3 * (x**3 - 1) * x**2))
    if is_warm:
        both(X + 1)
    kept = both.x
    for function in (both, lambda x: ((x**3 - 1) ** 2).sum() / 2):
        assert check_gradient(function, (X,), grad=both.derivative).passed == (factor == 1)
    assert both.x is kept or np.array_equal(both.x, kept)
