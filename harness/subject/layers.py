"""Layers in the style of the book: forward(x), backward(dout), and gradients left beside the parameters.

A layer keeps state between the two; here each question is asked of a copy of it, so the layer itself stays
what it was, and the seed is reset before every forward, so that Dropout draws the same mask.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np

from harness.subject import moving
from harness.subject.contents import (
    Attribute,
    Contents,
    Place,
    changed,
    identity,
    is_floating,
    overlapping,
    parts,
    read,
    said,
)
from harness.subject.derivative import Array
from harness.subject.moving import (
    OUTSIDE,
    instead,
    is_same,
    moved,
    reads_elsewhere,
    unmoving,
    writable,
    zeros,
)
from harness.subject.pairs import (
    LOOKS_LIKE_A_GRADIENT,
    PARAMETERS,
    Parameter,
    collected,
    leaves,
    listed,
    lists,
    name_of,
    no_arrays,
    paired,
)
from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.program.program import FLOATS
from oracles.exact.program.words import kind_of

CLEARING = ("zero_grad", "zero_grads", "clear_grads", "cleargrads", "flush_gradients")
WRITES = "backward writes into dout; that is the caller's array"


class Layer:
    """A layer as a function of its inputs and its parameters, and its backward as a gradient of that.

    Attributes:
        layer: The user's object; it is copied and never touched.
        target: What a loss layer compares with, None for other layers.
        options: More arguments for forward, such as train_flg.
        seed: Set before every forward.
        moves: Which inputs are differentiated: integers, as those that an embedding looks up, are not.
        is_loss: Whether it returns a single number; then backward may ignore dout.
        names: The parameters', in the order of the gradients.
        notes: What was seen on the way and is not wrong.
        faults: What moves the result, or looks like a gradient, and is not compared.
        unmoved: For each parameter without which the result is the same, that in words.
        refused: Why nothing can be asked of the layer; "" if it can.
    """

    def __init__(
        self,
        layer: Any,
        inputs: Sequence[Array],
        target: Any,
        options: dict[str, Any],
        seed: int,
        constants: Sequence[str] = (),
    ) -> None:
        """Run forward and backward once, to see what parameters there are besides `constants`.

        Raises:
            ValueError: It has no forward or no backward, no such constant, or a gradient has no parameter.
        """
        if isinstance(layer, type):
            raise ValueError(f"layer is the class {layer.__name__}; pass an object of it")
        missing = [name for name in ("forward", "backward") if not callable(getattr(layer, name, None))]
        if missing:
            net = all(callable(getattr(layer, name, None)) for name in ("loss", "gradient"))
            raise ValueError(
                f"{type(layer).__name__} has no {' and no '.join(missing)}; a layer has forward(x) and "
                f"backward(dout){'; check_network takes a network with loss and gradient' if net else ''}"
            )
        if not hasattr(layer, "__dict__"):
            raise ValueError(
                f"{type(layer).__name__} has __slots__ and no __dict__, in which parameters and gradients "
                "are looked for; derive a class from it without __slots__"
            )
        self.layer, self.target, self.options, self.seed = layer, target, options, seed
        self.moves = tuple(x.dtype.kind not in "iu" for x in inputs)
        self.notes: dict[str, None] = {}
        self.faults: list[str] = []
        self._contents = Contents(layer)
        known = {said(place) for place, _ in parts(layer, numbers=True)}
        unknown = [name for name in constants if name not in known and not hasattr(layer, name)]
        if unknown:
            raise ValueError(f"constants has {unknown[0]!r}, which the layer has not")
        self._lists = lists(layer)
        self._parameters: list[Parameter] = []
        self._gradients: list[Array] = []
        self._written: list[Array] = []
        self._clears = any(callable(getattr(layer, name, None)) for name in CLEARING)
        self._cleared = self._clears and self._can_be_cleared(inputs)
        self._initialise(inputs)
        self._look(inputs, {*constants})
        self.unmoved: Mapping[str, str] = {}
        self.refused = ""
        if self._parameters:
            self._see_what_moves(inputs)

    # -- what there is ------------------------------------------------------------------------------------

    def _look(self, inputs: Sequence[Array], constants: set[str]) -> None:
        """Run once, and see what the parameters are, where their gradients are left, and what else moves."""
        ran = self._copied(())
        start = Contents(ran)
        before = start.numbers()
        out = self._run(ran, inputs)
        self.is_loss = np.ndim(out) == 0 and not isinstance(out, tuple)
        forward = Contents(ran)
        between = forward.numbers()
        written = changed(start, before)
        candidates = {
            id(now) for place, array in start.arrays.items()
            if is_floating(now := read(ran, place)) and not _is_among(place, constants)
            and ((now is array and place not in written) or self._is_moved_on(inputs, out, place))
        }  # fmt: skip
        put = {
            place for place in start.arrays if place in written or read(ran, place) is not start.arrays[place]
        }
        floats = self._contents.floats(ran)
        candidates |= {id(n) for place, n in floats.items() if not _is_among(place, constants)}
        found = self._backward(ran, _ones(out))
        after = Contents(ran)

        def is_trained(place: Place, gradient: Place) -> bool:
            return moving.is_trained(
                self._contents, ran, place, gradient, lambda own: self._run(own, inputs), out
            )

        self._refuse_other_returns(found, len(inputs))
        self._written = [
            array for place in changed(start, before) if is_floating(array := read(self.layer, place))
        ]
        self._parameters = self._found(ran, candidates, constants, is_trained)
        for parameter, numbers in zip(self._parameters, self.parameters, strict=True):
            if numbers.dtype.name not in FLOATS:
                allowed = ", ".join(sorted(FLOATS))
                raise ValueError(f"{parameter.name} is {numbers.dtype}; allowed are arrays of {allowed}")
            if len(parameter.gradients) > 1:
                self.notes[f"{parameter.name} is shared: the sum of its gradients is compared"] = None
        if found is None and self.is_loss and self._parameters and any(self.moves):
            self.moves = (False,) * len(self.moves)
            self.notes["backward returns None, so the input is taken for data and is not compared"] = None
        left = {place for parameter in self._parameters for place in parameter.gradients}
        own = list(map(id, self._arrays()))
        self._gradients = [
            array for place in left if is_floating(array := read(self.layer, place)) and id(array) not in own
        ]
        self._contents.apart(self._arrays())
        old = {id(array) for place, array in forward.arrays.items()} - {
            id(forward.arrays[place]) for place in changed(forward, between)
        }
        old |= {id(read(ran, place)) for place in left}
        new = {place: array for place, array in after.arrays.items() if id(array) not in old}
        for place, gradient in no_arrays(ran):
            if not _is_among(place, constants) and is_trained(place, gradient):
                new.pop(gradient, None)
                self.faults.append(
                    f"{said(place)} is {_kind(read(ran, place))} and is not compared with {said(gradient)}: "
                    "make it a floating array, or, if it is a constant, name it in "
                    f"constants=[{said(place)!r}]"
                )
        self.faults += self._not_compared(inputs, out, new, constants, put)

    def _is_moved_on(self, inputs: Sequence[Array], out: Any, place: Place) -> bool:
        """Whether what forward puts other numbers in, as in a state, is a parameter all the same.

        Where the parameters are listed it is none; where they are not, it may be if it moves the result.
        """
        array = read(self.layer, place)
        return not self._lists and is_floating(array) and self._moves(inputs, out, {identity(array): moved})

    def _can_be_cleared(self, inputs: Sequence[Array]) -> bool:
        """Whether its gradients can be cleared before its first backward."""
        self._cleared = True
        with suppress(Exception):
            ran = self._copied(())
            self._backward(ran, _ones(self._run(ran, inputs)))
            return True
        return False

    def _initialise(self, inputs: Sequence[Array]) -> None:
        """Go on with a copy that has run where the first forward makes the parameters."""
        ran = self._copied(())
        start = Contents(ran)
        out = self._run(ran, inputs)
        forward = Contents(ran)
        made = {*map(id, forward.arrays.values())} - {*map(id, start.arrays.values())}
        self._backward(ran, _ones(out))
        with suppress(ValueError):  # which is raised where they are looked for
            found = [(p.place, read(ran, p.place)) for p in (*listed(ran), *paired(ran, made))]
            new = [(place, array) for place, array in found if id(array) in made]
            if new and self._run(ran, inputs) is not None and any(read(ran, p) is a for p, a in new):
                self.layer = self._copied(())
                self._run(self.layer, inputs)
                self._contents = Contents(self.layer)

    def _found(
        self, ran: Any, candidates: set[int], constants: set[str], is_trained: Callable[[Place, Place], bool]
    ) -> list[Parameter]:
        """The parameters: those that the layer lists, and those beside their gradients that it does not."""
        more = []
        for p in paired(ran, candidates):
            own, left = read(ran, p.place), [read(ran, place) for place in p.gradients]
            if is_floating(own) and all(map(is_floating, left)):
                more.append(p)
            elif is_trained(p.place, p.gradients[0]):
                if all(np.size(gradient) == 1 for gradient in left):
                    more.append(p)
                else:
                    told = f"{p.name} is not compared: it is one number, and {said(p.gradients[0])} has more"
                    self.notes[told] = None
        try:
            first = [p for p in listed(ran) if p.name not in constants and not _is_among(p.place, constants)]
        except ValueError:
            held = leaves(getattr(ran, PARAMETERS)).values()
            if not {id(array) for array in held} <= {id(read(ran, p.place)) for p in more}:
                raise
            first = []  # of its layers, which keep the gradients
        taken = [array for p in first if is_floating(array := read(ran, p.place))]
        places = {p.place for p in first}
        return [
            *first,
            *(
                p for p in more
                if p.place not in places
                and not any(overlapping(read(ran, p.place), array) for array in taken)
            ),
        ]  # fmt: skip

    def _refuse_other_returns(self, found: Any, count: int) -> None:
        if count == 1 and isinstance(found, tuple | list) and len(found) > 1:
            raise ValueError(
                f"{type(self.layer).__name__}.backward returns {len(found)} gradients for one input: pass "
                "the inputs of forward as a tuple, (x, h), and leave the gradients of parameters in "
                "attributes such as dW"
            )

    def _not_compared(
        self,
        inputs: Sequence[Array],
        out: Any,
        left: Mapping[Place, Array],
        constants: set[str],
        put: set[Place],
    ) -> Iterator[str]:
        """What moves the result and has no gradient; and gradients that backward left of nothing known."""
        left = {place: array for place, array in left.items() if LOOKS_LIKE_A_GRADIENT.search(name_of(place))}
        compared = {identity(array) for array in (*self._arrays(), *self._gradients, *self._written)}
        still = {identity(array): np.copy for array in self._arrays()}
        movers = [
            (place, array) for place, array in self._contents.arrays.items()
            if isinstance(array, np.ndarray) and identity(array) not in compared and place not in left
            and not _is_among(place, constants)
            and self._moves(inputs, out, {identity(array): moved, **still})
        ]  # fmt: skip
        for place, _ in movers:
            if collected(place, put):
                self.notes[f"{said(place)} is taken for what the layer collects, and is not compared"] = None
            elif self._lists:
                self.notes[f"{said(place)} moves the result, and is not compared: it is not in params"] = None
        if self._lists:
            return
        movers = [(place, array) for place, array in movers if not collected(place, put)]
        for (place, _), hint in zip(movers, _hints(movers, left), strict=True):
            name, own = said(place), f"d{name_of(place)}"
            both = "put both in params and grads"
            asked = f"leave its gradient in {own}, {both}"
            if hint:
                asked = f"is {said(hint)} its gradient? Call that {own}, {both}"
                del left[hint]
            elif not isinstance(place[-1], Attribute):
                asked = "put it in params and its gradient in grads"
            yield (
                f"{name} moves the result and is not compared: {asked}, or, if it is a constant, name it in "
                f"constants=[{name!r}]"
            )
        for place in left:
            if len(place) == 1:
                yield (
                    f"{said(place)} looks like a gradient and is not compared: the layer has no parameter of "
                    "that name"
                )

    def _moves(self, inputs: Sequence[Array], out: Any, new: Mapping[int, Callable[[Array], Any]]) -> bool:
        """Whether forward gives something else where arrays have other numbers."""
        return moving.differs(lambda: self._run(self._contents.copied(new), inputs), out)

    def _see_what_moves(self, inputs: Sequence[Array]) -> None:
        """Which parameters move the result, here or where all have other numbers; and only in the copies."""
        parameters = self.parameters
        still = unmoving(partial(self.forward, *inputs), parameters)
        self.unmoved = {
            self.names[k]: f"the result does not move with {self.names[k]}: does forward use a copy of it?"
            for k in still
        }
        if reads_elsewhere(self._arrays(), partial(self._gone_through, inputs), parameters):
            self.refused = f"forward {OUTSIDE}"
        elif len(still) == len(parameters):
            self.refused = (
                "no parameter moves the result, so no gradient of one can be verified: let forward use the "
                "arrays that are checked, not copies; name what is not used here in constants="
            )

    def _gone_through(self, inputs: Sequence[Array], parameters: Sequence[Array]) -> Any:
        layer = self._copied(inputs, parameters)
        out = self._run(layer, inputs)
        return out, self._backward(layer, _ones(out)), [self._gradient(layer, p) for p in self._parameters]

    # -- what is asked ------------------------------------------------------------------------------------

    def _arrays(self) -> list[Array]:
        """The parameters that are arrays."""
        return [array for p in self._parameters if is_floating(array := read(self.layer, p.place))]

    @property
    def names(self) -> list[str]:
        """What the parameters are called."""
        return [parameter.name for parameter in self._parameters]

    @property
    def places(self) -> list[str]:
        """What stands in code for the parameters, after the layer: ".params[0]"."""
        return ["".join(step.said for step in parameter.place) for parameter in self._parameters]

    @property
    def parameters(self) -> list[Array]:
        """The parameters' numbers."""
        return [np.array(read(self.layer, parameter.place)) for parameter in self._parameters]

    @property
    def rule(self) -> Callable[..., Any]:
        """The user's own backward."""
        found: Callable[..., Any] = self.layer.backward
        return found

    def forward(self, *arrays: Any) -> Any:
        """What the layer returns, of its inputs and then its parameters."""
        return self._forward(arrays)[1]

    def backward(self, dout: Any, *arrays: Any) -> tuple[Any, ...]:
        """The gradients of the inputs and the parameters."""
        return self._pulled(self._forward(arrays)[0], dout)

    def reused(self, *arrays: Any) -> Callable[[tuple[Any]], tuple[Any, ...]]:
        """Run forward and backward on the object elsewhere and then forward here; gives what pulls back.

        Before it does, another object of its kind runs elsewhere, as in a network with two. Not on that
        object if its forward draws numbers, or remembers others on purpose.
        """
        count = len(self.moves)
        inputs, parameters = arrays[:count], arrays[count:]
        elsewhere = (*(np.roll(x, 1) for x in inputs), *parameters)
        layer, before = self._forward(elsewhere)
        self._backward(layer, _ones(before))
        _clear(layer)
        after, (fresh, alone) = self._run(layer, inputs), self._forward(arrays)
        if not is_same(after, alone) and not is_same(after, before):
            layer = fresh
            self.notes["forward gives something else on an object that was used before"] = None
        other, out = self._forward(elsewhere)
        self._backward(other, _ones(out))
        return lambda directions: self._pulled(layer, directions[0] if len(directions) == 1 else directions)

    def _pulled(self, layer: Any, dout: Any) -> tuple[Any, ...]:
        several = isinstance(dout, tuple)
        each = dout if several else (dout,)
        given = tuple(self._given(d) for d in each)
        if self._clears:  # its caller does that before each backward
            for place in (place for p in self._parameters for place in p.gradients):
                if is_floating(left := read(layer, place)) and left.ndim:
                    left[...] = 0
        dx = self._backward(layer, given if several else given[0])
        plain = not any(type(d) is TracedArray for d in given)
        if plain and not is_same(given, each):
            self.notes[WRITES] = None
        of_parameters = [self._gradient(layer, parameter) for parameter in self._parameters]
        return tuple(
            np.array(g) if plain and isinstance(g, float | np.generic) else g
            for g in (*self._of_inputs(dx), *of_parameters)
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
            return (found,)
        each = tuple(found) if isinstance(found, tuple | list) else (found,)
        if len(each) != len(self.moves):
            return each
        return tuple(gradient for gradient, moves in zip(each, self.moves, strict=True) if moves)

    def _gradient(self, layer: Any, parameter: Parameter) -> Any:
        """What backward left for a parameter; of several arrays the sum."""
        each = {id(g): g for place in parameter.gradients if (g := read(layer, place)) is not None}
        if not each:
            return None
        found = reduce(lambda one, other: one + other, each.values())
        return found.copy() if self._clears and hasattr(found, "copy") else found

    def _backward(self, layer: Any, dout: Any) -> Any:
        """Call it, with the cotangents of several results one by one where it takes them so."""
        if isinstance(dout, tuple) and _takes(layer.backward, len(dout)):
            return layer.backward(*dout)
        return layer.backward(dout)

    def _forward(self, arrays: tuple[Any, ...]) -> tuple[Any, Any]:
        count = len(self.moves)
        layer = self._copied(arrays[:count], arrays[count:])
        return layer, self._run(layer, arrays[:count])

    def _copied(self, inputs: Sequence[Any], parameters: Sequence[Any] = ()) -> Any:
        """A copy of the layer with these parameters, its gradients 0; what it writes into can be recorded."""
        new: dict[int, Callable[[Array], Any]] = {}
        if any(type(array) is TracedArray for array in (*inputs, *parameters)):
            new |= {identity(array): writable for array in self._written}
        new |= {identity(array): zeros for array in self._gradients}
        pairs = list(zip(self._parameters, parameters, strict=False))
        for parameter, value in pairs:
            new[identity(read(self.layer, parameter.place))] = partial(instead, value)
        layer = self._contents.copied(new)
        for parameter, value in pairs:
            if not is_floating(read(self.layer, parameter.place)):  # a number, which has no identity
                parameter.place[-1].put(read(layer, parameter.place[:-1]), value.copy())
        if self._cleared:
            _clear(layer)
        return layer

    def _run(self, layer: Any, inputs: Sequence[Any]) -> Any:
        self._contents.rewind(layer, self.seed)
        own = tuple(x.copy() for x in inputs)
        out = layer.forward(*own, *(() if self.target is None else (self.target,)), **self.options)
        for given, x in zip(own, inputs, strict=True):
            if type(given) is not TracedArray and not np.array_equal(given, x, equal_nan=True):
                self.notes["forward writes into x; that is the caller's array"] = None
        return out

    def call(self, function: Callable[..., Any]) -> Call:
        """One of its functions, with the names of what it is given."""
        return Call(function, (*self._input_names, *self.names), type(self.layer).__name__)

    @property
    def _input_names(self) -> tuple[str, ...]:
        """What forward calls its inputs; x if there is one."""
        count = len(self.moves)
        try:
            names = list(inspect.signature(self.layer.forward).parameters)[:count]
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


def _hints(moving: Sequence[tuple[Place, Array]], left: Mapping[Place, Array]) -> list[Place | None]:
    """Which gradient that was left may be that of each array: of its name at best, and of its shape."""
    free = dict(left)
    found: list[Place | None] = [None] * len(moving)
    for named in (True, False):
        for k, (place, array) in enumerate(moving):
            alike = [p for p, g in free.items() if g.shape == array.shape]
            if named:
                alike = [p for p in alike if name_of(place).lower() in name_of(p).lower()]
            if found[k] is None and alike:
                found[k] = alike[0]
                del free[alike[0]]
    return found


def _is_among(place: Place, names: set[str]) -> bool:
    """Whether a place, or what leads to it, has one of these names."""
    return any(said(place[:k]) in names for k in range(1, len(place) + 1))


def _clear(layer: Any) -> None:
    """Call what clears its gradients, as a loop of training does."""
    for clear in filter(callable, (getattr(layer, name, None) for name in CLEARING)):
        clear()


def _ones(out: Any) -> Any:
    """The cotangent of ones; 1 of a loss."""
    if isinstance(out, tuple):
        return tuple(map(_ones, out))
    return 1 if np.ndim(out) == 0 else np.ones_like(out)


def _takes(function: Callable[..., Any], count: int) -> bool:
    """Whether a function can be called with so many arguments."""
    try:
        inspect.signature(function).bind(*range(count))
    except (TypeError, ValueError):
        return False
    return True


def _in_strides(array: Array, expanded: bool) -> Array:
    """An array of its own with the same strides; what is `expanded` stays so, and is read-only."""
    once = tuple(slice(None) if step else slice(1) for step in array.strides)
    return (
        np.broadcast_to(array[once].copy("K"), array.shape)
        if expanded and 0 in array.strides
        else array.copy("K")
    )


def _kind(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return f"an array of {dtype}" if isinstance(value, np.ndarray) else kind_of(value)
