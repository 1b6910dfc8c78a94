"""What running torch can change: a tensor and its gradient, random numbers, settings of the process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakValueDictionary

import torch
from torch.nn.parameter import is_lazy

from oracles.exact.from_aten.memory import is_leaf, strange

Keeper = Callable[[], bool]  # puts one thing back, and says whether it was another
# Of which views are reached, by identity: no view can be taken from its graph, nor its base without it.
_VIEWED = WeakValueDictionary[int, torch.Tensor]()
SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.is_anomaly_enabled, torch.set_anomaly_enabled),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (lambda: torch.is_autocast_enabled("cpu"), lambda on: torch.set_autocast_enabled("cpu", on)),
    (lambda: torch.get_autocast_dtype("cpu"), lambda dtype: torch.set_autocast_dtype("cpu", dtype)),
)


def shared() -> Iterator[Keeper]:
    """Random numbers and settings of the process."""
    yield _chance(torch.default_generator)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        yield from map(_chance, torch.cuda.default_generators)
    yield from (_setting(read, write) for read, write in SETTINGS)


def reached(item: Any) -> Iterator[Keeper]:
    """A tensor or generator; nothing for what is neither."""
    if isinstance(item, torch.Generator):
        yield _chance(item)
    if isinstance(item, torch.Tensor) and not (strange(item) or item.is_meta or is_lazy(item)):
        yield _tensor(item)


def _chance(generator: torch.Generator) -> Keeper:
    before = generator.get_state()

    def put_back() -> bool:
        if torch.equal(generator.get_state(), before):
            return False
        generator.set_state(before)
        return True

    return _unseen(put_back)


def _setting(read: Callable[[], Any], write: Callable[[Any], Any]) -> Keeper:
    before = read()

    def put_back() -> bool:
        if read() == before:
            return False
        write(before)
        return True

    return put_back


def _tensor(tensor: torch.Tensor) -> Keeper:
    """Its numbers, whether it requires grad, its gradient, and that no graph leads to it if none does."""
    if (base := tensor._base) is not None:
        _VIEWED[id(base)] = base
    leaf, of_numbers = is_leaf(tensor), _numbers(tensor) if _has_memory(tensor) else None
    requires_grad, gradient = tensor.requires_grad, tensor.grad if leaf else None
    of_gradient = None if gradient is None else _tensor(gradient)

    def put_back() -> bool:
        moved = of_numbers is not None and of_numbers()
        if leaf and not is_leaf(tensor) and tensor._base is None and id(tensor) not in _VIEWED:
            tensor.detach_()
        is_now = leaf and is_leaf(tensor)
        if is_now and tensor.requires_grad != requires_grad:
            tensor.requires_grad_(requires_grad)
        if is_now and tensor.grad is not gradient:
            tensor.grad = gradient
            moved = True
        return (of_gradient is not None and of_gradient()) or moved

    return _unseen(put_back)


def _numbers(tensor: torch.Tensor) -> Keeper:
    # What graphs have saved stays valid: `.data` has a version of its own.
    memory, numbers = tensor.data, tensor.detach().clone()
    storage, size = memory.untyped_storage(), memory.untyped_storage().nbytes()

    def put_back() -> bool:
        if storage.nbytes() != size:  # it was freed
            storage.resize_(size)
        moved = tensor.data_ptr() != memory.data_ptr() or tensor.shape != memory.shape
        if moved:
            tensor.data = memory
        if not torch.equal(memory, numbers):
            memory.copy_(numbers)
            moved = True
        return moved

    return put_back


def _has_memory(tensor: torch.Tensor) -> bool:
    """Whether its numbers are its own: a class may wrap another tensor, and zeros may have no memory."""
    try:
        with torch._C._DisableTorchDispatch(), torch._C.DisableTorchFunctionSubclass():
            tensor.untyped_storage().data_ptr()
    except RuntimeError:
        return False
    return True


def _unseen(put_back: Keeper) -> Keeper:
    """The same, seen by no record and no autograd."""

    def alone() -> bool:
        with torch._C._DisableTorchDispatch(), torch.no_grad():
            return put_back()

    return alone
