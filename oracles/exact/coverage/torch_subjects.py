"""PyTorch's differentiable functions with arguments of a dtype: OpInfo's own samples."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from functools import cache
from typing import Any

import torch

from oracles.exact.coverage.subject import Subject
from oracles.exact.coverage.torch import LARGEST, MOST, differentiated, samples


@cache
def _entries() -> dict[str, Any]:
    from torch.testing._internal.common_methods_invocations import op_db

    named = ((f"torch.{e.name}.{e.variant_test_name}".rstrip("."), e) for e in op_db)
    return {
        name.replace("torch.torch.", "torch."): entry
        for name, entry in named
        if entry.supports_autograd and torch.float64 in _dtypes(entry) and "jiterator" not in name
    }


def _dtypes(entry: Any) -> Any:
    return entry.supported_backward_dtypes("cpu") & entry.dtypes


def names() -> list[str]:
    """Those that are differentiable in float64."""
    return list(_entries())


def subjects(name: str, dtype: str) -> Iterator[Subject]:
    """The function with each of OpInfo's samples in which something moves; none where torch has no kernel."""
    entry, own = _entries()[name], getattr(torch, dtype)
    if own not in _dtypes(entry):
        return
    torch.set_num_threads(1)  # several split sums otherwise, and wait for each other
    for sample in itertools.islice(samples(entry, own, MOST), MOST):
        found = differentiated(entry, entry.op, sample, widened=False)
        if found.leaves and 0 < sum(x.numel() for x in found.leaves) <= LARGEST:
            yield Subject(name, found.function, tuple(found.leaves))
