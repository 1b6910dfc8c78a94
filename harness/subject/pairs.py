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

import numpy as np

from harness.subject.contents import (
    Attribute,
    Holder,
    Item,
    Place,
    holders,
    is_inexact,
    is_of_objects,
    read,
    said,
)
from oracles.exact.program.containers import built_in_kind, items_of
from oracles.exact.program.words import kind_of

PARAMETERS, GRADIENTS = "params", "grads"
# The loss in the name of a gradient, as in dLdW, and the values in such a name that are no parameters.
LOSSES = ("L", "l", "J", "E", "C", "loss", "Loss", "cost", "Cost")
_OF_LOSS = rf"({'|'.join(LOSSES)})_?d_?"
_VALUES = r"([XYZAxyza]|[Ii]n(put)?s?|[Oo]ut(put)?s?)$"
LOOKS_LIKE_A_GRADIENT = re.compile(
    r"^(?!(x|in|inputs?|out|outputs?)_)("
    r".*grad(?!_?(x|in|inputs?|out|outputs?)$)|nabla_|"
    rf"d(?!X|Y|Z|Out|In|{_OF_LOSS}{_VALUES})([A-Z]|{_OF_LOSS}))"
)
# What the gradient of `{}` is called.
CALLED = (
    "d{}", "d_{}", "grad_{}", "{}_grad", "grad{}", "{}grad", "{}_gradient", "gradient_{}", "grads_{}",
    "{}_grads", "nabla_{}",
    *(f"d{loss}{between}" for loss in LOSSES for between in ("d{}", "_d{}", "_d_{}")),
)  # fmt: skip
OF_A_LETTER = "g{}"  # gW; a longer name makes words of it
# Containers of parameters, and of gradients, that are called otherwise.
GATHERED = (GRADIENTS, "gradients")
CONTAINERS = dict.fromkeys((PARAMETERS, "parameters", "weights"), GATHERED)
SAME = 1e-6  # by what part the numbers of one gradient may differ that was computed twice
COLLECTED = ("running_", "moving_")  # what a layer collects, by custom
OF_ONE, NUMBERS = ("grad", "gradient"), ("value", "data", "val")  # of an object that is one parameter
Parts: TypeAlias = Mapping[Attribute | Item, Any]
Way: TypeAlias = tuple[Item, ...]  # into containers
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


def collected(place: Place, put: Set[Place]) -> bool:
    """Whether an array is taken for what a layer collects: by its name, or private where forward `put` it."""
    name = name_of(place)
    return name.removeprefix("_").startswith(COLLECTED) or (name.startswith("_") and place in put)


def lists(thing: Any) -> bool:
    """Whether an object lists its parameters in `params`."""
    return any(map(is_number, leaves(getattr(thing, PARAMETERS, None)).values()))


def listed(ran: Any) -> list[Parameter]:
    """What an object that has run lists in `params`; nothing where it lists none.

    The gradients in `grads` have the same keys, or those of gradients: `dW` for `W`.

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
    keys, held = leaves(own), leaves(grads)
    ways = {way: _gradient_key(way, held) for way in keys}
    without = [way for way, found in ways.items() if found is None]
    if without:
        lacking = ", ".join(way[0].said[1:-1] if len(way) == 1 else said(way) for way in without)
        raise ValueError(f"{type(ran).__name__}.grads lacks [{lacking}], which are in `params`")
    found: dict[int, Parameter] = {}
    for way, value in keys.items():
        if not is_number(value):
            continue
        place: Place = (Attribute(PARAMETERS), *way)
        name = str(way[0].key) if isinstance(own, dict) and len(way) == 1 else said(place)
        same = found.get(id(value)) if is_inexact(value) else None
        if same:
            name, place = same.name, same.place
        gradient: Place = (Attribute(GRADIENTS), *(ways[way] or ()))
        gradients = (*(same.gradients if same else ()), gradient)
        found[id(value) if is_inexact(value) else -1 - len(found)] = Parameter(name, place, gradients)
    return list(found.values())


def _gradient_key(way: Way, held: Mapping[Way, Any]) -> Way | None:
    """Where the gradients have that of a parameter: under its key, or under what its gradient is called."""
    key = way[-1].key
    forms = [key, *(_called(key, {}) if isinstance(key, str) else ())]
    return next((found for form in forms if (found := (*way[:-1], Item(form))) in held), None)


def is_gathered(place: Place) -> bool:
    """Whether a gradient is in `grads`, from which an optimiser takes it."""
    return any(isinstance(step, Attribute) and step in GATHERED for step in place)


def is_called_alike(gradient: Place, place: Place) -> bool:
    """Whether a gradient has the name of that of an array, but for small and capital letters."""
    name, own = name_of(gradient).lower(), name_of(place)
    called = {form.lower() for form in _called(own, {})}
    return name in called or (is_gathered(gradient) and name == own.lower())


def elsewhere(ran: Any, before: Any, parameter: Parameter) -> Iterator[Place]:
    """Where else an object that has run has a gradient of this parameter, by its name, of other numbers.

    What was added to a gradient of `before`, the object that had not run, counts too.
    """
    compared, name = parameter.gradients, name_of(parameter.place[-1:])
    if not name:  # one of a list
        return
    steps = enumerate(parameter.place)
    owner = parameter.place[: max((k for k, step in steps if isinstance(step, Attribute)), default=0)]
    parts = next(holders(read(ran, owner), numbers=True)).parts
    here = _named(Holder(owner, parts))
    places = [(*owner, here[other]) for other in _called(name, here) if other in here]
    for container in (here[c] for c in GATHERED if c in here):
        found = leaves(parts[container])
        places += [(*owner, container, *way) for way in _ways_of(name) if way in found]
    for place in places:
        if place in compared:
            continue
        gradient, other, old = read(ran, compared[0]), read(ran, place), read(before, place)
        if _differ(gradient, other):
            grew = is_inexact(old) and old.shape == other.shape
            if not grew or _differ(gradient, other - old):
                yield place


def _differ(gradient: Any, other: Any) -> bool:
    """Whether two arrays of as many numbers have others, and the second one was filled."""
    if not is_inexact(gradient) or not is_inexact(other) or gradient.size != other.size:
        return False
    return bool(other.any()) and not np.allclose(gradient.ravel(), other.ravel(), SAME, 0)


def paired(ran: Any, candidates: Set[int]) -> list[Parameter]:
    """The parameters that stand beside their gradients, anywhere in an object that has run.

    Args:
        ran: The object.
        candidates: The identities of the arrays, and of Python's floats, that may be parameters.
    """
    found: dict[int | Place, Parameter] = {}
    given: dict[int | Place, list[Place]] = {}  # the holders of gradients of each array
    for holder in holders(ran, numbers=True):
        for place, gradient in _pairs(holder, candidates):
            which: int | Place = place if type(value := read(ran, place)) is float else id(value)
            outer = given.setdefault(which, [])
            known = found.setdefault(which, Parameter(said(place), place, ()))
            if not any(_is_inside(holder.place, other) for other in outer):
                found[which] = replace(known, gradients=(*known.gradients, gradient))
                outer.append(holder.place)
    return list(found.values())


def _is_inside(place: Place, other: Place) -> bool:
    """Whether a holder is another one, or is held by it: then the outer one hands its gradients on."""
    return place[: len(other)] == other


def non_arrays_with_gradients(ran: Any) -> Iterator[tuple[Place, Place]]:
    """What stands beside a gradient of its shape and is neither a floating array nor a float, and that.

    Integers, arrays of them, and lists and tuples of numbers are such.
    """
    for holder in holders(ran, numbers=True):
        here = _named(holder)
        for name, step in here.items():
            value = holder.parts[step]
            for other in (*_called(name, here), *CONTAINERS.get(name, ())):
                if other in here:
                    place, beside = (*holder.place, step), (*holder.place, here[other])
                    gradient = holder.parts[here[other]]
                    inside = leaves(gradient)
                    if _is_like(value, gradient) and not (inside and isinstance(value, list)):
                        yield place, beside
                    yield from (
                        ((*place, *way), (*beside, *way))
                        for way, leaf in leaves(value).items()
                        if way in inside and _is_like(leaf, inside[way])
                    )
            for container in (c for c in GATHERED if c in here):  # b, and its gradient in grads["b"]
                inside = leaves(holder.parts[here[container]])
                for way in (way for way in _ways_of(name) if way in inside and _is_like(value, inside[way])):
                    yield (*holder.place, step), (*holder.place, here[container], *way)


def _is_like(value: Any, gradient: Any) -> bool:
    """Whether one is of integers, or a list of numbers, and the other is floating, with the same shape."""
    if is_number(value) or not isinstance(value, np.ndarray | np.generic | int | list | tuple):
        return False
    try:
        own, other = np.asarray(value), np.asarray(gradient)
    except ValueError:  # rows of several lengths
        return False
    counts = own.dtype.kind in "iu" or is_inexact(own)
    return bool(own.size) and counts and is_inexact(other) and own.squeeze().shape == other.squeeze().shape


def _named(holder: Holder) -> dict[str, Attribute | Item]:
    named = ((step if isinstance(step, Attribute) else step.key, step) for step in holder.parts)
    return {str(name): step for name, step in named if isinstance(name, str)}


def _pairs(holder: Holder, candidates: Set[int]) -> Iterator[tuple[Place, Place]]:
    """The places of parameters and their gradients in one object or dictionary."""
    here = _named(holder)
    held = [name for name, step in here.items() if id(holder.parts[step]) in candidates]
    pairs = [(name, other) for name in held if (other := _beside(name, here, holder.parts))]
    if not pairs:
        pairs = list(_single_parameter(held, here, holder.parts))
    yield from (((*holder.place, here[name]), (*holder.place, here[other])) for name, other in pairs)
    alone = [name for name in held if name not in dict(pairs)]
    for container in (other for other in GATHERED if other in here):  # W, and its gradient in grads['W']
        inside = leaves(holder.parts[here[container]])
        for name in alone:
            if way := next((way for way in _ways_of(name) if is_number(inside.get(way))), None):
                yield (*holder.place, here[name]), (*holder.place, here[container], *way)
    of_gradients = {other for name in here for other in _called(name, here)} | {GRADIENTS, "gradients"}
    for name, step in here.items():
        own = leaves(holder.parts[step]) if name not in of_gradients else {}
        ways = [way for way, value in own.items() if id(value) in candidates]
        names = (*_called(name, here), *CONTAINERS.get(name, ())) if ways else ()
        for other in names:
            gradients = leaves(holder.parts[here[other]]) if other in here else {}
            both = [way for way in ways if is_number(gradients.get(way))]
            for way in both:
                yield (*holder.place, step, *way), (*holder.place, here[other], *way)
            if both:
                break
        else:
            for way in (way for way in ways if len(way) == 1):  # W in a dictionary, dW beside that
                key = way[0].key
                if isinstance(key, str) and (beside := _beside(key, here, holder.parts)):
                    yield (*holder.place, step, *way), (*holder.place, here[beside])


def _ways_of(name: str) -> list[Way]:
    """Where a container of gradients may have that of an array: under its name, or that of its gradient."""
    return [(Item(key),) for key in (name, *_called(name, {}))]


def _beside(name: str, here: Names, parts: Parts) -> str:
    """What the gradient of an array is called; "" where it is not there."""
    found = [other for other in _called(name, here) if other in here and is_number(parts[here[other]])]
    arrays = (other for other in found if is_inexact(parts[here[other]]))  # before a float, as of a step
    return next(arrays, found[0] if found else "")


def _called(name: str, here: Names) -> list[str]:
    """What the gradient of something may be called, beside what is `here`."""
    public = name.removeprefix("_")
    forms = (*CALLED, OF_A_LETTER) if len(public) == 1 else CALLED
    private = [f"_{form.format(public)}" for form in forms if name != public]
    more = [form.format(public) for form in forms if name != public and public not in here]
    return [*private, *(form.format(name) for form in forms), *more]


def _single_parameter(held: Sequence[str], here: Names, parts: Parts) -> Iterator[tuple[str, str]]:
    """The number and the gradient of an object that is one parameter."""
    for gradient in (name for name in OF_ONE if name in here and is_number(parts[here[name]])):
        shape = np.shape(parts[here[gradient]])
        alike = [name for name in held if name not in OF_ONE and np.shape(parts[here[name]]) == shape]
        chosen = [name for name in alike if name in NUMBERS] or alike
        if len(chosen) == 1:
            yield chosen[0], gradient
            return


def leaves(container: Any, outer: tuple[int, ...] = ()) -> dict[Way, Any]:
    """What a dictionary, list, tuple or array of objects holds, inside of such too, by the way to it."""
    found: dict[Way, Any] = {}
    for key, value in _items(container).items():
        if not isinstance(value, dict | list | tuple) and not is_of_objects(value):
            found[Item(key),] = value
        elif id(value) not in (own := (*outer, id(container))):  # which it is where a list holds itself
            inside = leaves(value, own)
            found |= {(Item(key), *way): leaf for way, leaf in inside.items()}
    return found


def _items(container: Any) -> dict[Any, Any]:
    if isinstance(container, dict):
        return container
    if issubclass(type(container), list | tuple):
        return dict(items_of(built_in_kind(type(container)), container))
    return dict(enumerate(container)) if is_of_objects(container) and container.ndim == 1 else {}


def is_number(value: Any) -> bool:
    """Whether it is a floating array, a scalar of NumPy's, or a float."""
    return is_inexact(value) or isinstance(value, float)
