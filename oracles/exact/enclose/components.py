"""Which elements of a derivative hang on which kinks, so that one kink does not open the hulls of all.

Where two numbers meet there is a hyperplane of points at which they do. Kinks on one hyperplane are one kink,
whatever they are written with: `x > 0`, |x| and max(x, 0) turn together. Close by, the gap between the two
numbers grows in proportion to the distance from the hyperplane, so kinks are one where their gaps have the
same ratios along several random directions. The shares of one maximum of many are one kink, too.

What an element depends on is seen by evaluation: with the hulls of one kink, and a mixture of both sides at
every other one. The mixture is not the middle, which is often 0 and hides what it is multiplied with. What
only several kinks together make wide depends on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.enclose.evaluate import Work
from oracles.exact.enclose.mixtures import Sites
from oracles.exact.program.balls import precision
from oracles.exact.program.primitives.choices import blend_
from oracles.exact.program.program import Array, Equation, Program, Shape, Var

MOST = 64  # kinks that are looked at one by one; more are told apart by their equation and number
KNOWN_BITS = 32  # of an element that is not at a kink

Key: TypeAlias = tuple[str, *tuple[float, ...]]  # of a kink
Operands: TypeAlias = dict[int, tuple[Equation, list[Array]]]  # by the number of the equation
Takes: TypeAlias = Callable[[tuple[Var, ...], Shape], NDArray[np.bool_]]
_Mask: TypeAlias = Callable[[int, Array], Array]  # of kinks, by the number of an equation and their own


class Component(NamedTuple):
    """Elements that share kinks.

    Attributes:
        elements: Their numbers.
        single: Whether one hyperplane is all there is: then there are two sides, and no others.
    """

    elements: frozenset[int]
    single: bool


def is_known(ball: arb, bits: int = KNOWN_BITS) -> bool:
    """Whether it is no hull: it is exact, or more than so many bits of it are known."""
    return bool(ball.is_exact()) or ball.rel_accuracy_bits() > bits


class OneSide:
    """Watches an evaluation on a ray: keeps what kinks are made of, and takes one side of what is tied.

    What still meets there is one number all along: what the recorded code does with it is all that it does.
    A maximum does not say. Its sides are alike, but where one of the two is held fixed (`x - x.detach()`).
    That is seen by taking others.

    Args:
        takes: `takes(whose, shape)` says for which elements of a maximum of these the first one is taken; for
            that of rows, or an order, as a whole, which has the shape (). If not given, for all.

    Attributes:
        free: Whether such elements met.
    """

    def __init__(self, takes: Takes | None = None) -> None:
        self.operands: Operands = {}
        self.takes, self.free = takes, False
        self._number = -1

    def __call__(self, equation: Equation, operands: list[Array], result: Array) -> None:
        """Look at one equation."""
        self._number += 1
        kink = equation.primitive.kink
        if kink is None:
            return
        self.operands[self._number] = equation, operands
        tied = kink.tied(*operands, **equation.params)
        if not tied.any() or equation.primitive.jumps:
            return
        result[tied] = kink.mixed(1.0, *operands, **equation.params)[tied]
        if equation.params.get("closed") is not None:
            return
        self.free = True
        if self.takes:
            pairs = equation.primitive is blend_
            whose, shape = equation.operands[: 1 + pairs], tied.shape if pairs else ()
            others = tied & ~self.takes(whose, shape)
            result[others] = kink.mixed(0.0, *operands, **equation.params)[others]


def components(
    program: Program,
    inputs: Sequence[Array],
    hulls: Sequence[arb],
    rays: Sequence[Operands],
    bits: int,
    work: Work | None,
) -> list[Component]:
    """The elements that are hulls, by the kinks that they share; those of no kink are in none.

    Args:
        program: A derivative program.
        inputs: The numbers of its inputs.
        hulls: Its outputs there, in one list.
        rays: What kinks are made of along directions, each followed by its opposite.
        bits: The precision.
        work: How much may be done.
    """
    wide = [k for k, ball in enumerate(hulls) if not is_known(ball)]
    found = Sites(program, inputs, bits, work)
    with precision(4 * bits):
        keys = {n: _keys(n, *found.places[n], rays) for n in found.places}
    kinks = sorted({key for own in keys.values() for key in own if key})
    number = {key: n for n, key in enumerate(kinks)}
    of = {n: np.array([number[key] if key else -1 for key in own]) for n, own in keys.items()}

    def touched(kept: _Mask) -> frozenset[int]:
        results = found.mixed_but({n: (own >= 0) & kept(n, own) for n, own in of.items()})
        balls = [b for array in results for b in array.ravel()]
        return frozenset(k for k in wide if not is_known(balls[k]))

    if len(kinks) <= MOST:
        links = [touched(lambda n, own, one=one: own == one) for one in range(len(kinks))]  # type: ignore[misc]
    else:
        links = _told_apart(of, len(kinks), touched)
    return _joined(links, [key[0] == "plane" for key in kinks])


def _keys(number: int, tied: Array, gaps: Array, rays: Sequence[Operands]) -> list[Key | None]:
    """What is the same for kinks that are one, the row or the hyperplane; None off the kinks."""
    if gaps.dtype.kind == "i":
        return [("row", number, int(g)) if t else None for t, g in zip(tied, gaps, strict=True)]
    around = []
    for ray in rays:
        equation, operands = ray[number]
        assert equation.primitive.kink is not None
        around.append(np.ravel(equation.primitive.kink.gap(*operands, **equation.params)))
    return [_key(number, at, [gap[at] for gap in around]) if t else None for at, t in enumerate(tied)]


def _key(number: int, at: int, gaps: Sequence[arb]) -> Key:
    if any(not gap.is_finite() or gap.contains(0) for gap in gaps):
        return "same", number, at  # the two numbers do not part along this direction
    sizes = [float(abs(gap / gaps[0]).mid()) for gap in gaps]
    return ("plane" if sizes[::2] == sizes[1::2] else "several", *sizes)


def _told_apart(
    of: Mapping[int, Array], count: int, touched: Callable[[_Mask], frozenset[int]]
) -> list[frozenset[int]]:
    """For each kink the elements that may depend on it, by the bits of its number and by its equations."""
    digits = range((count - 1).bit_length())
    by_digit = {
        (d, one): touched(lambda n, own, d=d, one=one: (own >> d & 1) == one)  # type: ignore[misc]
        for d in digits
        for one in (0, 1)
    }
    by_equation = {e: touched(lambda n, own, e=e: np.full(own.shape, n == e)) for e in of}  # type: ignore[misc]
    own: list[set[int]] = [set() for _ in range(count)]
    for equation, numbers in of.items():
        for n in set(numbers.tolist()) - {-1}:
            own[n] |= by_equation[equation]
    return [frozenset(own[n]).intersection(*(by_digit[d, n >> d & 1] for d in digits)) for n in range(count)]


def _joined(links: Sequence[frozenset[int]], planes: Sequence[bool]) -> list[Component]:
    """Links that have an element in common, together."""
    found: list[tuple[set[int], list[bool]]] = []
    for link, plane in zip(links, planes, strict=True):
        elements, kinds = set(link), [plane] if link else []
        for other in [f for f in found if f[0] & elements]:
            found.remove(other)
            elements |= other[0]
            kinds += other[1]
        if elements:
            found.append((elements, kinds))
    return [Component(frozenset(elements), kinds == [True]) for elements, kinds in found]
