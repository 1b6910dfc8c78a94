"""Probes: what real callers do with a gradient, done to one that was right as it was first run.

Bits decide what is cheap: a run that gives the bits of the first run is as right as that. What differs is
yielded, to be judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from harness.proof.additive import or_zeros
from harness.proof.cotangents import CONSTANT, SCALES, constant, less, otherwise, rows_of_ones
from harness.proof.observe import Gradients, Observed
from harness.proof.pulls import (
    UNRUN,
    Found,
    OnGraph,
    Pull,
    Raised,
    adds_up,
    anew_from,
    caught,
    is_scaled,
    may_never_end,
    on_one_graph,
    repeated,
    same_bits,
    stopped,
    writing,
)
from harness.proof.question import Probe, Question
from harness.proof.truth import Posed
from harness.proof.used_before import used_before
from harness.subject.derivative import GRADIENT, Array
from harness.subject.tested import Tested
from oracles.exact.program.program import Origin
from oracles.exact.program.recording import FREE
from oracles.frameworks.framework import silently

MOST, OF_MANY = 8, 3  # results, or arguments, that are probed one by one; and of more arguments
LARGE = 256  # operations: so many that JAX takes longer to compile them, if it does, than to trace them


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
    with silently():
        return list(_differing(question, tested, posed, seen))


def _differing(question: Question, tested: Tested, posed: Posed, seen: Observed) -> Iterator[Differing]:
    wanted, first = question.probes, seen.gradient.arrays
    freedom = posed.forward.freedom if tested.own and question.is_plain else FREE
    if freedom.keeps:
        yield from _kept(question, tested, posed, seen)
    else:
        again = repeated(tested, posed)  # the Python code around may still give something else
        if not same_bits(first, again):
            yield Differing(None, again, question, tested)
    each = Probe.ONE_ARGUMENT if question.derivative.is_of_results else Probe.ONE_OUTPUT
    one_step = len(question.derivative.steps) == 1
    if each in wanted and one_step and question.linear and (freedom.keeps or freedom.chooses):
        yield from _each_direction(each, question, tested, posed, first)
    if Probe.ONE_ARGUMENT in wanted and question.derivative == GRADIENT and freedom.chooses:
        compiles = not freedom.keeps or len(posed.forward.program.equations) > LARGE  # a loop, or perhaps
        yield from _each_argument(question, tested, posed, first, compiles)
    kept = tested.subject().fetch_gradient(seen.raw).arrays
    if Probe.KEPT in wanted and not same_bits(first, kept):
        yield Differing(Probe.KEPT, kept, question, tested)
    if Probe.REUSED in wanted and freedom.keeps and question.is_plain:
        for probe, found in used_before(question, tested, posed, seen):  # last: graphs share what it changes
            yield Differing(probe, found, question, tested)


def _kept(question: Question, tested: Tested, posed: Posed, seen: Observed) -> Iterator[Differing]:
    """What shows that something is kept between calls, or that the gradient is not linear."""
    first, directions = seen.gradient.arrays, posed.directions
    anew = anew_from(tested, posed)
    pull, ran = on_one_graph(question, tested, posed) if tested.graph else (anew, [(None, anew(directions))])
    for probe, found in ran:
        if not same_bits(ran[0][1] if probe is Probe.TWICE else first, found):
            again = dict(on_one_graph(question, tested, posed)[1])[probe] if probe else None
            known = probe if again and same_bits(found, again) else None
            guilty = writing(tested, posed) if known is Probe.TWICE else None
            yield Differing(known, found, question, tested, guilty=guilty)
    if Probe.TWICE not in dict(ran) or not all(same_bits(first, found) for _, found in ran):
        pull = anew
    for probe, along, scale in otherwise(question, posed.directions, tested.target.framework.has_strides):
        if probe is Probe.SCALED_UP and may_never_end(tested, posed, pull):
            yield Differing(probe, UNRUN, question, tested, along)
            continue
        found = stopped(partial(pull, along), seen.first_call_time_s) if probe in SCALES else pull(along)
        if not (same_bits(first, found) if scale == 1 else is_scaled(scale, first, found)):
            yield Differing(probe, found, question, tested, along)
    if question.linear:
        for probe, found, along in _of_other_numbers(question, tested, posed, first, pull):
            yield Differing(probe, found, question, tested.or_zeros(), along)
    asks = Probe.KEPT in question.probes and not tested.reuses  # an object may fill its gradients again
    kept = pull.kept() if asks and isinstance(pull, OnGraph) else None
    if kept is not None and not same_bits(ran[0][1], kept):
        yield Differing(Probe.KEPT, kept, question, tested)


def _of_other_numbers(
    question: Question, tested: Tested, posed: Posed, first: Gradients, pull: Pull
) -> Iterator[tuple[Probe, Found, tuple[Array, ...]]]:
    """Along ones and zeros, which code may take a short way for: they must add up to what is known."""
    wanted, directions = question.probes, posed.directions
    several = any(d.size > 1 for d in directions)
    strided, varies = tested.target.framework.has_strides and several, Probe.CONSTANT in wanted and several
    expands, counts = strided and Probe.EXPANDED in wanted, Probe.ONES in wanted or Probe.ZEROS in wanted
    if not (expands or counts or varies):
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
        if not adds_up((of_part, of_rest), first):
            yield from ((Probe.ZEROS, of_part, part), (Probe.ZEROS, of_rest, rest))
        adds = adds_up((of_part, of_others), run(ones) if of_expanded is None else of_expanded)
        if not adds:
            yield from ((Probe.ONES, run(ones), ones), (Probe.ZEROS, of_others, others))
    if varies:
        along = constant(directions)
        found, of_ones = run(along), run(ones) if of_expanded is None else of_expanded
        if isinstance(of_ones, Raised) or not is_scaled(CONSTANT, of_ones, found):
            yield Probe.CONSTANT, found, along
    if (
        expanded
        and of_expanded is not None
        and not (counts and adds)
        and not same_bits(run(ones), of_expanded)
    ):
        yield Probe.EXPANDED, of_expanded, expanded


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
        found = anew_from(alone, posed)(along)
        if isinstance(found, Raised) and found.stopped:  # the function itself may need the others
            return
        if not isinstance(found, Raised) and len(found) == len(first):  # no gradient: it does not depend
            found = or_zeros(found, first)
        runs.append(Differing(probe, found, question, alone.or_zeros(), along, name or f"result {k}"))
    if not adds_up([run.found for run in runs], first):
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
        found = OnGraph(own, graph)(posed.directions)
        if not isinstance(found, Raised) and found[0] is None and not np.any(first[at]):
            continue  # no gradient: nothing depends on it
        if not same_bits(first[at : at + 1], found):
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
