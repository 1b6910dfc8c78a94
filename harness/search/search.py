"""The search as the doors run it: hunt from the boundary values on, shrink the worst, write it down."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.inputs.axes import Axes, fixed
from harness.inputs.points import points
from harness.proof.question import Answer, Question, UnderTest
from harness.search import database
from harness.search.hunt import Hunt, Seen
from harness.search.moves import Space
from harness.search.paste import Code
from harness.search.point import Point
from harness.search.shrink import Shrinking
from harness.search.worse import OPEN, Score, reason, score
from harness.subject.derivative import Array, Arrays
from harness.subject.target import Target

SHRINKING = 500  # inputs that are asked for a smaller one
SHRINKING_OPEN = 60  # the same where nothing is proven
FOUND = "search"  # what the input is called in a result
QUICK = 1.0  # seconds' worth of work that one input may take
MOST_OPEN = 3  # inputs that are named where nothing is proven
Ask = Callable[[Question, Point], Answer]


@dataclass(frozen=True)
class Finding:
    """What a search found.

    Attributes:
        answer: At the smallest input that fails as badly as the worst; None where none fails.
        point: That input.
        evaluations, first: How many inputs were asked, by all hunts, and which one was the first that failed;
            0 where other hunts found it.
        steps: How many more were asked to shrink it.
        open: Where nothing can be proven: the inputs, each with the reason.
        code: The check of that input as code.
        hunts: How many hunts it took.
        unkept: Why it could not be kept for the next run; "" if it is.
    """

    answer: Answer | None
    point: Point | None
    evaluations: int
    first: int
    steps: int
    open: tuple[tuple[Point, str], ...]
    code: Code | None = None
    hunts: int = 1
    unkept: str = ""

    @property
    def notes(self) -> tuple[str, ...]:
        """What is worth saying, in words."""
        of = f" in {self.hunts} hunts" if self.hunts > 1 else ""
        asked = counted(self.evaluations)
        said = [f"search: {asked}{of}, none of which fails"]
        if self.answer and not self.first:
            said = [f"search: the worst one of {asked}{of}, shrunk, is {FOUND!r}"]
        elif self.answer:
            said = [
                f"search: of {asked} number {self.first} was the first that failed; the worst one, shrunk, "
                f"is {FOUND!r}",
            ]
        said += [f"search: nothing is proven at {shown(point)}: {why}" for point, why in self.open]
        said += [f"search: {self.unkept}"] if self.unkept else []
        return tuple(said)

    @property
    def line(self) -> str:
        """Python code that shows it again, in a line; "" where nothing fails."""
        return self.code.line if self.code else ""

    @property
    def test(self) -> str:
        """A test to paste, which fails while it is there; "" where nothing does."""
        return self.code.test if self.code else ""


@dataclass(frozen=True)
class Searched:
    """What a search is about.

    Attributes:
        question, tested, target: What is asked, of what, and where it begins.
        ask: The answer to a question at an input.
        seed: Seeds the draws.
        pinned: The arrays whose shapes stay, beside a module's parameters.
        shapes: Whether other shapes are tried.
        boundary: The boundary values that it begins with: all, or those of these names.
    """

    question: Question
    tested: UnderTest
    target: Target
    ask: Ask
    seed: int
    pinned: frozenset[int] = frozenset()
    shapes: bool = True
    boundary: bool | Iterable[str] = True

    @property
    def given(self) -> Point:
        """The input that the function was given."""
        return Point(self.target.arrays, None, "given")

    @cached_property
    def space(self) -> Space:
        """What of it may be changed."""
        own, axes = self.question, Axes(self.target, self.pinned)
        given = own.cotangent is not None
        may = self.shapes and not (given or self.target.is_complex)
        return Space(
            self.pinned | fixed(self.target),
            groups=axes.groups if may else (),
            cotangents=not given and own.linear and own.derivative.steps == ("reverse",),
            layouts=self.target.framework.name != "jax",
        )

    def hunt(self, count: int) -> Hunt:
        """The hunt for so many inputs."""
        own = self.question.limits
        limits = replace(own, seconds=min(own.seconds, QUICK))
        quick = replace(self.question, limits=limits, thorough=False, blames=False, probes=())
        rng = np.random.default_rng([self.seed, 2])
        return Hunt(lambda point: self.ask(quick, point), self._run, self.space, rng, count)

    def seeds(self) -> Iterable[Point]:
        """The boundary values."""
        for name, arrays in points(self.target, self.boundary, 0, self.seed, self.pinned):
            yield Point(arrays, None, name)

    def may_be(self, point: Point) -> bool:
        """Whether an input has shapes that the function takes, as far as the space tells."""
        return point.is_resized(self.given, self.space.groups)

    def _run(self, arrays: Arrays) -> list[Array]:
        subject = self.tested.subject()
        return [np.asarray(v) for v in subject.fetch_value(subject.value(*map(subject.load, arrays)))]

    def opened(self, hunt: Hunt) -> Iterator[tuple[Point, str]]:
        """The smallest inputs at which nothing can be proven, one for each kind of reason, with that."""
        for one in list(hunt.open.values())[:MOST_OPEN]:
            why = reason(one.answer)

            def alike(point: Point, wanted: str = kind(why)) -> Score:
                return Score(OPEN + (kind(reason(hunt.ask(point))) == wanted))

            own = Shrinking(alike, Score(OPEN + 1), SHRINKING_OPEN, self.space, self.given)
            point = own.smallest(one.point)
            yield point, reason(hunt.ask(point))

    def smallest(self, hunt: Hunt, worst: Seen) -> tuple[Point, int]:
        """The smallest input that fails as badly, and how many were asked for it."""
        own = Shrinking(lambda point: score(hunt.ask(point)), worst.score, SHRINKING, self.space, self.given)
        return own.smallest(worst.point), own.spent


def counted(inputs: int) -> str:
    """So many inputs, in words."""
    return f"{inputs:,} input{'' if inputs == 1 else 's'}"


def kind(why: str) -> str:
    """A reason without its numbers."""
    return re.sub(r"\d+", "#", why)


def shown(point: Point) -> str:
    """An input in words."""
    told = (np.array2string(a, separator=", ", threshold=8) for a in point.arrays)
    return ", ".join(" ".join(text.split()) for text in told)


def search(
    about: Searched, count: int, code: Callable[[Point, Answer], Code], file: Path | None = None
) -> Finding:
    """The worst of so many inputs, shrunk.

    Args:
        about: What is searched.
        count: How many inputs are asked.
        code: A check of an input as code.
        file: Keeps what fails for the next run.
    """
    arrays, beside = about.target.arrays, database.others() or database.NOTHING
    # What an earlier version kept may have shapes that the function never has.
    held = (p for p in (database.load(file, arrays) if file else []) if about.may_be(p))
    kept = [*held, *beside.points(arrays)]
    hunt, worst, first, hunts = about.hunt(count), None, 0, max(1, beside.hunts)

    def asked() -> int:
        """By those who hunted: to compare what others found is no hunt of its own."""
        return beside.asked or hunt.spent

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for seen in hunt.failures(about.given, [*kept, *about.seeds()]):
            first = first or (0 if beside.hunts else seen.evaluations)
            if worst is None or seen.score > worst.score:
                worst = seen
            if worst.score.is_worst:
                break
        open_ = tuple(about.opened(hunt))
        if worst is None:
            unkept = database.keep(file, []) if kept and file else ""
            return Finding(None, None, asked(), 0, 0, open_, None, hunts, unkept)
        point, steps = about.smallest(hunt, worst)
        answer = about.ask(replace(about.question, probes=()), point)
    unkept = ""
    if file:
        others = [p for p in kept if p.key != point.key and score(hunt.ask(p)).fails]
        unkept = database.keep(file, [point, *others])
    return Finding(answer, point, asked(), first, steps, open_, code(point, answer), hunts, unkept)
