"""JAX's pure_callback: the NumPy code that it calls is recorded where it stands."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import scipy.special

from harness import check_gradient, exact_gradient
from harness.verdicts import Verdict
from oracles.exact.from_jaxpr import record
from oracles.exact.program.errors import Unsupported
from tests.oracles.exact.numpy_tools import piecewise
from tests.sampling import cells

X = np.array([-1.25, 0.1, 0.3, 2.0])


def called(code, x, *more):
    return jax.pure_callback(code, jax.ShapeDtypeStruct(x.shape, x.dtype), x, *more)


def declared(code, slope):
    """The code, with a derivative of its own."""

    @jax.custom_jvp
    def f(x):
        return called(code, x)

    f.defjvp(lambda p, t: (f(*p), slope(*p) * t[0]))
    return f


CODES = {
    "a ufunc": (np.sin, jnp.cos),
    "converted first": (lambda a: np.tanh(np.asarray(a)) * 2, lambda x: 2 - 2 * jnp.tanh(x) ** 2),
    "SciPy": (scipy.special.erf, lambda x: 2 / jnp.sqrt(jnp.pi) * jnp.exp(-x * x)),
    "branches and writes": (piecewise, lambda x: jnp.where(x > 0.5, 2 * x, jnp.exp(x))),
}


@pytest.fixture(autouse=True)
def wide():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize(("name", "factor"), cells(CODES, [1.0, 1.001]))
def test_a_declared_derivative_is_judged_by_the_code(name, factor):
    code, slope = CODES[name]
    f = declared(code, lambda x: factor * slope(x))
    verdict = Verdict.ACCURATE if factor == 1 else Verdict.WRONG
    for function in (f, jax.jit(lambda x: f(x) * x), lambda x: jax.lax.map(f, jnp.stack([x, x]))):
        found = check_gradient(function, [X], framework="jax")
        assert found.verdict is verdict


def test_its_exact_gradient_is_that_of_the_code():
    found = exact_gradient(lambda x: declared(piecewise, jnp.cos)(x).sum(), [X], framework="jax")
    expected = exact_gradient(lambda x: piecewise(x).sum(), [X])
    assert all(a.overlaps(b) for a, b in zip(found.balls, expected.balls, strict=True))
    assert found.proven_error < 1e-30


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_pullback_may_be_a_callback_too(factor):
    f = jax.custom_vjp(lambda x: called(np.tanh, x))
    f.defvjp(
        lambda x: (f(x), x), lambda x, g: (called(lambda x, g: g * factor * (1 - np.tanh(x) ** 2), x, g),)
    )
    assert check_gradient(f, [X], framework="jax").passed is (factor == 1)


def test_whole_numbers_are_whole_numbers_there():
    def shifted(x):
        steps = jax.pure_callback(lambda n: n + 1, jax.ShapeDtypeStruct((4,), jnp.int64), jnp.arange(4))
        return x * steps

    found = exact_gradient(lambda x: shifted(x).sum(), [X], framework="jax")
    assert [float(ball) for ball in found.balls] == [1, 2, 3, 4]


def written(a):
    a[0] = 1.0
    return a


@pytest.mark.parametrize(("code", "said"), [
    (lambda a: jnp.sin(a) + 0, "compiled or other code that is no NumPy: TypeError"),
    (lambda a: a * np.random.default_rng().random(), "random numbers have no exact value"),
    (lambda a: np.sin(a)[:2], "declared is float64"),
    (written, "writes into what it is given"),
])  # fmt: skip
def test_what_is_not_known_says_so(code, said):
    with pytest.raises(Unsupported, match="pure_callback") as raised:
        record(lambda x: called(code, x), (X,), {})
    assert said in str(raised.value)


def matched(pairs, hold, factor=1.0):
    """The loss of a detector: each prediction is paired with a target by code that is compiled."""

    @jax.custom_vjp
    def distance(x, y):
        return jnp.sum((x - y) ** 2)

    distance.defvjp(
        lambda x, y: (distance(x, y), (x, y)),
        lambda r, g: (factor * 2 * g * (r[0] - r[1]), -2 * g * (r[0] - r[1])),
    )

    def loss(x):
        y = jnp.array([0.8, 0.2, -1.3, 0.45])
        costs = jnp.abs(x[:, None] - y)
        rows = jax.ShapeDtypeStruct((4,), jnp.int32)
        return distance(x, y[jax.pure_callback(pairs, rows, hold(costs))])

    return loss


def assigned(costs):
    return scipy.optimize.linear_sum_assignment(costs)[1].astype(np.int32)


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_whole_numbers_of_fixed_values_are_what_compiled_code_gives(factor):
    found = check_gradient(matched(assigned, jax.lax.stop_gradient, factor), [X], framework="jax")
    assert found.verdict is (Verdict.ACCURATE if factor == 1 else Verdict.WRONG)


TURNS = itertools.count()


def others(costs):
    return np.roll(assigned(costs), next(TURNS))


@pytest.mark.parametrize(("pairs", "hold"), [(assigned, lambda x: x), (others, jax.lax.stop_gradient)])
def test_those_that_may_move_or_change_are_not_taken(pairs, hold):
    with pytest.raises(Unsupported, match="pure_callback"):
        record(matched(pairs, hold), (X,), {})


def test_a_branch_at_its_edge_is_a_kink():
    found = check_gradient(declared(np.abs, jnp.sign), [np.array([0.0, 1.0])], framework="jax")
    assert found.verdict is Verdict.CONVENTION
    at_the_edge = check_gradient(declared(piecewise, lambda x: 2 * x), [np.array([0.5])], framework="jax")
    assert at_the_edge.verdict is Verdict.UNDECIDED


@pytest.mark.parametrize("factor", [1.0, 1.001])
def test_a_function_with_a_rule_for_vmap_is_itself_elsewhere(factor):
    @jax.custom_batching.custom_vmap
    def sine(x):
        return jnp.sin(x) * x

    sine.def_vmap(lambda n, batched, x: (jnp.sin(x) * x, True))

    @jax.custom_jvp
    def f(x):
        return sine(x)

    f.defjvp(lambda p, t: (f(*p), factor * (jnp.cos(*p) * p[0] + jnp.sin(*p)) * t[0]))
    assert check_gradient(sine, [X], framework="jax", mode="forward").passed
    assert check_gradient(f, [X], framework="jax", mode="forward").passed is (factor == 1)
