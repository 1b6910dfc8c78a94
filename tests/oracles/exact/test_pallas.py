"""Pallas kernels that are interpreted are read as JAX; others are named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental import pallas as pl

from harness import check_gradient
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_jaxpr import record
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Unsupported

X = np.array([[0.5, -1.25, 2.0, 0.75], [1.5, -0.25, 0.25, 0.9]], "float32")


def kernel(body, shape=X.shape, **more):
    def call(*args):
        out = jax.ShapeDtypeStruct(shape, args[0].dtype)
        return pl.pallas_call(body, out_shape=out, **{"interpret": True, **more})(*args)

    return call


def cube(x_ref, o_ref):
    o_ref[...] = x_ref[...] ** 3


def by_program(x_ref, o_ref):
    o_ref[...] = x_ref[...] * (1.0 + pl.program_id(0))


def summed(x_ref, o_ref):
    @pl.when(pl.program_id(1) == 0)
    def _():
        o_ref[...] = jnp.zeros_like(o_ref)

    o_ref[...] += x_ref[...] * x_ref[...]


def looped(x_ref, o_ref):
    def step(k, total):
        return total + x_ref[0, k] * k

    o_ref[...] = jnp.full((1, 4), jax.lax.fori_loop(0, 4, step, 0.0))


def scratched(x_ref, o_ref, kept):
    kept[...] = jnp.exp(x_ref[...])
    o_ref[0, :] = kept[1, :]
    o_ref[1, :] = 2 * kept[0, ::1]


ROWS, CELLS = pl.BlockSpec((1, 4), lambda i: (i, 0)), pl.BlockSpec((2, 2), lambda i, j: (i, j))
SCRATCH = pl.MemoryRef(jax.core.ShapedArray(X.shape, jnp.float32), pl.ANY)
KERNELS = {
    "no grid": kernel(cube),
    "rows": kernel(by_program, grid=(2,), in_specs=[ROWS], out_specs=ROWS),
    "two axes": kernel(cube, grid=(1, 2), in_specs=[CELLS], out_specs=CELLS),
    "a sum over the grid": kernel(
        summed, (2, 2), grid=(1, 2), in_specs=[CELLS], out_specs=pl.BlockSpec((2, 2), lambda i, j: (i, 0))
    ),
    "blocks beyond the edge": kernel(
        cube, grid=(2,), in_specs=[pl.BlockSpec((2, 3), lambda j: (0, j))],
        out_specs=pl.BlockSpec((2, 3), lambda j: (0, j)),
    ),
    "a loop": kernel(looped, grid=(2,), in_specs=[ROWS], out_specs=ROWS),
    "scratch memory": kernel(scratched, scratch_shapes=[SCRATCH]),
    "in a call": jax.jit(lambda x: kernel(cube)(x) * 2),
    "in a branch": lambda x: jax.lax.cond(x[0, 0] > 0, kernel(cube), lambda x: x, x),
    "in a loop": lambda x: jax.lax.fori_loop(0, 2, lambda k, y: kernel(cube)(y), x),
    "vmapped": jax.vmap(kernel(cube, (4,))),
}  # fmt: skip


@pytest.mark.parametrize("function", KERNELS.values(), ids=KERNELS)
def test_an_interpreted_kernel_is_what_it_computes(function):
    """Its values are those that run, and its derivative is that of differences."""
    recording = record(function, (X,), {})
    (value,) = evaluate(recording.program, recording.values, 64)
    ran = np.asarray(function(X))
    np.testing.assert_allclose(np.vectorize(float)(value), ran, rtol=1e-6)
    g, step = np.linspace(-1, 1, ran.size).reshape(ran.shape), np.linspace(0.5, 1, 8).reshape(2, 4)
    (slope,) = evaluate(vjp(recording.program, [0]), [*recording.values, g], 64)
    h = 2.0**-20
    ends = [evaluate(recording.program, [X + s * h * step], 64)[0] for s in (1.0, -1.0)]
    across = float(np.sum(g * (ends[0] - ends[1])) / (2 * h))
    assert float(np.sum(slope * step)) == pytest.approx(across, rel=1e-6, abs=1e-9)


@jax.custom_vjp
def ruled(x, factor):
    return kernel(lambda x_ref, o_ref: o_ref.__setitem__(..., jnp.sin(x_ref[...] * 0.1)))(x)


def of_sine(residuals, g):
    x, factor = residuals

    def body(x_ref, g_ref, f_ref, o_ref):
        o_ref[...] = f_ref[...] * 0.1 * g_ref[...] * jnp.cos(x_ref[...] * 0.1)

    return kernel(body)(x, g, jnp.full(x.shape, factor, x.dtype)), None


ruled.defvjp(lambda x, factor: (ruled(x, factor), (x, factor)), of_sine)


def test_a_rule_of_kernels_is_proven_with_its_literals():
    found = check_gradient(lambda x: ruled(x, 1.0), (jnp.asarray(X),), probes=[])
    assert (found.verdict, found.is_examined, found.notes) == ("accurate", True, ())
    wrong = check_gradient(lambda x: ruled(x, 1.01), (jnp.asarray(X),), probes=[])
    assert wrong.verdict == "wrong"


def test_a_compiled_kernel_is_named():
    with pytest.raises(Unsupported, match="pallas_call: a kernel that runs compiled cannot be looked"):
        record(kernel(cube, interpret=False), (X,), {})
