"""Copies of a layer, in which whatever is asked of it runs, so that the layer itself stays what it was."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial, reduce
from typing import Any

import numpy as np

from harness.subject.contents import Contents, Place, identity, is_inexact, read
from harness.subject.derivative import Array
from harness.subject.moving import differs, instead, writable, zeros
from harness.subject.number_lists import as_number
from harness.subject.pairs import Parameter
from harness.subject.state import unchanged
from oracles.exact.from_numpy.array import is_traced

# Where a layer leaves what its forward, or its backward, does not return (the style of nnfs.io).
OUTPUT, OF_INPUTS = "output", "dinputs"
# What an object that differs from copies of it "gives ...".
BY_IDENTITY = (
    "other results than a copy of it, and copies are checked: it may find an array by id(), such as "
    "id(self.W), and a copy has other ids; use attributes or names"
)
# How far what is computed in other memory may differ: in the spacing of its numbers, and at the most.
NEAR, NEAREST = 2.0**6, 2.0**-17
# What a backward calls what forward gave it beside the result.
CACHES = frozenset({"cache", "caches", "ctx", "context", "saved", "memo", "tape"})
CLEARING = ("zero_grad", "zero_grads", "clear_grads", "cleargrads", "flush_gradients")


class Copies:
    """A layer, what its forward takes beside the inputs, and what is known of the arrays that it holds.

    Attributes:
        layer: The user's object, or a copy of it in which the first forward has made the parameters.
        contents: What it holds.
        target: What a loss layer compares with, None for other layers.
        options: More arguments for forward, such as train_flg.
        seed: Set before every forward.
        constants: Other numbers for arrays that are no parameters.
        parameters: Those that were found, in the order of the gradients.
        gradients: The arrays that are nothing but gradients: 0 in each new copy.
        written: The arrays that a run writes into: these take recorded numbers while one is recorded.
        clearing: The methods that clear its gradients.
        clears: Whether it has any.
        cleared: Whether that is called for each new copy.
        first: Whether the first of its results is what counts.
        notes: What was seen on the way and is not wrong.
    """

    def __init__(self, layer: Any, target: Any, options: dict[str, Any], seed: int) -> None:
        """Of a layer that has not run yet."""
        self.layer, self.target, self.options, self.seed = layer, target, options, seed
        self.contents = Contents(layer)
        self.constants: dict[Place, Any] = {}
        self.parameters: list[Parameter] = []
        self.gradients: list[Array] = []
        self.written: list[Array] = []
        self.clearing = clearing(layer)
        self.clears = bool(self.clearing)
        self.cleared = self.clears
        self.first = False
        self.notes: dict[str, None] = {}

    def replace(self, layer: Any) -> None:
        """Go on with this object in the place of the layer."""
        self.layer, self.contents = layer, Contents(layer)

    @property
    def arrays(self) -> list[Array]:
        """The parameters that are arrays."""
        return [array for p in self.parameters if is_inexact(array := read(self.layer, p.place))]

    @property
    def numbers(self) -> list[Array]:
        """The parameters' numbers."""
        return [np.array(read(self.layer, parameter.place)) for parameter in self.parameters]

    def new(self, inputs: Sequence[Any] = (), parameters: Sequence[Any] = ()) -> Any:
        """A copy with these parameters, its gradients 0; what it writes into can be recorded."""
        others: dict[int, Callable[[Array], Any]] = {}
        if any(is_traced(array) for array in (*inputs, *parameters)):
            others |= {identity(array): writable for array in self.written}
        others |= {identity(array): zeros for array in self.gradients}
        for place, value in self.constants.items():
            others[identity(read(self.layer, place))] = partial(instead, value)
        pairs = list(zip(self.parameters, parameters, strict=False))
        for parameter, value in pairs:
            others[identity(read(self.layer, parameter.place))] = partial(instead, value)
        copy = self.contents.copied(others)
        for parameter, value in pairs:
            if not is_inexact(read(self.layer, parameter.place)):  # a number, which has no identity
                parameter.place[-1].put(read(copy, parameter.place[:-1]), value.item())
        if self.cleared:
            clear(copy)
        return copy

    def run(self, copy: Any, inputs: Sequence[Any], themselves: bool = False) -> Any:
        """What its forward gives, from the seed, of copies of the inputs or of them themselves."""
        self.contents.rewind(copy, self.seed)
        own = tuple(inputs) if themselves else tuple(x.copy() for x in inputs)
        out = copy.forward(*own, *(() if self.target is None else (self.target,)), **self.options)
        for given, x in zip(own, inputs, strict=True):
            if not is_traced(given) and not np.array_equal(given, x, equal_nan=True):
                self.notes["forward writes into x; that is the caller's array"] = None
        found: Any = getattr(copy, OUTPUT, None) if out is None else out
        return found[0] if self.first else found

    def see_what_counts(self, inputs: Sequence[Any]) -> None:
        """Whether backward takes the gradient of the first result alone, as beside attention weights."""
        with suppress(Exception):  # where they are really called, they say why
            layer, other = self.contents.copied({}), self.contents.copied({})
            out = self.run(layer, inputs)
            if not isinstance(out, tuple) or not out:
                return
            with suppress(Exception):
                pull(layer, ones(out))
                return
            pull(other, ones(self.run(other, inputs)[0]))
            said = f"backward takes the gradient of the first of {len(out)} results alone, which is compared"
            self.first, self.notes[said] = True, None

    def write(self, copy: Any, parameters: Sequence[Array]) -> None:
        """Write numbers into its parameters in place, as a step of training does."""
        for parameter, value in zip(self.parameters, parameters, strict=True):
            own = read(copy, parameter.place)
            if isinstance(own, np.ndarray):
                own[...] = value
            else:
                new = instead(value, own) if is_inexact(own) else value.item()
                parameter.place[-1].put(read(copy, parameter.place[:-1]), new)

    def move(self, inputs: Sequence[Array], out: Any, new: Mapping[int, Callable[[Array], Any]]) -> bool:
        """Whether forward gives something else than `out` where these arrays have other numbers."""
        return differs(lambda: self.run(self.contents.copied(new), inputs), out)

    def are_alike(self, inputs: Sequence[Array]) -> bool:
        """Whether copies of the layer give what it gives itself, and leave what it leaves."""

        def run(layer: Any) -> Any:
            out = self.run(layer, inputs)
            return out, pull(layer, ones(out)), list(Contents(layer).numbers().values())

        return alike(self.layer, partial(self.contents.copied, {}), run)

    def gradient(self, copy: Any, parameter: Parameter) -> Any:
        """What backward left for a parameter; of several arrays the sum."""
        each = {id(g): g for place in parameter.gradients if (g := read(copy, place)) is not None}
        if not each:
            return None
        found = reduce(lambda one, other: one + other, each.values())
        if not is_inexact(read(self.layer, parameter.place)):
            found = as_number(found)
        return found.copy() if self.clears and hasattr(found, "copy") else found


def alike(thing: Any, copied: Callable[[], Any], run: Callable[[Any], Any]) -> bool:
    """Whether an object gives what copies of it give, where these agree. It is put back as it was."""
    first, second = _given(run, copied()), _given(run, copied())
    if not is_near(first, second):  # of chance, say
        return True
    with unchanged([thing]):
        return is_near(_given(run, thing), first)


def _given(run: Callable[[Any], Any], thing: Any) -> Any:
    """What a run gives, or the type of what it raises."""
    try:
        with np.errstate(all="ignore"):
            return run(thing)
    except Exception as error:
        return type(error).__name__


def is_near(one: Any, other: Any) -> bool:
    """Whether two results are the same, but for the order in which a library adds what lies elsewhere."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_near(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(is_near, one, other))
    if isinstance(one, dict | tuple | list) or isinstance(other, dict | tuple | list):
        return False
    a, b = np.asarray(one), np.asarray(other)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    if a.dtype.kind not in "fc":  # what stands in an array of objects is looked at by itself
        return a.dtype.kind == "O" or bool(np.array_equal(a, b))
    with np.errstate(all="ignore"):
        largest = np.max(np.abs(a), where=np.isfinite(a), initial=0)
        room = min(NEAR * float(np.finfo(a.dtype).eps), NEAREST) * largest
        return bool(np.all((a == b) | (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= room)))


def pull(copy: Any, dout: Any) -> Any:
    """What its backward gives, of the cotangents of several results one by one where it takes them so.

    That of a loss, a single number, may take none: its cotangent is 1.

    Raises:
        ValueError: It takes no cotangent of a result that is no single number, or more than that.
    """
    one_by_one = isinstance(dout, tuple) and takes(copy.backward, len(dout))
    if one_by_one:
        _refuse_cache(copy, len(dout))
    try:
        if _is_of_loss(copy.backward, dout):
            found = copy.backward()
        else:
            found = copy.backward(*dout) if one_by_one else copy.backward(dout)
    except TypeError:
        signature = _signature(copy.backward)
        if one_by_one or signature is None or takes(copy.backward, 1):
            raise
        raise ValueError(
            "backward must take the gradient of what forward returns, backward(dout), got "
            f"{type(copy).__name__}.backward{signature}: keep in forward what else it needs; "
            "of a loss, a single number, dout may be left out"
        ) from None
    return getattr(copy, OF_INPUTS, None) if found is None else found


def _refuse_cache(copy: Any, count: int) -> None:
    """Refuse a second result that is no result, but what backward needs."""
    if cache := CACHES.intersection(parameters_of(copy.backward)):
        name, signature = min(cache), _signature(copy.backward)
        raise ValueError(
            f"forward must return its result alone, and keep the rest as self.{name}: it returns {count} "
            f"arrays, and {type(copy).__name__}.backward{signature} takes a {name}; as a function it is "
            "check_gradient(lambda x: layer.forward(x)[0], (x,), vjp=lambda dout, x: layer.backward(dout, "
            "layer.forward(x)[1]))"
        )


def _is_of_loss(backward: Callable[..., Any], dout: Any) -> bool:
    return (
        not isinstance(dout, tuple) and np.size(dout) == 1 and takes(backward, 0) and not takes(backward, 1)
    )


def clearing(thing: Any) -> list[str]:
    """The methods of an object that clear its gradients, and take nothing."""
    return [name for name in CLEARING if takes(getattr(thing, name, None), 0)]


def clear(copy: Any) -> None:
    """Call what clears its gradients, as a loop of training does."""
    for name in clearing(copy):
        getattr(copy, name)()


def ones(out: Any) -> Any:
    """The cotangent of ones; 1 of a loss."""
    if isinstance(out, tuple):
        return tuple(map(ones, out))
    return np.ones_like(out)[()]  # of a number a number


def drawn(out: Any, seed: int) -> Any:
    """A random cotangent, from a seed; 1 of a loss."""
    if isinstance(out, tuple):
        return tuple(drawn(one, seed + k) for k, one in enumerate(out))
    if np.size(out) == 1:
        return ones(out)
    return np.random.default_rng([seed, 2]).normal(size=np.shape(out)).astype(np.asarray(out).dtype)


def scaled(dout: Any, scale: float) -> Any:
    """A cotangent times a number."""
    return tuple(scaled(one, scale) for one in dout) if isinstance(dout, tuple) else dout * scale


def takes(function: Any, count: int) -> bool:
    """Whether a function is known to take so many arguments."""
    signature = _signature(function) if callable(function) else None
    try:
        return signature is not None and bool(signature.bind(*range(count)))
    except TypeError:
        return False


def parameters_of(function: Callable[..., Any]) -> Sequence[str]:
    """What a function calls its arguments; nothing where it does not say."""
    signature = _signature(function)
    return () if signature is None else list(signature.parameters)


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # of compiled code
        return None
