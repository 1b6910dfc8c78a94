"""Which arrays of an object are its parameters, and where its backward leaves the gradient of each.

Parameters and gradients stand side by side: `W` and `dW` in one object or dictionary, `params` and `grads`
with the same keys or in the same order, `value` and `grad` of one parameter. The object may be a layer
inside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from harness.subject.contents import Attribute, Holder, Item, Place, holders, is_floating, read, said
from oracles.exact.program.words import kind_of

PARAMETERS, GRADIENTS = "params", "grads"
LOOKS_LIKE_A_GRADIENT = re.compile(
    r"^(?!(x|in|inputs?|out|outputs?)_)(.*grad(?!_?(x|in|inputs?|out|outputs?)$)|d(?!X|Y|Z|Out|In)[A-Z])"
)
# What the gradient of `{}` is called.
CALLED = ("d{}", "d_{}", "grad_{}", "{}_grad", "grad{}", "{}_gradient", "gradient_{}", "grads_{}", "{}_grads")
# Containers of parameters, and of gradients, that are called otherwise.
CONTAINERS = dict.fromkeys((PARAMETERS, "parameters", "weights"), (GRADIENTS, "gradients"))
OF_ONE, NUMBERS = ("grad", "gradient"), ("value", "data", "val")  # of an object that is one parameter
Parts: TypeAlias = Mapping[Attribute | Item, Any]
Names: TypeAlias = Mapping[str, Attribute | Item]  # the last steps of places, by their names


@dataclass(frozen=True)
class Parameter:
    """A parameter of an object.

    Attributes:
        name: What it is called.
        place: Where it is held.
        gradients: Where its gradient is left: of an array that several layers share their sum.
    """

    name: str
    place: Place
    gradients: tuple[Place, ...]


def name_of(place: Place) -> str:
    """What an array there is called, or the list that it is in."""
    keys = (step if isinstance(step, Attribute) else step.key for step in reversed(place))
    return next((str(key) for key in keys if isinstance(key, str)), "")


def lists(thing: Any) -> bool:
    """Whether an object lists its parameters in `params`."""
    return any(map(_is_number, _items(getattr(thing, PARAMETERS, None)).values()))


def listed(ran: Any) -> list[Parameter]:
    """What an object that has run lists in `params`; nothing where it lists none.

    Raises:
        ValueError: A gradient is missing in `grads`.
    """
    own, grads = getattr(ran, PARAMETERS, None), getattr(ran, GRADIENTS, None)
    if not lists(ran):
        return []
    kind = dict if isinstance(own, dict) else (list, tuple)
    if not isinstance(grads, kind):
        raise ValueError(
            f"{type(ran).__name__} has `params`, {kind_of(own)}, and `grads` is "
            f"{'missing' if grads is None else type(grads).__name__}; after backward it holds the "
            "gradients under the same keys, or in the same order"
        )
    keys, held = _items(own), _items(grads)
    without = [key for key in keys if key not in held]
    if without:
        raise ValueError(f"{type(ran).__name__}.grads lacks {without}, which are in `params`")
    found: dict[int, Parameter] = {}
    for key, value in keys.items():
        if not _is_number(value):
            continue
        name = str(key) if isinstance(own, dict) else f"{PARAMETERS}[{key}]"
        place: Place = (Attribute(PARAMETERS), Item(key))
        same = found.get(id(value)) if is_floating(value) else None
        if same:
            name, place = same.name, same.place
        gradients = (*(same.gradients if same else ()), (Attribute(GRADIENTS), Item(key)))
        found[id(value) if is_floating(value) else -1 - len(found)] = Parameter(name, place, gradients)
    return list(found.values())


def paired(ran: Any, candidates: Set[int]) -> list[Parameter]:
    """The parameters that stand beside their gradients, anywhere in an object that has run.

    Args:
        ran: The object.
        candidates: The identities of the arrays that may be parameters.
    """
    found: dict[int, Parameter] = {}
    given: dict[int, list[Place]] = {}  # the holders of gradients of each array
    for holder in holders(ran):
        for place, gradient in _pairs(holder, candidates):
            which = id(read(ran, place))
            outer = given.setdefault(which, [])
            known = found.setdefault(which, Parameter(said(place), place, ()))
            if not any(_is_inside(holder.place, other) for other in outer):
                found[which] = replace(known, gradients=(*known.gradients, gradient))
                outer.append(holder.place)
    return list(found.values())


def _is_inside(place: Place, other: Place) -> bool:
    """Whether a holder is another one, or is held by it: then the outer one hands its gradients on."""
    return place[: len(other)] == other


def _pairs(holder: Holder, candidates: Set[int]) -> Iterator[tuple[Place, Place]]:
    """The places of parameters and their gradients in one object or dictionary."""
    named = ((step if isinstance(step, Attribute) else step.key, step) for step in holder.parts)
    here = {str(name): step for name, step in named if isinstance(name, str)}
    held = [name for name, step in here.items() if id(holder.parts[step]) in candidates]
    pairs = [(name, other) for name in held if (other := _beside(name, here, holder.parts))]
    if not pairs:
        pairs = list(_of_one(held, here, holder.parts))
    yield from (((*holder.place, here[name]), (*holder.place, here[other])) for name, other in pairs)
    of_gradients = {other for name in here for other in _called(name)} | {GRADIENTS, "gradients"}
    for name, step in here.items():
        own = _items(holder.parts[step]) if name not in of_gradients else {}
        keys = [key for key, value in own.items() if id(value) in candidates]
        names = (*_called(name), *CONTAINERS.get(name, ())) if keys else ()
        for other in names:
            gradients = _items(holder.parts[here[other]]) if other in here else {}
            both = [key for key in keys if is_floating(gradients.get(key))]
            for key in both:
                yield (*holder.place, step, Item(key)), (*holder.place, here[other], Item(key))
            if both:
                break
        else:
            for key in (key for key in keys if isinstance(key, str)):  # W in a dictionary, dW beside that
                if beside := _beside(key, here, holder.parts):
                    yield (*holder.place, step, Item(key)), (*holder.place, here[beside])


def _beside(name: str, here: Names, parts: Parts) -> str:
    """What the gradient of an array is called; "" where it is not there."""
    return next((other for other in _called(name) if other in here and is_floating(parts[here[other]])), "")


def _called(name: str) -> list[str]:
    """What the gradient of something may be called."""
    private = [f"_{form.format(name[1:])}" for form in CALLED if name.startswith("_")]
    return [*private, *(form.format(name) for form in CALLED)]


def _of_one(held: Sequence[str], here: Names, parts: Parts) -> Iterator[tuple[str, str]]:
    """The number and the gradient of an object that is one parameter."""
    for gradient in (name for name in OF_ONE if name in here and is_floating(parts[here[name]])):
        shape = parts[here[gradient]].shape
        alike = [name for name in held if name not in OF_ONE and parts[here[name]].shape == shape]
        chosen = [name for name in alike if name in NUMBERS] or alike
        if len(chosen) == 1:
            yield chosen[0], gradient
            return


def _items(container: Any) -> dict[Any, Any]:
    """What a dictionary, list or tuple holds."""
    if isinstance(container, dict):
        return container
    return dict(enumerate(container)) if isinstance(container, list | tuple) else {}


def _is_number(value: Any) -> bool:
    return is_floating(value) or isinstance(value, float)
