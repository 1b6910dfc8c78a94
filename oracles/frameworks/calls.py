"""The library's functions that a run calls, and the same run where some of them give other numbers.

A call is what code outside the library sees: `torch.softmax` with its pullback, not the kernels inside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from oracles.exact.program.program import Line, Origin

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a library's function.

    Attributes:
        number: Which one of its run, from 0.
        owner: The library: "torch", "jax", "numpy" or "scipy".
        name: The function, as "torch.softmax".
        place: The line that calls it; None if nobody knows.
        function: The function of its floating operands alone.
        operands: These, on the host.
        active: Which of them it is differentiated in; none where it runs for its value.
        cotangents: What its results are pulled back along; None where the value is in question, or where no
            cotangent has reached it.
        tangents: In forward mode, along what its active operands move; None where they do not.
        coded: Whether it is code of the library's, which the exact oracle may have followed elsewhere, where
            alone it knows the function by its name.
    """

    number: int
    owner: str
    name: str
    place: Line | None
    function: Callable[..., Any]
    operands: tuple[Array, ...]
    active: tuple[int, ...] = ()
    cotangents: tuple[Array, ...] | None = None
    tangents: tuple[Array, ...] | None = None
    coded: bool = False

    @property
    def origin(self) -> Origin:
        """The same for people: its name and its line."""
        return Origin(self.name, self.place, self.number)


# What a call is to give instead of what it computes; None: that. A call with cotangents is asked for the
# gradients of its active operands, one with tangents for those of its results, and one with neither for its
# values.
Mend = Callable[[Call], tuple[Array, ...] | None]


def is_code(leaf: Any) -> bool:
    """Whether an operand is a function: what a library makes of the caller's code is not the library's."""
    return callable(leaf) and not isinstance(leaf, type) and not hasattr(leaf, "dtype")


def as_it_is(call: Call) -> None:
    """Mends nothing."""


@dataclass(frozen=True)
class Watched:
    """What a run gave, and what it called.

    Attributes:
        gradients: What it gave, on the host.
        calls: What it called, in order.
        complete: Whether all that it computes with was seen.
        derived: Whether it is known that the library made the derivative, and no rule of the caller's has a
            part in it.
        ruled: Whether a rule of the caller's was seen to have a part in it.
    """

    gradients: tuple[Array | None, ...]
    calls: tuple[Call, ...]
    complete: bool
    derived: bool = False
    ruled: bool = False
