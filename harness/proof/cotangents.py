"""Other cotangents than the given ones: otherwise in memory, larger and smaller, of ones and zeros."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.proof.question import Probe, Question
from harness.subject.complex_pairs import ComplexName
from harness.subject.derivative import FORWARD, Array

# Powers of two, so that a linear gradient moves with them to the bit; as far as the dtype stays normal.
SCALES = {Probe.SCALED_UP: -(2.0**20), Probe.SCALED_DOWN: 2.0**-20}
OF_FLOAT16 = {Probe.SCALED_UP: -(2.0**8), Probe.SCALED_DOWN: 2.0**-12}
CONSTANT = -0.5


def rows_of_ones(question: Question, directions: Sequence[Array]) -> tuple[Array, ...]:
    """Ones and zeros by rows, for each direction."""
    return tuple(map(_rows_of_ones, directions, _are_pairs(question)))


def constant(directions: Sequence[Array]) -> tuple[Array, ...]:
    """One number everywhere that is neither 1 nor positive."""
    return tuple(np.full_like(d, CONSTANT, order="C") for d in directions)


def less(some: Sequence[Array], others: Sequence[Array]) -> tuple[Array, ...]:
    """The differences, in the dtypes of the first."""
    return tuple(np.asarray(a - b, a.dtype) for a, b in zip(some, others, strict=True))


def _rows_of_ones(direction: Array, of_pairs: bool) -> Array:
    """Ones in every other row and zeros in the others, as a mask gives them; of a single row in its elements.

    Of pairs, which stand for complex numbers, both parts are alike.
    """
    shape = direction.shape[:-1] if of_pairs else direction.shape
    rows = shape[:-1] if np.prod(shape[:-1], dtype=int) > 1 else shape
    odd = np.arange(np.prod(rows, dtype=int)).reshape(rows) % 2
    kept = (1 - odd).reshape(rows + (1,) * (direction.ndim - len(rows)))
    return np.array(np.broadcast_to(kept, direction.shape), direction.dtype, order="C")


def otherwise(
    question: Question, directions: Sequence[Array], strides: bool
) -> Iterator[tuple[Probe, tuple[Array, ...], float]]:
    """The given numbers otherwise in memory, if arrays have `strides`, and scaled ones, with their factor."""
    if not question.linear:
        return
    half = any(d.dtype.name == "float16" for d in directions)
    several, axes = any(d.size > 1 for d in directions), max(d.ndim for d in directions)
    for probe in question.probes:
        scale = (OF_FLOAT16 if half else SCALES).get(probe, 1.0)
        match probe:
            case Probe.STRIDED if strides and several:
                yield probe, tuple(np.stack([np.roll(d, 1), d], -1)[..., 1] for d in directions), scale
            case Probe.TRANSPOSED if strides and several and axes > 1:
                yield probe, tuple(d.T.copy().T for d in directions), scale
                if axes > 2:
                    yield probe, tuple(map(_channels_last, directions, _are_pairs(question))), scale
            case Probe.PADDED if strides and several and axes > 1:
                yield probe, tuple(map(_part_of_more, directions, _are_pairs(question))), scale
            case Probe.SCALED_UP | Probe.SCALED_DOWN:
                yield probe, tuple(np.asarray(scale * d, d.dtype) for d in directions), scale


def _are_pairs(question: Question) -> list[bool]:
    """Which directions are pairs that stand for complex numbers."""
    *within, last = question.derivative.steps
    of_results = last != FORWARD and all(step == FORWARD for step in within)
    names = question.results if of_results else [question.names[k] for k in question.active]
    return [isinstance(name, ComplexName) for name in names]


def _channels_last(array: Array, of_pairs: bool) -> Array:
    """The same numbers with the second axis last in memory, as convolutions of images give them."""
    if array.ndim - of_pairs < 3:
        return array
    last = -1 - of_pairs
    return np.moveaxis(np.moveaxis(array, 1, last).copy(), last, 1)


def _part_of_more(array: Array, of_pairs: bool) -> Array:
    """The same numbers with others between their rows, and before them; pairs stay together."""
    if array.ndim <= of_pairs or not array.size:
        return array
    rows = array[..., None] if not of_pairs else array
    *shape, length, parts = rows.shape
    more = np.full((*shape, length + 2, parts), rows.flat[0])
    more[..., 1:-1, :] = rows
    part = more[..., 1:-1, :]
    return part if of_pairs else part[..., 0]
