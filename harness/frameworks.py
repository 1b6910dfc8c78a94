"""A user's function in its own framework: how it is run, recorded as a program, and differentiated."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.inputs.arrays import Array
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.recording import Recording
from oracles.oracle import Gradient, Subject

Function = Callable[..., Any]
NAMES = ("numpy", "jax", "torch")


@dataclass(frozen=True, slots=True)
class UserFunction:
    """A function and the gradient under test, both in one framework.

    Attributes:
        framework: "numpy", "jax" or "torch".
        function: The function, of arrays; it returns a tuple of them.
        pull: `pull(directions, *args)`, its derivatives, as a tuple.
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
            return Subject(np.asarray, self.function, self.pull, _values(np.asarray), _gradient(np.asarray))
        return self._jax(args) if self.framework == "jax" else self._torch(args)

    def _jax(self, args: Sequence[Any]) -> Subject:
        import jax

        wide = any(str(getattr(a, "dtype", "")) == "float64" for a in args)

        def inside(f: Function) -> Function:
            def call(*values: Any) -> Any:
                try:
                    with jax.enable_x64(wide):
                        return jax.block_until_ready(f(*values))  # type: ignore[no-untyped-call]
                except jax.errors.UnexpectedTracerError as leak:
                    raise ValueError(
                        "the function closes over a value of a trace that has ended; pass it as an argument"
                    ) from leak

            return call

        def compiled(f: Function) -> Function:
            # A new function each time: JAX would take one that is equal for one that it has compiled.
            return jax.jit(lambda *values: f(*values)) if self.jit else f

        load = inside(lambda array: jax.numpy.asarray(array))
        value, gradient = (inside(compiled(f)) for f in (self.function, self.pull))
        return Subject(load, value, gradient, _values(np.asarray), _gradient(np.asarray))

    def _torch(self, args: Sequence[Any]) -> Subject:
        import torch

        from oracles.torch_oracle import as_tensor

        devices = {str(a.device) for a in args if isinstance(a, torch.Tensor)}
        device = devices.pop() if len(devices) == 1 else "cpu"

        def value(*values: Any) -> Any:
            with torch.no_grad():
                return self.function(*values)

        return Subject(lambda a: as_tensor(a, device), value, self.pull, _values(on_host), _gradient(on_host))


@contextmanager
def differentiating() -> Iterator[None]:
    """torch as it is where gradients are taken, whatever mode the caller is in (no_grad, inference)."""
    torch = sys.modules.get("torch")
    if torch is None:
        yield
    else:
        with torch.inference_mode(False), torch.enable_grad():
            yield


def differentiate(
    framework: str, function: Function, argnums: Sequence[int], nested: bool = False
) -> Function:
    """The framework's own pullback of a function of arrays; `nested` where that is differentiated again.

    Raises:
        Unsupported: NumPy has none.
    """
    if framework == "jax":
        from oracles.exact.from_jaxpr import pullback

        return pullback(function, argnums)
    if framework == "torch":
        from oracles.torch_oracle import pullback as pullback_torch

        return pullback_torch(function, argnums, nested)
    raise Unsupported("NumPy does not differentiate; pass the hand-written gradient as vjp=")


def push_forward(framework: str, function: Function, argnums: Sequence[int]) -> Function:
    """The framework's own forward derivative of a function of arrays that returns a tuple of them.

    Raises:
        Unsupported: NumPy has none.
    """
    if framework == "jax":
        from oracles.exact.from_jaxpr import Pushforward

        return Pushforward(function, tuple(argnums))
    if framework == "torch":
        from oracles.torch_oracle import pushforward

        return pushforward(function, argnums)
    raise Unsupported("NumPy does not differentiate; forward modes are for JAX and torch")


def with_forward_rule(function: Function, rule: Function) -> Function:
    """A JAX function whose forward derivative is `rule(primals, tangents)`, which gives both."""
    import jax

    def plain(*args: Any) -> Any:
        return function(*args)

    ruled = jax.custom_jvp(functools.update_wrapper(plain, function))
    ruled.defjvp(lambda primals, tangents: rule(primals, tangents))
    return ruled


def zeros_like(framework: str, array: Any) -> Any:
    """Zeros in an array's shape and dtype."""
    if framework == "torch":
        import torch

        return torch.zeros_like(array)
    import jax

    return jax.numpy.zeros_like(array)


def with_parameters(f: Function, args: Sequence[Any]) -> tuple[Function, Sequence[Any]]:
    """A `torch.nn.Module` as a function of its parameters too, and its arguments with them; others as are."""
    torch = sys.modules.get("torch")
    if torch is None or not isinstance(f, torch.nn.Module):
        return f, args
    from torch.func import functional_call

    module: Any = f
    parameters = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad}
    if not parameters:
        return f, args

    def call(parameters: Any, *args: Any, **kwargs: Any) -> Any:
        return functional_call(module, parameters, args, kwargs)

    first = inspect.Parameter("parameters", inspect.Parameter.POSITIONAL_ONLY)
    own = [p.replace(kind=first.kind) for p in inspect.signature(module.forward).parameters.values()]
    call.__signature__ = inspect.Signature([first, *own])  # type: ignore[attr-defined]
    call.__name__ = type(module).__name__
    return call, (parameters, *args)


def framework_of(function: Function, args: Sequence[Any]) -> str:
    """By the arguments' types, else by the module the function comes from; NumPy if neither says."""
    roots = {type(a).__module__.partition(".")[0] for a in args}
    if "torch" in roots:
        return "torch"
    if roots & {"jax", "jaxlib"}:
        return "jax"
    home = str(getattr(function, "__module__", None) or type(function).__module__).partition(".")[0]
    return {"jax": "jax", "torch": "torch"}.get(home, "numpy")


def on_host(array: Any) -> Array:
    """An array of any framework as NumPy's; bfloat16 as that of `ml_dtypes`, or float32 without it."""
    if type(array).__module__.partition(".")[0] != "torch":
        return np.asarray(array)
    import torch

    array = array.detach().cpu()
    if array.dtype != torch.bfloat16:
        return np.asarray(array.numpy(force=True))  # autograd's zeros without memory too
    try:
        import ml_dtypes
    except ImportError as missing:
        raise Unsupported("bfloat16 tensors need the package ml_dtypes: pip install ml_dtypes") from missing
    found: Array = array.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return found


def _values(fetch: Callable[[Any], Array]) -> Callable[[Any], tuple[Array, ...]]:
    return lambda found: tuple(map(fetch, found))


def _gradient(fetch: Callable[[Any], Array]) -> Callable[[Any], Gradient]:
    def gradient(result: Any) -> Gradient:
        parts = result if isinstance(result, (tuple, list)) else (result,)
        return Gradient(tuple(None if g is None else fetch(g) for g in parts))

    return gradient
