"""Primitives of other libraries, which have no rule here: what their own code computes."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.extend.core import Primitive
from jax.interpreters import ad, mlir

from harness import check_gradient
from harness.verdicts import Verdict
from oracles.exact.from_jaxpr import record
from oracles.exact.program.errors import Unsupported

X = np.array([0.5, -1.25])


def primitive(name, impl, jvp=None, shaped=0):
    """A primitive as libraries define one; its result is shaped like that operand, or as `shaped` says."""
    made = Primitive(name)
    made.def_impl(impl)
    like = shaped if callable(shaped) else lambda *avals: avals[shaped]
    made.def_abstract_eval(lambda *avals: jax.core.ShapedArray(like(*avals).shape, like(*avals).dtype))
    mlir.register_lowering(made, mlir.lower_fun(impl, multiple_results=False))
    if jvp is not None:
        ad.primitive_jvps[made] = jvp
    return made


def cubed(factor):
    def rule(primals, tangents):
        return made.bind(*primals), factor * primals[0] ** 2 * tangents[0]

    made = primitive(f"cube_{factor}", lambda x: x**3, rule)
    return made.bind


# equinox's `unvmap_any`, which `error_if` and its loops ask.
any_of = primitive("any_of", jnp.any, shaped=lambda x: jax.ShapeDtypeStruct((), jnp.bool_))
compiled = primitive("compiled", lambda x: jnp.asarray(np.sin(x)))
again = primitive("again", lambda x: jax.jit(again.bind)(x))
# As lineax's `linear_solve`: by factors, which are detached; its rule goes by the matrix.
divided = primitive(
    "divided",
    lambda a, factor, b: b / factor,
    lambda primals, tangents: (
        divided.bind(*primals),
        (ad.instantiate_zeros(tangents[2]) - divided.bind(*primals) * ad.instantiate_zeros(tangents[0]))
        / primals[0],
    ),
    shaped=2,
)


def solved(a, b):
    return divided.bind(a, jax.lax.stop_gradient(a), b)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("factor", "verdict"), [(3, Verdict.ACCURATE), (2, Verdict.WRONG)])
def test_its_derivative_is_that_of_its_code(factor, verdict, dtype):
    with jax.enable_x64(True):
        assert check_gradient(cubed(factor), (jnp.asarray(X, dtype),), probes=False).verdict is verdict


def test_one_of_booleans_decides_a_branch():
    def guarded(x):
        return jax.lax.cond(any_of.bind(x < 0), lambda x: x * x, lambda x: x, x)

    recording = record(guarded, (X,), {})
    assert len(recording.program.guards) == 1
    assert check_gradient(guarded, (jnp.asarray(X),)).passed


def test_what_is_detached_before_it_is_not_taken_for_a_constant():
    """That would accuse the right gradient by the matrix; under test its code is what runs."""
    a, b = jnp.asarray(X * X), jnp.asarray(X)
    assert check_gradient(solved, (a, b)).verdict is Verdict.UNSUPPORTED
    found = check_gradient(solved, (a, b), spec=lambda a, b: b / a)
    assert found.passed
    assert "was not examined" not in str(found)


@pytest.mark.parametrize("made", [compiled, again])
def test_code_that_cannot_be_traced_is_unsupported(made):
    with pytest.raises(Unsupported, match=f"{made.name} has no rule: say what it computes"):
        record(made.bind, (X,), {})


@pytest.mark.parametrize("run", [lambda: compiled.bind(jnp.asarray(X)), lambda: jnp.nextafter(0.25, 1.0)])
def test_of_constants_alone_it_is_what_it_gives(run):
    def scaled(x):
        return x * run()

    gradient = np.asarray(jax.vjp(scaled, X)[1](np.ones(2))[0])
    for factor in (1, 1.01):
        found = check_gradient(
            scaled, (jnp.asarray(X),), vjp=lambda g, x, by=factor * gradient: g * by, probes=False
        )
        assert found.passed is (factor == 1)


@pytest.mark.parametrize("dtype", ["float64", "float32", "bfloat16"])
@pytest.mark.parametrize(("slope", "verdict"), [(1.0, Verdict.ACCURATE), (0.0, Verdict.WRONG)])
def test_the_next_number_moves_as_its_own(slope, verdict, dtype):
    """JAX has no derivative of it; who needs one, as diffrax, says the identity's."""

    @jax.custom_jvp
    def following(x):
        return jnp.nextafter(x, jnp.inf)

    following.defjvp(lambda primals, tangents: (following(primals[0]), slope * tangents[0]))
    with jax.enable_x64(True):
        assert check_gradient(following, (jnp.asarray(X, dtype),)).verdict is verdict


INSIDE = jax.make_jaxpr(lambda x: x * jnp.asarray(X, jnp.float32))(jnp.zeros(2)).jaxpr
opened = primitive("opened", lambda x, *, body: x * jnp.asarray(X, jnp.float32))
opened.def_abstract_eval(lambda x, *, body: jax.core.ShapedArray(x.shape, x.dtype))
ad.deflinear2(opened, lambda g, x, *, body: [opened.bind(g, body=body)])


def test_a_jaxpr_whose_constants_are_kept_elsewhere_is_no_obstacle():
    """As equinox's primitives have them: only literals in it are paired."""
    assert INSIDE.constvars
    found = check_gradient(lambda x: 0.3 * opened.bind(x, body=INSIDE), (jnp.asarray(X, jnp.float32),))
    assert found.verdict is Verdict.ACCURATE, str(found)
