"""scipy.signal's convolutions: sums of products, or products of transforms, as SciPy takes them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from oracles.exact.from_numpy.nested import holds_traced, values
from oracles.exact.from_numpy.refusals import unsupported


def _scipy() -> Any:
    return import_module("scipy.signal")


def _two(x: Any, k: Any, mode: str, ones: bool = True) -> tuple[Any, Any, bool]:
    """Both as arrays, and whether they changed places: where the second is the larger and must hold all.

    Axes where one has length 1 count only with `ones`.
    """
    x, k = (v if holds_traced(v) else np.asarray(v) for v in (x, k))
    if x.ndim != k.ndim or mode not in {"full", "same", "valid"}:
        raise ValueError("the two must have as many axes, and mode be 'full', 'same' or 'valid'")
    if np.result_type(*values((x, k))).name not in {"float32", "float64", "complex64", "complex128"}:
        raise unsupported("scipy.signal of these dtypes; use float32 or float64")
    sizes = [(n, m) for n, m in zip(x.shape, k.shape, strict=True) if ones or 1 not in (n, m)]
    larger = mode == "valid" and not all(n >= m for n, m in sizes)
    if larger and not all(n <= m for n, m in sizes):
        raise ValueError("for 'valid' mode one must be at least as large as the other along every axis")
    return (k, x, True) if larger else (x, k, False)


def _backwards(x: Any) -> Any:
    return np.flip(np.conj(x) if x.dtype.kind == "c" else x)


def _middle(m: int) -> int:
    return (m - 1) // 2


def _sums(x: Any, k: Any, mode: str, same: Callable[[int], int] = _middle) -> Any:
    """Sum_j x_{i+j-m+1} k_j along each axis, k of length m: all that have a term, or a part of them.

    `same` says for "same" where that part begins, for a k of this length.
    """
    parts = [_part(mode, n, m, same) for n, m in zip(x.shape, k.shape, strict=True)]
    zeros = [
        (m - 1 - first, first + count - n)
        for n, m, (first, count) in zip(x.shape, k.shape, parts, strict=True)
    ]
    return np.tensordot(sliding_window_view(np.pad(x, zeros), k.shape), k, k.ndim)


def _part(mode: str, n: int, m: int, same: Callable[[int], int] = _middle) -> tuple[int, int]:
    """Where the part begins among all n + m - 1, and how many it has."""
    return {"full": (0, n + m - 1), "same": (same(m), n), "valid": (m - 1, n - m + 1)}[mode]


def _correlate2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    _flat(in1, in2, boundary, fillvalue)
    x, k, turned = _two(in1, in2, mode)
    found = _sums(x, np.conj(k) if k.dtype.kind == "c" else k, mode, lambda m: m // 2)
    return np.flip(found) if turned else found


def _convolve2d(in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0) -> Any:
    _flat(in1, in2, boundary, fillvalue)
    x, k, _ = _two(in1, in2, mode)
    return _sums(x, np.flip(k), mode)


def _flat(in1: Any, in2: Any, boundary: str, fillvalue: Any) -> None:
    if np.ndim(in1) != 2 or np.ndim(in2) != 2:
        raise ValueError("both inputs must be 2-D arrays")
    if boundary not in {"fill", "pad"} or holds_traced(fillvalue) or fillvalue != 0:
        raise unsupported(
            f"scipy.signal with boundary={boundary!r} and fillvalue={fillvalue!r}; pad with np.pad first"
        )


def _convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    x, k, _ = _two(in1, in2, mode)
    if not x.ndim:
        return x * k
    if method == "auto":
        method = _scipy().choose_conv_method(*values((x, k)), mode)
    return _fftconvolve(x, k, mode) if method == "fft" else _sums(x, np.flip(k), mode)


def _correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """Of a larger second one the correlation is that of the two exchanged, backwards."""
    x, k, turned = _two(in1, in2, mode)
    found = _convolve(x, _backwards(k), mode, method)
    return _backwards(found) if turned else found


def _fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """By transforms as long as SciPy takes them; axes of length 1 need none."""
    if axes is not None:
        raise unsupported("scipy.signal.fftconvolve with axes")
    x, k, _ = _two(in1, in2, mode, ones=False)
    along = [a for a, (n, m) in enumerate(zip(x.shape, k.shape, strict=True)) if n != 1 and m != 1]
    if not along:
        return x * k
    x, k = (v if v.dtype.kind in "fc" else v.astype(np.float64) for v in (x, k))
    of_complex = "c" in x.dtype.kind + k.dtype.kind
    lengths = [x.shape[a] + k.shape[a] - 1 for a in along]
    longer = [import_module("scipy.fft").next_fast_len(n, not of_complex) for n in lengths]
    there, back = (np.fft.fftn, np.fft.ifftn) if of_complex else (np.fft.rfftn, np.fft.irfftn)
    whole = back(there(x, longer, along) * there(k, longer, along), longer, along)
    cut = [slice(None)] * x.ndim
    for a in range(x.ndim) if mode == "same" else along:
        first, count = _part(mode, x.shape[a], k.shape[a])
        cut[a] = slice(first, first + count)
    return whole[tuple(cut)]


SIGNAL: dict[str, Callable[..., Any]] = {
    "convolve": _convolve,
    "correlate": _correlate,
    "fftconvolve": _fftconvolve,
    "convolve2d": _convolve2d,
    "correlate2d": _correlate2d,
}
