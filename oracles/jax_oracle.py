"""JAX as an oracle: the catalogue in JAX, eager or compiled by `jax.jit`, differentiated by `jax.vjp`."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, final

import numpy as np

from oracles.oracle import Array, Gradient, Oracle, Subject

if TYPE_CHECKING:
    from harness.case import Case
    from oracles.exact.program.recording import Recording


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

    def prepare(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case; where it is compiled, once per process and shape.

        float64 runs inside JAX's 64-bit context and float32 outside it (inside, a float32 program may
        return float64), so the user's global setting is neither needed nor touched.
        """
        import jax

        wide, device = dtype == np.float64, jax.devices(self.device)[0]
        value_program, gradient_program = self._programs(case)

        def load(array: Array) -> Any:
            with jax.enable_x64(wide):
                return jax.device_put(array, device)

        def value(*args: Any) -> Any:
            with jax.enable_x64(wide):
                return _finished(value_program(*args))

        def gradient(cotangent: Any, *args: Any) -> Any:
            with jax.enable_x64(wide):
                return _finished(gradient_program(cotangent, *args))

        return Subject(load, value, gradient, np.asarray, _as_gradient)

    def record(self, case: Case, cotangent: Array | None, args: tuple[Array, ...]) -> Recording:
        """The jaxpr of `jax.vjp`, custom rules and all; compiling it changes its rounding, not its formula.

        The outputs are the gradients that are not None. Without a cotangent it is the jaxpr of the value.
        """
        from oracles.exact.from_jaxpr import record

        value, gradient = _eager(case)
        if cotangent is None:
            return record(value, args, {}, edges=False, paired=True)
        return record(gradient, (cotangent, *args), {}, edges=False, paired=True)


def _eager(case: Case) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """The case's value and its pullback, `pull(cotangent, *args)`."""
    from oracles.exact.from_jaxpr import pullback
    from oracles.jax_functions import FUNCTIONS

    function = FUNCTIONS[case.name]
    return function, pullback(function, case.argnums)


def _compiled(case: Case) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Both under `jax.jit`."""
    import jax

    value, gradient = _eager(case)
    return jax.jit(value), jax.jit(gradient)


def _finished(result: Any) -> Any:
    import jax

    return jax.block_until_ready(result)  # type: ignore[no-untyped-call]


def _as_gradient(result: Any) -> Gradient:
    return Gradient(tuple(None if g is None else np.asarray(g) for g in result))
