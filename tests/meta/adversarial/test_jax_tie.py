"""JAX: what was traced before is never taken for what runs now, and a check leaves JAX as it was."""

import functools
import types
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import harness
from harness.dropin import check_grads

# -- what changed between two checks is seen ----------------------------------------------------------------

SCALE = 2.0
SETTINGS = {"scale": 2.0}
FACTORS = [2.0]
MODULE = types.ModuleType("helpers")
MODULE.scale, MODULE.scaled = 2.0, lambda x: 2.0 * x


@dataclass
class Config:
    scale: float = 2.0


class Layer:
    scale = 2.0
    shared = 2.0

    def __call__(self, x):
        return self.scale * x * x

    def loss(self, x):
        return self.scale * x * x

    @classmethod
    def of_class(cls, x):
        return cls.shared * x * x


def by_global():
    def f(x):
        return SCALE * x * x

    return f, lambda scale: globals().update(SCALE=scale)


def by_cell():
    scale = 2.0

    def change(to):
        nonlocal scale
        scale = to

    return lambda x: scale * x * x, change


def by_default():
    def f(x, scale=2.0):
        return scale * x * x

    return f, lambda to: setattr(f, "__defaults__", (to,))


def by_keyword_default():
    def f(x, *, scale=2.0):
        return scale * x * x

    return f, lambda to: setattr(f, "__kwdefaults__", {"scale": to})


def by_code():
    def f(x):
        return 2.0 * x * x

    def g(x):
        return 3.0 * x * x

    return f, lambda to: setattr(f, "__code__", g.__code__ if to == 3 else f.__code__)


def by_dictionary():
    return lambda x: SETTINGS["scale"] * x * x, lambda to: SETTINGS.update(scale=to)


def by_list():
    return lambda x: FACTORS[0] * x * x, lambda to: FACTORS.__setitem__(0, to)


def by_array():
    factors = np.array([2.0], np.float32)
    return lambda x: factors[0] * x * x, lambda to: factors.__setitem__(0, to)


def by_whole_array():
    factors = np.array([2.0], np.float32)
    return lambda x: factors * x * x, lambda to: factors.__setitem__(0, to)


def by_dataclass():
    config = Config()
    return lambda x: config.scale * x * x, lambda to: setattr(config, "scale", to)


def by_module():
    return lambda x: MODULE.scale * x * x, lambda to: setattr(MODULE, "scale", to)


def by_helper():
    return lambda x: MODULE.scaled(x) * x, lambda to: setattr(MODULE, "scaled", lambda x: to * x)


def by_global_of_a_nested_function():
    def f(x):
        def inner(y):
            return SCALE * y

        return inner(x) * x

    return f, lambda to: globals().update(SCALE=to)


def by_object():
    layer = Layer()
    return layer, lambda to: setattr(layer, "scale", to)


def by_method():
    layer = Layer()
    return layer.loss, lambda to: setattr(layer, "scale", to)


def by_class():
    layer = Layer()
    return lambda x: layer.shared * x * x, lambda to: setattr(Layer, "shared", to)


def by_class_method():
    return Layer.of_class, lambda to: setattr(Layer, "shared", to)


def by_partial():
    config = {"scale": 2.0}
    return functools.partial(lambda c, x: c["scale"] * x * x, config), lambda to: config.update(scale=to)


def by_wrapper():
    config = Config()

    def f(x):
        return x * x

    @functools.wraps(f)
    def g(x):
        return config.scale * f(x)

    return g, lambda to: setattr(config, "scale", to)


def by_computed_name():
    layer = Layer()
    return lambda x: getattr(layer, "sca" + "le") * x * x, lambda to: setattr(layer, "scale", to)


def by_iterator():
    config = Config()
    return lambda x: next(iter([config.scale])) * x * x, lambda to: setattr(config, "scale", to)


def by_vmapped_global():
    return jax.vmap(lambda x: SCALE * x * x), lambda to: globals().update(SCALE=to)


CHANGES = [
    by_global, by_cell, by_default, by_keyword_default, by_code, by_dictionary, by_list, by_array,
    by_whole_array, by_dataclass, by_module, by_helper, by_global_of_a_nested_function, by_object, by_method,
    by_class, by_class_method, by_partial, by_wrapper, by_computed_name, by_iterator, by_vmapped_global,
]  # fmt: skip


@pytest.fixture(autouse=True)
def _unchanged():
    yield
    globals()["SCALE"] = Layer.shared = SETTINGS["scale"] = FACTORS[0] = MODULE.scale = 2.0
    MODULE.scaled = lambda x: 2.0 * x


X = jnp.asarray([1.5], jnp.float32)


@pytest.mark.parametrize("made", CHANGES, ids=lambda f: f.__name__)
def test_what_changed_is_seen(made):
    f, change = made()
    for scale in (2.0, 3.0):
        change(scale)
        found = harness.check_gradient(f, (X,), framework="jax")
        assert found.verdict == "accurate", str(found)
        truth = harness.exact_gradient(f, (X,), cotangent=np.ones(1), framework="jax")
        assert truth.mid.item() == 2 * scale * 1.5


@pytest.mark.parametrize("made", CHANGES, ids=lambda f: f.__name__)
def test_a_rule_that_was_right_before_is_wrong_now(made):
    f, change = made()
    rule = jax.custom_vjp(lambda x: f(x))
    rule.defvjp(lambda x: (f(x), x), lambda x, g: (g * 4.0 * x,))
    assert harness.check_gradient(rule, (X,)).verdict == "accurate"
    change(3.0)
    assert harness.check_gradient(rule, (X,)).verdict == "wrong"
    if made is by_global:
        with pytest.raises(AssertionError, match="wrong"):
            check_grads(rule, (X,), order=1, modes=["rev"])


# -- 64 bits are off: what runs is judged, and nothing stays behind -----------------------------------------


def closing_over_an_array(d):
    return lambda c: c * jnp.sum(jnp.cos(d))


def with_a_jitted_helper(d):
    helper = jax.jit(lambda c: c * d)
    return lambda c: helper(c) * jnp.cos(d)


def with_a_rule(d):
    @jax.custom_vjp
    def f(c):
        return c * jnp.cos(d)

    f.defvjp(lambda c: (f(c), c), lambda c, g: (g * jnp.cos(d),))
    return f


def indexing(d):
    labels = np.array([1, 0])
    return lambda c: c[labels] * d


def closing_over_a_subclass(d):
    class Mine(np.ndarray):
        pass

    mine = d.view(Mine)
    return lambda c: c * jnp.asarray(mine) * jnp.cos(mine)


CLOSURES = [
    closing_over_an_array,
    with_a_jitted_helper,
    with_a_rule,
    indexing,
    closing_over_a_subclass,
]
GIVEN = np.array([0.3, 0.4])


def users(f):
    """What a user gets of a function."""
    return [jax.jit(f)(GIVEN), f(jnp.asarray(GIVEN)), jax.grad(lambda c: f(c).sum())(GIVEN)]


def ask(f, true):
    """Every door at once, of numbers in float64."""
    found = harness.exact_gradient(f, (GIVEN,), cotangent=np.ones(np.shape(true[1])), framework="jax")
    np.testing.assert_allclose(found.mid, true[2], rtol=1e-14)
    found = harness.check_gradient(f, (GIVEN,), framework="jax")
    assert found.verdict == "accurate", str(found)
    assert found.parts[0].dtype == "float32"
    assert "JAX runs this in float32, so the float64 numbers were rounded to it first" in str(found)


def test_a_drop_in_leaves_nothing_in_jax_where_64_bits_are_off():
    d = np.array([0.1, 0.2])
    f = closing_over_an_array(d)
    check_grads(f, (GIVEN,), order=1, modes=["rev"])
    assert jax.jit(f)(GIVEN).dtype == np.float32


@pytest.mark.parametrize("made", CLOSURES, ids=lambda f: f.__name__)
def test_nothing_stays_in_jax_where_64_bits_are_off(made):
    with jax.enable_x64(True):
        true = users(made(np.array([0.1, 0.2])))
    assert true[0].dtype == np.float64
    used, new = made(np.array([0.1, 0.2])), made(np.array([0.1, 0.2]))
    wanted = users(used)
    for f in (used, new):
        ask(f, true)
        for got, want in zip(users(f), wanted, strict=True):
            assert got.dtype == want.dtype == np.float32
            np.testing.assert_array_equal(got, want)


# -- a rule whose own forward is another function is wrong, wherever it stands ------------------------------


def reverse_rule(off):
    f = jax.custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (x * x * off, x), lambda x, g: (2 * g * x,))
    return f


def forward_rule(off):
    f = jax.custom_jvp(lambda x: x * x)
    f.defjvp(lambda p, t: (p[0] * p[0] * off, 2 * p[0] * t[0]))
    return f


PLACES = {
    "alone": lambda f: f,
    "jit": jax.jit,
    "vmap": jax.vmap,
    "checkpoint": jax.checkpoint,
    "scan": lambda f: lambda x: jax.lax.scan(lambda c, _: (f(c), c), x, None, length=2)[0],
    "tree": lambda f: lambda x: {"a": f(x), "b": [3 * x]},
    "inside": lambda f: lambda x: jnp.sin(f(jnp.cos(x))),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("rule", "mode"), [(reverse_rule, "rev"), (forward_rule, "fwd")])
def test_a_rule_with_another_value_is_wrong(rule, mode, place):
    f = PLACES[place](rule(1.5))
    found = harness.check_gradient(f, (X,), mode="forward" if mode == "fwd" else "reverse")
    assert found.value.verdict == "wrong", str(found)
    assert not found.passed
    if place in {"alone", "tree"}:
        with pytest.raises(AssertionError, match="wrong"):
            check_grads(f, (X,), order=1, modes=[mode])


@pytest.mark.parametrize(
    "options",
    [{"jit": True}, {"order": 2}, {"order": 3}, {"order": 2, "jit": True}, {"mode": ("reverse", "forward")}],
)
@pytest.mark.parametrize("rule", [reverse_rule, forward_rule])
def test_in_every_order_and_compiled(rule, options):
    if rule is reverse_rule and "mode" in options:
        pytest.skip("JAX has no forward mode of a custom_vjp")
    assert harness.check_gradient(rule(1.5), (X,), **options).value.verdict == "wrong"


def test_a_rule_with_its_own_value_is_right_in_the_second_order():
    assert harness.check_gradient(reverse_rule(1.0), (X,), order=2).passed
