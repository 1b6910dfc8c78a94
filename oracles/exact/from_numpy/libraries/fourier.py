"""scipy.fft: NumPy's transforms, and those by cosines and sines, which are transforms of longer rows.

DCT and DST as SciPy's documentation defines them: types 1 to 4, with its three norms.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.linalg import wide
from oracles.exact.from_numpy.refusals import unsupported

INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}


def _of_numpy(name: str) -> Callable[..., Any]:
    function = getattr(np.fft, name)
    several = name.endswith(("2", "n"))

    def transform(x: Any, n: Any = None, axis: Any = None, norm: Any = None, **hints: Any) -> Any:
        x = wide(x)
        if several:
            return function(x, hints.get("s", n), hints.get("axes", _axes(name, axis)), norm)
        return function(x, n, -1 if axis is None else axis, norm)

    return transform


def _axes(name: str, axes: Any) -> Any:
    return (-2, -1) if axes is None and name.endswith("2") else axes


def _row(x: Any, length: int, first: int, step: int) -> Any:
    """x along the last axis of zeros, at first, first + step, ..."""
    n = x.shape[-1]
    places = np.full(length, n)
    places[first + step * np.arange(n)] = np.arange(n)
    return np.concatenate([x, np.zeros((*x.shape[:-1], 1), x.dtype)], -1)[..., places]


def _cosines(x: Any, kind: int, ortho: bool) -> Any:
    n = x.shape[-1]
    root = math.sqrt(2.0)
    if kind == 1:
        if n < 2:
            raise unsupported("DCT-I of fewer than 2 numbers")
        if ortho:
            x = _scaled(x, root, (0, n - 1))
        whole = np.concatenate([x, x[..., -2:0:-1]], -1)
        found = np.fft.fft(whole).real[..., :n]
        return _scaled(found, 1 / root, (0, n - 1)) if ortho else found
    if kind == 2:
        found = 2.0 * np.fft.fft(_row(x, 4 * n, 1, 2)).real[..., :n]
        return _scaled(found, 1 / root, (0,)) if ortho else found
    if kind == 3:
        x = _scaled(x, root, (0,)) if ortho else x
        return 2.0 * np.fft.fft(_row(x, 4 * n, 0, 1)).real[..., 1 : 2 * n : 2] - x[..., :1]
    return 2.0 * np.fft.fft(_row(x, 8 * n, 1, 2)).real[..., 1 : 2 * n : 2]


def _sines(x: Any, kind: int, ortho: bool) -> Any:
    n = x.shape[-1]
    root = math.sqrt(2.0)
    if kind == 1:
        return -2.0 * np.fft.fft(_row(x, 2 * (n + 1), 1, 1)).imag[..., 1 : n + 1]
    if kind == 2:
        found = -2.0 * np.fft.fft(_row(x, 4 * n, 1, 2)).imag[..., 1 : n + 1]
        return _scaled(found, 1 / root, (n - 1,)) if ortho else found
    if kind == 3:
        x = _scaled(x, root, (n - 1,)) if ortho else x
        found = -2.0 * np.fft.fft(_row(x, 4 * n, 1, 1)).imag[..., 1 : 2 * n : 2]
        return found - x[..., -1:] * ((-1.0) ** np.arange(n)).astype(x.dtype)
    return -2.0 * np.fft.fft(_row(x, 8 * n, 1, 2)).imag[..., 1 : 2 * n : 2]


def _scaled(x: Any, factor: Any, where: tuple[int, ...]) -> Any:
    """x with some elements of the last axis times a factor."""
    chosen = np.isin(np.arange(x.shape[-1]), where)
    return np.where(chosen, x * factor, x)


def _one(
    rule: Callable[..., Any],
    inverse: bool,
    x: Any,
    type: int = 2,
    n: Any = None,
    axis: int = -1,
    norm: Any = None,
    overwrite_x: bool = False,
    workers: Any = None,
    orthogonalize: Any = None,
) -> Any:
    x = x.astype(np.float64) if x.dtype.kind in "iub" else wide(x)
    if x.dtype.kind == "c" or norm not in {None, "backward", "ortho", "forward"}:
        raise unsupported(f"scipy.fft's dct and dst of complex numbers, or with norm={norm!r}")
    x = np.moveaxis(x, axis, -1)
    if n is not None:
        x = x[..., :n] if n <= x.shape[-1] else np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, n - x.shape[-1])])
    kind, length = INVERSE[type] if inverse else type, x.shape[-1]
    size = 2.0 * {1: length - 1 if rule is _cosines else length + 1}.get(type, length)
    found = rule(x, kind, (norm == "ortho") if orthogonalize is None else orthogonalize)
    if norm == "ortho":
        found = found / math.sqrt(size)
    elif inverse != (norm == "forward"):
        found = found / size
    return np.moveaxis(found, -1, axis)


def _several(
    rule: Callable[..., Any],
    inverse: bool,
    x: Any,
    type: int = 2,
    s: Any = None,
    axes: Any = None,
    norm: Any = None,
    **hints: Any,
) -> Any:
    if axes is None:
        axes = range(x.ndim) if s is None else range(-np.size(s), 0)
    axes = [int(a) for a in np.atleast_1d(axes)]
    lengths = [None] * len(axes) if s is None else [int(n) for n in np.atleast_1d(s)]
    for axis, n in zip(axes, lengths, strict=True):
        x = _one(rule, inverse, x, type, n, axis, norm, **hints)
    return x


_TRANSFORMS = "fft ifft rfft irfft hfft ihfft fft2 ifft2 rfft2 irfft2 fftn ifftn rfftn irfftn"
FFT: dict[str, Callable[..., Any]] = {
    **{name: _of_numpy(name) for name in _TRANSFORMS.split()},
    "fftshift": lambda x, axes=None: np.fft.fftshift(x, axes),
    "ifftshift": lambda x, axes=None: np.fft.ifftshift(x, axes),
    **{
        f"{i}d{letter}t{n}": partial(function, rule, bool(i))
        for i in ("", "i")
        for letter, rule in (("c", _cosines), ("s", _sines))
        for n, function in (("", _one), ("n", _several))
    },
}
