"""What ATen's Fourier transforms are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from oracles.exact.from_aten.call import Rule
from oracles.exact.program import complex as cx
from oracles.exact.program import fourier
from oracles.exact.program.complex import Complex
from oracles.exact.program.primitives import scalar
from oracles.exact.program.primitives.arrays import index
from oracles.exact.program.program import Var


def _normalized(x: Any, lengths: Sequence[int], how: int) -> Any:
    """ATen's fft_norm_mode: none, by the root of the number of elements, or by that number."""
    count = float(np.prod(lengths, dtype=int))
    if how == 0:
        return x
    if how == 2:
        return cx.div(x, count) if isinstance(x, Complex) else x / count
    like = cx.vars_of(x)[0]
    root = scalar("sqrt", like.builder.constant(count, like.dtype))
    return cx.div(x, root) if isinstance(x, Complex) else x / root


def _c2c(x: Complex, dim: Sequence[int], normalization: int, forward: bool) -> Any:
    found = fourier.transform(x, dim, forward)
    return _normalized(found, [x.shape[d] for d in dim], normalization)


def _r2c(x: Var, dim: Sequence[int], normalization: int, onesided: bool) -> Any:
    whole = fourier.transform(cx.pair(x, 0.0), dim, True)
    if onesided:
        last = dim[-1] % x.ndim
        kept = x.shape[last] // 2 + 1
        whole = whole.apart(lambda v: index(v, lambda p: p.take(range(kept), last)))
    return _normalized(whole, [x.shape[d] for d in dim], normalization)


def _c2r(x: Complex, dim: Sequence[int], normalization: int, last_dim_size: int) -> Any:
    found = fourier.real_inverse(x, dim, last_dim_size)
    return _normalized(found, [found.shape[d] for d in dim], normalization)


RULES: dict[str, Rule] = {
    "_fft_c2c": lambda call, *args: _c2c(*args),
    "_fft_r2c": lambda call, *args: _r2c(*args),
    "_fft_c2r": lambda call, *args: _c2r(*args),
}
