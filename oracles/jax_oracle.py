"""JAX as an oracle: the catalogue in JAX, eager or compiled by `jax.jit`, differentiated by `jax.vjp`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any, final

import numpy as np

from oracles.frameworks.framework import Subject, framework
from oracles.oracle import Case, WrittenOracle


@final
class JaxOracle(WrittenOracle):
    """Asks JAX on one device ("cpu" unless told otherwise), operation by operation or compiled as a whole.

    Functions of JAX's own that are compiled (`jax.nn.silu`, `jnp.where`) are so in both.
    """

    package = "jax"
    machine = "jax"

    def __init__(self, device: str = "cpu", compiled: bool = False) -> None:
        self.name = "jax-jit" if compiled else "jax"
        how = "compiled as a whole" if compiled else "operation by operation"
        self.summary = f"The case in JAX, differentiated by JAX, {how}."
        self.device = device
        self.own = JaxOracle(device) if compiled else self
        self.sparse = not compiled  # JAX compiles each single operation for each shape
        self._programs = cache(_compiled if compiled else _eager)

    def subject(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case; where it is compiled, once per process and shape."""
        import jax

        device, wide = jax.devices(self.device)[0], dtype == np.float64
        own = framework("jax").subject(*self._programs(case), device, wide, primal=self.own is self)
        if not wide:
            return own
        # The catalogue's functions hold no arrays, so 64 bits need not run apart, which would cost time.
        return replace(own, load=_in_64(own.load), value=_in_64(own.value), gradient=_in_64(own.gradient))


def _in_64(function: Callable[..., Any]) -> Callable[..., Any]:
    import jax

    def call(*given: Any) -> Any:
        with jax.enable_x64(True):
            return function(*given)

    return call


def _eager(case: Case) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The case's value, and its pullback with the value that it computes anyway."""
    from oracles.jax_functions import FUNCTIONS

    function = FUNCTIONS[case.name]
    return function, framework("jax").pullback(function, case.argnums, primal=True)


def _compiled(case: Case) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Both under `jax.jit`; to return the value too would be to compile another program."""
    from oracles.frameworks.in_jax import compiled
    from oracles.jax_functions import FUNCTIONS

    function = FUNCTIONS[case.name]
    return compiled(function), compiled(framework("jax").pullback(function, case.argnums))
