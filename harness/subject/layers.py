"""Layers in the style of the book: forward(x), backward(dout), gradients left in attributes or in `grads`.

A layer keeps state between the two; here each question is asked of a copy of it, so the layer itself stays
what it was, and the seed is reset before every forward, so that Dropout draws the same mask.
"""

from __future__ import annotations

import copy
import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from harness.subject.derivative import Array
from oracles.exact.from_numpy.array import TracedArray
from oracles.exact.program.words import kind_of

PARAMETERS, GRADIENTS = "params", "grads"
KEPT = ("_", "running_", "moving_")  # what a layer collects, by custom
LOOKS_LIKE_A_GRADIENT = re.compile(r"grad|^d(?!X|Y|Z|Out|In)[A-Z]")
CLEARING = ("zero_grad", "zero_grads", "clear_grads", "cleargrads")
WRITES = "backward writes into dout; that is the caller's array"


class Layer:
    """A layer as a function of its input and its parameters, and its backward as a gradient of that.

    Attributes:
        layer: The user's object; it is copied and never touched.
        target: What a loss layer compares with, None for other layers.
        options: More arguments for forward, such as train_flg.
        seed: Set before every forward.
        moves: Whether its input is differentiated: integers, as those that an embedding looks up, are not.
        is_loss: Whether it returns a single number; then backward may ignore dout.
        names: The parameters', in the order of the gradients: an attribute, or a place in `params`.
        notes: What was seen on the way and is not wrong.
        faults: What moves the result, or looks like a gradient, and is not compared.
        unmoved: Nothing here: see `Network`.
    """

    unmoved: Mapping[str, str] = MappingProxyType({})

    def __init__(
        self,
        layer: Any,
        x: Array,
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
        self.moves = x.dtype.kind not in "iu"
        self.notes: dict[str, None] = {}
        self.faults: list[str] = []
        unknown = [name for name in constants if not hasattr(layer, name)]
        if unknown:
            raise ValueError(f"constants has {unknown[0]!r}, which the layer has not")
        self.names: list[str | int] = []
        before = {name: a for name, a in vars(layer).items() if _is_floating(a)}
        self._written: list[str] = []
        ran = self._copied(x)
        held = dict(vars(ran))
        out = self._run(ran, x, ())
        self.is_loss = np.ndim(out) == 0
        forward = dict(vars(ran))
        ran.backward(1 if self.is_loss else np.ones_like(out))
        self._written = [
            name for name, a in before.items()
            if vars(ran).get(name) is held[name] and not np.array_equal(held[name], a, equal_nan=True)
            and not _is_shared(before, name)  # a copy takes views of one array apart
        ]  # fmt: skip
        listed = getattr(layer, PARAMETERS, None)
        if isinstance(listed, dict | list | tuple) and len(listed):
            self.names = list(listed) if isinstance(listed, dict) else list(range(len(listed)))
            self._refuse_other_gradients(ran, listed)
        else:
            self.names = [name for name in before if _is_floating(getattr(ran, f"d{name}", None))]
            left = {n: v for n, v in vars(ran).items() if _is_floating(v) and v is not forward.get(n)}
            self.faults = list(self._not_compared(x, out, before, left, {*constants}))

    def _refuse_other_gradients(self, ran: Any, listed: Any) -> None:
        grads = getattr(ran, GRADIENTS, None)
        kind = dict if isinstance(listed, dict) else (list, tuple)
        if not isinstance(grads, kind):
            raise ValueError(
                f"{type(ran).__name__} has `params`, {kind_of(listed)}, and `grads` is "
                f"{'missing' if grads is None else type(grads).__name__}; after backward it holds the "
                "gradients under the same keys, or in the same order"
            )
        keys = set(grads) if isinstance(grads, dict) else set(range(len(grads)))
        without = [name for name in self.names if name not in keys]
        if without:
            raise ValueError(f"{type(ran).__name__}.grads lacks {without}, which are in `params`")

    def _not_compared(
        self, x: Array, out: Any, before: dict[str, Array], left: dict[str, Array], constants: set[str]
    ) -> Iterator[str]:
        """What moves the result and has no gradient; and gradients that backward left of nothing known."""
        known = {f"d{name}" for name in self.names}
        left = {name: value for name, value in left.items() if name not in known}
        for name, value in before.items():
            kept = name.startswith(KEPT) or name in {*self.names, *constants, *known, *left, *self._written}
            if kept or not isinstance(value, np.ndarray) or not self._moves(x, out, name, value):
                continue
            looking = filter(LOOKS_LIKE_A_GRADIENT.search, left)
            alike = [other for other in looking if left[other].shape == value.shape]
            left = {other: gradient for other, gradient in left.items() if other not in alike}
            asked = f"leave its gradient in d{name}"
            if alike:
                asked = f"is {alike[0]} its gradient? Call that d{name}"
            yield (
                f"{name} moves the result and is not compared: {asked}, put both in params and grads, or, if "
                f"it is a constant, name it in constants=[{name!r}]"
            )
        for name in filter(LOOKS_LIKE_A_GRADIENT.search, left):
            yield f"{name} looks like a gradient and is not compared: the layer has no parameter of that name"

    def _moves(self, x: Array, out: Any, name: str, value: Array) -> bool:
        """Whether forward gives something else where an attribute has other numbers."""
        moved = copy.deepcopy(self.layer)
        _write(moved, name, value + np.asarray(0.5, value.dtype))
        try:
            with np.errstate(all="ignore"):
                return not np.array_equal(self._run(moved, x, ()), out, equal_nan=True)
        except Exception:  # with numbers that nobody gave it, it may do anything
            return False

    @property
    def parameters(self) -> list[Array]:
        """The parameters' numbers."""
        return [np.array(_read(self.layer, PARAMETERS, name, "")) for name in self.names]

    def forward(self, x: Any, *parameters: Any) -> Any:
        """What the layer returns."""
        return self._forward(x, parameters)[1]

    @property
    def rule(self) -> Callable[..., Any]:
        """The user's own backward."""
        found: Callable[..., Any] = self.layer.backward
        return found

    def backward(self, dout: Any, x: Any, *parameters: Any) -> tuple[Any, ...]:
        """The gradients of the input and the parameters."""
        return self._pulled(self._forward(x, parameters)[0], dout)

    def reused(self, x: Any, *parameters: Any) -> Callable[[tuple[Any]], tuple[Any, ...]]:
        """Run forward and backward on the object elsewhere and then forward here; gives what pulls back.

        Before it does, another object of its kind runs elsewhere, as in a network with two. Not on that
        object if its forward draws numbers, or remembers others on purpose.
        """
        layer, before = self._forward(np.roll(x, 1), parameters)
        layer.backward(1 if self.is_loss else np.ones_like(before))
        for clear in filter(callable, (getattr(layer, name, None) for name in CLEARING)):
            clear()
        after, (fresh, alone) = self._run(layer, x, parameters), self._forward(x, parameters)
        if not np.array_equal(after, alone) and not np.array_equal(after, before):
            layer = fresh
            self.notes["forward gives something else on an object that was used before"] = None
        other, out = self._forward(np.roll(x, 1), parameters)
        other.backward(1 if self.is_loss else np.ones_like(out))
        return lambda directions: self._pulled(layer, directions[0])

    def _pulled(self, layer: Any, dout: Any) -> tuple[Any, ...]:
        given = _in_strides(dout, WRITES not in self.notes) if isinstance(dout, np.ndarray) else dout.copy()
        dx = layer.backward(given)
        plain = type(given) is not TracedArray
        if plain and not np.array_equal(given, dout, equal_nan=True):
            self.notes[WRITES] = None
        of_parameters = [_read(layer, GRADIENTS, name, "d") for name in self.names]
        found = [dx, *of_parameters] if self.moves else of_parameters
        return tuple(np.array(g) if plain and _is_number(g) else g for g in found)

    def _forward(self, x: Any, parameters: tuple[Any, ...]) -> tuple[Any, Any]:
        layer = self._copied(x)
        return layer, self._run(layer, x, parameters)

    def _copied(self, x: Any) -> Any:
        """A copy of the layer; what it writes into can be recorded where x is."""
        layer = copy.deepcopy(self.layer)
        grads = getattr(layer, GRADIENTS, None)
        if isinstance(grads, list):
            layer.grads = [np.zeros_like(g) if _is_floating(g) else g for g in grads]
        for name in self._written if type(x) is TracedArray else ():
            written = np.zeros_like(getattr(layer, name))
            written[...] = getattr(layer, name)
            setattr(layer, name, written)
        return layer

    def _run(self, layer: Any, x: Any, parameters: tuple[Any, ...]) -> Any:
        for name, value in zip(self.names, parameters, strict=False):
            _write(layer, name, value.copy())
        np.random.seed(self.seed)  # noqa: NPY002 - the layers draw from it
        random.seed(self.seed)
        own = x.copy()
        out = layer.forward(*((own,) if self.target is None else (own, self.target)), **self.options)
        if type(own) is not TracedArray and not np.array_equal(own, x, equal_nan=True):
            self.notes["forward writes into x; that is the caller's array"] = None
        return out

    def call(self, function: Callable[..., Any]) -> Call:
        """One of its functions, with the names of what it is given."""
        names = (n if isinstance(n, str) else f"{PARAMETERS}[{n}]" for n in self.names)
        return Call(function, ("x", *names), type(self.layer).__name__)


@dataclass(frozen=True)
class Call:
    """A function that knows what its arguments are called; the names need not be identifiers."""

    function: Callable[..., Any]
    argument_names: tuple[str, ...]
    __name__: str

    def __call__(self, *args: Any) -> Any:
        """The function."""
        return self.function(*args)


def _read(layer: Any, where: str, name: str | int, prefix: str) -> Any:
    """A parameter or its gradient."""
    kept = getattr(layer, where, None)
    if isinstance(kept, dict | list | tuple) and (isinstance(name, int) or name in kept):
        return kept[name]  # type: ignore[index]
    return getattr(layer, f"{prefix}{name}")


def _write(layer: Any, name: str | int, value: Any) -> None:
    """Put a parameter in the place of the old one, wherever the layer holds that."""
    kept = getattr(layer, PARAMETERS, None)
    inside = isinstance(kept, dict | list | tuple) and (isinstance(name, int) or name in kept)
    old = kept[name] if inside else getattr(layer, str(name))  # type: ignore[index]
    if isinstance(kept, tuple):
        kept = list(kept)
        layer.params = kept
    if inside:
        kept[name] = value  # type: ignore[index]
    for attribute, held in list(vars(layer).items()):
        if held is old:
            setattr(layer, attribute, value)


def _in_strides(array: Array, expanded: bool) -> Array:
    """An array of its own with the same strides; what is `expanded` stays so, and is read-only."""
    once = tuple(slice(None) if step else slice(1) for step in array.strides)
    return (
        np.broadcast_to(array[once].copy("K"), array.shape)
        if expanded and 0 in array.strides
        else array.copy("K")
    )


def _is_shared(attributes: dict[str, Array], name: str) -> bool:
    """Whether another attribute lies in the same memory."""
    own = attributes[name]
    return any(other is not own and np.may_share_memory(other, own) for other in attributes.values())


def _is_floating(value: Any) -> bool:
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "f"


def _is_number(value: Any) -> bool:
    return isinstance(value, float | np.generic)
