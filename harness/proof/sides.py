"""One of two programs that are compared in exact arithmetic, and what is given to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from harness.subject.derivative import Array
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.literals import (
    Change,
    changes,
    has_rounded,
    is_rounded,
    mover,
    with_data_given,
)
from oracles.exact.program.program import Program


class Side(NamedTuple):
    """One of two programs that are compared, in exact arithmetic.

    Attributes:
        program, inputs: The program, and the numbers of its inputs.
        outputs: Its outputs, enclosed.
        data: Its inputs that are given and not differentiated, with their names.
        ran: What runs of it, a program of its first inputs; itself, if not given.
    """

    program: Program
    inputs: Sequence[Array]
    outputs: Sequence[Enclosure]
    data: Mapping[int, str]
    ran: Program | None = None

    @property
    def running(self) -> tuple[Program, Sequence[Array]]:
        """What runs of it, and its inputs."""
        program = self.ran or self.program
        return program, self.inputs[: len(program.inputs)]


def has_any(change: Change, *sides: Side) -> bool:
    """Whether any of the programs has a number for which `change` has another one."""
    return any(changes(side.program, change) for side in sides)


def rounded_data(side: Side) -> list[str]:
    """The names of what is given and rounded."""
    inputs = side.program.inputs
    named = [name for i, name in side.data.items() if is_rounded(side.inputs[i], inputs[i].dtype)]
    return [*named, *(["the arrays in the code"] if has_rounded(side.program, arrays_alone=True) else [])]


def movable(side: Side) -> tuple[Program, list[Callable[[int], Array]]]:
    """The side's program with its data as inputs, and what gives each input for a seed."""
    program, arrays = with_data_given(side.program)
    own = [
        mover(x, v.dtype) if i in side.data else lambda seed, x=x: x
        for i, (x, v) in enumerate(zip(side.inputs, side.program.inputs, strict=True))
    ]
    return program, [*own, *(mover(array, dtype) for array, dtype in arrays)]
