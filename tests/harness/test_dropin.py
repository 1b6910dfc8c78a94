"""The drop-ins: they raise, return and take what the originals do, and catch what those let through."""

import inspect
import warnings
from functools import partial

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest
import torch

from harness import check_gradient, dropin, exact_gradient
from harness.dropin import GradientWarning, check_grads, check_jvp, check_vjp, gradcheck, gradgradcheck
from harness.dropin.decide import Answer, answer_of
from harness.dropin.kept import plain
from harness.proof.evidence import OUTSIDE, budget
from harness.proof.judge import Judgement
from harness.proof.question import Part
from harness.result import Result
from harness.verdicts import Verdict
from tests.harness.originals import GradcheckError, leaf, own_settings

RNG = np.random.default_rng(0)


def tensor(*shape, dtype=torch.float64):
    return torch.tensor(RNG.normal(size=shape), dtype=dtype, requires_grad=True)


def array(*shape, dtype="float32"):
    return jnp.asarray(RNG.normal(size=shape), dtype)


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """Settings of their own for each test."""
    return own_settings(monkeypatch, quiet=False)


def softmax_with(backward):
    class Softmax(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            y = torch.softmax(x, -1)
            ctx.save_for_backward(y)
            return y

        @staticmethod
        def backward(ctx, g):
            return backward(g, ctx.saved_tensors[0])

    return Softmax.apply


def right(g, y):
    return y * (g - (g * y).sum(-1, keepdim=True))


# -- torch ------------------------------------------------------------------------------------------------


def test_a_right_gradient_passes_and_is_proven(settings):
    assert gradcheck(softmax_with(right), (tensor(3, 4),)) is True
    (made,) = settings.made
    assert (made.checker, made.verdict, made.unproven) == ("gradcheck", Verdict.ACCURATE, "")
    assert made.where.endswith("test_a_right_gradient_passes_and_is_proven")


def test_a_zero_backward_that_passes_the_original_does_not_pass():
    x = tensor(16, 32)
    zero = softmax_with(lambda g, y: torch.zeros_like(g))
    assert torch.autograd.gradcheck(zero, (x,), fast_mode=True)
    with pytest.raises(GradcheckError, match=": wrong"):
        gradcheck(zero, (x,), fast_mode=True)
    assert gradcheck(zero, (x,), fast_mode=True, raise_exception=False) is False


class Named(torch.nn.Module):
    def __init__(self, apply):
        super().__init__()
        self.apply_it, self.weight = apply, torch.nn.Parameter(torch.ones(4, dtype=torch.float64))

    def forward(self, data):
        return self.apply_it(data) * self.weight


def test_what_is_asked_is_called_as_it_is_called(settings):
    """A baseline keeps rows by that name: two functions in one test are two."""
    zero = softmax_with(lambda g, y: torch.zeros_like(g))

    def own(data):
        return zero(data)

    functions = {"Softmax/x": zero, "own/data": own, "Named/data": Named(zero), "own/data ": partial(own)}
    for name, function in functions.items():
        with pytest.raises(GradcheckError, match=rf"\n{name.strip()} \[float64"):
            gradcheck(function, (tensor(4),))
    assert [found.subject for one in settings.made for found in one.results] == [
        name.strip().partition("/")[0] for name in functions
    ]


def test_a_cotangent_that_is_written_over_is_no_mismatch(settings):
    def writes(g, y):
        return g.sub_((g * y).sum(-1, keepdim=True)).mul_(y)

    with pytest.raises(
        GradcheckError, match=r"^Softmax/x .*: accurate, but the check fails\n  the cotangent"
    ):
        gradcheck(softmax_with(writes), (tensor(3, 4),))
    (found,) = settings.made[0].results
    assert "the cotangent was overwritten" in found.rows["diagnosis"][0]
    assert "the cotangent was overwritten" in plain(settings.made[0])["faults"]


def test_a_single_tensor_and_a_list_are_inputs_too():
    assert gradcheck(torch.sin, tensor(3))
    assert gradcheck(lambda a, b: a * b, [tensor(3), tensor(3)])


def test_only_what_requires_a_gradient_is_differentiated(settings):
    assert gradcheck(lambda a, n, b: a * b * n, (tensor(3), 2, torch.ones(3, dtype=torch.float64)))
    assert len(settings.made[0].results[0].rows) == 1


def test_a_result_that_has_no_gradient_is_left_out():
    class Both(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            square = x * x
            ctx.mark_non_differentiable(square)
            return 2 * x, square

        @staticmethod
        def backward(ctx, g, _):
            return 2 * g

    assert gradcheck(Both.apply, (tensor(3),))


def test_no_input_that_requires_a_gradient_is_an_error_as_in_the_original():
    x = torch.ones(3, dtype=torch.float64)
    with pytest.raises(ValueError, match="at least one input tensor to require gradient"):
        gradcheck(torch.sin, (x,))


def test_forward_mode_is_checked_where_it_is_asked_for(settings):
    assert gradcheck(torch.tanh, (tensor(3),), check_forward_ad=True)
    assert len(settings.made[0].results) == 2


@pytest.mark.filterwarnings("ignore:Backwards compatibility")
def test_what_the_original_checks_besides_size_is_still_checked():
    class NotOfUndefined(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return 2 * x

        @staticmethod
        def backward(ctx, g):
            if g is None:
                raise RuntimeError("what is undefined was not expected")
            return 2 * g

    f = NotOfUndefined.apply
    with pytest.raises(RuntimeError, match="handle undefined output grads"):
        gradcheck(f, (tensor(3),))
    with pytest.raises(RuntimeError, match="handle undefined output grads"):
        torch.autograd.gradcheck(f, (tensor(3),))
    assert gradcheck(f, (tensor(3),), check_undefined_grad=False)


def test_a_gradient_that_is_not_deterministic_is_still_an_error():
    def backward(g, y):
        return right(g, y) * (1 + 1e-9 * torch.rand((), dtype=torch.float64))

    with pytest.raises(GradcheckError, match="not reentrant"):
        gradcheck(softmax_with(backward), (tensor(3, 4),))


def test_an_imprecise_gradient_warns_and_raises_where_that_is_asked_for(settings):
    saturated = torch.tensor([0.5, 40.7], dtype=torch.float64, requires_grad=True)
    with pytest.warns(GradientWarning, match="imprecise") as warned:
        assert gradcheck(torch.sigmoid, (saturated,))
    assert warned[0].filename == __file__
    assert settings.made[0].verdict is Verdict.IMPRECISE
    settings.strict = True
    with pytest.raises(GradcheckError, match="imprecise"):
        gradcheck(torch.sigmoid, (saturated,))


@pytest.mark.parametrize("strict", [False, True])
def test_whose_fault_it_is_is_asked_only_where_a_test_turns_red(strict, settings, monkeypatch):
    asked = []
    monkeypatch.setattr("harness.proof.blame.blame", lambda *of: asked.append(of))
    settings.strict = strict
    saturated = torch.tensor([0.5, 40.7], dtype=torch.float64, requires_grad=True)
    with pytest.raises(GradcheckError) if strict else pytest.warns(GradientWarning):
        gradcheck(torch.sigmoid, (saturated,))
    assert bool(asked) is strict


def outside(x):
    return np.array(x.detach().tolist())


class ThroughNumbers(torch.autograd.Function):
    """A kernel that nobody can look into."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.from_numpy(np.sin(outside(x)))

    @staticmethod
    def backward(ctx, g):
        return g * torch.from_numpy(np.cos(outside(ctx.saved_tensors[0])))


def test_where_nothing_is_proven_the_original_decides_and_that_is_said(settings):
    with pytest.warns(GradientWarning, match="not proven, so the original decides: "):
        assert gradcheck(ThroughNumbers.apply, (tensor(3),))
    assert settings.made[0].unproven
    settings.fallback = "error"
    with pytest.raises(GradcheckError, match=": unsupported"):
        gradcheck(ThroughNumbers.apply, (tensor(3),))


def test_the_original_decides_with_the_tolerance_that_it_was_given(settings):
    settings.quiet = True

    class Off(ThroughNumbers):
        @staticmethod
        def backward(ctx, g):
            return 1.01 * g * torch.from_numpy(np.cos(outside(ctx.saved_tensors[0])))

    with pytest.raises(GradcheckError, match="Jacobian mismatch"):
        gradcheck(Off.apply, (tensor(3),))
    assert gradcheck(Off.apply, (tensor(3),), atol=0.1)


def test_complex_numbers_are_proven(settings):
    x = torch.tensor([1 + 2j, 0.5j], dtype=torch.complex128, requires_grad=True)
    y = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    assert gradcheck(lambda x, y: x * x.conj() + y, (x, y), check_forward_ad=True)
    assert gradcheck(lambda x, y: 2 * x, (x, y))  # of y it is 0
    assert gradcheck(torch.fft.fft, (y,))
    assert gradgradcheck(lambda x: x.exp(), (x,), check_fwd_over_rev=True)
    assert gradgradcheck(lambda x: x.exp(), (x,), (x * 2).detach().requires_grad_())
    assert [made.unproven for made in settings.made] == [""] * 5


def test_a_lone_empty_gradient_is_right_and_not_counted(settings):
    settings.fallback = "error"
    empty = torch.zeros(0, 3, dtype=torch.float64, requires_grad=True)
    assert gradcheck(torch.sin, (empty,))
    assert gradgradcheck(torch.sin, (empty,))
    check_grads(jnp.sin, (jnp.zeros((0, 3)),), order=1)
    assert not settings.made
    assert gradcheck(torch.mul, (empty, tensor(3)))
    assert [made.unproven for made in settings.made] == [""]


def test_complex_numbers_are_proven_in_jax(settings):
    z, w = jnp.array([1 + 2j, 0.5j]), jnp.array([0.3 - 1j, 2.0])
    check_grads(lambda z, w: jnp.exp(z) * w.conj(), (z, w), order=1)
    check_vjp(lambda z: z * z, lambda z: (z * z, lambda g: (2 * z * g,)), (z,))
    with pytest.raises(AssertionError):
        check_vjp(lambda z: z * z, lambda z: (z * z, lambda g: (2 * z.conj() * g,)), (z,))
    check_jvp(lambda z: z * z, lambda p, t: (p[0] * p[0], 2 * p[0] * t[0]), (z,))
    assert [made.unproven for made in settings.made] == [""] * 4


def test_tolerances_are_noted_once(settings):
    with pytest.warns(GradientWarning, match="atol: accepted and ignored; the tolerance follows "):
        gradcheck(torch.sin, (tensor(3),), atol=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradcheck(torch.sin, (tensor(3),), atol=0.5)
    assert settings.tolerances == 2


def test_second_derivatives(settings):
    x = tensor(3, 4)
    assert gradgradcheck(lambda x: torch.softmax(x, -1), (x,), check_fwd_over_rev=True)
    assert len(settings.made[0].results) == 3  # forward: in x, and in the cotangent
    assert gradgradcheck(torch.tanh, (x,), torch.ones(3, 4, dtype=torch.float64, requires_grad=True))
    detached = softmax_with(lambda g, y: right(g, y.detach()))
    assert gradcheck(detached, (x,))
    with pytest.raises(GradcheckError, match="wrong"):
        gradgradcheck(detached, (x,))


@pytest.mark.parametrize("name", ["gradcheck", "gradgradcheck"])
def test_an_unknown_option_is_the_originals_error(name):
    with pytest.raises(TypeError, match="unexpected keyword argument 'fastmode'"):
        getattr(dropin, name)(torch.sin, (tensor(3),), fastmode=True)


@pytest.mark.parametrize("name", ["gradcheck", "gradgradcheck", "check_grads", "check_vjp", "check_jvp"])
def test_the_parameters_are_the_originals_with_their_defaults(name):
    theirs = inspect.signature(dropin.originals.original(name)).parameters
    own = inspect.signature(getattr(dropin, name)).parameters
    for parameter in own.values():
        if parameter.kind is not parameter.VAR_KEYWORD:
            assert theirs[parameter.name].default == parameter.default
    if not any(p.kind is p.VAR_KEYWORD for p in own.values()):
        assert list(own) == list(theirs)


# -- JAX --------------------------------------------------------------------------------------------------


def custom(rule):
    @jax.custom_vjp
    def f(x):
        return jnp.sin(x)

    f.defvjp(lambda x: (f(x), x), lambda x, g: (rule(g, x),))
    return f


def test_right_derivatives_up_to_order_two(settings):
    assert check_grads(lambda x, y: jnp.tanh(x * y), (array(3), array(3)), order=2) is None
    (made,) = settings.made
    assert (made.checker, made.verdict, len(made.results)) == ("check_grads", Verdict.ACCURATE, 6)


def test_a_zero_rule_that_passes_the_original_does_not_pass():
    f, x = custom(lambda g, x: 0 * g), array(400)
    jax.test_util.check_grads(f, (x,), order=1, modes="rev", atol=100.0)
    with pytest.raises(AssertionError, match="wrong"):
        check_grads(f, (x,), order=1, modes="rev")


@pytest.mark.parametrize("modes", ["rev", ["rev"], ("rev",)])
def test_modes_may_be_a_name_or_several(modes, settings):
    check_grads(custom(lambda g, x: g * jnp.cos(x)), (array(3),), 2, modes)
    assert len(settings.made[0].results) == 2  # one for each order


def test_a_rule_that_is_wrong_at_second_order_is_found():
    f = custom(lambda g, x: g * jax.lax.stop_gradient(jnp.cos(x)))
    check_grads(f, (array(3),), 1, modes="rev")
    with pytest.raises(AssertionError, match="wrong"):
        check_grads(f, (array(3),), 2, modes="rev")


def test_a_pullback_and_a_pushforward_of_the_users_own():
    x = array(3)
    check_vjp(jnp.sin, lambda x: (jnp.sin(x), lambda g: (g * jnp.cos(x),)), (x,))
    check_jvp(jnp.sin, lambda p, t: (jnp.sin(*p), t[0] * jnp.cos(*p)), (x,))
    with pytest.raises(AssertionError, match="wrong"):
        check_vjp(jnp.sin, lambda x: (jnp.sin(x), lambda g: (1.001 * g * jnp.cos(x),)), (x,))
    with pytest.raises(AssertionError, match="wrong"):
        check_jvp(jnp.sin, lambda p, t: (jnp.sin(*p), 1.001 * t[0] * jnp.cos(*p)), (x,))


def test_trees_are_arguments():
    check_grads(lambda p: p["a"] * jnp.exp(p["b"][0]), ({"a": array(3), "b": [array(3)]},), 1)


def test_dtypes_that_do_not_match_are_still_an_error():
    with pytest.raises(AssertionError):
        check_jvp(jnp.sin, lambda p, t: (jnp.sin(*p), (t[0] * jnp.cos(*p)).astype("float16")), (array(3),))


def test_lin_and_high_orders_are_the_originals(settings):
    check_grads(jnp.sin, (array(3),), 1, modes=["lin"])
    check_grads(lambda x: 2 * x, (array(3),), 4, atol=1.0)
    assert settings.made == []


def test_jax_that_cannot_be_proven_is_left_to_the_original(settings):
    def opaque(x):
        return jax.pure_callback(lambda x: jnp.sin(x) + 0, jax.ShapeDtypeStruct(x.shape, x.dtype), x)

    f = jax.custom_vjp(opaque)
    f.defvjp(lambda x: (opaque(x), x), lambda x, g: (g * jnp.cos(x),))
    with pytest.warns(GradientWarning, match="not proven"):
        check_grads(f, (array(3),), 1, modes="rev")
    assert settings.made[0].unproven


def test_a_vjp_whose_value_is_another_functions_raises_as_the_original_does():
    def cubed(x):
        return x**3, lambda g: (2 * x * g,)

    x = (jnp.array([1.5, 2.0]),)
    check_vjp(lambda x: x * x, lambda x: (x * x, lambda g: (2 * x * g,)), x)
    with pytest.raises(AssertionError, match=r"another function: 3\.375"):
        check_vjp(lambda x: x * x, cubed, x)


# -- what the originals do with little -----------------------------------------------------------------------


class Deaf(torch.autograd.Function):
    """Its second gradient is None, though the function depends on the second argument."""

    @staticmethod
    def forward(ctx, x, y):
        ctx.save_for_backward(y)
        return x * y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0], None


def test_an_input_that_is_not_used_has_the_gradient_zero_as_in_the_original(settings):
    assert gradcheck(lambda x, y: x * x, (leaf(1.0, 2.0), leaf(3.0, 4.0)))
    assert gradcheck(lambda x, y: (x * x, y.detach()), (leaf(1.0, 2.0), leaf(3.0, 4.0)))
    assert gradgradcheck(lambda x, y: x**3, (leaf(1.0, 2.0), leaf(3.0, 4.0)))
    assert {one.verdict for one in settings.made} == {Verdict.ACCURATE}
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to input 1"):
        gradcheck(Deaf.apply, (leaf(1.0, 2.0), leaf(3.0, 4.0)))


def test_a_lone_result_without_a_gradient_is_left_to_the_original():
    assert gradcheck(lambda x: (x > 0.5).double(), (leaf(1.0, 2.0),))
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: x.detach() * 2, (leaf(1.0, 2.0),))


def result_of(reason=OUTSIDE, bits_lost=3.0, examined=True, faults=()):
    judgement = Judgement(Verdict.MISCOMPUTED, bits_lost=bits_lost, reason=reason)
    part = Part("given", "x", Verdict.MISCOMPUTED, judgement, "off", "float64", (2,), examined=examined)
    return Result((part,), faults, allowed=budget)


@pytest.mark.parametrize(
    ("result", "answer"),
    [
        (result_of(), Answer.WARN),
        (result_of(bits_lost=27), Answer.FAIL),
        (result_of("not finite, where the truth is", 53), Answer.FAIL),
        (result_of("a legal slope at a kink", 0), Answer.FAIL),  # legal alone, and not along a direction
        (result_of(faults=("x was overwritten",)), Answer.FAIL),
        (result_of(examined=False), Answer.UNPROVEN),
    ],
)
def test_what_is_miscomputed_within_the_budget_warns_and_nothing_else_does(result, answer):
    assert answer_of(result) is answer


def root_by_newton(steps, factor=1.0):
    """The square root by so many steps of Newton's, with its implicit gradient."""

    def solve(f, y):
        for _ in range(steps):
            y = y - f(y) / jax.grad(f)(y)
        return y

    def root(x):
        return jax.lax.custom_root(lambda y: y * y - x, 1.0, solve, lambda g, y: factor * y / g(1.0))

    return root


def test_an_implicit_gradient_near_that_of_few_steps_is_left_to_the_original(settings):
    with jax.enable_x64(True):
        with pytest.warns(GradientWarning, match="not proven, so the original decides: the formula gives"):
            check_grads(root_by_newton(5), (5.0,), 1, modes="rev")
        assert (settings.made[-1].verdict, bool(settings.made[-1].unproven)) == (Verdict.WRONG, True)
        check_grads(root_by_newton(8), (5.0,), 1, modes="rev")
        assert settings.made[-1].verdict is Verdict.ACCURATE
        with pytest.raises(AssertionError):
            check_grads(root_by_newton(8, 1.5), (5.0,), 1, modes="rev")


def kepler(steps):
    """Two sines on a line, in a loop of few steps: it approximates what the rule is of."""

    @jax.custom_vjp
    def anomaly(m):
        e = m
        for _ in range(steps):
            e = e - (e - 0.3 * jnp.sin(e) - m) / (1 - 0.3 * jnp.cos(e)) + 0.0 * jnp.sin(e) * jnp.sin(m)
        return e

    def backward(e, g):
        return (g / (1 - 0.3 * jnp.cos(e)),)

    anomaly.defvjp(lambda m: (anomaly(m),) * 2, backward)
    return anomaly


def test_few_steps_of_a_long_line_are_a_loop(settings):
    settings.quiet = True
    with jax.enable_x64(True):
        check_grads(kepler(3), (0.7,), 1, modes="rev", atol=1e-2, rtol=1e-2)
    assert (settings.made[-1].verdict, bool(settings.made[-1].unproven)) == (Verdict.WRONG, True)


def test_so_is_its_second_derivative():
    with jax.enable_x64(True):
        found = check_gradient(root_by_newton(5), (5.0,), mode=("forward", "forward"), framework="jax")
    assert (found.verdict, found.is_near) == (Verdict.WRONG, True)


def test_a_second_derivative_that_leaves_the_symmetric_operators_that_are_promised_is_undecided():
    def f(matrix):
        def solve(matvec, b):  # for this point
            return b / 2

        return jax.lax.custom_linear_solve(lambda x: matrix @ x, jnp.ones(2), solve, solve, symmetric=True)

    found = check_gradient(f, (2 * jnp.eye(2),), mode=("reverse", "forward"))
    assert found.verdict is Verdict.UNDECIDED
    assert "custom_linear_solve(symmetric=True) (at test_dropin.py:" in found.diagnosis
    assert "relies on a symmetric operator" in found.diagnosis


class Solving(torch.autograd.Function):
    """x / 2, whose gradient halves what is left until that is small."""

    @staticmethod
    def forward(ctx, x):
        return x / 2

    @staticmethod
    def backward(ctx, g):
        solved = torch.zeros_like(g)
        while (left := g - 2 * solved).abs().max() > 1e-12:
            solved = solved + left / 4
        return solved


def test_a_gradient_by_a_solver_is_left_to_the_original(settings):
    settings.quiet = True
    assert gradcheck(Solving.apply, (leaf(1.0, 2.0),))
    assert (settings.made[-1].verdict, bool(settings.made[-1].unproven)) == (Verdict.WRONG, True)


class Shared(torch.autograd.Function):
    """What is left of each number above a threshold that fifty halvings find, so that nothing is left."""

    @staticmethod
    def forward(ctx, x):
        low, width = x.min(), x.max() - x.min()
        for _ in range(50):
            width = width / 2
            low = torch.where((x - low - width).clamp(0, 1).sum() >= 0, low + width, low)
        return (x - low).clamp(0, 1)

    @staticmethod
    def backward(ctx, g):
        return torch.zeros_like(g)


def test_what_a_bisection_leaves_of_a_slope_of_0_is_left_to_the_original(settings):
    settings.quiet = True
    assert gradcheck(Shared.apply, (leaf(0.3, -0.9, 0.8, 0.5),))
    assert (settings.made[-1].verdict, bool(settings.made[-1].unproven)) == (Verdict.WRONG, True)


def test_cotangents_are_not_scaled_since_a_solver_that_ends_at_an_absolute_tolerance_may_not_end(capsys):
    def f(x):
        y = x / 2
        y.register_hook(lambda g: print(0 if g is None else g.abs().max().numpy()))
        return y

    assert gradcheck(f, (leaf(1.0, 2.0),))
    assert max(float(line) for line in capsys.readouterr().out.splitlines()) < 100


def test_a_rule_that_is_off_by_little_and_iterates_nothing_still_fails():
    f = custom(lambda g, x: 1.0005 * g * jnp.cos(x))
    with pytest.raises(AssertionError, match="wrong"):
        check_grads(f, (array(3),), 1, modes="rev")


# -- the originals' words ------------------------------------------------------------------------------------


def test_messages_begin_as_the_originals_do():
    with pytest.raises(GradcheckError, match=r"^Jacobian mismatch for output 0 with respect to input 1,"):
        gradcheck(Deaf.apply, (leaf(1.0, 2.0), leaf(3.0, 4.0)))
    x = array(3)
    with pytest.raises(AssertionError, match=r"^VJP cotangent projection\n"):
        check_vjp(jnp.sin, lambda x: (jnp.sin(x), lambda g: (1.001 * g * jnp.cos(x),)), (x,))
    with pytest.raises(AssertionError, match=r"^JVP tangent\n"):
        check_jvp(jnp.sin, lambda p, t: (jnp.sin(*p), 1.001 * t[0] * jnp.cos(*p)), (x,))
    with pytest.raises(AssertionError, match=r"^VJP primal\n"):
        check_vjp(lambda x: x * x, lambda x: (x * x * (1 + 1e-5), lambda g: (2 * x * g,)), (x,))


def hooked(function, add=1e-2):
    """A function whose backward adds a number, and so is not multiplied by the cotangent."""

    def f(x):
        y = function(x)
        y.register_hook(lambda g: g + add)
        return y

    return f


class TooLarge(torch.autograd.Function):
    """Its backward is twice too large, and fails where a gradient is undefined."""

    @staticmethod
    def forward(ctx, x):
        ctx.set_materialize_grads(False)
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return 2 * g


@pytest.mark.filterwarnings("ignore:Backwards compatibility")
@pytest.mark.parametrize(
    ("f", "x", "options", "words"),
    [
        (hooked(torch.clone), (1.0,), {"atol": 0.1}, "backward not multiplied by grad_output"),
        (hooked(torch.clone), (1.0,), {}, "Jacobian mismatch for output 0 with respect to input 0"),
        (hooked(torch.clone), (1 + 1j,), {}, "imaginary part of complex outputs only, Jacobian mismatch"),
        (hooked(torch.sin, 1e-9), (1.0,), {}, "backward not multiplied by grad_output"),
        (TooLarge.apply, (1.0,), {}, "Jacobian mismatch for output 0 with respect to input 0"),
    ],
)
def test_the_first_error_is_the_originals(f, x, options, words, settings):
    settings.quiet = True
    x = torch.tensor(x, dtype=torch.complex128 if isinstance(x[0], complex) else torch.float64)
    for checker in (gradcheck, torch.autograd.gradcheck):
        with pytest.raises(GradcheckError, match=words):
            checker(f, (x.requires_grad_(),), **options)
        assert not checker(f, (x,), raise_exception=False, **options)


def forward_too_large(x, y):
    """Forward mode alone gives another derivative by y."""
    if torch.autograd.forward_ad._current_level >= 0:
        primal, tangent = torch.autograd.forward_ad.unpack_dual(y)
        y = torch.autograd.forward_ad.make_dual(primal, 1.1 * tangent)
    return x + y


def test_a_mismatch_has_the_words_of_the_original_and_then_ours():
    words = (
        r"forward mode mismatch for output 0 with respect to input 1,(?s:.*)\nanalytical(?s:.*)\n.*: wrong\n"
    )
    with pytest.raises(GradcheckError, match=words):
        gradcheck(forward_too_large, (leaf(1.0, 2.0), leaf(3.0, 4.0)), check_forward_ad=True)
    x = array(3)
    words = r"Not equal to tolerance(?s:.*)of a square cotangent projection(?s:.*): wrong\n"
    with pytest.raises(AssertionError, match=words):
        check_vjp(jnp.square, lambda x: (x * x, lambda g: (3 * x * g,)), (x,), err_msg="of a square")


def test_a_mismatch_at_first_order_comes_before_an_error_at_second_order():
    """A pullback that cannot be differentiated, and is wrong."""
    f = jax.custom_vjp(jnp.sin)
    kernel = jax.ShapeDtypeStruct((3,), "float32")
    f.defvjp(lambda x: (jnp.sin(x), x), lambda x, g: (2 * jax.pure_callback(np.cos, kernel, x) * g,))
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        check_grads(f, (array(3),), order=2, modes=["rev"])


class Forward(torch.autograd.Function):
    """Its forward derivative is twice too large."""

    @staticmethod
    def forward(x):
        return x.sin()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0].cos()

    @staticmethod
    def jvp(ctx, t):
        return 2 * t * ctx.saved_tensors[0].cos()


def test_a_wrong_forward_derivative_is_named_as_such():
    with pytest.raises(GradcheckError, match=r"^Jacobian computed with forward mode mismatch for output 0"):
        gradcheck(Forward.apply, (leaf(1.0, 2.0),), check_forward_ad=True)


def test_what_is_strictly_refused_is_named_by_its_own_mode_and_not_the_last(settings):
    settings.strict = True
    with pytest.raises(GradcheckError, match=r"^Jacobian mismatch for output 0 with respect to input 0,"):
        gradcheck(torch.sigmoid, (leaf(0.5, 40.7),), check_forward_ad=True)


class Squares(torch.nn.Module):
    """Knows its weight as a parameter, if it is one."""

    def __init__(self, weight):
        super().__init__()
        self.weight = weight


def test_a_parameter_that_is_given_is_one_in_the_function():
    """As it is for the original: else a module that is made inside does not know it, and its slope is 0."""

    def function(weight, x):
        return sum((p * p * x).sum() for p in Squares(weight).parameters()) + 0 * x.sum()

    weight = torch.nn.Parameter(torch.tensor([0.5, -2.0], dtype=torch.float64))
    x = torch.tensor([1.0, 3.0], dtype=torch.float64, requires_grad=True)
    found = check_gradient(function, (weight, x))
    assert found.verdict is Verdict.ACCURATE, str(found)
    truth, _ = exact_gradient(function, (weight, x), cotangent=torch.tensor(1.0, dtype=torch.float64))
    assert truth.mid.tolist() == [1.0, -12.0]
    assert gradcheck(function, (weight, x))
