"""What a layer's user is told of what looks like a parameter or a gradient, and is not compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.subject.contents import Attribute, Place, said
from harness.subject.derivative import Array
from harness.subject.pairs import Parameter, is_called_alike, is_gathered, name_of
from oracles.exact.program.words import kind_of


def not_floating(place: Place, value: Any, gradient: Place) -> str:
    """Of what has a gradient, and is no floating array."""
    return (
        f"{said(place)} is {_kind(value)} and is not compared with {said(gradient)}: "
        "make it a floating array, or, if it is a constant, name it in "
        f"constants=[{said(place)!r}]"
    )


def at_two_places(parameter: Parameter, other: Place) -> tuple[str, bool]:
    """Of another place of a gradient, and whether that is a fault: an optimiser takes what is in `grads`."""
    (compared,) = parameter.gradients
    text = f"{said(other)} has other numbers than {said(compared)}, which alone is compared"
    if is_gathered(other) and not is_gathered(compared):
        return f"{text}: leave the gradient of {parameter.name} at one place", True
    return text, False


def adds_up(gradient: Place, clearing: Sequence[str]) -> str:
    """Of a gradient that backward adds to what was there, which these methods leave as it is."""
    if clearing:
        return f"{said(gradient)} is not cleared by {' or '.join(clearing)}: the next backward adds to it"
    return (
        f"backward adds to {said(gradient)}, and nothing clears that: let it assign, or give the layer a "
        "zero_grad(), which is called before each backward"
    )


def bound(place: Place) -> str:
    """Of an array that a partial gives its function, and that has no gradient."""
    return (
        f"{said(place)} moves the result, and a partial gives it: no gradient of that is asked for; keep it "
        "in attributes if it is a parameter"
    )


def stepped(place: Place) -> str:
    """Of what backward alone writes into, and the result moves with."""
    return (
        f"backward writes into {said(place)}, which moves the result: that is a step of training, and its "
        f"gradient is not compared; leave it in d{said(place)}, and take the step elsewhere"
    )


def without_gradients(
    movers: Sequence[tuple[Place, Array]], gradients: Mapping[Place, Array], left: Mapping[Place, Array]
) -> Iterator[str]:
    """Of arrays that move the result and have no gradient, and of gradients of nothing that is known.

    Args:
        movers: The arrays, and where they are.
        gradients: What looks like a gradient.
        left: All that backward has left.
    """
    free = dict(gradients)
    for (place, array), hint in zip(movers, _hints(movers, free), strict=True):
        name, own = said(place), f"d{name_of(place)}"
        both = "put both in params and grads"
        asked = f"leave its gradient in {own}{_found(place, array, left)}, {both}"
        if hint:
            asked = f"is {said(hint)} its gradient? Call that {own}, {both}"
            del free[hint]
        elif not isinstance(place[-1], Attribute):
            asked = "put it in params and its gradient in grads"
        yield (
            f"{name} moves the result and is not compared: {asked}, or, if it is a constant, name it in "
            f"constants=[{name!r}]"
        )
    for place in free:
        if len(place) == 1:
            yield (
                f"{said(place)} looks like a gradient and is not compared: the layer has no parameter of "
                f"that name; if it is none, call it _{said(place)}"
            )


def _hints(movers: Sequence[tuple[Place, Array]], left: Mapping[Place, Array]) -> list[Place | None]:
    """Which gradient that was left may be that of each array: of its name at best, and of its shape."""
    free = dict(left)
    found: list[Place | None] = [None] * len(movers)
    for named in (True, False):
        for k, (place, array) in enumerate(movers):
            alike = [p for p, g in free.items() if g.shape == array.shape]
            if named:
                alike = [p for p in alike if name_of(place).lower() in name_of(p).lower()]
            if found[k] is None and alike:
                found[k] = alike[0]
                del free[alike[0]]
    return found


def _found(place: Place, array: Array, left: Mapping[Place, Array]) -> str:
    """What has the name of an array's gradient but for small and capital letters, in words; "" if nothing."""
    alike = (other for other, gradient in left.items() if np.shape(gradient) == array.shape)
    return next((f" (found {said(other)!r})" for other in alike if is_called_alike(other, place)), "")


def _kind(value: Any) -> str:
    dtype = getattr(value, "dtype", None)
    return f"an array of {dtype}" if isinstance(value, np.ndarray) else kind_of(value)
