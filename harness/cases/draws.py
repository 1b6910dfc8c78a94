"""Ordinary draws and boundary inputs, by name.

Inputs decide what a check can find: of 63 re-created gradient bugs, 50 ordinary draws show a third, and the
boundary values nearly all (reports/power.md).
So each function is also asked at zeros of both signs, at ties, in saturation, at tiny and huge numbers, and
with unusual shapes and memory layouts.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.inputs.arrays import Array, Arrays, Floating, InputMaker, signed

Draw = Callable[[np.random.Generator, Floating, tuple[int, ...]], Array]
Complete = Callable[[np.random.Generator, Array], Arrays]


def ordinary(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers, two decimals."""
    return np.asarray(np.round(rng.normal(size=shape), 2), dtype=dtype)


def probabilities(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
    """Positive numbers below one, three decimals."""
    return np.asarray(np.round(rng.uniform(0.05, 0.95, shape), 3), dtype=dtype)


def zeros(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
    """Zeros of both signs."""
    return np.asarray(np.where(_alternate(shape), 0.0, -0.0), dtype=dtype)


def both_signs(magnitude: float) -> Draw:
    """Entries of plus and minus one magnitude, each row its own order."""

    def draw(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
        x = np.where(_alternate(shape), magnitude, -magnitude)
        return np.asarray(rng.permuted(x, axis=-1), dtype=dtype)

    return draw


def constant(value: float) -> Draw:
    """One value everywhere."""
    return lambda rng, dtype, shape: np.full(shape, value, dtype=dtype)


def tiny(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
    """Plus and minus 1e-300; in a dtype that cannot hold it, 2^16 of its smallest normal numbers."""
    magnitude = max(1e-300, 2.0**16 * float(np.finfo(dtype).smallest_normal))
    return both_signs(magnitude)(rng, dtype, shape)


def tied(base: Draw) -> Draw:
    """The first two columns equal: two candidates for every maximum."""

    def draw(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
        x = base(rng, dtype, shape)
        x[..., :2] = np.abs(x).max()
        return x

    return draw


def equal_rows(base: Draw) -> Draw:
    """Each row one number, repeated."""

    def draw(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
        return np.repeat(base(rng, dtype, (*shape[:-1], 1)), shape[-1], axis=-1)

    return draw


def strided(base: Draw) -> Draw:
    """A transposed view with gaps: not contiguous in either order."""

    def draw(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
        store = base(rng, dtype, tuple(2 * n for n in reversed(shape)))
        view: Array = store[(slice(None, None, 2),) * len(shape)].T
        return view

    return draw


def stride_0(base: Draw) -> Draw:
    """One row shown many times (a broadcast view, read-only)."""

    def draw(rng: np.random.Generator, dtype: Floating, shape: tuple[int, ...]) -> Array:
        return np.broadcast_to(base(rng, dtype, (1, *shape[1:])), shape)

    return draw


def real_line(shape: tuple[int, ...], complete: Complete) -> tuple[InputMaker, ...]:
    """The inputs for an argument that may be any real number; `complete` adds the other arguments."""
    draws: dict[str, tuple[Draw, tuple[int, ...]]] = {
        "zeros": (zeros, shape),
        "ties": (tied(ordinary), shape),
        "equal-rows": (equal_rows(ordinary), shape),
        "saturated-20": (both_signs(20.0), shape),
        "saturated-40": (both_signs(40.0), shape),
        "saturated-710": (both_signs(710.0), shape),
        "tiny": (tiny, shape),
        "huge": (both_signs(1e10), shape),
        **_shapes_and_layouts(ordinary, shape),
    }
    return makers({"ordinary": (ordinary, shape)}, complete) + makers(draws, complete, boundary=True)


def unit_interval(shape: tuple[int, ...], complete: Complete) -> tuple[InputMaker, ...]:
    """The inputs for an argument that holds probabilities (and, past the edge, 1e10)."""
    draws: dict[str, tuple[Draw, tuple[int, ...]]] = {
        "zeros": (zeros, shape),
        "ones": (constant(1.0), shape),
        "ties": (tied(probabilities), shape),
        "equal-rows": (equal_rows(probabilities), shape),
        "tiny": (lambda rng, dtype, s: np.abs(tiny(rng, dtype, s)), shape),
        "huge": (constant(1e10), shape),
        **_shapes_and_layouts(probabilities, shape),
    }
    return makers({"ordinary": (probabilities, shape)}, complete) + makers(draws, complete, boundary=True)


def makers(
    draws: dict[str, tuple[Draw, tuple[int, ...]]], complete: Complete, boundary: bool = False
) -> tuple[InputMaker, ...]:
    """Named draws of the first argument as input makers."""

    def maker(name: str, draw: Draw, shape: tuple[int, ...]) -> InputMaker:
        return InputMaker(
            name,
            lambda rng, dtype, s: complete(rng, draw(rng, dtype, s)),
            shape,
            boundary=boundary,
        )

    return tuple(maker(name, draw, shape) for name, (draw, shape) in draws.items())


def one_hot(rng: np.random.Generator, x: Array) -> Array:
    """A one-hot target for each row of x, in x's dtype and shape."""
    classes = x.shape[-1]
    return np.asarray(np.eye(classes, dtype=x.dtype)[rng.integers(0, classes, x.shape[:-1])])


def labels(rng: np.random.Generator, x: Array) -> Array:
    """An integer label for each row of x."""
    return np.asarray(rng.integers(0, x.shape[-1], x.shape[:-1]))


def like(rng: np.random.Generator, x: Array) -> Array:
    """Signed ordinary numbers in x's dtype and shape."""
    return signed(rng, x.dtype, x.shape)


def _shapes_and_layouts(base: Draw, shape: tuple[int, ...]) -> dict[str, tuple[Draw, tuple[int, ...]]]:
    return {
        "one-element": (base, (1,) * len(shape)),
        "batch-of-one": (base, (1, *shape[1:])),
        "strided": (strided(base), shape),
        "stride-0": (stride_0(base), shape),
    }


def _alternate(shape: tuple[int, ...]) -> Array:
    even: Array = np.arange(np.prod(shape, dtype=int)).reshape(shape) % 2 == 0
    return even
