"""What zeros of an argument may be: a gradient need only be right at what they may become.

They may be added to scores, of which -1e9 leaves some out; code that counts on that asks which these are
(`mask == 0`), and what merely saturates there does not. Each row may have a 1, as that of a label has, or
none where there is no label. They may be charges, which add up to 0. And they may be one of two numbers, of
which code names the other: 255 in the mask of a picture, 1/(1 - p) in what dropout left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from harness.proof.faults import is_as, is_right
from harness.proof.hiding import arguments_where, inputs_of
from harness.proof.question import Answer
from harness.subject.derivative import Array
from oracles.exact.program.jumping import COPYING
from oracles.exact.program.program import PRIMITIVES
from oracles.exact.program.recording import Recording

MASKED_SCORE = -1e9  # what is added to scores that are not to count
ASKED = (0.0, 1.0, 2.0, -1.0)  # numbers at which zeros are asked anyway
MOST = 8  # numbers of code
SAME = COPYING.union(PRIMITIVES[name] for name in ("neg", "convert", "detach", "no_grad"))


At = Callable[[float], Answer]
Made = Callable[[Callable[[Array], Array]], Answer]


def are_meant(here: Answer, which: Sequence[int], at: At, made: Made) -> bool:
    """Whether the gradient is right at something that they may be, where it is not just what it is here.

    Args:
        here: The answer at the zeros.
        which: Which arrays they are.
        at: Asks where half of them are a number.
        made: Asks where they are what is made of them.
    """
    return any(is_right(there) and not is_as(here, there) for there in _others(here, which, at, made))


def _others(here: Answer, which: Sequence[int], at: At, made: Made) -> Iterator[Answer]:
    if _asks_which(here, which):
        yield at(MASKED_SCORE)
    yield from map(made, (one_in_each_row, balanced))
    yield from map(at, _named(here))


def _asks_which(here: Answer, which: Sequence[int]) -> bool:
    """Whether the gradient's code compares one of these arrays, or may."""
    if here.sight is None:
        return True
    return len(arguments_where(_is_not_compared, here.sight.examined, which)) < len(which)


def _is_not_compared(recording: Recording, k: int) -> bool:
    """Whether a gradient's program makes nothing but floats of an array."""
    own = inputs_of(recording, k)
    for equation in recording.program.equations:
        if not own.isdisjoint(equation.operands):
            if not equation.output.is_float:
                return False
            if equation.primitive in SAME:
                own.add(equation.output)
    return True


def one_in_each_row(zeros: Array) -> Array:
    """A 1 in each row, one place further than in the row before."""
    made = np.zeros_like(zeros)
    rows = made.reshape(-1, made.shape[-1])
    rows[np.arange(len(rows)), np.arange(len(rows)) % made.shape[-1]] = 1
    return made


def balanced(zeros: Array) -> Array:
    """1 and -1 in turns, along the last axis that has several, so that they add up to 0."""
    made = np.zeros_like(zeros)
    axis = max(axis for axis, length in enumerate(made.shape) if length > 1)
    pairs = np.moveaxis(made, axis, 0)[: made.shape[axis] // 2 * 2]
    pairs[::2], pairs[1::2] = 1, -1
    return made


def _named(here: Answer) -> list[float]:
    """Numbers of the function's code and the gradient's, and their reciprocals."""
    if here.sight is None:
        return []
    recordings = [r for r in (here.sight.posed.forward, here.sight.examined.recording) if r is not None]
    values = [
        e.params["value"] for r in recordings for e in r.program.equations if e.primitive.name == "constant"
    ]
    numbers = {float(v.item()) for v in map(np.asarray, values) if v.size == 1 and v.dtype.kind in "fiu"}
    named = sorted((n for n in numbers if np.isfinite(n) and n not in ASKED), key=abs)[-MOST:]
    return [number for one in named for number in (one, 1 / one)]
