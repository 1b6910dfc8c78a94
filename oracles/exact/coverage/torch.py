"""Whose gradients are proven: torch's own catalogue of operators, its gradients against the enclosures."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from oracles.exact.coverage.operations import BITS, examined
from oracles.exact.enclose.evaluate import evaluate
from oracles.exact.from_aten import record
from oracles.exact.from_aten.memory import numbers
from oracles.exact.program.derive import vjp
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import Array

KNOWN_DEFECTS = {
    "as_strided_scatter": "the gradient of the input is kept where it was overwritten, and lost elsewhere; "
    "torch's own gradcheck rejects it (as_strided_scatter(a, b, (2,), (1,), 1) for a of shape (4,))"
}


def coverage(named: str = "", every: int = 1) -> Iterator[tuple[str, str]]:
    """For each entry its name and "proven", or "disagrees", "unsupported", "undecided" or "error": why.

    The entries are those of OpInfo that are differentiable in float64, each on its first ordinary sample that
    is not empty; `named` asks for one, `every` for each such one.
    """
    from torch.testing._internal.common_methods_invocations import op_db

    for entry in op_db[::every]:
        name = f"{entry.name}.{entry.variant_test_name}".rstrip(".")
        dtypes = entry.supported_backward_dtypes("cpu")  # type: ignore[no-untyped-call]
        if entry.supports_autograd and torch.float64 in dtypes:
            if named and named != name:
                continue
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield name, examine(entry)


def examine(entry: Any, skip: int = 0) -> str:
    """One entry: its gradient along seeded random cotangents, ours and torch's."""
    return examined(lambda: _gradients(entry, skip), "torch")


def _gradients(entry: Any, skip: int) -> tuple[list[Array], list[Array]]:
    function, leaves, cotangents, theirs = _sample(entry, skip)
    recording = record(function, tuple(leaves))
    program = vjp(recording.program, range(len(leaves)))
    return evaluate(program, [*recording.values, *cotangents], BITS), theirs


def _sample(
    entry: Any, skip: int
) -> tuple[Callable[..., list[Tensor]], list[Tensor], list[Array], list[Array]]:
    """The entry on its first ordinary sample, as a function of the tensors that require grad.

    Ordinary: no tensor is empty, and torch's own gradient is finite. Also the cotangents and that gradient.
    """
    torch.manual_seed(0)
    for sample in entry.sample_inputs("cpu", torch.float64, requires_grad=True):
        function, leaves = _of_moving(entry, sample)
        parts = tree_flatten((sample.input, sample.args, sample.kwargs))[0]
        if not leaves or not all(t.numel() for t in parts if isinstance(t, Tensor)):
            continue
        outputs = function(*leaves)
        if not outputs:
            continue
        if any(y.is_complex() for y in outputs):
            raise Unsupported("complex numbers: not yet")
        draw = np.random.default_rng(0)
        cotangents = [np.round(draw.normal(size=tuple(y.shape)), 2) for y in outputs]
        given = [torch.from_numpy(np.array(c)).to(y.dtype) for c, y in zip(cotangents, outputs, strict=True)]
        found = torch.autograd.grad(outputs, leaves, given, allow_unused=True)
        theirs = [
            np.zeros(x.shape) if g is None else g.to_dense().numpy(force=True)
            for x, g in zip(leaves, found, strict=True)
        ]
        if all(np.isfinite(g).all() for g in theirs):
            if not skip:
                return function, leaves, [numbers(g) for g in given], theirs
            skip -= 1
    raise Unsupported("no sample with numbers to differentiate")


def _of_moving(entry: Any, sample: Any) -> tuple[Callable[..., list[Tensor]], list[Tensor]]:
    """A sample as a function of its tensors that require grad, structured as OpInfo differentiates it."""
    leaves, spec = tree_flatten((sample.input, sample.args, sample.kwargs))
    moving = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and leaf.requires_grad]

    def function(*moved: Tensor) -> list[Tensor]:
        whole = list(leaves)
        for i, tensor in zip(moving, moved, strict=True):
            whole[i] = tensor
        first, args, kwargs = tree_unflatten(whole, spec)
        result = sample.output_process_fn_grad(entry.gradcheck_wrapper(entry.op, first, *args, **kwargs))
        return [y for y in tree_flatten(result)[0] if isinstance(y, Tensor) and y.requires_grad]

    return function, [leaves[i] for i in moving]
