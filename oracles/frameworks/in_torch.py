"""torch: run eagerly or compiled, on one device; recorded operator by operator, as autograd runs them."""

from __future__ import annotations

import importlib
import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.autograd import forward_ad
from torch.func import functional_call
from torch.utils._pytree import tree_map

from oracles.exact.from_aten import record
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.recording import Recording
from oracles.frameworks.framework import Array, Framework, Function, Subject, gradient_by, values_by


class _Torch(Framework):
    name = "torch"

    def record(
        self, function: Function, args: Sequence[Any], differentiate: bool, exactly: bool = False
    ) -> Recording:
        return record(function, tree_map(_as_given, tuple(args)), {}, differentiate=differentiate)

    def subject(
        self, value: Function, gradient: Function, device: Any = None, wide: bool = True, primal: bool = False
    ) -> Subject:
        def load(array: Array) -> Any:
            return as_tensor(array, device or "cpu")

        def run(*args: Any) -> Any:
            with torch.no_grad():
                return value(*args)

        return Subject(load, run, gradient, values_by(self.on_host), gradient_by(self.on_host, primal))

    def device_of(self, args: Sequence[Any]) -> Any:
        devices = {str(a.device) for a in args if isinstance(a, torch.Tensor)}
        return devices.pop() if len(devices) == 1 else None

    def pullback(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        return pullback(function, argnums, nested)

    def pushforward(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        return pushforward(function, argnums, nested)

    def on_host(self, array: Any) -> Array:
        """An array as NumPy's; bfloat16 as that of `ml_dtypes`.

        Raises:
            Unsupported: It is bfloat16, and ml_dtypes is not installed.
        """
        if not isinstance(array, torch.Tensor):
            return np.asarray(array)
        array = array.detach().cpu()
        if array.dtype != torch.bfloat16:
            return np.asarray(array.numpy(force=True))  # autograd's zeros without memory too
        try:
            import ml_dtypes
        except ImportError as missing:
            raise Unsupported(
                "bfloat16 tensors need the package ml_dtypes: pip install ml_dtypes"
            ) from missing
        found: Array = array.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return found

    def zeros_like(self, array: Any) -> Any:
        return torch.zeros_like(array)

    def leaving_alone(self, gradient: Function) -> Function:
        def copying(directions: Any, *args: Any) -> Any:
            return gradient(tuple(d.clone() for d in directions), *(a.clone() for a in args))

        return copying


FRAMEWORK = _Torch()


def pullback(
    function: Callable[..., Any], argnums: Sequence[int], nested: bool = False
) -> Callable[..., tuple[Any, ...]]:
    """`pull(cotangent, *args)`: the gradients of a function of tensors for the arguments in `argnums`.

    The cotangent is a tuple where the function returns several tensors. A gradient is None where autograd
    has none. `nested` ones are differentiated again.
    """

    def pull(cotangent: Any, *args: Any) -> tuple[Any, ...]:
        # Whatever grad mode the caller is in: a gradient is what is asked for.
        with torch.enable_grad():
            leaves = [a.detach() if isinstance(a, torch.Tensor) and not nested else a for a in args]
            active = [leaves[i] if leaves[i].requires_grad else leaves[i].requires_grad_() for i in argnums]
            result = function(*leaves)
            several = isinstance(result, (tuple, list))
            pairs = zip(result, cotangent, strict=True) if several else [(result, cotangent)]
            reached = [(out, ct) for out, ct in pairs if out.requires_grad]
            if not reached:
                return (None,) * len(active)
            outputs, cotangents = zip(*reached, strict=True)
            found: tuple[Any, ...] = torch.autograd.grad(
                outputs, active, cotangents, allow_unused=True, create_graph=nested
            )
            return found

    return pull


def pushforward(
    function: Callable[..., Any], argnums: Sequence[int], nested: bool = False
) -> Callable[..., tuple[Any, ...]]:
    """`push(tangents, *args)`: the derivatives of a function's results along tangents, by dual numbers.

    `nested` ones are differentiated again.
    """
    kept = (lambda tensor: tensor) if nested else torch.Tensor.detach

    def push(tangents: Sequence[Any], *args: Any) -> tuple[Any, ...]:
        load_forward_mode()
        if forward_ad._current_level >= 0:
            raise Unsupported("torch does not nest forward mode; one step may be forward, the others reverse")
        with forward_ad.dual_level(), torch.enable_grad():
            full = list(args)
            for position, tangent in zip(argnums, tangents, strict=True):
                full[position] = forward_ad.make_dual(  # type: ignore[no-untyped-call]
                    kept(args[position]), tangent
                )
            duals = [
                forward_ad.unpack_dual(out)  # type: ignore[no-untyped-call]
                for out in function(*full)
            ]
            return tuple(torch.zeros_like(d.primal) if d.tangent is None else kept(d.tangent) for d in duals)

    return push


def load_forward_mode() -> None:
    """Load what torch loads with its first dual number, which warns of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch._decomp.decompositions_for_jvp")


def as_tensor(array: Any, device: str = "cpu") -> Any:
    """A NumPy array (bfloat16 is that of `ml_dtypes`) as a tensor with its strides; a tensor as it is."""
    if isinstance(array, torch.Tensor):
        return array.to(device)
    whole = np.asarray(array)
    if any(s < 0 for s in whole.strides):  # PyTorch has no negative strides
        whole = np.ascontiguousarray(whole)
    half = whole.dtype.name == "bfloat16"
    with warnings.catch_warnings():
        # A broadcast view is read-only, and its strides are what is to be tried; nothing writes.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        tensor = torch.from_numpy(whole.view(np.int16) if half else whole)
    return (tensor.view(torch.bfloat16) if half else tensor).to(device)


def _as_given(leaf: Any) -> Any:
    return as_tensor(leaf) if isinstance(leaf, np.ndarray | np.generic) else leaf


def module_as_function(f: Function, args: Sequence[Any], parameters: bool) -> tuple[Function, Sequence[Any]]:
    """A `torch.nn.Module` as a function, with `parameters` of its parameters too; and its arguments.

    Each call starts from the buffers that the module has now, and leaves them as they were. What is no module
    is returned as it is.
    """
    if not isinstance(f, torch.nn.Module):
        return f, args
    module: Any = f
    buffers = {name: b.detach().clone() for name, b in module.named_buffers()}
    active = {name: p.detach() for name, p in module.named_parameters() if p.requires_grad and parameters}
    if not buffers and not active:
        return f, args

    def call(*args: Any, **kwargs: Any) -> Any:
        own, rest = (args[0], args[1:]) if active else ({}, args)
        fresh = {name: b.clone() for name, b in buffers.items()}
        return functional_call(module, {**fresh, **own}, rest, kwargs)

    own = inspect.signature(module.forward).parameters.values()
    positional = [p.name for p in own if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}]
    call.argument_names = ["parameters", *positional] if active else positional  # type: ignore[attr-defined]
    call.__name__ = type(module).__name__
    return call, (active, *args) if active else args
