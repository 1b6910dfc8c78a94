"""What ATen's operators that sample images between their pixels are."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from flint import arb

from oracles.exact.from_aten.call import OperatorCall, Rule
from oracles.exact.from_aten.rules.convolutions import Sizes
from oracles.exact.program import functions as f
from oracles.exact.program.balls import filled
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import convert, detach
from oracles.exact.program.primitives.arrays import concatenate, permute, reshape, take
from oracles.exact.program.primitives.linear_algebra import matmul, transpose
from oracles.exact.program.program import Var, sum_of


def _linear(t: Fraction) -> dict[int, Fraction]:
    return {0: 1 - t, 1: t}


def _cubic(t: Fraction) -> dict[int, Fraction]:
    """Keys' kernel with a = -3/4 at distances 1 + t, t, 1 - t, 2 - t (Keys, 1981)."""
    a = Fraction(-3, 4)

    def near(d: Fraction) -> Fraction:
        return ((a + 2) * d - (a + 3)) * d * d + 1

    def far(d: Fraction) -> Fraction:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return {-1: far(1 + t), 0: near(t), 1: near(1 - t), 2: far(2 - t)}


def _matrix(call: OperatorCall, size: int, out: int, kernel: Any, align: bool, scale: float | None) -> Var:
    """The weights (out, size) along one axis, as exact quotients; samples beyond the end repeat the end."""
    if align:
        step, shift = (Fraction(size - 1, out - 1) if out > 1 else Fraction(0)), Fraction(0)
    else:
        step = 1 / Fraction(scale) if scale else Fraction(size, out)
        shift = step / 2 - Fraction(1, 2)
    top = [[Fraction(0)] * size for _ in range(out)]
    for i in range(out):
        at = i * step + shift
        if kernel is _linear:
            at = max(at, Fraction(0))
        base = at.numerator // at.denominator
        for k, w in kernel(at - base).items():
            top[i][min(max(base + k, 0), size - 1)] += w
    parts = [w for row in top for w in row]
    over, under = (
        call.recorder.constant(filled([arb(int(v)) for v in values], (out, size)), call.dtype)
        for values in ([w.numerator for w in parts], [w.denominator for w in parts])
    )
    return over / under


def _upsample(n: int, kernel: Any) -> Rule:
    """The same weights along each axis."""

    def rule(call: OperatorCall, x: Var, out: Sizes | None, align: bool, *scales: Any) -> Var:
        flat = [s for scale in scales for s in (scale if isinstance(scale, (list, tuple)) else [scale])]
        flat = flat if len(flat) == n else [None] * n
        for i in range(n):
            axis = x.ndim - n + i
            weights = _matrix(call, x.shape[axis], call.shape[axis], kernel, align, flat[i])
            order = [a for a in range(x.ndim) if a != axis] + [axis]
            y = permute(x, order)
            rows = matmul(reshape(y, (y.size // y.shape[-1], y.shape[-1])), transpose(weights))
            y = reshape(rows, (*y.shape[:-1], call.shape[axis]))
            x = permute(y, [order.index(a) for a in range(x.ndim)])
        return x

    return rule


def _grid_sampler(call: OperatorCall, x: Var, grid: Var, mode: int, padding: int, align: bool) -> Var:
    """Linear (0) or nearest (1) samples at grid points in [-1, 1]; outside: 0, the border, or mirrored."""
    if mode not in (0, 1) or padding not in (0, 1, 2):
        name = {2: "bicubic"}.get(mode, str(mode))
        raise Unsupported(f"grid_sample of mode {name} and padding {padding}: only linear and nearest")
    batch, channels, *size = x.shape
    n, points = len(size), grid.shape[1:-1]
    at = [_coordinate(grid[..., n - 1 - i], s, padding, align) for i, s in enumerate(size)]
    volumes = np.arange(batch * channels).reshape(batch, channels, *(1 for _ in points))
    step = "round" if mode == 1 else "floor"
    base = [call.decided(convert(f.step(step, detach(a)), "int64")) for a in at]
    terms = []
    for corner in product((0, 1), repeat=n) if mode == 0 else [(0,) * n]:
        place, inside = np.zeros((), np.int64), np.ones((), bool)
        weight: Var | None = None
        for i, up in enumerate(corner):
            here = base[i] + up
            place, inside = place * size[i] + here, inside & (here >= 0) & (here < size[i])
            if mode == 0:
                part = at[i] - base[i] if up else -(at[i] - (base[i] + 1))
                weight = part if weight is None else weight * part
        where = np.where(inside[:, None], volumes * int(np.prod(size)) + place[:, None], -1)
        term = take(x, where)
        if weight is not None:
            term = term * reshape(weight, (batch, 1, *points))
        terms.append(term)
    return sum_of(*terms)


def _affine_grid(call: OperatorCall, theta: Var, size: Sizes, align: bool) -> Var:
    """theta (x, y, 1) at the pixels of an image of this size, x along its last axis."""
    batch, _, *pixels = size
    axes = []
    for k, n in reversed(list(enumerate(pixels))):
        steps = np.arange(n) * 2.0 - (n - 1.0)  # -(n - 1) to n - 1
        part = call.constant(steps) / float(max(n - 1, 1) if align else n)
        shape = [n if j == k else 1 for j in range(len(pixels))]
        wide = call.recorder.broadcast(reshape(part, shape), tuple(pixels))
        axes.append(reshape(wide, (wide.size, 1)))
    points = concatenate([*axes, call.recorder.broadcast(call.constant(1.0), (axes[0].shape[0], 1))], 1)
    return reshape(matmul(points, transpose(theta)), (batch, *pixels, len(pixels)))


def _coordinate(u: Var, size: int, padding: int, align: bool) -> Var:
    """-1 and 1 are the centres of the outer pixels (align) or their outer edges."""
    at = (u + 1.0) * ((size - 1) / 2) if align else ((u + 1.0) * float(size) - 1.0) / 2.0
    if padding == 2:
        low, span = (0.0, float(size - 1)) if align else (-0.5, float(size))
        if span == 0:
            return at * 0.0
        away = f.absolute(at - low)
        turns = f.step("floor", detach(away) / span)
        extra = away - turns * span
        odd = f.remainder(turns, 2.0, "floor")
        at = (extra + (span - 2.0 * extra) * odd) + low
    return f.clamp(at, 0.0, float(size - 1)) if padding else at


RULES: dict[str, Rule] = {
    "upsample_linear1d": _upsample(1, _linear),
    "upsample_bilinear2d": _upsample(2, _linear),
    "upsample_trilinear3d": _upsample(3, _linear),
    "upsample_bicubic2d": _upsample(2, _cubic),
    "affine_grid_generator": _affine_grid,
    "grid_sampler_2d": _grid_sampler,
    "grid_sampler_3d": _grid_sampler,
}
