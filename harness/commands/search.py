"""What the command `search` does: a check that looks for the worst input, in one hunt or in many."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import replace

import msgspec

from harness.commands.check import checked, run_check
from harness.commands.named import named
from harness.commands.options import CheckOptions, SearchOptions
from harness.report.progress import with_progress
from harness.runs.jobs import Job
from harness.runs.raised import Ended, Raised
from harness.runs.workers import Workers, spread
from harness.search import database
from harness.search.database import Elsewhere
from harness.search.search import counted, shown
from harness.search.worse import Score, score
from harness.selection import UsageError
from harness.verdicts import ExitCode

SHAPE = "3"  # of an argument of which nothing is said
LONGEST_S = 24 * 3600.0  # of a hunt


class Hunting(msgspec.Struct, frozen=True):
    """One of many hunts, for any process."""

    name: str
    options: CheckOptions


class Hunted(msgspec.Struct, frozen=True):
    """What it found.

    Attributes:
        seed, asked, first: Its seed, how many inputs it asked, and which one was the first that failed.
        score: Of the worst.
        shown, point: That input in words, and as the database keeps it; "" where none fails.
        lost: Why there is no result.
    """

    seed: int
    asked: int = 0
    first: int = 0
    score: Score = Score()
    shown: str = ""
    point: str = ""
    lost: str = ""

    @property
    def line(self) -> str:
        """In a line."""
        if self.lost:
            return f"seed {self.seed}: {self.lost}"
        if not self.point:
            return f"seed {self.seed}: {counted(self.asked)}, none of which fails"
        worst = f"{self.score.lost:.1f} bits lost at {self.shown}"
        return f"seed {self.seed}: number {self.first} of {counted(self.asked)} failed first; {worst}"


def run_search(name: str, extent: SearchOptions, options: CheckOptions) -> ExitCode:
    """Check a function or a layer at so many inputs.

    Raises:
        UsageError: A number is none, or what the function takes cannot be seen.
    """
    if options.search:
        raise UsageError(
            f"--search {options.search} is for `check`; here --evaluations says how many inputs are asked"
        )
    workers = Workers(extent.jobs, extent.scheduler)
    for option, number in (("--evaluations", extent.evaluations), ("--hunts", extent.hunts)):
        if number < 1:
            raise UsageError(f"{option} must be an integer >= 1, got {number}")
    if not options.shape and options.inputs is None:
        options = replace(options, shape=(SHAPE,) * _arguments(name))
    whole = replace(options, search=extent.evaluations)
    if extent.hunts == 1 and not workers.are_others:
        return run_check(name, whole)
    checked(name, options)  # what does not fit is said at once
    asked = [Hunting(name, replace(whole, seed=options.seed + k)) for k in range(extent.hunts)]
    names = [f"{name}, seed {one.options.seed}" for one in asked]
    found = sorted(with_progress(_hunted(asked, workers), len(asked), names), key=lambda one: one.seed)
    if "text" in (options.format or "text"):
        print(*(one.line for one in found), "", sep="\n")
    points = tuple(one.point for one in found if one.point)
    with database.among_others(Elsewhere(sum(one.asked for one in found), len(found), points)):
        # Of what was found before and now, the worst; nothing else is asked.
        code = run_check(name, replace(options, search=1 + database.MOST + len(points)))
    return ExitCode.FAILED if any(one.lost for one in found) else code


def _hunted(asked: list[Hunting], workers: Workers) -> Iterator[Hunted]:
    if workers.are_others:
        yield from spread(HUNTING, ([one] for one in asked), workers, LONGEST_S)
        return
    for one in asked:
        yield from _hunt([one])


def _hunt(asked: list[Hunting]) -> list[Hunted]:
    with database.among_others(None):
        return [_found(one) for one in asked]


def _found(one: Hunting) -> Hunted:
    seed = one.options.seed
    try:
        finding = checked(one.name, one.options).finding
    except (Ended, Raised) as problem:  # at an input that this hunt asked; the others go on
        return Hunted(seed, lost=str(problem))
    if finding is None:  # of what cannot be checked at all, which the check that comes last says
        return Hunted(seed)
    if finding.point is None or finding.answer is None:
        return Hunted(seed, finding.evaluations)
    worst, point = score(finding.answer), finding.point
    return Hunted(seed, finding.evaluations, finding.first, worst, shown(point), database.written(point))


HUNTING = Job(
    _hunt,
    Hunted,
    lambda one, why: Hunted(one.options.seed, lost=why),
    lambda one, found: found.seed == one.options.seed,
)


def _arguments(name: str) -> int:
    """How many arguments without a default a function has."""
    try:
        takes = inspect.signature(named(name)).parameters.values()
    except (TypeError, ValueError):
        raise UsageError(f"what {name} takes cannot be seen: add --shape 32,64 for each argument") from None
    by_place = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return sum(p.kind in by_place and p.default is p.empty for p in takes) or 1
