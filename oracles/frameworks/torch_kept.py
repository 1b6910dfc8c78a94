"""What a backward writes into: memory that the forward computed is there for the next backward, too."""

from __future__ import annotations

from typing import Any

from oracles.exact.from_aten.call import base_of, tensors_of, written
from oracles.exact.from_aten.memory import has_memory, key_of
from oracles.exact.from_aten.mode import DispatchMode, handed_on
from oracles.exact.from_aten.watch import where
from oracles.exact.program.program import Origin


class Overwriting(DispatchMode):
    """Sees the operators of a forward, and then those of a backward.

    Attributes:
        met: The memory of all that an operator has given.
        computed: That of the forward, once it has run.
        first: The first operator that writes into it.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.met: dict[int, Any] = {}  # with the tensors, so that no address serves twice
        self.computed: dict[int, Any] = {}
        self.first: Origin | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator."""
        changed = [key_of(t) for t in written(func, args, kwargs or {}) if has_memory(t)]
        if self.first is None and any(key in self.computed for key in changed):
            self.first = Origin(base_of(func), where())
        results = handed_on(func, args, kwargs or {})
        if not self.computed:
            self.met.update((key_of(t), t) for t in tensors_of(results) if has_memory(t))
        return results
