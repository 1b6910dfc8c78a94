"""A gradient as torch's `gradgradcheck` differentiates it: in the inputs, and in the cotangents.

A second derivative of f(x) along a fixed cotangent v does not show how the first depends on v. The gradient
of <f(x), v> in x is that of f along v: differentiated once more, in x and in v, it shows both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from oracles.frameworks.calls import Array
from oracles.frameworks.torch_modules import is_trained

Function = Callable[..., Any]


@dataclass(frozen=True)
class Gradients:
    """The gradients of a function along cotangents that are arguments too.

    Attributes:
        function: Takes the inputs, and returns results that all have a gradient.
        inputs: Its inputs.
        cotangents: One for each result.
    """

    function: Function
    inputs: tuple[Any, ...]
    cotangents: tuple[Any, ...]

    @property
    def arguments(self) -> tuple[Any, ...]:
        """The inputs, and then the cotangents."""
        return self.inputs + self.cotangents

    @property
    def product(self) -> Function:
        """<f(x), v> of inputs and cotangents: a real number."""
        function, count = self.function, len(self.inputs)

        def differentiable(*arguments: Any) -> Any:
            for leaf in arguments[count:]:
                is_trained(leaf)
            results = several(function(*arguments[:count]))
            return sum(_inner(of, v) for of, v in zip(results, arguments[count:], strict=True))

        return differentiable

    def __call__(self, *arguments: Any) -> tuple[Any, ...]:
        """The gradients themselves; zeros where there is none."""
        for own, of in zip(self.arguments, arguments, strict=True):
            if getattr(own, "requires_grad", False):
                of.requires_grad_()  # a dual number of it does not yet
        count = len(self.inputs)
        moved = [of for of in arguments[:count] if getattr(of, "requires_grad", False)]
        results = several(self.function(*arguments[:count]))
        found = torch.autograd.grad(results, moved, arguments[count:], create_graph=True, allow_unused=True)
        return tuple(torch.zeros_like(of) if g is None else g for of, g in zip(moved, found, strict=True))


def filled(like: Any, numbers: Array) -> Any:
    """Numbers as a tensor of this dtype, where this one is."""
    return torch.as_tensor(numbers, dtype=like.dtype, device=like.device)


def on_host(of: Any) -> Array:
    """A tensor's numbers, in the widest format of their kind."""
    wide = of.detach().cpu().to(torch.complex128 if of.is_complex() else torch.float64)
    found: Array = wide.numpy()
    return found


def _inner(a: Any, b: Any) -> Any:
    if a.is_complex():
        a, b = torch.view_as_real(a.resolve_conj()), torch.view_as_real(b.resolve_conj())
    return (a * b).sum()


def several(found: Any) -> tuple[Any, ...]:
    """Results as a tuple."""
    return tuple(found) if isinstance(found, tuple | list) else (found,)
