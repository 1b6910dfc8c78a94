"""PyTorch functions as programs: ATen's operators, recorded as they run, undecomposed.

A reader starts here: `record` runs the function under `recorder.OperatorRecorder`, a dispatch mode that
translates each operator by its rule (`rules.RULES`). `memory` knows what each tensor looks at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache, partial
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from oracles.exact.from_aten import kept
from oracles.exact.from_aten.attached import followed
from oracles.exact.from_aten.memory import is_floating_tensor, numbers
from oracles.exact.from_aten.numpy_inside import WithNumpy
from oracles.exact.from_aten.onward import Onward, can_go_on, graph_of, recorded
from oracles.exact.from_aten.recorder import OperatorRecorder
from oracles.exact.from_aten.watch import Tree, Watch, laid_out
from oracles.exact.program.errors import ExactError, Opaque, Unsupported
from oracles.exact.program.program import Line, Program
from oracles.exact.program.recording import Claim, Claims, Recording, claims, declare_edges

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
    taken_apart = [_leaves_of(arg) for arg in args]
    leaves, trees = [own for own, _ in taken_apart], [tree for _, tree in taken_apart]
    run = _Run(function, leaves, trees, tree_map(_as_tensor, kwargs) if kwargs else {}, differentiate)
    kind, taken = kept.kind_of(function, run.leaves, differentiate), claims()
    before = kept.latest(kind)
    if before is not None and differentiate and taken is not None and before.is_steady and before.is_ruled:
        # The run of its gradient, which is to come, shows whether it is that still.
        taken.append(Claim(function, run.leaves, before, lambda: run.is_still(kind, before)))
        return replace(
            run.recorded(before.program, before.once, before.released, run.executed), runs_again=True
        )
    known = run.as_before(kind) if before is not None else None
    if known is not None and before is not None:
        one, executed = known
        before.is_steady = one is before
    else:
        mode, outputs, onward = _recorded(run, differentiate, taken)
        program = _written(mode, outputs)
        new, executed = kept.made(kind, mode, program), mode.executed
        if new is not None and differentiate and taken is not None:
            # The run of its gradient, which is to come, shows whether it does the same nearby.
            claim = _claimed(kind, mode, run, new)
            claim.onward = onward if onward and can_go_on(mode) else None
            taken.append(claim)
            return run.recorded(program, new.once, new.released, lambda: executed)
        try:
            does_the_same = _confirm(mode, run)
        except Opaque as opaque:
            mode = WithNumpy(moves=differentiate)
            outputs, does_the_same = _with_numpy(mode, run, opaque)
            program = _written(mode, outputs)
            new = kept.made(kind, mode, program)
        executed = mode.executed
        if new is None or not does_the_same:
            found = run.recorded(program, tuple(mode.once), mode.released, lambda: executed)
            attached = partial(followed, program, mode.attached) if mode.attached else None
            return replace(found, attached=attached, loses=mode.loses)
        kept.keep(kind, new)
        one = new
    if taken is not None and differentiate:
        taken.append(Claim(function, run.leaves, one, lambda: True, holds=True))
    elif taken:
        _show(taken, run, one)
    return run.recorded(one.program, one.once, one.released, lambda: executed, one.beside)


def _recorded(
    run: _Run, differentiate: bool, taken: Claims | None
) -> tuple[OperatorRecorder, list[Any], Onward | None]:
    """What wrote a run, and its outputs; of a function whose gradient is to come, what goes on to that."""
    if taken and not differentiate and (found := _gone_on(run, taken)):
        return *found, None
    mode = OperatorRecorder(moves=differentiate)
    if taken is not None and differentiate and not run.named:
        graph = graph_of(taken.gradient, run.function, run.leaves, run.trees)
        if graph is not None:
            return mode, *recorded(mode, graph, run.leaves, run.trees)
    return mode, run.under(mode), None


def _gone_on(run: _Run, taken: Claims) -> tuple[OperatorRecorder, list[Any]] | None:
    """The run of a gradient as the rest of that of its function; None where it is another."""
    function = getattr(run.function, "contains", None)
    for claim in taken:
        onward, claim.onward = claim.onward, None
        if onward and claim.function is function and _are_same(claim.at, run.leaves[1:]):
            with suppress(Exception):  # by a run of its own, it says why
                gone: tuple[OperatorRecorder, list[Any]] = onward(run.leaves[:1], run.trees[:1])
                return gone
    return None


def _written(mode: OperatorRecorder, outputs: list[Any]) -> Program:
    """The program of what was recorded."""
    return mode.recorder.program(declare_edges(mode.recorder, outputs) if mode.moves else outputs)


def _claimed(kind: Hashable, mode: OperatorRecorder, run: _Run, new: kept.Kept) -> Claim:
    """A recording whose function was not run nearby yet."""

    def keep() -> None:
        kept.keep(kind, new)

    def shows() -> bool:
        try:
            if _confirm(mode, run):
                keep()
        except ExactError:
            return False  # recorded without what was taken for granted, it says why
        return True

    return Claim(run.function, run.leaves, new, shows, keep)


def _show(taken: Sequence[Claim], run: _Run, gradient: kept.Kept) -> None:
    """The run of a gradient was the one that is kept: so is that of the function in it, at its arguments."""
    function = getattr(run.function, "contains", None)
    for claim in taken:
        if claim.function is function and _are_same(claim.at, run.leaves[1:]):
            claim.holds = _is_shown(claim, gradient)
            if claim.holds:
                gradient.function = claim.kept


def _is_shown(claim: Claim, gradient: kept.Kept) -> bool:
    """Whether the function does what was recorded: the gradient's run showed it before, or begins with it."""
    if claim.holds or gradient.function is claim.kept:
        return True
    if kept.begins(gradient, claim.kept):
        claim.keep()
        return True
    return claim.shows()


def _are_same(some: list[list[Any]], others: list[list[Any]]) -> bool:
    """Whether these are the same numbers in the same places."""
    return [len(own) for own in some] == [len(own) for own in others] and all(
        isinstance(x, Tensor) and isinstance(y, Tensor) and x.dtype == y.dtype and torch.equal(x, y)
        for own, other in zip(some, others, strict=True)
        for x, y in zip(own, other, strict=True)
    )


class _Run(NamedTuple):
    """A function of tensors at its arguments: trees as their leaves and their shape.

    Attributes:
        function, leaves, trees, named: The function and its arguments.
        differentiated: Whether it is differentiated, so that its arguments require grad.
    """

    function: Callable[..., Any]
    leaves: list[list[Any]]
    trees: list[Tree]
    named: Any
    differentiated: bool

    def under(self, watch: Watch) -> Any:
        """Run it."""
        return watch.run(*self)

    def executed(self) -> tuple[Any, ...]:
        """What it returns where it is watched."""
        watch = Watch(checked=True)
        self.under(watch)
        return watch.executed

    def wider(self) -> tuple[Any, ...]:
        """What it returns for the same numbers as float64."""
        wide = [[leaf.double() if is_floating_tensor(leaf) else leaf for leaf in own] for own in self.leaves]
        return self._replace(leaves=wide).executed()

    def recorded(
        self,
        program: Program,
        once: tuple[str, ...],
        released: Line | None,
        executed: Callable[[], tuple[Any, ...]],
        beside: Program | None = None,
    ) -> Recording:
        """A program as the recording of this."""
        notes = tuple(
            f"the backward of {name} is marked once_differentiable: a derivative of it is without its part, "
            "and torch does not say so"
            for name in once
        ) + _detached(released)
        each = ((k, leaf) for k, own in enumerate(self.leaves) for leaf in own)
        floating = [(k, leaf) for k, leaf in each if is_floating_tensor(leaf)]
        values = tuple(numbers(leaf) for _, leaf in floating)
        owners = tuple(k for k, _ in floating)
        return Recording(program, values, owners, notes, executed, wider=self.wider, beside=beside)

    def as_before(
        self, kind: Hashable, one: kept.Kept | None = None
    ) -> tuple[kept.Kept, tuple[Any, ...]] | None:
        """The kept recording (`one`, if only that counts) that this is, here and nearby, and its results."""
        watch = Watch(checked=True)
        try:
            self.under(watch)
            found = kept.found(kind, watch)
            if found is None or (one is not None and found is not one):
                return None
            nearby, _ = self.nearby()
        except Exception:
            return None  # recorded anew, it says why
        if nearby.lines != watch.lines:
            return None
        return found, watch.executed

    def is_still(self, kind: Hashable, one: kept.Kept) -> bool:
        """Whether this recording is that of the function now."""
        one.is_steady = self.as_before(kind, one) is not None
        return one.is_steady

    def nearby(self) -> tuple[Watch, _Run]:
        """It at other arguments, run: as far off as may be, for the function may have a domain.

        Raises:
            Unsupported: There are none.
        """
        problem: Exception | None = None
        shapes = tuple(tuple(leaf.shape) for own in self.leaves for leaf in own if is_floating_tensor(leaf))
        shares = iter(_shares(shapes))
        by = [[next(shares) if is_floating_tensor(leaf) else None for leaf in own] for own in self.leaves]
        for step in STEPS:
            pairs = zip(self.leaves, by, strict=True)
            near = self._replace(leaves=[list(map(partial(_nearby, step), *own)) for own in pairs])
            watch = Watch()
            try:
                near.under(watch)
            except Exception as raised:
                problem = raised
            else:
                return watch, near
        raise Unsupported(
            "the function raises at each point nearby, so what it computes outside torch cannot be seen: "
            f"{type(problem).__name__}: {problem}"
        )


def _detached(released: Line | None) -> tuple[str, ...]:
    """What is said of `detach` inside of a custom function's forward, which is differentiated whole."""
    if released is None:
        return ()
    return (
        f"detach at {released} holds nothing fixed: it is inside the forward of a custom function, which is "
        "differentiated whole; if a constant is meant, pass the function without the custom function as "
        "spec=",
    )


def _with_numpy(mode: WithNumpy, run: _Run, opaque: Opaque) -> tuple[list[Any], bool]:
    """The outputs where numbers leave the tensors for NumPy, and whether it does the same nearby.

    Raises:
        Opaque: As before, if they go elsewhere; or what NumPy's code has that is not known.
        Undecided: A branch that no precision decides.
    """
    try:
        outputs = run.under(mode)
    except Opaque:
        raise
    except Unsupported as error:
        raise Opaque(*error.args, line=error.line) from None
    except ExactError:
        raise
    except Exception:  # code that is not NumPy's alone got an array of ours
        raise opaque from None
    try:
        return outputs, _confirm(mode, run)
    except Opaque:  # numbers that leave otherwise
        raise opaque from None


def _confirm(first: OperatorRecorder, run: _Run) -> bool:
    """Run again nearby: what is fixed in the record must stay so. A branch that turns there says nothing.

    Returns:
        Whether it does the same there, to the letter.
    """
    watch, near = run.nearby()
    if watch.lines == first.lines:
        return True
    again = type(first)(moves=first.moves)
    try:
        near.under(again)
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


def _leaves_of(arg: Any) -> tuple[list[Any], Tree]:
    """The leaves of an argument, arrays as tensors, and what makes it of them; torch's own walk is slow."""
    if isinstance(arg, (np.ndarray, Tensor)):
        return [_as_tensor(arg)], itemgetter(0)
    if type(arg) is tuple and all(isinstance(part, (np.ndarray, Tensor)) for part in arg):
        return list(map(_as_tensor, arg)), tuple
    found, spec = tree_flatten(tree_map(_as_tensor, arg))
    return found, partial(tree_unflatten, treespec=spec)


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
