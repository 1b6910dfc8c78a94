"""scipy.signal's linear filters, each number of the result from those before it, and its trends."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from oracles.exact.from_numpy.libraries.linalg import wide
from oracles.exact.from_numpy.libraries.standard import as_it_ran, of_kernel
from oracles.exact.from_numpy.making import as_array
from oracles.exact.from_numpy.nested import holds_traced, values
from oracles.exact.from_numpy.refusals import unsupported


def _lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """a_0 y_n = sum_k b_k x_{n-k} - sum_{k>0} a_k y_{n-k}, by delays as SciPy keeps them (direct form II,
    transposed).

    The delays before the first number are `zi`, and then those after the last are returned too.
    """
    b, a, x = (v if holds_traced(v) else np.asarray(v) for v in (b, a, x))
    if np.result_type(*values((b, a, x))).name not in {"float32", "float64"}:
        raise unsupported("scipy.signal.lfilter of these dtypes; use float32 or float64")
    b, a = np.ravel(b), np.ravel(a)
    order = max(len(a), len(b)) - 1
    b, a = (np.concatenate([v, np.zeros(order + 1 - len(v), v.dtype)]) / a[0] for v in (b, a))
    along = np.moveaxis(x, axis, 0)
    state = np.zeros((order + 1, *along.shape[1:]), along.dtype)  # the last stays 0
    delays = list(state if zi is None else np.concatenate([np.moveaxis(zi, axis, 0), state[:1]]))
    found = []
    for now in along:
        out = delays[0] + b[0] * now
        delays = [delays[k + 1] + b[k + 1] * now - a[k + 1] * out for k in range(order)] + [delays[-1]]
        found.append(out)
    result = np.stack(found, axis)
    return result if zi is None else (result, np.stack(delays[:order], axis))


def _sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """Filters of the second order, one after another."""
    ends = []
    for k, section in enumerate(np.atleast_2d(as_array(sos))):
        given = (section[:3], section[3:], x, axis)
        if zi is None:
            x = _lfilter(*given)
        else:
            x, end = _lfilter(*given, zi[k])
            ends.append(end)
    return x if zi is None else (x, np.stack(ends))


def _filtfilt(
    b: Any, a: Any, x: Any, axis: int = -1, padtype: Any = "odd", padlen: Any = None, method: str = "pad",
    irlen: Any = None,
) -> Any:  # fmt: skip
    if method != "pad":
        raise unsupported(f"scipy.signal.filtfilt with method={method!r}")
    steady = _known("lfilter_zi", b, a)
    length = 3 * max(np.size(a), np.size(b)) if padlen is None else padlen
    return _there_and_back(lambda y, zi: _lfilter(b, a, y, zi=zi)[0], steady, x, axis, padtype, length)


def _sosfiltfilt(sos: Any, x: Any, axis: int = -1, padtype: Any = "odd", padlen: Any = None) -> Any:
    steady = _known("sosfilt_zi", sos)
    sos = np.atleast_2d(sos)
    taps = 2 * len(sos) + 1 - min((sos[:, 2] == 0).sum(), (sos[:, 5] == 0).sum())
    length = 3 * taps if padlen is None else padlen
    steady = steady[:, *(None,) * (np.ndim(x) - 1), :]
    return _there_and_back(lambda y, zi: _sosfilt(sos, y, zi=zi)[0], steady, x, axis, padtype, length)


def _known(name: str, *coefficients: Any) -> Any:
    """The delays of a filter that has always seen ones, of coefficients that stand in the code."""
    if holds_traced(coefficients):
        raise unsupported("scipy.signal.filtfilt and sosfiltfilt of recorded coefficients")
    return as_it_ran("scipy.signal", name, coefficients)


def _there_and_back(
    filtered: Callable[..., Any], steady: Any, x: Any, axis: int, padtype: Any, length: int
) -> Any:
    """Forwards and backwards, each time from where the first number had always been."""
    x = np.moveaxis(as_array(x), axis, -1)
    beyond = 0 if padtype is None else int(length)
    y = _extended(x, padtype, beyond) if beyond else x
    for _ in range(2):
        y = filtered(y, steady * y[..., :1])[..., ::-1]
    return np.moveaxis(y[..., beyond : y.shape[-1] - beyond], -1, axis)


def _extended(x: Any, padtype: str, n: int) -> Any:
    """Mirrored at both ends: as it is, or so that the slope goes on; or with the end itself."""
    first, last = x[..., :1], x[..., -1:]
    if padtype == "constant":
        before, after = (np.repeat(end, n, -1) for end in (first, last))
    else:
        before, after = x[..., n:0:-1], x[..., -2 : -n - 2 : -1]
    if padtype == "odd":
        before, after = 2 * first - before, 2 * last - after
    return np.concatenate([before, x, after], -1)


def _detrend(
    data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False
) -> Any:
    """Without the mean, or without the line that is nearest to the numbers between two breaks."""
    if overwrite_data:
        raise unsupported("scipy.signal.detrend with overwrite_data")
    if type in {"constant", "c"}:
        return data - np.mean(data, axis, keepdims=True)
    is_wide = data.dtype.kind in "fc" and data.dtype != np.float16
    x = np.moveaxis(data if is_wide else data.astype(np.float64), axis, -1)
    ends = np.unique([0, *np.ravel(bp), x.shape[-1]])
    parts = [_level(x[..., first:end]) for first, end in pairwise(ends)]
    given = as_it_ran("scipy.signal", "detrend", (data, axis, type, bp))
    return of_kernel(np.moveaxis(np.concatenate(parts, axis=-1), -1, axis), given)


def _level(x: Any) -> Any:
    n = x.shape[-1]
    left = x - np.mean(x, -1, keepdims=True)
    places = (np.arange(n) - (n - 1) / 2.0).astype(x.real.dtype)
    return left if n == 1 else left - np.sum(places * left, -1, keepdims=True) / np.sum(places**2) * places


def _hilbert(x: Any, N: Any = None, axis: int = -1) -> Any:
    """x + i H x: the transform of x without what turns backwards, and twice what turns forwards."""
    if x.dtype.kind == "c":
        raise ValueError("x must be real")
    x = wide(x)
    n = x.shape[axis] if N is None else int(N)
    shares = np.zeros(n, np.float32 if x.dtype == np.float32 else np.float64)
    shares[0], shares[1 : (n + 1) // 2] = 1, 2
    if n % 2 == 0:
        shares[n // 2] = 1
    turning = np.moveaxis(np.fft.fft(x, n, axis), axis, -1) * shares
    return np.fft.ifft(np.moveaxis(turning, -1, axis), axis=axis)


FILTERS: dict[str, Callable[..., Any]] = {
    "lfilter": _lfilter,
    "sosfilt": _sosfilt,
    "filtfilt": _filtfilt,
    "sosfiltfilt": _sosfiltfilt,
    "detrend": _detrend,
    "hilbert": _hilbert,
}
