"""A user's function in its own framework: how it is run, recorded as a program, and differentiated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.case import Array
from oracles.exact.errors import Unsupported
from oracles.exact.recording import Recording
from oracles.oracle import Gradient, Subject

Function = Callable[..., Any]
NAMES = ("numpy", "jax", "torch")


@dataclass(frozen=True, slots=True)
class UserFunction:
    """A function and the gradient under test, both in one framework.

    Attributes:
        framework: "numpy", "jax" or "torch".
        function: The function.
        pull: `pull(cotangent, *args)`, its gradients for the differentiated arguments, as a tuple.
        jit: Whether JAX compiles both.
    """

    framework: str
    function: Function
    pull: Function
    jit: bool = False

    def record(self, function: Function, args: Sequence[Any], edges: bool) -> Recording:
        """A function of this framework as a program; with `edges` it is to be differentiated."""
        if self.framework == "numpy":
            from oracles.exact.from_numpy import record

            return record(function, tuple(args), {}, edges=edges)
        if self.framework == "jax":
            from oracles.exact.from_jaxpr import record as record_jax

            return record_jax(function, tuple(args), {}, edges=edges, paired=True)
        from oracles.exact.from_aten import record as record_torch

        return record_torch(function, tuple(args), {}, edges=edges)

    def subject(self, args: Sequence[Any]) -> Subject:
        """What runs them on arrays of the host, loaded to where the arguments are."""
        if self.framework == "numpy":
            return Subject(np.asarray, self.function, self.pull, np.asarray, _gradient(np.asarray))
        return self._jax(args) if self.framework == "jax" else self._torch(args)

    def _jax(self, args: Sequence[Any]) -> Subject:
        import jax

        wide = any(str(getattr(a, "dtype", "")) == "float64" for a in args)
        function, pull = (jax.jit(f) if self.jit else f for f in (self.function, self.pull))

        def inside(f: Function) -> Function:
            def call(*values: Any) -> Any:
                with jax.enable_x64(wide):
                    return jax.block_until_ready(f(*values))  # type: ignore[no-untyped-call]

            return call

        load = inside(lambda array: jax.numpy.asarray(array))
        return Subject(load, inside(function), inside(pull), np.asarray, _gradient(np.asarray))

    def _torch(self, args: Sequence[Any]) -> Subject:
        import torch

        from oracles.torch_oracle import as_tensor

        devices = {str(a.device) for a in args if isinstance(a, torch.Tensor)}
        device = devices.pop() if len(devices) == 1 else "cpu"

        def value(*values: Any) -> Any:
            with torch.no_grad():
                return self.function(*values)

        return Subject(lambda a: as_tensor(a, device), value, self.pull, on_host, _gradient(on_host))


def differentiate(framework: str, function: Function, argnums: Sequence[int]) -> Function:
    """The framework's own pullback of a function.

    Raises:
        Unsupported: NumPy has none.
    """
    if framework == "jax":
        from oracles.exact.from_jaxpr import pullback

        return pullback(function, argnums)
    if framework == "torch":
        from oracles.torch_oracle import pullback as pullback_torch

        return pullback_torch(function, argnums)
    raise Unsupported("NumPy does not differentiate; pass the hand-written gradient as vjp=")


def framework_of(function: Function, args: Sequence[Any]) -> str:
    """By the arguments' types, else by the module the function comes from; NumPy if neither says."""
    roots = {type(a).__module__.partition(".")[0] for a in args}
    if "torch" in roots:
        return "torch"
    if roots & {"jax", "jaxlib"}:
        return "jax"
    home = str(getattr(function, "__module__", "")).partition(".")[0]
    return {"jax": "jax", "torch": "torch"}.get(home, "numpy")


def on_host(array: Any) -> Array:
    """An array of any framework as NumPy's; bfloat16 as that of `ml_dtypes`, or float32 without it."""
    if type(array).__module__.partition(".")[0] != "torch":
        return np.asarray(array)
    import torch

    array = array.detach().cpu()
    if array.dtype != torch.bfloat16:
        return np.asarray(array.numpy())
    try:
        import ml_dtypes
    except ImportError as missing:
        raise Unsupported("bfloat16 tensors need the package ml_dtypes: pip install ml_dtypes") from missing
    found: Array = array.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return found


def _gradient(fetch: Callable[[Any], Array]) -> Callable[[Any], Gradient]:
    def gradient(result: Any) -> Gradient:
        parts = result if isinstance(result, (tuple, list)) else (result,)
        return Gradient(tuple(None if g is None else fetch(g) for g in parts))

    return gradient
