"""JAX as an oracle: the catalogue in JAX, differentiated by `jax.vjp`, compiled by `jax.jit`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, final

import numpy as np

from oracles.oracle import Array, Gradient, Oracle, Subject

if TYPE_CHECKING:
    from harness.case import Case


@final
class JaxOracle(Oracle):
    """Asks JAX on one device ("cpu" unless told otherwise)."""

    name = "jax"
    package = "jax"

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._compiled = cache(_compile)

    def unsupported(self, case: Case) -> str:
        """A case that is not written in `jax_functions`."""
        from oracles.jax_functions import FUNCTIONS

        return "" if case.name in FUNCTIONS else f"{case.name} is not written in oracles/jax_functions.py"

    def prepare(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case, compiled once per process and shape.

        float64 runs inside JAX's 64-bit context and float32 outside it (inside, a float32 program may
        return float64), so the user's global setting is neither needed nor touched.
        """
        import jax

        wide, device = dtype == np.float64, jax.devices(self.device)[0]
        compiled_value, compiled_gradient = self._compiled(case)

        def load(array: Array) -> Any:
            with jax.enable_x64(wide):
                return jax.device_put(array, device)

        def value(*args: Any) -> Any:
            with jax.enable_x64(wide):
                return _finished(compiled_value(*args))

        def gradient(cotangent: Any, *args: Any) -> Any:
            with jax.enable_x64(wide):
                return _finished(compiled_gradient(cotangent, *args))

        return Subject(load, value, gradient, np.asarray, _as_gradient)


def _compile(case: Case) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The case's value and its pullback, `pullback(cotangent, *args)`, both under `jax.jit`."""
    import jax

    from oracles.jax_functions import FUNCTIONS

    function = FUNCTIONS[case.name]

    def pullback(cotangent: Any, *args: Any) -> Any:
        def of_differentiated(*moving: Any) -> Any:
            full = list(args)
            for position, argument in zip(case.argnums, moving, strict=True):
                full[position] = argument
            return function(*full)

        out, pull = jax.vjp(of_differentiated, *(args[i] for i in case.argnums))
        if not jax.numpy.issubdtype(out.dtype, jax.numpy.floating):
            return (None,) * len(case.argnums)
        return pull(cotangent)

    return jax.jit(function), jax.jit(pullback)


def _finished(result: Any) -> Any:
    import jax

    return jax.block_until_ready(result)  # type: ignore[no-untyped-call]


def _as_gradient(result: Any) -> Gradient:
    return Gradient(tuple(None if g is None else np.asarray(g) for g in result))
