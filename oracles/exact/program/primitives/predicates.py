"""What is asked of one number: whether it is NaN or infinite, and of a zero its sign.

Only an infinity that was written so is one; NaN cannot be written.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from flint import arb

from oracles.exact.program.balls import OPEN, as_balls, settled
from oracles.exact.program.errors import Undecided
from oracles.exact.program.formats import exactly
from oracles.exact.program.program import Array, Primitive


def _kind(name: str, holds: Callable[[arb], bool]) -> Primitive:
    def is_open(ball: arb) -> bool:
        """Arb's NaN says that nothing is known, which may be a pole or a ball that is still too wide."""
        return bool(ball.is_nan() or not (ball.is_finite() or ball.is_exact()))

    def one(ball: arb) -> bool:
        if is_open(ball):
            raise Undecided(f"cannot tell whether {ball} is a finite number")
        return holds(ball)

    def evaluate(x: Array) -> Array:
        flat = [one(ball) for ball in as_balls(x).ravel().tolist()]
        return np.array(flat, bool).reshape(x.shape)

    def opened(x: Array) -> Array:
        flat = [0.5 if is_open(ball) else holds(ball) for ball in as_balls(x).ravel().tolist()]
        return settled(np.array(flat, OPEN).reshape(x.shape))

    return Primitive(name, evaluate, opened=opened)


is_nan = _kind("is_nan", lambda ball: bool(ball.is_nan()))
is_infinite = _kind(
    "is_infinite", lambda ball: bool(ball.is_exact() and not ball.is_finite() and not ball.is_nan())
)


def _signed(x: Array) -> Array:
    if any(b.is_zero() for b in as_balls(x).ravel().tolist()):
        raise Undecided("a number is exactly 0, and it is not known whether that is 0.0 or -0.0")
    return x


# x itself, where the sign of a zero would matter and is not known: exact numbers have no -0.0
signed_ = Primitive("signed", _signed, rounded=exactly)
