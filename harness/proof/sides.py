"""One of two programs that are compared in exact arithmetic, and what is given to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.proof.nearness import are_narrow_enough
from harness.subject.derivative import Array
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import evaluate, evaluate_quickly
from oracles.exact.enclose.given import Given, given
from oracles.exact.enclose.literals import Change, changes, is_rounded, mover
from oracles.exact.program.errors import Undecided
from oracles.exact.program.program import Program
from oracles.exact_oracle import BITS

MORE = 8  # times the bits of a verdict, as single elements may have (see `refine`)


@dataclass(frozen=True)
class Side:
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

    @property
    def given(self) -> Given:
        """The program with its numbers as further inputs."""
        return given(self.program)

    @cached_property
    def rough(self) -> list[bool]:
        """Which outputs few bits leave wide, and more do not: no kinks. With balls these would meet anything.

        What is 0 is as narrow as the terms that cancel.
        """
        program, inputs = self.given.program, self.with_literals(lambda ball, dtype: ball)
        wide = [not ok for ok in self._keep_narrow(evaluate_quickly(program, inputs, BITS))]
        if not any(wide):
            return wide
        try:
            narrow = self._keep_narrow(evaluate(program, inputs, MORE * BITS))
        except Undecided:
            return [False for _ in wide]
        return [before and now for before, now in zip(wide, narrow, strict=True)]

    def _keep_narrow(self, found: Sequence[Array | Pairs]) -> list[bool]:
        return [
            not known.mid.any() or are_narrow_enough(Enclosure(one, BITS)) or not are_narrow_enough(known)
            for one, known in zip(found, self.outputs, strict=True)
        ]

    @cached_property
    def rounded_data(self) -> list[str]:
        """The names of what is given and rounded."""
        inputs = self.program.inputs
        named = [name for i, name in self.data.items() if is_rounded(self.inputs[i], inputs[i].dtype)]
        return [*named, *(["the arrays in the code"] if self.given.arrays else [])]

    def with_literals(self, change: Change) -> list[Array]:
        """The inputs of the program that is given its numbers, with other literals."""
        return [*self.inputs, *self.given.with_literals(change)]

    def with_arrays(self, other: Callable[[Array, str], Array]) -> list[Array]:
        """The same with other arrays that stand in it."""
        return [*self.inputs, *self.given.with_arrays([other(*one) for one in self.given.arrays])]

    def with_moved_data(self, seed: int) -> list[Array]:
        """The same with its data moved."""
        inputs, arrays = self._movers
        return [*(move(seed) for move in inputs), *self.given.with_arrays([move(seed) for move in arrays])]

    def with_made_data(self, make: Callable[[Array, str], Array | None]) -> tuple[list[Array], list[str]]:
        """The same with other data where `make` gives it, and the names of that."""
        program, names = self.program, list[str]()
        inputs, arrays = list(self.inputs), [array for array, _ in self.given.arrays]
        for i, name in self.data.items():
            if (own := make(inputs[i], program.inputs[i].dtype)) is not None:
                inputs[i] = own
                names.append(name)
        for i, one in enumerate(self.given.arrays):
            if (own := make(*one)) is not None:
                arrays[i] = own
                names.append("an array in the code")
        return [*inputs, *self.given.with_arrays(arrays)], list(dict.fromkeys(names))

    @cached_property
    def _movers(self) -> tuple[list[Callable[[int], Array]], list[Callable[[int], Array]]]:
        """What gives each input, and each array, for a seed."""
        own = [
            mover(x, v.dtype) if i in self.data else lambda seed, x=x: x
            for i, (x, v) in enumerate(zip(self.inputs, self.program.inputs, strict=True))
        ]
        return own, [mover(*one) for one in self.given.arrays]


def has_any(change: Change, *sides: Side) -> bool:
    """Whether any of the programs has a number for which `change` has another one."""
    return any(changes(side.program, change) for side in sides)
