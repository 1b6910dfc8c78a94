"""Networks in the style of the book: loss(x, t), gradient(x, t), and params, which the layers inside share.

Each question is asked of a copy, in which every parameter is replaced wherever the network holds it, so the
network itself stays what it was. The seed is reset before each run, so that Dropout draws the same mask.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from harness.subject.contents import Contents, changed, identity, read, said
from harness.subject.copies import BY_IDENTITY, alike
from harness.subject.derivative import Array
from harness.subject.gradient_names import FORMS, under_own_names
from harness.subject.layers import Call
from harness.subject.moving import (
    OUTSIDE,
    differs,
    has_row_for_each,
    instead,
    is_same,
    is_trained,
    moved,
    never_moving,
    reads_elsewhere,
    writable,
    written_over,
)
from harness.subject.outside import Runs, in_a_set, shared
from harness.subject.pairs import collected, non_arrays_with_gradients, paired
from harness.subject.stale import kept, told
from oracles.exact.from_numpy.array import is_traced
from oracles.exact.program.program import FLOATS
from oracles.exact.program.trees import flatten
from oracles.exact.program.words import kind_of, shown

METHODS = ("loss", "gradient")


class Network:
    """A network's loss as a function of its parameters, and its gradient as that function's.

    Attributes:
        net: The user's object; it is copied. It runs itself once, and is put back.
        names: The keys of `params`, in order.
        notes: What was seen on the way and is not wrong.
        faults: Keys that `params` and the gradients do not share.
        unmoved: For each parameter without which loss is the same, that in words.
        refused: Why nothing can be asked of the network; "" if it can.
        advice: What to pass where loss has a flag that gradient does not know; "" if it has none.
        is_loss, needs_none: True: the gradient is along 1, and takes no cotangent.
        steps: Whether what it keeps of its parameters, once they are written over, is a fault.
        compares, added: As of `Layer`.
    """

    is_loss, needs_none, steps, compares = True, True, False, False
    added: tuple[str, ...] = ()

    def __init__(self, net: Any, x: Any, t: Any, options: dict[str, Any], seed: int) -> None:
        """Run the gradient once, to see what it gives.

        Raises:
            ValueError: The object is no such network.
        """
        if isinstance(net, type):
            raise ValueError(f"net must be an object, got the class {net.__name__}: pass {net.__name__}(...)")
        net = _filled(net)
        missing = [f"{name}(x, t)" for name in METHODS if not callable(getattr(net, name, None))]
        missing += [] if hasattr(net, "params") else ["params"]
        if missing:
            raise ValueError(
                "net must have loss(x, t), gradient(x, t), which returns a dictionary, and params, a "
                f"dictionary with the same keys, got {kind_of(net)} without {' and '.join(missing)}"
            )
        if not isinstance(net.params, dict) or not net.params:
            got = "an empty dictionary" if isinstance(net.params, dict) else shown(net.params)
            raise ValueError(f"params must be a dictionary of floating arrays, with their names, got {got}")
        self.net, self.target, self.options, self.seed = net, t, options, seed
        self._params = dict(net.params)
        self.names = list(self._params)
        self.notes: dict[str, None] = {}
        self._refuse_parameters()
        self._contents = Contents(net)
        self._contents.apart(self._params.values())
        takes = inspect.signature(net.gradient).parameters
        takes_all = any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes.values())
        self._gradient_options = {
            name: value for name, value in options.items() if takes_all or name in takes
        }
        self._written: list[Array] = []
        self.faults, self.unmoved, self.refused = list[str](), dict[str, str](), ""
        self.advice = ""
        runs = (partial(self._run, method=method, x=x) for method in METHODS)
        if not all(alike(net, partial(self._contents.copied, {}), run) for run in runs):
            self.refused = f"{type(net).__name__} gives {BY_IDENTITY}"
        self.refused = self.refused or in_a_set(net)
        if self.refused:
            return
        ran = self._contents.copied({})
        start = Contents(ran)
        before = start.numbers()
        found = self._run(ran, "gradient", x)
        written = changed(start, before) & self._contents.arrays.keys()
        self._written = [self._contents.arrays[place] for place in written]
        if not isinstance(found, dict):
            raise ValueError(
                f"{type(net).__name__}.gradient must return a dictionary with the keys of params, got "
                f"{kind_of(found)}"
            )
        for name in (n for n in self.names if isinstance(found.get(n), str | list | tuple)):
            raise ValueError(f"gradient must give an array for {name!r}, got {kind_of(found[name])}")
        self.faults = [
            *(
                f"gradient has no {name!r}, which is in params{_beside(name, found, self.names)}"
                for name in self.names if name not in found
            ),
            *(f"gradient has {name!r}, which is not in params" for name in found if name not in self.names),
        ]  # fmt: skip
        out = self._run(self._contents.copied({}), "loss", x)
        shapes = [np.shape(leaf) for leaf in flatten("numpy", out)[0]]
        if list(map(math.prod, shapes)) != [1]:
            raise ValueError(
                f"{type(net).__name__}.loss must return a single number, got shape "
                f"{', '.join(map(str, shapes))}: return the loss alone (the sum of all is not taken)"
            )
        runs_of_copies = Runs(
            copied=partial(self._contents.copied, {}),
            forward=partial(self._run, method="loss", x=x),
            backward=lambda copy, _: self._run(copy, "gradient", x),
            given=[x, t, *options.values()],
        )
        self.refused, note = shared(runs_of_copies)
        self.notes |= {note: None} if note else {}
        if self.refused:
            return
        self.advice = self._advice(takes, x, out)
        self.faults += self._not_compared(x, out, ran)
        (over,) = written_over(self._contents, lambda ran, _: self._run(ran, "gradient", x))
        self._written += [array for place, array in self._contents.arrays.items() if place in over - written]
        still = [self.names[k] for k in never_moving(self.forward, [x], self.parameters)]
        self.unmoved = {
            str(name): f"loss does not move with params[{name!r}]: do the layers hold a copy of it?"
            for name in still
        }
        if reads_elsewhere(list(self._params.values()), partial(self._gone_through, x), self.parameters):
            self.refused = f"loss {OUTSIDE}"
        elif still == self.names:
            self.refused = (
                "loss moves with none of params, so no gradient can be verified: let the layers hold the "
                "arrays of params themselves, no copies"
            )

    def _refuse_parameters(self) -> None:
        for name, value in self._params.items():
            kind = str(value.dtype) if isinstance(value, np.ndarray) else kind_of(value)
            if not isinstance(value, np.ndarray) or kind not in FLOATS:
                allowed = ", ".join(sorted(FLOATS))
                raise ValueError(f"params[{name!r}] must be an array of {allowed}, got {kind}")
            first = next(n for n, other in self._params.items() if other is value)
            if first != name:
                raise ValueError(
                    f"params[{name!r}] is the same array as params[{first!r}]: keep it under one key, with "
                    "the sum of its gradients"
                )

    def _not_compared(self, x: Any, out: Any, ran: Any) -> Iterator[str]:
        """What moves the loss and is not in params: a fault if its gradient is left beside it, or a note."""
        own = list(self._params.values())
        known = {id(array) for array in (*own, *self._written)}
        still = {identity(array): np.copy for array in own}
        arrays = {place: array for place, array in self._contents.arrays.items() if id(array) not in known}
        held = {id(read(ran, place)) for place in arrays}
        held |= set(map(id, self._contents.floats(ran).values()))
        beside = {p.place: p.gradients[0] for p in paired(ran, held)} | dict(non_arrays_with_gradients(ran))
        places = [
            place for place, array in arrays.items()
            if isinstance(array, np.ndarray) and self._moves(x, out, {id(array): moved, **still})
        ]  # fmt: skip
        loss = partial(self._run, method="loss", x=x)
        places += [
            place for place, gradient in beside.items()
            if place not in arrays and is_trained(self._contents, ran, place, gradient, loss, out)
        ]  # fmt: skip
        for place in places:
            told = f"{said(place)} moves the loss, and is not compared: it is not in params"
            alike = place in beside and np.shape(read(ran, place)) == np.shape(read(ran, beside[place]))
            if alike and len(place) == 1:
                yield f"{told}; put it there as an array, and {said(beside[place])} in what gradient returns"
            elif collected(place, set()):
                told = f"{said(place)} is taken for what the network collects, and is not compared"
                self.notes[told] = None
            else:
                self.notes[told] = None

    def _advice(self, of_gradient: Iterable[str], x: Any, out: Any) -> str:
        """Which options to pass where loss has flags that gradient is not given, and that move it."""
        known = {*of_gradient, *self.options}
        flags = {
            name: parameter.default
            for name, parameter in inspect.signature(self.net.loss).parameters.items()
            if type(parameter.default) in (bool, int, float) and name not in known
        }
        moving = {name: default for name, default in flags.items() if self._depends(name, default, x, out)}
        if not moving:
            return ""
        asked = ", ".join(f"{name}={default!r}" for name, default in moving.items())
        others = {name: not default if type(default) is bool else "..." for name, default in moving.items()}
        meant = ", ".join(f'"{name}": {other}' for name, other in others.items())
        return (
            f"loss was asked with {asked}, which gradient does not take: if gradient computes it otherwise, "
            f"pass options={{{meant}}}"
        )

    def _depends(self, flag: str, default: Any, x: Any, out: Any) -> bool:
        """Whether loss is another one where a flag has another value."""
        options = self.options | {flag: not default if type(default) is bool else default + 1}
        with np.errstate(all="ignore"):
            return differs(lambda: self._run(self._contents.copied({}), "loss", x, options), out)

    def _moves(self, x: Any, out: Any, new: Mapping[int, Callable[[Array], Any]]) -> bool:
        return differs(lambda: self._run(self._contents.copied(new), "loss", x), out)

    def _gone_through(self, x: Any, parameters: Sequence[Any]) -> Any:
        return self.forward(x, *parameters), self.backward(1, x, *parameters)

    @property
    def places(self) -> list[str]:
        """What stands in code for the parameters, after the network."""
        return [f".params[{name!r}]" for name in self.names]

    @property
    def parameters(self) -> list[Array]:
        """The parameters' numbers."""
        return [value.copy() for value in self._params.values()]

    def forward(self, x: Any, *parameters: Any) -> Any:
        """What the network's loss is with these parameters."""
        return self._loss(x, self._compared(parameters))

    def _loss(self, x: Any, parameters: tuple[Any, ...]) -> Any:
        return self._run(self._with(parameters), "loss", x)

    def _compared(self, parameters: tuple[Any, ...]) -> tuple[Any, ...]:
        """The parameters; what comes after them is the target from here on."""
        if not self.compares:
            return parameters
        self.target = parameters[-1]
        return parameters[:-1]

    @property
    def rule(self) -> Callable[..., Any]:
        """The user's own gradient."""
        found: Callable[..., Any] = self.net.gradient
        return found

    def backward(self, cotangent: Any, x: Any, *parameters: Any) -> tuple[Any, ...]:
        """The gradients with these parameters; None where there is none."""
        return self._gradients(self._with(self._compared(parameters)), x)

    def reused(self, x: Any, *parameters: Any) -> Callable[[tuple[Any]], tuple[Any, ...]]:
        """Take the gradients of other examples on an object; gives what takes these on it.

        First of twice as many, if it takes them: it may keep their number. Not on that object if its loss
        remembers others on purpose.
        """
        parameters = self._compared(parameters)
        if self.steps:
            self._see_what_is_kept(x, parameters)
        if self._remembers(x, parameters):
            self.notes["loss returns other values when the object has run before"] = None
            return lambda directions: self._gradients(self._with(parameters), x)
        net = self._after_more(x, parameters)
        if net is None:
            net = self._with(parameters)
            self._gradients(net, np.roll(x, 1))
        return lambda directions: self._gradients(net, x)

    def _after_more(self, x: Any, parameters: tuple[Any, ...]) -> Any:
        """A network that has taken those of twice as many examples, and of others; None if it does not."""
        net, target = self._with(parameters), self.target
        if any(is_traced(array) for array in (x, *parameters)) or not has_row_for_each(target, x):
            return None
        try:
            self.target = np.concatenate([target, target])
            self._gradients(net, np.concatenate([x, x]))
            self.target = target
            self._gradients(net, np.roll(x, 1))
            stays = is_same(list(net.params.values()), list(parameters))
            return net if stays and is_same(self._run(net, "loss", x), self._loss(x, parameters)) else None
        except Exception:  # it may be of one number, as it is built
            return None
        finally:
            self.target = target

    def _see_what_is_kept(self, x: Any, parameters: tuple[Any, ...]) -> None:
        """A note where it gives something else once its parameters were others, and written over."""
        if any(is_traced(array) for array in (x, *parameters)):
            return

        def given(net: Any) -> Any:
            return self._run(net, "loss", x), self._gradients(net, x)

        def used(numbers: Sequence[Array]) -> Any:
            net = self._with(tuple(numbers))
            given(net)
            return net

        def write(net: Any, numbers: Sequence[Array]) -> None:
            for own, value in zip(net.params.values(), numbers, strict=True):
                own[...] = value

        if found := kept(parameters, used, write, given, given(self._with(parameters))):
            self.notes[told([f"params[{self.names[k]!r}]" for k in found])] = None

    def _remembers(self, x: Any, parameters: tuple[Any, ...]) -> bool:
        """Whether loss is neither that of a new object nor the one before, with the same parameters."""
        net, elsewhere = self._with(parameters), np.roll(x, 1)
        before = self._run(net, "loss", elsewhere)
        self._gradients(net, elsewhere)
        if not is_same(list(net.params.values()), list(parameters)):  # gradient has written into them
            return False
        after = self._run(net, "loss", x)
        return not is_same(after, self._loss(x, parameters)) and not is_same(after, before)

    def call(self, function: Callable[..., Any]) -> Call:
        """One of its functions, with the names of what it is given."""
        names = ("x", *map(str, self.names), *(["t"] if self.compares else []))
        return Call(function, names, type(self.net).__name__)

    def _with(self, parameters: tuple[Any, ...]) -> Any:
        """A copy of the network with these parameters in the place of its own."""
        new: dict[int, Callable[[Array], Any]] = {}
        if any(is_traced(parameter) for parameter in parameters):
            new |= {identity(array): writable for array in self._written}
        own = zip(self._params.values(), parameters, strict=True)
        return self._contents.copied(new | {identity(p): partial(instead, value) for p, value in own})

    def _gradients(self, net: Any, x: Any) -> tuple[Any, ...]:
        found = self._run(net, "gradient", x)
        return tuple(map(found.get, self.names))

    def _run(self, net: Any, method: str, x: Any, options: dict[str, Any] | None = None) -> Any:
        self._contents.rewind(net, self.seed)
        if options is None:
            options = self.options if method == "loss" else self._gradient_options
        own = x.copy()
        found = getattr(net, method)(own, self.target, **options)
        if method == "gradient" and type(found) is dict:
            found = under_own_names(found, self.names)
        if not is_traced(own) and not np.array_equal(own, x, equal_nan=True):
            self.notes[f"{method} writes into x; that is the caller's array"] = None
        return found


def _filled(net: Any) -> Any:
    """The network; a copy of one whose params a property has just made: it may be put back as it was."""
    own = getattr(net, "__dict__", {})
    before = {*own}
    with suppress(Exception):  # what it lacks is told later
        _ = net.params
    return net if {*own} == before else Contents(net).copied({})


def _beside(name: Any, found: Iterable[Any], names: Iterable[Any]) -> str:
    """The key that differs from a parameter's in capitals alone, in words; "" if there is none."""
    alike = (key for key in found if key not in names and str(key).lower() in _forms(str(name).lower()))
    return next((f" (found {key!r})" for key in alike), "")


def _forms(name: str) -> set[str]:
    return {form.format(name) for form in FORMS}
