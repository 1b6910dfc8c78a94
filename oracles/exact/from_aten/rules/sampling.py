"""What ATen's operators that sample images between their pixels are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule
from oracles.exact.from_aten.rules.convolutions import Sizes
from oracles.exact.program import functions as f
from oracles.exact.program.errors import Undecided, Unsupported, listening
from oracles.exact.program.primitives import compare, convert, detach, select
from oracles.exact.program.primitives.arrays import concatenate, permute, reshape, take
from oracles.exact.program.primitives.choices import either
from oracles.exact.program.primitives.linear_algebra import matmul, transpose
from oracles.exact.program.program import Var, sum_of


def _linear(t: Var) -> dict[int, Var]:
    return {0: 1.0 - t, 1: t}


def _cubic(t: Var) -> dict[int, Var]:
    """Keys' kernel with a = -3/4 at distances 1 + t, t, 1 - t, 2 - t (Keys, 1981)."""
    a = -0.75

    def near(d: Var) -> Var:
        return ((a + 2) * d - (a + 3)) * d * d + 1.0

    def far(d: Var) -> Var:
        return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a

    return {-1: far(1.0 + t), 0: near(t), 1: near(1.0 - t), 2: far(2.0 - t)}


def _matrix(call: OperatorCall, size: int, out: int, kernel: Any, align: bool, scale: float | None) -> Var:
    """The weights (out, size) along one axis; samples beyond the end repeat the end.

    They are made as ATen's UpSample.h makes them, since its rounding is large where the index is: the place
    is the index times a rounded step, and its fraction is what is left of it without its floor. At a pixel
    the rounded place may lie just before it, and its weight on the pixel before is 0 but for rounding.
    """
    over, under = (float(size), float(out)) if not scale else (1.0, scale)
    if align:
        over, under = (size - 1.0, out - 1.0) if out > 1 else (0.0, 1.0)
    shift = 0.0 if align else 0.5
    exact = [(i + Fraction(shift)) * Fraction(over) / Fraction(under) - Fraction(shift) for i in range(out)]
    inside = [kernel is not _linear or place > 0 for place in exact]
    floors = [
        place.numerator // place.denominator if ok else 0 for place, ok in zip(exact, inside, strict=True)
    ]

    def column(numbers: Sequence[float]) -> Var:
        return call.recorder.constant(np.asarray(numbers, np.float64).reshape(out, 1), call.dtype)

    step = column([over] * out) / column([under] * out)
    place = step * column([i + shift for i in range(out)])
    place = place - shift if shift else place
    t = (place - column(floors)) * column(inside)
    weights = {**kernel(t), (-1 if kernel is _linear else -2): _before(t, exact, column)}
    rows = []
    for k, weight in weights.items():
        at = np.clip(np.array(floors) + k, 0, size - 1)
        rows.append(weight * call.recorder.constant(np.eye(size)[at], call.dtype))
    return sum_of(*rows)


def _before(t: Var, exact: list[Fraction], column: Callable[[Sequence[float]], Var]) -> Var:
    """The weight on the pixel before those that the kernel reaches: 0, by its fraction at a pixel."""
    return t * column([place.denominator == 1 for place in exact])


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
    """Linear (0), nearest (1) or cubic (2) samples in [-1, 1]; outside: 0, the border, or mirrored."""
    if mode not in (0, 1, 2) or padding not in (0, 1, 2):
        raise Unsupported(f"grid_sample of mode {mode} and padding {padding}: both are from 0 to 2")
    batch, channels, *size = x.shape
    n, points = len(size), grid.shape[1:-1]
    volumes = np.arange(batch * channels).reshape(batch, channels, *(1 for _ in points)) * int(np.prod(size))
    axes = [
        _taps(call, grid[..., n - 1 - i], s, mode, padding, align) for i, s in enumerate(size)
    ]  # fmt: skip
    terms = []
    for taps in product(*axes):
        place, outside, weight = call.recorder.constant(np.zeros((), np.int64)), [], None
        for length, (here, part) in zip(size, taps, strict=True):
            outside += [compare("lt", here, 0), compare("ge", here, length)]
            place = place * length + here
            weight = part if weight is None or part is None else weight * part
        one = reshape(select(either(outside), -1, place), (batch, 1, *points))
        term = take(x, select(compare("lt", one, 0), -1, volumes + one))
        terms.append(term if weight is None else term * reshape(weight, (batch, 1, *points)))
    return sum_of(*terms)


def _taps(
    call: OperatorCall, u: Var, size: int, mode: int, padding: int, align: bool
) -> list[tuple[Var, Var | None]]:
    """The pixels along one axis that a sample is made of, each with its weight; they may lie outside."""
    at = _coordinate(u, size, 0 if mode == 2 else padding, align)
    base = convert(f.step("round" if mode == 1 else "floor", detach(at)), "int64")
    if call.recorder.is_inner or call.recorder.is_fixed(base):
        with listening(), suppress(Undecided):  # what is computed may be nearly a whole number
            base = call.recorder.constant(call.decided(base))
    if mode != 2 and padding:  # at the border a step would jump, and nothing moves there
        at, base = f.clamp(at, 0.0, float(size - 1)), _clipped(base, size)
    if mode == 1:
        return [(base, None)]
    here = at - convert(base, at.dtype)
    if mode == 0:
        return [(base, -(at - convert(base + 1, at.dtype))), (base + 1, here)]
    return [(_padded(base + k, size, padding, align), weight) for k, weight in _cubic(here).items()]


def _padded(at: Var, size: int, padding: int, align: bool) -> Var:
    """Pixels beyond the ends: left there, at the border, or mirrored at the outer pixels or their edges."""
    if padding == 2:
        turn = max(2 * size - 2, 1) if align else 2 * size
        at = at.builder.elementwise("integer_floor_rem", at, turn)
        at = at.builder.elementwise("minimum", at, turn - at if align else turn - 1 - at)
    return _clipped(at, size) if padding else at


def _clipped(at: Var, size: int) -> Var:
    """The nearest pixel."""
    return at.builder.elementwise("minimum", at.builder.elementwise("maximum", at, 0), size - 1)


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
    """-1 and 1 are the centres of the outer pixels (align) or their outer edges; mirrored (2) where asked."""
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
    return at


RULES: dict[str, Rule] = {
    "upsample_linear1d": _upsample(1, _linear),
    "upsample_bilinear2d": _upsample(2, _linear),
    "upsample_trilinear3d": _upsample(3, _linear),
    "upsample_bicubic2d": _upsample(2, _cubic),
    "affine_grid_generator": _affine_grid,
    "grid_sampler_2d": _grid_sampler,
    "grid_sampler_3d": _grid_sampler,
}
