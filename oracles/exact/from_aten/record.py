"""PyTorch functions as programs: ATen's operators, recorded as they run, undecomposed.

A reader starts here: `record` runs the function under `recorder.OperatorRecorder`, a dispatch mode that
translates each operator by its rule (`rules.RULES`). `memory` knows what each tensor looks at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_map

from oracles.exact.from_aten import kept
from oracles.exact.from_aten.memory import numbers
from oracles.exact.from_aten.recorder import OperatorRecorder
from oracles.exact.from_aten.watch import Watch, laid_out
from oracles.exact.program.errors import ExactError, Opaque, Unsupported
from oracles.exact.program.program import Line, Program
from oracles.exact.program.recording import Recording, declare_edges

# How far the second run's inputs are from the first's, if it runs there; at least one bit of their dtype.
STEPS = (2.0**-18, 0.0, -0.0)
FEW = 2**12  # elements


def record(
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: dict[str, Any] | None = None,
    differentiate: bool = True,
) -> Recording:
    """Record a function of tensors at a point.

    It is run a second time nearby, to see that nothing but the inputs moves: a number that was computed
    outside torch (through `.numpy()`) would stand in the program as a constant.

    Args:
        function: It runs as it is: modules, `autograd.Function`s, `torch.func`, in-place operators.
        args: Tensors or NumPy arrays, or trees of them; each floating one becomes an input.
        kwargs: Likewise, but constants.
        differentiate: False for a program that will not be differentiated, as that of a gradient: what
            autograd would hold fixed is a value like any then.

    Raises:
        Unsupported: An operator without a rule, random numbers, a number that leaves the tensors, a changed
            input, or something computed outside torch.
        Undecided: A branch that no precision decides.
    """
    trees = [tree_flatten(tree_map(_as_tensor, arg)) for arg in args]
    named = tree_map(_as_tensor, kwargs or {})
    leaves, specs = [own for own, _ in trees], [spec for _, spec in trees]
    argument = tuple(k for k, own in enumerate(leaves) for leaf in own if _is_floating(leaf))
    kind = kept.kind_of(function, leaves, differentiate)
    again = _recorded_before(kind, function, leaves, specs, named)
    if again is not None:
        (program, once), ran = again
        values = tuple(numbers(leaf) for own in leaves for leaf in own if _is_floating(leaf))
        return Recording(program, values, argument, _said(once), executed=lambda: ran)
    mode = OperatorRecorder(moves=differentiate)
    outputs = mode.run(function, leaves, specs, named)
    does_the_same = _confirm(mode, function, leaves, specs, named)
    outputs = declare_edges(mode.recorder, outputs) if differentiate else outputs
    program, values, executed = mode.recorder.program(outputs), tuple(mode.recorder.values), mode.executed
    if does_the_same:
        kept.keep(kind, mode, program)
    return Recording(program, values, argument, _said(tuple(mode.once)), executed=lambda: executed)


def _said(once: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        f"the backward of {name} is marked once_differentiable: a derivative of it is without its part, and "
        "torch does not say so"
        for name in once
    )


def _recorded_before(
    kind: Hashable,
    function: Callable[..., Any],
    leaves: list[list[Any]],
    specs: list[TreeSpec],
    named: Any,
) -> tuple[tuple[Program, tuple[str, ...]], tuple[Any, ...]] | None:
    """The program of a run that did what the function does here and nearby, and what it returns here."""
    if not kept.known(kind):
        return None
    watch = Watch(checked=True)
    try:
        results = watch.run(function, leaves, specs, named)
    except Exception:
        return None  # recorded anew, it says why
    one = kept.found(kind, watch)
    if one is None:
        return None
    nearby, _ = _nearby_where_it_runs(function, leaves, specs, named)
    if nearby.lines != watch.lines:
        return None
    ran = tuple(numbers(leaf) for leaf in tree_leaves(results) if leaf is not None)
    return (one.program, one.once), ran


def _confirm(
    first: OperatorRecorder,
    function: Callable[..., Any],
    leaves: list[list[Any]],
    specs: list[TreeSpec],
    named: Any,
) -> bool:
    """Run again nearby: what is fixed in the record must stay so. A branch that turns there says nothing.

    Returns:
        Whether it does the same there, to the letter.
    """
    watch, nearby = _nearby_where_it_runs(function, leaves, specs, named)
    if watch.lines == first.lines:
        return True
    again = OperatorRecorder(moves=first.moves)
    try:
        again.run(function, nearby, specs, named)
    except ExactError:
        return False
    guards = [[value.tolist() for _, value in mode.recorder.guards] for mode in (first, again)]
    if again.lines == first.lines or guards[0] != guards[1]:
        return False
    differ = (new for old, new in zip(first.lines, again.lines, strict=False) if old != new)
    operator, *_, line = next(differ, ("end", None))
    line = line if isinstance(line, Line) else None
    raise Opaque(
        "the function computes something outside torch (through .numpy() or a Python number?): "
        f"nearby, {operator} at {line or 'the end'} gets another constant; use torch's operators all the way",
        line=line,
    )


def _nearby_where_it_runs(
    function: Callable[..., Any], leaves: list[list[Any]], specs: list[TreeSpec], named: Any
) -> tuple[Watch, list[list[Any]]]:
    """A run with other arguments, and these: as far off as may be, for the function may have a domain.

    Raises:
        Unsupported: There are none.
    """
    problem: Exception | None = None
    shares = iter(_shares(tuple(tuple(leaf.shape) for own in leaves for leaf in own if _is_floating(leaf))))
    by = [[next(shares) if _is_floating(leaf) else None for leaf in own] for own in leaves]
    for step in STEPS:
        watch = Watch()
        nearby = [list(map(partial(_nearby, step), *pairs)) for pairs in zip(leaves, by, strict=True)]
        try:
            watch.run(function, nearby, specs, named)
        except Exception as raised:
            problem = raised
        else:
            return watch, nearby
    raise Unsupported(
        "the function raises at each point nearby, so what it computes outside torch cannot be seen: "
        f"{type(problem).__name__}: {problem}"
    )


def _is_floating(leaf: Any) -> bool:
    return isinstance(leaf, Tensor) and leaf.is_floating_point()


def _as_tensor(leaf: Any) -> Any:
    """NumPy arrays and scalars as tensors of their dtype."""
    if not isinstance(leaf, (np.ndarray, np.generic)):
        return leaf
    array = np.array(leaf)
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _nearby(step: float, leaf: Any, by: Tensor | None) -> Any:
    """Every number a little closer to zero, or with a negative step further away; zeros a little above."""
    if by is None:
        return leaf
    least = 2 * torch.finfo(leaf.dtype).eps
    step = math.copysign(max(abs(step), least), step)
    moved = leaf.detach().double() * (1 - step * by) if leaf.any() else step * by
    return laid_out(leaf.detach()).copy_(moved)


def _shares(shapes: tuple[tuple[int, ...], ...]) -> list[Tensor]:
    """By which share of a step each number of arrays of these shapes is moved."""
    return (_few_shares if sum(map(math.prod, shapes)) <= FEW else _drawn_shares)(shapes)


def _drawn_shares(shapes: tuple[tuple[int, ...], ...]) -> list[Tensor]:
    rng = np.random.default_rng(0)
    return [torch.from_numpy(rng.uniform(0.5, 1.0, shape)) for shape in shapes]


_few_shares = lru_cache(maxsize=64)(_drawn_shares)  # to make a generator takes longer than to draw
