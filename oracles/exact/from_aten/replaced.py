"""A module's own parameters while others are in their place, and what reads one of them all the same.

Where autograd follows, it knows of such a reading. Inside the forward of a custom function, it does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from oracles.exact.from_aten.memory import key_of
from oracles.exact.program.errors import Unsupported


@dataclass(frozen=True)
class _Replaced:
    """Parameters of a module, by name; their memory is asked for inside of custom functions alone."""

    module: str
    parameters: Mapping[str, Tensor]

    @cached_property
    def names(self) -> dict[int, str]:
        return {key_of(parameter): name for name, parameter in self.parameters.items()}


_all: ContextVar[tuple[_Replaced, ...]] = ContextVar("_all", default=())


@contextmanager
def replaced(module: str, parameters: Mapping[str, Tensor]) -> Iterator[None]:
    """Within, others are in the place of these parameters of a module."""
    token = _all.set((*_all.get(), _Replaced(module, parameters)))
    try:
        yield
    finally:
        _all.reset(token)


def refuse_replaced(tensor: Tensor) -> None:
    """Refuse the memory of a parameter in whose place another one is.

    Raises:
        Unsupported: It is that.
    """
    for own in _all.get():
        if (name := own.names.get(key_of(tensor))) is not None:
            raise read_otherwise(own.module, name)


def read_otherwise(module: str, name: str) -> Unsupported:
    """Why nothing is known of a parameter's gradient."""
    return Unsupported(
        f"{module} reads its parameter {name} by another reference than its attribute (kept in a list, a "
        "dictionary or a closure), so it cannot be replaced, and nothing is known of its gradient; read "
        f"self.{name} where it is used"
    )
