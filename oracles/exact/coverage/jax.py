"""Whose gradients are proven: every function of the table, JAX's own gradient against the enclosure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from oracles.exact.coverage.jax_samples import Sample, samples
from oracles.exact.coverage.operations import BITS, examined
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_jaxpr import is_floating, record
from oracles.exact.program.derive import vjp
from oracles.exact.program.program import Array


def coverage() -> Iterator[tuple[str, str]]:
    """Each function's name and "proven", or "disagrees", "unsupported", "undecided" or "error", and why."""
    with jax.enable_x64(True):
        for sample in samples():
            yield sample.name, examine(sample)


def examine(sample: Sample) -> str:
    """One function: its gradient along seeded random cotangents, ours and JAX's."""
    return examined(lambda: _gradients(sample), "JAX")


def _gradients(sample: Sample) -> tuple[list[Array], list[Array]]:
    recording = record(sample.function, sample.args, sample.kwargs)
    outputs = tuple(v for v in recording.program.outputs if v.is_float)
    if not outputs or not recording.values:
        raise ValueError("nothing to differentiate")
    draw = np.random.default_rng(0)
    cotangents = [np.round(draw.normal(size=v.shape), 2) for v in outputs]
    program = vjp(replace(recording.program, outputs=outputs), range(len(recording.values)))
    proven = evaluate(program, [*recording.values, *cotangents], BITS)
    return proven, _gradient(sample, recording.values, cotangents)


def _gradient(sample: Sample, values: tuple[Array, ...], cotangents: list[Array]) -> list[Array]:
    leaves, tree = jax.tree.flatten(sample.args)
    moving = [i for i, leaf in enumerate(leaves) if is_floating(leaf)]

    def of_moving(*numbers: Any) -> list[Any]:
        whole = list(leaves)
        for i, number in zip(moving, numbers, strict=True):
            whole[i] = number
        found = jax.tree.leaves(sample.function(*jax.tree.unflatten(tree, whole), **sample.kwargs))
        return [y for y in found if jnp.issubdtype(jnp.result_type(y), jnp.floating)]

    @jax.jit  # one program to compile, and not each operation
    def gradient(numbers: list[jax.Array], along: list[jax.Array]) -> Any:
        return jax.vjp(of_moving, *numbers)[1](along)

    found = gradient([jnp.asarray(v) for v in values], [jnp.asarray(c) for c in cotangents])
    return [np.asarray(g) for g in found]
