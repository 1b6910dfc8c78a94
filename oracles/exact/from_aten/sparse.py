"""Sparse and mkldnn tensors of torch: each stands for a dense one.

A COO or compressed tensor has one dense value here, whatever it stores. Its pattern, the places that it
stores, belongs to the run: it is a number that nothing differentiates.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from oracles.exact.program import patterns
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.patterns import Pattern, values_of
from oracles.exact.program.program import Array

BLOCKED = (torch.sparse_bsr, torch.sparse_bsc)


def is_sparse(tensor: Tensor) -> bool:
    """Whether it stores some of its elements, in a layout that is known; dense ones are told at once."""
    return tensor.layout != torch.strided and patterns.is_sparse(tensor)


def has_own_layout(tensor: Tensor) -> bool:
    """Whether it is sparse or mkldnn; dense ones are told at once."""
    return tensor.layout != torch.strided and patterns.has_own_layout(tensor)


class BlockedMemory:
    """The memory of an mkldnn tensor, which has no storage that torch shows; views of it share this."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor.detach()  # held, so that its address stays its own

    def nbytes(self) -> int:
        """Bytes of it; blocks may be padded."""
        return int(torch.ops.mkldnn._nbytes(self._tensor))

    def data_ptr(self) -> int:
        """Its address."""
        return int(torch.ops.mkldnn.data_ptr(self._tensor))


def memories(tensor: Tensor) -> list[Any]:
    """Where its numbers lie: its values first, then its indices if it is sparse, the compressed ones last."""
    if tensor.layout == torch.strided:
        return [tensor.untyped_storage()]
    if not is_sparse(tensor):
        return [BlockedMemory(tensor)]
    return [part.untyped_storage() for part in parts(tensor)]


def parts(tensor: Tensor) -> list[Tensor]:
    """What a sparse one stores: its values first, then its indices, the compressed ones last."""
    return [values_of(tensor), *reversed(Pattern.of(tensor).indices)]


def dense(tensor: Tensor) -> Tensor:
    """The tensor that it stands for; a dense one is itself."""
    return tensor.detach().to_dense() if has_own_layout(tensor) else tensor


def places(tensor: Tensor, once: bool = True) -> Array:
    """Where in the dense tensor, in C order, each of its values lies; in the shape of its values.

    Raises:
        Unsupported: Places repeat though they may be there `once` only.
    """
    own = _of_pairs(tensor) if tensor.layout == torch.sparse_coo else _of_rows(tensor)
    if once and len(np.unique(own)) < own.size:
        raise Unsupported("a sparse tensor that stores one place several times; coalesce() it")
    rest = tuple(values_of(tensor).shape[own.ndim :])  # of axes that are dense
    inner = math.prod(rest)
    return np.asarray(own.reshape(*own.shape, *(1,) * len(rest)) * inner + np.arange(inner).reshape(rest))


def _of_pairs(tensor: Tensor) -> Array:
    """Of a COO tensor: by its index along each axis."""
    at = list(tensor._indices().numpy())
    count = tensor._values().shape[0]
    return np.ravel_multi_index(at, tuple(tensor.shape[: len(at)])) if at else np.zeros(count, np.int64)


def _of_rows(tensor: Tensor) -> Array:
    """Of a compressed one: of each number, or of each number of each block; with batches before."""
    values, plain, compressed = parts(tensor)
    batch = tuple(compressed.shape[:-1])
    by_rows = str(tensor.layout) in patterns.BY_ROWS
    height, width = values.shape[len(batch) + 1 :][:2] if tensor.layout in BLOCKED else (1, 1)
    rows, columns = tensor.shape[len(batch) :][:2]
    found = []
    batches = (part.numpy().reshape(-1, part.shape[-1]) for part in (plain, compressed))
    for k, (own, ends) in enumerate(zip(*batches, strict=True)):
        along = np.repeat(np.arange(len(ends) - 1), np.diff(ends))
        row, column = (along, own) if by_rows else (own, along)
        row = row[:, None, None] * height + np.arange(height)[:, None]
        column = column[:, None, None] * width + np.arange(width)
        found.append((k * rows + row) * columns + column)
    inside = (height, width) if tensor.layout in BLOCKED else ()
    return np.array(found, np.int64).reshape(*batch, plain.shape[-1], *inside)


def stored(tensor: Tensor) -> Array:
    """Which elements of the dense tensor it stores."""
    found = np.zeros(tensor.shape, bool)
    found.reshape(-1)[places(tensor, once=False).ravel()] = True
    return found
