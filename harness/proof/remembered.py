"""What was proven is remembered: of the same program at the same numbers it is not proven again.

What the user's code does is run, recorded and compared in every check. Where that is a program that was
evaluated before (the same structure, to the last constant), at the same bits, its enclosures are those of
then: a cell of a notebook is run again, a test suite asks one function in several modes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from functools import partial
from itertools import chain
from typing import Any, TypeVar

from oracles.exact.core import library
from oracles.exact.core.pairs import Pairs
from oracles.exact.core.plans import structure
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work
from oracles.exact.enclose.limits import Limits
from oracles.exact.enclose.refine import refine
from oracles.exact.program.program import Array, Program
from oracles.exact.rounding.bound import Bound, RoundingModel, bound
from oracles.exact_oracle import BITS

MOST = 128  # proofs that are remembered
# Elements of a program's inputs and outputs, and its equations: no memory is filled.
SMALL, SHORT = 2**13, 2**10

R = TypeVar("R")
_proven: OrderedDict[Hashable, tuple[Any, float]] = OrderedDict()


def remembered(
    prove: Callable[[], R],
    balls: Callable[[R], Iterable[Any] | None],
    program: Program,
    numbers: Sequence[Array],
    *settings: Hashable,
    work: Work | None = None,
) -> R:
    """What `prove` gives of a program at these numbers, or gave before.

    Args:
        prove: Proves it; it reads nothing but the program, the numbers, and what `settings` tell.
        balls: The arrays in what was proven, which nobody may write into; None where it is not remembered:
            it tells of lines of code, or of sides that are recorded anew.
        program, numbers: The program, and the numbers of its inputs.
        settings: What else decides it, and which of several proofs of one program it is.
        work: What it costs is counted each time, so that no verdict depends on what was asked before; None
            where it has its own.
    """
    size = sum(v.size for v in (*program.inputs, *program.outputs))
    if size > SMALL or len(program.equations) > SHORT or any(a.dtype == object for a in numbers):
        return prove()
    bits = tuple((a.dtype.str, a.shape, a.tobytes()) for a in numbers)
    key = (settings, library.problem(), bits, structure(program))
    if key in _proven:
        _proven.move_to_end(key)
        known, cost = _proven[key]
        if work is None or work.pays(cost):
            return known  # type: ignore[no-any-return]
    before = work.left if work else 0.0
    found = prove()
    arrays = balls(found)
    if arrays is not None:
        for array in arrays:
            array.setflags(write=False)
        _proven[key] = found, before - (work.left if work else 0.0)
        while len(_proven) > MOST:
            _proven.popitem(last=False)
    return found


def forget() -> None:
    """Nothing is remembered any more."""
    _proven.clear()


def refined(program: Program, numbers: Sequence[Array], limits: Limits) -> list[Enclosure]:
    """The results of a program, enclosed to what a verdict needs.

    Raises:
        Undecided: As `refine`.
    """
    prove = partial(refine, program, numbers, BITS, limits, quickly=True)
    return remembered(prove, of_enclosures, program, numbers, "refined", limits)


def bounded(
    program: Program, numbers: Sequence[Array], machine: RoundingModel, work: Work | None = None
) -> Bound:
    """B of the results of a program.

    Raises:
        ValueError: As `bound`.
    """
    prove = partial(bound, program, numbers, machine, work)
    return remembered(prove, _of_bound, program, numbers, "bounded", machine, work=work)


def of_pairs(found: Iterable[Pairs]) -> Iterable[Array]:
    """The arrays of balls."""
    return chain.from_iterable((x.h, x.l, x.r) for x in found)


def of_enclosures(found: Sequence[Enclosure]) -> Iterable[Array] | None:
    """The arrays of enclosures by the fast core; None where there are others, or kinks."""
    if any(e.pairs is None or e.kinks or e.leaps is not None for e in found):
        return None
    return of_pairs(e.pairs for e in found if e.pairs)


def _of_bound(found: Bound) -> Iterable[Array] | None:
    """The arrays of a bound by the fast core, which names no operation; None where it is another."""
    pairs = [one for one in found.found if isinstance(one, Pairs)]
    return of_pairs(pairs) if len(pairs) == len(found.found) else None
