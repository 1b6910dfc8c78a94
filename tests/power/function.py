"""A function of some numbers: in mpmath, and how it is written in torch and in JAX."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.special as jsp
import numpy as np
import torch
import torch.nn.functional as F

LIBRARIES: dict[str, Any] = {"torch": torch, "F": F, "jnp": jnp, "jsp": jsp, "jax": jax}


@dataclass(frozen=True, eq=False)
class Call:
    """A function of a library as it is called.

    Attributes:
        name: "jax.nn.gelu".
        keywords: What is given by name.
        before: Constants in front of the numbers.
        rows: In how many rows the numbers are given, each an argument; 0 where each number is one.
        element: Which element of a row that is returned is taken.
    """

    name: str
    keywords: Mapping[str, Any] = field(default_factory=dict)
    before: tuple[Any, ...] = ()
    rows: int = 0
    element: int | None = None

    @property
    def is_torch(self) -> bool:
        """Whether it is torch's, not JAX's."""
        return self.name.startswith(("torch", "F."))

    @property
    def bare(self) -> bool:
        """Whether it is a function of the numbers alone."""
        return not self.keywords and not self.before and self.element is None

    def __call__(self, *arrays: Any) -> Any:
        """Its value at arrays: one number for each point."""
        found = resolved(self.name)(*self.before, *arrays, **self.keywords)
        return found if self.element is None else found[..., self.element]

    def written(self, arguments: Sequence[str]) -> str:
        """The call of these arguments in Python."""
        given = [*map(repr, self.before), *arguments, *(f"{k}={v!r}" for k, v in self.keywords.items())]
        element = "" if self.element is None else f"[..., {self.element}]"
        return f"{self.name}({', '.join(given)}){element}"


class Function(NamedTuple):
    """A function.

    Attributes:
        truth: In mpmath, of as many numbers.
        torch, jax: How it is called there; None where it is not there.
        numbers: How many numbers it takes.
        moving: Which arguments it is differentiated in; all of them if empty.
    """

    truth: Callable[..., Any]
    torch: Call | None = None
    jax: Call | None = None
    numbers: int = 1
    moving: tuple[int, ...] = ()


def plain(
    truth: Callable[..., Any], torch: str = "", jax: str = "", numbers: int = 1, moving: tuple[int, ...] = ()
) -> Function:
    """A function that is called with nothing but its numbers, and by its name; "" where it is not there."""
    calls = [Call(name) if name else None for name in (torch, jax)]
    return Function(truth, *calls, numbers, moving)


class Subject(NamedTuple):
    """A function in one library."""

    call: Call
    function: Function

    @property
    def label(self) -> str:
        """Its name in the table: of several numbers, or with constants, as it is called."""
        plain = self.function.numbers == 1 and self.call.bare
        return self.call.name if plain else self.call.written(self.names)

    @property
    def names(self) -> list[str]:
        """Its arguments' names."""
        return list("xyz"[: self.call.rows or self.function.numbers])

    @property
    def moving(self) -> tuple[int, ...]:
        """Which arguments it is differentiated in."""
        return self.function.moving or tuple(range(len(self.names)))

    def arguments(self, point: Sequence[float]) -> list[Any]:
        """The numbers of a point as the arguments have them."""
        if not self.call.rows:
            return list(point)
        size = len(point) // self.call.rows
        return [list(point[k : k + size]) for k in range(0, len(point), size)]


def resolved(name: str) -> Callable[..., Any]:
    """What is named "jax.nn.gelu"."""
    first, *rest = name.split(".")
    found = LIBRARIES[first]
    for attribute in rest:
        found = getattr(found, attribute)
    return found  # type: ignore[no-any-return]


def loaded(call: Call, numbers: Any, dtype: str) -> Any:
    """Numbers as an array of the library."""
    if call.is_torch:
        return torch.tensor(numbers, dtype=getattr(torch, dtype))
    return jnp.asarray(np.array(numbers, dtype))
