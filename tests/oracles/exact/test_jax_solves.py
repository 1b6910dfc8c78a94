"""JAX's linear solves: by the matrix that multiplies, where there is one; else by a column for each."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import jax.scipy as jsp
import numpy as np
import pytest

from harness.check import check_gradient
from harness.exact import exact_value
from oracles.exact.from_jaxpr.rules import solves
from tests.sampling import long

RNG = np.random.default_rng(0)


def _full(*shape):
    return jnp.asarray(RNG.normal(size=shape))


A = _full(3, 3) + 4 * jnp.eye(3)
TWO = jnp.stack([A, A + jnp.eye(3)])


def _own(contract, axis):
    """A solve by a product with these contracted dimensions, along an axis of what it multiplies."""

    def f(a, b):
        def matvec(x):
            return jnp.moveaxis(jax.lax.dot_general(x, a, (contract, ((), ()))), -1, axis)

        def solve(matvec, b):
            return _by_hand(a, b, contract, axis)

        return jax.lax.custom_linear_solve(matvec, b, solve, transpose_solve=solve)

    return f


def _by_hand(a, b, contract, axis):
    (own,) = contract[1]
    matrix = a if own == a.ndim - 1 else jnp.swapaxes(a, -1, -2)
    moved = jnp.moveaxis(b, axis, -1)
    return jnp.moveaxis(jnp.linalg.solve(matrix, moved.reshape(-1, 3).T).T.reshape(moved.shape), -1, axis)


PRODUCTS = {
    "a matrix": (jnp.linalg.solve, (A, _full(3, 2))),
    "a vector": (jnp.linalg.solve, (A, _full(3))),
    "an inverse": (jnp.linalg.inv, (A,)),
    "batches": (jnp.linalg.solve, (TWO, _full(2, 3, 4))),
    "vectors in a batch": (jax.vmap(jnp.linalg.solve), (TWO, _full(2, 3))),
    "one matrix for a batch": (jax.vmap(jnp.linalg.solve, (None, 0)), (A, _full(5, 3))),
    "one vector for a batch": (jax.vmap(jnp.linalg.solve, (0, None)), (TWO, _full(3))),
    "two batches": (jax.vmap(jax.vmap(jnp.linalg.solve, (None, 0)), (0, 1)), (TWO, _full(4, 2, 3))),
    "transposed": (lambda a, b: jnp.linalg.solve(a.T, b), (A, _full(3, 2))),
    "complex": (lambda a, b: jnp.linalg.solve(a + 1j * a.T, b + 0j).real, (A, _full(3, 2))),
    "from the right": (_own(((1,), (1,)), 1), (A, _full(2, 3))),
    "from the right, transposed": (_own(((1,), (0,)), 1), (A, _full(2, 3))),
    "in the middle": (_own(((1,), (0,)), 1), (A, _full(2, 3, 2))),
}


@pytest.fixture
def by_columns(monkeypatch):
    """Which solves are by a column for each number."""
    asked = []

    def noted(call, consts, right):
        asked.append(call)
        return own(call, consts, right)

    own = solves._by_columns
    monkeypatch.setattr(solves, "_by_columns", noted)
    return asked


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_along_one_axis_is_solved_by_its_matrix(name, by_columns):
    f, args = PRODUCTS[name]
    with jax.enable_x64():
        args = [jnp.asarray(np.asarray(x, np.float64)) for x in args]
        found, ran = exact_value(f, args), np.asarray(f(*args))
    assert not by_columns
    assert np.allclose(found.mid, ran, rtol=1e-9, atol=1e-12)


OTHERS = {
    "a sum beside it": lambda a, x: a @ x + x,
    "two products": lambda a, x: a @ (a @ x),
    "no constant": lambda a, x: (a * 2) @ x,
    "no product": lambda a, x: 3 * x,
}


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_solved_by_columns(name, by_columns):
    matvec = OTHERS[name]

    def f(a, b):
        def solve(mv, y):
            columns = jax.vmap(lambda e: mv(e.reshape(y.shape)).ravel())(jnp.eye(y.size, dtype=y.dtype)).T
            return jnp.linalg.solve(columns, y.ravel()).reshape(y.shape)

        return jax.lax.custom_linear_solve(lambda x: matvec(a, x), b, solve, transpose_solve=solve)

    with jax.enable_x64():
        a, b = (jnp.asarray(np.asarray(x, np.float64)) for x in (A, _full(3)))
        found, ran = exact_value(f, [a, b]), np.asarray(f(a, b))
    assert by_columns
    assert np.allclose(found.mid, ran, rtol=1e-9, atol=1e-12)


@jax.custom_vjp
def halved(a):
    return jnp.linalg.inv(a)


halved.defvjp(lambda a: (jnp.linalg.inv(a),) * 2, lambda y, g: (-(y.T @ g @ y.T) / 2,))


@long
def test_a_large_inverse_is_proven_and_a_wrong_rule_of_it_is_found():
    a = jnp.asarray(RNG.normal(size=(32, 32)) + 8 * np.eye(32), jnp.float32)
    assert check_gradient(jnp.linalg.inv, (a,)).passed
    assert check_gradient(halved, (a,)).verdict.value == "wrong"


def test_a_positive_one_is_still_said_to_be_symmetric():
    spd = jnp.asarray(np.asarray(A @ A.T), jnp.float32)
    found = check_gradient(
        lambda b: jsp.linalg.solve(spd, b, assume_a="pos"), (jnp.ones((3, 2), jnp.float32),)
    )
    assert found.passed


def _solved(solve, transpose_solve):
    """A solve with A by algorithms of the caller's."""

    def f(b):
        return jax.lax.custom_linear_solve(lambda x: A @ x, b, solve, transpose_solve=transpose_solve)

    return f


def _with(matrix):
    return lambda _, b: jnp.linalg.solve(matrix, b)


def _nearly(_, b):
    """An iteration that ends early, as it is written out."""
    x = b / jnp.diag(A)
    for _ in range(8):
        x = x + (b - A.T @ x) / jnp.diag(A)
    return x


@pytest.mark.parametrize("wrong", [_with(A), lambda _, b: b, lambda _, b: -jnp.linalg.solve(A.T, b)])
def test_the_caller_s_transposed_solve_is_the_caller_s_formula(wrong):
    for f in (_solved(_with(A), wrong), jax.jit(_solved(_with(A), wrong))):
        found = check_gradient(f, (_full(3),))
        assert found.verdict == "wrong"
        assert "fault" not in str(found)


@pytest.mark.parametrize("right", [_with(A.T), _nearly, lambda _, b: jnp.linalg.inv(A.T) @ b])
def test_a_solve_by_any_algorithm_is_the_equation(right):
    assert check_gradient(_solved(_with(A), right), (_full(3),)).verdict != "wrong"
