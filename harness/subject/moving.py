"""What moves a result: whether a function gives something else where arrays have other numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from harness.subject.contents import Contents, Place, changed, identity, put, read
from harness.subject.derivative import Array

OUTSIDE = (
    "uses a parameter that is held outside of the object (in a closure, a class or a global) too, or in "
    "another dtype, and is not replaced there: keep it in attributes"
)

TURNS = 8  # that are tried for one with the very same sum


def moved(array: Any) -> Any:
    """The same array with other numbers."""
    by = np.linspace(0.25, 0.75, np.size(array)).reshape(np.shape(array))
    return array + by.astype(array.dtype)


def moved_on(array: Array) -> Array:
    """Other numbers of the same kind: after the first each takes the place of another, or half of itself.

    Code may take it for the same by its first number, by its sum, or by any number that is equal.
    """
    if array.dtype.kind in "biu" or not array.size:
        return array
    rest = np.ravel(array)[1:] if array.size > 1 else np.ravel(array)
    if not (rest != rest[0]).any():
        return _with_rest(array, rest * np.asarray(0.5, array.dtype))
    with np.errstate(all="ignore"):
        wanted = array.sum()
        turned = (_with_rest(array, np.roll(rest, k)) for k in range(1, min(rest.size, TURNS + 1)))
        first = next(turned)
        return first if first.sum() == wanted else next((one for one in turned if one.sum() == wanted), first)


def _with_rest(array: Array, rest: Array) -> Array:
    """The same array with other numbers at its end."""
    found = np.array(array, order="K")
    found.flat[array.size - rest.size :] = rest
    return found


def is_trained(
    contents: Contents, ran: Any, place: Place, gradient: Place, run: Callable[[Any], Any], out: Any
) -> bool:
    """Whether what is no array moves a result, and the run has left the gradient that stands beside it.

    Args:
        contents: Of the object.
        ran: A copy that has run.
        place, gradient: Where the two are held.
        run, out: What gives the result of a copy, and that of the object.
    """
    before, left = read(contents.thing, gradient), read(ran, gradient)
    if before is not None and is_same(before, left) and np.any(left):  # t and dt may be two constants
        return False

    def elsewhere() -> Any:
        copied = contents.copied({})
        put(copied, place, _moved_number(read(contents.thing, place)))
        return run(copied)

    return differs(elsewhere, out)


def written_over(contents: Contents, *steps: Callable[[Any, Any], Any]) -> list[set[Place]]:
    """Where a copy with other numbers in all arrays has been written into, after each of some steps.

    A buffer may hold already the very numbers that are written into it. Each step is given the copy and what
    the one before it gave.
    """
    found = [set[Place]() for _ in steps]
    with suppress(Exception), np.errstate(all="ignore"):
        ran, given = contents.copied({identity(own): moved for own in contents.arrays.values()}), None
        start = Contents(ran)
        before = start.numbers()
        for k, step in enumerate(steps):
            given = step(ran, given)
            found[k] = changed(start, before)
    return found


def differs(give: Callable[[], Any], out: Any) -> bool:
    """Whether a run at numbers that nobody gave it gives something else; not where it raises, as it may."""
    with suppress(Exception), np.errstate(all="ignore"):
        return not is_same(give(), out)
    return False


def _moved_number(value: Any) -> Any:
    """A number, or a list or an array of them, with other numbers."""
    if isinstance(value, list | tuple):
        return type(value)(map(_moved_number, value))
    array = np.asarray(value)
    own = array + 1 if array.dtype.kind in "iu" else moved(array)
    return own if isinstance(value, np.ndarray) else type(value)(own)


def instead(value: Any, old: Any) -> Any:
    """These numbers in the place of an array's; a scalar of NumPy's stays one."""
    found = value.copy("K")
    return found[()] if isinstance(old, np.generic) else found


def zeros(array: Array) -> Any:
    """Zeros in the place of an array's numbers."""
    return np.zeros_like(array)


def writable(array: Array) -> Any:
    """A copy, which takes recorded numbers while that is recorded."""
    own = np.zeros_like(array)
    own[...] = array
    return own


def has_row_for_each(target: Any, examples: Any) -> bool:
    """Whether a target is an array with a row for each of the examples."""
    given = isinstance(target, np.ndarray) and target.ndim and np.ndim(examples)
    return bool(given and len(target) == len(examples))


def copied(result: Any) -> Any:
    """A copy of arrays, and of tuples, lists and dictionaries of them."""
    if isinstance(result, tuple | list):
        return [copied(one) for one in result]
    if isinstance(result, dict):
        return {key: copied(one) for key, one in result.items()}
    return result.copy() if isinstance(result, np.ndarray) else result


def is_same(one: Any, other: Any) -> bool:
    """Whether two results have the same numbers."""
    if isinstance(one, tuple | list) and isinstance(other, tuple | list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if one is None or other is None:
        return one is other
    return bool(np.array_equal(one, other, equal_nan=True))


def never_moving(
    function: Callable[..., Any], inputs: Sequence[Any], parameters: Sequence[Array]
) -> list[int]:
    """Which parameters move no result of a function of inputs and parameters, of other inputs neither.

    That of a PReLU moves none of positive inputs, and a weight none of zeros.
    """
    still = _unmoving(partial(function, *inputs), parameters)
    for other in (moved, _opposite):
        elsewhere = [other(x) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in inputs]
        if still and has_numbers(_given(function, [*elsewhere, *parameters])):
            there = _unmoving(partial(function, *elsewhere), parameters)
            still = [k for k in still if k in there]
    return still


def _opposite(array: Array) -> Array:
    """Its numbers beyond -1, where they were positive, and beyond 1."""
    found: Array = np.where(array < 0, 1 - array, -1 - array).astype(array.dtype)
    return found


def _unmoving(function: Callable[..., Any], parameters: Sequence[Array]) -> list[int]:
    """Which parameters move no result, here or where all have other numbers.

    None do where no result has a finite number: it is NaN whatever they are, and nothing is known of them.
    """
    still, is_known = [k for k, parameter in enumerate(parameters) if parameter.size], False
    for base in (list(parameters), list(map(moved, parameters))):
        if still:
            first = _given(function, base)
            is_known |= has_numbers(first)
            others = ([*base[:k], moved(moved(base[k])), *base[k + 1 :]] for k in still)
            still = [k for k, own in zip(still, others, strict=True) if is_same(first, _given(function, own))]
    return still if is_known else []


def has_numbers(result: Any) -> bool:
    """Whether a result has a finite number, or has no elements at all."""
    if isinstance(result, dict):
        result = list(result.values())
    if isinstance(result, tuple | list):
        return any(map(has_numbers, result))
    array = np.asarray(result)
    return array.dtype.kind in "biufc" and (not array.size or bool(np.isfinite(array).any()))


def _given(function: Callable[..., Any], arrays: Sequence[Array]) -> Any:
    """What a function gives; None where it raises, as with numbers that nobody gave it it may."""
    with suppress(Exception), np.errstate(all="ignore"):
        return function(*arrays)
    return None


def reads_elsewhere(
    own: Sequence[Array], run: Callable[[Sequence[Array]], Any], parameters: Sequence[Array]
) -> bool:
    """Whether copies with all parameters replaced give something else where the originals have moved.

    Args:
        own: The originals; they are put back.
        run: What copies give with other parameters.
        parameters: Those.
    """
    arrays = [array for array in own if isinstance(array, np.ndarray) and array.flags.writeable]
    kept = [array.copy() for array in arrays]
    before = run(parameters)
    try:
        for array in arrays:
            array[...] = moved(array)
        with np.errstate(all="ignore"):
            after = run(parameters)
    except Exception:  # at numbers that it should not see
        return True
    finally:
        for array, numbers in zip(arrays, kept, strict=True):
            array[...] = numbers
    return not is_same(before, after) and is_same(before, run(parameters))
