"""Layers in the style of the book: forward(x), backward(dout), and gradients left beside the parameters.

A layer keeps state between the two; here each question is asked of a copy of it, so the layer itself stays
what it was, and the seed is reset before every forward, so that Dropout draws the same mask.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from harness.selection import near_matches
from harness.subject.contents import Place, identity, is_inexact, is_within, parts, read, said
from harness.subject.copies import BY_IDENTITY, Copies, clear, ones, pull
from harness.subject.derivative import Array
from harness.subject.moving import (
    OUTSIDE,
    copied,
    has_row_for_each,
    is_same,
    moved,
    never_moving,
    reads_elsewhere,
)
from harness.subject.outside import WRITTEN, Runs, in_a_set, shared, writes_in_closures
from harness.subject.parameter_search import ParameterSearch
from harness.subject.stale import kept, told
from oracles.exact.from_numpy.array import is_traced
from oracles.exact.program.words import kind_of

WRITES = "backward writes into dout; that is the caller's array"
REFILLED = "{} returns an array that its next call fills again: copy the first result where both are used"


class _Run(NamedTuple):
    """A layer and the arrays that it is given."""

    layer: Any
    inputs: list[Array]

    def fill(self, numbers: Sequence[Array]) -> None:
        """Write other numbers into the arrays."""
        for array, x in zip(self.inputs, numbers, strict=True):
            array[...] = x

    def renew(self, numbers: Sequence[Array]) -> None:
        """Give it other arrays."""
        self.inputs[:] = [x.copy() for x in numbers]


class Layer:
    """A layer as a function of its inputs and its parameters, and its backward as a gradient of that.

    Attributes:
        moves: Which inputs are differentiated: integers, as those that an embedding looks up, are not.
        is_loss: Whether it returns a single number, along whose cotangent 1 backward is asked.
        needs_none: Whether backward ignores dout then, as it may where dout has a default.
        notes: What was seen on the way and is not wrong.
        faults: What moves the result, or looks like a gradient, and is not compared.
        unmoved: For each parameter without which the result is the same, that in words.
        refused: Why nothing can be asked of the layer; "" if it can.
        advice: "", for what is said of a network.
        steps: Whether what it keeps of its arrays, once they are written over, is a fault.
        added: Gradients to which backward adds, and that nothing clears.
        compares: Whether its last array is the target, which may be another one then.
        held: The places of constants that are arrays after the parameters, and may be others then.
    """

    advice = ""
    steps = compares = False
    held: tuple[Place, ...] = ()
    added: tuple[str, ...] = ()

    def __init__(
        self,
        layer: Any,
        inputs: Sequence[Array],
        target: Any,
        options: dict[str, Any],
        seed: int,
        constants: Sequence[str],
    ) -> None:
        """Run forward and backward once, to see what parameters there are besides `constants`.

        Args:
            layer: The user's object; it is copied. It runs itself once, and is put back.
            inputs: What forward takes.
            target: What a loss layer compares with, None for other layers.
            options: More arguments for forward, such as train_flg.
            seed: Set before every forward.
            constants: Places that are no parameters.

        Raises:
            ValueError: It has no forward or no backward, no such constant, or a gradient has no parameter.
        """
        _refuse_others(layer)
        known = {said(place) for place, _ in parts(layer, numbers=True)}
        unknown = [name for name in constants if name not in known and not hasattr(layer, name)]
        if unknown:
            near = near_matches(unknown[0], sorted(known))
            raise ValueError(f"constants must name what the layer holds, got {unknown[0]!r}; {near}")
        self._copies = Copies(layer, target, options, seed)
        self.notes = self._copies.notes
        self.moves = (True,) * len(inputs)
        self.is_loss, self.needs_none, self.faults = False, False, tuple[str, ...]()
        self.unmoved: Mapping[str, str] = {}
        self._copies.see_what_counts(inputs)
        self.refused = in_a_set(layer) or (
            WRITTEN if writes_in_closures(layer, partial(self._gone_elsewhere, inputs)) else ""
        )
        if self.refused:
            return
        self.refused = "" if self._copies.are_alike(inputs) else f"{type(layer).__name__} gives {BY_IDENTITY}"
        if self.refused:
            return
        self.refused, note = shared(self._runs(inputs))
        self.notes |= {note: None} if note else {}
        if self.refused:
            return
        facts = ParameterSearch(self._copies, inputs, {*constants}).look()
        self.moves = tuple(x.dtype.kind not in "iu" for x in inputs)
        self.is_loss, self.faults, self.added = facts.is_loss, facts.faults, facts.added
        self.needs_none = facts.may_lack and self._ignores_cotangent(inputs)
        if facts.is_data and any(self.moves):
            self.moves = (False,) * len(self.moves)
            self.notes["backward returns None, so the input is taken for data and is not compared"] = None
        if self._copies.layer is not layer and not self._copies.are_alike(inputs):
            self.refused = f"{type(layer).__name__} gives {BY_IDENTITY}"
        elif self.names:
            self._see_what_moves(inputs)

    def _gone_elsewhere(self, inputs: Sequence[Array], elsewhere: bool) -> None:
        """Run forward and backward of a copy, at other inputs if so told."""
        copy = self._copies.contents.copied({})
        out = self._copies.run(copy, [moved(np.roll(x, 1)) for x in inputs] if elsewhere else inputs)
        pull(copy, ones(out))

    def _runs(self, inputs: Sequence[Array]) -> Runs:
        copies = self._copies
        return Runs(
            copied=partial(copies.contents.copied, {}),
            forward=partial(copies.run, inputs=inputs),
            backward=lambda copy, out: pull(copy, ones(out)),
            given=[*inputs, copies.target, *copies.options.values()],
        )

    def _ignores_cotangent(self, inputs: Sequence[Array]) -> bool:
        """Whether backward gives the same along 2 as along 1, or knows 1 alone."""

        def given(scale: int) -> Any:
            layer, out = self._forward((*inputs, *self.parameters))
            return pull(layer, scale * ones(out)), self._left(layer)

        try:
            return is_same(given(1), given(2))
        except Exception:  # it may assert that it is 1
            return True

    def _see_what_moves(self, inputs: Sequence[Array]) -> None:
        """Which parameters move the result, here or where all have other numbers; and only in the copies."""
        if not all(x.size for x in inputs):
            self.refused = "x is empty, so nothing moves the result: give it a number at least"
            return
        still = never_moving(self.forward, inputs, self.parameters)
        self.unmoved = {
            self.names[k]: f"the result does not move with {self.names[k]}: does forward use a copy of it?"
            for k in still
        }
        if reads_elsewhere(self._copies.arrays, partial(self._gone_through, inputs), self.parameters):
            self.refused = f"forward {OUTSIDE}"
        elif len(still) == len(self.parameters):
            self.refused = (
                "no parameter moves the result, so no gradient of one can be verified: let forward use the "
                "arrays that are checked, not copies; name what is not used here in constants="
            )

    def _gone_through(self, inputs: Sequence[Array], parameters: Sequence[Array]) -> Any:
        layer, out = self._forward((*inputs, *parameters))
        return out, pull(layer, ones(out)), self._left(layer)

    @property
    def names(self) -> list[str]:
        """What the parameters are called."""
        return [parameter.name for parameter in self._copies.parameters]

    @property
    def places(self) -> list[str]:
        """What stands in code for the parameters, after the layer: ".params[0]"."""
        return ["".join(step.said for step in parameter.place) for parameter in self._copies.parameters]

    @property
    def parameters(self) -> list[Array]:
        """The parameters' numbers."""
        return self._copies.numbers

    @property
    def rule(self) -> Callable[..., Any]:
        """The user's own backward."""
        found: Callable[..., Any] = self._copies.layer.backward
        return found

    def forward(self, *arrays: Any) -> Any:
        """What the layer returns, of its inputs and then its parameters."""
        return self._forward(self._compared(arrays))[1]

    def backward(self, dout: Any, *arrays: Any) -> tuple[Any, ...]:
        """The gradients of the inputs and the parameters."""
        return self._pulled(self._forward(self._compared(arrays))[0], dout)

    def _compared(self, arrays: tuple[Any, ...]) -> tuple[Any, ...]:
        """The inputs and the parameters; after them come the constants from here on, and the target."""
        count = len(self.moves) + len(self.names)
        others = list(arrays[count:])
        if self.compares:
            self._copies.target = others.pop()
        self._copies.constants = dict(zip(self.held, others, strict=True))
        return arrays[:count]

    def hold(self, names: Sequence[str], hides: Callable[[Any], bool]) -> list[Array]:
        """Make arrays of its own of the constants of these names that hide something; gives their numbers."""
        written = {identity(array) for array in self._copies.written}
        arrays = self._copies.contents.arrays
        self.held = tuple(
            place for place, array in arrays.items()
            if is_within(place, names) and hides(array) and identity(array) not in written
        )  # fmt: skip
        return [arrays[place].copy() for place in self.held]

    def reused(self, *arrays: Any) -> Callable[[tuple[Any]], tuple[Any, ...]]:
        """Run forward and backward on the object elsewhere and then forward here; gives what pulls back.

        First it runs a batch twice as long, if it takes that: it may keep the length. Before it pulls back,
        another object of its kind runs elsewhere, as in a network with two. Not on that object if its forward
        draws numbers, or remembers others on purpose.
        """
        count, arrays = len(self.moves), self._compared(arrays)
        inputs, parameters = arrays[:count], arrays[count:]
        if self.steps:
            self._see_what_is_kept(inputs, parameters)
        elsewhere = (*(np.roll(x, 1) for x in inputs), *parameters)
        layer, before, dx = self._after_longer(elsewhere) or self._gone(*self._forward(elsewhere))
        returned = {name: (one, copied(one)) for name, one in (("forward", before), ("backward", dx))}
        clear(layer)
        after, (fresh, alone) = self._copies.run(layer, inputs), self._forward(arrays)
        if not is_same(after, alone) and not is_same(after, before):
            layer = fresh
            self.notes["forward returns other values when the object has run before"] = None
        other, out = self._forward(elsewhere)
        pull(other, ones(out))
        is_number = isinstance(alone, float | np.generic)  # nobody can write into its cotangent, which is one

        def pullback(directions: tuple[Any, ...]) -> tuple[Any, ...]:
            (dout, *more) = directions
            found = self._pulled(layer, directions if more else dout[()] if is_number else dout)
            for name, (one, copy) in returned.items():
                if not is_same(one, copy):
                    self.notes[REFILLED.format(name)] = None
            return found

        return pullback

    def _gone(self, layer: Any, out: Any) -> tuple[Any, Any, Any]:
        """A layer that has run, what its forward returned, and what its backward does."""
        return layer, out, pull(layer, ones(out))

    def _after_longer(self, arrays: tuple[Any, ...]) -> tuple[Any, Any, Any] | None:
        """The same of one that has run a batch twice as long before; None if it does not run both."""
        count, target = len(self.moves), self._copies.target
        inputs, parameters = arrays[:count], arrays[count:]
        if any(is_traced(array) or not np.ndim(array) for array in inputs):
            return None
        has_rows = has_row_for_each(target, inputs[0])
        try:
            self._copies.target = np.concatenate([target, target]) if has_rows else target
            layer, out = self._forward((*(np.concatenate([x, x]) for x in inputs), *parameters))
            pull(layer, ones(out))
            self._copies.target = target
            clear(layer)
            return self._gone(layer, self._copies.run(layer, inputs))
        except Exception:  # it may be of one length, as it is built
            return None
        finally:
            self._copies.target = target

    def _see_what_is_kept(self, inputs: Sequence[Any], parameters: Sequence[Any]) -> None:
        """A fault where it gives something else once an input had other numbers; a note where parameters had.

        What it keeps of an input that came in another array, it may keep on purpose. So may it of parameters,
        where steps make new arrays or tell it, or as an anchor of a penalty.
        """
        if any(is_traced(array) for array in (*inputs, *parameters)):
            return

        def new(own: Sequence[Array], numbers: Sequence[Array]) -> _Run:
            return _Run(self._copies.new(own, numbers), [x.copy() for x in own])

        def given(run: _Run) -> Any:
            out = self._copies.run(run.layer, run.inputs, themselves=True)
            return out, pull(run.layer, ones(out)), self._left(run.layer)

        def used(own: Sequence[Array], numbers: Sequence[Array]) -> _Run:
            run = new(own, numbers)
            given(run)
            clear(run.layer)
            return run

        def step(run: _Run, numbers: Sequence[Array]) -> None:
            self._copies.write(run.layer, numbers)

        fresh = given(new(inputs, parameters))
        of_inputs, of_others = (
            kept(inputs, lambda own: used(own, parameters), write, given, fresh)
            for write in (_Run.fill, _Run.renew)
        )
        moved = kept(parameters, partial(used, inputs), step, given, fresh)
        if names := [self._input_names[k] for k in of_inputs if k not in of_others]:
            self.faults = tuple(dict.fromkeys([*self.faults, told(names)]))
        if moved:
            self.notes[told([self.names[k] for k in moved])] = None

    def _pulled(self, layer: Any, dout: Any) -> tuple[Any, ...]:
        several = isinstance(dout, tuple)
        each = dout if several else (dout,)
        given = tuple(self._given(d) for d in each)
        if self._copies.clears:  # its caller does that before each backward
            for place in (place for p in self._copies.parameters for place in p.gradients):
                if is_inexact(left := read(layer, place)) and left.ndim:
                    left[...] = 0
        dx = pull(layer, given if several else given[0])
        plain = not any(is_traced(d) for d in given)
        if plain and not is_same(given, each):
            self.notes[WRITES] = None
        return tuple(
            np.array(g) if plain and isinstance(g, float | np.generic) else g
            for g in (*self._of_inputs(dx), *self._left(layer))
        )

    def _given(self, dout: Any) -> Any:
        if dout is None:
            return None
        return _in_strides(dout, WRITES not in self.notes) if isinstance(dout, np.ndarray) else dout.copy()

    def _of_inputs(self, found: Any) -> tuple[Any, ...]:
        """The gradients of the inputs that are differentiated."""
        if not any(self.moves):
            return ()
        if len(self.moves) == 1:
            is_one = isinstance(found, tuple) and len(found) == 1
            return (found[0] if is_one else found,)
        each = tuple(found) if isinstance(found, tuple | list) else (found,)
        if len(each) != len(self.moves):
            return each
        return tuple(gradient for gradient, moves in zip(each, self.moves, strict=True) if moves)

    def _left(self, layer: Any) -> list[Any]:
        """What backward left for each parameter."""
        return [self._copies.gradient(layer, parameter) for parameter in self._copies.parameters]

    def _forward(self, arrays: tuple[Any, ...]) -> tuple[Any, Any]:
        count = len(self.moves)
        layer = self._copies.new(arrays[:count], arrays[count:])
        return layer, self._copies.run(layer, arrays[:count])

    def call(self, function: Callable[..., Any]) -> Call:
        """One of its functions, with the names of what it is given."""
        names = (*self._input_names, *self.names, *map(said, self.held), *(["t"] if self.compares else []))
        return Call(function, names, type(self._copies.layer).__name__)

    @property
    def _input_names(self) -> tuple[str, ...]:
        """What forward calls its inputs; x if there is one."""
        count = len(self.moves)
        try:
            names = list(inspect.signature(self._copies.layer.forward).parameters)[:count]
        except (TypeError, ValueError):
            names = []
        if count == 1 or len(names) < count:
            return ("x",) if count == 1 else tuple(f"x{k}" for k in range(count))
        return tuple(names)


@dataclass(frozen=True)
class Call:
    """A function that knows what its arguments are called; the names need not be identifiers."""

    function: Callable[..., Any]
    argument_names: tuple[str, ...]
    __name__: str

    def __call__(self, *args: Any) -> Any:
        """The function."""
        return self.function(*args)


def _refuse_others(layer: Any) -> None:
    """Refuse what is no layer, or holds its arrays where they are not found."""
    if isinstance(layer, type):
        name = layer.__name__
        raise ValueError(f"layer must be an object, got the class {name}: pass {name}(...)")
    missing = [name for name in ("forward", "backward") if not callable(getattr(layer, name, None))]
    if missing:
        net = all(callable(getattr(layer, name, None)) for name in ("loss", "gradient"))
        raise ValueError(
            f"layer must have forward(x) and backward(dout), got {kind_of(layer)} without "
            f"{' and '.join(missing)}{_instead(layer, net)}"
        )
    if not hasattr(layer, "__dict__"):
        raise ValueError(
            f"{type(layer).__name__} has __slots__ and no __dict__, in which parameters and gradients "
            "are looked for; derive a class from it without __slots__"
        )


def _instead(layer: Any, is_net: bool) -> str:
    """What checks an object that is no layer, in words."""
    if is_net:
        return ": check_network takes a network with loss and gradient"
    if "torch" in sys.modules and isinstance(layer, sys.modules["torch"].nn.Module):
        return ": check_gradient(module, (x,)) takes a torch module"
    return ""


def _in_strides(array: Array, expanded: bool) -> Array:
    """An array of its own with the same strides; what is `expanded` stays so, and is read-only."""
    once = tuple(slice(None) if step else slice(1) for step in array.strides)
    return (
        np.broadcast_to(array[once].copy("K"), array.shape)
        if expanded and 0 in array.strides
        else array.copy("K")
    )
