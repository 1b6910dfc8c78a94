"""JAX as an oracle: the catalogue in JAX, eager or compiled by `jax.jit`, differentiated by `jax.vjp`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, final

import numpy as np

from oracles.exact.program.recording import Recording
from oracles.frameworks.framework import Array, Subject, framework
from oracles.oracle import Case, Oracle


@final
class JaxOracle(Oracle):
    """Asks JAX on one device ("cpu" unless told otherwise), operation by operation or compiled as a whole.

    Functions of JAX's own that are compiled (`jax.nn.silu`, `jnp.where`) are so in both.
    """

    package = "jax"
    machine = "jax"

    def __init__(self, device: str = "cpu", compiled: bool = False) -> None:
        self.name = "jax-jit" if compiled else "jax"
        self.device = device
        self._eager = JaxOracle(device) if compiled else self
        self.sparse = not compiled  # JAX compiles each single operation for each shape
        self._programs = cache(_compiled if compiled else _eager)

    @property
    def eager(self) -> JaxOracle:
        """The same functions, not compiled."""
        return self._eager

    def unsupported(self, case: Case) -> str:
        """A case that is not written in `jax_functions`."""
        from oracles.jax_functions import FUNCTIONS

        return "" if case.name in FUNCTIONS else f"{case.name} is not written in oracles/jax_functions.py"

    def subject(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case; where it is compiled, once per process and shape."""
        import jax

        device, wide = jax.devices(self.device)[0], dtype == np.float64
        eager = self._eager is self
        return framework("jax").subject(*self._programs(case), device, wide, primal=eager)

    def record(self, case: Case, cotangent: Array | None, args: tuple[Array, ...]) -> Recording:
        """The jaxpr of `jax.vjp`, custom rules and all; compiling it changes its rounding, not its formula.

        The outputs are the gradients that are not None. Without a cotangent it is the jaxpr of the value.
        """
        from oracles.jax_functions import FUNCTIONS

        own, function = framework("jax"), FUNCTIONS[case.name]
        if cotangent is None:
            return own.record(function, args, differentiate=False)
        return own.record(own.pullback(function, case.argnums), (cotangent, *args), differentiate=False)


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
