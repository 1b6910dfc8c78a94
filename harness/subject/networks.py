"""Networks in the style of the book: loss(x, t), gradient(x, t), and params, which the layers inside share.

Each question is asked of a copy, in which every parameter is replaced wherever the network holds it, so the
network itself stays what it was. The seed is reset before each run, so that Dropout draws the same mask.
"""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Callable, Iterator
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from harness.subject.derivative import Array
from harness.subject.layers import Call
from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.program.program import FLOATS
from oracles.exact.program.words import kind_of

METHODS = ("loss", "gradient")


class Network:
    """A network's loss as a function of its parameters, and its gradient as that function's.

    Attributes:
        net: The user's object; it is copied and never touched.
        names: The keys of `params`, in order.
        notes: What was seen on the way and is not wrong.
        faults: Keys that `params` and the gradients do not share.
        unmoved: For each parameter without which loss is the same, that in words.
        is_loss: True: the gradient takes no cotangent.
    """

    is_loss = True

    def __init__(self, net: Any, x: Any, t: Any, options: dict[str, Any], seed: int) -> None:
        """Run the gradient once, to see what it gives.

        Raises:
            ValueError: The object is no such network, or loss uses a view of a parameter that is kept.
        """
        if isinstance(net, type):
            raise ValueError(f"net is the class {net.__name__}; pass an object of it")
        missing = [f"{name}(x, t)" for name in METHODS if not callable(getattr(net, name, None))]
        if not isinstance(getattr(net, "params", None), dict) or not net.params:
            missing.append("params")
        if missing:
            raise ValueError(
                f"{type(net).__name__} has no {' and no '.join(missing)}; a network has loss(x, t), "
                "gradient(x, t), which returns a dictionary, and params, a dictionary with the same keys"
            )
        self.net, self.target, self.options, self.seed = net, t, options, seed
        self.names = list(net.params)
        self.notes: dict[str, None] = {}
        self._refuse_parameters()
        takes = inspect.signature(net.gradient).parameters
        self._gradient_options = {name: value for name, value in options.items() if name in takes}
        found = self._run(copy.deepcopy(net), "gradient", x)
        if not isinstance(found, dict):
            raise ValueError(
                f"{type(net).__name__}.gradient returns {kind_of(found)}; it returns a dictionary "
                "with the keys of params"
            )
        self.faults = [
            *(f"gradient has no {name!r}, which is in params" for name in self.names if name not in found),
            *(f"gradient has {name!r}, which is not in params" for name in found if name not in self.names),
        ]
        self.unmoved = {str(name): self._unused(name) for name in self.names if not self._moves(x, name)}

    def _refuse_parameters(self) -> None:
        for name, value in self.net.params.items():
            kind = str(getattr(value, "dtype", type(value).__name__))
            if not isinstance(value, np.ndarray) or kind not in FLOATS:
                allowed = ", ".join(sorted(FLOATS))
                raise ValueError(f"params[{name!r}] is {kind}; allowed are arrays of {allowed}")

    def _unused(self, name: str) -> str:
        """What to say of a parameter that loss does not use.

        Raises:
            ValueError: It may use it all the same, through a view.
        """
        own = {id(value) for value in self.net.params.values()}
        for place, held in _arrays(self.net):
            if id(held) not in own and np.may_share_memory(held, self.net.params[name]):
                raise ValueError(
                    f"{place} is a view of params[{name!r}], which is replaced where it is checked; keep the "
                    "array itself, and take the view in loss"
                )
        return f"loss does not move with params[{name!r}]: do the layers hold a copy of it?"

    def _moves(self, x: Any, name: str) -> bool:
        """Whether loss gives something else where a parameter has other numbers."""
        value = self.net.params[name]
        by = np.linspace(0.25, 0.75, value.size).reshape(value.shape)
        moved = {**self.net.params, name: value + by.astype(value.dtype)}
        with np.errstate(all="ignore"):
            before, after = (self.forward(x, *p.values()) for p in (self.net.params, moved))
        return not np.array_equal(before, after, equal_nan=True)

    @property
    def parameters(self) -> list[Array]:
        """The parameters' numbers."""
        return [value.copy() for value in self.net.params.values()]

    def forward(self, x: Any, *parameters: Any) -> Any:
        """What the network's loss is with these parameters."""
        return self._run(self._with(parameters), "loss", x)

    @property
    def rule(self) -> Callable[..., Any]:
        """The user's own gradient."""
        found: Callable[..., Any] = self.net.gradient
        return found

    def backward(self, cotangent: Any, x: Any, *parameters: Any) -> tuple[Any, ...]:
        """The gradients with these parameters; None where there is none."""
        return self._gradients(self._with(parameters), x)

    def reused(self, x: Any, *parameters: Any) -> Callable[[tuple[Any]], tuple[Any, ...]]:
        """Take the gradients of other examples on an object; gives what takes these on it."""
        net = self._with(parameters)
        self._gradients(net, np.roll(x, 1))
        return lambda directions: self._gradients(net, x)

    def call(self, function: Callable[..., Any]) -> Call:
        """One of its functions, with the names of what it is given."""
        return Call(function, ("x", *map(str, self.names)), type(self.net).__name__)

    def _with(self, parameters: tuple[Any, ...]) -> Any:
        """A copy of the network with these parameters in the place of its own."""
        net = copy.deepcopy(self.net)
        new = {id(net.params[name]): p.copy() for name, p in zip(self.names, parameters, strict=True)}
        _replace(net, new, set())
        return net

    def _gradients(self, net: Any, x: Any) -> tuple[Any, ...]:
        found = self._run(net, "gradient", x)
        return tuple(map(found.get, self.names))

    def _run(self, net: Any, method: str, x: Any) -> Any:
        np.random.seed(self.seed)  # noqa: NPY002 - the layers draw from it
        random.seed(self.seed)
        options = self.options if method == "loss" else self._gradient_options
        own = x.copy()
        found = getattr(net, method)(own, self.target, **options)
        if type(own) is not TracedArray and not np.array_equal(own, x, equal_nan=True):
            self.notes[f"{method} writes into x; that is the caller's array"] = None
        return found


def _parts(holder: Any) -> dict[Any, Any]:
    """What an object, list or dictionary holds, by attribute, number or key."""
    if isinstance(holder, dict):
        return dict(holder)
    if isinstance(holder, list | tuple):
        return dict(enumerate(holder))
    plain = isinstance(holder, type | ModuleType | FunctionType | np.ndarray)
    return {} if plain else dict(getattr(holder, "__dict__", {}))


def _arrays(holder: Any, place: str = "", seen: set[int] | None = None) -> Iterator[tuple[str, Array]]:
    """Every array that is held, and where."""
    seen = set() if seen is None else seen
    if id(holder) in seen:
        return
    seen.add(id(holder))
    for name, part in _parts(holder).items():
        inner = (
            f"{place}[{name!r}]" if isinstance(holder, dict | list | tuple) else f"{place}.{name}".strip(".")
        )
        if isinstance(part, np.ndarray):
            yield inner, part
        else:
            yield from _arrays(part, inner, seen)


def _replace(holder: Any, new: dict[int, Any], seen: set[int]) -> None:
    """Put new arrays in the place of others, by their identity, wherever they are held."""
    if id(holder) in seen:
        return
    seen.add(id(holder))
    for name, part in _parts(holder).items():
        if id(part) not in new:
            _replace(part, new, seen)
        elif isinstance(holder, dict | list):
            holder[name] = new[id(part)]
        elif not isinstance(holder, tuple):
            setattr(holder, name, new[id(part)])
