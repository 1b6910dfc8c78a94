"""What a user gives beside arrays: what it must be, and an error that says so, with what was given."""

from __future__ import annotations

import functools
import inspect
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, ParamSpec, TypeVar

import numpy as np

from harness.selection import near_matches
from oracles.exact.program.words import shown

P = ParamSpec("P")
R = TypeVar("R")
Choice = TypeVar("Choice", bound=StrEnum)

# What users of gradcheck, check_grads and numpy.testing bring, and what stands for it here.
_TOLERANCE = (
    "there is no tolerance to choose; bits_lost= sets how many bits a gradient may lose beyond what its "
    "inputs allow (`gradproof explain budget`)"
)
_STEP = "there is no step to choose, since nothing is computed by differences"
_BY_DEFAULT = "it is checked at each call"
ELSEWHERE = {
    **dict.fromkeys(("atol", "rtol", "tol", "tolerance", "decimal", "significant"), _TOLERANCE),
    **dict.fromkeys(("eps", "epsilon", "step", "delta", "h", "dx"), _STEP),
    "fast_mode": "there is one mode, in which every element is compared",
    "nondet_tol": f"two runs must give the same numbers: {_BY_DEFAULT}",
    "check_undefined_grad": f"a result whose gradient is undefined is the probe one-output: {_BY_DEFAULT}",
    "check_grad_dtypes": f"a gradient has its argument's dtype: {_BY_DEFAULT}",
    "check_batched_grad": "batches of cotangents (vmap) are not checked",
    "check_batched_forward_grad": "batches of tangents (vmap) are not checked",
    "check_forward_ad": 'forward mode is asked for by mode="forward"',
    "check_backward_ad": 'reverse mode is the default, mode="reverse"',
    "modes": 'ask once for each: mode="forward", mode="reverse"',
    "raise_exception": "check_gradient returns a result, and assert_gradient raises where it is not right",
    "err_msg": "the result has its own message",
    "verbose": "the result's message says the worst element, and result.rows all arguments",
}


def known_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """The function, which names what a keyword that it does not have may have meant, or what needs its name.

    Raises:
        TypeError: It is called with such a keyword, or with more by position than it takes.
    """
    parameters = inspect.signature(function).parameters
    names = list(parameters)
    by_position = [name for name, one in parameters.items() if one.kind is one.POSITIONAL_OR_KEYWORD]

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        __tracebackhide__ = True
        for name in kwargs:
            if name not in names:
                told = ELSEWHERE.get(name) if "bits_lost" in names else None
                raise TypeError(f"there is no argument {name!r}; {told or near_matches(name, names)}")
        if len(args) > len(by_position):
            raise TypeError(
                f"positional arguments must be {', '.join(by_position)}, got {len(args)}: give the others by "
                f"name, such as {names[len(by_position)]}="
            )
        return function(*args, **kwargs)

    return called


def integer(name: str, value: Any, least: int = 0, most: int | None = None) -> int:
    """An integer of at least that size, and at most the other; NumPy's are such, True is none.

    Raises:
        ValueError: It is none.
    """
    try:
        number = least - 1 if isinstance(value, bool) else operator.index(value)
    except TypeError:
        number = least - 1
    if number < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {_said(value)}")
    if most is not None and number > most:
        raise ValueError(f"{name} must be an integer <= {most}, got {_said(value)}")
    return number


def number(name: str, value: Any, least: float = 0.0, above: bool = False) -> float:
    """A real number of at least that size, or above it.

    Raises:
        ValueError: It is none, or no float holds it.
    """
    real = hasattr(value, "__float__") and not isinstance(value, bool) and not np.iscomplexobj(value)
    more = ""
    try:
        found = float(value) if real and getattr(value, "shape", ()) == () else math.nan
    except ValueError:  # a NaN of Python's decimal numbers
        found = math.nan
    except OverflowError:
        found, more = math.nan, ", which no float holds"
    if not (found > least if above else found >= least):  # a NaN is neither
        bound = f"{'>' if above else '>='} {least:g}"
        raise ValueError(f"{name} must be a number {bound}, got {_said(value)}{more}")
    return found


def _said(value: Any) -> str:
    return shown(value) if isinstance(value, int) else repr(value)


def mapping(name: str, value: Any) -> dict[str, Any]:
    """Keyword arguments; none where nothing is given.

    Raises:
        ValueError: It is no mapping of names.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} must be a dictionary of keyword arguments, got {shown(value)}")
    for key in value:
        if not isinstance(key, str):
            raise ValueError(f"{name} must have names as keys, got {key!r}")
    return dict(value)


def function(name: str, value: Any) -> Any:
    """Something that can be called.

    Raises:
        ValueError: It cannot be called.
    """
    if not callable(value):
        raise ValueError(f"{name} must be a function, got {shown(value)}")
    return value


def switch(name: str, value: Any) -> bool:
    """True or False; NumPy's are such, 1 is none.

    Raises:
        ValueError: It is neither.
    """
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {shown(value)}")
    return bool(value)


def text(name: str, value: Any) -> str:
    """A name that says something.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be a name, got {shown(value)}")
    return value


def shape(name: str, value: Any) -> tuple[int, ...]:
    """The shape of an array; an integer is that of one axis.

    Raises:
        ValueError: It is none.
    """
    try:
        found = tuple(map(operator.index, value if isinstance(value, tuple | list) else (value,)))
    except TypeError:
        found = (-1,)
    if min(found, default=0) < 0:
        raise ValueError(f"{name} must be a tuple of integers >= 0, such as (3, 4), got {value!r}")
    return found


def words(name: str, value: Any) -> list[str]:
    """A list of names; a string is one name, and not its letters.

    Raises:
        ValueError: It is no list, or holds what is no string.
    """
    found = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
    for one in found:
        if not isinstance(one, str):
            raise ValueError(f"{name} must be a list of names, got {shown(one)}")
    return found


def known_name(name: str, value: Any, allowed: Iterable[str]) -> str:
    """A name that there is.

    Raises:
        ValueError: There is none such; the message has near matches.
    """
    there = list(allowed)
    if value not in there:
        near = near_matches(str(value), there)
        raise ValueError(f"{name} must be a known name, got {shown(value)}; {near}")
    found: str = value
    return found


def known_names(name: str, value: Any, allowed: Iterable[str]) -> list[str]:
    """A list of names that there are; a string is one name.

    Raises:
        ValueError: It is none.
    """
    there = list(allowed)
    return [known_name(f"each of {name}", one, there) for one in words(name, value)]


def choice(name: str, value: Any, allowed: type[Choice]) -> Choice:
    """One of the names that an enumeration allows.

    Raises:
        ValueError: It is none of them.
    """
    try:
        return allowed(value)
    except ValueError:
        listed = " or ".join(repr(str(one)) for one in allowed)
        raise ValueError(f"{name} must be {listed}, got {value!r}") from None
