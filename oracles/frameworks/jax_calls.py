"""JAX's functions that a derivative calls where it runs, and the same run where some give other numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr

from oracles.exact.from_jaxpr import x64_for
from oracles.exact.program.errors import Unsupported
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.jax_ownership import has_rules
from oracles.frameworks.jax_run import Run, Slot, is_floating


def watched(derivative: Callable[..., Any], inputs: Sequence[Any], mend: Mend, device: Any = None) -> Watched:
    """Run a derivative, and see what it calls.

    Raises:
        Unsupported: It cannot be traced.
    """
    from oracles.frameworks.in_jax import Pullback, Pushforward

    with jax.default_device(device):
        try:
            if isinstance(derivative, Pullback):
                return differentiated(derivative.function, derivative.argnums, inputs, mend)
            if isinstance(derivative, Pushforward):
                return pushed(derivative.function, derivative.argnums, inputs, mend)
            return evaluated(derivative, inputs, mend)
        except jax.errors.JAXTypeError as problem:
            raise Unsupported(f"what it calls cannot be seen: {problem}") from problem


def differentiated(
    function: Callable[..., Any], argnums: Sequence[int], inputs: Sequence[Any], mend: Mend
) -> Watched:
    """Run the gradient of a function, `inputs` being its cotangents and its arguments."""
    cotangents, *args = inputs
    run = Run(mend, differentiates=True)
    with _for(inputs):
        closed, given = _traced(function, args)
        waiting = iter(jax.tree.leaves(cotangents))
        for slot in run.forward(closed, given):
            if is_floating(slot.value):
                slot.cotangent = jax.numpy.asarray(next(waiting), slot.value.dtype)
        run.backward()
        arrays = tuple(_or_zeros(given[k].cotangent, given[k].value) for k in argnums)
    ruled = has_rules(closed)
    return Watched(arrays, tuple(run.calls), run.complete, not ruled, ruled)


def pushed(
    function: Callable[..., Any], argnums: Sequence[int], inputs: Sequence[Any], mend: Mend
) -> Watched:
    """Run a function along tangents, `inputs` being these and its arguments."""
    tangents, *args = inputs
    run = Run(mend, moves=True)
    with _for(inputs):
        closed, given = _traced(function, args)
        for k, tangent in zip(argnums, tangents, strict=True):
            given[k].tangent = jax.numpy.asarray(tangent)
        found = [s for s in run.forward(closed, given) if is_floating(s.value)]
        arrays = tuple(_or_zeros(s.tangent, s.value) for s in found)
    ruled = has_rules(closed)
    return Watched(arrays, tuple(run.calls), run.complete, not ruled, ruled)


def evaluated(derivative: Callable[..., Any], inputs: Sequence[Any], mend: Mend) -> Watched:
    """Run a gradient that was written by hand."""
    run = Run(mend)
    with _for(inputs):
        loaded = jax.tree.map(jax.numpy.asarray, tuple(inputs))
        closed = jax.make_jaxpr(lambda *a: derivative(*a))(*loaded)
        found = run.forward(closed, list(map(Slot, jax.tree.leaves(loaded))))
        arrays = tuple(np.asarray(slot.value) for slot in found)
    return Watched(arrays, tuple(run.calls), run.complete)


def _traced(function: Callable[..., Any], args: Sequence[Any]) -> tuple[ClosedJaxpr, list[Slot]]:
    """The jaxpr of a function, and its arguments."""
    loaded = list(map(jax.numpy.asarray, args))
    return jax.make_jaxpr(lambda *a: jax.tree.leaves(function(*a)))(*loaded), list(map(Slot, loaded))


def _or_zeros(derivative: Any, like: Any) -> Any:
    """A derivative on the host; zeros where nothing has reached it."""
    return np.asarray(jax.numpy.zeros_like(like) if derivative is None else derivative)


def _for(inputs: Sequence[Any]) -> Any:
    return x64_for(any(str(leaf.dtype) == "float64" for leaf in jax.tree.leaves(tuple(inputs))))
