"""What a run did, as far as a record reads it: two runs with equal notes have one program.

Every tensor is its memory, by the order in which the run met it, and how it looks at that; what comes from
outside the run is its numbers too. Everything else that an operator is given is what it is.
"""

from __future__ import annotations

from collections.abc import Container, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from oracles.exact.from_aten.memory import (
    Memorized,
    has_memory,
    is_freed,
    is_leaf,
    key_of,
    mark_of,
    numbers,
    strange,
)
from oracles.exact.from_aten.sparse import has_own_layout, memories

CHANGED = "changed outside torch"
_PLAIN = (torch.dtype, type(None))
_BITS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}  # by the bytes of an element


class Notes:
    """The memory that a run has met, and how its tensors are told.

    Attributes:
        checked: Whether it is noticed that something else than an operator wrote what the run had made.
        made: The memory that the run made.
        complete: Whether all that a record reads of this run is told.
        operands, keys: The tensors that were told since the last operator began, and their memory.
        arguments: How much memory is that of the run's arguments. It is numbered from the last one backwards,
            so that a run that has more arguments before those of another one tells the same of these.
    """

    def __init__(self, checked: bool) -> None:
        self.checked = checked
        self.made: dict[int, Memorized] = {}
        self.complete = True
        self.operands: list[Tensor] = []
        self.keys: set[int] = set()
        self.arguments = self._earlier = 0
        self._met: dict[int, tuple[int, torch.UntypedStorage]] = {}  # held, so that no address serves twice
        self._marks: dict[int, int] = {}

    @contextmanager
    def arriving(self, count: int) -> Iterator[None]:
        """So many arguments come inside, before those that are there."""
        self.arguments += count
        self._earlier = len(self._met)
        try:
            yield
        finally:
            self._earlier = 0

    def _number(self, key: int, storage: torch.UntypedStorage) -> int:
        """That of some memory; of what was not met yet, the next one."""
        number, _ = self._met.setdefault(key, (len(self._met) - self._earlier - self.arguments, storage))
        return number

    def given(self, args: Iterable[Any], kwargs: Mapping[str, Any]) -> Hashable:
        """What an operator is given."""
        self.operands, self.keys = [], set()
        return self.told(args), (tuple(kwargs), self.told(kwargs.values())) if kwargs else ()

    def make(self, tensor: Tensor, unless: Container[int] = ()) -> None:
        """The run made this tensor's memory, or wrote it; not so `unless` it is that of others."""
        if has_own_layout(tensor):
            self.made[key_of(tensor)] = memories(tensor)[0]
            return
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key in unless:
            return
        self.made[key] = storage
        self._number(key, storage)
        if self.checked:
            self._marks[key] = mark_of(storage)

    def told(self, parts: Iterable[Any]) -> Hashable:
        """Arguments or results, in order."""
        return tuple([
            self._tensor(part) if isinstance(part, Tensor)
            else part if isinstance(part, _PLAIN)
            else self.told(part) if isinstance(part, (tuple, list))
            else digest(part.get_state()) if isinstance(part, torch.Generator)  # each time another object
            else repr(part)
            for part in parts
        ])  # fmt: skip

    def _tensor(self, tensor: Tensor) -> Hashable:
        self.operands.append(tensor)
        if kind := strange(tensor) or ("complex numbers" if tensor.is_complex() else ""):
            self.complete = False
            self.keys.add(key_of(tensor))
            return (kind, None if key_of(tensor) in self.made else digest(tensor))
        if not has_memory(tensor):
            self.complete = False
            return ("nowhere", tensor.shape, None if tensor.is_meta else digest(tensor))
        storage = tensor.untyped_storage()
        key = storage._cdata
        self.keys.add(key)
        number = self._number(key, storage)
        how = (
            number, tensor.dtype, tuple(tensor.shape), tensor.stride(), tensor.storage_offset(),
            tensor.requires_grad, is_leaf(tensor), None if type(tensor) is Tensor else type(tensor),
        )  # fmt: skip  # of what no collection of garbage goes through: notes are kept
        if key not in self.made:
            return (*how, tensor.device, digest(tensor))
        if self.checked and mark_of(storage) != self._marks[key]:
            return (*how, CHANGED)
        return how


def digest(tensor: Tensor) -> bytes:
    """What tells a tensor's numbers from all others."""
    found = tensor.detach()
    if found.is_complex():
        found = torch.view_as_real(found.resolve_conj())
    if strange(found) or is_freed(found) or found.is_neg() or found._is_zerotensor():
        array = numbers(found)
    else:
        array = found.to("cpu", copy=True).view(_BITS[found.element_size()]).numpy()
    return blake2b(array.tobytes(), digest_size=16).digest()
