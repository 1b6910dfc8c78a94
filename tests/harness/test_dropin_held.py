"""What a function holds constant: the original's rejection stands where the function moves with it."""

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest
import torch

from harness import dropin
from harness.dropin import check_grads, check_jvp, check_vjp, gradcheck, gradgradcheck
from harness.dropin.decide import AS_DIFFERENCES
from harness.dropin.originals import original
from harness.dropin.proofs import probes_of
from harness.proof.question import Probe
from harness.subject.derivative import FORWARD, REVERSE
from oracles.exact.program.errors import Undecided
from tests.harness.originals import USUAL, GradcheckError, leaf, own_settings

SAID = "it is right as written, but the function moves with what is held constant"
STOP = jax.lax.stop_gradient
X = jnp.array([0.5, 1.0, 2.0])
TIGHT = {"atol": 1e-6, "rtol": 1e-6}  # what differences do not resolve, and the values keep
pytestmark = USUAL


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """Settings of their own for each test."""
    return own_settings(monkeypatch)


def summed(x):
    with torch.no_grad():
        total = x.sum()
    return x / total


def written(x):
    y = x.clone()
    with torch.no_grad():
        y.mul_(x)
    return y


def bent(x):
    off = x - x.detach()
    return x - off * off / 2  # x, with the slope 1; and the slope's slope as written is -1


def bent_in_jax(x):
    off = x - STOP(x)
    return x - off * off / 2


def softmax(x):
    moved = (x - x.max(-1, keepdim=True).values.detach()).exp()
    return moved / moved.sum(-1, keepdim=True)


def softmax_in_jax(x):
    moved = jnp.exp(x - STOP(x.max()))
    return moved / moved.sum()


def rejects(run, error, words=SAID):
    """That the original rejects it, and the drop-in with its words and these."""
    with pytest.raises(error) as theirs:
        run(True)
    with pytest.raises(error) as ours:
        run(False)
    assert str(ours.value).startswith(str(theirs.value)[:30])
    assert words in str(ours.value)


MOVES = {
    "detach": lambda x: torch.tanh(x) * x.detach(),
    "no_grad": summed,
    "data": lambda x: x * x.data,
    "written in place": written,
    "another leaf": lambda x: x * x.detach().clone().requires_grad_(),
    "numpy": lambda x: x * torch.from_numpy(np.tanh(x.detach().numpy())),
    "straight through": lambda x: x + (x.round() - x).detach(),
    "at a kink": lambda x: torch.relu(x - 0.5) * x.detach(),
    "a kink that it hides": lambda x: torch.relu(x - 0.5) - torch.relu(0.5 - x).detach(),
    "a little": lambda x: torch.tanh(x) + 0.01 * x * x.detach(),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", MOVES)
def test_a_gradient_that_holds_constant_what_moves_stays_rejected(name, dtype):
    x = leaf(0.5, 1.2, 2.0, dtype=dtype)
    rejects(lambda own: (original("gradcheck") if own else gradcheck)(MOVES[name], (x,)), GradcheckError)


def test_so_does_one_with_fast_mode_in_forward_mode_of_complex_numbers_or_of_one_input():
    z, x, y = leaf(1 + 2j, 0.5j, dtype=torch.complex128), leaf(0.5, 1.2), leaf(2.0, -1.0)
    forward = {"check_forward_ad": True, "check_backward_ad": False}
    for f, inputs, options in (
        (MOVES["detach"], (x,), {"fast_mode": True}),
        (MOVES["detach"], (x,), forward),
        (lambda z: z * z.detach(), (z,), {}),
        (lambda x, y: x * y.detach() + y, (x, y), {}),
    ):
        rejects(
            lambda own, f=f, inputs=inputs, options=options: (original("gradcheck") if own else gradcheck)(
                f, inputs, **options
            ),
            GradcheckError,
        )
    assert not gradcheck(summed, (x,), raise_exception=False)
    assert gradcheck(summed, (x,), **forward)  # which sees what no_grad hides


@pytest.mark.parametrize("f", [MOVES["detach"], lambda x: x * x.detach(), bent])
def test_a_second_derivative_that_does_stays_rejected_too(f):
    x = leaf(0.5, 1.2)
    rejects(lambda own: (original("gradgradcheck") if own else gradgradcheck)(f, (x,)), GradcheckError)
    options = {"check_fwd_over_rev": True, "check_rev_over_rev": False, "check_undefined_grad": False}
    rejects(
        lambda own: (original("gradgradcheck") if own else gradgradcheck)(f, (x,), **options), GradcheckError
    )


def test_the_line_that_matters_is_named():
    def two(x):
        kept = softmax(x)
        return kept * x.detach()

    where = two.__code__.co_firstlineno + 2
    with pytest.raises(GradcheckError, match=rf" by mul at test_dropin_held.py:{where}: at x\[0\] "):
        gradcheck(two, (leaf(0.5, 1.2),))


def test_at_a_kink_the_slope_is_told_that_was_chosen():
    with pytest.raises(GradcheckError, match=r"at x\[0\] it is 0, and the slope .* see -?\d"):
        gradcheck(MOVES["a kink that it hides"], (leaf(0.5, 1.2),))


IN_JAX = {
    "reverse": (lambda x: jnp.tanh(x) * STOP(x), 1, "rev"),
    "forward": (lambda x: jnp.tanh(x) * STOP(x), 1, "fwd"),
    "jit": (jax.jit(lambda x: jnp.tanh(x) * STOP(x)), 2, ("fwd", "rev")),
    "straight through": (lambda x: x + STOP(jnp.round(x) - x), 1, "rev"),
    "a loop": (lambda x: jax.lax.scan(lambda c, _: (c * STOP(c), None), x, None, length=2)[0], 1, "rev"),
    "the second": (bent_in_jax, 2, "rev"),
    "the second, forward": (bent_in_jax, 2, "fwd"),
}  # fmt: skip


@pytest.mark.parametrize("name", IN_JAX)
def test_jax(name):
    f, order, modes = IN_JAX[name]
    rejects(
        lambda own: (original("check_grads") if own else check_grads)(f, (X,), order, modes), AssertionError
    )


def test_rules_that_are_passed_to_jaxs_checkers():
    def f(x):
        return x * STOP(x)

    def pull(x):
        return x * x, lambda g: (g * x,)

    def push(x, t):
        return x[0] ** 2, x[0] * t[0]

    rejects(lambda own: (original("check_vjp") if own else check_vjp)(f, pull, (X,)), AssertionError)
    rejects(lambda own: (original("check_jvp") if own else check_jvp)(f, push, (X,)), AssertionError)


# -- what cancels -----------------------------------------------------------------------------------------


class Running(torch.nn.Module):
    """Keeps a mean, as a batch norm does."""

    def __init__(self, dtype):
        super().__init__()
        self.register_buffer("mean", torch.zeros(2, dtype=dtype))

    def forward(self, x):
        own = x.mean(0)
        with torch.no_grad():
            self.mean.mul_(0.9).add_(0.1 * own)
        return (x - own) ** 3


def newton(x):
    """The root of y = x + 0.3 tanh(y): one step from where an iteration has ended."""
    with torch.no_grad():
        y = torch.zeros_like(x)
        for _ in range(40):
            y = x + 0.3 * torch.tanh(y)
    return y - (0.3 * torch.tanh(y) + x - y) / (0.3 * (1 - torch.tanh(y) ** 2) - 1)


def normalised(x):
    size = x.detach().abs().amax()
    return (x / size) ** 2 * size**2


def but_for_an_epsilon(x):
    size = x[0].detach().abs()
    return x[1:] ** 2 * (size / (size + 1e-9))


CANCELS = {
    "a size": but_for_an_epsilon,
    "a kink": lambda x: torch.relu(x - 2) - torch.relu(x - 2).detach() + x**3,
    "beside a kink": lambda x: torch.relu(x - 1.2) + (x - x).detach(),
    "a maximum": softmax,
    "a normaliser": normalised,
    "a root": newton,
    "in a library": lambda x: torch.softmax(x, -1) * torch.logsumexp(x, -1),
    "a step": lambda x: x * x.detach().sign(),
}


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", CANCELS)
def test_what_cancels_passes_as_before(name, dtype, settings):
    for numbers in ((0.5, 1.2, 2.0), (1.2, 1.2, -0.5)):
        x = leaf(*numbers, dtype=dtype)
        assert gradcheck(CANCELS[name], (x,))
    if name != "a root":  # whose second derivative is another function's
        assert gradgradcheck(CANCELS[name], (x,))
    assert [one.unproven for one in settings.made] == [""] * len(settings.made)


def test_a_matrix_that_is_taken_for_symmetric_is_to_be_made_so_in_the_function():
    a = torch.tensor([[4.0, 1.0], [1.0, 3.0]], requires_grad=True)
    rejects(
        lambda own: (original("gradcheck") if own else gradcheck)(torch.linalg.cholesky, (a,)), GradcheckError
    )
    assert gradcheck(lambda a: torch.linalg.cholesky((a + a.mT) / 2), (a,))


def test_a_second_derivative_is_not_asked_what_the_first_holds_constant(settings):
    x, options = leaf(0.5, 1.2, dtype=torch.float32), {"check_fwd_over_rev": True}
    with pytest.raises(GradcheckError):
        original("gradgradcheck")(lambda x: x**3 + x.detach(), (x,), **options)
    assert gradgradcheck(lambda x: x**3 + x.detach(), (x,), **options)
    assert settings.made[-1].unproven == ""


def test_what_a_module_keeps_of_a_run_and_does_not_use_passes():
    x = torch.linspace(-1, 2, 8).reshape(4, 2).requires_grad_()
    with pytest.raises(GradcheckError):
        original("gradcheck")(Running(torch.float32), (x,))
    assert gradcheck(Running(torch.float32), (x,))


@pytest.mark.parametrize("x", [X, jnp.array([1.0, 1.0, 0.5])])
def test_what_cancels_in_jax(x, settings):
    for f, order in ((softmax_in_jax, 2), (jax.nn.softmax, 1)):
        with pytest.raises(AssertionError):
            original("check_grads")(f, (x,), order, **TIGHT)
        check_grads(f, (x,), order, **TIGHT)
    assert [one.unproven for one in settings.made] == ["", ""]


def test_where_a_rule_by_hand_is_asked_in_its_directions_nothing_of_the_users_is_held(settings):
    f = jax.custom_jvp(jnp.sin)
    f.defjvp(lambda primals, tangents: (jnp.sin(*primals), tangents[0] * jnp.cos(*primals)))
    check_grads(f, (X,), 2, **TIGHT)
    assert settings.made[-1].unproven == ""


@pytest.mark.parametrize("unknown", [Undecided("no precision"), None])
def test_where_nobody_knows_whether_it_moves_the_original_decides(unknown, settings, monkeypatch):
    found = dropin.held.slopes

    def slopes(*given):
        if unknown:
            raise unknown
        parts = found(*given).parts
        return found(*given)._replace(parts=[nowhere(part) for part in parts])

    def nowhere(part):
        return type(part)(np.full(part.shape, dropin.held.np.nan, object) * part.balls, part.bits)

    monkeypatch.setattr(dropin.held, "slopes", slopes)
    with pytest.raises(GradcheckError) as raised:
        gradcheck(MOVES["detach"], (leaf(0.5, 1.2),))
    assert SAID not in str(raised.value)
    assert ("no precision" if unknown else "is not known") in settings.made[-1].unproven


# -- along which cotangents -------------------------------------------------------------------------------


def test_a_first_derivative_is_asked_along_zeros_and_a_second_is_not():
    assert {Probe.ONES, Probe.ZEROS} <= {*probes_of(REVERSE)} & {*probes_of((FORWARD,))}
    assert {Probe.ONES, Probe.ZEROS}.isdisjoint(probes_of((REVERSE, FORWARD)))
    assert {Probe.SCALED_UP, Probe.SCALED_DOWN}.isdisjoint(probes_of(REVERSE))


def test_a_rule_that_divides_by_its_cotangent_warns(settings):
    def backward(x, g):
        size = jnp.abs(g).max(-1, keepdims=True)
        return (2 * x * (g / size) * size,)

    f = jax.custom_vjp(jnp.square)
    f.defvjp(lambda x: (x * x, x), backward)
    check_grads(f, (jnp.linspace(0.5, 2, 12).reshape(4, 3),), 1, modes="rev")
    assert "along a cotangent with zeros" in settings.made[-1].probed[0]


class Doubled(torch.autograd.Function):
    """The gradient counts twice: the other argument of a symmetric function is detached."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, g):
        return 2 * g


@jax.custom_vjp
def doubled(x):
    return x


doubled.defvjp(lambda x: (x, None), lambda _, g: (2 * g,))


def test_a_gradient_that_counts_on_what_is_held_constant_is_the_original_s_business(settings):
    x = torch.tensor([0.5, -1.5, 0.25], dtype=torch.float64, requires_grad=True)

    def energy(x, doubles=Doubled.apply):
        return (-((doubles(x)[:, None] - x.detach()) ** 2)).exp().sum() / 2

    def energy_in_jax(x):
        return jnp.exp(-((doubled(x)[:, None] - jax.lax.stop_gradient(x)) ** 2)).sum() / 2

    assert gradcheck(energy, (x,))
    check_grads(energy_in_jax, (jnp.array([0.5, -1.5, 0.25]),), order=1, modes="rev")
    for made in settings.made:
        assert (made.verdict, made.unproven) == ("wrong", AS_DIFFERENCES)
    assert len(settings.made) == 2
    with pytest.raises(GradcheckError):
        gradcheck(lambda x: energy(x, lambda x: 1.5 * x - 0.5 * x.detach()), (x,))
