"""Where the recorded code stands: in the forward of a custom function, and on which line of the user's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from types import CodeType, FrameType
from typing import Any

import torch
from torch.autograd import Function
from torch.autograd.function import FunctionMeta

_EXACT = os.path.dirname(os.path.dirname(__file__))
_RUNNER = os.path.join(os.path.dirname(_EXACT), "frameworks", "in_torch.py")  # it only calls autograd
_OWN = (os.path.dirname(torch.__file__) + os.sep, _EXACT + os.sep, _RUNNER)


def where() -> str:
    """The user's line that is running: the innermost outside torch and this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def place_within(outermost: CodeType) -> str:
    """Likewise, as "file.py:line", of what was called from `outermost`; "" if nothing of it is the user's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not outermost:
        if not frame.f_code.co_filename.startswith(_OWN):
            return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}"
        frame = frame.f_back
    return ""


@contextmanager
def differentiated(mode: Any) -> Iterator[None]:
    """Count in `mode.depth` how deep the run is inside `Function.forward`s.

    Wrapping `apply` would miss references to it that were bound before; but torch reads `forward` from the
    class each time, so it is wrapped as it is read, whichever class it is and whenever that was made.
    """

    plain = type.__getattribute__
    outer = vars(FunctionMeta).get("__getattribute__", plain)  # of a record that this one is made inside of

    def reading(cls: type, name: str) -> Any:
        found = outer(cls, name)
        return _counted(found, mode) if name == "forward" and cls is not Function else found

    FunctionMeta.__getattribute__ = reading  # type: ignore[assignment]
    try:
        yield
    finally:
        if outer is plain:
            del FunctionMeta.__getattribute__
        else:
            FunctionMeta.__getattribute__ = outer  # type: ignore[method-assign]


def _counted(forward: Callable[..., Any], mode: Any) -> Callable[..., Any]:
    @wraps(forward)
    def counted(*args: Any, **kwargs: Any) -> Any:
        args = tuple(mode.frozen(a) for a in args)
        mode.depth += 1
        try:
            return forward(*args, **kwargs)
        finally:
            mode.depth -= 1

    return counted
