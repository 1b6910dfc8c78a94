"""JAX's mutable arrays (`jax.new_ref`): what is read and written, in the order in which it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
from jax._src.state import discharge  # what an index of a reference means has no public name

from oracles.exact.from_jaxpr.call import Eqn, Rule
from oracles.exact.from_jaxpr.keys import aval_of
from oracles.exact.from_jaxpr.tracing import x64_for
from oracles.exact.program.program import Shape


class Cell:
    """What a reference holds now; loops and branches get the cell, and write into it.

    Attributes:
        value: A recorded value, real or complex.
    """

    def __init__(self, value: Any) -> None:
        self.value = value

    @property
    def shape(self) -> Shape:
        """As the array's."""
        found: Shape = self.value.shape
        return found

    @property
    def dtype(self) -> str:
        """As the array's."""
        found: str = self.value.dtype
        return found


def traced(call: Eqn, function: Callable[..., Any], *operands: Any) -> list[Any]:
    """JAX's own function of arrays, written in place of an access."""
    avals = list(map(aval_of, operands))
    with x64_for(any(v.dtype in {"float64", "complex128", "int64"} for v in operands)):
        closed = jax.make_jaxpr(function)(*avals)
    return call.interpret(call.recorder, closed, operands)


def _get(call: Eqn, cell: Cell, *where: Any) -> Any:
    return traced(call, partial(_of_discharge, "_get_discharge", call.params["tree"], 1), cell.value, *where)


def _swap(call: Eqn, cell: Cell, new: Any, *where: Any) -> Any:
    """Write, and give what was there."""
    swap = partial(_of_discharge, "_swap_discharge", call.params["tree"], 2)
    old, cell.value = traced(call, swap, cell.value, new, *where)
    return [old]


def _add(call: Eqn, cell: Cell, new: Any, *where: Any) -> Sequence[Any]:
    add = partial(_of_discharge, "_addupdate_discharge", call.params["tree"], 2)
    (cell.value,) = traced(call, add, cell.value, new, *where)
    return []


def _of_discharge(name: str, tree: Any, arrays: int, *operands: Any) -> Any:
    """JAX's own function of the arrays and of what says where."""
    return getattr(discharge, name)(*operands[:arrays], operands[arrays:], tree)


REFERENCES: dict[str, Rule] = {
    **dict.fromkeys(("new_ref", "ref", "mutable_array"), lambda call, x: [Cell(x)]),
    "freeze": lambda call, cell: [cell.value],
    "get": _get,
    "swap": _swap,
    "addupdate": _add,
}
