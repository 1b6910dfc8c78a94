"""What is hidden by the numbers that custom functions get besides what is differentiated.

A module's weights of ones, its running mean of zeros, the scale of 1.0 that a closure holds: to the function
they are constants, to the rule arguments. So it is asked at other ones, as if they were the function's too.
What the derivative does not depend on, as the factor by which a rule means to scale the gradient alone, is
what it must be. So is what follows another operand: a scale and its square or its logarithm, p and 1 - p, one
array that two rules get. Nobody knows which do, so a rule that is right where they do is accused of nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import Any, TypeAlias

import numpy as np

from harness.inputs.points import as_numbers, made, other
from harness.proof.faults import differ, is_as, is_right
from harness.proof.hiding import held_hides
from harness.proof.neutral import Argument, Ask, faults_elsewhere
from harness.proof.question import Answer, Part
from harness.subject.derivative import Array
from harness.subject.operands import Opened
from harness.subject.target import Target
from oracles.exact.program.trees import Fixed
from oracles.frameworks.operands import SPECIAL

Relation: TypeAlias = Callable[[Any], Any]


# A scale with its variance, their inverses and logarithms; the sine of a cosine.
RELATIONS: tuple[Relation, ...] = (
    lambda x: x, lambda x: 1 - x, lambda x: 1 / x, lambda x: x * x, np.sqrt, lambda x: 1 / (x * x),
    lambda x: 1 / np.sqrt(x), lambda x: -x, lambda x: 2 * x, lambda x: x / 2, np.log, np.exp,
    lambda x: 1 - x * x, lambda x: np.sqrt(1 - x * x), lambda x: 2 * np.log(x), lambda x: np.exp(x / 2),
    lambda x: 1 / (1 - x), lambda x: 1 + x, np.cos, np.sin, lambda x: -np.log(x),
)  # fmt: skip
ROUNDED = 2.0**-8  # how far what follows may be off, of itself: by the rounding of bfloat16
MOST_WAYS = 64  # in which others may follow one
COUNTED_ON = "it is right only if another operand follows it, as a variance follows its scale"
ELSEWHERE = (0.3, 3.0)  # no number that hides something, nor half of another or twice that


def faults_of_operands(opened: Opened, seed: int, ask: Ask) -> tuple[list[Part], list[str], list[str]]:
    """What is faulty where operands are other numbers, what hides it, and what is only told.

    What may follow another operand accuses nobody: that the gradient counts on it is told.

    Args:
        opened: The function with the operands as arguments.
        seed: What seeds the draws.
        ask: Asks the same of other arguments.
    """
    target, hiding = opened.target, dict[Argument, str]()
    numbers = {k: _number(target, k) for k, _ in opened.places}
    for k, name in opened.places:
        if numbers[k] == 2 and any(2 in array.shape for array in target.arrays):
            continue  # it may be a length
        if isinstance(k, Fixed) and numbers[k] in SPECIAL:
            hiding[k] = f"{name} is {numbers[k]:g}"
        elif isinstance(k, int) and held_hides(_as_numbers(target, k), target.arrays):
            hiding[k] = f"{name} is all {numbers[k]:g}"
    with opened.given():
        if not hiding or not is_right(here := ask(target)):
            return [], [], []
        hiding = {k: told for k, told in hiding.items() if not _is_read_elsewhere(here, target, k)}

        def moved(another: Target) -> Answer:
            there = ask(another)
            return there if differ(here, there) else Answer(())

        shown, words = faults_elsewhere(replace(here, hiding=hiding), target, seed, moved)
        which = [k for k, told in hiding.items() if told in words]
        rules = {k: name.split(" of ")[1] for k, name in opened.places}
        if shown and _follow(here, target, numbers, rules, which, ask):
            return [], [], [_told(shown[0], words)]
        return shown, words, []


def _told(part: Part, hiding: Sequence[str]) -> str:
    return (
        f"here {' and '.join(hiding)}; with other numbers there alone the gradient is "
        f"{part.verdict.value} ({part.name}: {part.diagnosis}): {COUNTED_ON}"
    )


def _is_read_elsewhere(here: Answer, target: Target, k: Argument) -> bool:
    """Whether the gradient has an array of the same numbers: it may read the operand at its source."""
    recording = here.sight.examined.recording if here.sight else None
    if recording is None or isinstance(k, Fixed) or target.arrays[k].size < 2:
        return False
    used = recording.program.giving(slice(None)).equations
    constants = (e.params["value"] for e in used if e.primitive.name == "constant")
    return any(np.array_equal(c, target.arrays[k]) for c in constants)


@np.errstate(all="ignore")
def _follow(
    here: Answer, target: Target, numbers: Mapping[Argument, float], rules: Mapping[Argument, str],
    which: Iterable[Argument], ask: Ask,
) -> bool:  # fmt: skip
    """Whether it is right elsewhere if others follow one of these, or these another one, as they may."""
    blamed = list(which)
    each = [*blamed, *(k for k in numbers if k not in blamed)]
    return any(_is_followed(here, target, numbers, rules, k, blamed, ask) for k in each)


def _is_followed(
    here: Answer, target: Target, numbers: Mapping[Argument, float], rules: Mapping[Argument, str],
    k: Argument, blamed: Sequence[Argument], ask: Ask,
) -> bool:  # fmt: skip
    """Whether it is right elsewhere in some way in which others follow that one, or stay.

    One of those that are blamed must move. Not where a rule reads none of them: it does not count on one that
    follows another.
    """
    alone, following = {k: ask(_at(target, [k], ELSEWHERE[0], False))}, dict[Argument, list[Relation]]()
    for j in numbers:
        fits = [r for r in RELATIONS if _is_close(r(np.float64(numbers[k])), numbers[j])]
        if j != k and fits and _may_be_of(target, j, k):
            alone[j] = ask(_at(target, [j], ELSEWHERE[0], False))
            if not is_right(alone[j]):  # else it follows nothing
                following[j] = [*fits, _stays]
    is_one = all(rules[j] == rules[k] for j in following)
    if is_one and all(is_as(here, alone[j]) for j in (k, *following)):
        return False
    ramps = all(max(_shape(target, own), default=1) > 1 for own in (k, *following))

    def tied(number: float, by: Iterable[Relation]) -> Target:
        found = _at(target, [k], number, ramps)
        for j, relation in zip(following, by, strict=True):
            found = found if relation is _stays else _at(found, [j], number, ramps, relation)
        return found

    def moves(by: Iterable[Relation]) -> bool:
        after = [j for j, relation in zip(following, by, strict=True) if relation is not _stays]
        return bool(after) and not {k, *after}.isdisjoint(blamed)

    ways = filter(moves, product(*following.values()))
    return any(
        all(is_right(ask(tied(n, by))) for n in ELSEWHERE if all(np.isfinite(r(n)) for r in by))
        for by in islice(ways, MOST_WAYS)
    )


def _stays(x: Any) -> Any:
    """Of what follows nothing."""
    return x


def _is_close(one: Any, other: float) -> bool:
    return bool(abs(one - other) <= ROUNDED * abs(other))


def _may_be_of(target: Target, j: Argument, k: Argument) -> bool:
    """Whether one operand may be made of another by number: they are of one shape, or one is a number."""
    lengths = [[n for n in _shape(target, own) if n > 1] for own in (j, k)]
    return not all(lengths) or lengths[0] == lengths[1]


def _at(
    target: Target, which: Iterable[Argument], number: float, ramps: bool, relation: Relation = RELATIONS[0]
) -> Target:
    """The target where these follow a number, or an array that `ramps` from it to twice that."""
    chosen = list(which)

    def numbers(array: Array) -> Array:
        factors = np.linspace(1, 2 if ramps else 1, array.size).reshape(array.shape)
        return np.asarray(relation(number * factors), array.dtype)

    found = made(target, [k for k in chosen if isinstance(k, int)], numbers)
    fixed = [k for k in chosen if isinstance(k, Fixed)]
    return other(found, fixed, relation(number)) if fixed else found


def _shape(target: Target, k: Argument) -> tuple[int, ...]:
    return target.arrays[k].shape if isinstance(k, int) else ()


def _number(target: Target, k: Argument) -> float:
    """The number that all of an operand are."""
    if isinstance(k, Fixed):
        return float(k.leaf)
    return float(_as_numbers(target, k).flat[0].real)


def _as_numbers(target: Target, k: int) -> Array:
    return as_numbers(target.arrays[k], k in target.flat.complex)
