"""Numbers beside the arrays that a gradient by hand gives something for: they are compared too.

Beside arrays a number of Python's is a constant, as a step size is. Where a gradient by hand gives something
for it, that is compared: dropped in silence, a wrong one would pass. An integer is compared at the float that
it equals. What cannot be compared is said. A number in a tree with arrays is one of the parameters; but where
the gradient gives nothing for it, as a dictionary without its key does, that is a constant.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from harness.subject.argnums import is_moving
from harness.subject.by_hand import by_hand, leaves_of
from harness.subject.derivative import Function
from harness.subject.names import names_of
from harness.subject.number_lists import is_single
from harness.subject.target import Target
from oracles.exact.program.program import FLOATS
from oracles.exact.program.trees import Tree, cast, dtype_of, flatten
from oracles.frameworks.framework import on_host, without_errors

Again = Callable[[Sequence[Any], Sequence[int]], Target]
Parts = Sequence[tuple[list[Any], Tree]]


class Number(NamedTuple):
    """A leaf of an argument that is not differentiated, and what is given as its gradient.

    Attributes:
        name: What it is called.
        place, at: Its argument's place, and its own in that.
        leaf: It.
        gradient: What is given. A 0 may stand for no gradient.
    """

    name: str
    place: int
    at: int
    leaf: Any
    gradient: Any

    @property
    def is_zero(self) -> bool:
        """Whether a 0 is given, or zeros."""
        value = on_host(self.gradient) if dtype_of(self.gradient) else self.gradient
        return type(value) in {int, float, complex, np.ndarray} and not np.any(value)

    @property
    def is_missing(self) -> bool:
        """Whether nothing is given: None, or one of JAX's zeros of no dtype."""
        return self.gradient is None or getattr(self.gradient, "dtype", None) == np.dtype([("float0", "V")])

    def floating(self, framework: str) -> Any:
        """It as what can be differentiated: a number of Python's has the dtype that its gradient has."""
        dtype = dtype_of(self.gradient)
        if dtype_of(self.leaf):
            return cast(framework, self.leaf, dtype if dtype in FLOATS else "float64")
        if type(self.leaf) is complex:
            return np.complex128(self.leaf)
        return float(self.leaf) if dtype not in {*FLOATS} - {"float64"} else np.dtype(dtype).type(self.leaf)


def with_given_numbers(
    target: Target, args: Sequence[Any], backward: Function, again: Again, named: bool
) -> Target:
    """The target with the numbers that the gradient gives something for among what is differentiated.

    Args:
        target: The function, of which the floating arrays are differentiated.
        args: Its arguments.
        backward: The gradient by hand.
        again: Makes the target of other arguments and argnums.
        named: Whether argnums was given, and so other arguments are constants.
    """
    parts = [flatten(target.framework.name, arg) for arg in args]
    if not any(_is_number(leaf) for leaves, _ in parts for leaf in leaves):
        return target
    found, notes = target, list[str]()
    for number in _numbers(target, parts, _given(target, backward)):
        chosen = [argument.place for argument in found.arguments]
        inside = number.place in chosen
        if number.is_missing:
            if inside and type(number.leaf) is float and _is_beside_arrays(parts[number.place][0]):
                found = found.holding(number.place, number.at)
                notes.append(f"{number.name} is a number that the gradient gives nothing for, so a constant")
            continue
        if named and not inside:
            continue
        if is_single(number.gradient) and (not dtype_of(number.leaf) or isinstance(number.leaf, np.generic)):
            shape = f"an array of shape {tuple(number.gradient.shape)}"
            notes.append(
                f"{number.name} is a number, and its gradient {shape}, whose one element is compared"
            )
        if inside and (type(number.leaf) is float or is_moving(number.leaf)):
            continue
        if number.is_zero and _is_integer(number.leaf):
            notes.append(f"{number.name} is an integer, so a constant: the 0 given for it is not compared")
            continue
        try:
            moved = _moved(args, number, target.framework.name)
        except OverflowError:  # an integer that no float holds
            notes.append(_told(number, False))
            continue
        other = _alike(found, moved, chosen if inside else sorted([*chosen, number.place]), again)
        notes.append(_told(number, other is not None))
        found, args = (other, moved) if other else (found, args)
    return replace(found, notes=(*found.notes, *filter(None, notes)))


def _given(target: Target, backward: Function) -> Mapping[int, Any]:
    """What the gradient gives along a drawn cotangent, by the places of the arguments; it may raise later."""
    written, rng = by_hand(target, backward), np.random.default_rng(0)
    count = len(target.results.names)
    try:
        values = target.values()
        drawn = [np.asarray(rng.normal(size=v.shape), v.dtype) for v in values]
        own = target.subject(lambda *a: written.given(a[:count], *a[count:]), target.flat)
        with without_errors():
            found: Mapping[int, Any] = own.value(*(own.load(a.copy("K")) for a in (*drawn, *target.arrays)))
    except Exception:
        return {}
    return found


def _numbers(target: Target, parts: Parts, given: Mapping[int, Any]) -> Iterator[Number]:
    """The numbers, with what is given for them."""
    first = 0
    for place, (leaves, tree) in enumerate(parts):
        gradients = leaves_of(given[place], tree) if place in given else []
        for at, (leaf, gradient) in enumerate(zip(leaves, gradients, strict=False)):
            if _is_number(leaf):
                (name,) = names_of(target.flat.function, target.flat.tree, [first + at])
                yield Number(name, place, at, leaf, gradient)
        first += len(leaves)


def _moved(args: Sequence[Any], number: Number, framework: str) -> list[Any]:
    """The arguments with this number as one that can be differentiated."""
    leaves, tree = flatten(framework, args[number.place])
    leaves[number.at] = number.floating(framework)
    return [*args[: number.place], tree.filled(leaves), *args[number.place + 1 :]]


def _alike(target: Target, args: Sequence[Any], argnums: Sequence[int], again: Again) -> Target | None:
    """The target of these arguments; None where it has another value, or cannot be recorded."""
    try:
        other = again(args, argnums)
        other.framework.record(other.flat, other.arrays, differentiate=True)
        values = list(zip(target.values(), other.values(), strict=True))
    except Exception:
        return None
    same = all(a.dtype == b.dtype and np.array_equal(a, b, equal_nan=True) for a, b in values)
    return other if same else None


def _told(number: Number, compared: bool) -> str:
    """What of a number is to be said."""
    if not compared:
        return (
            f"the gradient given for {number.name} is not compared: f takes no floating array in its place, "
            "or has another value then"
        )
    if number.is_zero:
        return f"{number.name} is compared, since 0 is given as its gradient; for a constant give None"
    as_float = f"{number.name} is compared as a float, since a gradient is given for it"
    return as_float if _is_integer(number.leaf) else ""


def _is_number(leaf: Any) -> bool:
    """Whether it is a number, or an array of integers, which is not differentiated unasked."""
    return type(leaf) in {float, complex} or isinstance(leaf, np.generic) or _is_integer(leaf)


def _is_integer(leaf: Any) -> bool:
    """Whether it is an integer, or an array of such; True is none."""
    return type(leaf) is int or dtype_of(leaf).startswith(("int", "uint"))


def _is_beside_arrays(leaves: Sequence[Any]) -> bool:
    """Whether arrays are differentiated in the same argument."""
    return any(map(is_moving, leaves))
