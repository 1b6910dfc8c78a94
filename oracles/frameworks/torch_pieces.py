"""Whether torch's derivative along a direction is the sum of those along its pieces.

A proof holds along one direction. The original differentiates one output at a time, along one element at a
time. Where it rejects a gradient that is proven right, this says whether the proof holds for its runs too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeAlias

import torch

from oracles.frameworks.torch_gradients import several

Function = Callable[..., Any]
Tensors: TypeAlias = Sequence[Any]
Derivative: TypeAlias = Callable[[Tensors], list[Any]]  # of all results, or inputs, along these directions


def add_up(
    function: Function,
    inputs: Tensors,
    argnums: Sequence[int],
    directions: Tensors,
    forward: bool,
    whole: bool,
    digits: int,
) -> bool:
    """Whether the derivatives along the pieces of these directions add up to the one along all of them.

    A third of the digits may be lost: the tolerances of the original are wider.

    Args:
        function: What is differentiated.
        inputs: Its inputs.
        argnums: Which of them are differentiated.
        directions: A cotangent for each result, forward a tangent for each of argnums.
        forward: Whether the derivative is forward.
        whole: Whether a piece is all of one direction (of one sign); otherwise it is one element.
        digits: The bits of the narrowest format on the way.
    """
    derive = (_forward if forward else _reverse)(function, inputs, argnums)
    total, sums = derive(directions), None
    sizes = [torch.zeros_like(of.abs()) for of in total]
    for k, direction in enumerate(directions):
        for factor, piece in _pieces(direction, whole):
            along = [piece if j == k else None for j in range(len(directions))]
            terms = [factor * of for of in derive(along)]
            sums = [a + b for a, b in zip(sums, terms, strict=True)] if sums else terms
            sizes = [size + term.abs() for size, term in zip(sizes, terms, strict=True)]
    return sums is not None and all(map(partial(_close, 2.0 ** (-2 / 3 * digits)), total, sums, sizes))


def _close(slack: float, a: Any, b: Any, size: Any) -> bool:
    return not a.numel() or bool(((a - b).abs() <= slack * (size + size.max() * 2**-10)).all())


def _pieces(direction: Any, whole: bool) -> Iterator[tuple[float, Any]]:
    """Pieces with their factors, as the original takes them: of positive numbers, or a single 1."""
    complex_ = direction.is_complex()
    for part, unit in ((direction.real, 1), (direction.imag, 1j)) if complex_ else ((direction, 1),):
        if whole:
            for sign in (1.0, -1.0):
                yield sign, ((sign * part).clamp(min=0) * unit).to(direction.dtype)
            continue
        for place, factor in enumerate(part.flatten().tolist()):
            if not factor:
                continue
            piece: Any = torch.zeros_like(direction, memory_format=torch.contiguous_format)
            piece.view(-1)[place] = unit
            yield factor, piece


def _reverse(function: Function, inputs: Tensors, argnums: Sequence[int]) -> Derivative:
    results = several(function(*inputs))
    moved = [inputs[k] for k in argnums]

    def derive(along: Tensors) -> list[Any]:
        pairs = [(of, g) for of, g in zip(results, along, strict=True) if g is not None and of.requires_grad]
        if not pairs:
            return [torch.zeros_like(of) for of in moved]
        used, cotangents = zip(*pairs, strict=True)
        got = torch.autograd.grad(used, moved, cotangents, retain_graph=True, allow_unused=True)
        return [torch.zeros_like(of) if g is None else g.detach() for of, g in zip(moved, got, strict=True)]

    return derive


def _forward(function: Function, inputs: Tensors, argnums: Sequence[int]) -> Derivative:
    dual: Any = torch.autograd.forward_ad

    def derive(along: Tensors) -> list[Any]:
        with dual.dual_level():
            given = list(inputs)
            for k, tangent in zip(argnums, along, strict=True):
                primal = inputs[k].detach()
                given[k] = dual.make_dual(primal, torch.zeros_like(primal) if tangent is None else tangent)
            pairs = [dual.unpack_dual(of) for of in several(function(*given)) if isinstance(of, torch.Tensor)]
            return [
                torch.zeros_like(of.primal) if of.tangent is None else of.tangent.detach()
                for of in pairs
                if of.primal.is_floating_point() or of.primal.is_complex()
            ]

    return derive
