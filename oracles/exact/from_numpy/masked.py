"""What a mask takes and a write puts back, y[m] = f(x[m]): a choice, where the mask is at an edge.

Which elements a mask takes is decided, and so says nothing of the other side of an edge, as x = 0 is one of
x > 0. But where all that is computed of the taken elements is computed element by element, and is then put
where the mask has it, the code is np.where(m, f(x), y): so it is recorded. Where code does anything else with
the taken elements, or asks how many they are, the mask stays decided. New memory that is written in two
halves, y[m] = f(x[m]) and y[~m] = g(x[~m]), is np.where(m, f(x), g(x)).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from oracles.exact.program.primitives.arrays import constant_value, reshape, take
from oracles.exact.program.primitives.choices import MASKS
from oracles.exact.program.primitives.logic import not_
from oracles.exact.program.primitives.staying import ELEMENTWISE
from oracles.exact.program.program import Array, Shape, Var
from oracles.exact.program.recording import Recorder

LIFTED = ELEMENTWISE | {"add", "sub", "mul", "maximum", "minimum", "select", "power"}


class Taken(NamedTuple):
    """What a mask took: `whole` where `mask`, which has these values here."""

    whole: Var
    mask: Var
    values: Array


class Masked:
    """What masks took in one recording.

    Attributes:
        taken: By what was taken.
    """

    def __init__(self, recorder: Recorder) -> None:
        self._recorder, self.taken = recorder, dict[Var, Taken]()
        self._counts = set[int]()  # how many there are, where code has asked that

    def take(self, whole: Var, mask: Var) -> Var | None:
        """The elements where the mask is; None where it has no edge here, and is simply decided."""
        if whole.shape != mask.shape or not whole.is_float or not self._is_at_edge(mask):
            return None
        return self._noted(whole, mask)

    def _noted(self, whole: Var, mask: Var) -> Var:
        values = self._recorder.value_of(mask)
        found = take(whole, np.flatnonzero(values))
        self.taken[found] = Taken(whole, self._recorder.first(mask), values)
        return found

    def _is_at_edge(self, mask: Var) -> bool:
        """Whether two numbers that it compares are equal."""
        definition = self._recorder.definitions.get(mask)
        if definition is None:
            return False
        if definition.primitive in MASKS:
            return any(v.dtype == "bool" and self._is_at_edge(v) for v in definition.operands)
        if not (definition.primitive.edge and definition.primitive.comparison):
            return False
        a, b = definition.operands
        return a.is_float and bool((self._recorder.about(a - b) == 0).any())

    def first_half(self, whole: Var, mask: Var) -> tuple[Var, Array]:
        """The elements that are put into new memory, and where."""
        found = self._noted(whole, mask)
        return found, self.taken[found].values

    def other_half(self, rest: Var, mask: Var) -> Var | None:
        """Of what `rest` was the half that was put where this mask is not; None where it is no such half."""
        known = self.taken.get(rest)
        if known is None:
            return None
        return known.whole if self._are_opposite(mask, known.mask) else None

    def _are_opposite(self, one: Var, other: Var) -> bool:
        """Whether one mask is the other the other way round; a comparison stays one there."""
        a, b = (self._recorder.definitions[mask] for mask in (one, other))
        if a.primitive.comparison and b.primitive.comparison:
            is_turned = a.primitive.comparison.opposite == b.primitive.name
            return is_turned and all(map(self._are_same, a.operands, b.operands))
        return any(
            e.primitive is not_ and self._are_same(e.operands[0], mask) for e, mask in ((a, other), (b, one))
        )

    def _are_same(self, one: Var, other: Var) -> bool:
        a, b = constant_value(one), constant_value(other)
        if a is not None and b is not None:
            return bool(np.all(a == b))
        return self._recorder.first(one) is self._recorder.first(other)

    def lifted(self, source: Var, mask: Var) -> Var | None:
        """What is put where a mask is, as it would be of all elements; None where that is not known."""
        own, known = self._recorder.first(mask), dict[Var, Var | None]()

        def all_of(v: Var) -> Var | None:
            if v not in known:
                known[v] = self._all_of(v, own, mask.shape, all_of)
            return known[v]

        return all_of(source) if any(t.mask is own for t in self.taken.values()) else None

    def _all_of(self, v: Var, mask: Var, shape: Shape, all_of: Callable[[Var], Var | None]) -> Var | None:
        if v in self.taken:
            return self.taken[v].whole if self.taken[v].mask is mask else None
        definition = self._recorder.definitions.get(v)
        if definition is None:
            return self._recorder.broadcast(reshape(v, ()), shape) if v.size == 1 else None
        name, operands = definition.primitive.name, definition.operands
        if name == "broadcast" and operands[0].size == 1:
            return self._recorder.broadcast(reshape(operands[0], ()), shape)
        number = constant_value(v)
        if number is not None and number.size and (number == number.ravel()[0]).all():
            return self._recorder.broadcast(self._recorder.constant(number.ravel()[0], v.dtype), shape)
        if name not in LIFTED and not definition.primitive.comparison:
            return None
        whole = [all_of(w) for w in operands]
        if any(w is None for w in whole):
            return None
        given: Any = tuple(whole)
        return self._recorder.emit(definition.primitive, given, shape, v.dtype, **definition.params)

    def counted(self, count: int) -> None:
        """Code asks how many elements there are in some array."""
        self._counts.add(count)

    def decide(self, results: Sequence[Var]) -> None:
        """Guard the masks whose elements do more than go back to where the mask has them."""
        needed, waiting = set[Var](), [*results, *(v for v, _ in self._recorder.guards)]
        while waiting:
            v = waiting.pop()
            if v not in needed:
                needed.add(v)
                definition = self._recorder.definitions.get(v)
                waiting += definition.operands if definition else ()
        for found, (_, mask, values) in self.taken.items():
            if found in needed or found.size in self._counts:
                self._recorder.guards.append((mask, values))
