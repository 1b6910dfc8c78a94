"""A module's own parameters while others are in their place, and what reads one of them all the same.

Where autograd follows, it knows of such a reading. Inside the forward of a custom function, it does not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from torch import Tensor

from oracles.exact.from_aten.memory import key_of
from oracles.exact.program.errors import Unsupported

_names: ContextVar[Mapping[int, tuple[str, str]]] = ContextVar("_names", default=MappingProxyType({}))


@contextmanager
def replaced(module: str, parameters: Mapping[str, Tensor]) -> Iterator[None]:
    """Within, others are in the place of these parameters of a module."""
    own = {key_of(parameter): (module, name) for name, parameter in parameters.items()}
    token = _names.set({**_names.get(), **own})
    try:
        yield
    finally:
        _names.reset(token)


def refuse_replaced(tensor: Tensor) -> None:
    """Refuse the memory of a parameter in whose place another one is.

    Raises:
        Unsupported: It is that.
    """
    if (found := _names.get().get(key_of(tensor))) is not None:
        raise read_otherwise(*found)


def read_otherwise(module: str, name: str) -> Unsupported:
    """Why nothing is known of a parameter's gradient."""
    return Unsupported(
        f"{module} reads its parameter {name} by another reference than its attribute (kept in a list, a "
        "dictionary or a closure), so it cannot be replaced, and nothing is known of its gradient; read "
        f"self.{name} where it is used"
    )
