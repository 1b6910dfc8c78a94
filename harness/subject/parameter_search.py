"""What a layer's parameters are, where their gradients are left, and what moves the result beside them.

One run of forward and backward tells: parameters stand beside what backward has left, or in `params`. What
else moves the result, or looks like a gradient, is a fault: it would not be compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.subject import moving
from harness.subject.contents import (
    Contents,
    Place,
    changed,
    identity,
    is_bound,
    is_inexact,
    is_within,
    overlapping,
    put,
    read,
    said,
)
from harness.subject.copies import OUTPUT, Copies, clear, drawn, is_near, ones, pull, scaled, takes
from harness.subject.derivative import Array
from harness.subject.integers import with_floats
from harness.subject.moving import is_same, moved
from harness.subject.not_compared import (
    adds_up,
    at_two_places,
    bound,
    not_floating,
    stepped,
    without_gradients,
)
from harness.subject.pairs import (
    LOOKS_LIKE_A_GRADIENT,
    PARAMETERS,
    Parameter,
    collected,
    elsewhere,
    is_number,
    leaves,
    listed,
    lists,
    name_of,
    non_arrays_with_gradients,
    paired,
)
from oracles.exact.program.program import FLOATS

WRITES_INTO = "backward writes into x; that is the caller's array"


@dataclass(frozen=True)
class LayerFacts:
    """What the first run of a layer has shown, beside what it has told its copies.

    Attributes:
        is_loss: Whether it returns a single number, along whose cotangent 1 backward is asked.
        may_lack: Whether it may be called without dout then, and so may ignore it: `backward(dout=1)`.
        is_data: Whether backward returns nothing for the input of a loss, which is then taken for data.
        faults: What moves the result, or looks like a gradient, and is not compared.
        added: Gradients to which backward adds, and that nothing clears.
    """

    is_loss: bool
    may_lack: bool
    is_data: bool
    faults: tuple[str, ...]
    added: tuple[str, ...]


def _without_states(
    ran: Any,
    first: Sequence[Parameter],
    more: Sequence[Parameter],
    is_trained: Callable[[Place, Place], bool],
) -> list[Parameter]:
    """More of them, without what only has the name of one, as a moment of Adam's: beside W and dW, m['W']."""

    def gradients(p: Parameter) -> list[int | Place]:
        each = [(place, read(ran, place)) for place in p.gradients]
        return [id(array) if is_inexact(array) else place for place, array in each]

    counts = Counter(gradient for p in (*first, *more) for gradient in gradients(p))
    return [
        p for p in more
        if all(counts[one] == 1 for one in gradients(p)) or is_trained(p.place, p.gradients[0])
    ]  # fmt: skip


def _is_part(gradient: Array, whole: Array, own: Array, part: Array) -> bool:
    """Whether a gradient has that of a part of its array in that place, as far as one can tell."""
    if not (whole.flags.c_contiguous and part.flags.c_contiguous and gradient.size == whole.size):
        return True
    start = (part.__array_interface__["data"][0] - whole.__array_interface__["data"][0]) // whole.itemsize
    return is_near(gradient.ravel()[start : start + part.size], own.ravel())


class ParameterSearch:
    """One look at a layer, at these inputs.

    Attributes:
        copies: The layer; what is found is told them.
        inputs: What forward takes.
        constants: Places that the user says are no parameters.
    """

    def __init__(self, copies: Copies, inputs: Sequence[Array], constants: set[str]) -> None:
        """Nothing runs yet."""
        self.copies, self.inputs, self.constants = copies, inputs, constants
        self._lists = lists(copies.layer)
        self._faults: list[str] = []
        self._added: list[str] = []

    def look(self) -> LayerFacts:
        """Run once, and see what the parameters are, where their gradients are left, and what else moves.

        Raises:
            ValueError: A gradient has no parameter, a parameter has a dtype that is not allowed, or backward
                returns more gradients than there are inputs.
        """
        self._prepare()
        copies = self.copies
        ran = copies.new()
        start = Contents(ran)
        before = start.numbers()
        out = copies.run(ran, self.inputs)
        forward = Contents(ran)
        between = forward.numbers()
        changed_by_forward = changed(start, before)
        by_forward, by_both = moving.written_over(
            copies.contents,
            lambda ran, _: copies.run(ran, self.inputs),
            lambda ran, out: pull(ran, ones(out)),
        )
        candidates, put = self._candidate_ids(ran, start, changed(start, before) | by_forward, out)
        found = pull(ran, ones(out))
        after = Contents(ran)
        self._refuse_other_returns(found)
        written = changed(start, before)
        copies.written = [
            array for place in written | by_both if is_inexact(array := read(copies.layer, place))
        ]

        def is_trained(place: Place, gradient: Place) -> bool:
            return moving.is_trained(
                copies.contents, ran, place, gradient, lambda own: copies.run(own, self.inputs), out
            )

        copies.parameters = self._parameters(ran, candidates, is_trained)
        self._refuse_dtypes()
        self._see_gradients_twice(ran)
        self._see_what_is_cleared()
        left = {place for parameter in copies.parameters for place in parameter.gradients}
        own = list(map(id, copies.arrays))
        copies.gradients = [
            array for place in left
            if is_inexact(array := read(copies.layer, place)) and id(array) not in own
        ]  # fmt: skip
        copies.contents.apart(copies.arrays)
        old = {id(array) for place, array in forward.arrays.items()} - {
            id(forward.arrays[place]) for place in changed(forward, between)
        }
        old |= {id(read(ran, place)) for place in left}
        new = {place: array for place, array in after.arrays.items() if id(array) not in old}
        for place, gradient in non_arrays_with_gradients(ran):
            if not self._is_constant(place) and is_trained(place, gradient):
                new.pop(gradient, None)
                self._faults.append(not_floating(place, read(ran, place), gradient))
        self._faults += self._not_compared(out, new, put, written)
        self._faults += self._stepped(written - changed_by_forward)
        is_number, may_lack = not isinstance(out, tuple) and np.size(out) == 1, takes(ran.backward, 0)
        is_loss = is_number and (may_lack or np.ndim(out) == 0)
        is_data = found is None and is_loss and bool(copies.parameters)
        return LayerFacts(is_loss, is_loss and may_lack, is_data, tuple(self._faults), tuple(self._added))

    # -- before the run -----------------------------------------------------------------------------------

    def _prepare(self) -> None:
        """Let the copies be what is compared: cleared, initialised, and with floats for integers."""
        copies = self.copies
        self._refuse_no_result()
        copies.cleared = copies.clears and self._can_be_cleared()
        self._initialise()
        with_floats(copies, self.inputs, self._is_constant)

    def _refuse_no_result(self) -> None:
        if self.copies.run(self.copies.contents.copied({}), self.inputs) is None:
            raise ValueError(
                f"{type(self.copies.layer).__name__}.forward returns None: let it return the result, or "
                f"leave that in self.{OUTPUT}"
            )

    def _can_be_cleared(self) -> bool:
        """Whether its gradients can be cleared before its first backward."""
        with suppress(Exception):
            ran = self.copies.new()
            pull(ran, ones(self.copies.run(ran, self.inputs)))
            return True
        return False

    def _initialise(self) -> None:
        """Go on with a copy that has run where the first forward makes the parameters."""
        copies = self.copies
        ran = copies.new()
        start = Contents(ran)
        out = copies.run(ran, self.inputs)
        forward = Contents(ran)
        made = {*map(id, forward.arrays.values())} - {*map(id, start.arrays.values())}
        pull(ran, ones(out))
        with suppress(ValueError):  # which is raised where they are looked for
            found = [(p.place, read(ran, p.place)) for p in (*listed(ran), *paired(ran, made))]
            new = [(place, array) for place, array in found if id(array) in made]
            if new and copies.run(ran, self.inputs) is not None and any(read(ran, p) is a for p, a in new):
                layer = copies.new()
                copies.run(layer, self.inputs)
                copies.replace(layer)

    # -- the parameters -----------------------------------------------------------------------------------

    def _candidate_ids(
        self, ran: Any, start: Contents, written: set[Place], out: Any
    ) -> tuple[set[int], set[Place]]:
        """What may be a parameter, by identity, once forward has run; and the places where forward has put
        something."""
        found = {
            id(now) for place, array in start.arrays.items()
            if is_inexact(now := read(ran, place)) and not self._is_constant(place)
            and ((now is array and place not in written) or self._is_moved_on(out, place))
        }  # fmt: skip
        floats = self.copies.contents.floats(ran)
        found |= {id(number) for place, number in floats.items() if not self._is_constant(place)}
        put = {
            place for place in start.arrays if place in written or read(ran, place) is not start.arrays[place]
        }
        return found, put

    def _is_moved_on(self, out: Any, place: Place) -> bool:
        """Whether what forward puts other numbers in, as in a state, is a parameter all the same.

        Where the parameters are listed it is none; where they are not, it may be if it moves the result.
        """
        array = read(self.copies.layer, place)
        return (
            not self._lists
            and is_inexact(array)
            and self.copies.move(self.inputs, out, {identity(array): moved})
        )

    def _parameters(
        self, ran: Any, candidates: set[int], is_trained: Callable[[Place, Place], bool]
    ) -> list[Parameter]:
        """Those that the layer lists, and those beside their gradients that it does not."""
        more = []
        for p in paired(ran, candidates):
            own, left = read(ran, p.place), [read(ran, place) for place in p.gradients]
            if is_inexact(own) and all(map(is_inexact, left)):
                more.append(p)
            elif self._is_constant(p.place):  # a float that is the same object as another one
                continue
            elif is_trained(p.place, p.gradients[0]):
                if all(np.size(gradient) == 1 for gradient in left):
                    more.append(p)
                else:
                    shape = next(np.shape(gradient) for gradient in left if np.size(gradient) != 1)
                    self._faults.append(
                        f"{p.name} is one number, and {said(p.gradients[0])} has the shape {shape}: sum the "
                        f"gradient, or, if {p.name} is a constant, name it in constants=[{p.name!r}]"
                    )
        try:
            first = [
                p for p in listed(ran) if p.name not in self.constants and not self._is_constant(p.place)
            ]
        except ValueError:
            held = leaves(getattr(ran, PARAMETERS)).values()
            if not {id(array) for array in held} <= {id(read(ran, p.place)) for p in more}:
                raise
            first = []  # of its layers, which keep the gradients
        taken = [array for p in first if is_inexact(array := read(ran, p.place))]
        places = {p.place for p in first}
        more = [
            p for p in more
            if p.place not in places and not any(overlapping(read(ran, p.place), array) for array in taken)
        ]  # fmt: skip
        return [*first, *self._without_views(ran, _without_states(ran, first, more, is_trained))]

    def _without_views(self, ran: Any, found: Sequence[Parameter]) -> Iterator[Parameter]:
        """Those that are no vector of which others are parts: a copy has each by itself."""
        arrays = [(p, read(ran, p.place)) for p in found]
        for p, whole in arrays:
            parts = [
                (other, own) for other, own in arrays
                if other is not p and overlapping(whole, own) and own.size < whole.size
            ]  # fmt: skip
            if not parts:
                yield p
                continue
            names, gradient = ", ".join(other.name for other, _ in parts), p.gradients[0]
            self.copies.notes[f"{said(gradient)} is not compared: {p.name} holds {names}, which are"] = None
            for other, own in parts:
                if not _is_part(read(ran, gradient), whole, read(ran, other.gradients[0]), own):
                    self._faults.append(
                        f"{said(gradient)} has other numbers than {said(other.gradients[0])}, a part of it"
                    )

    def _refuse_dtypes(self) -> None:
        for parameter, numbers in zip(self.copies.parameters, self.copies.numbers, strict=True):
            if numbers.dtype.name not in FLOATS:
                allowed = ", ".join(sorted(FLOATS))
                raise ValueError(f"{parameter.name} must be an array of {allowed}, got {numbers.dtype}")

    def _refuse_other_returns(self, found: Any) -> None:
        owner = type(self.copies.layer).__name__
        has_arrays = not isinstance(found, list) or any(isinstance(one, np.ndarray) for one in found)
        if not has_arrays and len(found) != len(self.inputs):
            raise ValueError(f"{owner}.backward must return an array, got a list: return np.array(...)")
        if len(self.inputs) == 1 and isinstance(found, tuple | list) and len(found) > 1:
            raise ValueError(
                f"{owner}.backward returns {len(found)} gradients for one input: "
                "pass the inputs of forward as a tuple, (x, h), and leave the gradients of parameters in "
                "attributes such as dW"
            )

    def _see_gradients_twice(self, ran: Any) -> None:
        """Note where a gradient is at several places: its own object's, or those of several layers."""
        copies = self.copies
        for parameter in copies.parameters:
            if len(parameter.gradients) > 1:
                copies.notes[f"{parameter.name} is shared: the sum of its gradients is compared"] = None
                continue
            for place in elsewhere(ran, copies.layer, parameter):
                text, is_fault = at_two_places(parameter, place)
                if is_fault:
                    self._faults.append(text)
                else:
                    copies.notes[text] = None

    def _pulled(self, before: Mapping[Place, Array], scale: float = 1.0) -> tuple[Any, list[int]]:
        """A new copy with these gradients, cleared, that has run along a drawn cotangent.

        Also which of its inputs its backward has written into.
        """
        copies = self.copies
        ran, inputs = copies.new(), [x.copy() for x in self.inputs]
        for place, gradient in before.items():
            with suppress(Exception):  # a dictionary of them may not be there yet
                put(ran, place, gradient.copy() if gradient.ndim else gradient[()])
        if copies.clears:
            clear(ran)
        out = copies.run(ran, inputs, themselves=True)
        between = [x.copy() for x in inputs]
        pull(ran, scaled(drawn(out, copies.seed), scale))
        return ran, [k for k, (x, was) in enumerate(zip(inputs, between, strict=True)) if not is_same(x, was)]

    def _see_what_is_cleared(self) -> None:
        """Where a gradient adds to what was there: a fault where something is to clear it, or none does."""
        copies = self.copies
        places = [place for p in copies.parameters for place in p.gradients]
        with suppress(Exception):  # it may be cleared once it has run alone
            ran, written = self._pulled({})
            self._faults += [f"{WRITES_INTO}{f' ({k})' if k else ''}" for k in written]
            first = {place: np.array(read(ran, place)) for place in places if is_number(read(ran, place))}
            again, _ = self._pulled(first)
            for place, one in first.items():
                if not is_near(one, np.array(read(again, place))):
                    text = adds_up(place, copies.clearing)
                    (self._faults if copies.clears else self._added).append(text)

    def _stepped(self, places: set[Place]) -> Iterator[str]:
        """What backward alone writes into, by its cotangent, and the result moves with: a training step."""
        copies = self.copies
        compared = {identity(array) for array in (*copies.arrays, *copies.gradients)}
        asked = [
            place for place in sorted(places, key=said)
            if is_inexact(array := read(copies.layer, place)) and identity(array) not in compared
            and not collected(place, set()) and not self._is_constant(place)
        ]  # fmt: skip
        if not asked or self._lists:
            return
        with suppress(Exception):
            moving, still = self._pulled({})[0], self._pulled({}, 0.0)[0]
            out = copies.run(copies.new(), self.inputs)
            for place in asked:
                array = read(copies.layer, place)
                if not is_same(read(moving, place), read(still, place)) and copies.move(
                    self.inputs, out, {identity(array): moved}
                ):
                    yield stepped(place)

    # -- what is left -------------------------------------------------------------------------------------

    def _not_compared(
        self, out: Any, left: Mapping[Place, Array], put: set[Place], written: set[Place]
    ) -> Iterator[str]:
        """What moves the result and has no gradient; and gradients that backward left of nothing known."""
        copies, notes = self.copies, self.copies.notes
        gradients = {
            place: array for place, array in left.items() if LOOKS_LIKE_A_GRADIENT.search(name_of(place))
        }
        known = (read(copies.layer, place) for place in written)
        compared = {identity(array) for array in (*copies.arrays, *copies.gradients, *known)}
        still = {identity(array): np.copy for array in copies.arrays}
        movers = [
            (place, array) for place, array in copies.contents.arrays.items()
            if isinstance(array, np.ndarray) and identity(array) not in compared and place not in gradients
            and not self._is_constant(place)
            and copies.move(self.inputs, out, {identity(array): moved, **still})
        ]  # fmt: skip
        unknown = []
        for place, array in movers:
            if collected(place, put):
                notes[f"{said(place)} is taken for what the layer collects, and is not compared"] = None
            elif is_bound(copies.layer, place):
                notes[bound(place)] = None
            elif self._lists:
                notes[f"{said(place)} moves the result, and is not compared: it is not in params"] = None
            else:
                unknown.append((place, array))
        if not self._lists:
            yield from without_gradients(unknown, gradients, left)

    def _is_constant(self, place: Place) -> bool:
        """Whether a place, or what leads to it, is one of the constants."""
        return is_within(place, self.constants)
