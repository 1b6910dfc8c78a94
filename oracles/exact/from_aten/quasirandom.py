"""Sobol sequences: torch's engine writes its whole numbers in C++, by no operator that a run would see.

They depend on nothing that moves. So what an engine does is done apart, and what it gives is a constant. Each
draw changes the engine: one from outside of the function gives other numbers in every run.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from unittest.mock import patch
from weakref import WeakSet

from torch import Tensor
from torch.quasirandom import SobolEngine
from torch.utils._python_dispatch import _disable_current_modes

from oracles.exact.program.errors import Unsupported

_MAKE = SobolEngine.__init__
_STEPS = {name: getattr(SobolEngine, name) for name in ("draw", "fast_forward", "reset")}


def engines_apart() -> AbstractContextManager[Any]:
    """Inside, what engines do is seen by no mode; only those that are made inside may draw."""
    own = WeakSet[SobolEngine]()

    @functools.wraps(_MAKE)
    def make(engine: SobolEngine, *args: Any, **kwargs: Any) -> None:
        own.add(engine)
        with _disable_current_modes():
            _MAKE(engine, *args, **kwargs)  # type: ignore[no-untyped-call]

    def step(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def apart(engine: SobolEngine, *args: Any, out: Tensor | None = None, **kwargs: Any) -> Any:
            if engine not in own:
                raise Unsupported(
                    "a SobolEngine that is made outside gives other numbers in every run; make it inside, "
                    "with a seed, or draw outside and pass the numbers in"
                )
            with _disable_current_modes():
                found = original(engine, *args, **kwargs)
            return found if out is None else out.resize_as_(found).copy_(found)

        return apart

    instead: dict[str, Any] = {"__init__": make} | {name: step(f) for name, f in _STEPS.items()}
    return patch.multiple(SobolEngine, **instead)  # type: ignore[no-any-return]
