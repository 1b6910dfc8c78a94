"""A function with what its custom functions get, besides what is differentiated, as arguments of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from harness.subject.derivative import Array, Function
from harness.subject.names import names_of
from harness.subject.state import current
from harness.subject.target import Target
from harness.subject.variables import WithVariables, unwritten, variables_of
from oracles.exact.program.trees import Fixed
from oracles.frameworks.operands import Operands


@dataclass(frozen=True)
class Opened:
    """Such a function at its arguments.

    Attributes:
        target: The function.
        places: Which arguments they are, arrays by their numbers or numbers of Python's, and their names.
        operands: What they are.
        backward: The gradient by hand that takes them, too; None where the framework differentiates.
        unread: The names of those that it does not read.
    """

    target: Target
    places: tuple[tuple[int | Fixed, str], ...]
    operands: Operands
    backward: Function | None = None
    unread: frozenset[str] = frozenset()

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
    return _as_arguments(again(operands.values, operands.around), operands)


def _as_arguments(
    found: Target, operands: Operands, backward: Function | None = None, unread: frozenset[str] = frozenset()
) -> Opened:
    flat = found.flat
    fixed = names_of(flat.function, flat.tree, [f.place for f in flat.fixed])
    places: list[tuple[int | Fixed, str]] = [*enumerate(found.names), *zip(flat.fixed, fixed, strict=True)]
    own = tuple((k, name) for k, name in places if name in operands.values)
    return Opened(found, own, operands, backward, unread)


def with_variables(
    function: Function,
    rule: Function,
    taken: Iterable[str],
    runs: Sequence[Callable[[], object]],
    again: Callable[[Function, Function, Mapping[str, Any]], Target],
) -> Opened | None:
    """A function and its gradient by hand with what both read besides as keywords; None where there is none.

    Args:
        function, rule: They.
        taken: The names of keywords that they have.
        runs: Runs of both, in which nothing may write into these.
        again: Makes a target of them with more keywords.

    Raises:
        Exception: What the function raises there.
    """
    with current().aside():
        variables = tuple(unwritten(variables_of(function, rule, taken), runs))
    if not variables:
        return None
    values = {variable.name: variable.value for variable in variables}
    backward = WithVariables(rule, variables)
    operands = Operands(values, lambda f: WithVariables(f, variables), nullcontext)
    unread = frozenset(variable.name for variable in variables if not variable.is_read)
    return _as_arguments(again(operands.around(function), backward, values), operands, backward, unread)
