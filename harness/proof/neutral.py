"""What is faulty where the arguments that hide something are others; these may be what they must be.

What is differentiated moves, all of it at once, each number by its own. What is not is moved together, since
of two masks one may be enough, and each alone, since two factors that move together hide each other. It may
be a mask or weights, a scale, a label or a flag, and a gradient need not be right at what a label never is.
So one fault accuses nobody:

- Several ones may be a mask, weights, or labels. Half of them are 0, then 2, then -1, and nowhere may the
  gradient be right: that of labels of 0 and 1, or of 1 and -1, is at one of these. Several zeros may be a
  mean, a first state, or labels: half are 1, then 2, then -1, and then what else they may be
  (`zero_arguments`). Square ones may have to stay what they are. Zeros beside ones may be what these leave:
  they are exchanged, and that counts where it tells one from the other: of w (x - m)^2 nothing is left of m
  where w is 0. A divisor or a weight says nothing at 0, nor a variance at -1, nor a mean where its
  weights add up to 0: where only one of the three says something, another number must be faulty as well.
- A single 0 or 1 must be faulty at 2 and at a half, or elsewhere where the function has no value there or
  nothing is left of it, unless it is a label or a flag: at another one, 0, 1 or -1, the gradient is right.
  Nor may it be a tolerance: the larger that is, the sooner an iteration ends, where a gradient of what it
  converges to is not yet right. A flag changes the function once.
- A 2 must be faulty at 3 and at one and a half, likewise, unless it is a label. Several of 2, or of 0.5, are
  asked as one is.
- A 1 that is an integer is asked as 1.0 is, if it is a factor and nothing else (`factor`). Of 0.5 see `half`.

Two of them may hide the same fault together: one moves, and the others are asked there.

To be right somewhere says nothing if the function and the gradient are there just what they are here: of
`mask == 0` the mask is 1 at 2 and at -1 too, and of a scale's square -1 is 1. A label is not like this, or it
would tell nothing of what it labels.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from harness.inputs.points import (
    as_numbers,
    is_hermitian,
    is_packed,
    keeping,
    made,
    near,
    opposite,
    other,
    twin_of,
)
from harness.proof.factor import is_factor
from harness.proof.faults import compared, differ, is_as, is_clear, is_right, is_shorter, is_silent
from harness.proof.half import TINY, is_zero, of_one_half
from harness.proof.question import Answer, Part
from harness.proof.zero_arguments import are_meant
from harness.subject.derivative import Array
from harness.subject.target import Target
from oracles.exact.program.trees import Fixed

Argument = int | Fixed  # an array by its number, or a number of Python's
Ask = Callable[[Target], Answer]


class Kind(NamedTuple):
    """The number of an argument, and whether it has several of it."""

    several: bool
    number: float


KINDS = (
    Kind(True, 1), Kind(True, 0), Kind(False, 0), Kind(False, 1),
    Kind(False, 0.5), Kind(False, 2), Kind(True, 0.5), Kind(True, 2),
)  # fmt: skip
# Where a single number is asked: two of these say something, unless the function's domain is narrow.
ELSEWHERE = {0.0: (2, 0.5, 0.25, -0.5, 2.0**-6), 1.0: (2, 0.5, 0.75, 3), 2.0: (3, 1.5, 4, 6)}
ALONE = 8  # so many masks, and numbers, are asked alone
LABELS = (-1, 1, 0)  # and flags


@dataclass(frozen=True)
class _AskAt:
    """Asks once where some arguments are another number; `opposed`, at the opposite of what moves, too.

    Attributes:
        others: Arrays of ones beside zeros, and of zeros beside ones: of two masks each may be what the other
            leaves.
    """

    ask: Ask
    target: Target
    which: Sequence[Argument]
    others: Sequence[Argument] = ()
    symmetric: bool = False  # whether what is so stays so
    known: dict[float, Answer] = field(default_factory=dict, init=False)

    def __call__(self, number: float) -> Answer:
        if number not in self.known:
            self.known[number] = self.ask(other(self.target, self.which, number, self.symmetric))
        return self.known[number]

    def made(self, make: Callable[[Array], Array]) -> Answer:
        """The answer where arrays have the numbers that are made of theirs."""
        return self.ask(made(self.target, (k for k in self.which if isinstance(k, int)), make))

    def exchanged(self, given: int) -> Answer:
        """The answer where half of them are 0 in place of 1, and as many of the others 1 in place of 0."""
        return self.ask(other(other(self.target, self.which, 1 - given), self.others, given))

    def apart(self, given: int) -> Answer:
        """The answer where only the others are what they are when exchanged."""
        return self.ask(other(self.target, self.others, given))

    def opposed(self, number: float) -> Answer:
        return self.ask(opposite(other(self.target, self.which, number)))


def faults_elsewhere(here: Answer, target: Target, seed: int, ask: Ask) -> tuple[list[Part], list[str]]:
    """What is faulty, and what hides it at the given point; nothing where it is right.

    Args:
        here: The answer at the given point.
        target, seed: The function there, and what seeds the draws.
        ask: Asks the same of other arguments.
    """
    hiding = here.hiding
    moving = [k for k in hiding if isinstance(k, int) and k in target.active]
    if moving and (shown := _of_moving(target, moving, seed, ask)):
        return shown, [hiding[k] for k in moving]
    whole = [k for k in hiding if isinstance(k, Fixed) and type(k.leaf) is int]
    twins = [
        k for k in hiding if isinstance(k, int) and k not in moving and twin_of(target.arrays, k) is not None
    ]
    if twins and (shown := compared(ask(_apart(target, twins, seed)))):
        return shown, [hiding[k] for k in twins]
    numbers = {k: _kind(target, k) for k in hiding if k not in (*moving, *whole, *twins)}
    for kind in KINDS:
        others = [k for k, own in numbers.items() if own == Kind(True, 1 - kind.number)]
        for which in _sets([k for k, own in numbers.items() if own == kind]):
            if shown := _faults_of(kind, here, target, which, _AskAt(ask, target, which, others)):
                return shown, [hiding[k] for k in which]
    for k in whole[:ALONE]:
        if shown := _of_integer(here, _AskAt(ask, target, [k])):
            return shown, [hiding[k]]
    return [], []


def _apart(target: Target, twins: Sequence[int], seed: int) -> Target:
    """The target where some arrays are no twins; what is one number stays so, as the step of a grid."""
    even = [k for k in twins if (target.arrays[k] == target.arrays[k].flat[0]).all()]
    return made(near(target, [k for k in twins if k not in even], seed), even, lambda array: array * 0.75)


def faults_together(here: Answer, target: Target, seed: int, ask: Ask) -> tuple[list[Part], list[str]]:
    """What two arguments hide together, as zeros and a scale of 1: one moves, and the other is asked.

    The arguments are those of `faults_elsewhere`.
    """
    hiding = here.hiding
    moving = [k for k in hiding if isinstance(k, int) and k in target.active]
    start = near(target, moving, seed) if moving else target  # there what is no label is faulty
    bases: list[tuple[Sequence[Argument], Target]] = [(moving, start)] if moving else []
    for number in (1, 0):
        which = [k for k in hiding if k not in moving and _kind(target, k) == Kind(True, number)]
        bases += [([*moving, *which], other(start, which, 1 - number))] if which else []
    for moved, base in bases:
        left = {k: words for k, words in hiding.items() if k not in moved}
        if left and is_right(there := ask(base)):
            shown, hidden = faults_elsewhere(replace(there, hiding=left), base, seed, ask)
            if shown:
                return shown, [*(hiding[k] for k in moved), *hidden]
    return [], []


def _of_moving(target: Target, moving: Sequence[int], seed: int, ask: Ask) -> list[Part]:
    """What is faulty where what is differentiated moves.

    A vector with a 1 in it may be a direction, or shares: it must be faulty at its length, and at its sum.
    """
    there = near(target, moving, seed)
    shown = compared(ask(there))
    packed = [k for k in moving if is_packed(target.arrays[k])]
    if shown and packed:
        kept = (keeping(there, target, packed, measure) for measure in (np.linalg.norm, np.sum))
        return shown if all(any(map(is_clear, compared(ask(own)))) for own in kept) else []
    return shown


def _faults_of(kind: Kind, here: Answer, target: Target, which: Sequence[Argument], at: _AskAt) -> list[Part]:
    """What is faulty where arguments of one number, or of many that are the same, are others."""
    if kind.several and kind.number in {0, 1}:
        return _of_array(int(kind.number), here, target, which, at)
    return of_one_half(here, at) if kind.number == 0.5 else _of_number(here, kind.number, at)


def _of_array(given: int, here: Answer, target: Target, which: Sequence[Argument], at: _AskAt) -> list[Part]:
    """What is faulty where half are other numbers, of a graph's weights where they stay symmetric, too."""
    arrays = [target.arrays[k] for k in which if isinstance(k, int)]
    kinds: set[str] = {array.dtype.kind for array in arrays}
    shown = _with_half_changed(given, here, kinds, at)
    if shown and at.others and is_right(there := at.exchanged(given)) and _are_told(at.apart(given), there):
        return []
    if shown and any(map(is_hermitian, arrays)):
        return shown if _with_half_changed(given, here, kinds, replace(at, symmetric=True)) else []
    return shown


def _with_half_changed(given: int, here: Answer, kinds: set[str], at: _AskAt) -> list[Part]:
    """What is faulty where half are other numbers, if something is at each that says anything."""
    shown: list[list[Part]] = []
    says_nothing, first = False, 1 - given
    for number in (first,) if kinds == {"b"} else (first, 2) if "u" in kinds else (first, 2, -1):
        if found := compared(there := at(number)):
            shown.append(found)
        elif is_right(there) and not is_as(here, there):
            return []
        says_nothing |= is_silent(there)
    arrays = [k for k in at.which if isinstance(k, int)]
    if shown and given == 0 and are_meant(here, arrays, at, at.made):
        return []
    if says_nothing and len(shown) == 1 and not compared(at(3 if kinds & {"i", "u"} else 0.5)):
        return []
    return shown[0] if shown else []


def _of_number(here: Answer, given: float, at: _AskAt) -> list[Part]:
    """What is faulty at two other numbers, if nothing says that this one is a label or a tolerance.

    A number at which the function has no value, as a correlation of 2 has none, says nothing; nor does one at
    which the derivative is 0 and the gradient too. Then others are asked.
    """
    shown = list[Part]()
    for number in ELSEWHERE[given]:
        if not (found := compared(there := at(number))):
            if is_silent(there) or is_zero(there):
                continue
            return []
        if shown:
            return shown
        if is_shorter(there, here) and _is_tolerance(given, there, at(TINY)):
            return []  # asked first, since at -1 it may iterate for ever
        if _is_label(here, given, at):
            return []
        shown = found
    return []


def _is_tolerance(given: float, larger: Answer, tiny: Answer) -> bool:
    """Whether an iteration ends sooner where the number is larger, and what it converges to is right.

    The step of a loop ends it sooner too; a gradient that lacks it is faulty at a tiny one as well.
    """
    return is_shorter(larger, tiny) and (given == 0 or not compared(tiny))


def _is_label(here: Answer, given: float, at: _AskAt) -> bool:
    """Whether the gradient is right at another label or flag than this.

    A 1 may be a width, within which nothing lies at -1, nor at 0, where it may have no value: the derivative
    is the same there, and another at each width. That of a branch that a label chooses is one at both widths.
    """
    labels = LABELS if given != 2 else LABELS[:2]  # with an exponent of 0 nothing is left to be wrong
    others = {label: at(label) for label in labels if label != given}
    right = {label for label, found in others.items() if is_right(found) and not is_as(here, found)}
    if right == {0, -1}:  # a margin that is kept at -1 is not kept at the opposite
        is_width = not differ(others[0], others[-1]) and (not is_zero(others[-1]) or is_zero(at.opposed(-1)))
    else:
        is_width = right == {-1} and is_zero(others[-1]) and is_silent(others[0])
    return bool(right) and not (is_width and differ(at(2.0), at(0.5)))


def _are_told(one: Answer, another: Answer) -> bool:
    """Whether the derivatives are not known to be the same."""
    return one.sight is None or another.sight is None or differ(one, another)


def _of_integer(here: Answer, at: _AskAt) -> list[Part]:
    """The same of an integer that is a factor. (A loop that ends where it is met would end at no half.)"""
    if not compared(larger := at(2.0)):
        return []
    programs = [p.sight.posed.forward.program for p in (at(1.0), larger) if p.sight]
    return _of_number(here, 1, at) if len(programs) == 2 and is_factor(*programs) else []


def _sets(which: Sequence[Argument]) -> list[Sequence[Argument]]:
    """All at once, for what each of them alone keeps as it is, and one by one."""
    alone: list[Sequence[Argument]] = [[k] for k in which[:ALONE]]
    return alone if len(which) < 2 else [which, *alone]


def _kind(target: Target, k: Argument) -> Kind:
    """Of which number an argument is, and whether it has several."""
    if isinstance(k, Fixed):
        return Kind(False, float(k.leaf.real))
    numbers = as_numbers(target.arrays[k], k in target.flat.complex)
    return Kind(numbers.size > 1, float(numbers.flat[0].real))
