"""Which derivative is asked for, by mode and order: of the subject, and of its specification."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.frameworks import differentiate, push_forward, zeros_like
from harness.inputs.arrays import Array
from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.recording import Recording
from oracles.exact.program.trees import Derived

REVERSE, FORWARD, BOTH = MODES = ("reverse", "forward", "forward-over-reverse")
MAX_ORDER = 3
Function = Callable[..., Any]


@dataclass(frozen=True)
class Derivative:
    """A derivative of a derivative of ..., the innermost first.

    A reverse one is contracted with cotangents, one per result of what it is of; a forward one is along
    tangents, one per differentiated input.
    """

    steps: tuple[str, ...] = (REVERSE,)

    @classmethod
    def of(cls, mode: str | Sequence[str], order: int) -> Derivative:
        """The gradient (reverse, order 1), the gradient of <gradient, direction> (order 2), and so on.

        "forward" is the derivative of the results along tangents, "forward-over-reverse" the gradient's.

        Several modes are steps, the innermost first: ("forward", "reverse") is the gradient of the derivative
        along a tangent.

        Raises:
            ValueError: There is no such mode or order.
        """
        if not isinstance(mode, str):
            steps = tuple(mode)
            if not 1 <= len(steps) <= MAX_ORDER or not set(steps) <= {REVERSE, FORWARD} or order != 1:
                raise ValueError(
                    f"mode is {mode!r} with order {order}; steps are one to {MAX_ORDER} of reverse and "
                    "forward, with order 1"
                )
            return cls(steps)
        if mode not in MODES:
            raise ValueError(f"mode is {mode!r}; it must be one of {', '.join(MODES)}")
        if order not in range(1, MAX_ORDER + 1):
            raise ValueError(f"order is {order!r}; it must be 1, 2 or {MAX_ORDER}")
        if mode == REVERSE:
            return cls((REVERSE,) * order)
        if order != 1:
            raise ValueError(f"order is {order} with mode={mode!r}; only reverse mode has orders")
        return cls((FORWARD,) if mode == FORWARD else (REVERSE, FORWARD))

    @property
    def is_of_results(self) -> bool:
        """Whether it has a part for each result of the function, and not for each differentiated input."""
        return REVERSE not in self.steps

    def of_subject(
        self, framework: str, function: Function, pull: Function, argnums: Sequence[int], outputs: int
    ) -> Function:
        """`derivative(directions, *inputs)` of a function of so many outputs, whose gradient is `pull`.

        The inputs are the function's, and then the directions of the derivatives inside.
        """
        argnums, last = tuple(argnums), len(self.steps) - 1
        for level, step in enumerate(self.steps):
            if step == FORWARD:
                derivative, directions = push_forward(framework, function, argnums), len(argnums)
            else:
                own = differentiate(framework, function, argnums, nested=level < last) if level else pull
                derivative = WithZeros(framework, own, argnums) if last else own
                directions, outputs = outputs, len(argnums)
            if level < last:
                function = Inside(derivative, directions)
        return derivative


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
class Inside(Derived):
    """A derivative as a function that is differentiated again: `inside(*inputs, *directions)`."""

    derivative: Function
    directions: int

    def __call__(self, *inputs: Any) -> tuple[Any, ...]:
        """The derivative."""
        split = len(inputs) - self.directions
        found: tuple[Any, ...] = self.derivative(inputs[split:], *inputs[:split])
        return tuple(found)

    @property
    def origins(self) -> tuple[Any, ...]:
        """The derivative."""
        return (self.derivative,)


def inside(step: str, recording: Recording, wrt: Sequence[int], directions: Sequence[Array]) -> Recording:
    """A derivative of a recorded function along directions, as a recorded function."""
    return replace(
        recording,
        program=(jvp if step == FORWARD else vjp)(recording.program, wrt),
        values=(*recording.values, *directions),
        argument=(*recording.argument, *(-1 for _ in directions)),
    )
