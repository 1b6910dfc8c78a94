"""How a gradient is run again: anew, on a graph that is alive, so far along that it may not end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from harness.proof.additive import add_up
from harness.proof.observe import Gradients, Loaded, same
from harness.proof.question import Probe, Question
from harness.proof.truth import Posed
from harness.subject.derivative import Array
from harness.subject.moving import moved_on
from harness.subject.patience import Endless, ending
from harness.subject.tested import Tested
from oracles.exact.program.errors import Unsupported, first_line
from oracles.exact.program.formats import format_of
from oracles.exact.program.program import Origin
from oracles.frameworks.framework import Native, Subject

PATIENCE_S, OF_FIRST = 20.0, 50.0  # for a run along a scaled cotangent: seconds, and times of the first run

# So torch refuses a graph whose saved tensors the next forward writes into: a running mean, say.
OVERWRITTEN = "has been modified by an inplace operation"
# So does what torch.compile makes, where a graph is to be used again: its backward writes into saved tensors.
DONATED = "compiled with non-empty donated buffers"


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
class OnGraph:
    """Pulls back on a graph, as often as that allows.

    Attributes:
        own, graph: What runs, and the graph.
        first: What it returned first, as that was returned.
    """

    own: Subject
    graph: Native
    first: list[Native] = field(default_factory=list)

    def __call__(self, along: Sequence[Array]) -> Found:
        """What comes along these cotangents."""
        loaded = tuple(map(self.own.load, along))
        raw = caught(lambda: self.own.gradient(self.graph, loaded))
        if isinstance(raw, Raised):
            return raw
        self.first[:] = self.first or [raw]
        return fetched(self.own, lambda: raw)

    def kept(self) -> Found | None:
        """What the first result holds now; None where there is none."""
        return fetched(self.own, lambda: self.first[0]) if self.first else None


def repeated(tested: Tested, posed: Posed) -> Found:
    """What the first run gives when it is run once more."""
    own = tested.subject()
    return fetched(own, Loaded.of(own, posed.inputs, posed.directions).gradient)


def anew_from(tested: Tested, posed: Posed) -> Pull:
    """The function and then the derivative along cotangents, as in the first run."""
    own = tested.subject()

    def run(along: Sequence[Array]) -> Found:
        inputs = tuple(map(own.load, posed.inputs))
        own.value(*inputs)
        loaded = tuple(map(own.load, along))
        return fetched(own, lambda: own.gradient(loaded, *inputs))

    return run


def on_one_graph(
    question: Question, tested: Tested, posed: Posed
) -> tuple[Pull, list[tuple[Probe | None, Found]]]:
    """What pulls back on one graph, while another is alive; and what it gives, twice if it does that."""
    own = tested.graphs()
    graph = own.value(*map(own.load, posed.inputs))
    if Probe.TWO_GRAPHS in question.probes and not tested.holds_one:
        caught(lambda: own.value(*map(own.load, elsewhere(question, posed.inputs))))
    pull = OnGraph(own, graph)
    other = Probe.REUSED if tested.reuses else Probe.TWO_GRAPHS
    ran: list[tuple[Probe | None, Found]] = [(other, pull(posed.directions))]
    if isinstance(ran[0][1], Raised) and DONATED in ran[0][1].text:
        anew = anew_from(tested, posed)
        return anew, [(None, anew(posed.directions))]
    if isinstance(ran[0][1], Raised) and OVERWRITTEN in ran[0][1].text:
        pull = OnGraph(own, own.value(*map(own.load, posed.inputs)))
        ran = [(None, pull(posed.directions))]
    if Probe.TWICE in question.probes:
        again = pull(posed.directions)
        if not isinstance(again, Raised):  # a graph may be for one use
            ran.append((Probe.TWICE, again))
    return pull, ran


def elsewhere(question: Question, arrays: Sequence[Array]) -> list[Array]:
    """The arrays, those that are differentiated with other numbers."""
    return [moved_on(a) if k in question.active else a for k, a in enumerate(arrays)]


def run_both(tested: Tested, arrays: Sequence[Array]) -> None:
    """Run the function and its gradient at these arrays."""
    own = tested.subject()
    loaded = tuple(map(own.load, arrays))
    ones = map(np.ones_like, own.fetch_value(own.value(*loaded)))
    own.gradient(tuple(map(own.load, ones)), *loaded)


def writing(tested: Tested, posed: Posed) -> Origin | None:
    """The operation of a backward that writes into what the forward computed; None where none is seen."""
    own = tested.graphs()

    def forward() -> Native:
        return own.value(*map(own.load, posed.inputs))

    def backward(graph: Native) -> Native:
        return own.gradient(graph, tuple(map(own.load, posed.directions)))

    found = caught(lambda: tested.target.framework.writing(forward, backward))
    return None if isinstance(found, Raised) else found


def stopped(run: Callable[[], Found], first_s: float) -> Found:
    """What it gives, or that it does not end: an absolute tolerance may be out of reach so far along."""
    seconds = max(PATIENCE_S, OF_FIRST * first_s)
    try:
        return ending(run, seconds)
    except Endless:
        return Raised(f"the gradient did not end within {seconds:.3g} s, and was stopped", stopped=True)


def may_never_end(tested: Tested, posed: Posed, pull: Pull) -> bool:
    """Whether a compiled loop in it ends by the cotangent alone, as far as can be told."""
    looked = tested.target.subject(tested.value, tested.target.framework.ends_by)
    along, inputs = (tuple(map(looked.load, arrays)) for arrays in (posed.directions, posed.inputs))
    given = (pull.graph, along) if isinstance(pull, OnGraph) else (tested.derivative, along, *inputs)
    return caught(lambda: looked.gradient(*given)) is True


def fetched(own: Subject, run: Callable[[], Native]) -> Found:
    """What a gradient gives, copied: the next call may use its memory again."""
    found = caught(lambda: own.fetch_gradient(run()).arrays)
    return found if isinstance(found, Raised) else tuple(None if g is None else g.copy() for g in found)


def caught(run: Callable[[], Any]) -> Any:
    """What it returns, or what it raised."""
    try:
        return run()
    except Exception as problem:
        return Raised(first_line(problem), stopped=isinstance(problem, Unsupported))


def same_bits(expected: Found, found: Found) -> bool:
    """Whether two runs gave the same bits, or raised the same."""
    if isinstance(expected, Raised) or isinstance(found, Raised):
        return expected == found
    return same(expected, found)


def is_scaled(scale: float, first: Gradients, found: Found) -> bool:
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


def adds_up(parts: Sequence[Found], whole: Found) -> bool:
    """Whether all ran, and add up."""
    ran = [part for part in parts if not isinstance(part, Raised)]
    return len(ran) == len(parts) and not isinstance(whole, Raised) and add_up(ran, whole)
