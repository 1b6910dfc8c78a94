"""Is what was recorded of NumPy's code the function, or are some of its numbers constants? Compared nearby.

A number that comes out of a cache, or through a text, stands in the record as it is, and the record has the
function's value all the same: at this point. Nearby it has not. (The front ends of JAX and of PyTorch cannot
meet that: the one traces, the other runs nearby itself.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from harness.proof.pulls import Raised, caught
from harness.proof.remembered import refined
from harness.proof.tied import bound_of, widths
from harness.subject.derivative import Array
from harness.subject.moving import moved_on
from harness.subject.state import current
from harness.subject.target import Target
from oracles.exact.core.plans import are_one
from oracles.exact.enclose.limits import Limits
from oracles.exact.program.errors import ExactError, Undecided
from oracles.exact.program.formats import format_of
from oracles.exact.program.recording import Recording

STEP = 2.0**-12  # how far numbers are moved, beside their size or beside 1
LARGEST = 2.0**18  # operations: more take longer than to find it is worth
KEPT = (
    "nearby the function gives another value than what was recorded of it: it keeps numbers of this point "
    "(in a cache that was asked before?), or reads them from a text, so nothing is proven of what runs"
)


def confirm_nearby(
    target: Target,
    forward: Recording,
    arrays: Sequence[Array],
    specify: Callable[[Sequence[Array]], Recording],
    run: Callable[[Sequence[Array]], object],
    limits: Limits,
) -> None:
    """Compare the record of a function of NumPy's with what it gives at a point nearby.

    Args:
        target: The function.
        forward: Its record at these arrays.
        arrays: The point.
        specify: Records it.
        run: Runs it, and its gradient if there is one.
        limits: Of the evaluation.

    Raises:
        Undecided: They are further apart than half of the digits, and than rounding allows.
    """
    if target.framework.name != "numpy" or forward.program.cost > LARGEST:
        return
    known = _plain(target, forward) if len(target.active) < len(arrays) else set()
    moved = [a if k in known else _moved(k, a) for k, a in enumerate(arrays)]
    nearby = replace(forward, values=tuple(moved[k] for k in forward.argument))
    try:
        with np.errstate(all="ignore"):
            true = refined(forward.program, nearby.values, limits)
    except ExactError:  # another branch, or out of the domain
        _confirm_anew(forward, arrays, specify, run)
        return
    own = target.subject(target.flat, target.flat)
    values = caught(lambda: own.fetch_value(own.value(*map(own.load, moved))))
    if isinstance(values, Raised) or [v.shape for v in values] != [e.shape for e in true]:
        return
    for k, (value, e) in enumerate(zip(values, true, strict=True)):
        kind, size = format_of(value.dtype.name), np.max(np.abs(e.mid), initial=0.0)
        least = 2.0 ** -(kind.digits / 2) * size + kind.normal  # below it everything may underflow
        off = np.abs(value.astype(np.float64) - e.mid)
        if np.all(off <= least) or not np.isfinite(size):
            continue
        balls = bound_of(nearby, k, target.framework.name)
        room = np.inf if balls is None else widths(balls, np.full(value.shape, np.inf))
        if np.any(np.isfinite(off) & (off > least + room)):
            raise Undecided(KEPT)


def _plain(target: Target, forward: Recording) -> set[int]:
    """What is not differentiated and was recorded as the numbers that it has (`Target.with_plain`)."""
    program = forward.program
    read = {v for e in program.equations for v in e.operands} | {*program.outputs}
    pairs = zip(forward.argument, program.inputs, strict=True)
    return {k for k, v in pairs if v not in read and k not in target.active}


def _confirm_anew(
    forward: Recording,
    arrays: Sequence[Array],
    specify: Callable[[Sequence[Array]], Recording],
    run: Callable[[Sequence[Array]], object],
) -> None:
    """Where the code branches within a step: is it the same function after a run elsewhere?"""
    with current().after(lambda: caught(lambda: run([moved_on(a) for a in arrays]))) as keeps:
        other = caught(lambda: specify(arrays)) if keeps else None
    if isinstance(other, Recording) and not are_one(other.program, forward.program):
        raise Undecided(KEPT)


def _moved(seed: int, array: Array) -> Array:
    """Other numbers of the same kind, close by; whole numbers stay."""
    if array.dtype.kind != "f":
        return array
    share = np.random.default_rng(seed).uniform(0.5, 1.0, array.shape)
    found = np.array(array, order="K")  # code may read memory in its order
    found[...] = np.where(array == 0, STEP * share, array * (1 - STEP * share))
    return found
