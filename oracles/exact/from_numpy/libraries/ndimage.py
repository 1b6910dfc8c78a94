"""scipy.ndimage's filters that are sums with weights: taken in float64, stored in the image's dtype."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from oracles.exact.from_numpy.libraries.standard import as_it_ran, of_kernel
from oracles.exact.from_numpy.making import as_array
from oracles.exact.from_numpy.refusals import unsupported

# What stands outside of the image, by np.pad's names.
MODES = {
    **dict.fromkeys(("reflect", "grid-mirror"), "symmetric"),
    **dict.fromkeys(("constant", "grid-constant"), "constant"),
    **dict.fromkeys(("wrap", "grid-wrap"), "wrap"),
    "nearest": "edge",
    "mirror": "reflect",
}


def _stored(found: Any, image: Any, output: Any) -> Any:
    """In the dtype that SciPy gives it."""
    if isinstance(output, np.ndarray):
        raise unsupported("a filter of scipy.ndimage with an array as output; assign its result instead")
    return found.astype(image.dtype if output is None else np.dtype(output), copy=False)


def _windows(image: Any, sizes: Any, origins: Any, modes: Any, cval: Any) -> Any:
    """Around each element so many others along each axis, along as many axes more."""
    if image.dtype.kind == "c":
        raise unsupported("a filter of scipy.ndimage of complex numbers")
    found = image.astype(np.float64)
    for axis, (size, origin, mode) in enumerate(zip(sizes, origins, modes, strict=True)):
        before = size // 2 + origin
        if not 0 <= before < size:
            raise ValueError("invalid origin")
        beside = [(before, size - 1 - before) if a == axis else (0, 0) for a in range(image.ndim)]
        if size > 1:
            outside: Any = {"constant_values": cval} if MODES[mode] == "constant" else {}
            found = np.pad(found, beside, cast("Any", MODES[mode]), **outside)
    return sliding_window_view(found, tuple(sizes))


def _each(given: Any, count: int) -> list[Any]:
    """One for each axis."""
    return list(given) if np.ndim(given) else [given] * count


def _all_axes(axes: Any, image: Any) -> None:
    if axes is not None and [a % image.ndim for a in np.atleast_1d(axes)] != list(range(image.ndim)):
        raise unsupported("a filter of scipy.ndimage along some axes; use that of one axis, one by one")


def _correlate(
    input: Any, weights: Any, output: Any = None, mode: Any = "reflect", cval: Any = 0.0, origin: Any = 0,
    *, axes: Any = None,
) -> Any:  # fmt: skip
    image, weights = as_array(input), as_array(weights).astype(np.float64)
    _all_axes(axes, image)
    n = image.ndim
    found = np.tensordot(_windows(image, weights.shape, _each(origin, n), _each(mode, n), cval), weights, n)
    return _stored(found, image, output)


def _backwards(size: int, origin: int) -> int:
    """The origin of the weights in the other order."""
    return -origin - (1 - size % 2)


def _convolve(
    input: Any, weights: Any, output: Any = None, mode: Any = "reflect", cval: Any = 0.0, origin: Any = 0,
    *, axes: Any = None,
) -> Any:  # fmt: skip
    weights = as_array(weights)
    origins = [_backwards(n, o) for n, o in zip(weights.shape, _each(origin, weights.ndim), strict=True)]
    return _correlate(input, np.flip(weights), output, mode, cval, origins, axes=axes)


def _correlate1d(
    input: Any, weights: Any, axis: int = -1, output: Any = None, mode: Any = "reflect", cval: Any = 0.0,
    origin: int = 0,
) -> Any:  # fmt: skip
    image, weights = as_array(input), as_array(weights)
    along = [a == axis % image.ndim for a in range(image.ndim)]
    shaped = weights.reshape([-1 if here else 1 for here in along])
    return _correlate(image, shaped, output, mode, cval, [origin * here for here in along])


def _convolve1d(
    input: Any, weights: Any, axis: int = -1, output: Any = None, mode: Any = "reflect", cval: Any = 0.0,
    origin: int = 0,
) -> Any:  # fmt: skip
    weights = as_array(weights)
    return _correlate1d(input, weights[::-1], axis, output, mode, cval, _backwards(len(weights), origin))


def _gaussian(sigma: Any, order: int, radius: int) -> Any:
    """exp(-x^2 / 2 sigma^2), so that the sum is 1, or its derivative: a polynomial q times it."""
    x = np.arange(-radius, radius + 1)
    bell = np.exp(-0.5 / (sigma * sigma) * x**2)
    bell = bell / bell.sum()
    if order == 0:
        return bell
    powers = np.arange(order + 1)
    step = np.diag(powers[1:], 1) + np.diag(np.ones(order), -1) / -(sigma * sigma)
    q = np.eye(order + 1)[0]
    for _ in range(order):
        q = np.matmul(step, q)
    return np.matmul(x[:, None] ** powers, q) * bell


def _gaussian_filter1d(
    input: Any, sigma: Any, axis: int = -1, order: int = 0, output: Any = None, mode: Any = "reflect",
    cval: Any = 0.0, truncate: float = 4.0, *, radius: Any = None,
) -> Any:  # fmt: skip
    radius = int(truncate * sigma + 0.5) if radius is None else radius
    return _correlate1d(input, _gaussian(sigma, order, radius)[::-1], axis, output, mode, cval)


def _gaussian_filter(
    input: Any, sigma: Any, order: Any = 0, output: Any = None, mode: Any = "reflect", cval: Any = 0.0,
    truncate: float = 4.0, *, radius: Any = None, axes: Any = None,
) -> Any:  # fmt: skip
    image = as_array(input)
    _all_axes(axes, image)
    found = _stored(image, image, output)
    n = image.ndim
    each = zip(*(_each(given, n) for given in (sigma, order, mode, radius)), strict=True)
    for axis, (width, derivative, side, reach) in enumerate(each):
        if width > 1e-15:
            found = _gaussian_filter1d(
                found, width, axis, derivative, None, side, cval, truncate, radius=reach
            )
    return found


def _uniform_filter1d(
    input: Any, size: int, axis: int = -1, output: Any = None, mode: Any = "reflect", cval: Any = 0.0,
    origin: int = 0,
) -> Any:  # fmt: skip
    """SciPy adds and takes away along the row: nothing bounds what is left of what was large before."""
    found = _correlate1d(input, np.ones(size), axis, np.float64, mode, cval, origin) / size
    found = _stored(found, as_array(input), output)
    ran = as_it_ran("scipy.ndimage", "uniform_filter1d", (input, size, axis, output, mode, cval, origin))
    return of_kernel(found, ran)


def _uniform_filter(
    input: Any, size: Any = 3, output: Any = None, mode: Any = "reflect", cval: Any = 0.0, origin: Any = 0,
    *, axes: Any = None,
) -> Any:  # fmt: skip
    image = as_array(input)
    _all_axes(axes, image)
    found = _stored(image, image, output)
    n = image.ndim
    for axis, (count, side, o) in enumerate(
        zip(_each(size, n), _each(mode, n), _each(origin, n), strict=True)
    ):
        if count > 1:
            found = _uniform_filter1d(found, int(count), axis, None, side, cval, o)
    return found


def _slope(across: list[int]) -> Callable[..., Any]:
    """The difference along one axis, and a sum with these weights along each other one."""

    def filtered(
        input: Any, axis: int = -1, output: Any = None, mode: Any = "reflect", cval: Any = 0.0
    ) -> Any:
        image = as_array(input)
        modes = _each(mode, image.ndim)
        axis %= image.ndim
        found = _correlate1d(image, [-1, 0, 1], axis, output, modes[axis], cval)
        for other in (a for a in range(image.ndim) if a != axis):
            found = _correlate1d(found, across, other, None, modes[other], cval)
        return found

    return filtered


def _laplace(
    input: Any, output: Any = None, mode: Any = "reflect", cval: Any = 0.0, *, axes: Any = None
) -> Any:
    image = as_array(input)
    _all_axes(axes, image)
    modes = _each(mode, image.ndim)
    found = [_correlate1d(image, [1, -2, 1], a, output, modes[a], cval) for a in range(image.ndim)]
    return sum(found[1:], found[0])


NDIMAGE: dict[str, Callable[..., Any]] = {
    "correlate": _correlate,
    "convolve": _convolve,
    "correlate1d": _correlate1d,
    "convolve1d": _convolve1d,
    "gaussian_filter1d": _gaussian_filter1d,
    "gaussian_filter": _gaussian_filter,
    "uniform_filter1d": _uniform_filter1d,
    "uniform_filter": _uniform_filter,
    "sobel": _slope([1, 2, 1]),
    "prewitt": _slope([1, 1, 1]),
    "laplace": _laplace,
}
