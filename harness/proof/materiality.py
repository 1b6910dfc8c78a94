"""Which differences between E and T say nothing of the formula: of written digits, of data, below the format.

`wrong` is a proof about formulas, and is said of numbers that matter. Where E and T are disjoint, each rule
here asks for a reason that is not the formula. None of them runs where they meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import StrEnum
from functools import cached_property, partial
from typing import TypeAlias

import numpy as np
from flint import arb
from numpy.typing import NDArray

from harness.proof.absorbed import ABSORBED, absorbed, named, without
from harness.proof.evidence import Mask, meeting
from harness.proof.nearness import (
    NEAR,
    apart,
    are_narrow,
    are_near,
    are_told,
    certainly_beyond,
    each,
    is_hull,
    is_same_infinity,
    known_to_meet,
    meet_nearby,
    nearest,
    resolving,
    within,
)
from harness.proof.sides import MORE, Side, has_any
from harness.subject.derivative import Array
from oracles.exact.core.pairs import Pairs
from oracles.exact.enclose.computed import computed_moved, sizes_in, without_noise
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.evaluate import evaluate, evaluate_quickly
from oracles.exact.enclose.literals import (
    Change,
    decided,
    literals,
    moved_casts,
    moved_literals,
    rounded,
    spelled,
    written,
)
from oracles.exact.program.balls import precision
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import format_of
from oracles.exact.program.program import Program
from oracles.exact_oracle import BITS

MOVES = 12  # of the data: all up, and eleven patterns of signs
MOST_NAMED = 4
FEW = 3  # after these moves, no more are made for a difference that is
FAR = 2.0**10  # so many times what they change
# The outputs of a program with these inputs, as balls that hold the truth; where asked, as narrow as that.
Again: TypeAlias = Callable[[Program, Sequence[Array], Sequence[Mask]], list[Enclosure]]


class Resolution(StrEnum):
    """How small a difference between two formulas counts."""

    FORMAT = "format"  # what the dtype resolves, or float32 where it is coarser
    EXACT = "exact"  # any


class Comparison:
    """Two programs of the same outputs, element by element.

    Attributes:
        agrees: Per output, where they agree, or differ by nothing that matters.
        notes: What explains the differences that do not matter, in words.

    Args:
        own: The program under test.
        spec: The specification's.
        dtypes: Of the outputs.
        again: Gives those of the specification with balls for literals.
        moved: Gives those of the specification with other numbers.
        said: What differs from what, in words.
        cast: As in the `Recording` of the program under test. Where longer literals say nothing as balls, as
            after many steps, they are moved then.
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
    ) -> None:
        self.notes: list[str] = []
        self._own, self._spec, self._dtypes = own, spec, dtypes
        self._again, self._at_moved, self._said, self._cast = again, moved, said, cast
        self._true = spec.outputs
        self.agrees = [meeting(e, t) for e, t in zip(own.outputs, self._true, strict=True)]

    @cached_property
    def _found(self) -> list[Array]:
        return [e.balls for e in self._own.outputs]

    @cached_property
    def _pairs(self) -> list[tuple[Sequence[Enclosure], Sequence[Enclosure], list[Mask]]]:
        """What may meet what, and where."""
        everywhere = [np.ones(t.shape, bool) for t in self._true]
        return [(self._own.outputs, self._true, everywhere)]

    @property
    def _differ(self) -> list[Mask]:
        """Where they do not agree: nothing else is asked of other numbers."""
        return [~a for a in self.agrees]

    @property
    def is_whole(self) -> bool:
        """Whether they agree everywhere."""
        return all(a.all() for a in self.agrees)

    def explain(self, resolution: Resolution) -> None:
        """Look for what explains the differences.

        Raises:
            Undecided: With longer literals as balls, which is always asked, there is no value, or a
                comparison is open: as the numbers stand, it may take another side than the one that is meant.
        """
        open_ = None if self.is_whole else self._with_literals(rounded)
        if not self.is_whole and resolution is Resolution.FORMAT:
            self._absorbed_numbers()
        if not self.is_whole and has_any(rounded, self._own, self._spec):
            self._by_moves(self._with_moved_literals, "")
        if resolution is Resolution.FORMAT:
            for rule in self._rules:
                if not self.is_whole:
                    rule()
        if open_ and not self.is_whole:
            raise open_

    @property
    def _rules(self) -> tuple[Callable[[], None], ...]:
        return (
            self._written_digits,
            self._rounded_data,
            self._computed_data,
            self._symmetric_data,
            self._below_the_format,
        )

    def _absorbed_numbers(self) -> None:
        """A written number that changes no bit of what ran is as good as 0: the 1e-10 in `sum + 1e-10`."""
        if not all(map(are_near, self._own.outputs, self._true, self.agrees)):
            return
        own, spec = self._own, self._spec
        both = [absorbed(*side.running, BITS) for side in (own, spec)]
        if not any(both):
            return
        programs = [without(s.program, numbers) for s, numbers in zip((own, spec), both, strict=True)]
        with suppress(Undecided):
            es = as_told(programs[0], own.inputs, own.outputs)
            ts = self._at_moved(programs[1], spec.inputs, self._differ)
            told = zip(es, ts, self._true, strict=True)
            found = [known_to_meet(e, s) & (t.wide | are_narrow(e, s, t)) for e, s, t in told]
            self._accept(
                found, f": {_listed(named(both[0] | both[1]))} in the code explains that, {ABSORBED}"
            )

    def _written_digits(self) -> None:
        """A literal of seven digits or more is any number that is written so."""
        numbers = [*literals(self._own.program), *literals(self._spec.program)]
        short = [
            format_of(dtype).shortest(float(b))
            for b, dtype in numbers
            if written(b, dtype).rad() > 4 * rounded(b, dtype).rad()
        ]
        names = list(dict.fromkeys(short))
        why = f": the last digits of {_listed(names)} explain that"
        asked = len(self._pairs)
        with suppress(Undecided):
            self._with_literals(written, why, NEAR)
            if not self.is_whole:
                self._as_spelled(why)
        if self._cast and not self.is_whole and has_any(moved_casts(0), self._own, self._spec):
            silent = [~close for *_, own in self._pairs[asked:] for close in own] or self._differ
            self._by_moves(lambda side, seed: self._changed(side, moved_casts(seed)), why, where=silent)

    def _as_spelled(self, why: str) -> None:
        """Literals as their shortest decimals: of balls of digits nothing is left after many steps."""
        if has_any(spelled, self._own, self._spec):
            own, spec = (self._changed(side, spelled) for side in (self._own, self._spec))
            triples = zip(own, spec, self._true, strict=True)
            self._accept([meet_nearby(e, s, t) & are_narrow(e, s, t) for e, s, t in triples], why)

    def _with_literals(self, change: Change, why: str = "", room: float = np.inf) -> Undecided | None:
        """With other numbers for literals, they may meet: where these still say what is true.

        Gives the reason where these leave a comparison open, which is then decided as the numbers stand.

        Args:
            change: The other numbers.
            why: What is noted.
            room: How far they may move a result, relative to it.
        """
        if not has_any(change, self._own, self._spec):
            return None
        open_ = None
        try:
            own, spec = self._both(lambda side: (side.given.program, side.with_literals(change)))
        except Undecided as reason:
            try:
                own, spec = self._both(lambda side: (decided(side.program, change), side.inputs))
            except Undecided:  # no comparison is open: of wide balls there is no value
                return None
            open_ = reason
        if self._spec.is_rough:
            return open_
        close = [
            known_to_meet(s, t) & (t.wide | (within(e, t, room) & within(s, t, room)))
            for e, s, t in zip(own, spec, self._true, strict=True)
        ]
        if room == np.inf:
            told = zip(close, own, spec, self._true, strict=True)
            close = [ok & (t.wide | are_narrow(e, s, t)) for ok, e, s, t in told]
        self._pairs.append((own, spec, close))
        self._accept([known_to_meet(e, s) & c for e, s, c in zip(own, spec, close, strict=True)], why)
        return open_

    def _with_moved_literals(self, side: Side, seed: int) -> list[Enclosure]:
        """The outputs of a side whose longer literals moved: where as balls they say nothing."""
        return self._changed(side, moved_literals(seed))

    def _changed(self, side: Side, change: Change) -> list[Enclosure]:
        """The outputs of a side with other literals."""
        return self._with_others(side, side.with_literals(change))

    def _with_others(self, side: Side, inputs: Sequence[Array]) -> list[Enclosure]:
        """The outputs of a side with other numbers; the specification's may lie on a kink, as T does."""
        if side is self._own:
            return as_told(side.given.program, inputs, side.outputs)
        return self._at_moved(side.given.program, inputs, self._differ)

    def _both(
        self, with_others: Callable[[Side], tuple[Program, Sequence[Array]]]
    ) -> tuple[Sequence[Enclosure], Sequence[Enclosure]]:
        """The outputs of the two with other numbers; with more bits where few say nothing of the formula.

        As they stand, too, they may have one with more alone: exp(x^2) erfc(x) at 1e40.
        """
        program, inputs = with_others(self._own)
        own = enclosed(evaluate_quickly(program, inputs, BITS))
        if not all(np.isfinite(e.radius).all() for e in own) or self._own.is_rough:
            own = enclosed(evaluate(program, inputs, MORE * BITS))
        return own, self._again(*with_others(self._spec), self._differ)

    def _rounded_data(self) -> None:
        """Arrays that are not differentiated are known to half an ulp: the same numbers, moved in both.

        A difference between the two that such moves change by half of it is no other formula's. As balls,
        each number would count for itself, and a whole matrix of them hides real errors.
        """
        names = list(dict.fromkeys([*self._own.rounded_data, *self._spec.rounded_data]))
        if names:

            def moves(side: Side, seed: int) -> Sequence[Enclosure]:
                return self._moved(side, side.with_moved_data(seed))

            self._by_moves(moves, f": the rounding of {_listed(names)} explains that")

    def _computed_data(self) -> None:
        """Arrays that only one of the two programs has were computed out of sight: a matrix of cosines, say.

        They are moved by as much as that may have lost. What both have is the same number in both.
        """
        own, spec = sizes_in([self._own.program]), sizes_in([self._spec.program])
        if own == spec:
            return

        known = {id(self._own): spec, id(self._spec): own}

        def moves(side: Side, seed: int) -> Sequence[Enclosure]:
            others = partial(computed_moved, seed=seed, known=known[id(side)])
            return self._moved(side, side.with_arrays(others))

        def quiet() -> Sequence[Enclosure]:
            return self._moved(self._own, self._own.with_arrays(partial(without_noise, known=spec)))

        self._by_moves(moves, ": how the arrays in the code were computed explains that", quiet)

    def _symmetric_data(self) -> None:
        """A matrix that differs from its transpose by its rounding is symmetric: x P x has the slope 2 P x.

        An inverse is that far off. Both are asked again with the mean of the two.
        """
        moved = [side.with_symmetric_data for side in (self._own, self._spec)]
        if names := list(dict.fromkeys([*moved[0][1], *moved[1][1]])):
            with suppress(Undecided):
                own, spec = (
                    self._with_others(side, inputs)
                    for side, (inputs, _) in zip((self._own, self._spec), moved, strict=True)
                )
                told = zip(own, spec, self._true, strict=True)
                found = [known_to_meet(e, s) & (t.wide | are_narrow(e, s, t)) for e, s, t in told]
                self._accept(
                    found, f": {_listed(names)} is symmetric but for its rounding, which explains that"
                )

    def with_others_rounded(self, k: int, alone: Callable[[], Comparison], resolution: Resolution) -> None:
        """Output k again with all else given: one argument's is no stricter where others are asked, too.

        Labels that sum to 1 but for their rounding are data to the gradient in the logits.
        """
        if resolution is Resolution.FORMAT and not self.agrees[k].all():
            other = alone()
            other.agrees = [a if j == k else np.ones_like(a) for j, a in enumerate(self.agrees)]
            other._rounded_data()
            other._symmetric_data()
            self.agrees[k] = other.agrees[k]
            self.notes += other.notes

    def _moved(self, side: Side, inputs: Sequence[Array]) -> Sequence[Enclosure]:
        """The outputs of a side whose data moved."""
        return self._with_others(side, inputs) if side.rounded_data else side.outputs

    def _by_moves(
        self,
        moves: Callable[[Side, int], Sequence[Enclosure]],
        why: str,
        quiet: Callable[[], Sequence[Enclosure]] | None = None,
        where: Sequence[Mask] | None = None,
    ) -> None:
        """What differs by at most twice as much as moved numbers change it, differs by nothing.

        `quiet` gives the formula's outputs without the noise in its numbers: then it may agree. `where` it
        is asked: everywhere, if that is not said.
        """
        with precision(BITS):
            before = [e - t.balls for e, t in zip(self._found, self._true, strict=True)]
        most, reach = ([np.zeros(t.shape) for t in self._true] for _ in range(2))
        for seed in range(MOVES):
            with suppress(Undecided), precision(BITS):
                pairs = zip(moves(self._own, seed), moves(self._spec, seed), strict=True)
                for k, (own, spec) in enumerate(pairs):
                    e, s = own.balls, spec.balls
                    by = each(arb.abs_lower, (e - s) - before[k])
                    change = each(arb.abs_upper, s - self._true[k].balls)
                    smooth = change <= NEAR * np.max(np.abs(self._true[k].mid), initial=0.0)
                    np.maximum(most[k], by, out=most[k], where=smooth & np.isfinite(by))
                    reach[k] = np.fmax(reach[k], np.fmax(change, each(arb.abs_upper, e - self._found[k])))
            if seed >= FEW and self._is_hopeless(before, reach):
                break
        found = [
            (m > 0) & (each(arb.abs_upper, b) <= 2 * m) & ~is_hull(t)
            for m, b, t in zip(most, before, self._true, strict=True)
        ]
        found = found if where is None else [f & own for f, own in zip(found, where, strict=True)]
        self._accept(found, why)
        if quiet and not self.is_whole:
            with suppress(Undecided), precision(BITS):
                sides = zip(quiet(), self._true, strict=True)
                apart = [(each(arb.abs_lower, e.balls - t.balls), is_hull(t)) for e, t in sides]
                self._accept([(b <= 2 * m) & ~h for m, (b, h) in zip(most, apart, strict=True)], why)

    def _below_the_format(self) -> None:
        """Half an ulp of the true element apart, or half a float32 ulp where its dtype is coarser.

        Beyond float64 both are the same infinity, in any dtype.
        """
        found, names = [], []
        for k, (true, dtype) in enumerate(zip(self._true, self._dtypes, strict=True)):
            name = resolving(dtype)
            names.append(name)
            mask = self.agrees[k].copy()
            for own, spec, ok in self._pairs:
                e, t = own[k], spec[k]
                ulps = format_of(name).ulp(nearest(e, true))
                with precision(BITS):
                    for at in map(tuple, np.argwhere(~mask & ok[k] & ~certainly_beyond(e, t, ulps))):
                        half = arb(float(ulps[at])) / 2  # of the least number too
                        if np.isfinite(true.mid[at]):
                            mask[at] = apart(e.ball(at), t.ball(at)) <= half
                        else:
                            mask[at] = is_same_infinity(e.ball(at), t.ball(at))
            found.append(mask)
        self._accept(found, f", which is below what {_listed(list(dict.fromkeys(names)))} resolves")

    def _is_hopeless(self, before: Sequence[Array], reach: Sequence[NDArray[np.float64]]) -> bool:
        """Whether some difference is far more than moves change either side."""
        return any(
            bool(np.any(~agree & (each(arb.abs_lower, b) > FAR * own)))
            for agree, b, own in zip(self.agrees, before, reach, strict=True)
        )

    def _accept(self, found: Sequence[Mask], why: str) -> None:
        new = [f & ~a for f, a in zip(found, self.agrees, strict=True)]
        self.agrees = [np.asarray(a | f) for a, f in zip(self.agrees, found, strict=True)]
        if why and any(n.any() for n in new):
            self.notes.append(f"{self._said} by {self._largest(new)}{why}")

    def _largest(self, where: Sequence[Mask]) -> str:
        """The largest difference there, relative to the truth if that is nowhere 0."""
        pairs = [
            (e, t)
            for own, true, chosen in zip(self._found, self._true, where, strict=True)
            for e, t in zip(own[chosen].tolist(), true.balls[chosen].tolist(), strict=True)
        ]
        with precision(BITS):
            if any(t.contains(0) for _, t in pairs):
                return f"{max(float(abs(e - t).mid()) for e, t in pairs):.2g}"
            return f"a relative {max(float(abs((e - t) / t).mid()) for e, t in pairs):.2g}"


def enclosed(found: Sequence[Array | Pairs]) -> list[Enclosure]:
    """Balls as enclosures, at the bits of a verdict."""
    return [Enclosure(one, BITS) for one in found]


def as_told(program: Program, inputs: Sequence[Array], before: Sequence[Enclosure]) -> list[Enclosure]:
    """The outputs with other numbers, told where those before were: many steps leave few of a few bits.

    As many are taken as those before took, or up to as many as single elements may have taken of these.
    """
    found, bits = enclosed(evaluate_quickly(program, inputs, BITS)), max((e.bits for e in before), default=0)
    while not all(are_told(e) or not are_told(b) for e, b in zip(found, before, strict=True)):
        bits = max(bits, 2 * found[0].bits)
        if bits > max(MORE * BITS, *(e.bits for e in before)):
            break
        found = [Enclosure(one, bits) for one in evaluate(program, inputs, bits)]
    return found


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
