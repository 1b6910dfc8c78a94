"""A dispatch mode that loads no compiler (torch's takes two seconds), and runs eagerly what is compiled."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch._compile import _disable_dynamo
from torch.utils._python_dispatch import TorchDispatchMode


class DispatchMode(TorchDispatchMode):
    """As torch's own; its code is kept from `torch.compile` once that is loaded, and not before."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Torch would keep it so from the start, and load the compiler at the first operator."""
        return False

    def __enter__(self) -> Any:
        """Begin."""
        if "torch._dynamo" in sys.modules:
            _keep_from_dynamo(next(k for k in type(self).__mro__ if "__torch_dispatch__" in vars(k)))
        return super().__enter__()  # type: ignore[no-untyped-call]


def eagerly() -> AbstractContextManager[Any]:
    """What the user has compiled (`torch.compile`) runs as it was written."""
    loaded = "torch._dynamo" in sys.modules
    return torch.compiler.set_stance("force_eager") if loaded else nullcontext()


def _keep_from_dynamo(mode: Any) -> None:
    if not hasattr(mode.__torch_dispatch__, "__wrapped__"):
        mode.__torch_dispatch__ = _disable_dynamo(mode.__torch_dispatch__)
