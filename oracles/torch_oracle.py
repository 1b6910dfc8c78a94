"""PyTorch as an oracle: the catalogue in PyTorch, run eagerly, differentiated by `torch.autograd`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, final

import numpy as np

from oracles.oracle import Array, Gradient, Oracle, Subject

if TYPE_CHECKING:
    from harness.case import Case


@final
class TorchOracle(Oracle):
    """Asks PyTorch on one device ("cpu" unless told otherwise)."""

    name = "torch"
    package = "torch"

    def __init__(self, device: str = "cpu") -> None:
        self.device = device

    def unsupported(self, case: Case) -> str:
        """A case that is not written in `torch_functions`."""
        from oracles.torch_functions import FUNCTIONS

        return "" if case.name in FUNCTIONS else f"{case.name} is not written in oracles/torch_functions.py"

    def prepare(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case as an eager program; it works in the dtype of its arguments."""
        import torch

        from oracles.torch_functions import FUNCTIONS

        function = FUNCTIONS[case.name]

        def load(array: Array) -> Any:
            with warnings.catch_warnings():
                # A broadcast view is read-only, and its strides are what is to be tried; nothing writes.
                warnings.filterwarnings("ignore", "The given NumPy array is not writable")
                # PyTorch has no negative strides.
                whole = array if all(s >= 0 for s in array.strides) else np.ascontiguousarray(array)
                return torch.from_numpy(np.asarray(whole)).to(self.device)

        def value(*args: Any) -> Any:
            with torch.no_grad():
                return function(*args)

        def gradient(cotangent: Any, *args: Any) -> Any:
            # Whatever grad mode the caller is in: a gradient is what is asked for.
            with torch.enable_grad():
                return differentiate(cotangent, args)

        def differentiate(cotangent: Any, args: tuple[Any, ...]) -> Any:
            leaves = [a.detach().requires_grad_() if i in case.argnums else a for i, a in enumerate(args)]
            out = function(*leaves)
            if not out.requires_grad:
                return (None,) * len(case.argnums)
            return torch.autograd.grad(
                out, [leaves[i] for i in case.argnums], grad_outputs=cotangent, allow_unused=True
            )

        return Subject(load, value, gradient, _as_array, _as_gradient)


def _as_array(tensor: Any) -> Array:
    return np.asarray(tensor.detach().cpu().numpy())


def _as_gradient(result: Any) -> Gradient:
    return Gradient(tuple(None if g is None else _as_array(g) for g in result))
