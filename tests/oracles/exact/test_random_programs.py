"""Random programs over the primitives: forward and reverse mode enclose the same number."""

from __future__ import annotations

import numpy as np
from flint import arb
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.program import functions as fn
from oracles.exact.program.balls import precision
from oracles.exact.program.derive import jvp, vjp
from oracles.exact.program.errors import Undecided
from oracles.exact.program.primitives import arrays, choices, linear_algebra, orders, reductions, taylor
from oracles.exact.program.program import Builder, Program, Var

BITS = 256
SHAPE = (3, 3)
MASK = np.arange(9).reshape(SHAPE) % 2 == 0

# Each keeps the shape, and is smooth on every argument that the others give (kinks have probability zero).
UNARY = {
    "sin": lambda x: taylor.scalar("sin", x),
    "tanh": lambda x: taylor.scalar("tanh", x),
    "erf": lambda x: taylor.scalar("erf", x),
    "exp tanh": lambda x: taylor.scalar("exp", taylor.scalar("tanh", x)),
    "sqrt": lambda x: taylor.scalar("sqrt", x * x + 1.0),
    "logistic": fn.logistic,
    "softmax": lambda x: fn.softmax(x, 1),
    "permute": lambda x: arrays.permute(x, (1, 0)),
    "shift": lambda x: arrays.index(x, lambda p: np.roll(p, 1, 0)),
    "repeat": lambda x: arrays.index(x, lambda p: p[[0, 0, 2]]),
    "scatter": lambda x: arrays.scatter_add(x, np.arange(9).reshape(SHAPE) // 2, SHAPE),
    "cumsum": lambda x: orders.cumsum(x, 0),
    "centre": lambda x: x - fn.mean(x, (1,), keepdims=True),
    "cumprod": lambda x: fn.cumprod(taylor.scalar("tanh", x), 1),
    # Diagonally dominant: the derivative of a determinant goes through the inverse.
    "det": lambda x: x * linear_algebra.det(taylor.scalar("tanh", x) + 4 * np.eye(3)),
    "max": lambda x: x * reductions.reduce_max(x, (1,), keepdims=True),
}
BINARY = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: taylor.scalar("tanh", x) * y,
    "div": lambda x, y: x / (y * y + 1.0),
    "matmul": lambda x, y: linear_algebra.matmul(taylor.scalar("tanh", x), y),
    "maximum": fn.maximum,
    "select": lambda x, y: choices.select(x.builder.constant(MASK), x, y),
    "hypot": lambda x, y: fn.hypot(x, y + 3.0),
}
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(sorted(UNARY)), st.integers(0, 9)),
        st.tuples(st.sampled_from(sorted(BINARY)), st.integers(0, 9), st.integers(0, 9)),
    ),
    min_size=1,
    max_size=7,
)


def written(steps: list[tuple], dtype: str = "float64") -> Program:
    builder = Builder()
    values: list[Var] = [builder.input(SHAPE, dtype), builder.input(SHAPE, dtype)]
    for name, *operands in steps:
        builder.calls(name, None)  # as a library's function of that name
        chosen = [values[k % len(values)] for k in operands]
        values.append((UNARY | BINARY)[name](*chosen))
    return builder.program([values[-1]])


def run(program: Program, inputs: list) -> list:
    """The outputs; a point where a program is undecided is not one that this asks about."""
    try:
        return evaluate(program, inputs, BITS)
    except Undecided:
        reject()


def inner(xs, ys) -> arb:
    with precision(BITS):
        return sum((arb(np.sum(x * y)) for x, y in zip(xs, ys, strict=True)), arb(0))


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**16))
def test_forward_and_reverse_enclose_the_same_number(steps, seed):
    program, rng = written(steps), np.random.default_rng(seed)
    x, y, u, v, w = (np.round(rng.normal(size=SHAPE), 4) for _ in range(5))
    reverse = inner(run(vjp(program, [0, 1]), [x, y, u]), [v, w])
    forward = inner(run(jvp(program, [0, 1]), [x, y, v, w]), [u])
    assert reverse.overlaps(forward), f"{reverse} and {forward}"


@settings(max_examples=40, deadline=None)
@given(steps=STEPS, seed=st.integers(0, 2**16))
def test_the_hessian_is_symmetric(steps, seed):
    program, rng = written(steps), np.random.default_rng(seed)
    x, y, u, a, b, c, d = (np.round(rng.normal(size=SHAPE), 4) for _ in range(7))
    second = vjp(vjp(program, [0, 1]), [0, 1])
    left = inner(run(second, [x, y, u, a, b]), [c, d])
    right = inner(run(second, [x, y, u, c, d]), [a, b])
    assert left.overlaps(right), f"{left} and {right}"
