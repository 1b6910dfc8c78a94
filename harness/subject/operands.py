"""A function with what its custom functions get, besides what is differentiated, as arguments of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from harness.subject.derivative import Array
from harness.subject.names import names_of
from harness.subject.state import current
from harness.subject.target import Target
from oracles.exact.program.trees import Fixed
from oracles.frameworks.operands import Operands


@dataclass(frozen=True)
class Opened:
    """Such a function at its arguments.

    Attributes:
        target: The function.
        places: Which arguments they are, arrays by their numbers or numbers of Python's, and their names.
        operands: What they are.
    """

    target: Target
    places: tuple[tuple[int | Fixed, str], ...]
    operands: Operands

    def given(self) -> AbstractContextManager[object]:
        """Within, its custom functions get them; each evaluation begins so."""
        return current().within(self.operands.given())


def opened(
    target: Target, again: Callable[..., Target], elsewhere: Callable[[], Sequence[Sequence[Array]]]
) -> Opened | None:
    """The function so; None where its custom functions get nothing of that kind.

    Args:
        target: The function as it was given.
        again: Makes a target of it, with more keywords and `around`, as `target_of` has it.
        elsewhere: Gives points at which it is the same.

    Raises:
        Exception: What the function raises there.
    """
    if not target.framework.has_operands(target.flat, target.arrays):
        return None
    with current().aside():  # what runs elsewhere leaves nothing behind
        operands = target.framework.operands(target.flat, target.arrays, elsewhere())
    if operands is None:
        return None
    found = again(operands.values, operands.around)
    flat = found.flat
    fixed = names_of(flat.function, flat.tree, [f.place for f in flat.fixed])
    places: list[tuple[int | Fixed, str]] = [*enumerate(found.names), *zip(flat.fixed, fixed, strict=True)]
    return Opened(found, tuple((k, name) for k, name in places if name in operands.values), operands)
