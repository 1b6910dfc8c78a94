"""Reasons why two programs differ that are not the formula: written digits, data, what a format resolves.

Each rule takes a comparison in which something differs, and lets agree what it explains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial

import numpy as np
from flint import arb

from harness.proof.absorbed import ABSORBED, Mask, absorbed, named, without
from harness.proof.comparison import Comparison, evaluated_as_narrowly
from harness.proof.nearness import (
    NEAR,
    apart,
    are_narrow,
    are_near,
    certainly_beyond,
    is_same_infinity,
    known_to_meet,
    meet_nearby,
    nearest,
    resolving,
    within,
)
from harness.proof.normalised import made_normalised, made_projection
from harness.proof.sides import Side, has_any
from harness.proof.symmetry import made_symmetric
from harness.subject.derivative import Array
from oracles.exact.enclose.computed import computed_moved, sizes_in, without_noise
from oracles.exact.enclose.enclosure import Enclosure
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
from oracles.exact_oracle import BITS

MOST_NAMED = 4


def with_literals(
    compared: Comparison, change: Change, why: str = "", room: float = np.inf
) -> Undecided | None:
    """With other numbers for literals, they may meet: where these still say what is true.

    Gives the reason where these leave a comparison open, which is then decided as the numbers stand.

    Args:
        change: The other numbers.
        why: What is noted.
        room: How far they may move a result, relative to it.
    """
    if not has_any(change, compared.own, compared.spec):
        return None
    open_ = None
    try:
        own, spec = compared.both(lambda side: (side.given.program, side.with_literals(change)))
    except Undecided as reason:
        try:
            own, spec = compared.both(lambda side: (decided(side.program, change), side.inputs))
        except Undecided:  # no comparison is open: of wide balls there is no value
            return None
        open_ = reason
    each = zip(own, spec, compared.true, compared.terms, compared.spec.rough, strict=True)
    close = [
        known_to_meet(s, t) & (t.wide | (within(e, t, room, terms) & within(s, t, room, terms))) & (not rough)
        for e, s, t, terms, rough in each
    ]
    if room == np.inf:
        told = zip(close, own, spec, compared.true, strict=True)
        close = [ok & (t.wide | are_narrow(e, s, t)) for ok, e, s, t in told]
    compared.pairs.append((own, spec, close))
    compared.accept([known_to_meet(e, s) & c for e, s, c in zip(own, spec, close, strict=True)], why)
    return open_


def moved_longer_literals(compared: Comparison) -> None:
    """Longer literals moved: where as balls they say nothing."""
    if has_any(rounded, compared.own, compared.spec):
        compared.explained_by_perturbation(
            lambda side, seed: compared.with_changed(side, moved_literals(seed)), ""
        )


TOLD = 2.0**-10  # of a difference: so narrow must be what explains it


def absorbed_numbers(compared: Comparison) -> None:
    """A written number that changes no bit of what ran is as good as 0: the 1e-10 in `sum + 1e-10`."""
    if not all(map(are_near, compared.own.outputs, compared.true, compared.agrees)):
        return
    own, spec = compared.own, compared.spec
    both = [_absorbed(side) for side in (own, spec)]
    if not any(both):
        return
    every = [masks for numbers in both for masks in numbers.values()]
    same = [np.asarray(np.logical_and.reduce(masks)) for masks in zip(*every, strict=True)]
    programs = [without(s.program, numbers) for s, numbers in zip((own, spec), both, strict=True)]
    with suppress(Undecided):
        es = evaluated_as_narrowly(programs[0], own.inputs, own.outputs)
        if all(mask.all() for mask in same):
            ts = compared.spec_at(programs[1], spec.inputs, compared.differ)
        else:  # elsewhere it may have no value, which is no reason to take its limit
            ts = evaluated_as_narrowly(programs[1], spec.inputs, spec.outputs)
            each = zip(same, own.outputs, spec.outputs, es, ts, strict=True)
            same = [
                mask & (e.radius + s.radius <= TOLD * abs(before.mid - true.mid))
                for mask, before, true, e, s in each
            ]
        told = zip(es, ts, compared.true, strict=True)
        found = [known_to_meet(e, s) & (t.wide | are_narrow(e, s, t)) for e, s, t in told]
        found = [f & s for f, s in zip(found, same, strict=True)]
        compared.accept(
            found, f": {_listed(named({*both[0], *both[1]}))} in the code explains that, {ABSORBED}"
        )


def _absorbed(side: Side) -> dict[float, list[Mask]]:
    """The numbers, and in which elements of its outputs: in all where they are in all of what runs."""
    found = absorbed(*side.running, BITS)
    if side.ran is None:
        return found
    whole = [number for number, masks in found.items() if all(mask.all() for mask in masks)]
    partly = absorbed(side.program, side.inputs, BITS) if len(whole) < len(found) else {}
    return partly | {number: [np.ones(e.shape, bool) for e in side.outputs] for number in whole}


def written_digits(compared: Comparison) -> None:
    """A literal of seven digits or more is any number that is written so."""
    numbers = [*literals(compared.own.program), *literals(compared.spec.program)]
    short = [
        format_of(dtype).shortest(float(b))
        for b, dtype in numbers
        if written(b, dtype).rad() > 4 * rounded(b, dtype).rad()
    ]
    names = list(dict.fromkeys(short))
    if not names:
        return
    why = f": the last digits of {_listed(names)} explain that"
    asked = len(compared.pairs)
    with suppress(Undecided):
        with_literals(compared, written, why, NEAR)
        if not compared.is_whole and has_any(spelled, compared.own, compared.spec):
            _as_spelled(compared, why)
    if compared.cast and not compared.is_whole and has_any(moved_casts(0), compared.own, compared.spec):
        silent = [~close for *_, own in compared.pairs[asked:] for close in own] or compared.differ
        compared.explained_by_perturbation(
            lambda side, seed: compared.with_changed(side, moved_casts(seed)), why, where=silent
        )


def _as_spelled(compared: Comparison, why: str) -> None:
    """Literals as their shortest decimals: of balls of digits nothing is left after many steps."""
    triples = zip(*_spelled(compared), compared.true, strict=True)
    compared.accept([meet_nearby(e, s, t) & are_narrow(e, s, t) for e, s, t in triples], why)


def _spelled(compared: Comparison) -> list[list[Enclosure]]:
    """The outputs of both with each literal as its shortest decimal."""
    return [compared.with_changed(side, spelled) for side in (compared.own, compared.spec)]


def differ_as_spelled(compared: Comparison) -> bool:
    """Whether they differ as well where each literal is the decimal that is written: so -1e30 is meant.

    As a ball it may leave a comparison open that both of its readings decide.
    """
    if not has_any(spelled, compared.own, compared.spec):
        return False
    try:
        told = zip(*_spelled(compared), compared.true, compared.agrees, strict=True)
    except Undecided:
        return False
    return all(
        (agree | (within(s, t, NEAR) & np.isfinite(e.radius) & ~known_to_meet(e, s))).all()
        for e, s, t, agree in told
    )


def rounded_data(compared: Comparison) -> None:
    """Arrays that are not differentiated are known to half an ulp: the same numbers, moved in both.

    A difference between the two that such moves change by half of it is no other formula's. As balls,
    each number would count for itself, and a whole matrix of them hides real errors.
    """
    names = list(dict.fromkeys([*compared.own.rounded_data, *compared.spec.rounded_data]))
    if names:

        def moves(side: Side, seed: int) -> Sequence[Enclosure]:
            return compared.with_moved(side, side.with_moved_data(seed))

        compared.explained_by_perturbation(moves, f": the rounding of {_listed(names)} explains that")


def computed_data(compared: Comparison) -> None:
    """Arrays that only one of the two programs has were computed out of sight: a matrix of cosines, say.

    They are moved by as much as that may have lost. What both have is the same number in both.
    """
    own, spec = sizes_in([compared.own.program]), sizes_in([compared.spec.program])
    if own == spec:
        return

    known = {id(compared.own): spec, id(compared.spec): own}

    def moves(side: Side, seed: int) -> Sequence[Enclosure]:
        others = partial(computed_moved, seed=seed, known=known[id(side)])
        return compared.with_moved(side, side.with_arrays(others))

    def noiseless() -> Sequence[Enclosure]:
        return compared.with_moved(compared.own, compared.own.with_arrays(partial(without_noise, known=spec)))

    compared.explained_by_perturbation(
        moves, ": how the arrays in the code were computed explains that", noiseless
    )


def normalised_data(compared: Comparison) -> None:
    """Labels whose sum is 1 but for its rounding sum to 1: of a softmax's loss `p - t` is the gradient.

    So are unit vectors and orthogonal matrices what they are meant to be.
    """
    _with_data(compared, made_normalised, "normalised")


def symmetric_data(compared: Comparison) -> None:
    """A matrix that differs from its transpose by its rounding is symmetric: x P x has the slope 2 P x.

    An inverse is that far off. Both are asked again with the mean of the two.
    """
    _with_data(compared, made_symmetric, "symmetric")


def projected_data(compared: Comparison) -> None:
    """A projection on columns, B inv(B.T B) B.T, is one: of |x - P x|^2 the gradient is 2 (x - P x)."""
    _with_data(compared, made_projection, "a projection")


def _with_data(compared: Comparison, make: Callable[[Array, str], Array | None], kind: str) -> None:
    """Both again with data that is what it is meant to be, where it is off that by its rounding alone.

    Something of the truth must be left: nothing of (P - P.T) y is, where P is symmetric.
    """
    moved = [side.with_made_data(make) for side in (compared.own, compared.spec)]
    if names := list(dict.fromkeys([*moved[0][1], *moved[1][1]])):
        with suppress(Undecided):
            own, spec = (
                compared.with_others(side, inputs)
                for side, (inputs, _) in zip((compared.own, compared.spec), moved, strict=True)
            )
            told = zip(own, spec, compared.true, strict=True)
            found = [
                known_to_meet(e, s) & (t.wide | (are_narrow(e, s, t) & (s.largest >= NEAR * t.largest)))
                for e, s, t in told
            ]
            compared.accept(found, f": {_listed(names)} is {kind} but for its rounding, which explains that")


def below_the_format(compared: Comparison) -> None:
    """Half an ulp of the true element apart, or half a float32 ulp where its dtype is coarser.

    Beyond float64 both are the same infinity, in any dtype.
    """
    found, names = [], []
    for k, (true, dtype) in enumerate(zip(compared.true, compared.dtypes, strict=True)):
        name = resolving(dtype)
        names.append(name)
        mask = compared.agrees[k].copy()
        for own, spec, ok in compared.pairs:
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
    compared.accept(found, f", which is below what {_listed(list(dict.fromkeys(names)))} resolves")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more


# In the order in which they are asked, each of what the ones before it leave.
RULES: tuple[Callable[[Comparison], None], ...] = (
    written_digits,
    rounded_data,
    computed_data,
    projected_data,
    normalised_data,
    symmetric_data,
    below_the_format,
)
