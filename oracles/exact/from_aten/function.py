"""Where the recorded code stands: in the forward of a custom function, and on which line of the user's."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

import torch
from torch.autograd import Function

_EXACT = os.path.dirname(os.path.dirname(__file__))
_ORACLE = os.path.join(os.path.dirname(_EXACT), "torch_oracle.py")  # it only calls autograd
_OWN = (os.path.dirname(torch.__file__) + os.sep, _EXACT + os.sep, _ORACLE)


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
    """Count in `mode.depth` how deep the run is inside `Function.forward`s, which are wrapped meanwhile.

    Wrapping `apply` would miss references to it that were bound before.
    """
    originals: list[tuple[type, Any]] = []

    def wrap(cls: type) -> None:
        if "forward" in vars(cls) and cls is not Function:
            original = vars(cls)["forward"]
            originals.append((cls, original))
            kind = classmethod if isinstance(original, classmethod) else staticmethod
            counted = _counted(getattr(original, "__func__", original), mode)
            cls.forward = kind(counted)  # type: ignore[attr-defined]

    def born(cls: type, /, **kwargs: Any) -> None:
        super(Function, cls).__init_subclass__(**kwargs)  # type: ignore[misc]
        wrap(cls)

    for cls in _subclasses(Function):
        wrap(cls)
    Function.__init_subclass__ = classmethod(born)  # type: ignore[assignment]
    try:
        yield
    finally:
        del Function.__init_subclass__
        for cls, original in originals:
            cls.forward = original  # type: ignore[attr-defined]


def _counted(forward: Callable[..., Any], mode: Any) -> Callable[..., Any]:
    # Without functools.wraps: for torch's own hundred classes it would cost a quarter of a small check.
    def counted(*args: Any, **kwargs: Any) -> Any:
        args = tuple(mode.frozen(a) for a in args)
        mode.depth += 1
        try:
            return forward(*args, **kwargs)
        finally:
            mode.depth -= 1

    return counted


def _subclasses(cls: type) -> list[type]:
    """All of them, each once."""
    found: dict[type, None] = {}
    waiting: list[type] = type.__subclasses__(cls)
    while waiting:
        found[new := waiting.pop()] = None
        waiting += type.__subclasses__(new)
    return list(found)
