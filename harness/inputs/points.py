"""Points beside the given one: its arrays at boundary values, and draws around it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from harness.inputs.axes import Axes, Group
from harness.inputs.corpus import CORPUS, Boundary, chosen
from harness.subject.derivative import Array, Arrays, Floating, signed
from harness.subject.target import Target
from oracles.exact.program.trees import Fixed, is_floating

LENGTHS = {"one-element": 1, "batch-of-one": 1, "empty": 0}  # of the entries that cut axes
SPREAD = 0.1  # how far draws are from the given numbers, of the largest of them
MOST_PACKED = 64  # parameters in one vector
AWAY = (SPREAD, 1.0, 8.0)  # and where a derivative is 0 all around, as where relu is
BETWEEN = (0.5, 2.0)  # and where it is 0 there as well: between two bounds there may be little room


@dataclass(frozen=True, slots=True)
class Given:
    """An array of the user's, of at least one axis, as the source of a boundary value."""

    array: Array

    @property
    def shape(self) -> tuple[int, ...]:
        """The array's."""
        return self.array.shape

    @property
    def dtype(self) -> Floating:
        """The array's."""
        return self.array.dtype

    def numbers(self, shape: tuple[int, ...]) -> Array:
        """The first numbers along each axis."""
        return self.array[tuple(slice(n) for n in shape)].copy()

    def signs(self) -> Array:
        """The array's; the first is positive if no other is."""
        above = self.array >= 0
        if not above.any():
            above.ravel()[0] = True
        return np.where(above, 1.0, -1.0)

    def strided(self) -> Array:
        """The array with gaps: not contiguous in either order."""
        return np.repeat(self.array[..., None], 2, -1)[..., 0]


def at(entry: Boundary, array: Array) -> Array:
    """An array of the user's at a boundary value."""
    with np.errstate(all="ignore"):
        made = entry.make(Given(np.atleast_1d(array)))
    return made if array.ndim else made.reshape(())


def points(
    target: Target,
    boundary: bool | Iterable[str],
    samples: int,
    seed: int,
    pinned: Collection[int] = (),
) -> Iterator[tuple[str, Arrays]]:
    """Other points, each with its name: boundary values of each array in turn, and draws.

    Arrays that are not differentiated are among them: an exponent of 0 or a repeated index decides too.

    Args:
        target: A function at its arguments.
        boundary: The boundary values: all, or those of these names.
        samples, seed: How many draws, and what seeds them.
        pinned: Arrays whose shapes stay, beside the parameters of a module.

    Raises:
        ValueError: The corpus has no boundary value of a name.
    """
    asked, axes = chosen(boundary), Axes(target, frozenset(pinned))
    return chain(_at_boundary(target, asked), _shaped(axes, asked), _draws(target, samples, seed))


def away(target: Target, seed: int) -> Iterator[Arrays]:
    """Points further and further from the given one, and some between these.

    A single number beside arrays stays close to what it is: it may be a width, a threshold or a bound, which
    keeps its sign and its order. What is symmetric stays so.
    """
    several = any(target.arrays[k].size > 1 for k in target.active)

    def drawn(k: int, rng: np.random.Generator, spread: float) -> Array:
        array, are_pairs = target.arrays[k], k in target.flat.complex
        found = _drawn(array, rng, SPREAD if several and array.size == 1 else spread)
        return as_hermitian(found, are_pairs) if is_hermitian(as_numbers(array, are_pairs)) else found

    for number, spread in enumerate((*AWAY, *BETWEEN)):
        rng = np.random.default_rng([seed, 1] if spread in AWAY else [seed, 1, number])
        yield _with(target, {k: drawn(k, rng, spread) for k in target.active})


def near(target: Target, which: Collection[int], seed: int) -> Target:
    """The target where some arrays are others.

    One whose numbers are all the same, 0 or 1, or a single 0.5, is drawn around that, a square one symmetric.
    Complex numbers that are real get phases. Of a vector with a 1 in it each number moves by a part of it.
    All else is turned around. So it keeps its sum, its size, its signs and its symmetry, and is what it has
    to be: probabilities, a direction, a rotation.
    """
    rng = np.random.default_rng([seed, 1])
    return _changed(target, {k: _beside(target.arrays[k], k in target.flat.complex, rng) for k in which})


def askew(target: Target, which: Collection[int], labels: Collection[int], seed: int) -> Target:
    """The target where some square matrices have a part that is skew besides: their symmetric part stays.

    Of those whose rows may be labels, each row is the one before: with other sums they would be none.
    """
    rng = np.random.default_rng([seed, 1])

    def skewed(k: int) -> Array:
        array, are_pairs = target.arrays[k], k in target.flat.complex
        if k in labels:
            return np.roll(array, 1, axis=0)
        numbers, drawn = (as_numbers(own, are_pairs) for own in (array, _drawn(array, rng)))
        return _as_array(numbers + ((drawn - numbers) - _adjoint(drawn - numbers)) / 2, array)

    return _changed(target, {k: skewed(k) for k in which})


def _beside(array: Array, are_pairs: bool, rng: np.random.Generator) -> Array:
    numbers = as_numbers(array, are_pairs)
    if (numbers == np.ravel(numbers)[0]).all():
        drawn = as_numbers(_drawn(array, rng), are_pairs)
        return _as_array(_as_hermitian(drawn) if is_hermitian(numbers) else drawn, array)
    if are_pairs and is_on_an_axis(numbers):
        return _as_array(_with_phases(numbers, rng), array)
    if is_packed(array):
        return _moved_each(array, rng)
    turned = np.flip(numbers)
    return _as_array(turned if not np.array_equal(turned, numbers) else numbers * 0.9, array)


def twin_of(arrays: Sequence[Array], k: int) -> int | None:
    """Which earlier array has the same floating numbers, several and no neutral one; None if none has."""
    array = arrays[k]
    if not is_floating(array) or array.size < 2 or _is_neutral(array):
        return None
    return next((j for j in range(k) if np.array_equal(arrays[j], array)), None)


def _is_neutral(array: Array) -> bool:
    """Whether it is one number throughout that may be meant: 0, 1, or the share of one of several."""
    number, lengths = array.flat[0], (*array.shape, array.size)
    is_meant = number in (0, 1) or any(np.isclose(number * n, 1) for n in lengths)
    return is_meant and bool((array == number).all())


def is_packed(array: Array) -> bool:
    """Whether it may be several parameters in one, as [mean, scale] at their start, [0, 1]."""
    several = is_floating(array) and array.ndim == 1 and 1 < array.size <= MOST_PACKED
    return several and bool((array == 1).any()) and not (array == array[0]).all()


def _moved_each(array: Array, rng: np.random.Generator) -> Array:
    """Each number moved by a part of itself, and a zero by as much of the least."""
    numbers = array.astype(np.float64)
    least = np.min(np.abs(numbers[numbers != 0]))
    return _drawn(array, rng, size=np.where(numbers == 0, least, np.abs(numbers)))


def keeping(target: Target, given: Target, which: Collection[int], measure: Callable[[Array], Any]) -> Target:
    """The target with some arrays in the scale in which that measures them as it does the given ones."""

    def scaled(k: int) -> Array:
        here, there = (np.asarray(t.arrays[k], np.float64) for t in (given, target))
        own = measure(there)
        return np.asarray(there * (measure(here) / own if own else 1.0), target.arrays[k].dtype)

    return _changed(target, {k: scaled(k) for k in which})


def _with_phases(numbers: Array, rng: np.random.Generator) -> Array:
    """The numbers times phases, of rows and columns: what is Hermitian or unitary stays so, and all sizes."""
    of_rows, of_columns = (
        np.exp(1j * SPREAD * signed(rng, np.dtype(np.float64), shape))
        for shape in ((*numbers.shape[:-1], 1)[-2:], numbers.shape[-1:])
    )
    if not is_hermitian(numbers):
        return numbers * (of_rows if numbers.ndim > 1 else 1) * of_columns
    return _as_hermitian(numbers * of_rows * of_rows[:, 0].conj())


def is_on_an_axis(numbers: Array) -> bool:
    """Whether complex numbers are all real, or all imaginary: there a missing conjugate does not show."""
    return not numbers.imag.any() or not numbers.real.any()


def as_numbers(array: Array, are_pairs: bool) -> Array:
    """An array, pairs as the complex numbers that they stand for."""
    return np.asarray(array[..., 0] + 1j * array[..., 1]) if are_pairs else array


def _as_array(numbers: Array, like: Array) -> Array:
    """Numbers as an array of the target's: complex ones as pairs."""
    real = np.stack([numbers.real, numbers.imag], -1) if np.iscomplexobj(numbers) else numbers
    return np.asarray(real, like.dtype).reshape(like.shape)


def other(target: Target, which: Iterable[int | Fixed], number: float, symmetric: bool = False) -> Target:
    """The target where some arguments of 0, 0.5, 1 or 2 are another number; of several ones half of them.

    What is symmetric, as the weights of a graph are, may be asked to stay so.
    """
    chosen = list(which)
    places = {k.place for k in chosen if isinstance(k, Fixed)}  # leaves may be anything: no hash, no equality
    arrays = {k: _in_part(target, k, number, symmetric) for k in chosen if isinstance(k, int)}
    if not places:
        return _changed(target, arrays)
    fixed = tuple(
        Fixed.of(f.place, _as(f.leaf, number)) if f.place in places else f for f in target.flat.fixed
    )
    flat, results = replace(target.flat, fixed=fixed), replace(target.results, as_given=())
    return replace(_changed(target, arrays), flat=flat, results=results)


def made(target: Target, which: Iterable[int], make: Callable[[Array], Array]) -> Target:
    """The target where some arrays have the numbers that are made of theirs."""
    flat = target.flat
    arrays = {k: target.arrays[k] for k in which}
    return _changed(
        target, {k: _as_array(make(as_numbers(a, k in flat.complex)), a) for k, a in arrays.items()}
    )


def repeating(target: Target, which: Iterable[int]) -> Target:
    """The target where the last number of some arrays is their first."""

    def repeated(array: Array) -> Array:
        flat = array.ravel().copy()
        flat[-1] = flat[0]
        return flat.reshape(array.shape)

    return _changed(target, {k: repeated(target.arrays[k]) for k in which})


def opposite(target: Target) -> Target:
    """The target at the opposite of what is differentiated."""
    return _changed(target, {k: -target.arrays[k] for k in target.active})


def _as(leaf: Any, number: float) -> Any:
    return complex(number) if type(leaf) is complex else float(number)


def _in_part(target: Target, k: int, number: float, symmetric: bool) -> Array:
    """An array of the target's with another number: behind the middle of the last axis that has a middle.

    So a mask of a column has one too, and no row of a mask is without its first. What stays symmetric has it
    at every other place, and none in its diagonal.
    """
    array = target.arrays[k]
    numbers = as_numbers(array, k in target.flat.complex).copy()
    if symmetric and is_hermitian(numbers):
        row, column = np.indices(numbers.shape[-2:])
        numbers[..., (row + column) % 2 == 1] = number
        return _as_array(numbers, array)
    axis = max((axis for axis, length in enumerate(numbers.shape) if length > 1), default=None)
    if axis is None:
        numbers[...] = number
    else:
        np.moveaxis(numbers, axis, 0)[numbers.shape[axis] // 2 :] = number
    return _as_array(numbers, array)


def is_hermitian(numbers: Array) -> bool:
    """Whether it is a matrix that is its own adjoint, a symmetric one if it is real; no single number."""
    is_square = numbers.ndim > 1 and numbers.shape[-1] == numbers.shape[-2] > 1
    return is_square and np.array_equal(numbers, _adjoint(numbers))


def as_hermitian(array: Array, are_pairs: bool) -> Array:
    """The mean of matrices and their adjoints."""
    return _as_array(_as_hermitian(as_numbers(array, are_pairs)), array)


def _as_hermitian(numbers: Array) -> Array:
    return (numbers + _adjoint(numbers)) / 2


def _adjoint(numbers: Array) -> Array:
    return np.swapaxes(numbers, -1, -2).conj()


def _changed(target: Target, arrays: dict[int, Array]) -> Target:
    return replace(target, arrays=_with(target, arrays))


def _draws(target: Target, samples: int, seed: int) -> Iterator[tuple[str, Arrays]]:
    rng = np.random.default_rng([seed, 1])
    for number in range(samples):
        yield f"draw {number}", _with(target, {k: _drawn(target.arrays[k], rng) for k in target.active})


def _at_boundary(target: Target, asked: list[Boundary]) -> Iterator[tuple[str, Arrays]]:
    several = len(target.arrays) > 1
    values = [one for one in asked if not one.is_layout]
    for k, array in enumerate(target.arrays):
        of = f"{target.names[k]} " if several else ""
        if array.size and is_floating(array):
            for one in values:
                yield f"{of}{one.name}", _with(target, {k: at(one, array)})
        elif array.size > 1 and array.dtype.kind in "iu" and CORPUS["constant"] in values:
            yield f"{of}constant", _with(target, {k: at(CORPUS["constant"], array)})
    floating = [k for k, array in enumerate(target.arrays) if is_floating(array)]
    if len(floating) > 1 and CORPUS["zeros"] in values:
        yield "all zeros", _with(target, {k: np.zeros_like(target.arrays[k]) for k in floating})


def _shaped(axes: Axes, asked: list[Boundary]) -> Iterator[tuple[str, Arrays]]:
    """The entries about shape and memory: arrays in another layout, and a batch in another length."""
    target = axes.target
    for one in asked:
        if one.is_layout and one.name not in LENGTHS:
            arrays = {k: at(one, a) for k in target.active if (a := target.arrays[k]).ndim and a.size}
            if arrays:
                yield one.name, _with(target, arrays)
        elif one.is_layout:
            sets = axes.everywhere if one.name == "one-element" else axes.sets
            if (made := _cut(axes, sets, LENGTHS[one.name])) is not None:
                yield one.name, made


def _cut(axes: Axes, sets: Sequence[Group], wanted: int) -> Arrays | None:
    """The arguments cut along the first set that the function takes; else some that it refuses, if there are.

    Those tell why it is not compared there: it raises.
    """
    taken = axes.first(sets)
    return axes.refused(sets) if taken is None else axes.cut(taken, wanted)


def _with(target: Target, changed: dict[int, Array]) -> Arrays:
    return tuple(changed.get(k, a) for k, a in enumerate(target.arrays))


def _drawn(
    array: Array, rng: np.random.Generator, spread: float = SPREAD, size: Array | None = None
) -> Array:
    """Numbers that far from an array's, in parts of its largest one, or of the size of each."""
    numbers = array.astype(np.float64)
    whole = float(np.max(np.abs(numbers), initial=0.0)) or 1.0
    moved = spread * (whole if size is None else size) * signed(rng, np.dtype(np.float64), array.shape)
    return np.asarray(numbers + moved, array.dtype)
