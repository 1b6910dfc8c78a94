"""Probes: what real callers do with a gradient, done to one that was right as it was first run.

Bits decide what is cheap: a run that gives the bits of the first run is as right as that. What differs is
yielded, to be judged.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from harness.proof.additive import add_up, or_zeros
from harness.proof.cotangents import SCALES, less, otherwise, rows_of_ones
from harness.proof.observe import Gradients, Loaded, Observed, same
from harness.proof.question import Probe, Question
from harness.proof.truth import Posed
from harness.subject.derivative import GRADIENT, Array
from harness.subject.moving import moved_on
from harness.subject.patience import Endless, ending
from harness.subject.state import current
from harness.subject.tested import Tested
from oracles.exact.program.errors import Unsupported, first_line
from oracles.exact.program.formats import format_of
from oracles.exact.program.program import Origin
from oracles.exact.program.recording import FREE
from oracles.frameworks.framework import Native, Subject, without_errors

MOST, OF_MANY = 8, 3  # results, or arguments, that are probed one by one; and of more arguments
LARGE = 256  # operations: so many that JAX takes longer to compile them, if it does, than to trace them
PATIENCE_S, OF_FIRST = 20.0, 50.0  # for a run along a scaled cotangent: seconds, and times of the first run

# So torch refuses a graph whose saved tensors the next forward writes into: a running mean, say.
OVERWRITTEN = "has been modified by an inplace operation"


@dataclass(frozen=True, slots=True)
class Raised:
    """What a gradient raised instead of a result, in a line.

    `stopped`: it did not end, and was stopped; or the framework refused it.
    """

    text: str
    stopped: bool = False


UNRUN = Raised("it was not run: a compiled loop in it ends by the cotangent")
Found: TypeAlias = Gradients | Raised
Pull: TypeAlias = Callable[[Sequence[Array]], Found]


@dataclass(frozen=True, slots=True)
class _OnGraph:
    """Pulls back on a graph, as often as that allows."""

    own: Subject
    graph: Native

    def __call__(self, along: Sequence[Array]) -> Found:
        loaded = tuple(map(self.own.load, along))
        return _fetched(self.own, lambda: self.own.gradient(self.graph, loaded))


@dataclass(frozen=True, slots=True)
class Differing:
    """A run that gave other bits than it should, or raised.

    Attributes:
        probe: What was done; None where the first run was only repeated.
        found: What came.
        question: What is asked there.
        tested: What ran.
        along: The cotangents; None where nothing but the circumstances differs from the first run.
        which: Which of several, in words.
        guilty: The operation that writes into what the forward computed, where that was seen.
    """

    probe: Probe | None
    found: Found
    question: Question
    tested: Tested
    along: tuple[Array, ...] | None = None
    which: str = ""
    guilty: Origin | None = None


def differing(question: Question, tested: Tested, posed: Posed, seen: Observed) -> list[Differing]:
    """Run the probes that are wanted; what they warn of, the first run has warned of already."""
    with without_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(_differing(question, tested, posed, seen))


def _differing(question: Question, tested: Tested, posed: Posed, seen: Observed) -> Iterator[Differing]:
    wanted, first = question.probes, seen.gradient.arrays
    freedom = posed.forward.freedom if tested.own and question.is_plain else FREE
    if freedom.keeps:
        yield from _kept(question, tested, posed, seen)
    else:
        again = _again(tested, posed)  # the Python code around may still give something else
        if not _is(first, again):
            yield Differing(None, again, question, tested)
    each = Probe.ONE_ARGUMENT if question.derivative.is_of_results else Probe.ONE_OUTPUT
    one_step = len(question.derivative.steps) == 1
    if each in wanted and one_step and question.linear and (freedom.keeps or freedom.chooses):
        yield from _each_direction(each, question, tested, posed, first)
    if Probe.ONE_ARGUMENT in wanted and question.derivative == GRADIENT and freedom.chooses:
        compiles = not freedom.keeps or len(posed.forward.program.equations) > LARGE  # a loop, or perhaps
        yield from _each_argument(question, tested, posed, first, compiles)
    kept = tested.subject().fetch_gradient(seen.raw).arrays
    if Probe.KEPT in wanted and not _is(first, kept):
        yield Differing(Probe.KEPT, kept, question, tested)
    if Probe.REUSED in wanted and freedom.keeps and question.is_plain:
        yield from _used_before(question, tested, posed, seen)  # the last: graphs may share what it changes


def _kept(question: Question, tested: Tested, posed: Posed, seen: Observed) -> Iterator[Differing]:
    """What shows that something is kept between calls, or that the gradient is not linear."""
    first, directions = seen.gradient.arrays, posed.directions
    anew = _anew(tested, posed)
    pull, ran = _on_one_graph(question, tested, posed) if tested.graph else (anew, [(None, anew(directions))])
    for probe, found in ran:
        if not _is(ran[0][1] if probe is Probe.TWICE else first, found):
            again = dict(_on_one_graph(question, tested, posed)[1])[probe] if probe else None
            known = probe if again and _is(found, again) else None
            guilty = _writing(tested, posed) if known is Probe.TWICE else None
            yield Differing(known, found, question, tested, guilty=guilty)
    if Probe.TWICE not in dict(ran) or not all(_is(first, found) for _, found in ran):
        pull = anew
    for probe, along, scale in otherwise(question, posed.directions, tested.target.framework.has_strides):
        if probe is Probe.SCALED_UP and _may_never_end(tested, posed, pull):
            yield Differing(probe, UNRUN, question, tested, along)
            continue
        found = _stopped(partial(pull, along), seen.first_call_time_s) if probe in SCALES else pull(along)
        if not (_is(first, found) if scale == 1 else _is_times(scale, first, found)):
            yield Differing(probe, found, question, tested, along)
    if question.linear:
        for probe, found, along in _of_other_numbers(question, tested, posed, first, pull):
            yield Differing(probe, found, question, tested.or_zeros(), along)


def _of_other_numbers(
    question: Question, tested: Tested, posed: Posed, first: Gradients, pull: Pull
) -> Iterator[tuple[Probe, Found, tuple[Array, ...]]]:
    """Along ones and zeros, which code may take a short way for: they must add up to what is known."""
    wanted, directions = question.probes, posed.directions
    strided = tested.target.framework.has_strides and any(d.size > 1 for d in directions)
    expands, counts = strided and Probe.EXPANDED in wanted, Probe.ONES in wanted or Probe.ZEROS in wanted
    if not (expands or counts):
        return
    known: list[tuple[Sequence[Array], Found]] = [(directions, first)]  # of a loss ones are what is given

    def run(along: tuple[Array, ...]) -> Found:
        for other, found in known:
            if all(map(np.array_equal, along, other)):
                return found
        found = whole(pull(along))
        known.append((along, found))
        return found

    def whole(found: Found) -> Found:
        """With zeros for no gradient: it does not depend."""
        if isinstance(found, Raised) or len(found) != len(first):
            return found
        return or_zeros(found, first)

    ones = tuple(np.ones_like(d, order="C") for d in directions)
    expanded = tuple(np.broadcast_to(np.ones((), d.dtype), d.shape) for d in directions) if expands else None
    of_expanded = whole(pull(expanded)) if expanded else None
    adds = True
    if counts:
        part = rows_of_ones(question, directions)
        others, rest = less(ones, part), less(directions, part)
        of_part, of_others, of_rest = run(part), run(others), run(rest)
        if not _add_up((of_part, of_rest), first):
            yield from ((Probe.ZEROS, of_part, part), (Probe.ZEROS, of_rest, rest))
        adds = _add_up((of_part, of_others), run(ones) if of_expanded is None else of_expanded)
        if not adds:
            yield from ((Probe.ONES, run(ones), ones), (Probe.ZEROS, of_others, others))
    if expanded and of_expanded is not None and not (counts and adds) and not _is(run(ones), of_expanded):
        yield Probe.EXPANDED, of_expanded, expanded


def _add_up(parts: Sequence[Found], whole: Found) -> bool:
    """Whether all ran, and add up."""
    ran = [part for part in parts if not isinstance(part, Raised)]
    return len(ran) == len(parts) and not isinstance(whole, Raised) and add_up(ran, whole)


def _used_before(question: Question, tested: Tested, posed: Posed, seen: Observed) -> Iterator[Differing]:
    """After it ran elsewhere: the bits of the first run, if it leaves something and has its value.

    (Another value: it remembers on purpose, or draws numbers from what it holds. But where all is as it was
    elsewhere, it takes this point for that.) First the arrays are those of elsewhere with other numbers
    written into them, as an optimizer does: one that is kept is no copy. Then they are others, and those hold
    what they did: one that is kept is not the last. The first result is still what it was: it may lie where
    the gradient keeps its next one.
    """
    own, writes = tested.subject(), tested.target.framework.writes

    def ran(arrays: Sequence[Array]) -> tuple[Any, Found]:
        inputs = tuple(map(own.load, arrays))
        value = caught(lambda: own.fetch_value(own.value(*inputs)))
        loaded = tuple(map(own.load, posed.directions))
        return value, _fetched(own, lambda: own.gradient(loaded, *inputs))

    def has_value(value: Any, wanted: Any) -> bool:
        return not isinstance(value, Raised) and same(value, wanted)

    def is_of(there: tuple[Any, Found], value: Any, found: Found) -> bool:
        return not isinstance(there[0], Raised) and has_value(value, there[0]) and _is(there[1], found)

    with current().carried() as something:
        if not something:
            return
        arrays = _elsewhere(question, posed)
        there = ran(arrays)
        kept = _fetched(own, lambda: seen.raw)
        runs = []
        if writes:
            runs.append(ran(_written_over(arrays, posed.inputs)))
            _written_over(arrays, _elsewhere(question, posed))
        runs.append(ran(posed.inputs))
    for value, found in runs:
        counts = has_value(value, seen.value) or is_of(there, value, found)
        if counts and not _is(seen.gradient.arrays, found):
            yield Differing(Probe.REUSED, found, question, tested)
            break
    if Probe.KEPT in question.probes and not _is(seen.gradient.arrays, kept):
        yield Differing(Probe.KEPT, kept, question, tested)


def _elsewhere(question: Question, posed: Posed) -> list[Array]:
    return [moved_on(a) if k in question.active else a for k, a in enumerate(posed.inputs)]


def _written_over(arrays: Sequence[Array], numbers: Sequence[Array]) -> Sequence[Array]:
    """The same arrays, with these numbers in them."""
    for array, own in zip(arrays, numbers, strict=True):
        if array is not own:
            np.copyto(array, own)
    return arrays


def _again(tested: Tested, posed: Posed) -> Found:
    own = tested.subject()
    return _fetched(own, Loaded.of(own, posed.inputs, posed.directions).gradient)


def _anew(tested: Tested, posed: Posed) -> Pull:
    """The function and then the derivative along cotangents, as in the first run."""
    own = tested.subject()

    def run(along: Sequence[Array]) -> Found:
        inputs = tuple(map(own.load, posed.inputs))
        own.value(*inputs)
        loaded = tuple(map(own.load, along))
        return _fetched(own, lambda: own.gradient(loaded, *inputs))

    return run


def _on_one_graph(
    question: Question, tested: Tested, posed: Posed
) -> tuple[Pull, list[tuple[Probe | None, Found]]]:
    """What pulls back on one graph, while another is alive; and what it gives, twice if it does that."""
    own = tested.graphs()
    graph = own.value(*map(own.load, posed.inputs))
    if Probe.TWO_GRAPHS in question.probes and not tested.holds_one:
        caught(lambda: own.value(*map(own.load, _elsewhere(question, posed))))
    pull = _OnGraph(own, graph)
    other = Probe.REUSED if tested.reuses else Probe.TWO_GRAPHS
    ran: list[tuple[Probe | None, Found]] = [(other, pull(posed.directions))]
    if isinstance(ran[0][1], Raised) and OVERWRITTEN in ran[0][1].text:
        pull = _OnGraph(own, own.value(*map(own.load, posed.inputs)))
        ran = [(None, pull(posed.directions))]
    if Probe.TWICE in question.probes:
        again = pull(posed.directions)
        if not isinstance(again, Raised):  # a graph may be for one use
            ran.append((Probe.TWICE, again))
    return pull, ran


def _writing(tested: Tested, posed: Posed) -> Origin | None:
    """The operation of a backward that writes into what the forward computed; None where none is seen."""
    own = tested.graphs()

    def forward() -> Native:
        return own.value(*map(own.load, posed.inputs))

    def backward(graph: Native) -> Native:
        return own.gradient(graph, tuple(map(own.load, posed.directions)))

    found = caught(lambda: tested.target.framework.writing(forward, backward))
    return None if isinstance(found, Raised) else found


def _stopped(run: Callable[[], Found], first_s: float) -> Found:
    """What it gives, or that it does not end: an absolute tolerance may be out of reach so far along."""
    seconds = max(PATIENCE_S, OF_FIRST * first_s)
    try:
        return ending(run, seconds)
    except Endless:
        return Raised(f"the gradient did not end within {seconds:.3g} s, and was stopped", stopped=True)


def _may_never_end(tested: Tested, posed: Posed, pull: Pull) -> bool:
    """Whether a compiled loop in it ends by the cotangent alone, as far as can be told."""
    looked = tested.target.subject(tested.value, tested.target.framework.ends_by)
    along, inputs = (tuple(map(looked.load, arrays)) for arrays in (posed.directions, posed.inputs))
    given = (pull.graph, along) if isinstance(pull, _OnGraph) else (tested.derivative, along, *inputs)
    return caught(lambda: looked.gradient(*given)) is True


def _fetched(own: Subject, run: Callable[[], Native]) -> Found:
    """What a gradient gives, copied: the next call may use its memory again."""
    found = caught(lambda: own.fetch_gradient(run()).arrays)
    return found if isinstance(found, Raised) else tuple(None if g is None else g.copy() for g in found)


def _each_direction(
    probe: Probe, question: Question, tested: Tested, posed: Posed, first: Gradients
) -> Iterator[Differing]:
    """Along each of several directions alone: together they must add up to the first run."""
    directions = posed.directions
    if not 1 < len(directions) <= MOST:
        return
    forward = question.derivative.is_of_results
    names = [question.names[k] for k in question.active] if forward else question.results
    runs = []
    for k, name in enumerate(names):
        alone = tested.along(k)
        along = tuple(d if j == k else np.zeros_like(d) for j, d in enumerate(directions))
        found = _anew(alone, posed)(along)
        if isinstance(found, Raised) and found.stopped:  # the function itself may need the others
            return
        if not isinstance(found, Raised) and len(found) == len(first):  # no gradient: it does not depend
            found = or_zeros(found, first)
        runs.append(Differing(probe, found, question, alone.or_zeros(), along, name or f"result {k}"))
    if not _add_up([run.found for run in runs], first):
        yield from runs


def _each_argument(
    question: Question, tested: Tested, posed: Posed, first: Gradients, compiles: bool
) -> Iterator[Differing]:
    """In each argument alone, of many in a few: the bits of the first run.

    Or its program, where the framework `compiles` that and to compare it takes less time.
    """
    if len(question.active) < 2:
        return
    count = len(question.active)
    some = np.linspace(0, count - 1, count if count <= MOST else OF_MANY).astype(int).tolist()
    for at in some:
        k = question.active[at]
        alone = tested.in_one(k)
        if alone is None or not alone.graph:
            return
        if compiles and _is_of(alone, tested, posed):
            continue
        own = alone.graphs()
        graph = caught(partial(own.value, *map(own.load, posed.inputs)))
        if isinstance(graph, Raised):  # the function itself may need the others to be differentiable
            continue
        found = _OnGraph(own, graph)(posed.directions)
        if not isinstance(found, Raised) and found[0] is None and not np.any(first[at]):
            continue  # no gradient: nothing depends on it
        if not _is(first[at : at + 1], found):
            # Code may ask which of its arguments are differentiated: then it is another function here.
            specify = alone.specify if question.is_plain else question.specify
            asked = replace(question, active=(k,), specify=specify)
            yield Differing(Probe.ONE_ARGUMENT, found, asked, alone, posed.directions, question.names[k])


def _is_of(alone: Tested, tested: Tested, posed: Posed) -> bool:
    """Whether the graph in one argument is known to run what that in all runs for it: JAX can tell.

    To trace both takes less time than to run a loop that has to be compiled.
    """
    graph: Any = alone.graph
    if not hasattr(graph, "is_of"):
        return False
    own = alone.target.subject(graph, partial(graph.is_of, tested.graph))
    along = tuple(map(own.load, posed.directions))
    return caught(lambda: own.gradient(along, *map(own.load, posed.inputs))) is True


def caught(run: Callable[[], Any]) -> Any:
    """What it returns, or what it raised."""
    try:
        return run()
    except Exception as problem:
        return Raised(first_line(problem), stopped=isinstance(problem, Unsupported))


def _is(expected: Found, found: Found) -> bool:
    if isinstance(expected, Raised) or isinstance(found, Raised):
        return expected == found
    return same(expected, found)


def _is_times(scale: float, first: Gradients, found: Found) -> bool:
    """Whether a result moved with the cotangent to the bit; below the normal numbers, nearly."""
    if isinstance(found, Raised) or len(found) != len(first):
        return False
    for a, b in zip(first, found, strict=True):
        if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
            return False
        if np.isfinite(b).all() and (a * np.asarray(scale, a.dtype)).tobytes() == b.tobytes():
            continue
        kind = format_of(a.dtype.name)
        wanted, got = scale * a.astype(np.float64), b.astype(np.float64)
        equal = (wanted == got) | (np.isnan(wanted) & np.isnan(got))
        equal |= (np.abs(wanted) < 8 * kind.normal) & (np.abs(got - wanted) <= 8 * float(kind.least))
        if not equal.all():
            return False
    return True
