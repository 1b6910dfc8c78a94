"""Words of messages, as they are spoken."""

from __future__ import annotations

import math

LONG = 10**40  # whose digits tell nobody more than how many they are


def kind_of(value: object) -> str:
    """What a value is, with its article: an int, an ndarray, a list."""
    name = type(value).__name__
    if name == "ArrayImpl":  # which nobody has written
        return "a JAX array"
    return f"{'an' if name.lower().startswith((*'aeio', 'nd')) else 'a'} {name}"


def shown(value: object) -> str:
    """A value in a message: a number, a name or None as it is written, of anything else what it is."""
    if isinstance(value, int) and abs(value) >= LONG:
        return f"{'-' * (value < 0)}10^{math.log10(abs(value)):.4g}"
    return repr(value) if isinstance(value, str | int | float | complex | None) else kind_of(value)


def package_of(value: object) -> str:
    """The name of the package that a value's type is of."""
    return type(value).__module__.partition(".")[0]


def many(count: int, noun: str) -> str:
    """So many of them: 1 argument, 2 arguments."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
