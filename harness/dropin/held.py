"""Whether a function moves with what its derivative holds constant: `detach`, `no_grad`, `stop_gradient`.

These count in a derivative as it is written, and differences know nothing of them. So a gradient may be right
as written, and the original right to reject it. Where what is held constant cancels, as the maximum that a
softmax takes away, the two slopes are one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from harness.proof.evidence import distance
from harness.proof.sight import GIVEN, Sight
from harness.result import Result
from harness.subject.names import place_of
from oracles.exact.enclose.enclosure import Enclosure
from oracles.exact.enclose.slopes import slopes
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import format_of
from oracles.exact.program.held import is_held, released
from oracles.exact.program.indices import first_true
from oracles.exact.program.program import Array
from oracles.exact_oracle import BITS

KEPT = 2 / 3  # of the digits: the tolerances of the originals are wider
SMALL = 2.0**-10  # of the largest slope: what is below counts as if it were that


def digits_of(found: Result) -> int:
    """The bits of the narrowest format on the way."""
    return min(format_of(p.judgement.narrowest or p.dtype).digits for p in found.parts if p.judgement)


def as_differences_see(found: Result) -> Result:
    """The result of a right gradient, with a fault if the function moves with what is held constant.

    Raises:
        ExactError: Whether it does is not known.
    """
    said = next((text for held in _held_in(found) if (text := held.told)), "")
    return replace(found, faults=(*found.faults, said)) if said else found


def is_as_differences_see(found: Result) -> bool:
    """Whether a gradient that is wrong as written has the slopes of the function with nothing held constant.

    So a factor of two stands for the other argument of a symmetric function, which is detached.

    Raises:
        ExactError: It is not known.
    """
    own = _held_in(found)
    return bool(own) and all(held.moves_along for held in own)


def _held_in(found: Result) -> list[_Held]:
    """What is held constant at the point that was asked for."""
    names = {part.name for part in found.parts if not part.of_value}
    given = [sight for sight in found.sights if sight.name == GIVEN]
    return [_Held(sight, names, 2.0 ** (-KEPT * digits_of(found))) for sight in given]


@dataclass(frozen=True)
class _Held:
    """What is held constant at the point that was asked for.

    Attributes:
        sight: What the gradient was judged by.
        names: Of the parts of it that count.
        slack: How far two slopes may be apart and count as one, relative.
    """

    sight: Sight
    names: set[str]
    slack: float

    @property
    def told(self) -> str:
        """What is said of the first element that moves otherwise; "" where there is none."""
        true = self.sight.posed.true
        if not any(map(is_held, true.forward.equations)):
            return ""
        seen = self.released()
        for k, apart in self.apart(seen).items():
            if apart.any():
                at = first_true(apart)
                where = place_of(self.sight.posed.expected[k][0], at)
                slope = float(self.chosen(k)[at])
                return (
                    "it is right as written, but the function moves with what is held constant (detach, "
                    f"no_grad, stop_gradient){self.line}: at {where} it is {slope:.6g}, "
                    f"and the slope that differences see {seen[k].mid[at]:.6g}"
                )
        return ""

    @property
    def moves_along(self) -> bool:
        """Whether something is held constant, and what was computed are the slopes if nothing is."""
        if not any(map(is_held, self.sight.posed.true.forward.equations)):
            return False
        seen = self.released()
        least = SMALL * max((float(np.max(np.abs(seen[k].mid), initial=0.0)) for k in self.room), default=0.0)
        return all(
            np.all(distance(seen[k], self.chosen(k)) <= self.slack * (np.abs(seen[k].mid) + least))
            for k in self.room
        )

    @property
    def line(self) -> str:
        """By what, and on which line: of several the first that matters by itself; "" if not known."""
        true = self.sight.posed.true
        held = [str(e.origin) for e in true.specification.equations if is_held(e) and e.origin]
        places = list(dict.fromkeys(held))
        if len(places) > 1 and true.forward is not true.specification:
            return ""  # a derivative's equations do not know where they come from
        for place in places:
            if len(places) == 1 or any(map(np.any, self.apart(self.released(place)).values())):
                return f" by {place}"
        return ""

    @cached_property
    def room(self) -> dict[int, NDArray[np.float64]]:
        """How far the slopes of each part that counts may be apart."""
        own = enumerate(zip(self.sight.posed.expected, self.sight.posed.true.enclosures, strict=True))
        sizes = {k: np.abs(e.mid) for k, ((name, _), e) in own if name in self.names}
        least = SMALL * max((float(np.max(size, initial=0.0)) for size in sizes.values()), default=0.0)
        return {k: self.slack * (size + least) for k, size in sizes.items()}

    def chosen(self, k: int) -> Array:
        """What was computed."""
        found = self.sight.seen.gradient.arrays[k]
        assert found is not None  # what is missing did not pass
        return found

    def apart(self, seen: list[Enclosure]) -> dict[int, NDArray[np.bool_]]:
        """Where in each part the derivative as written, at a kink the slope that was chosen, is another."""
        found = {}
        for k, room in self.room.items():
            written = self.sight.posed.true.enclosures[k]
            kink = written.wide & bool(written.kinks)
            gap = distance(seen[k], np.where(kink, self.chosen(k), written.mid))
            gap -= np.where(kink, 0.0, written.radius)
            if np.isnan(gap).any():
                raise Undecided("the slope that differences see is not known, as something is held constant")
            found[k] = gap > room
        return found

    def released(self, place: str = "") -> list[Enclosure]:
        """The derivative where nothing is held constant; with a place, nothing there."""
        true, limits = self.sight.posed.true, self.sight.posed.limits
        program = released(true.forward, place)
        derive = self.sight.question.derivative.last
        return slopes(program, derive, true.values, true.cotangents, true.wrt, BITS, limits, True).parts
