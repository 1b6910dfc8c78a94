"""What custom functions get besides what is differentiated is asked at other numbers, too."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch
from torch.utils.checkpoint import checkpoint

from gradproof import check_gradient
from harness.proof.operands import COUNTED_ON

X = torch.linspace(-1.5, 2, 12).reshape(3, 4)
ONES, XJ = torch.ones(4), jnp.linspace(-1.5, 2, 4)


def function(forward, backward, sets_up=False):
    """A custom function whose backward gets the cotangent and what the forward got."""

    class InOne(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *args):
            ctx.given = args
            return forward(*args)

        @staticmethod
        def backward(ctx, g):
            return backward(g, *ctx.given), *[None] * (len(ctx.given) - 1)

    class Apart(InOne):
        @staticmethod
        def forward(*args):
            return forward(*args)

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.given = inputs

    return Apart if sets_up else InOne


def scaled(x, w):
    return x * w


def swish(x, b):
    return x * torch.sigmoid(b * x)


def swish_slope(x, b, forgotten):
    s = torch.sigmoid(b * x)
    return s + (x if forgotten else b * x) * s * (1 - s)


def squares(x, t):
    return ((x - t) ** 2).sum()


WRONG = {
    "a weight": (scaled, lambda g, x, w: g, ONES),
    "a float": (swish, lambda g, x, b: g * swish_slope(x, b, True), 1.0),
    "a target": (squares, lambda g, x, t: 2 * g * x, torch.zeros(3, 4)),
}
RIGHT = {
    "a weight": (scaled, lambda g, x, w: g * w, ONES),
    "a float": (swish, lambda g, x, b: g * swish_slope(x, b, False), 1.0),
    "a target": (squares, lambda g, x, t: 2 * g * (x - t), torch.zeros(3, 4)),
    "a mask": (scaled, lambda g, x, m: g * m, (X > 0).float()),
    "a factor of the gradient's that is 1": (lambda x, k: x * 1, lambda g, x, k: g * k, 1.0),
}


@pytest.mark.parametrize("sets_up", [False, True])
@pytest.mark.parametrize("name", WRONG)
def test_what_a_closure_gives_to_a_custom_function_of_torch(name, sets_up):
    forward, backward, own = WRONG[name]
    rule = function(forward, backward, sets_up)
    apply = rule.apply
    found = check_gradient(lambda x: apply(x, own), (X,))
    assert found.verdict == "wrong"
    assert f"argument 1 of {rule.__name__} is" in str(found)
    assert check_gradient(lambda x: apply(x, own), (X,), probes=False).passed


@pytest.mark.parametrize("sets_up", [False, True])
@pytest.mark.parametrize("name", RIGHT)
def test_a_right_one_stays_right(name, sets_up):
    forward, backward, own = RIGHT[name]
    rule = function(forward, backward, sets_up)
    before = dict(vars(rule))
    assert check_gradient(lambda x: rule.apply(x, own), (X,)).verdict == "accurate"
    assert dict(vars(rule)) == before


@pytest.mark.parametrize("sets_up", [False, True])
@pytest.mark.parametrize(("own", "forgotten"), [(3.0, False), (3.0, True), (1.0, False), (1.0, True)])
def test_keywords_of_apply(own, forgotten, sets_up):
    class Kept(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, n):
            ctx.n = n
            return x * n

        @staticmethod
        def backward(ctx, g):
            return g if forgotten else g * ctx.n, None

    class Apart(Kept):
        @staticmethod
        def forward(x, n):
            return x * n

        @staticmethod
        def setup_context(ctx, inputs, output):
            ctx.n = inputs[1]

    rule = Apart if sets_up else Kept
    try:
        rule.apply(X, n=own)
    except TypeError:
        pytest.skip("this torch takes no keywords here")
    for found in (
        check_gradient(lambda x: rule.apply(x, n=own), (X,)),
        check_gradient(lambda x: rule.apply(x=x, n=own), (X,)),
        check_gradient(rule.apply, (X,), kwargs={"n": 3.0}),
    ):
        assert found.verdict == ("wrong" if forgotten else "accurate"), found


def test_of_a_weight_and_its_inverse_neither_is_asked():
    rule = function(lambda x, w, inverse: x * w, lambda g, x, w, inverse: g / inverse)
    assert check_gradient(lambda x: rule.apply(x, ONES, 1 / ONES), (X,)).verdict == "accurate"
    forgets = function(lambda x, w, v: x * w * v, lambda g, x, w, v: g * w)
    assert check_gradient(lambda x: forgets.apply(x, ONES, torch.ones(4)), (X,)).verdict == "wrong"


def test_what_is_computed_of_the_argument_is_no_constant():
    rule = function(scaled, lambda g, x, m: g * (x > 0))
    assert check_gradient(lambda x: rule.apply(x, (x > 0).float()), (X.abs() + 1,)).verdict == "accurate"


@pytest.mark.parametrize("forgotten", [None, "mean", "scale"])
def test_the_buffers_of_a_module(forgotten):
    class Normed(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, mean, scale, weight):
            ctx.save_for_backward(x, mean, scale, weight)
            return (x - mean) * scale * weight

        @staticmethod
        def backward(ctx, g):
            x, mean, scale, weight = ctx.saved_tensors
            of_weight = g * (x if forgotten == "mean" else x - mean) * scale
            return g * weight * (1 if forgotten == "scale" else scale), None, None, of_weight.sum(0)

    class Norm(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.ones(4))
            self.register_buffer("mean", torch.zeros(4))
            self.register_buffer("scale", torch.ones(4))

        def forward(self, x):
            return Normed.apply(x, self.mean, self.scale, self.weight)

    norm = Norm()
    found = check_gradient(norm, (X,))
    assert found.verdict == ("wrong" if forgotten else "accurate")
    assert norm.mean.eq(0).all()
    assert norm.scale.eq(1).all()
    if forgotten:
        assert f"there {forgotten} of Normed is all {0 if forgotten == 'mean' else 1}" in str(found)


def test_a_checkpoint_that_runs_it_again_gets_the_same():
    right, wrong = (function(*RIGHT["a weight"][:2]), function(*WRONG["a weight"][:2]))

    def through(rule):
        return lambda x: checkpoint(lambda y: rule.apply(y, ONES).sin(), x, use_reentrant=False)

    assert check_gradient(through(right), (X,)).verdict == "accurate"
    assert check_gradient(through(wrong), (X,)).verdict == "wrong"


def ruled(function, backward):
    own = jax.custom_vjp(function)
    own.defvjp(lambda *args: (function(*args), args), lambda given, g: backward(g, *given))
    return own


def test_what_a_closure_gives_to_a_custom_vjp():
    right = ruled(scaled, lambda g, x, w: (g * w, jnp.sum(g * x) if jnp.ndim(w) == 0 else g * x))
    wrong = ruled(scaled, lambda g, x, w: (g, jnp.sum(g * x) if jnp.ndim(w) == 0 else g * x))
    w = jnp.ones(4)
    ways = {
        "a closure": lambda rule: lambda x: rule(x, w),
        "made inside": lambda rule: lambda x: rule(x, jnp.ones(4)),
        "a float": lambda rule: lambda x: rule(x, 1.0),
        "compiled": lambda rule: jax.jit(lambda x: jnp.sin(rule(x, w))),
        "computed again": lambda rule: jax.checkpoint(lambda x: jnp.sin(rule(x, w))),
    }
    for name, way in ways.items():
        assert check_gradient(way(right), (XJ,)).verdict == "accurate", name
        found = check_gradient(way(wrong), (XJ,))
        assert found.verdict == "wrong", name
        assert "there argument 1 of scaled is" in str(found), name
    tied = ruled(lambda x, w, v: x * w, lambda g, x, w, v: (g / v, g * x, jnp.zeros_like(v)))
    assert check_gradient(lambda x: tied(x, w, 1 / w), (XJ,)).verdict == "accurate"
    masked = ruled(scaled, lambda g, x, m: (g * (x > 0), g * x))
    assert check_gradient(lambda x: masked(x, (x > 0).astype(x.dtype)), (jnp.abs(XJ) + 1,)).passed


def test_what_the_closure_of_a_custom_vjp_holds_is_its_own():
    w = jnp.ones(4)

    def forward(x, s):
        return x * w * s

    rule = ruled(forward, lambda g, x, s: (g * w * s, g * w * x))
    assert check_gradient(lambda x: rule(x, jnp.full(4, 3.0)), (XJ,)).verdict == "accurate"


@pytest.mark.parametrize("mode", ["forward", "reverse"])
def test_what_a_closure_gives_to_a_custom_jvp(mode):
    def made(forgotten):
        @jax.custom_jvp
        def wave(x, w):
            return jnp.sin(x) * w

        @wave.defjvp
        def tangent(primals, tangents):
            (x, w), (dx, dw) = primals, tangents
            return wave(x, w), jnp.cos(x) * dx * (1 if forgotten else w) + jnp.sin(x) * dw

        return lambda x: wave(x, jnp.ones(4))

    assert check_gradient(made(False), (XJ,), mode=mode).verdict == "accurate"
    found = check_gradient(made(True), (XJ,), mode=mode)
    assert found.verdict == "wrong"
    assert "there w of wave is all 1" in str(found)


def test_numpys_function_is_what_it_is():
    w = np.ones(4)
    assert check_gradient(lambda x: x * w, (np.arange(4.0),), vjp=lambda g, x: g).verdict == "accurate"


def divided(x, s, inverse):
    return x / s


def kept(x, p, keep):
    return x * (1 - p)


def exp(x):
    return torch.exp(x) if isinstance(x, torch.Tensor) else jnp.exp(x)


def by_log(x, log, s):
    return x * exp(log)


def scaled_by_second(x, p, s):
    return x * s


def scaled_by_first(x, c, s):
    return x * c


FOLLOWING = {  # what follows another operand, at numbers that hide something
    "the inverse of an array": (divided, lambda g, x, s, inverse: g * inverse, ONES, ONES.clone()),
    "the inverse of a number": (divided, lambda g, x, s, inverse: g * inverse, 2.0, 0.5),
    "what is left of nothing": (kept, lambda g, x, p, keep: g * keep, 0.0, 1.0),
    "what is left of a half": (kept, lambda g, x, p, keep: g * keep, 0.5, 0.5),
    "the variance of ones": (divided, lambda g, x, s, v: g * s / v, ONES, ONES.clone()),
    "the variance of 2": (divided, lambda g, x, s, v: g * s / v, 2.0, 4.0),
    "a precision": (divided, lambda g, x, s, w: g * s * w, ONES, ONES.clone()),
    "a logarithm of ones": (divided, lambda g, x, s, log: g * s / exp(2 * log), ONES, 0 * ONES),
    "what a logarithm of 0 is of": (by_log, lambda g, x, log, s: g * s, 0 * ONES, ONES),
    "what is kept of one in two": (scaled_by_second, lambda g, x, p, s: g / (1 - p), 0.5, 2.0),
    "what is kept of all": (scaled_by_second, lambda g, x, p, s: g / (1 - p), 0.0, 1.0),
    "a sine beside a cosine": (scaled_by_first, lambda g, x, c, s: g * c / (c * c + s * s), ONES, 0 * ONES),
}


@pytest.mark.parametrize("name", FOLLOWING)
def test_what_may_follow_another_operand_is_accused_of_nothing(name):
    forward, backward, one, other = FOLLOWING[name]
    rule = function(forward, backward)
    assert check_gradient(lambda x: rule.apply(x, one, other), (X,)).verdict == "accurate"
    own = ruled(forward, lambda g, x, s, i: (backward(g, x, s, i), jnp.zeros_like(s), jnp.zeros_like(i)))
    given = [np.asarray(v, np.float32) for v in (one, other)]
    assert check_gradient(lambda x: own(x, *given), (XJ,)).verdict == "accurate"


def test_of_two_that_do_not_follow_each_other_one_may_be_forgotten():
    """A mean of 0 is 1 less a variance of 1; where it is that elsewhere the rule is wrong all the same."""
    rule = function(lambda x, mean, var: (x - mean) / var, lambda g, x, mean, var: g)
    found = check_gradient(lambda x: rule.apply(x, torch.zeros(4), torch.ones(4)), (X,))
    assert found.verdict == "wrong"
    for forward, one, other in ((lambda x, w, v: x * w / v**0.5, 1.0, 1.0), (by_log, 0.0, 1.0)):
        given = torch.full((4,), one), torch.full((4,), other)
        ignores = function(forward, lambda g, x, w, v: g)
        assert check_gradient(lambda x: ignores.apply(x, *given), (X,)).verdict == "wrong"  # noqa: B023
    cubed = function(lambda x, s, v: x / s, lambda g, x, s, v: g / v**3)
    assert check_gradient(lambda x: cubed.apply(x, ONES, torch.ones(4)), (X,)).verdict == "wrong"


def test_a_rule_that_mixes_up_two_operands_is_told_what_it_counts_on():
    rule = function(lambda x, w, v: x * w / v**0.5, lambda g, x, w, v: g * w**2 / v)
    w, v = torch.linspace(1, 2, 4), torch.ones(4)
    found = check_gradient(lambda x: rule.apply(x, ONES, v), (X,))
    assert found.verdict == "accurate"
    (told,) = [note for note in found.notes if COUNTED_ON in note]
    assert "with other numbers there alone the gradient is wrong (x: the formula gives" in told
    assert check_gradient(lambda x: rule.apply(x, w, v), (X,)).verdict == "wrong"
    right = function(lambda x, w, v: x * w / v**0.5, lambda g, x, w, v: g * w / v**0.5)
    assert not check_gradient(lambda x: right.apply(x, ONES, v), (X,)).notes


def test_several_that_follow_one_each_in_its_way():
    def density(x, scale, variance, precision, log):
        return -x * x / 2 * precision - log

    rule = function(density, lambda g, x, s, v, p, log: -g * x * v / s**4)
    scale = torch.ones(4)
    given = scale, scale**2, scale**-2, scale.log()
    assert check_gradient(lambda x: rule.apply(x, *given), (X,)).verdict == "accurate"
    forgets = function(density, lambda g, x, s, v, p, log: -g * x / s**3)
    assert check_gradient(lambda x: forgets.apply(x, *given), (X,)).verdict == "wrong"


def test_two_rules_that_get_one_array_and_one_that_reads_it_elsewhere():
    scale = torch.ones(4)
    quantized = function(lambda x, s: x / s, lambda g, x, s: g)
    restored = function(scaled, lambda g, q, s: g)
    restored.__name__ = "Restored"
    assert check_gradient(
        lambda x: restored.apply(quantized.apply(x, scale), scale), (X,)
    ).verdict == "accurate"  # fmt: skip
    read = function(lambda x, s: x / s, lambda g, x, s: g / scale)
    assert check_gradient(lambda x: read.apply(x, scale), (X,)).verdict == "accurate"


def test_a_length_is_no_exponent():
    rule = function(
        lambda x, n: x.sum(-1) / n, lambda g, x, n: (g[:, None] * torch.ones_like(x)) / x.shape[-1]
    )
    narrow = X[:, :2].contiguous()
    assert check_gradient(lambda x: rule.apply(x, float(x.shape[-1])), (narrow,)).verdict == "accurate"


def test_weights_of_several_shapes_that_one_rule_gets():
    """A norm that two layers share: each shape is asked, and none follows one of another length."""
    rule = function(scaled, lambda g, x, w: g)
    wide = torch.linspace(-1, 1, 20).reshape(4, 5)

    def f(x):
        return rule.apply(rule.apply(x, ONES) @ wide, torch.ones(5))

    found = check_gradient(f, (X,))
    assert found.verdict == "wrong"
    assert "of InOne of shape (5,) is all 1" in str(found)

    @jax.custom_vjp
    def norm(x, w):
        return x * w

    norm.defvjp(lambda x, w: (x * w, w), lambda w, g: (g, jnp.zeros_like(w)))
    ones, more, wide = jnp.ones(4), jnp.ones(5), jnp.asarray(wide.numpy())
    found = check_gradient(lambda x: norm(norm(x, ones) @ wide, more), (XJ,))
    assert found.verdict == "wrong"
    assert "of norm of shape (5,) is all 1" in str(found)
