"""A function and then its gradient, recorded in one run: torch's graph of the function is kept in between.

A gradient runs its function first. Where the function was just recorded as that run of it begins, its record
goes on: what is written is what a run of its own would have written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from operator import itemgetter
from typing import Any, TypeAlias

from oracles.exact.from_aten.recorder import OperatorRecorder
from oracles.exact.from_aten.watch import Tree, followed
from oracles.exact.program.program import Var

Leaves: TypeAlias = list[list[Any]]
Onward: TypeAlias = Callable[[Leaves, list[Tree]], tuple[OperatorRecorder, list[Var]]]


def graph_of(gradient: Any, function: Any, leaves: Leaves, trees: Sequence[Tree]) -> Any:
    """What makes the graph that this gradient pulls back on; None where its run begins otherwise.

    It must be that of the function with respect to every tensor that moves, as the function is recorded.
    """
    if getattr(gradient, "contains", None) is not function or gradient.nested:
        return None
    if not all(isinstance(tree, itemgetter) for tree in trees):
        return None
    moving = [k for k, (leaf,) in enumerate(leaves) if leaf.is_floating_point()]
    return gradient.graph if moving == list(gradient.argnums) else None


def recorded(
    mode: OperatorRecorder, graph: Callable[..., Any], leaves: Leaves, trees: list[Tree]
) -> tuple[list[Var], Onward]:
    """The outputs of the function in a graph, and what goes on to its gradient along given cotangents."""
    with mode.arguments(leaves, trees, differentiated=False) as args:  # by the graph they are
        pull = mode.within_it(lambda: graph(*args))
        with followed():
            outputs = mode.outputs(mode.result)
    # The graph begins with the tensors that it differentiates by, each a detached one, and the function has
    # no part in that.
    first, mode.lines = mode.lines[: len(leaves)], mode.lines[len(leaves) :]

    def onward(cotangents: Leaves, trees: list[Tree]) -> tuple[OperatorRecorder, list[Var]]:
        later, recorder, count = copy(mode), mode.recorder, len(mode.recorder.inputs)
        later.moves, later.results = False, outputs
        later.lines, later.exact, later.rules = [*first, *mode.lines], [*mode.exact], {**mode.rules}
        last, recorder.origin = recorder.origin, None  # a cotangent is of no call
        with later.arguments(cotangents, trees, differentiated=False) as along:
            recorder.origin = last
            recorder.inputs = recorder.inputs[count:] + recorder.inputs[:count]  # the cotangents come first
            recorder.values = recorder.values[count:] + recorder.values[:count]
            found = later.within_it(lambda: pull(*along, False))
            with followed():
                return later, later.end(found)

    return outputs, onward


def can_go_on(mode: OperatorRecorder) -> bool:
    """Whether a gradient that is not differentiated itself would have been recorded so, too.

    Where something is held fixed, or written outside, that depends on what is recorded.
    """
    return not (mode.memory.holds or mode.saved or mode.marks or mode.copies)
