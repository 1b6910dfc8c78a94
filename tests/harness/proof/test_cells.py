"""A table that is interpolated, where rounding decides which cell is read: 0.3 * 10 is 3, and exactly less.

What half an ulp does across it excuses nothing, in any framework.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import harness

TABLE = np.array([1.0, 3.0, -2.0, 4.0, 0.0, 2.0])


def between(x, table, cells):
    t = x * 10 - cells
    return table[cells] * (1 - t) + table[cells + 1] * t


def in_numpy(x):
    def function(x, table):
        return between(x, table, np.floor(x * 10).astype(int))

    def pullback(g, x, table):
        cells = np.floor(x * 10).astype(int)
        t, onto = x * 10 - cells, np.zeros_like(table)
        np.add.at(onto, cells, g * (1 - t))
        np.add.at(onto, cells + 1, g * t)
        return g * 10 * (table[cells + 1] - table[cells]), onto

    return harness.check_gradient(function, (x, TABLE), vjp=pullback)


def in_jax(x):
    def function(x, table):
        return between(x, table, jnp.floor(x * 10).astype(int))

    with jax.enable_x64(True):
        return harness.check_gradient(function, (jnp.asarray(x), jnp.asarray(TABLE)))


def in_torch(x):
    def function(x, table):
        return between(x, table, torch.floor(x * 10).long())

    return harness.check_gradient(function, (torch.tensor(x), torch.tensor(TABLE)))


@pytest.mark.parametrize("check", [in_numpy, in_jax, in_torch])
@pytest.mark.parametrize(
    ("x", "verdict"),
    [
        ([0.3, 0.33], "imprecise"),
        ([0.3, 0.1, 0.2, 0.4], "imprecise"),  # each at an edge
        ([0.1, 0.33], "accurate"),
        ([0.12, 0.33], "accurate"),
    ],
)
def test_what_lies_in_another_cell_excuses_nothing(check, x, verdict):
    found = check(np.array(x))
    assert found.verdict == verdict
    assert ("rounding decides" in str(found)) == (verdict == "imprecise")
