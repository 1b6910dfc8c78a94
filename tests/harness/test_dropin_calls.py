"""A suite observes the same under the drop-ins: calls, their arguments, and what they leave."""

import importlib
import warnings
from collections import Counter, OrderedDict, deque
from unittest.mock import Mock

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest
import torch
from torch.testing._internal.logging_tensor import LoggingTensor

from harness import check_gradient, dropin
from harness.dropin.originals import original
from tests.harness.originals import leaf, own_settings

CALLS = 0


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    """Settings of their own for each test."""
    return own_settings(monkeypatch)


class Log(list):
    """A list of one's own."""


class Seen:
    """Whatever a suite counts calls in, by attribute, and what it is afterwards."""

    shared = 0

    def __init__(self):
        global CALLS
        CALLS = Seen.shared = 0
        self.number, self.held = 0, []
        self.array, self.tensor = np.zeros(1), torch.zeros(1)
        self.mock = Mock(side_effect=lambda x: None)

    def counting(self, function):
        """The function, which counts in all of them."""
        number, listed, own, named, last = 0, [], Log(), {}, deque(maxlen=2)
        counter, ordered, distinct = Counter(), OrderedDict(), set()

        def counted(*args):
            global CALLS
            nonlocal number
            number += 1
            CALLS += 1
            Seen.shared += 1
            self.number += 1
            counted.number += 1
            self.array[0] += 1
            self.tensor.add_(1)
            counter["calls"] += 1
            named["calls"] = named.get("calls", 0) + 1
            ordered[len(ordered)] = distinct.add(number)
            for log in (listed, own, last, self.held):
                log.append(str(args[0]))
            self.mock(1)
            return function(*args)

        counted.number = 0

        def seen():
            lists = (listed, [*own], [*last], self.held)
            counts = (number, CALLS, Seen.shared, self.number, counted.number, self.mock.call_count)
            arrays = (float(self.array[0]), float(self.tensor[0]))
            others = (counter["calls"], named.get("calls", 0), len(ordered), len(distinct))
            return [*lists, *counts, len(self.mock.mock_calls), *arrays, *others]

        return counted, seen


def product(x, y):
    return x.sin() * y


def rooted(x, y):  # no truth is known of it: the original decides
    return torch.linalg.eigvals(torch.diag(x * y)).real


def stopped(x, y):  # torch's own gradient is not its derivative
    return x.detach() * y + x


CHECKS = {
    "gradcheck": ("gradcheck", product, {}),
    "fast": ("gradcheck", product, {"fast_mode": True, "eps": 1e-4}),
    "forward": ("gradcheck", product, {"check_forward_ad": True}),
    "gradgradcheck": ("gradgradcheck", product, {}),
    "not proven": ("gradcheck", rooted, {}),
    "fails": ("gradcheck", stopped, {"raise_exception": False}),
}


@pytest.mark.parametrize("check", CHECKS)
def test_what_is_called_under_torchs_is_what_a_suite_sees(check):
    name, function, options = CHECKS[check]

    def seen_by(checker):
        torch.manual_seed(0)
        x, y = leaf(0.3, 0.5), leaf(2.0, -1.0)
        counted, seen = Seen().counting(function)
        hooked, of_hook = Seen().counting(lambda g: None)
        x.register_hook(hooked)
        checker(counted, (x, y), **options)
        return seen(), of_hook(), torch.rand(2).tolist(), x.grad

    assert seen_by(getattr(dropin, name)) == seen_by(original(name))


class Sine(torch.autograd.Function):
    """Counts in its class, and in a list of the module's."""

    runs: list = []  # noqa: RUF012
    backwards = 0

    @staticmethod
    def forward(ctx, x):
        Sine.runs.append(1)
        ctx.save_for_backward(x)
        return x.sin()

    @staticmethod
    def backward(ctx, g):
        Sine.backwards += 1
        return g * ctx.saved_tensors[0].cos()


class Running(torch.nn.Module):
    """A module with running statistics and hooks."""

    def __init__(self):
        super().__init__()
        self.register_buffer("mean", torch.zeros((), dtype=torch.float64))
        self.register_buffer("seen", torch.tensor(0))
        self.calls = []
        self.register_forward_hook(lambda *given: self.calls.append("forward"))
        self.register_full_backward_hook(lambda *given: self.calls.append("backward"))

    def forward(self, x):
        self.seen += 1
        self.mean.lerp_(x.detach().mean(), 0.5)
        return x * 2


def test_custom_functions_and_modules_are_called_as_often_too():
    def seen_by(checker):
        Sine.backwards, Sine.runs[:] = 0, []
        module = Running()
        checker(Sine.apply, (leaf(0.3, 0.5),))
        checker(module, (leaf(0.3, 0.5),))
        return Sine.backwards, len(Sine.runs), module.calls, float(module.mean), int(module.seen)

    assert seen_by(dropin.gradcheck) == seen_by(original("gradcheck"))


def sine():
    """With a rule of its own, and what counts how often it is traced."""
    counted, seen = Seen().counting(jnp.sin)
    rule, of_rule = Seen().counting(lambda x, g: (g * jnp.cos(x),))
    f = jax.custom_vjp(counted)
    f.defvjp(lambda x: (counted(x), x), lambda x, g: rule(x, g))
    return f, counted, lambda: [[len(s) if isinstance(s, list) else s for s in e()] for e in (seen, of_rule)]


JAX_CHECKS = {
    "check_grads": lambda check, f, plain, x: check(f, (x,), 1, modes="rev"),
    "both modes": lambda check, f, plain, x: check(plain, (x,), 1),
    "check_vjp": lambda check, f, plain, x: check(plain, lambda x: jax.vjp(f, x), (x,)),
    "check_jvp": lambda check, f, plain, x: check(plain, lambda p, t: jax.jvp(plain, p, t), (x,)),
}


@pytest.mark.parametrize("name", JAX_CHECKS)
def test_what_is_called_under_jaxs_is_what_a_suite_sees(name):
    checker = name if name.startswith("check_") else "check_grads"

    def seen_by(check):
        f, plain, seen = sine()
        JAX_CHECKS[name](check, f, plain, jnp.array([0.3, 0.5]))
        return seen()

    assert seen_by(getattr(dropin, checker)) == seen_by(original(checker))


def warning(function):
    """The function, and a warning of its own."""

    def warns(x):
        warnings.warn("as written", RuntimeWarning, stacklevel=2)
        return function(x)

    return warns


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("gradcheck", lambda check: check(warning(torch.sin), (leaf(0.3, 0.5),))),
        ("gradgradcheck", lambda check: check(warning(torch.sin), (leaf(0.3, 0.5),))),
        (
            "gradcheck",
            lambda check: check(
                warning(lambda x: x.detach() + 2 * x.round()), (leaf(0.3, 0.5),), raise_exception=False
            ),
        ),
        ("check_grads", lambda check: check(warning(jnp.sin), (jnp.array([0.3, 0.5]),), 1)),
    ],
)
def test_a_function_warns_as_often_as_under_the_original(name, ask):
    def seen_by(checker):
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            ask(checker)
        return [(str(one.message), one.category, one.filename, one.lineno) for one in seen]

    assert seen_by(getattr(dropin, name)) == seen_by(original(name))


def test_what_wraps_a_tensor_has_no_memory_to_be_put_back():
    """torch's own tests give such tensors to gradcheck: Python crashed."""
    x = LoggingTensor(torch.rand(2, dtype=torch.float64)).requires_grad_()
    zeros = torch._efficientzerotensor((2,), dtype=torch.float64)
    assert dropin.gradcheck(lambda x: x.exp() + zeros, (x,))
    assert x.grad is None


ODD_CALLS = {
    "args that are a number": ("check_grads", lambda f: (f, 3.0, 1)),
    "no args": ("check_grads", lambda f: (f, None, 1)),
    "no args of a pullback": ("check_vjp", lambda f: (f, lambda *x: jax.vjp(f, *x), None)),
    "no args of a tangent": ("check_jvp", lambda f: (f, lambda x, t: jax.jvp(f, x, t), None)),
    "an order that is text": ("check_grads", lambda f: (f, (1.5,), "2")),
    "an order that is no integer": ("check_grads", lambda f: (f, (1.5,), 1.5)),
    "order 0": ("check_grads", lambda f: (f, (1.5,), 0)),
    "no modes": ("check_grads", lambda f: (f, (1.5,), 1, None)),
}


@pytest.mark.parametrize(("name", "call"), ODD_CALLS.values(), ids=ODD_CALLS)
def test_of_what_jaxs_checks_are_given_the_original_says_first_what_it_thinks(name, call):
    def told(check):
        calls = []

        def f(x):
            calls.append(x)
            return jnp.sin(x)

        try:
            check(*call(f))
        except Exception as raised:
            return type(raised), str(raised), len(calls)
        return None, "", len(calls)

    assert told(getattr(dropin, name)) == told(original(name))


@pytest.mark.parametrize("order", [0, 1.5])
def test_an_order_that_is_no_integer_asks_what_the_original_asks(order, settings):
    settings.fallback = "error"

    @jax.custom_jvp
    def twice(x):
        return 2 * x

    twice.defjvp(lambda x, t: (twice(*x), 2.001 * t[0]))
    with pytest.raises(AssertionError, match="wrong"):
        dropin.check_grads(twice, (jnp.ones(2),), order, rtol=1.0)


@pytest.mark.parametrize("switch", [None, "yes", 2])
def test_torchs_switches_may_be_anything_that_is_true_or_not(switch):
    assert dropin.gradcheck(torch.sin, (leaf(0.5),), check_forward_ad=switch)


def test_a_function_that_draws_anew_passes_and_a_backward_that_does_so_fails():
    """As docs/checking.md says: torch's differences of the first are noise."""

    class Noisy(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, g):
            return 2 * g + 1e-9 * torch.rand(())

    def drawing(x):
        return x * torch.rand(())

    error = importlib.import_module("torch.autograd.gradcheck").GradcheckError
    with pytest.raises(error):
        original("gradcheck")(drawing, (leaf(0.5),))
    assert dropin.gradcheck(drawing, (leaf(0.5),))
    with pytest.raises(error, match="not reentrant"):
        dropin.gradcheck(Noisy.apply, (leaf(0.5),))


@pytest.mark.parametrize(("shape", "other"), [((3, 4), (1, 3, 4)), ((1, 4), (4,))])
def test_a_pullback_with_an_axis_more_or_less_passes_as_in_jax(shape, other):
    """As docs/checking.md says."""
    x = jnp.ones(shape)

    def vjp(x):
        return jnp.sin(x), lambda g: ((g * jnp.cos(x)).reshape(other),)

    for check in (original("check_vjp"), dropin.check_vjp):
        check(jnp.sin, vjp, (x,))
    found = check_gradient(jnp.sin, (x,), vjp=lambda g, x: vjp(x)[1](g)[0])
    assert found.verdict == "wrong"
