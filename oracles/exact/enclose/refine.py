"""Proven enclosures: evaluation at growing precision, until every radius is small enough."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from flint import arb
from numpy.typing import NDArray

from oracles.exact.core.blocks import flat
from oracles.exact.core.elements import narrowed
from oracles.exact.core.layout import How
from oracles.exact.core.pairs import Pairs, of_balls
from oracles.exact.core.plan import Plan
from oracles.exact.core.plans import planned
from oracles.exact.enclose.evaluate import QUICK, Poles, Work, evaluate, known_quickly
from oracles.exact.enclose.identities import vanishing
from oracles.exact.enclose.kinks import PAIRS, is_isolated, limits_along_rays, resolve
from oracles.exact.enclose.leaps import leaping
from oracles.exact.enclose.legal import MORE, are_legal
from oracles.exact.program.balls import KINKS, LOST, all_finite, filled, from_integers, in_integers, precision
from oracles.exact.program.derive import jvp
from oracles.exact.program.errors import Exhausted, Turned, Undecided
from oracles.exact.program.formats import FORMATS
from oracles.exact.program.program import Array, Program

Index = tuple[int, ...] | int
Mask = NDArray[np.bool_]
SETTLED = 2.0**-100  # of the largest element: a ball around 0 that is smaller is one
READABLE = 12  # digits of an exponent
DIGITS, SHOWN = 20, 400  # in a notebook: of an element, and elements
NEAR_ZERO = 2.0**-32  # the radius of a ball around 0 that may be 0 itself
LEAST = arb(2) ** -1076  # a quarter of float64's least number
NOTHING = 2.0**-1040  # less than half of any number of a dtype, but float64's last ones
FEW = 8  # of what work is left, single elements are so small a part; and so many times the bits they may need
PART = 3  # and such a part of the program's own: they cost as much by each operation, or a few times as much
CHEAP = 2**14  # operations of single elements: about 10 ms
ZEROS: list[Enclosure] = []  # nothing is accepted: an output may be 0 everywhere
PAIR_BITS = 106  # of the fast core
ALIKE = 2.0**-10  # what 53 bits and 106 tell alike is no zero
TOGETHER = 2**17  # elements of what is evaluated together with its derivative: blocks would part them
GUARD_BITS = 28  # bits that rounding may cost before a result counts as wide


@dataclass(frozen=True)
class Enclosure:
    """The true value of every element, each as a ball: a midpoint and a proven error.

    Attributes:
        found: The balls, each of which contains the exact value: an object array of Arb's, or pairs.
        bits: The precision at which they were computed.
        kinks: Where the point lies on a kink: there the ball is the hull of the legal one-sided values.
        leaps: At which elements what is differentiated jumps, so that it has no slope and the ball says what
            its sides have; None where it does at none.
    """

    found: Array | Pairs
    bits: int
    kinks: tuple[str, ...] = ()
    leaps: NDArray[np.bool_] | None = None

    @property
    def pairs(self) -> Pairs | None:
        """The balls as pairs of doubles, where the fast core computed them."""
        return self.found if isinstance(self.found, Pairs) else None

    @cached_property
    def balls(self) -> Array:
        """Object array of Arb's balls."""
        return self.found.balls if isinstance(self.found, Pairs) else self.found

    def at(self, index: Index) -> Enclosure:
        """One element by itself."""
        found = self.pairs[index] if self.pairs else filled([self.balls[index]], ())
        return Enclosure(found, self.bits)

    def ball(self, index: Index = ()) -> arb:
        """The ball of one element.

        Raises:
            IndexError: There is no such element, or the index names several.
        """
        at = index if isinstance(index, tuple) else (index,)
        if len(at) != (axes := len(self.shape)):
            raise IndexError(
                f"the enclosure has shape {self.shape}: say which element by an index of length {axes}; "
                f"that of {index!r} is {len(at)}"
            )
        return self.pairs.ball(index) if self.pairs else self.balls[index]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.found.shape

    @property
    def mid(self) -> NDArray[np.float64]:
        """The float64 nearest to each ball's midpoint."""
        return self.pairs.h if self.pairs else self._read(float)

    @property
    def rest(self) -> NDArray[np.float64]:
        """What `mid` leaves of each midpoint, as float64: `mid + rest` has about 106 bits."""
        if self.pairs:
            return self.pairs.l
        return self._read(lambda b: float(b - float(b)) if b.is_finite() else math.nan)

    @property
    def is_zero(self) -> bool:
        """Whether every element is 0, or taken for it: nearer to 0 than any number of a dtype."""
        if self.pairs:
            return bool(self.pairs.is_zero().all())
        with precision(64):
            return all(b.abs_upper() < LEAST for b in self.balls.ravel().tolist())

    @property
    def wide(self) -> NDArray[np.bool_]:
        """Elements with hardly a proven digit: at a kink, the hulls of several legal values."""
        if self.pairs:  # accepted by their digits, or as small beside the largest
            return np.asarray(self.pairs.r > 2.0**-32 * np.abs(self.pairs.h))
        wide = [not b.is_exact() and b.rel_accuracy_bits() < 32 for b in self.balls.ravel()]
        return np.array(wide, bool).reshape(self.shape)

    @property
    def radius(self) -> NDArray[np.float64]:
        """The proven error of each ball's midpoint, as float64 rounded up; infinite where nothing is known.

        The midpoint has `bits` bits and `mid` only 53: the error of `mid` is this plus half an ulp.
        """
        if self.pairs:
            return self.pairs.r
        return self._read(lambda b: _up(b.rad()) if b.is_finite() else math.inf)

    @property
    def proven_error(self) -> float:
        """The largest radius off the kinks, relative to the largest element (at least the least float64)."""
        if self.pairs and not self.kinks:
            pairs = self.pairs
            largest = max(float(np.max(np.abs(pairs.h) - pairs.r, initial=0.0)), 5e-324)
            return float(np.max(pairs.r, initial=0.0)) / largest
        radius, size = arb(0), arb(2) ** -1074
        for ball in self.balls[~self.wide] if self.kinks else self.balls.ravel():
            radius = ball.rad() if not ball.rad() <= radius else radius
            size = ball.abs_lower() if ball.abs_lower() > size else size
        return float(radius / size) if radius.is_finite() else math.inf

    @property
    def proven_digits(self) -> NDArray[np.float64]:
        """How many decimal digits of each element are proven: -log10(radius / |midpoint|), 0 at the least."""
        return self._read(lambda b: min(max(b.rel_accuracy_bits(), 0), self.bits) * math.log10(2))

    def digits(self, index: Index = (), n: int | None = None) -> str:
        """The element at `index` in decimal, with as many digits as are proven, at most n.

        Both ends of the ball round to what is given, so every digit is right. A ball that is too wide for one
        digit gives "?"; ask for more `bits`.
        """
        ball = self.ball(index)
        most = n or max(1, math.floor(self.bits * math.log10(2)))
        with precision(2 * self.bits + 64):
            for count in range(most, 0, -1):
                low, high = (_decimal(end, count) for end in (ball.lower(), ball.upper()))
                if low == high:
                    return low
        return "?"

    def shown(self, index: Index = (), n: int = 12) -> str:
        """The element by its proven digits, or, at a kink or where it is wide, by its ends."""
        text = self.digits(index, n)
        ball = self.ball(index)
        exponent = text.partition("e")[2]
        if len(exponent) > READABLE:  # of e^(1e200)
            return f"{'-' * text.startswith('-')}10^({Decimal(exponent):.4e})"
        if text != "?" or not ball.is_finite():
            return text
        low, high = (float(end) for end in (ball.lower(), ball.upper()))
        small = 2**-24 * max(abs(low), abs(high))  # Arb's radii have 30 bits
        low, high = (0.0 if abs(end) < small else end for end in (low, high))
        return f"{low:.6g} to {high:.6g}"

    def contains(self, array: Any) -> NDArray[np.bool_]:
        """Elementwise: could this number be the exact value? NaN and infinities could not.

        Raises:
            ValueError: The shape is another one.
        """
        numbers = np.asarray(array)
        if numbers.shape != self.shape:
            raise ValueError(f"the array has shape {numbers.shape}, the enclosure {self.shape}")
        if self.pairs:
            return self.pairs.contains(numbers.astype(np.float64))
        flat = zip(self.balls.ravel(), numbers.astype(np.float64).ravel().tolist(), strict=True)
        inside = [math.isfinite(v) and v in b for b, v in flat]
        return np.array(inside, bool).reshape(self.shape)

    def __getstate__(self) -> dict[str, Any]:
        """With its balls as integers: Arb's do not pickle."""
        own = {"bits": self.bits, "kinks": self.kinks, "leaps": self.leaps, "found": self.found}
        if self.pairs:
            return own
        plain = [in_integers(b) if isinstance(b, arb) else b for b in self.balls.ravel().tolist()]
        return {**own, "found": (self.shape, plain)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        found = state["found"]
        if isinstance(found, tuple):
            shape, plain = found
            balls = [from_integers(one) if isinstance(one, tuple) else one for one in plain]
            found = filled(balls, shape)
        self.__dict__.update(state, found=found)

    def _read(self, number: Callable[[arb], float]) -> NDArray[np.float64]:
        found = map(number, self.balls.ravel().tolist())
        return np.fromiter(found, np.float64, self.balls.size).reshape(self.shape)

    def _repr_html_(self) -> str:
        """For notebooks: the elements by their proven digits, in rows and columns."""
        from oracles.exact.enclose.notebook import table

        texts = [self.shown(tuple(at), DIGITS) for at in list(np.ndindex(self.shape))[:SHOWN]]
        return table(self.shape, texts, float(np.min(self.proven_digits, initial=math.inf)), self.kinks)

    def __repr__(self) -> str:
        shown = [_shown(b) for b in self.balls.ravel()[:6]]
        more = ", …" if self.balls.size > 6 else ""
        return f"Enclosure(shape={self.shape}, [{', '.join(shown)}{more}])"


def _shown(ball: arb) -> str:
    """A narrow ball by its digits, a wide one by its ends."""
    if ball.rel_accuracy_bits() > 8 or not ball.is_finite():
        return str(ball.str(12))
    return f"{_decimal(ball.lower(), 4)} to {_decimal(ball.upper(), 4)}"


def _up(radius: arb) -> float:
    """A radius as float64, never smaller than it is."""
    number = float(radius)
    return number if not radius > number else math.nextafter(number, math.inf)


def _decimal(number: arb, count: int) -> str:
    return str(number.mid().str(count, radius=False))


@dataclass(frozen=True, slots=True)
class Limits:
    """How far precision may grow: in bits, and in the work of all evaluations that belong together.

    `seconds` stand for as much work as a machine of 2025 does in them, at the least (see `evaluate.Work`). It
    is counted, so that a slow machine gives the same verdict; the clock ends only what hangs.

    Where no element is certainly nonzero, balls smaller than 2^-zero_bits are taken for 0, so that an exact
    zero does not ask for thousands of bits. `raised_by` are the keywords with which whoever asks can raise a
    limit: "max_bits", "seconds". `promised` says that half of the starting bits are, of each element; else
    the fast core may stop at those that a verdict needs.
    """

    bits: int = 4096
    seconds: float = 60.0
    zero_bits: int = 400
    raised_by: tuple[str, ...] = ()
    promised: bool = False


class Derived(NamedTuple):
    """A derivative, enclosed.

    Attributes:
        parts: Its parts.
        values: The results of the function, where they came out with it.
    """

    parts: list[Enclosure]
    values: list[Enclosure] | None


def slopes(
    function: Program,
    derive: Callable[..., Program],
    values: Sequence[Array],
    directions: Sequence[Array],
    wrt: Sequence[int],
    bits: int,
    limits: Limits,
    quickly: bool = False,
) -> Derived:
    """A derivative of a function, enclosed, and of one that is not large its results, too.

    Args:
        function: The program that is differentiated.
        derive: Makes that of its derivative, whose inputs are those of the function, then the directions:
            `jvp` or `vjp`.
        values, directions: The numbers of both.
        wrt: Which inputs of the function are differentiated.
        bits, limits, quickly: As for `refine`.

    Raises:
        Undecided: As `refine`; or the function jumps at this point alone, or has no value. Where its sides
            are apart, the enclosures say so (`leaps`).
    """
    isolated = _asks_for_equality(function) and is_isolated(function, values, wrt, bits)
    forward, together = derive is jvp, all(v.size <= TOGETHER for v in (*function.inputs, *function.outputs))
    program, beside = derive(function, wrt, together), len(function.outputs) if together else 0
    found = refine(program, [*values, *directions], bits, limits, wrt, isolated, forward, quickly, beside)
    count = len(program.outputs) - beside
    parts, results = found[:count], found[count:] or None
    reached = max((e.bits for e in parts if e.kinks or not e.pairs), default=bits if beside else 0)
    work = Work(limits.seconds)
    if reached and not results and not _has_a_value(function, values, reached, limits, work):
        # The slopes around say what is legal at a point of the function, and there is none: fmod at y = 0.
        raise Undecided("the function has no value here (0 / 0, say), so no slope either")
    leaps = leaping(function, values, directions, wrt, work, forward)
    if leaps:
        parts = [replace(e, leaps=own) for e, own in zip(parts, leaps, strict=True)]
    return Derived(parts, results)


def _has_a_value(function: Program, values: Sequence[Array], bits: int, limits: Limits, work: Work) -> bool:
    """Whether each result is a number, or infinite; one that no digits tell, as 0 / 0, is neither."""
    now = 2 * bits
    try:
        if work.pays_plan(function) and known_quickly(function, values) is not None:
            return True
        while True:  # a slope may be told by fewer digits than its function, as that of logit(sigmoid(x))
            poles = Poles(limits.bits)
            if _are_numbers(evaluate(function, values, now, work, poles)):
                return True
            if poles.are_all or 2 * now > limits.bits or not work.affords(function, 2 * now):
                return False
            now *= 2
    except Undecided:  # on which side of a tie it lies says nothing of whether it is a number
        return True


def _are_numbers(results: Sequence[Array]) -> bool:
    arrays = [r for r in results if r.dtype == object]
    return all(b.is_finite() or b.is_exact() for r in arrays for b in r.ravel().tolist())


def _asks_for_equality(function: Program) -> bool:
    """Whether floating numbers are asked to be equal anywhere."""
    asked = ((e.primitive.comparison, e.operands) for e in function.equations)
    # A number equals itself wherever it is: so libraries look for NaN.
    return any(c and c.larger is None and x[0].is_float and x[0] is not x[1] for c, x in asked)


def refine(
    program: Program,
    inputs: Sequence[Array],
    bits: int,
    limits: Limits,
    active: Sequence[int] = (),
    isolated: bool = False,
    forward: bool = False,
    quickly: bool = False,
    beside: int = 0,
) -> list[Enclosure]:
    """The outputs enclosed so that each radius is small: relative to the element, or to the largest one.

    Starts at `bits` and doubles. At a kink the balls do not shrink: they are the hulls of the legal values,
    and the enclosure says so; with `active`, the inputs that are differentiated, the elements that only look
    as if they had a kink are told apart (see `kinks`). `Limits` say when balls
    around 0 are accepted. Where the point is `isolated`, its slopes are those around it; likewise where a
    tangent (`forward` mode) goes along 0 into an infinite slope, as that of x^2 into sqrt's: hypot at 0.
    `quickly`, the fast core's hundred bits are enough where they prove what is needed of each element.
    So many of the last outputs stand only `beside`: they are given where they come out small with the others,
    at no kink, and left out where they do not.

    Raises:
        Undecided: The limit was reached; names the element, the radius and the reason.
    """
    work, now, before, whole = Work(limits.seconds), bits, None, program
    first = bits
    after = 0  # the bits to go on with where a leap to those that tell a zero was in vain
    if beside:
        program = whole.giving(slice(len(whole.outputs) - beside))
    if quickly and not isolated:
        quick = _by_plan(whole, inputs, bits, limits, work, active, beside)
        if quick is None and len(program.equations) < len(whole.equations):
            quick = _by_plan(program, inputs, bits, limits, work, active)
        if isinstance(quick, int):
            if quick <= limits.bits and work.affords(program, quick):
                now = first = quick
        elif quick is not None and quick is not ZEROS:
            return quick
        if quick is ZEROS and not forward and (leap := _leap(program, bits, limits, work)):
            now, after = leap, 2 * bits
    while True:
        poles = None if _finite(before) else Poles(limits.bits)
        others: list[Array] = []
        try:
            with KINKS.collected() as kinks, LOST.collected() as lost:
                found = evaluate(whole, inputs, now, work, poles)
            count = len(program.outputs)
            results: list[Array] | None = found[:count]
            if not (kinks or lost or _too_wide(found[count:], bits, limits.zero_bits)):
                others = found[count:]
            problem = _too_wide(results, bits, limits.zero_bits)
            if kinks and active and problem:  # otherwise the one-sided slopes are one, to all these digits
                results = resolve(program, inputs, active, results or (), bits, work)
                problem = _too_wide(results, bits, limits.zero_bits)
            elif active and now == first and (isolated or (forward and lost) or not _finite(results)):
                with KINKS.collected() as jumps:
                    around = limits_along_rays(program, inputs, active, results or (), bits, work)
                if around:
                    return [Enclosure(r, now, (*kinks, *jumps)) for r in around]
            if kinks and active and not problem:
                kinks.clear()  # every element has one slope
        except Undecided as undecided:
            if after:
                now, after = after, 0
                continue
            if beside and not isinstance(undecided, Exhausted):
                whole, beside = program, 0  # it may be they that are not decided
                continue
            results, problem = None, str(undecided)
        if after and (problem or not _may_be_zeros(results)):
            now, after = after, 0
            continue
        if results is not None and (not problem or (kinks and before and _settled(before, results))):
            return [Enclosure(r, now, tuple(kinks)) for r in (*results, *others)]
        if kinks:
            problem += f"; the point is on a kink, a tie or the edge of a branch: {kinks[0]}"
        if poles and poles.are_all and not _finite(results):
            raise Undecided(f"{problem} (at {now} bits; more would not help)")
        if 2 * now > limits.bits or not work.affords(program, 2 * now):
            reached = "max_bits" if 2 * now > limits.bits else "seconds"
            advice = f"; raise {reached}=" if reached in limits.raised_by else ""
            raise Undecided(f"{problem} (at {now} bits{advice})")
        leaps = not after and not kinks and now == first and _may_be_zeros(results)
        before, now = results, 2 * now
        if leaps and (leap := _leap(program, bits, limits, work)):
            now, after = leap, now


def _leap(program: Program, bits: int, limits: Limits, work: Work) -> int:
    """The bits that tell a zero, if they are affordable, and twice these beside them; else 0."""
    enough = bits
    while enough <= limits.zero_bits:
        enough *= 2
    return enough if enough <= limits.bits and work.affords(program, 2 * bits + enough) else 0


def _may_be_zeros(results: Sequence[Array] | None) -> bool:
    """Whether some output may be 0 everywhere, as the gradient of the sum of what batch norm gives."""
    return any(all(b.is_finite() and b.contains(0) for b in r.ravel().tolist()) for r in results or ())


def _by_plan(
    program: Program,
    inputs: Sequence[Array],
    bits: int,
    limits: Limits,
    work: Work,
    active: Sequence[int],
    beside: int = 0,
) -> list[Enclosure] | int | None:
    """What the fast core gives, if every element is accepted as it would be of Arb.

    Else None, or ZEROS, or with how many bits Arb should begin.

    A ball around 0 is accepted only where it is 0 itself, or nothing beside any number of a dtype, as e^-1e9:
    whether another one is 0 is for more bits to say. A few elements get these from Arb, by themselves. Of a
    derivative an element that is narrow at a kink has one slope. What stands `beside` is left out where any
    of it is not accepted.
    """
    plan = planned(program) if work.pays_plan(program) else None
    with KINKS.collected() as kinks:
        results = plan.run(inputs) if plan and work.pays(plan.by_arb) else None
    if plan is None or results is None or (kinks and not active):
        return None
    sizes = [np.where(np.isfinite(found.r), np.abs(found.h), 0.0) for found in results]
    largest = [float(np.max(size, initial=0.0)) for size in sizes]
    needed = [_needed(v.dtype, bits, limits) for v in program.outputs]
    open_ = [~_accepted(*each, bits) for each in zip(results, sizes, largest, needed, strict=True)]
    if beside:
        if kinks or any(mask.any() for mask in open_[-beside:]):
            results = results[:-beside]
        del open_[-beside:]
    _without_zeros(program, inputs, results, open_, work)
    if not any(mask.any() for mask in open_):
        if not kinks:
            _closer(plan, inputs, results, needed, bits, work)
        return [Enclosure(found, bits) for found in results]
    if kinks and work.pays((2 * PAIRS + MORE) * (program.cost / QUICK + plan.by_arb)):

        def around(moved: Sequence[Any]) -> list[Pairs] | None:
            try:
                found = plan.run(moved)
            except Turned:
                return None
            return found and found[: len(results)]

        if are_legal(around, inputs, active, results, open_):
            return [Enclosure(found, bits, tuple(kinks)) for found in results]
    if any(mask.any() and not (x.r < n).any() for x, n, mask in zip(results, sizes, open_, strict=False)):
        # That takes more bits than single elements get; at a kink or a pole Arb begins with fewer.
        if kinks:
            return None
        begin = _to_begin_with(plan, inputs, results, open_, bits)
        return begin or (ZEROS if all(x.known for x in results) else None)
    masks = [mask.ravel() for mask in open_]
    elements = plan.elements(masks, min(program.cost / PART, work.left / FEW))
    if elements is None:
        return None if kinks else _to_begin_with(plan, inputs, results, open_, bits)
    small = [2.0 ** -(bits - GUARD_BITS) * most or 2.0**-limits.zero_bits for most in largest]

    def enough(k: int, ball: arb) -> bool:
        return bool(ball.is_finite() and (ball.rel_accuracy_bits() >= needed[k] or ball.rad() <= small[k]))

    balls = narrowed(elements, [flat(x) for x in inputs], bits, FEW * bits, enough)
    if balls is None:
        return None
    work.left -= FEW * elements.cost
    for found, mask, own in zip(results, open_, balls, strict=False):
        there = of_balls(own)
        if not there.known:  # beyond float64, as e^800: no pair holds it, and a ball of Arb's does
            return None
        found.h[mask], found.l[mask], found.r[mask] = there.h, there.l, there.r
    return [Enclosure(found, bits) for found in results]


def _to_begin_with(
    plan: Plan, inputs: Sequence[Array], results: Sequence[Pairs], open_: Sequence[Mask], bits: int
) -> int | None:
    """With how many bits Arb should begin; None where nothing tells.

    Balls grow along a recurrence, by far more than what they hold is off. Two runs of midpoints alone show
    what they hold, if doubles and pairs give the same: these are no zeros, and a ball that is too wide needs
    as many bits more.
    """
    pairs, doubles = (plan.run(inputs, how) for how in (How.POINTS, How.DOUBLES))
    if pairs is None or doubles is None:
        return None
    lacking = 0.0
    for x, mask, near, rough in zip(results, open_, pairs, doubles, strict=False):
        told = mask & (np.abs(near.h - rough.h) < ALIKE * np.abs(near.h))
        if (mask & ~told).any():
            return None
        lacking = max(lacking, float(np.max(np.log2(x.r[told] / np.abs(near.h[told])), initial=0.0)))
    if np.isnan(lacking):
        return 2 * bits
    wanted, now = PAIR_BITS + lacking + bits // 2, bits
    while now < min(wanted, PAIR_BITS * bits):
        now *= 2
    return now


def _without_zeros(
    program: Program, inputs: Sequence[Array], results: Sequence[Pairs], open_: Sequence[Mask], work: Work
) -> None:
    """Elements that are near 0 and 0 by an identity are 0, and no longer open."""
    near = [(x.r < NEAR_ZERO) & (np.abs(x.h) <= x.r) & mask for x, mask in zip(results, open_, strict=False)]
    if not any(mask.any() for mask in near) or not work.pays(program.cost):
        return
    for x, mask, zero in zip(results, open_, vanishing(program, inputs, near, here=True), strict=False):
        x.h[zero] = x.l[zero] = x.r[zero] = 0.0
        mask &= ~zero


def _closer(
    plan: Plan,
    inputs: Sequence[Array],
    results: Sequence[Pairs],
    needed: Sequence[int],
    bits: int,
    work: Work,
) -> None:
    """Elements that are accepted only beside the largest one get what Arb knows of them, where that is cheap.

    What is lost of these is counted in their own digits, and which core is there must not say how many.
    """
    sizes = [np.abs(found.h) for found in results]
    weak = [~(x.r <= 2.0**-own * n) & (n > 0) for x, n, own in zip(results, sizes, needed, strict=False)]
    if not any(mask.any() for mask in weak):
        return
    elements = plan.elements([mask.ravel() for mask in weak], min(CHEAP, work.left / FEW))
    if elements is None:
        return
    work.left -= elements.cost
    with suppress(Undecided):
        known = elements.at([flat(x) for x in inputs], bits)
        for found, mask, own in zip(results, weak, known, strict=True):
            there = of_balls(own)
            is_closer = there.r < found.r[mask]
            mask[mask] = is_closer
            found.h[mask], found.l[mask], found.r[mask] = (
                plane[is_closer] for plane in (there.h, there.l, there.r)
            )


def _needed(dtype: str, bits: int, limits: Limits) -> int:
    """How many bits of each element are enough: half of `bits`, or as many as any verdict in its dtype needs.

    Whether formulas differ is told to half an ulp, of float32 where the dtype is coarser (the law of
    resolution), and how many bits are lost to an ulp or so. Of either, what twice as many bits as the dtype
    has leave open is less than a millionth.
    """
    if limits.promised or dtype not in FORMATS:
        return bits // 2
    return min(bits // 2, 2 * max(FORMATS[dtype].digits, FORMATS["float32"].digits))


def _accepted(
    found: Pairs, size: NDArray[np.float64], largest: float, needed: int, bits: int
) -> NDArray[np.bool_]:
    narrow = found.r <= np.maximum(2.0**-needed * size, 2.0 ** -(bits - GUARD_BITS) * largest)
    apart = (found.r < size) | found.is_zero() | (found.r < NOTHING)
    return np.asarray(narrow & apart & np.isfinite(found.h))


def _finite(results: Sequence[Array] | None) -> bool:
    return all(map(all_finite, results or ()))


def _too_wide(results: Sequence[Array] | None, bits: int, zero_bits: int) -> str:
    """What is still too wide, "" if nothing is."""
    known = (map(arb.rel_accuracy_bits, r.ravel().tolist()) for r in results or ())
    if all(min(each, default=bits) >= bits // 2 for each in known):
        return ""  # the ordinary end: every element has half of its bits proven
    with precision(64):
        relative, small = arb(2) ** -(bits // 2), arb(2) ** -(bits - GUARD_BITS)
        for number, result in enumerate(results or ()):
            sizes = [float(b.abs_lower()) for b in result.ravel() if b.is_finite()]
            largest = max(filter(math.isfinite, sizes), default=0.0)  # beside e^1e9 anything would be small
            allowed = small * largest if largest > 0 else arb(2) ** -zero_bits
            for where, ball in np.ndenumerate(result):
                if not ball.is_finite():
                    what = "a pole or a division by zero" if ball.is_nan() else "unbounded"
                    return f"output {number}, element {where}: not finite ({ball}): {what}"
                if not (ball.rad() <= allowed or ball.rad() <= relative * ball.abs_lower()):
                    return f"output {number}, element {where}: radius {ball.rad()} around {ball.mid().str(6)}"
    return ""


def _settled(before: Sequence[Array], after: Sequence[Array]) -> bool:
    """Whether more precision changed no radius that is still wide: what remains is the kink itself."""
    pairs = [(a, b) for x, y in zip(before, after, strict=True) for a, b in zip(x.flat, y.flat, strict=True)]
    if not all(b.is_finite() for _, b in pairs):
        return False
    tiny = SETTLED * max(filter(math.isfinite, (float(b.abs_upper()) for _, b in pairs)), default=0.0)
    return all(b.rad() * 4 > a.rad() or b.rel_accuracy_bits() > 32 or b.rad() <= tiny for a, b in pairs)
