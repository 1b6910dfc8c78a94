"""Random programs over all that a plan has rules for, and some that it has not; and inputs of every kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import ml_dtypes
import numpy as np
from flint import arb
from numpy.random import Generator

from oracles.exact.core.pairs import Pairs
from oracles.exact.program import functions as fn
from oracles.exact.program.balls import filled, precision
from oracles.exact.program.primitives import (
    arithmetic,
    arrays,
    choices,
    comparisons,
    edges,
    linear_algebra,
    orders,
    predicates,
    reductions,
    sorting,
)
from oracles.exact.program.primitives.taylor import scalar, taylor
from oracles.exact.program.program import PRIMITIVES, Builder, Program, Shape, Var
from tests.oracles.exact.core.operands import balls, points

SHAPES: tuple[Shape, ...] = ((), (1,), (3,), (2, 3), (1, 3), (2, 1), (2, 3, 2), (2, 1, 2), (0, 3), (2, 0))
DTYPES = ("float64", "float32", "float16", "bfloat16")
FUNCTIONS = ("exp", "log", "log1p", "reciprocal", "sqrt", "rsqrt", "tanh", "erf", "erfc", "sin", "atan")


class Writer:
    """A program that grows, one random operation at a time."""

    def __init__(self, rng: Generator) -> None:
        self.rng, self.builder = rng, Builder()
        self.values: list[Var] = []
        for _ in range(int(rng.integers(1, 4))):
            self.values.append(
                self.builder.input(self.pick(SHAPES[:8] if rng.random() < 0.9 else SHAPES), self.pick(DTYPES))
            )
        if rng.random() < 0.3:
            self.values.append(
                self.builder.input(self.pick(SHAPES[:8]), self.pick(("int64", "int32", "bool")))
            )

    def pick(self, options: Any) -> Any:
        """One of them."""
        return options[int(self.rng.integers(len(options)))]

    def some(self, like: Shape | None = None, kind: str = "float") -> Var:
        """An earlier value, floating, boolean or integer; one that fits beside a shape, if it is said."""
        fitting = [
            v for v in self.values[-12:] if _kind(v) == kind and (like is None or _fits(v.shape, like))
        ]
        if not fitting or self.rng.random() < 0.1:
            return self.builder.constant(
                self.numbers(kind, like if like is not None else self.pick(SHAPES[:8]))
            )
        return self.pick(fitting)

    def whole(self, shape: Shape) -> Var:
        """An earlier floating value, repeated to exactly this shape."""
        x = self.some(shape)
        if np.broadcast_shapes(x.shape, shape) != shape:
            x = self.builder.constant(self.numbers("float", shape))
        return self.builder.broadcast(x, shape)

    def numbers(self, kind: str, shape: Shape) -> Any:
        """Numbers for a constant; now and then Arb's balls."""
        if kind == "bool":
            return self.rng.random(shape) < 0.5
        if kind == "int":
            return self.rng.integers(-3, 5, shape)
        found = np.where(
            self.rng.random(shape) < 0.4, self.rng.integers(-2, 3, shape), self.rng.normal(size=shape)
        )
        if self.rng.random() < 0.2:
            with precision(200):
                found = filled([arb(v) / 3 for v in found.ravel().tolist()], shape)
        return found

    def axes(self, x: Var) -> tuple[int, ...]:
        """Some of its axes."""
        return tuple(a for a in range(x.ndim) if self.rng.random() < 0.6)

    def program(self, steps: int) -> Program:
        """So many operations, two outputs of them, and at times a guard."""
        for _ in range(steps):
            write = self.pick(OPERATIONS)
            try:
                made = write(self)
            except (ValueError, IndexError, ZeroDivisionError):
                continue  # nothing that fits
            if made is not None and made.size <= 60:
                self.values.append(made)
        floats = [v for v in self.values if v.is_float]
        if self.rng.random() < 0.3:
            guards = [
                v
                for v in self.values
                if not v.is_float and v.builder.known(v) is None and v not in self.builder.inputs
            ]
            for v in guards[:1]:
                self.builder.guards.append(
                    (
                        v,
                        np.asarray(self.rng.random(v.shape) < 0.5)
                        if v.dtype == "bool"
                        else np.zeros(v.shape, int),
                    )
                )
        return self.builder.program(floats[-2:])


Operation: TypeAlias = Callable[[Writer], Var | None]


def _kind(v: Var) -> str:
    return "float" if v.is_float else "bool" if v.dtype == "bool" else "int"


def _fits(shape: Shape, like: Shape) -> bool:
    try:
        np.broadcast_shapes(shape, like)
    except ValueError:
        return False
    return True


def _elementwise(name: str, count: int, **params: Any) -> Operation:
    def write(w: Writer) -> Var:
        first = w.some()
        rest = [w.some(first.shape) for _ in range(count - 1)]
        return w.builder.elementwise(name, first, *rest, dtype=first.dtype, **params)

    return write


def _compared(w: Writer) -> Var:
    x = w.some()
    return comparisons.compare(w.pick(("lt", "le", "gt", "ge", "eq", "ne")), x, w.some(x.shape))


def _logic(w: Writer) -> Var:
    x, name = w.some(kind="bool"), w.pick(("and", "or", "xor", "not"))
    others = () if name == "not" else (w.some(x.shape, "bool"),)
    return w.builder.elementwise(name, x, *others, dtype="bool")


def _selected(w: Writer) -> Var:
    p = w.some(kind="bool")
    x = w.some(p.shape)
    return choices.select(p, x, w.some(np.broadcast_shapes(p.shape, x.shape)))


def _selected_truths(w: Writer) -> Var:
    p = w.some(kind="bool")
    return choices.select(p, w.some(p.shape, "bool"), w.some(p.shape, "bool"))


def _taylor(w: Writer) -> Var:
    x, order = w.some(), int(w.rng.integers(0, 4))
    if w.rng.random() < 0.3:
        n = int(w.pick((-62, -3, -2, -1, 0, 1, 2, 3, 7)))
        return scalar("power", x, np.full(x.shape, n), order=order)
    return w.builder.emit(taylor, (x,), x.shape, x.dtype, function=w.pick(FUNCTIONS), order=order)


def _positive_taylor(w: Writer) -> Var:
    x = w.some()
    y = x * x + w.pick((0.0, 1e-3, 1.0))
    return w.builder.emit(
        taylor, (y,), y.shape, y.dtype, function=w.pick(FUNCTIONS[:7]), order=int(w.rng.integers(0, 3))
    )


def _reduced(w: Writer) -> Var:
    x, reduce = w.some(), w.pick((arrays.reduce_sum, reductions.reduce_max, reductions.reduce_min))
    return reduce(x, w.axes(x), keepdims=bool(w.rng.random() < 0.3))


def _weights(w: Writer) -> Var | None:
    x = w.some()
    axes, largest = w.axes(x), bool(w.rng.random() < 0.5)
    return (
        w.builder.emit(reductions.weights, (x,), x.shape, x.dtype, axes=axes, largest=largest)
        if axes
        else None
    )


def _mixture(w: Writer) -> Var | None:
    x = w.some()
    t, axes = w.whole(x.shape), w.axes(x)
    if not axes:
        return None
    shape = arrays.without(x.shape, axes)
    return w.builder.emit(
        reductions.mixture, (x, t), shape, x.dtype, axes=axes, largest=bool(w.rng.random() < 0.5)
    )


def _blended(w: Writer) -> Var:
    a = w.some()
    b, x, y = (w.some(a.shape) for _ in range(3))
    return choices.blend(a, b, x, y, x)


def _converted(w: Writer) -> Var:
    x = w.some(kind=w.pick(("float", "bool", "int")))
    return arithmetic.convert(
        x, w.pick((*DTYPES, "int64", "int32") if not x.is_float else (*DTYPES, "int32"))
    )


def _broadcast(w: Writer) -> Var:
    x = w.some()
    return w.builder.broadcast(x, np.broadcast_shapes(x.shape, w.pick(SHAPES)))


def _reshaped(w: Writer) -> Var:
    x = w.some()
    return arrays.reshape(
        x,
        w.pick([(x.size,), (1, x.size), (x.size, 1), (2, x.size // 2, 1)]) if x.size % 2 == 0 else (x.size,),
    )


def _permuted(w: Writer) -> Var:
    x = w.some()
    return arrays.permute(x, tuple(w.rng.permutation(x.ndim).tolist()))


def _taken(w: Writer) -> Var:
    x = w.some()
    if not x.size:
        return arrays.take(x, np.full((2,), -1))
    return arrays.take(x, w.rng.integers(-1, x.size, w.pick(((3,), (2, 2), (), (0,)))))


def _taken_by_order(w: Writer) -> Var:
    x = w.some()
    return orders.take_along(x, orders.argsort(x, -1), -1)


def _taken_by_largest(w: Writer) -> Var:
    x = w.some()
    return arrays.take(x, orders.argmax(arrays.reshape(x, (x.size,)), 0))


def _scattered(w: Writer) -> Var:
    x, shape = w.some(), w.pick(((3,), (2, 3), (1,)))
    return arrays.scatter_add(x, w.rng.integers(-1, math.prod(shape), x.shape), shape)


def _concatenated(w: Writer) -> Var:
    x = w.some()
    axis = int(w.rng.integers(x.ndim))
    return arrays.concatenate([x, w.whole(x.shape)], axis)


def _running(w: Writer) -> Var:
    x = w.some()
    return orders.cumsum(x, int(w.rng.integers(x.ndim)), reverse=bool(w.rng.random() < 0.3))


def _product(w: Writer) -> Var:
    batch = w.pick(((), (2,), (1,), (2, 2)))
    return linear_algebra.matmul(w.whole((*batch, 2, 3)), w.whole((*batch, 3, int(w.rng.integers(1, 3)))))


def _stepped(w: Writer) -> Var:
    x, name = w.some(), w.pick(("floor", "ceil", "round", "trunc", "sign"))
    return w.builder.emit(PRIMITIVES[name + w.pick(("", "_around"))], (x,), x.shape, x.dtype)


def _edged(w: Writer) -> Var:
    x = w.some()
    return edges.edged(x * x, arrays.reduce_sum(x, range(x.ndim)), [fn.absolute(x)])


def _infinite(w: Writer) -> Var:
    x, kind = w.some(), w.pick((predicates.is_infinite, predicates.is_nan))
    return choices.select(w.builder.emit(kind, (x,), x.shape, "bool"), x * x, x)


OPERATIONS: tuple[Operation, ...] = (
    *(_elementwise(name, 2) for name in ("add", "sub", "mul", "div", "scale", "maximum", "minimum")),
    *(_elementwise(name, 1) for name in ("neg", "abs", "detach")),
    *(_compared, _logic, _selected, _selected_truths, _taylor, _positive_taylor, _reduced, _weights),
    *(_mixture, _blended, _converted, _broadcast, _reshaped, _permuted, _taken, _taken_by_order),
    *(_taken_by_largest, _scattered, _concatenated, _running, _product, _stepped, _edged, _infinite),
    *(lambda w: fn.softmax(w.some(), -1), lambda w: sorting.sort(w.some(), -1)),
)  # fmt: skip


def inputs(rng: Generator, program: Program) -> tuple[list[Any], list[Any]]:
    """What a plan is given, and a point in it for Arb: numbers of the dtype, Arb's balls, or pairs."""
    given, at = [], []
    for v in program.inputs:
        if not v.is_float:
            whole = rng.integers(0, 2 if v.dtype == "bool" else 4, v.shape).astype(v.dtype)
            given.append(whole)
            at.append(whole)
            continue
        size = v.size
        h = np.where(rng.random(size) < 0.4, rng.integers(-2, 3, size), rng.normal(size=size))
        if rng.random() < 0.15:
            h = h * np.ldexp(1.0, rng.integers(-1000, 1000, size))
        kind = int(rng.integers(0, 4))
        if kind < 2 or v.dtype != "float64":
            dtype = ml_dtypes.bfloat16 if v.dtype == "bfloat16" else v.dtype
            with np.errstate(over="ignore"):
                numbers = np.clip(h, -1e4, 1e4).astype(dtype) if v.dtype != "float64" else h
            given.append(numbers.reshape(v.shape))
            at.append(numbers.reshape(v.shape))
            continue
        around = balls(rng, h)
        narrow = Pairs(
            around.h, around.l, np.minimum(around.r, np.abs(h) * rng.choice([0, 2.0**-100, 2.0**-60]))
        )
        inside = filled(points(rng, narrow), v.shape)
        whole = Pairs(*(a.reshape(v.shape) for a in (narrow.h, narrow.l, narrow.r)))
        given.append(whole if kind == 2 else whole.balls)
        at.append(inside)
    return given, at
