"""The rows of one function: in each dtype and order, at ordinary points, at boundary values, over a dtype."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import msgspec
import numpy as np

from harness.atlas.asked import Gradients, Values
from harness.atlas.at_once import AtOnce, Open
from harness.atlas.clock import time_ratio
from harness.atlas.guard import ending_after
from harness.atlas.numbers import is_calm, of_one, of_several
from harness.atlas.row import DTYPES, Measured, Row
from harness.atlas.sweeps import swept
from harness.atlas.tally import Tally
from harness.check import answers, question_of
from harness.inputs.corpus import ENTRIES
from harness.inputs.points import points
from harness.page.asking import is_elementwise
from harness.page.elements import Elements, elements
from harness.page.sweep import CALL
from harness.proof.answer import LEAVE_OUT
from harness.proof.question import Question
from harness.proof.truth import pose, recorded
from harness.result import Result
from harness.subject.derivative import REVERSE, Array, Derivative
from harness.subject.state import leaving_no_trace
from harness.subject.target import Target, target_of
from harness.subject.tested import Tested, under_test
from harness.verdicts import Verdict
from oracles.exact.program.errors import ExactError, Undecided, Unsupported, first_line
from oracles.exact.program.formats import format_of
from oracles.exact_oracle import LIMITS
from oracles.frameworks.framework import differentiating, without_errors

SYSTEMS = ("torch", "jax", "numpy")  # each with a module of subjects
ORDERS = {"torch": (1, 2), "jax": (1, 2), "numpy": (0,)}
SAMPLES = 3  # of a function with several of its own
SMALL = 120  # numbers in one, where there are smaller ones
DRAWS = 2
VALUES = [one.name for one in ENTRIES if not one.is_layout]
WORK = 6e4  # additions that a row's points may take, beyond the first
COST = {"torch": 1, "jax": 3, "numpy": 1}  # JAX compiles much
SECONDS, BITS = 2.0, 1024  # of work for one truth, and its precision, at the most
NOTE = 90  # letters of a reason
PLACE = re.compile(r"; at \S*[/\\]\S*")
R = TypeVar("R")
CALM = "takes too long at all numbers: asked from 2^-20 to 2^20 alone"


@dataclass(frozen=True)
class Asked:
    """A function to be measured: plain values, from which any process can do it.

    Attributes:
        system, name: Whose it is, and what it is called.
        dtypes: In which dtypes.
        work: How much of the usual work is done; a test does little.
        drawn: Whether its error over the input is kept, for a page.
        timed: Whether its gradient is timed here, too; else `ratios` does so later.
        orders: Of which orders; all where none is named.
        calm: Whether it is asked between 2^-20 and 2^20 alone, and not at boundary values: where its own
            code never ends elsewhere.
        most_s: The seconds of computing after which a row ends its process; 0 for any number.
    """

    system: str
    name: str
    dtypes: tuple[str, ...] = DTYPES
    work: float = 1.0
    drawn: bool = False
    timed: bool = True
    orders: tuple[int, ...] = ()
    calm: bool = False
    most_s: float = 0.0

    def apart(self) -> list[Asked]:
        """Each of its rows for itself, at calm numbers alone."""
        each = [(dtype, order) for dtype in self.dtypes for order in self.orders or ORDERS[self.system]]
        return [replace(self, dtypes=(dtype,), orders=(order,), calm=True) for dtype, order in each]


def subjects_of(system: str) -> Any:
    """The module that knows a system's functions."""
    return importlib.import_module(f"oracles.exact.coverage.{system}_subjects")


def measured(asked: Asked) -> list[Measured]:
    """The rows of a function. Whatever it raises becomes a row's note."""
    found = []
    for dtype in asked.dtypes:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            own = [_Of(subject) for subject in _chosen(subjects_of(asked.system), asked.name, dtype)]
            for order in (asked.orders or ORDERS[asked.system]) if own else ():
                try:
                    with ending_after(asked.most_s):
                        found.append(_of_order(asked, own, dtype, order))
                except Exception as problem:  # a framework may raise anything at numbers of its own dtype
                    found.append(Measured(Row(function=asked.name, dtype=dtype, order=order, **_no(problem))))
    return found


@dataclass
class _Of:
    """A subject; and whether it is a function of single numbers, once that is known."""

    subject: Any
    elementwise: bool | None = None


def _chosen(module: Any, name: str, dtype: str) -> list[Any]:
    """A few of a function's subjects, the first among them; small ones, if there are such."""
    own = list(module.subjects(name, dtype))
    small = [one for one in own if sum(int(np.prod(a.shape)) for a in one.arrays) <= SMALL] or own
    count = min(len(small), SAMPLES)
    return [small[k * len(small) // count] for k in range(count)]


def failed(asked: Asked, why: str) -> list[Measured]:
    """The rows of a function whose process did not live to give them."""
    said = f"does not end in {asked.most_s:g} s of computing" if "SIGPROF" in why else why
    return [
        Measured(Row(function=asked.name, dtype=dtype, order=order, note=_shortened(said)))
        for dtype in asked.dtypes
        for order in asked.orders or ORDERS[asked.system]
    ]


def _no(problem: Exception) -> dict[str, Any]:
    """Why there are no numbers, and the verdict that says so."""
    verdict = Verdict.NONE
    if isinstance(problem, Unsupported):
        verdict = Verdict.UNSUPPORTED
    elif isinstance(problem, ExactError):
        verdict = Verdict.UNDECIDED
    said = str(problem) if isinstance(problem, ExactError) else first_line(problem)
    counts = {verdict.value: 1} if verdict else {}
    return {"worst": verdict, "note": _shortened(said), **counts}


def _shortened(reason: str) -> str:
    """Without the place in the code of the subjects, which lies elsewhere on each machine."""
    said = PLACE.sub("", " ".join(reason.split()))
    return said if len(said) <= NOTE else f"{said[: NOTE - 1]}\N{HORIZONTAL ELLIPSIS}"


def _of_order(asked: Asked, own: Sequence[_Of], dtype: str, order: int) -> Measured:
    tally = Tally()
    about: dict[str, Any] = {}
    sweep, problem = None, None
    for number, subject in enumerate(own):
        try:
            more = _measure(subject, asked, order, number == 0, tally)
        except (Unsupported, Undecided) as reason:
            problem = problem or reason
            continue
        if number == 0:
            about, sweep = more
    if problem and not tally.counts:
        return Measured(Row(function=asked.name, dtype=dtype, order=order, **_no(problem)))
    row = Row(function=asked.name, dtype=dtype, order=order, **tally.fields, **about)
    said = CALM if asked.calm else row.note or tally.why
    row = msgspec.structs.replace(row, note=_shortened(said))
    return Measured(row, sweep)


def _measure(
    one: _Of, asked: Asked, order: int, first: bool, tally: Tally
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Count a subject's points; of the first one also what stands beside the counts."""

    def ask(target: Target, question: Question) -> tuple[dict[str, Any], dict[str, Any] | None]:
        if order == 0:
            return _values(target, question, asked, one, first, tally)
        tested = under_test(target, question.derivative)
        return _gradients(target, question, tested, asked, one, first, tally)

    return _asking(one.subject, asked.system, order, ask)


def _asking(subject: Any, system: str, order: int, ask: Callable[[Target, Question], R]) -> R:
    """Ask about a subject's derivative, in its framework's state, which is put back."""

    @leaving_no_trace
    @differentiating()
    def run(function: Any) -> R:
        target = target_of(function, subject.arrays, {}, None, system, order > 0)
        derivative = Derivative((REVERSE,) * max(order, 1))
        limits = replace(LIMITS, seconds=SECONDS, bits=BITS)
        question = question_of(target, derivative, limits=limits)
        question = replace(question, thorough=False, blames=False, digits=False)
        with without_errors():
            return ask(target, question)

    return run(subject.function)


def ratios(asked: Asked) -> dict[str, float]:
    """How many times as long as the function its gradient takes, by dtype, where that can be measured."""

    def timed(target: Target, question: Question) -> float | None:
        along = recorded(question, target.arrays).directions
        return time_ratio(under_test(target, question.derivative).subject(), target.arrays, along)

    found = {}
    for dtype in asked.dtypes:
        with warnings.catch_warnings(), suppress(Exception):  # what it is has been said by its row
            warnings.simplefilter("ignore")
            first = _chosen(subjects_of(asked.system), asked.name, dtype)[0]
            if ratio := _asking(first, asked.system, 1, timed):
                found[dtype] = ratio
    return found


def _values(
    target: Target, question: Question, asked: Asked, one: _Of, first: bool, tally: Tally
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Count the values of a function that no framework differentiates."""
    values, about = Values(question, target), dict[str, Any]()
    if first:
        with suppress(ExactError, ValueError):
            one.elementwise = is_elementwise(pose(question, target.arrays), len(target.arrays))
    if first and one.elementwise:
        return about, _over_numbers(values, target, asked, tally)
    cost = CALL + sum(question.specify(target.arrays).program.costs)
    for name, arrays in [("given", target.arrays), *(_beside(target, asked, cost, about) if first else ())]:
        try:
            if name == "given" or values.is_defined(arrays):
                _count_values(values.at(arrays), name, tally)
        except ExactError as reason:
            tally.add_open(Verdict.UNDECIDED, 1, name, str(reason))
        except Exception:  # a point that the function does not take
            if name == "given":
                raise
    return about, None


def _count_values(found: list[Elements] | Open, name: str, tally: Tally) -> None:
    if isinstance(found, Open):
        tally.add_open(found.verdict, 1, name, found.why)
        return
    for each in found:
        tally.add(each, lambda at: f"{name}{list(at) if at else ''}")


def _gradients(
    target: Target, question: Question, tested: Tested, asked: Asked, one: _Of, first: bool, tally: Tally
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    about: dict[str, Any] = {}
    gradients = Gradients(question, tested)
    if first and asked.calm and len(question.derivative.steps) > 1:  # without order 1
        one.elementwise = _is_elementwise(target, question)
    if one.elementwise and first:  # as order 1 has found
        return about, _over_numbers(gradients, target, asked, tally)
    result = partial(Result, subject=asked.name)
    given = answers(question, tested, target, result)
    sight = given.sights[0] if given.sights else None
    if first and len(question.derivative.steps) == 1:
        if sight is not None and asked.timed:
            about["time_ratio"] = time_ratio(tested.subject(), target.arrays, sight.posed.directions)
        one.elementwise = _is_elementwise(target, question)
        if one.elementwise:
            own = Tally()
            try:
                drawn = _over_numbers(gradients, target, asked, own)
            except Exception:  # the function stands for arrays of one shape alone
                one.elementwise = False
            else:
                tally.__dict__.update(own.__dict__)
                return about, drawn
    _count(given, target, tested, tally, False)
    if sight is not None and first:
        cost = CALL + sum(sight.posed.true.gradient.costs)
        beside = _beside(target, asked, cost, about)
        _count(answers(question, tested, target, result, beside), target, tested, tally, True, dict(beside))
    return about, None


def _is_elementwise(target: Target, question: Question) -> bool:
    """Whether it is a function of single numbers, by its first derivative."""
    first = replace(question, derivative=Derivative((REVERSE,)))
    if len(question.active) < len(target.arrays):
        return False
    middle = [np.full_like(a, np.median(np.asarray(a, np.float64))) for a in target.arrays]
    for arrays in (target.arrays, middle):  # among the given ones may be a pole
        with suppress(ExactError):
            return is_elementwise(pose(first, arrays), len(arrays))
    return False


def _beside(
    target: Target, asked: Asked, cost: float, about: dict[str, Any]
) -> list[tuple[str, tuple[Array, ...]]]:
    """Boundary values of each array and draws, as many as may be asked; fewer are noted."""
    beside = list(points(target, False if asked.calm else VALUES, DRAWS, 0))
    room = max(int(WORK * asked.work / (cost * COST[asked.system])), 2)
    if room >= len(beside):
        return beside
    about["note"] = f"{room} of {len(beside)} points"
    return [beside[k * len(beside) // room] for k in range(room)]


def _over_numbers(
    of: Gradients | Values, target: Target, asked: Asked, tally: Tally
) -> dict[str, Any] | None:
    """Count a function of single numbers; its error over the input where that is asked for."""
    arrays = target.arrays
    dtype, kept = arrays[0].dtype.name, list[tuple[Elements, Array]]()
    columns = [of_one(arrays[0])] if len(arrays) == 1 else of_several(arrays)
    if asked.calm:
        near = np.logical_and.reduce([is_calm(column) for column in columns])
        columns = [column[near] for column in columns]
    columns = [column[:: max(int(1 / asked.work), 1)] for column in columns]

    def judged(found: list[Elements], at: Sequence[Array]) -> None:
        for one in found:
            tally.add(one, lambda index: _place([column[index[-1]] for column in at], dtype), at[0].size)
        kept.append((found[0], at[0]))

    def open_(verdict: Verdict, why: str, at: Sequence[Array]) -> None:
        tally.add_open(verdict, at[0].size, _place([c[0] for c in at], dtype), why)

    AtOnce(of, max(arrays[0].ndim, 1), judged, open_).ask(columns)
    wanted = asked.drawn and len(arrays) == 1 and len(of.question.derivative.steps) == 1
    return swept(kept, of.question.names[0], dtype) if wanted and kept else None


def _place(numbers: Sequence[Any], dtype: str) -> str:
    return ", ".join(format_of(dtype).shortest(float(number)) for number in numbers)


def _count(
    found: Result,
    target: Target,
    tested: Tested,
    tally: Tally,
    beside: bool,
    arrays: dict[str, Sequence[Array]] | None = None,
) -> None:
    """Count what was found at each point; `beside` the given one, whose own is left out."""
    sights = {sight.name: sight for sight in found.sights}
    for part in found.parts:
        if part.of_value or (part.input == "given") == beside or part.verdict is Verdict.NONE:
            continue
        if LEAVE_OUT in part.diagnosis:  # there is no gradient, and it would be 0
            continue
        sight, index = sights.get(part.input), 0
        each: Elements | None = None
        if sight is not None and part.verdict not in {Verdict.UNDECIDED, Verdict.UNSUPPORTED}:
            index = [name for name, _ in sight.posed.expected].index(part.name)
            each = elements(sight, index)
        if each is not None:
            tally.add(each, lambda at, part=part: f"{part.input}{list(at) if at else ''}")
        elif not (beside and arrays and _is_outside(tested, target, arrays.get(part.input, ()))):
            size = int(np.prod(part.shape)) if part.dtype else 1
            tally.add_open(part.verdict, size, part.input, part.diagnosis)


def _is_outside(tested: Tested, target: Target, arrays: Sequence[Array]) -> bool:
    """Whether a point is outside of the function's domain: some of its value is not a number."""
    if not arrays:
        return False
    subject = tested.subject()
    inner = [np.ones_like(target.arrays[k]) for k in target.active] if len(arrays) else []
    try:
        value = subject.fetch_value(subject.value(*map(subject.load, [*arrays, *inner])))
    except Exception:
        return True
    return any(bool(np.isnan(np.asarray(v, np.float64)).any()) for v in value)
