"""At the edge of a branch of the code: the slopes are those of the branches that are taken beside it.

`if x > 0:` is recorded on the side that is taken, and a mask that chooses elements with those that it
chooses. At x = 0 the other side is a program of its own. It is recorded a little off, along a ray, and counts
if its branches are the same all the way to the point, where it must have the value that the function has.
The slopes close by, on all sides, are then what is legal (Clarke, Optimization and Nonsmooth Analysis, 1983,
2.5).

An edge that is one hyperplane has two sides, and of a ray and its opposite each sees one. So an element has
one slope if it is the same on all rays, or two if each pair of opposite rays sees both. What says that some
rays have not seen all sides stays open: an element with other slopes, as of three that are tied; a question
of the code that may be answered otherwise here, and is on no ray (`if min(x) > 0:` at 0, of many); an element
for which the branches that are taken here give another slope than the rays, unless they are taken at this
point alone (`if x == 0:`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import Work, evaluate
from oracles.exact.enclose.kinks import FURTHER, distinct, flat, shaped, union
from oracles.exact.enclose.rays import DISTANCE_BITS, Direction, directions, moved
from oracles.exact.enclose.unseen import others_differ, together
from oracles.exact.enclose.witness import Again
from oracles.exact.program.balls import OPEN, as_balls, each, exact, precision
from oracles.exact.program.errors import ExactError, Turned, Undecided
from oracles.exact.program.formats import FORMATS, format_of
from oracles.exact.program.primitives.arithmetic import convert_
from oracles.exact.program.program import Array, Equation, Program, Var

DRAWS = 2  # of rays for each element; two elements that are tied are told from two that are not by more
MORE_DRAWS = 6
TIED = 32  # elements at edges that are looked at together
KNOWN = 2  # sides that are asked first whether they are a ray's
NUDGES = (30, 8)  # bits: how much less than a number, or than the least of them, it is moved to be recorded
CLOSER = 50  # bits by which a value comes closer at the least, where the distance is 2^300 times smaller
SPARE = 6  # of a format's digits a nudge leaves so many
MOST_PARTED = 24  # pairs of comparisons that were alike on all rays
STRUCTURES = 8  # programs whose comparisons are looked at
FARTHEST = 2.0**100  # times the distance of a ray: what differs by more there is at no edge
AROUND = 200  # bits: how near to the point a question is that may be answered otherwise there
LARGEST = 2.0**18  # operations of the function: more would take half a minute
JUMPS = "what is differentiated jumps where another branch is taken beside this point: it has no slope here"


class Sides:
    """The branches that are taken beside a point, and the slopes on them.

    Args:
        function: The program on the branches that are taken here.
        again: Records the function with other numbers in some of its inputs.
        derive, values, directions, wrt, bits: As for `slopes`.
        work: How much may be done.
        edge: What is said of the point.
        alone: Whether the branches that are taken here are taken at this point alone.

    Raises:
        Turned: It is too large.
    """

    def __init__(
        self,
        function: Program,
        again: Again,
        derive: Callable[..., Program],
        values: Sequence[Array],
        directions: Sequence[Array],
        wrt: Sequence[int],
        bits: int,
        work: Work,
        edge: Turned,
        alone: bool,
    ) -> None:
        if function.cost > LARGEST:
            raise edge
        self._again, self._derive, self._wrt, self._work = again, derive, wrt, work
        self._values, self._inputs = values, [*values, *directions]
        self._bits, self._edge, self._alone = bits, edge, alone
        self._here = flat(evaluate(function, values, self._wide, work, at_point=True))
        if not all(ball.is_finite() for ball in self._here):
            raise edge
        self._known = [(function, derive(function, wrt))]
        self._asked = [_Asked(function)]
        self._turning = {
            one.decided: np.frombuffer(one.where, bool).reshape(one.decided.shape)
            for one in (function.cells.turning if function.cells else ())
        }
        self._at_edges = 0
        self._on: list[tuple[Program, Sequence[Array]]] = []  # the derivatives, and where they were taken
        self._draws, self._drawn, self._ways = 0, list[list[Array]](), list[Direction]()

    def enclosures(self) -> list[Enclosure]:
        """The hulls of the slopes of each part.

        Raises:
            Undecided: The function jumps here, or it is not known what its sides are.
        """
        self._along_rays(DRAWS)
        self._look(together({i: np.shape(self._inputs[i]) for i in self._wrt}))
        if len(parting := self._parting()) > MOST_PARTED:
            self._along_rays(MORE_DRAWS)
            if len(parting := self._parting()) > MOST_PARTED:
                raise self._edge
        for way in parting:
            self._look([way, {i: -d for i, d in way.items()}])
        along = self._drawn
        found = [self._hull(part) for part in zip(*along, strict=True)]
        if not (self._alone or any(all(map(self._holds, found, here)) for here in self._as_here())):
            raise self._edge
        structures = self._structures()
        # Of what is asked beyond a branch at one point alone, that point may be the only other answer.
        if not all(map(self._is_answered, structures[:1] if self._alone else structures)):
            raise self._edge
        if any(map(self._has_other_sides, {id(d): d for d, _ in self._on}.values())):
            raise self._edge
        return found

    def total(self, weights: Sequence[Array]) -> arb | None:
        """The hull of a sum of all elements, each times a weight; None where it has more than two sides.

        Nor is it asked of many elements at edges: those that are independent have many sides together.

        Raises:
            Undecided: As `enclosures`.
        """
        if self._at_edges > TIED:
            return None
        along = self._along_rays(MORE_DRAWS)
        with precision(2 * self._bits):
            terms = [
                flat([np.asarray(s * exact(w)) for s, w in zip(one, weights, strict=True)]) for one in along
            ]
            sums = [sum(own, arb(0)) for own in terms]
            least = arb(2) ** -self._bits * max((abs(t).upper() for own in terms for t in own), key=float)
            sides = self._sides_of([arb(0) if abs(s) < least else s for s in sums])
        return union(sides) if sides else None

    def _along_rays(self, draws: int) -> list[list[Array]]:
        """The slopes along rays, each followed by those along its opposite."""
        while self._draws < draws:
            self._look(directions(self._inputs, self._wrt, self._draws))
            self._draws += 1
        return self._drawn

    def _look(self, along: Iterable[Direction]) -> None:
        for way in along:
            near, far = (moved(self._inputs, way, k * DISTANCE_BITS, k * self._bits) for k in (2, 1))
            self._drawn.append(self._slopes_at(near, far))
            self._ways.append(way)

    def _parting(self) -> list[Direction]:
        """Directions in which all questions are answered alike, and two that were alike on all rays are not.

        What two numbers differ by is linear close by, so a sum of directions has the sum of these.
        """
        gaps = np.array(list(self._planes().values()))
        if not len(gaps):
            return []
        gaps /= np.abs(gaps).max(1, keepdims=True)
        wanted = [(np.arange(len(gaps)), np.ones(len(gaps)))]
        for k, one in enumerate(gaps):
            for j, other in enumerate(gaps[:k]):
                if abs(int(np.sign(one * other).sum())) == len(self._ways):
                    wanted.append((np.array([k, j]), np.array([1.0, -np.sign(one[0] * other[0])])))
        found: list[Direction] = []
        for which, signs in wanted:
            shares = np.linalg.lstsq(gaps[which], signs, rcond=1e-14)[0]
            terms = [(share, way) for share, way in zip(shares, self._ways, strict=True)]
            found.append({i: sum(share * way[i] for share, way in terms) for i in self._wrt})
        return found

    def _planes(self) -> dict[tuple[float, ...], list[float]]:
        """Of the comparisons that are at an edge here, how far apart the two numbers are along the rays."""
        found: dict[tuple[float, ...], list[float]] = {}
        for asked in [*{one.places: one for one in self._asked}.values()][:STRUCTURES]:
            along = [self._apart(asked.unguarded, far[: len(self._values)]) for _, far in self._on]
            for own in zip(*along, strict=True):
                turns = own[::2] == tuple(-gap for gap in own[1::2])
                if turns and all(0 < abs(gap) < FARTHEST for gap in own):
                    found[tuple(gap / own[0] for gap in own)] = list(own)
        return found

    def _apart(self, program: Program, close: Sequence[Array]) -> list[float]:
        found: list[float] = []

        def watch(equation: Equation, operands: list[Array], result: Array) -> None:
            if equation.primitive.comparison and equation.operands[0].is_float:
                a, b = map(as_balls, operands)
                found.extend(float(gap.mid() * arb(2) ** DISTANCE_BITS) for gap in np.ravel(a - b).tolist())

        with suppress(Undecided):
            evaluate(program, close, self._wide, self._work, watch)
        return found

    def _slopes_at(self, near: Sequence[Array], far: Sequence[Array]) -> list[Array]:
        for function, derivative in self._sides_at(far[: len(self._values)]):
            try:
                there = self._gaps(function, far, self._wide)
                nearer = self._gaps(function, near, 2 * self._wide)
            except Turned:
                continue
            with precision(self._bits):
                closer = arb(2) ** -CLOSER
                if not all(gap <= closer * other for gap, other in zip(nearer, there, strict=True)):
                    raise Undecided(JUMPS)
            self._asked.append(_Asked(function))
            self._on.append((derivative, far))
            return self._limits(derivative, near, far)
        raise self._edge

    def _has_other_sides(self, derivative: Program) -> bool:
        """Whether slopes may differ on a side of what is chosen in a branch, and no ray shows it."""
        free = Program(derivative.inputs, derivative.equations, derivative.outputs)
        close = [far for _, far in self._on]
        return others_differ(free, self._inputs, self._wrt, close, self._bits, self._work)

    def _gaps(self, function: Program, close: Sequence[Array], bits: int) -> list[arb]:
        """How far a function is, at the most, from its values here."""
        there = flat(evaluate(function, close[: len(self._values)], bits, self._work, at_point=True))
        if len(there) != len(self._here):
            raise self._edge
        with precision(bits):
            return [abs(a - b).upper() for a, b in zip(self._here, there, strict=True)]

    @property
    def _wide(self) -> int:
        """The bits that a slope close by needs: that of sin(x) / x cancels twice."""
        return 4 * DISTANCE_BITS + self._bits

    def _limits(self, derivative: Program, near: Sequence[Array], far: Sequence[Array]) -> list[Array]:
        """The slopes close by: 0, where one is as small as the distance, and smaller at a smaller one."""
        vanishes, zero = arb(2) ** -(DISTANCE_BITS // 2), arb(2) ** -(DISTANCE_BITS - FURTHER)
        slopes = evaluate(derivative, far, self._wide, self._work)
        if not any(abs(ball) < zero and not ball.is_zero() for ball in flat(slopes)):
            return slopes
        nearer = evaluate(derivative, near, self._wide + 4 * DISTANCE_BITS, self._work)

        def limit(slope: arb, close: arb) -> arb:
            return arb(0) if abs(slope) < zero and abs(close) <= abs(slope) * vanishes else slope

        with precision(2 * self._bits):
            return [each(limit, *pair) for pair in zip(slopes, nearer, strict=True)]

    def _sides_at(self, close: Sequence[Array]) -> Iterator[tuple[Program, Program]]:
        """Programs that may be the function's on the way to a point close by, each with its derivative."""
        yield from self._known
        for nudge in NUDGES:
            nudged = {i: _nudged(self._values[i], close[i], nudge) for i in self._wrt}
            try:
                function = self._again(nudged).program
                side = function, self._derive(function, self._wrt)
            except ExactError:
                continue
            self._known = [*self._known[:KNOWN], side]
            yield side

    def _as_here(self) -> Iterator[list[Array]]:
        """The slopes close by, as the branches give them that are taken here; an index may jump with them."""
        _, derivative = self._known[0]
        unguarded = Program(derivative.inputs, derivative.equations, derivative.outputs)
        for way in self._ways:
            near, far = (moved(self._inputs, way, k * DISTANCE_BITS, k * self._bits) for k in (2, 1))
            yield self._limits(unguarded, near, far)

    def _holds(self, found: Enclosure, slopes: Array) -> bool:
        """Whether slopes close by lie in the hulls."""
        with precision(2 * self._bits):
            pairs = zip(flat([found.balls]), flat([slopes]), strict=True)
            return all(ball.contains(slope) for ball, slope in pairs)

    def _hull(self, along: Sequence[Array]) -> Enclosure:
        own = zip(*(slopes.ravel().tolist() for slopes in along), strict=True)
        sides = list(map(self._sides_of, own))
        if not all(sides):
            raise self._edge
        with precision(2 * self._bits):
            (hulls,) = shaped(list(map(union, sides)), along[:1])
        at_edges = sum(len(values) == 2 for values in sides)
        self._at_edges += at_edges
        return Enclosure(hulls, self._bits, (str(self._edge),) if at_edges else ())

    def _sides_of(self, slopes: Sequence[arb]) -> list[arb]:
        """One slope, or the two of an edge; none where it is not known."""
        with precision(2 * self._bits):
            values = distinct(slopes, arb("nan"), self._bits)
            if len(values) == 2:
                first = [values[0].contains(s) for s in slopes]
                return values if all(a != b for a, b in zip(first[::2], first[1::2], strict=True)) else []
        return values if len(values) == 1 else []

    def _structures(self) -> list[list[_Asked]]:
        """The programs, those together that ask the same questions at the same places."""
        found: dict[Any, list[_Asked]] = {}
        for one in self._asked:
            found.setdefault(one.places, []).append(one)
        return list(found.values())

    def _is_answered(self, alike: list[_Asked]) -> bool:
        """Whether each question that is open at the point is answered otherwise on some ray.

        Another program's answers count up to the first that differs: after it the questions may be others.
        """
        first = alike[0]
        otherwise = [np.zeros(np.shape(answer), bool) for answer in first.answers]
        for one in alike:
            for k, answer in enumerate(one.answers):
                otherwise[k] = otherwise[k] | np.asarray(answer != first.answers[k])
            for other in (other for other in self._asked if other.places != first.places):
                at = one.first_difference(other)
                if at is not None:
                    otherwise[at] = otherwise[at] | np.asarray(other.answers[at] != first.answers[at])
        return not any((own & ~seen).any() for own, seen in zip(self._open(first), otherwise, strict=True))

    def _open(self, asked: _Asked) -> Iterator[Array]:
        """Of each question where it may be answered otherwise beside the point."""
        with precision(self._bits):
            around = [
                each(lambda b: b + arb(0, arb(2) ** -AROUND * max(abs(b), arb(1), key=float)), exact(x))
                if i in self._wrt else x
                for i, x in enumerate(self._values)
            ]  # fmt: skip
        answers: dict[Var, Array] = {}

        def watch(equation: Equation, operands: Any, result: Array) -> None:
            answers[equation.output] = result

        with suppress(Undecided):  # what comes after it may be anything
            evaluate(asked.unguarded, around, self._bits, self._work, watch)
        for question in asked.questions:
            if question not in answers:
                with suppress(Undecided):
                    evaluate(asked.of(question), around, self._bits, self._work, watch)
            answer = answers.get(question)
            if answer is None:
                yield self._turning.get(question, np.ones(question.shape, bool))
            else:
                yield answer == 0.5 if answer.dtype == OPEN else np.zeros(question.shape, bool)


class _Asked:
    """What a program asks, in turn.

    Attributes:
        questions: The values that decide.
        answers: What they were where the program was recorded.
        places: Where in the code each of them is asked.
        unguarded: What computes the questions.
    """

    def __init__(self, function: Program) -> None:
        made = {e.output: e for e in function.equations}
        used = {v for e in function.equations for v in e.operands}
        # The number of a branch (`cond`, `switch`) stands for the truth that it is made of.
        of_truths = (
            e for e in function.equations if e.primitive is convert_ and e.operands[0].dtype == "bool"
        )
        numbers = {e.output: e.operands[0] for e in of_truths if e.output not in used}
        self.questions = [numbers.get(v, v) for v, _ in function.guards]
        self.answers = [np.asarray(answer) for _, answer in function.guards]
        origins = [made[v].origin if v in made else None for v, _ in function.guards]
        shapes = [v.shape for v, _ in function.guards]
        self.places = tuple((o and o.place, shape) for o, shape in zip(origins, shapes, strict=True))
        kept = [e for e in function.equations if e.output not in numbers]
        self.unguarded = Program(function.inputs, kept, ())

    def of(self, question: Var) -> Program:
        """What computes one of them."""
        program = self.unguarded
        return Program(program.inputs, program.equations, (question,)).giving(slice(None))

    def first_difference(self, other: _Asked) -> int | None:
        """The first question that another program answers otherwise; None if they part before one."""
        for k, (place, elsewhere) in enumerate(zip(self.places, other.places, strict=False)):
            if place != elsewhere:
                return None
            if not np.array_equal(self.answers[k], other.answers[k]):
                return k
        return None


def _nudged(x: Array, close: Array, nudge: int) -> Array:
    """Numbers further along a ray, so far that their format tells them from x."""
    name = x.dtype.name
    least = min(nudge, format_of(name).digits - SPARE) if name in FORMATS else nudge
    with precision(2 * DISTANCE_BITS):
        steps = (exact(close) - exact(x)) * arb(2) ** (DISTANCE_BITS - least)
        return np.asarray(np.vectorize(float, otypes=[float])(exact(x) + steps), x.dtype).reshape(x.shape)
