"""torch: run eagerly or compiled, on one device; recorded operator by operator, as autograd runs them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_map

from oracles.exact.from_aten import record
from oracles.exact.from_aten.memory import name_of, strange
from oracles.exact.from_aten.sparse import dense
from oracles.exact.from_aten.watch import laid_out
from oracles.exact.program.errors import Unsupported, first_line
from oracles.exact.program.program import Origin
from oracles.exact.program.recording import Recording
from oracles.exact.program.trees import Flat
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.framework import Array, Framework, Function, Subject, bfloat16, gradient_by, values_by
from oracles.frameworks.operands import Operands
from oracles.frameworks.torch_derivatives import graph, leaf_of, pullback, pushforward
from oracles.frameworks.torch_fast_paths import by_no_fast_path
from oracles.frameworks.torch_held import held_weights
from oracles.frameworks.torch_kept import Overwriting
from oracles.frameworks.torch_operands import operands_of, rules_in
from oracles.frameworks.torch_rules import has_rules

# Of what depends on the phase of eigenvectors or singular vectors, or by its rounding seems to.
PHASE = "specified up to multiplication by e^{i phi}"
NOT_FREED = "resize storage that is not resizable"
PLAIN = (torch.Tensor, torch.nn.Parameter, torch.nn.Buffer)


class _Torch(Framework):
    name = "torch"

    def _record(
        self, function: Function, args: Sequence[Any], differentiate: bool, exactly: bool
    ) -> Recording:
        return record(function, [_as_given(arg) for arg in args], {}, differentiate=differentiate)

    def subject(
        self, value: Function, gradient: Function, device: Any = None, wide: bool = True, primal: bool = False
    ) -> Subject:
        def load(array: Array) -> Any:
            return as_tensor(array, device or "cpu")

        value, gradient = _where_memory_is_freed(value), _where_memory_is_freed(gradient)

        def run(*args: Any) -> Any:
            """As it is called; as it is differentiated, if it needs that; or as autograd refuses it."""
            leaves, errors = tuple(map(leaf_of, args)), list[Exception]()
            for mode, given in ((torch.no_grad, leaves), (torch.enable_grad, leaves), (torch.no_grad, args)):
                try:
                    with mode():
                        return by_no_fast_path(value, given)
                except Exception as error:
                    errors.append(error)
            raise errors[1]

        def pull(*args: Any) -> Any:
            try:
                return gradient(*args)
            except RuntimeError as problem:
                if PHASE not in str(problem):
                    raise
                raise Unsupported(f"torch has no derivative of a phase ({first_line(problem)})") from None

        return Subject(load, run, pull, values_by(self.on_host), gradient_by(self.on_host, primal))

    def watched(self, derivative: Function, inputs: Sequence[Any], mend: Mend, device: Any = None) -> Watched:
        from oracles.frameworks.torch_calls import TorchCalls, duplicate, watched

        def load(array: Array) -> Any:
            return duplicate(as_tensor(array, device or "cpu"))

        calls = TorchCalls(mend, lambda tensor: self.on_host(duplicate(tensor.detach())), load)
        return watched(derivative, tree_map(load, tuple(inputs)), calls)

    def device_of(self, args: Sequence[Any]) -> Any:
        devices = {str(a.device) for a in args if isinstance(a, torch.Tensor)}
        return devices.pop() if len(devices) == 1 else None

    def pullback(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        return pullback(function, argnums, nested)

    def graph(self, function: Function, argnums: Sequence[int]) -> Function:
        return graph(function, argnums)

    def pushforward(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        return pushforward(function, argnums, nested)

    def has_rules(self, function: Function, args: Sequence[Any]) -> bool:
        return has_rules(function, [leaf_of(_as_given(arg)) for arg in args])

    def held_weights(self, function: Flat, args: Sequence[Any]) -> str:
        return held_weights(function, [leaf_of(_as_given(arg)) for arg in args], function.function)

    def has_operands(self, function: Flat, args: Sequence[Any]) -> bool:
        return bool(rules_in(function, [leaf_of(_as_given(arg)) for arg in args]))

    def operands(
        self, function: Flat, args: Sequence[Any], elsewhere: Sequence[Sequence[Any]]
    ) -> Operands | None:
        return operands_of(function, [[leaf_of(_as_given(a)) for a in point] for point in (args, *elsewhere)])

    def on_host(self, array: Any) -> Array:
        """An array as NumPy's; bfloat16 as that of `ml_dtypes`.

        Raises:
            Unsupported: It is sparse, nested, quantized, or of a class of its own; or it is bfloat16, and
                ml_dtypes is not installed.
        """
        if not isinstance(array, torch.Tensor):
            return np.asarray(array)
        kind = type(array)
        own = "" if kind in PLAIN else f"a {kind.__module__}.{kind.__name__}, and no plain torch.Tensor"
        array = dense(array) if not own else array
        own = own or strange(array)
        if own:
            raise Unsupported(f"{own}: not yet; pass real, dense tensors")
        name_of(array.dtype)
        array = array.detach().cpu()
        if array.dtype != torch.bfloat16:
            return np.asarray(array.numpy(force=True))  # autograd's zeros without memory too
        found: Array = array.view(torch.int16).numpy(force=True).view(bfloat16())
        return found

    def writing(self, forward: Callable[[], Any], backward: Callable[[Any], Any]) -> Origin | None:
        with Overwriting() as seen:
            graph = forward()
            seen.computed = seen.met
            backward(graph)
        first: Origin | None = seen.first
        return first

    def as_given(self, run: Function, natives: Sequence[Any]) -> Any:
        """Likewise: parameters are known by identity, in dictionaries and lists."""
        if not any(isinstance(tensor, torch.nn.Parameter) for tensor in natives):
            return None
        given = [a if isinstance(a, torch.Tensor) else as_tensor(a.copy()) for a in natives]
        before = [tensor.detach().clone() for tensor in given]
        try:
            with torch.enable_grad():
                return run(*given)
        except Exception:
            return None  # on copies it says why
        finally:
            with torch.no_grad():
                for tensor, old in zip(given, before, strict=True):
                    if not torch.equal(tensor, old):
                        tensor.copy_(old)

    def leaf(self, array: Any) -> Any:
        return leaf_of(array)

    def joined(self, pairs: Any) -> Any:
        """A view where the pairs lie side by side."""
        steps = (*pairs.stride()[:-1], pairs.storage_offset())
        if pairs.stride(-1) == 1 and all(step % 2 == 0 for step in steps):
            numbers = torch.view_as_complex(pairs)
        else:
            numbers = torch.complex(pairs[..., 0], pairs[..., 1])
        numbers.pairs = pairs  # type: ignore[attr-defined]
        return numbers

    def split(self, numbers: Any) -> Any:
        tensor = torch.as_tensor(numbers).resolve_conj()
        if not tensor.numel():  # of its gradient torch wants strides that nothing empty has to have
            return torch.stack([tensor.real, tensor.imag], -1)
        return torch.view_as_real(tensor)

    def zeros_like(self, array: Any) -> Any:
        return torch.zeros_like(array)

    def where(self, mask: Array, number: float, array: Any) -> Any:
        return torch.where(torch.as_tensor(mask), number, array)

    def leaving_alone(self, gradient: Function) -> Function:
        def copying(directions: Any, *args: Any) -> Any:
            return gradient(tuple(d.clone() for d in directions), *(a.clone() for a in args))

        return copying


FRAMEWORK = _Torch()


def _where_memory_is_freed(function: Function) -> Function:
    """The function; where it frees the memory of an argument, on copies, since NumPy's cannot be freed."""

    @functools.wraps(function)
    def run(*args: Any) -> Any:
        try:
            return function(*args)
        except RuntimeError as problem:
            if NOT_FREED not in str(problem):
                raise
        return function(*tree_map(_own, args))

    return run


def _own(given: Any) -> Any:
    """A tensor in memory that torch has allocated."""
    if not isinstance(given, torch.Tensor):
        return given
    return laid_out(given.detach()).requires_grad_(given.requires_grad)


def as_tensor(array: Any, device: str = "cpu") -> Any:
    """A NumPy array (bfloat16 is that of `ml_dtypes`) as a tensor with its strides; a tensor as it is."""
    if isinstance(array, torch.Tensor):
        return array.to(device)
    whole = np.asarray(array)
    if whole.strides and min(whole.strides) < 0:  # PyTorch has no negative strides
        whole = np.ascontiguousarray(whole)
    if (offset := _offset(whole)) > 0:  # which torch counts from the memory's beginning, and code may forget
        steps = [step // whole.itemsize for step in whole.strides]
        assert whole.base is not None
        return as_tensor(whole.base.reshape(-1), device).as_strided(whole.shape, steps, offset)
    half = whole.dtype.kind == "V" and whole.dtype.name == "bfloat16"
    given = whole.view(np.int16) if half else whole
    if whole.flags.writeable:
        tensor = torch.from_numpy(given)
    else:
        with warnings.catch_warnings():
            # A broadcast view is read-only, and its strides are what is to be tried; nothing writes.
            warnings.filterwarnings("ignore", "The given NumPy array is not writable")
            tensor = torch.from_numpy(given)
    return (tensor.view(torch.bfloat16) if half else tensor).to(device)


def _offset(array: Array) -> int:
    """After how many elements of a larger array of the same kind one begins; 0 where it is all, or alone."""
    base = array.base
    if not isinstance(base, np.ndarray) or base.dtype != array.dtype or not base.flags.c_contiguous:
        return 0
    if not array.size or not base.flags.writeable:
        return 0
    return (array.ctypes.data - base.ctypes.data) // array.itemsize


def _as_given(arg: Any) -> Any:
    """An array, or arrays in tuples, as tensors."""
    if isinstance(arg, np.ndarray | np.generic):
        return as_tensor(arg)
    return tuple(map(_as_given, arg)) if type(arg) is tuple else arg
