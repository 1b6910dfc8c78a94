"""A function that jumps has no slope there, whatever its two sides have: three front ends, both modes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from harness import check_gradient
from harness.exact import exact_gradient
from harness.verdicts import Verdict
from oracles.exact.enclose.edges import is_at_an_edge
from oracles.exact.enclose.evaluate import Work
from oracles.frameworks.framework import framework
from tests.sampling import WHOLE


@pytest.fixture(autouse=True)
def in_64_bits():
    with jax.enable_x64(True):
        yield


AT = [-1.0, 0.0, 2.0]


def on(namespace, values=AT):
    return torch.tensor(values, dtype=torch.float64) if namespace is torch else namespace.asarray(values)


JUMPING = {
    "where with two values": lambda x, o: o.where(x > 0, x + 1, x),
    "two comparisons": lambda x, o: o.where(x > 0, 1.0, o.where(x < 0, 1.0, 0.0)) + 2 * x,
    "a closed one": lambda x, o: o.where(x >= 0, x * x, x - 1),
    "of a product": lambda x, o: o.where(x * 3 > 0, 2.0, 0.0) + x,
    "sign": lambda x, o: o.sign(x) + x,
    "floor": lambda x, o: o.floor(x) + x,
    "rounding": lambda x, o: o.round(x + 0.5) + x,
    "a fraction": lambda x, o: (x - o.floor(x)) * 2,
    "in a sum": lambda x, o: o.where(x > 0, x + 1, x).sum(),
    "huge": lambda x, o: o.where(x > 0, 0 * x + 1e300, 0 * x - 1e300) + x,
    "small": lambda x, o: o.where(x > 0, 1 + 1e-12 + x, 1 + x),
    "the cut of an angle": lambda x, o: o.arctan2(x, 0 * x - 1),
    "the cut where no zero's sign is known": lambda x, o: o.arctan2(x * 2, 0 * x - 1),
    "close by a root": lambda x, o: o.where(x > 0, o.sqrt(abs(x) + 1), 0.0) + x,
}

CONTINUOUS = {
    "a relu of two halves": lambda x, o: o.where(x > 0, x, 0 * x),
    "one whose halves meet smoothly": lambda x, o: o.where(x > 0, o.exp(x), 1 + x + x * x / 2),
    "a root": lambda x, o: o.where(x > 0, abs(x) ** 2.5, 0 * x),
    "halves that meet but for a rounded constant": lambda x, o: o.where(
        x > 0, o.sqrt(x * x + 1e-3), 1e-3**0.5 + 0 * x
    ),
    "an angle that does not cross its cut": lambda x, o: o.arctan2(-(x * x), 0 * x - 1),
    "jumps that cancel": lambda x, o: o.where(x > 0, 1.0, 0.0) + o.where(x <= 0, 1.0, 0.0) + x,
    "a fraction and its floor": lambda x, o: (x - o.floor(x)) + o.floor(x),
    "a step times what is 0 there": lambda x, o: o.sign(x) * x * x,
    "what is 0 but for its digits": lambda x, o: o.where(x > 0, 0 * x, 0 * x) + o.log(o.exp(x)) - x,
    "a comparison of what does not move": lambda x, o: o.where(on(o) > 0, x + 1, x),
}


def verdict(f, x, **more):
    return check_gradient(f, [x], **more)


def jumps(found):
    return found.passed and found.verdict is Verdict.CONVENTION and "jumps at" in found.diagnosis


def smooth(found):
    return found.passed and "jumps" not in str(found)


@pytest.mark.parametrize(
    ("name", "namespace"),
    [*((n, torch) for n in JUMPING), *((n, jnp) for n in [*JUMPING][:: 1 if WHOLE else 3])],
)
def test_the_gradient_of_a_jump_is_a_convention(name, namespace):
    modes = ["reverse", "forward"] if name in {"sign", "two comparisons"} else ["reverse"]
    for mode in modes:
        assert jumps(verdict(lambda x: JUMPING[name](x, namespace), on(namespace), mode=mode))


@pytest.mark.parametrize("namespace", [torch, jnp], ids=["torch", "jax"])
@pytest.mark.parametrize("name", CONTINUOUS)
def test_what_is_continuous_does_not_jump(name, namespace):
    assert smooth(verdict(lambda x: CONTINUOUS[name](x, namespace), on(namespace)))


@pytest.mark.parametrize("name", JUMPING)
def test_an_enclosure_says_that_it_is_of_the_sides(name):
    found = exact_gradient(lambda x: JUMPING[name](x, np), [on(np)])
    assert "jumps at x[" in found.kinks[-1]
    assert found.leaps[1]


@pytest.mark.parametrize("name", CONTINUOUS)
def test_a_slope_is_proven_where_the_function_is_continuous(name):
    found = exact_gradient(lambda x: CONTINUOUS[name](x, np), [on(np)])
    assert found.leaps is None
    assert not any("jumps" in note for note in found.kinks)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_constants_are_as_good_as_the_format(dtype):
    root = torch.tensor(0.7, dtype=dtype).sqrt()
    x = torch.tensor(AT, dtype=dtype)
    assert smooth(verdict(lambda x: torch.where(x > 0, torch.sqrt(x * x + 0.7), root + 0 * x), x))
    assert jumps(verdict(lambda x: torch.where(x > 0, x + 1, x), x))


def test_the_element_is_named_and_others_are_judged():
    x = torch.linspace(1, 2, 40, dtype=torch.float64).reshape(5, 8)
    x[3, 6] = 0
    found = verdict(lambda x: torch.where(x > 0, x + 1, x) * x.sum(), x)
    assert "x[3, 6]" in found.diagnosis

    class Off(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return torch.where(x > 0, x + 1, x)

        @staticmethod
        def backward(ctx, g):
            off = torch.ones_like(g)
            off[0, 0] = 1.001
            return g * off

    assert verdict(Off.apply, x).verdict is Verdict.WRONG


def test_a_detached_jump_is_a_constant_of_the_gradient():
    """A straight-through estimator's slope is that of the identity, at the edges of its rounding too."""
    x = torch.tensor([0.5, 1.5, 0.2], dtype=torch.float64)
    assert smooth(verdict(lambda x: x + (torch.round(x) - x).detach(), x))
    y = jnp.array([0.5, 1.5, 0.2])
    assert smooth(verdict(lambda x: x + jax.lax.stop_gradient(jnp.round(x) - x), y))


def test_a_second_derivative_has_none_where_the_first_one_jumps():
    x = torch.tensor(AT, dtype=torch.float64)
    for f in (torch.relu, torch.abs, torch.nn.functional.hardtanh, lambda x: x * (x > 0)):
        assert jumps(verdict(f, x, order=2))
    assert smooth(verdict(lambda x: x * torch.abs(x), x, order=2))


def test_what_no_cotangent_sees_does_not_count():
    x = on(torch)

    def f(x):
        return torch.where(x > 0, x + 1, x), x * x

    assert jumps(verdict(f, x))
    assert smooth(verdict(f, x, cotangent=(torch.zeros(3, dtype=x.dtype), torch.ones(3, dtype=x.dtype))))
    assert smooth(verdict(lambda x: torch.where(x > 0, x + 1, x)[[0, 2]], x))


def test_many_jumps_are_found_without_a_look_at_each():
    x = torch.zeros(600, dtype=torch.float64)
    found = verdict(lambda x: torch.where(x > 0, x + 1, x), x)
    assert jumps(found)
    assert "599 more" in found.diagnosis


def test_an_order_that_is_a_number_jumps_at_a_tie():
    x = torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64)
    assert jumps(verdict(lambda x: x * x.argmax(), x))
    assert jumps(verdict(lambda x: x * x.argsort(), x))
    assert smooth(verdict(lambda x: x.sort().values * torch.arange(3), x))
    assert smooth(verdict(lambda x: torch.nn.functional.max_pool1d(x[None], 2), x))


@pytest.mark.parametrize("f", [torch.angle, torch.log, torch.sqrt, lambda z: z**0.5])
def test_a_branch_cut_is_a_jump(f):
    z = torch.tensor([-1 + 0j, 1 + 1j], dtype=torch.complex128)
    assert jumps(verdict(f, z))
    assert smooth(verdict(lambda z: f(z[1:]), z))


def test_what_cancels_does_not_jump_by_its_digits():
    x = torch.tensor([[0.3, 0.7], [0.5, 0.4]], dtype=torch.float32)
    rows = torch.arange(2)
    assert smooth(verdict(lambda x: torch.log_softmax(x[rows, x.argmax(1)][:, None], 1), x))


def test_a_jump_that_hangs_on_what_cancels_wants_more_bits():
    x = torch.tensor([0.0, 0.5], dtype=torch.float64)

    def square(x):
        return (1 + x) ** 2 - 1 - 2 * x

    assert jumps(verdict(lambda x: torch.where(square(x) > 0, x + 1, x), x))
    assert smooth(verdict(lambda x: torch.where(square(x) > 0, x * x + x, x), x))


def test_a_cast_from_one_float_to_another_has_no_edge():
    """Else each number in bfloat16 that is whole, as a mask or a bias of 0, asks for slopes on both sides."""

    def recorded(function):
        x = np.array([0.0, 1.0, -2.5], np.float32)
        return framework("jax").record(function, [x], differentiate=True).program, [x]

    wide, at = recorded(lambda x: jnp.exp(x.astype(jnp.bfloat16)).astype(jnp.float32))
    assert any(e.primitive.name == "convert" for e in wide.equations)
    assert not is_at_an_edge(wide, at, [0], Work(10))
    whole, at = recorded(lambda x: x * x.astype(jnp.int32).astype(jnp.float32))
    assert is_at_an_edge(whole, at, [0], Work(10))
