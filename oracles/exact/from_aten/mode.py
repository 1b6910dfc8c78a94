"""A dispatch mode that loads no compiler (torch's takes two seconds), and runs eagerly what is compiled."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch._compile import _disable_dynamo
from torch.utils._python_dispatch import TorchDispatchMode

# Below a mode, torch 2.13 reads the memory that a zero tensor lacks, and the process dies. Forward mode makes
# such a tensor of what does not move, and `addmm` multiplies it by `beta`.
_BY_NUMBER = {torch.ops.aten.mul.Scalar, torch.ops.aten.add.Scalar}


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


def handed_on(func: Any, args: Any, kwargs: Any) -> Any:
    """What an operator gives below a mode, which calls it by this."""
    if func in _BY_NUMBER and args[0]._is_zerotensor():
        args = (torch.zeros_like(args[0]), *args[1:])
    return func(*args, **kwargs)


def eagerly() -> AbstractContextManager[Any]:
    """What the user has compiled (`torch.compile`) runs as it was written."""
    loaded = "torch._dynamo" in sys.modules
    return torch.compiler.set_stance("force_eager") if loaded else nullcontext()


def _keep_from_dynamo(mode: Any) -> None:
    if not hasattr(mode.__torch_dispatch__, "__wrapped__"):
        mode.__torch_dispatch__ = _disable_dynamo(mode.__torch_dispatch__)
