"""Recordings that are kept: one serves every later run that does the same.

A recording may outlive nothing that it depends on. So the function runs again each time, only watched, at the
point and nearby; where both runs are noted as those were that the recording was made of (see `notes`), it is
the recording of these, too. What reads more of a run than is noted is recorded each time: decisions by the
numbers, numbers that a rule takes from what torch computed, random numbers, results that are marked.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import _get_current_dispatch_mode

from oracles.exact.from_aten.memory import strange
from oracles.exact.from_aten.notes import digest
from oracles.exact.from_aten.operators import rule_of
from oracles.exact.from_aten.recorder import OperatorRecorder
from oracles.exact.from_aten.watch import Watch, is_part
from oracles.exact.program.program import Line, Program
from oracles.exact.program.trees import Derived
from oracles.exact.program.user_modules import OURS

MOST, OF_ONE_KIND = 128, 4
SMALL = 2**16  # elements of all arguments, and of a program's constants; recording larger ones costs nothing
DEPTH = 8  # functions of ours around the user's


@dataclass(eq=False)
class Kept:
    """A recording without its point.

    Attributes:
        lines, exact: What the run did that it was made of.
        program, once: What was recorded.
        released: As in `AutogradView`.
        rules: Which rules it was written by, by the operator and whether it worked in place.
        beside: Of a gradient: its program with the results of its function.
        function: Of a gradient: the recording of the function that its run begins with, where that is known.
        is_steady: Whether the last run of its kind was this one, so that the next one may well be, too.
    """

    lines: list[tuple[Any, ...]]
    exact: list[bytes]
    program: Program
    once: tuple[str, ...]
    released: Line | None
    rules: dict[tuple[Any, bool], Any]
    beside: Program | None = None
    function: Kept | None = None
    is_steady: bool = False

    @property
    def is_ruled(self) -> bool:
        """Whether it would be written by the same rules now."""
        return all(rule_of(*which) is rule for which, rule in self.rules.items())


_kept: OrderedDict[Hashable, list[Kept]] = OrderedDict()


def kind_of(function: Callable[..., Any], leaves: Sequence[Sequence[Any]], moves: bool) -> Hashable:
    """What recordings that may serve one another have in common; None where none is kept.

    Inside another recording or mode none is: it would see other runs the next time.
    """
    if _get_current_dispatch_mode() is not None:
        return None
    tensors = [leaf for own in leaves for leaf in own if isinstance(leaf, Tensor)]
    if any(map(strange, tensors)) or sum(t.numel() for t in tensors) > SMALL:
        return None
    return moves, _root(function), tuple(tuple(map(_told, own)) for own in leaves)


def latest(kind: Hashable) -> Kept | None:
    """The last recording of this kind; None where there is none."""
    return None if kind is None or kind not in _kept else _kept[kind][-1]


def found(kind: Hashable, run: Watch) -> Kept | None:
    """The recording of what this run did; None where there is none."""
    own = _kept.get(kind, ()) if run.notes.complete else ()
    did = run.lines, run.exact, tuple(run.once)
    one = next((one for one in own if (one.lines, one.exact, one.once) == did), None)
    return one if one is not None and one.is_ruled else None


def made(kind: Hashable, run: OperatorRecorder, program: Program) -> Kept | None:
    """What a run has recorded, to be kept; None where something that it depends on is not noted."""
    lasting = kind is not None and run.notes.complete and not run.recorder.looked and not program.guards
    constants = sum(e.output.size for e in program.equations if e.primitive.name == "constant")
    if not lasting or constants > SMALL:
        return None
    return Kept(run.lines, run.exact, program, tuple(run.once), run.released, run.rules, run.beside(program))


def keep(kind: Hashable, new: Kept) -> None:
    """Keep a recording, whose function does the same nearby."""
    own = [one for one in _kept.pop(kind, []) if one is not new][-OF_ONE_KIND + 1 :]
    _kept[kind] = [*own, new]
    while len(_kept) > MOST:
        _kept.popitem(last=False)


def begins(gradient: Kept, function: Kept) -> bool:
    """Whether the run of a gradient begins with this run of the function, at its arguments, to the letter.

    That is not asked where whole numbers are part of the notes: they are not told line by line.
    """
    *did, returned = function.lines
    ends = [k for k, line in enumerate(gradient.lines) if line == returned and k >= len(did)]
    return not function.exact and any(gradient.lines[k - len(did) : k] == did for k in ends)


def _told(leaf: Any) -> Hashable:
    """An argument, but for the numbers of a floating one."""
    if not isinstance(leaf, Tensor):
        return None  # what the function does with it is in its run
    fixed = None if leaf.is_floating_point() or strange(leaf) else digest(leaf)
    layout = leaf.stride() if leaf.layout == torch.strided else None
    return leaf.dtype, leaf.shape, layout, leaf.device, is_part(leaf), fixed


def _root(function: Any, depth: int = DEPTH) -> Hashable:
    """The user's function inside ours, with what it calls of its closure: a test's wrapper is one of many.

    It only spares runs that nothing would be found for.
    """
    for _ in range(depth):
        code = getattr(function, "__code__", None)
        if isinstance(function, Derived):
            function = function.origins[0]
        elif isinstance(function, partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif code is not None and code.co_filename.startswith(OURS):
            inner = next(_called(function), None)
            if inner is None:
                return id(code)
            function = inner
        else:
            break
    code = getattr(function, "__code__", None)
    if code is None:
        own = getattr(function, "__self__", None)
        return id(own), getattr(function, "__name__", ""), id(type(function))
    return id(code), *(_root(one, depth - 1) for one in _called(function) if depth)


def _called(function: Any) -> Iterator[Any]:
    """What a function may call of its closure."""
    for cell in function.__closure__ or ():
        with suppress(ValueError):  # one that is empty
            if callable(cell.cell_contents):
                yield cell.cell_contents
