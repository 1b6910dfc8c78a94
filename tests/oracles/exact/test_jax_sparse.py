"""JAX's sparse arrays: the truth of the dense function, in the stored values and in what they meet."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import sparse

import harness
from harness.verdicts import Verdict

X = jnp.arange(5.0) + 0.5
D = np.array([[0, 1.5, 0, 0, 2], [0, 0, 0, 0.3, 0], [1, 0, 0, 0, -2.0]], np.float32)
ROWS, COLUMNS = np.nonzero(D)
PLACES = np.stack([ROWS, COLUMNS], -1).astype(np.int32)
VALUES, STARTS = jnp.asarray(D[ROWS, COLUMNS]), np.searchsorted(ROWS, range(len(D) + 1)).astype(np.int32)
# Written down, since `fromdense` of each compiles for seconds.
ROWS, COLUMNS, STARTS = (jnp.asarray(a, jnp.int32) for a in (ROWS, COLUMNS, STARTS))
BCOO = sparse.BCOO((VALUES, jnp.asarray(PLACES)), shape=D.shape)
KINDS = {
    "BCOO": BCOO,
    "BCSR": sparse.BCSR((VALUES, COLUMNS, STARTS), shape=D.shape),
    "CSR": sparse.CSR((VALUES, COLUMNS, STARTS), shape=D.shape),
    "COO": sparse.COO((VALUES, ROWS, COLUMNS), shape=D.shape),
}
BATCH = sparse.BCOO(
    (jnp.asarray(np.stack([D, 2 * D])[:, *PLACES.T]), jnp.asarray([PLACES] * 2)), shape=(2, *D.shape)
)
BATCHED = (((2,), (1,)), ((0,), (0,)))
TWICE = jnp.asarray(PLACES[[0, 0, *range(2, len(PLACES))]])


def stored(d):
    return sparse.BCOO((d, BCOO.indices), shape=D.shape)


OF_VECTORS = {
    **{name: lambda x, s=s: s @ jnp.sin(x) for name, s in KINDS.items()},
    **{f"{name} by a matrix": lambda x, s=s: s @ jnp.outer(x, x) for name, s in KINDS.items()},
    "from the left": lambda x: x @ BCOO.T,
    "padded": lambda x: sparse.BCOO.fromdense(D, nse=8) @ x,
    "a batch": lambda x: sparse.bcoo_dot_general(BATCH, jnp.stack([x, x**2]), dimension_numbers=BATCHED),
    "sparsify": lambda x: sparse.sparsify(lambda m, v: m @ v + jnp.sin(v)[:3])(BCOO, x),
    "jit": jax.jit(lambda x: BCOO @ x),
}
OF_VALUES = {
    "a product": lambda d: stored(d) @ X,
    "to dense": lambda d: stored(d).todense() ** 2,
    "a sum": lambda d: sparse.bcoo_reduce_sum(stored(d), axes=(1,)).todense(),
    "a place twice": lambda d: sparse.BCOO((d, TWICE), shape=D.shape) @ X,
    "in compressed rows": lambda d: (
        sparse.BCSR((d, KINDS["BCSR"].indices, KINDS["BCSR"].indptr), shape=D.shape) @ X
    ),
}


@pytest.mark.parametrize("name", OF_VECTORS)
def test_a_product_with_what_is_sparse_is_proven(name):
    assert harness.check_gradient(OF_VECTORS[name], (X,)).verdict is Verdict.ACCURATE


@pytest.mark.parametrize("name", OF_VALUES)
def test_the_stored_values_are_differentiated(name):
    assert harness.check_gradient(OF_VALUES[name], (BCOO.data,)).verdict is Verdict.ACCURATE


@pytest.mark.parametrize(
    ("matrix", "verdict"), [(BCOO.T, Verdict.ACCURATE), (2 * BCOO.T, Verdict.WRONG), (-BCOO.T, Verdict.WRONG)]
)
def test_a_rule_by_hand_is_judged(matrix, verdict):
    f = jax.custom_vjp(lambda x: BCOO @ x)
    f.defvjp(lambda x: (BCOO @ x, None), lambda _, g: (matrix @ g,))
    assert harness.check_gradient(f, (X,)).verdict is verdict
