"""Which derivative is asked for, by mode and order: of the subject, and of its specification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.case import Array
from harness.frameworks import differentiate, push_forward, zeros_like
from oracles.exact.derive import jvp, vjp
from oracles.exact.flat import Derived
from oracles.exact.program import Program
from oracles.exact.recording import Recording

REVERSE, FORWARD, BOTH = MODES = ("reverse", "forward", "forward-over-reverse")
MAX_ORDER = 3
Function = Callable[..., Any]


@dataclass(frozen=True)
class Derivative:
    """A gradient (reverse, order 1), the gradient of <gradient, direction> (order 2), and so on.

    "forward" is the derivative of the results along tangents; "forward-over-reverse" that of the gradient.

    Raises:
        ValueError: There is no such mode or order.
    """

    mode: str = REVERSE
    order: int = 1

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"mode is {self.mode!r}; it must be one of {', '.join(MODES)}")
        if self.order not in range(1, MAX_ORDER + 1):
            raise ValueError(f"order is {self.order!r}; it must be 1, 2 or {MAX_ORDER}")
        if self.mode != REVERSE and self.order != 1:
            raise ValueError(f"order is {self.order} with mode={self.mode!r}; only reverse mode has orders")

    @property
    def below(self) -> int:
        """How many gradients, one of the other, the last derivative is of."""
        return 1 if self.mode == BOTH else self.order - 1

    @property
    def is_forward(self) -> bool:
        """Whether the last derivative is along tangents, and not contracted with cotangents."""
        return self.mode != REVERSE

    def of_program(self, program: Program, wrt: Sequence[int]) -> Program:
        """The last derivative of a specification's program."""
        return (jvp if self.is_forward else vjp)(program, wrt)

    def of_subject(
        self, framework: str, function: Function, pull: Function, argnums: Sequence[int], outputs: int
    ) -> Function:
        """`derivative(directions, *inputs)` of a function of so many outputs, whose gradient is `pull`.

        The inputs are the function's, and then the directions of the gradients below.
        """
        for level in range(self.below):
            function = Below(WithZeros(framework, pull, tuple(argnums)), outputs)
            pull, outputs = (
                differentiate(framework, function, argnums, nested=level < self.below - 1),
                len(argnums),
            )
        if self.is_forward:
            return push_forward(framework, function, argnums)
        return WithZeros(framework, pull, tuple(argnums)) if self.below else pull


@dataclass(frozen=True)
class WithZeros(Derived):
    """A gradient with zeros where there is none: of a gradient, which may well be constant, that says so."""

    framework: str
    pull: Function
    argnums: tuple[int, ...]

    def __call__(self, directions: Sequence[Any], *inputs: Any) -> tuple[Any, ...]:
        """The gradients."""
        found = self.pull(directions, *inputs)
        return tuple(
            zeros_like(self.framework, inputs[k]) if g is None else g
            for k, g in zip(self.argnums, found, strict=True)
        )

    @property
    def origins(self) -> tuple[Any, ...]:
        """The gradient."""
        return (self.pull,)


@dataclass(frozen=True)
class Below(Derived):
    """A gradient as a function that is differentiated again: `below(*inputs, *directions)`."""

    pull: WithZeros
    outputs: int

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """The gradients."""
        split = len(inputs) - self.outputs
        return self.pull(inputs[split:], *inputs[:split])

    @property
    def origins(self) -> tuple[Any, ...]:
        """The gradient."""
        return (self.pull,)


def lowered(recording: Recording, wrt: Sequence[int], directions: Sequence[Array]) -> Recording:
    """The gradient of a recorded function, contracted with directions, as a recorded function."""
    return replace(
        recording,
        program=vjp(recording.program, wrt),
        values=(*recording.values, *directions),
        argument=(*recording.argument, *(-1 for _ in directions)),
    )
