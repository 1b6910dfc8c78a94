"""Which elements of a derivative hang on which kinks, so that one kink does not open the hulls of all.

Where two numbers meet there is a hyperplane of points at which they do. Kinks on one hyperplane are one kink,
whatever they are written with: `x > 0`, |x| and max(x, 0) turn together. Close by, the gap between the two
numbers grows in proportion to the distance from the hyperplane, so kinks are one where their gaps have the
same ratios along several random directions. The shares of one maximum of many are one kink, too.

What an element depends on is seen by evaluation: with the hulls of one kink, and a mixture of both sides at
every other one. The mixture is not the middle, which is often 0 and hides what it is multiplied with. What
only several kinks together make wide depends on all of them. Where a mixture leaves an element what it is
close by, no side changes it: it is a polynomial in the shares of the sides, and one that is not constant has
that value at hardly any shares.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.enclose.evaluate import Work
from oracles.exact.enclose.mixtures import Sites
from oracles.exact.enclose.one_plane import is_one_plane, seen
from oracles.exact.program.balls import precision
from oracles.exact.program.formats import UNKNOWN
from oracles.exact.program.primitives.choices import blend_
from oracles.exact.program.primitives.edges import edge_rate
from oracles.exact.program.program import Array, Equation, Program, Shape, Var

SHARES = (
    16  # parts of a whole: a kink's sides get some of these, so both shares are numbers that doubles hold
)
MOST = 64  # kinks that are looked at one by one; more are told apart by their equation and number
EDGES = 3  # of branches
FEW = 3  # hyperplanes, which leave eight parts of space
KNOWN_BITS = 32  # of an element that is not at a kink

Key: TypeAlias = tuple[str, *tuple[float, ...]]  # of a kink
Operands: TypeAlias = dict[int, tuple[Equation, list[Array]]]  # by the number of the equation
Takes: TypeAlias = Callable[[tuple[Var, ...], Shape], NDArray[np.bool_]]
_Mask: TypeAlias = Callable[[int, Array], Array]  # of kinks, by the number of an equation and their own


class Component(NamedTuple):
    """Elements that share kinks.

    Attributes:
        elements: Their numbers.
        kinks: The numbers of their kinks.
        single: Whether one hyperplane is all there is: then there are two sides, and no others.
    """

    elements: frozenset[int]
    kinks: frozenset[int]
    single: bool


def is_known(ball: arb, bits: int = KNOWN_BITS) -> bool:
    """Whether it is no hull: it is exact, or more than so many bits of it are known."""
    return bool(ball.is_exact()) or ball.rel_accuracy_bits() > bits


class Kinks:
    """Watches an evaluation: keeps what kinks are made of.

    Attributes:
        operands: By the number of an equation, it and the numbers.
    """

    def __init__(self) -> None:
        self.operands: Operands = {}
        self._number = -1

    def __call__(self, equation: Equation, operands: list[Array], result: Array) -> None:
        """Look at one equation."""
        self._number += 1
        if equation.primitive.kink is not None:
            self.operands[self._number] = equation, operands


class OneSide(Kinks):
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
        super().__init__()
        self.takes, self.free = takes, False

    def __call__(self, equation: Equation, operands: list[Array], result: Array) -> None:
        """Look at one equation."""
        super().__call__(equation, operands, result)
        kink = equation.primitive.kink
        if kink is None:
            return
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


class Hanging:
    """Which elements of a derivative hang on which kinks at a point.

    Args:
        program: A derivative program.
        inputs: The numbers of its inputs.
        hulls: Its outputs there, in one list.
        rays: What kinks are made of along directions, each followed by its opposite.
        bits: The precision.
        work: How much may be done.

    Attributes:
        sites: Where the kinks are.
        kinks: By the number of an equation, the number of each element's kink, -1 for none.
        planes: Of each kink, whether it is a hyperplane.
    """

    def __init__(
        self,
        program: Program,
        inputs: Sequence[Array],
        hulls: Sequence[arb],
        rays: Sequence[Operands],
        bits: int,
        work: Work | None,
    ) -> None:
        self._wide = [k for k, ball in enumerate(hulls) if not is_known(ball)]
        self.sites = Sites(program, inputs, bits, work)
        with precision(4 * bits):
            keys = _merged({n: _keys(n, *place, rays) for n, place in self.sites.places.items()})
        found = sorted({key for own in keys.values() for key in own if key})
        number = {key: n for n, key in enumerate(found)}
        self.kinks = {n: np.array([number[key] if key else -1 for key in own]) for n, own in keys.items()}
        self.planes = [key[0] == "plane" for key in found]
        self._equations = {n: rays[0][n][0] for n in keys}
        self._rays, self._bits = rays, bits
        self._sides = {n: [_sides(*ray[n]) for ray in rays[:2]] for n in keys}

    def mixed(self) -> list[arb]:
        """All elements, with a mixture of the sides of each kink, which is one for all that turn together."""
        planes, several = np.array(self.planes, bool), np.arange(len(self.planes)) % (SHARES - 1) + 1
        shares = np.random.default_rng(0).permutation(several) / SHARES

        def mixes(number: int, equation: Equation, operands: list[Array], hulls: Array) -> Array:
            kink, own = equation.primitive.kink, self.kinks.get(number)
            if own is None or kink is None or equation.primitive is edge_rate:
                return np.full(hulls.shape, UNKNOWN, object)  # with other numbers there may be more kinks
            side, opposite = self._sides[number]
            above = np.where(side > 0, shares[own], 1 - shares[own])
            above = np.where(planes[own] & (side == opposite), side > 0, above)  # |x| > 0 on both
            share = 1 - above if equation.params.get("closed") is False else above
            mixed = hulls.copy()
            for one in set(share[own >= 0].tolist()):
                here = ((share == one) & (own >= 0)).reshape(hulls.shape)
                mixed[here] = kink.mixed(one, *operands, **equation.params)[here]
            return mixed

        return [b for array in self.sites.chosen(mixes) for b in array.ravel().tolist()]

    def components(self) -> list[Component]:
        """The elements that are hulls, by the kinks that they share; those of no kink are in none."""
        found = _joined(self.links, self.planes)
        return [part if part.single else part._replace(single=self._on_one(part.kinks)) for part in found]

    def _on_one(self, kinks: Collection[int]) -> bool:
        """Whether kinks of several kinds are one hyperplane."""
        sites = [(n, at) for n, own in self.kinks.items() for at in np.flatnonzero(np.isin(own, list(kinks)))]
        if len(sites) > MOST:
            return False
        with precision(4 * self._bits):
            return is_one_plane([[seen(*ray[n], int(at)) for n, at in sites] for ray in self._rays])

    @cached_property
    def links(self) -> list[frozenset[int]]:
        """Of each kink, the elements that hang on it."""
        count = len(self.planes)
        if count > MOST:
            return _told_apart(self.kinks, count, self._touched)
        return [self._touched(lambda n, own, one=one: own == one) for one in range(count)]  # type: ignore[misc]

    def are_seen(self, kinks: Collection[int], rays: Sequence[Operands]) -> bool:
        """Whether rays lie in all parts of space that a few hyperplanes leave."""
        if len(kinks) > FEW or not all(self.planes[kink] for kink in kinks):
            return False
        sites = [self._first_site[kink] for kink in kinks]
        seen = {tuple(int(_sides(*ray[n])[at]) for n, at in sites) for ray in rays}
        parts = {sides for sides in seen if all(sides)}
        return len(parts) == 1 << len(kinks)

    def kinks_of(self, element: int) -> frozenset[int]:
        """The kinks that an element hangs on."""
        return frozenset(kink for kink, link in enumerate(self.links) if element in link)

    @cached_property
    def groups(self) -> list[frozenset[int]]:
        """Kinks of one place, as those of the coordinates of one point: they act together."""
        found: list[set[int]] = []
        at_place: dict[tuple[Shape, int], set[int]] = {}
        for n, own in self.kinks.items():
            for at in np.flatnonzero(own >= 0).tolist():
                at_place.setdefault((self._equations[n].output.shape, at), set()).add(int(own[at]))
        for kinks in at_place.values():
            group = set(kinks)
            for other in [one for one in found if one & group]:
                found.remove(other)
                group |= other
            found.append(group)
        return [frozenset(group) for group in found]

    @cached_property
    def _first_site(self) -> dict[int, tuple[int, int]]:
        found: dict[int, tuple[int, int]] = {}
        for n, own in self.kinks.items():
            for at in np.flatnonzero(own >= 0).tolist():
                found.setdefault(int(own[at]), (n, at))
        return found

    def is_edged(self, part: Component) -> bool:
        """Whether more edges of branches have a part in it than a few rays see all sides of together."""
        edges = {n for n, equation in self._equations.items() if equation.primitive is edge_rate}
        own = part.kinks.intersection(*[[k for n in edges for k in self.kinks[n].tolist()]])
        return sum(self.planes[k] for k in own) > EDGES

    def _touched(self, kept: _Mask) -> frozenset[int]:
        results = self.sites.mixed_but({n: (own >= 0) & kept(n, own) for n, own in self.kinks.items()})
        balls = [b for array in results for b in array.ravel()]
        return frozenset(k for k in self._wide if not is_known(balls[k]))


def _sides(equation: Equation, operands: list[Array]) -> NDArray[np.int64]:
    """On which side of each kink numbers lie: 1 or -1; 0 for neither, and where there are more than two."""
    kink = equation.primitive.kink
    assert kink is not None
    gaps = np.ravel(kink.gap(*operands, **equation.params))
    if gaps.dtype.kind == "i":
        return np.zeros(gaps.shape, np.int64)
    return np.array([int(gap > 0) - int(gap < 0) for gap in gaps.tolist()], np.int64)


def _keys(number: int, tied: Array, gaps: Array, rays: Sequence[Operands]) -> list[Key | None]:
    """What is the same for kinks that are one, the row or the hyperplane; None off the kinks."""
    if gaps.dtype.kind == "i":
        return [("row", number, int(g)) if t else None for t, g in zip(tied, gaps, strict=True)]
    around, is_edge = [], rays[0][number][0].primitive is edge_rate
    for ray in rays:
        equation, operands = ray[number]
        assert equation.primitive.kink is not None
        around.append(np.ravel(equation.primitive.kink.gap(*operands, **equation.params)))
    sites = enumerate(tied)
    return [_key(number, at, [gap[at] for gap in around], is_edge) if t else None for at, t in sites]


def _key(number: int, at: int, gaps: Sequence[arb], is_edge: bool) -> Key:
    if any(not gap.is_finite() or gap.contains(0) for gap in gaps):
        return "same", number, at  # the two numbers do not part along this direction
    ratios = [float((gap / gaps[0]).mid()) for gap in gaps]
    pairs = zip(ratios[::2], ratios[1::2], strict=True)
    turns = all(a == (b if is_edge else -b) for a, b in pairs)  # how far it is from an edge has no sign
    return ("plane", *map(abs, ratios)) if turns else ("several", *ratios)


def _merged(keys: Mapping[int, list[Key | None]]) -> dict[int, list[Key | None]]:
    """What does not turn where a hyperplane does, as |x| > 0, is one kink with it."""
    planes = {key for own in keys.values() for key in own if key and key[0] == "plane"}

    def merged(key: Key | None) -> Key | None:
        plane: Key = ("plane", *key[1:]) if key else ("plane",)
        return plane if key and key[0] == "several" and plane in planes else key

    return {n: list(map(merged, own)) for n, own in keys.items()}


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
    found: list[tuple[set[int], set[int]]] = []
    for kink, link in enumerate(links):
        elements, kinks = set(link), {kink}
        for other in [f for f in found if f[0] & elements]:
            found.remove(other)
            elements |= other[0]
            kinks |= other[1]
        if elements:
            found.append((elements, kinks))
    return [Component(frozenset(e), frozenset(k), len(k) == 1 and planes[min(k)]) for e, k in found]
