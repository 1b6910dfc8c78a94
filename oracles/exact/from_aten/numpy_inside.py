"""NumPy code inside a function of tensors, as custom functions have it: recorded where it stands.

`tensor.numpy()` gives a traced array, whose operations are written into the program that is recorded, and
`torch.from_numpy` and its like make a tensor with the value of one. Everything else that takes numbers out is
refused.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import _disable_current_modes, _get_current_dispatch_mode

from oracles.exact.from_aten.memory import mark_of
from oracles.exact.from_aten.recorder import OperatorRecorder
from oracles.exact.from_aten.watch import Tree
from oracles.exact.from_numpy.array import TracedArray, is_traced
from oracles.exact.from_numpy.proxy import substituted
from oracles.exact.from_numpy.record import ANSWERS, output
from oracles.exact.from_numpy.tape import UNWRITTEN, Tape
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import Var
from oracles.exact.program.recording import Recorder


class NotedTape(Tape):
    """A tape that notes its constants: one that is another nearby came from a tensor by some other way."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(ANSWERS, recorder)
        self.constants: list[bytes] = []

    def constant(self, numbers: Any, dtype: str) -> Any:
        """As it is written."""
        self.constants.append(np.asarray(numbers).tobytes())
        return super().constant(numbers, dtype)


class WithNumpy(OperatorRecorder):  # type: ignore[no-untyped-call]
    """A recorder that follows tensors into NumPy, and back.

    Attributes:
        arrays: The traced arrays that tensors gave, each with its tokens, and with the checksum of the tensor
            then: both look at one memory, and a write into one would not be seen through the other.
    """

    def __init__(self, moves: bool = True) -> None:
        super().__init__(moves)
        self.tape = NotedTape(self.recorder)
        self.arrays: list[tuple[TracedArray, np.ndarray[Any, Any], Tensor, int]] = []

    def run(
        self,
        function: Callable[..., Any],
        leaves: list[list[Any]],
        trees: list[Tree],
        named: Any,
        differentiated: bool = True,
    ) -> Any:
        """As `Watch.run`, where NumPy's arrays are traced."""
        with _patched(self, function, named):
            found = super().run(function, leaves, trees, named, differentiated)
        self.notes.complete = False  # of what NumPy did nothing is noted
        return found

    def end(self, result: Any) -> list[Var]:
        """The outputs; what they look at must not have been written through NumPy."""
        for array, tokens, tensor, mark in self.arrays:
            if not np.array_equal(array.tokens, tokens) or mark_of(tensor.untyped_storage()) != mark:
                raise Unsupported(
                    "memory that a tensor shares with a NumPy array is written: not yet; work on a copy"
                )
        self.tape.open = False
        self.lines.append(("constants in NumPy", tuple(self.tape.constants), None))
        return super().end(result)

    def array_of(self, tensor: Tensor) -> Any:
        """What `tensor.numpy()` gives: of memory from outside the numbers as they are."""
        with _disable_current_modes():
            array = _NUMPY(tensor.detach())
            if not self.memory.knows(tensor):
                return array
            var = self.read(tensor)
            if not isinstance(var, Var):
                raise Unsupported("complex numbers in NumPy inside a function of tensors: not yet")
            if not var.is_float:
                return np.array(self.tape.decide(var)).astype(array.dtype)
            traced = TracedArray(self.tape, array.copy(), self.tape.register(var, array))
            self.arrays.append((traced, traced.tokens.copy(), tensor, mark_of(tensor.untyped_storage())))
            return traced

    def tensor_of(self, array: TracedArray, dtype: torch.dtype | None = None) -> Tensor:
        """A new tensor with the value of a traced array; of one that is not written yet, likewise."""
        if (array.tokens == UNWRITTEN).all():
            blank = torch.from_numpy(np.empty(0, array.dtype)).dtype if dtype is None else dtype
            return torch.empty(array.shape, dtype=blank)
        with _disable_current_modes():
            found = torch.from_numpy(np.array(array.in_numpy))
            found = found if dtype is None else found.to(dtype)
            var = self._as_var(torch.ops.aten.clone.default, found, output(self.tape, array))
            if not var.is_float:
                return torch.from_numpy(np.array(self.tape.decide(var))).to(found.dtype)
            if self.recorder.depends(var):
                self.memory.live.add(var)
            self.memory.create(found, var)
            self._keep([found])
            return found


# As they are: where another thread records, others stand in their places.
_NUMPY = Tensor.numpy
_OF_TORCH = {
    name: getattr(torch, name) for name in ("from_numpy", "as_tensor", "asarray", "tensor", "from_dlpack")
}
_OF_TENSORS = {name: getattr(Tensor, name) for name in ("new", "new_tensor")}
_NEW = Tensor.__new__
_DTYPES = {
    "FloatTensor": torch.float32,
    "DoubleTensor": torch.float64,
    "HalfTensor": torch.float16,
    "BFloat16Tensor": torch.bfloat16,
}
_KINDS = {name: getattr(torch, name) for name in _DTYPES}


class _Kind:
    """Stands for `torch.FloatTensor` or its like, which is called, and asked what belongs to it."""

    def __init__(self, original: Any, made: Callable[[TracedArray], Tensor]) -> None:
        self._original, self._made = original, made

    def __call__(self, *args: Any) -> Any:
        return self._made(args[0]) if len(args) == 1 and _is_traced(args[0]) else self._original(*args)

    def __instancecheck__(self, one: Any) -> bool:
        return isinstance(one, self._original)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._original, name)


@contextmanager
def _patched(mode: WithNumpy, function: Any, named: Any) -> Iterator[None]:
    """Inside, what leads from tensors to NumPy's arrays and back leads by the recorder."""

    def given(original: Callable[..., Any]) -> Callable[..., Any]:
        """What makes a tensor of an array, its first argument."""

        @functools.wraps(original)
        def made(array: Any, *args: Any, **kwargs: Any) -> Any:
            if not _is_traced(array):
                return original(array, *args, **kwargs)
            if args or kwargs.keys() - {"dtype", "device", "requires_grad", "copy"} or _leads(kwargs):
                raise Unsupported(f"torch.{original.__name__} of a NumPy array with these arguments: not yet")
            return mode.tensor_of(array, kwargs.get("dtype"))

        return made

    def like(original: Callable[..., Any]) -> Callable[..., Any]:
        """Likewise, of a tensor's dtype: `x.new(array)`."""

        @functools.wraps(original)
        def made(own: Tensor, *args: Any, **kwargs: Any) -> Any:
            if not args or not _is_traced(args[0]):
                return original(own, *args, **kwargs)
            if len(args) > 1 or kwargs.keys() - {"dtype", "device", "requires_grad"} or _leads(kwargs):
                raise Unsupported(f"Tensor.{original.__name__} with these arguments: not yet")
            return mode.tensor_of(args[0], kwargs.get("dtype", own.dtype))

        return made

    def new(kind: Any, *args: Any, **kwargs: Any) -> Any:
        """`torch.Tensor(array)`, of the default dtype."""
        if len(args) == 1 and not kwargs and _is_traced(args[0]):
            return mode.tensor_of(args[0], torch.get_default_dtype())
        return _NEW(kind, *args, **kwargs)

    def numpy(tensor: Tensor, *, force: bool = False) -> Any:
        if _get_current_dispatch_mode() is not mode:  # it is called by a rule, or by what reads the numbers
            return _NUMPY(tensor, force=force)
        if tensor.requires_grad and torch.is_grad_enabled() and not force:
            return _NUMPY(tensor)  # torch says what is to be done
        return mode.array_of(tensor)

    of_torch = {name: given(original) for name, original in _OF_TORCH.items()}
    of_tensors = {name: like(original) for name, original in _OF_TENSORS.items()}
    of_kinds = {
        name: _Kind(kind, functools.partial(mode.tensor_of, dtype=_DTYPES[name]))
        for name, kind in _KINDS.items()
    }
    originals = {**_OF_TORCH, **_KINDS}
    substitutes = {**of_torch, **of_kinds}
    further = {id(original): substitutes[name] for name, original in originals.items()}  # by other names
    with (
        substituted(mode.tape, function, named, further=further),
        patch.multiple(torch, **substitutes),  # type: ignore[call-overload]
        patch.multiple(Tensor, numpy=numpy, __new__=new, **of_tensors),  # type: ignore[call-overload]
    ):
        yield


def _is_traced(array: Any) -> bool:
    return is_traced(array)


def _leads(kwargs: dict[str, Any]) -> bool:
    return bool(kwargs.get("requires_grad")) or str(kwargs.get("device") or "cpu") != "cpu"
