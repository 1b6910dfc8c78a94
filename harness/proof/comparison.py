"""Two programs of the same outputs, element by element: where they agree, and what explains where not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from harness.proof.evidence import Mask, meeting
from harness.proof.nearness import NEAR, are_narrow_enough, each, is_hull
from harness.proof.sides import MORE, Side
from harness.subject.derivative import Array
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import evaluate, evaluate_quickly
from oracles.exact.enclose.literals import Change
from oracles.exact.program.balls import precision
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import format_of
from oracles.exact.program.program import Program
from oracles.exact_oracle import BITS

MOVES = 12  # of the data: all up, and eleven patterns of signs
FEW = 3  # after these moves, no more are made for a difference that is
FAR = 2.0**10  # so many times what they change
# The outputs of a program with these inputs, as balls that hold the truth; where asked, as narrow as that.
Again: TypeAlias = Callable[[Program, Sequence[Array], Sequence[Mask]], list[Enclosure]]


class Comparison:
    """Two programs of the same outputs, element by element.

    Attributes:
        agrees: Per output, where they agree, or differ by nothing that matters.
        notes: What explains the differences that do not matter, in words.
        terms: Per output, about how large the terms are whose sum each element is; 0 where that is not known.

    Args:
        own: The program under test.
        spec: The specification's.
        dtypes: Of the outputs.
        again: Gives those of the specification with balls for literals.
        moved: Gives those of the specification with other numbers.
        said: What differs from what, in words.
        cast: As in the `Recording` of the program under test. Where longer literals say nothing as balls, as
            after many steps, they are moved then.
        attainable: a of each output.
    """

    def __init__(
        self,
        own: Side,
        spec: Side,
        dtypes: Sequence[str],
        again: Again,
        moved: Again,
        said: str = "the formula differs from the derivative",
        cast: bool = False,
        attainable: Sequence[NDArray[np.float64]] | None = None,
    ) -> None:
        self.notes: list[str] = []
        self.own, self.spec, self.dtypes = own, spec, dtypes
        self._spec_of_balls, self.spec_at, self._said, self.cast = again, moved, said, cast
        self.true = spec.outputs
        # What cancels is known to about so many digits of what it is the sum of.
        self.terms = [
            np.where(np.isfinite(a), a, 0.0) * 2.0 ** format_of(dtype).digits
            for a, dtype in zip(attainable or [np.zeros(())] * len(dtypes), dtypes, strict=True)
        ]
        self.agrees = [meeting(e, t) for e, t in zip(own.outputs, self.true, strict=True)]

    @cached_property
    def pairs(self) -> list[tuple[Sequence[Enclosure], Sequence[Enclosure], list[Mask]]]:
        """What may meet what, and where."""
        everywhere = [np.ones(t.shape, bool) for t in self.true]
        return [(self.own.outputs, self.true, everywhere)]

    @property
    def differ(self) -> list[Mask]:
        """Where they do not agree: nothing else is asked of other numbers."""
        return [~a for a in self.agrees]

    @property
    def is_whole(self) -> bool:
        """Whether they agree everywhere."""
        return all(a.all() for a in self.agrees)

    @cached_property
    def _found(self) -> list[Array]:
        return [e.balls for e in self.own.outputs]

    def accept(self, found: Sequence[Mask], why: str) -> None:
        """Let them agree where that is found, and say why."""
        new = [f & ~a for f, a in zip(found, self.agrees, strict=True)]
        self.agrees = [np.asarray(a | f) for a, f in zip(self.agrees, found, strict=True)]
        if why and any(n.any() for n in new):
            self.notes.append(f"{self._said} by {self._largest(new)}{why}")

    def _largest(self, where: Sequence[Mask]) -> str:
        """The largest difference there, relative to the truth if that is nowhere 0."""
        pairs = [
            (e, t)
            for own, true, chosen in zip(self._found, self.true, where, strict=True)
            for e, t in zip(own[chosen].tolist(), true.balls[chosen].tolist(), strict=True)
        ]
        with precision(BITS):
            if any(t.contains(0) for _, t in pairs):
                return f"{max(float(abs(e - t).mid()) for e, t in pairs):.2g}"
            return f"a relative {max(float(abs((e - t) / t).mid()) for e, t in pairs):.2g}"

    def with_others(self, side: Side, inputs: Sequence[Array]) -> list[Enclosure]:
        """The outputs of a side with other numbers; the specification's may lie on a kink, as T does."""
        if side is self.own:
            return evaluated_as_narrowly(side.given.program, inputs, side.outputs)
        return self.spec_at(side.given.program, inputs, self.differ)

    def with_changed(self, side: Side, change: Change) -> list[Enclosure]:
        """The outputs of a side with other literals."""
        return self.with_others(side, side.with_literals(change))

    def with_moved(self, side: Side, inputs: Sequence[Array]) -> Sequence[Enclosure]:
        """The outputs of a side whose data moved."""
        return self.with_others(side, inputs) if side.rounded_data else side.outputs

    def both(
        self, with_others: Callable[[Side], tuple[Program, Sequence[Array]]]
    ) -> tuple[Sequence[Enclosure], Sequence[Enclosure]]:
        """The outputs of the two with other numbers; with more bits where few say nothing of the formula.

        As they stand, too, they may have one with more alone: exp(x^2) erfc(x) at 1e40.
        """
        program, inputs = with_others(self.own)
        own = enclosed(evaluate_quickly(program, inputs, BITS))
        if not all(np.isfinite(e.radius).all() for e in own) or any(self.own.rough):
            own = enclosed(evaluate(program, inputs, MORE * BITS))
        return own, self._spec_of_balls(*with_others(self.spec), self.differ)

    def explained_by_perturbation(
        self,
        moves: Callable[[Side, int], Sequence[Enclosure]],
        why: str,
        without_noise: Callable[[], Sequence[Enclosure]] | None = None,
        where: Sequence[Mask] | None = None,
    ) -> None:
        """What differs by at most twice as much as moved numbers change it, differs by nothing.

        `without_noise` gives the formula's outputs without the noise in its numbers: then it may agree.
        `where` it is asked: everywhere, if that is not said.
        """
        with precision(BITS):
            before = [e - t.balls for e, t in zip(self._found, self.true, strict=True)]
        most, reach = ([np.zeros(t.shape) for t in self.true] for _ in range(2))
        for seed in range(MOVES):
            with suppress(Undecided), precision(BITS):
                pairs = zip(moves(self.own, seed), moves(self.spec, seed), strict=True)
                for k, (own, spec) in enumerate(pairs):
                    e, s = own.balls, spec.balls
                    by = each(arb.abs_lower, (e - s) - before[k])
                    change = each(arb.abs_upper, s - self.true[k].balls)
                    smooth = change <= NEAR * np.max(np.abs(self.true[k].mid), initial=0.0)
                    np.maximum(most[k], by, out=most[k], where=smooth & np.isfinite(by))
                    reach[k] = np.fmax(reach[k], np.fmax(change, each(arb.abs_upper, e - self._found[k])))
            if seed >= FEW and self._is_hopeless(before, reach):
                break
        found = [
            (m > 0) & (each(arb.abs_upper, b) <= 2 * m) & ~_is_of_sides(t)
            for m, b, t in zip(most, before, self.true, strict=True)
        ]
        found = found if where is None else [f & own for f, own in zip(found, where, strict=True)]
        self.accept(found, why)
        if without_noise and not self.is_whole:
            with suppress(Undecided), precision(BITS):
                sides = zip(without_noise(), self.true, strict=True)
                apart = [(each(arb.abs_lower, e.balls - t.balls), _is_of_sides(t)) for e, t in sides]
                self.accept([(b <= 2 * m) & ~h for m, (b, h) in zip(most, apart, strict=True)], why)

    def _is_hopeless(self, before: Sequence[Array], reach: Sequence[NDArray[np.float64]]) -> bool:
        """Whether some difference is far more than moves change either side."""
        return any(
            bool(np.any(~agree & (each(arb.abs_lower, b) > FAR * own)))
            for agree, b, own in zip(self.agrees, before, reach, strict=True)
        )


def _is_of_sides(t: Enclosure) -> Mask:
    """Where the truth is that of points around: moved, the formula is there, and no longer here."""
    return is_hull(t) if t.apart is None else is_hull(t) | t.apart


def enclosed(found: Sequence[Array | Pairs]) -> list[Enclosure]:
    """Balls as enclosures, at the bits of a verdict."""
    return [Enclosure(one, BITS) for one in found]


def evaluated_as_narrowly(
    program: Program, inputs: Sequence[Array], before: Sequence[Enclosure]
) -> list[Enclosure]:
    """The outputs with other numbers, told where those before were: many steps leave few of a few bits.

    As many are taken as those before took, or up to as many as single elements may have taken of these.
    """
    found, bits = enclosed(evaluate_quickly(program, inputs, BITS)), max((e.bits for e in before), default=0)
    while not all(
        are_narrow_enough(e) or not are_narrow_enough(b) for e, b in zip(found, before, strict=True)
    ):
        bits = max(bits, 2 * found[0].bits)
        if bits > max(MORE * BITS, *(e.bits for e in before)):
            break
        found = [Enclosure(one, bits) for one in evaluate(program, inputs, bits)]
    return found
