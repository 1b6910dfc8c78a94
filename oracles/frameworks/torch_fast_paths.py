"""The fast paths of torch's encoder layers, which no gradient takes, and which give zeros for padded rows.

They run in eval mode where autograd is off. The value of a function is compared with what its gradient is the
gradient of, so it is taken without them. A branch of the user's on the grad mode stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from threading import RLock
from typing import Any

import torch
from torch.backends import mha

from oracles.exact.program.trees import flatten

_noted: ContextVar[list[None] | None] = ContextVar("_noted", default=None)
_own, _one_at_a_time = mha.get_fastpath_enabled, RLock()


def _asked() -> bool:
    if not torch.compiler.is_compiling() and (noted := _noted.get()) is not None:
        noted.append(None)
    return _own()


@contextmanager
def _questions() -> Iterator[list[None]]:
    """Each time that a layer asks within whether it may take its fast path."""
    noted: list[None] = []
    token = _noted.set(noted)
    with _one_at_a_time:
        before, mha.get_fastpath_enabled = mha.get_fastpath_enabled, _asked
        try:
            yield noted
        finally:
            mha.get_fastpath_enabled = before
            _noted.reset(token)


def by_no_fast_path(value: Callable[..., Any], given: Sequence[Any]) -> Any:
    """What a function gives; where a fast path gives it, what it gives under autograd instead.

    There it still takes those that it takes under its own `no_grad`.
    """
    with _questions() as asked:
        found = value(*given)
    if not asked or torch.is_grad_enabled():
        return found
    before = mha._is_fastpath_enabled
    mha.set_fastpath_enabled(False)
    try:
        without = value(*given)
    finally:
        mha.set_fastpath_enabled(before)
    if _are_equal(found, without):
        return found
    with torch.enable_grad():
        return value(*given)


def _are_equal(some: Any, others: Any) -> bool:
    pairs = zip(flatten("torch", some)[0], flatten("torch", others)[0], strict=True)
    return all(torch.equal(x, y) for x, y in pairs if isinstance(x, torch.Tensor))
