"""What the originals reject: the drop-ins let it pass only where it is proven right."""

import jax
import jax.numpy as jnp
import jax.test_util
import pytest
import torch

from harness.dropin import GradientWarning, check_grads, check_jvp, check_vjp, gradcheck, gradgradcheck
from harness.dropin.originals import original
from harness.verdicts import Verdict
from tests.harness.originals import USUAL, GradcheckError, leaf, own_settings

pytestmark = USUAL


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """Settings of their own for each test."""
    return own_settings(monkeypatch)


def function(forward, backward, **others):
    others = {name: staticmethod(of) for name, of in others.items()}
    made = {"forward": staticmethod(forward), "backward": staticmethod(backward), **others}
    return type("Made", (torch.autograd.Function,), made).apply


def saving(forward):
    def saved(ctx, x):
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(x)
        return forward(x)

    return saved


two, square, cube = (saving(f) for f in (lambda x: (x * x, x.sin()), lambda x: x * x, lambda x: x**3))


def of(ctx):
    return ctx.saved_tensors[0]


def both_raise(checker, f, inputs, error=GradcheckError, **options):
    for one in (original(checker.__name__), checker):
        with pytest.raises(error):
            one(f, inputs, **options)


# -- one output at a time ---------------------------------------------------------------------------------


def doubled(ctx, g, h):
    x = of(ctx)
    return 4 * g * x if h is None else 2 * h * x.cos() if g is None else 2 * g * x + h * x.cos()


def nothing(ctx, g, h):
    return None if g is None or h is None else 2 * g * of(ctx) + h * of(ctx).cos()


def calculating(ctx, g, h):
    return 2 * g * of(ctx) + h * of(ctx).cos()


ALONE = {
    "doubled": (doubled, GradcheckError),
    "nothing": (nothing, GradcheckError),
    "raises": (calculating, TypeError),
}


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("name", ALONE)
def test_a_backward_that_is_wrong_where_one_output_alone_has_a_gradient(name, fast_mode):
    backward, error = ALONE[name]
    both_raise(gradcheck, function(two, backward), (leaf(0.5, 1.2),), error, fast_mode=fast_mode)


def test_the_error_has_the_words_of_the_original_and_then_those_of_the_probe():
    words = r"^Jacobian mismatch for output 0(?s:.*)one-output\]: wrong\n"
    with pytest.raises(GradcheckError, match=words):
        gradcheck(function(two, doubled), (leaf(0.5, 1.2),))


def test_so_it_is_of_more_outputs_than_probes_try():
    def many(ctx, x):
        ctx.set_materialize_grads(False)
        return tuple(k * x for k in range(1, 11))

    def backward(ctx, *given):
        terms = [k * g for k, g in enumerate(given, 1) if g is not None]
        return sum(terms) * (2 if len(terms) == 1 else 1) if terms else None

    both_raise(gradcheck, function(many, backward), (leaf(0.5, 1.2),))


def test_what_a_probe_alone_finds_still_warns(settings):
    settings.quiet = False

    def backward(ctx, g):
        return None if g is None else 2 * g * of(ctx) * (1 if g.is_contiguous() else 1 + 1e-7)

    with pytest.warns(GradientWarning, match="along a(n expanded)? cotangent"):
        assert gradcheck(function(square, backward), (leaf(0.5, 1.2, 2.0),))


# -- one element at a time --------------------------------------------------------------------------------

DEPENDS = {
    "a single element": lambda g: (g != 0).sum() == 1,  # no probe has one of six
    "no negative one": lambda g: (g >= 0).all(),
    "the first": lambda g: g[0] > 0,
}


@pytest.mark.parametrize("name", DEPENDS)
def test_a_backward_that_is_wrong_along_some_cotangents(name, settings):
    f = function(
        square, lambda ctx, g: None if g is None else 2 * g * of(ctx) * (2 if DEPENDS[name](g) else 1)
    )
    both_raise(gradcheck, f, (leaf(0.5, 1.2, 2.0, -0.3, 0.7, -1.1),))
    found = settings.made[-1]
    assert found.verdict is Verdict.WRONG or "not the sum of those along its pieces" in found.unproven
    assert bool(found.unproven) is (name == "a single element")


def test_a_backward_that_raises_along_a_single_element():
    def backward(ctx, g):
        if g is not None and (g != 0).sum() == 1:
            raise ValueError("not of one element")
        return 2 * of(ctx) * (0 if g is None else g)

    both_raise(gradcheck, function(square, backward), (leaf(0.5, 1.2),), ValueError)


def test_a_forward_derivative_that_is_wrong_along_a_single_element():
    def jvp(ctx, t):
        return t * of(ctx).cos() * (2 if (t != 0).sum() == 1 else 1)

    def keep(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    f = function(lambda x: x.sin(), lambda ctx, g: g * of(ctx).cos(), setup_context=keep, jvp=jvp)
    both_raise(gradcheck, f, (leaf(0.5, 1.2),), check_forward_ad=True)


# -- imprecise --------------------------------------------------------------------------------------------


def lossy(ctx, g):
    return None if g is None else 2 * g * ((of(ctx) + 1e14) - 1e14)


def test_an_imprecise_gradient_that_the_original_rejects_fails():
    words = r"^Jacobian mismatch for output 0(?s:.*): imprecise\n"
    with pytest.raises(GradcheckError, match=words):
        gradcheck(function(square, lossy), (leaf(0.3, 1.17),))
    f = jax.custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (x * x, x), lambda x, g: (2 * g * ((x + 1e7) - 1e7),))
    with pytest.raises(AssertionError, match=r"Not equal to tolerance(?s:.*): imprecise\n"):
        check_grads(f, (jnp.array([0.3, 0.17]),), 1, modes="rev")


# -- right all the same -----------------------------------------------------------------------------------

HALF = torch.float32
RIGHT = {
    "a kink": (torch.relu, (leaf(0.0, 1.0),), {}),
    "few digits": (lambda x, y: (x * y, x.softmax(0)), (leaf(0.3, 1, dtype=HALF), leaf(2.0, dtype=HALF)), {}),
    "forward": (lambda x: x.tanh() * x.exp(), (leaf(0.3, 1.0, dtype=HALF),), {"check_forward_ad": True}),
    "large numbers": (lambda x: x**3, (leaf(1e7, 2e8),), {}),
    "complex": (lambda z: z * z.conj() * z, (leaf(1 + 2j, 0.5j, dtype=torch.complex64),), {}),
}  # fmt: skip


@pytest.mark.parametrize("fast_mode", [False, True])
@pytest.mark.parametrize("name", RIGHT)
def test_a_gradient_that_is_proven_right_passes_where_differences_are_too_coarse(name, fast_mode, settings):
    f, inputs, options = RIGHT[name]
    with pytest.raises(GradcheckError):
        original("gradcheck")(f, inputs, fast_mode=fast_mode, **options)
    assert gradcheck(f, inputs, fast_mode=fast_mode, **options)
    assert settings.made[-1].unproven == ""


def test_what_is_cast_on_the_way_need_not_add_up_in_the_wider_format(settings):
    assert gradgradcheck(lambda x: (x.float() ** 2).double() * x, (leaf(0.5, 1.7, -0.3),))
    assert settings.made[-1].unproven == ""


def test_so_does_a_second_one(settings):
    inputs = (leaf(0.5, 1.0, dtype=HALF), leaf(2.0, 3.0, dtype=HALF))

    def f(x, y):
        return x * y, y.sin()

    both = {"check_fwd_over_rev": True}
    with pytest.raises(GradcheckError):
        original("gradgradcheck")(f, inputs, **both)
    assert gradgradcheck(f, inputs, **both)
    assert settings.made[-1].unproven == ""


def test_in_jax_a_tolerance_below_what_differences_resolve_rejects_nothing(settings):
    x, none = jnp.array([1.2345, 0.777]), {"atol": 1e-12, "rtol": 1e-12}
    check_vjp(jnp.square, lambda x: (x * x, lambda g: (2 * x * g,)), (x,), **none)
    check_jvp(jnp.square, lambda p, t: (p[0] * p[0], 2 * p[0] * t[0]), (x,), **none)
    check_grads(lambda x: jax.nn.silu(x) * x, (x,), 2, **none)
    check_grads(lambda z: jnp.exp(z) * z, (jnp.array([1 + 2j, 0.5j]),), 1, **none)
    assert [(one.verdict, one.unproven) for one in settings.made] == [(Verdict.ACCURATE, "")] * 4


# -- JAX's directions -------------------------------------------------------------------------------------


def rule(backward, forward=jnp.square):
    f = jax.custom_vjp(forward)
    f.defvjp(lambda x: (forward(x), x), backward)
    return f


def test_a_rule_that_is_wrong_along_the_direction_of_the_original_alone():
    limited = rule(lambda x, g: (2 * jnp.clip(g, -2.1, 2.1) * x,))  # ours are at most 2
    x = (jnp.linspace(0.5, 2, 100),)
    for check in (original("check_grads"), check_grads):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            check(limited, x, 1, modes="rev")
    of_one = rule(lambda x, g: (jnp.where(g[0] > 0, 4.0, 2.0) * g * x,))
    for check in (original("check_grads"), check_grads):
        with pytest.raises(AssertionError, match="Not equal to tolerance"):
            check(of_one, (jnp.array([0.5, 1.2]),), 1, modes="rev")


def test_a_value_that_the_original_rejects_is_its_own_business(settings):
    def rounded(x):
        return jax.lax.reduce_precision(x * x, 8, 7), lambda g: (2 * x * g,)

    x = (jnp.array([1.2345, 0.777]),)
    check_vjp(jnp.square, rounded, x)
    with pytest.raises(AssertionError, match=r"(?m)primal$"):
        check_vjp(jnp.square, rounded, x, atol=1e-4, rtol=1e-4)
    assert "rejects the value" in settings.made[-1].unproven


# -- how a gradient depends on its cotangent --------------------------------------------------------------


def twice(factor):
    """The cube, whose gradient is a Function of its own; its slope in the cotangent is times a factor."""

    def backward(ctx, u):
        g, x = ctx.saved_tensors
        return None if factor is None else 3 * factor * u * x**2, 6 * u * g * x

    def gradient(ctx, g, x):
        ctx.save_for_backward(g, x)
        return 3 * g * x**2

    inner = function(gradient, backward)
    return function(saving(lambda x: x**3), lambda ctx, g: inner(g, of(ctx)))


WRONG = {
    "detached": function(saving(lambda x: x**3), lambda ctx, g: 3 * g.detach() * of(ctx) ** 2),
    "linear": function(saving(lambda x: 3 * x), lambda ctx, g: 3 * g.detach()),
    "none": twice(None),
    "a factor": twice(1.01),
    "a sign": twice(-1.0),
}  # fmt: skip
OF_TWICE = {"check_undefined_grad": False}


@pytest.mark.parametrize("given", [None, leaf(0.7, -1.3)])
@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_second_derivative_in_the_cotangent(name, given):
    both_raise(gradgradcheck, WRONG[name], (leaf(0.5, 2.0),), grad_outputs=given, **OF_TWICE)


def test_one_below_the_tolerance_is_named_with_the_input_that_the_cotangent_is():
    words = r"^Jacobian mismatch for output 0 with respect to input 1,\n(?s:.*): wrong\n"
    assert original("gradgradcheck")(twice(1 + 1e-9), (leaf(0.5, 2.0),), **OF_TWICE)
    with pytest.raises(GradcheckError, match=words):
        gradgradcheck(twice(1 + 1e-9), (leaf(0.5, 2.0),), **OF_TWICE)


def test_one_of_complex_numbers_and_one_in_forward_mode():
    z = leaf(1 + 2j, 0.5j, dtype=torch.complex128)
    f = function(square, lambda ctx, g: g.detach() * 2 * of(ctx).conj())
    both_raise(gradgradcheck, f, (z,), **OF_TWICE)

    def forward_detached(x):
        y = x**3
        y.register_hook(lambda g: torch.autograd.forward_ad.unpack_dual(g).primal.clone())
        return y

    options = {"check_fwd_over_rev": True, "check_rev_over_rev": False, "check_undefined_grad": False}
    both_raise(gradgradcheck, forward_detached, (leaf(0.5, 2.0),), **options)


def test_right_ones_pass_and_are_proven(settings):
    def f(x, y):
        return x * y, (x @ y).reshape(1), y.sin()

    both = {"check_fwd_over_rev": True}
    assert gradgradcheck(f, (leaf(0.5, 1.0), leaf(2.0, 3.0)), **both)
    assert gradgradcheck(twice(1.0), (leaf(0.5, 2.0),), leaf(0.7, -1.3), **OF_TWICE)
    assert gradgradcheck(twice(1.0), (leaf(0.5, 2.0),), leaf(0.7, -1.3).detach(), **OF_TWICE)
    assert gradgradcheck(lambda x: 3 * x, (leaf(0.5, 2.0),), **both)
    assert [one.unproven for one in settings.made] == [""] * 4


def test_a_cotangent_that_requires_no_gradient_is_not_differentiated(settings):
    assert gradgradcheck(WRONG["detached"], (leaf(0.5, 2.0),), leaf(0.7, -1.3).detach(), **OF_TWICE)
    assert [len(one.rows) for one in settings.made[-1].results] == [1]


@pytest.mark.parametrize("make", [leaf, lambda *given: leaf(*given, dtype=torch.complex128)])
def test_a_wrong_first_derivative_informs_where_its_own_slope_in_the_cotangent_is_right(make, settings):
    settings.quiet = False
    reversed_ = function(lambda ctx, x: x.clone(), lambda ctx, g: -g)
    with pytest.warns(GradientWarning, match="the first derivative is another function's: "):
        assert gradgradcheck(reversed_, (make(0.5, 2.0),))


def of_tangent(tangent):
    f = jax.custom_jvp(jnp.sin)
    f.defjvp(lambda primals, tangents: (jnp.sin(*primals), tangent(*tangents) * jnp.cos(*primals)))
    return f


def cosine(cotangent):
    return rule(lambda x, g: (cotangent(g) * jnp.cos(x),), jnp.sin)


STOP = jax.lax.stop_gradient
IN_JAX = {
    "cotangent": (cosine(STOP), "rev", 2),
    "of a linear one": (rule(lambda x, g: (3 * STOP(g),), lambda x: 3 * x), "rev", 2),
    "at order 3": (cosine(STOP), "rev", 3),
    "tangent": (of_tangent(STOP), "fwd", 2),
    "tangent, by a factor": (of_tangent(lambda t: 1.5 * t - 0.5 * STOP(t)), "fwd", 2),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_JAX)
def test_a_rule_in_jax_whose_slope_in_its_direction_is_wrong(name):
    f, modes, order = IN_JAX[name]
    x = (jnp.array([0.5, 1.2]),)
    for check in (original("check_grads"), check_grads):
        with pytest.raises(AssertionError):
            check(f, x, order, modes=[modes])


def test_right_rules_in_jax_pass_at_order_two(settings):
    x, minus = jnp.array([0.5, -1.2, -0.0]), jnp.array([1.0, -2.0])
    check_grads(cosine(lambda g: g), (x,), 2, modes="rev")
    check_grads(of_tangent(lambda t: t), (x,), 2)
    check_grads(lambda p: {"a": jax.nn.silu(p["x"]) * p["y"]}, ({"x": minus, "y": minus},), 2)
    assert [(one.verdict, one.unproven) for one in settings.made] == [(Verdict.ACCURATE, "")] * 3


def test_functions_of_jax_without_rules_of_their_own_are_asked_once(settings):
    check_grads(jnp.tanh, (jnp.array([0.5]),), 2, modes="rev")
    check_grads(jax.nn.silu, (jnp.array([0.5]),), 2, modes="rev")
    assert [len(one.results) for one in settings.made] == [2, 2]
