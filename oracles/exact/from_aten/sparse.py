"""Sparse tensors of torch: each stands for the dense one that it is the nonzeros of.

A COO or compressed tensor has one dense value here, whatever it stores. Its pattern, the places that it
stores, belongs to the run: it is a number that nothing differentiates.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from oracles.exact.program import patterns
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.patterns import Pattern, values_of
from oracles.exact.program.program import Array

ROWS = {torch.sparse_csr: 0, torch.sparse_csc: 1}  # the axis that is compressed


def is_sparse(tensor: Tensor) -> bool:
    """Whether it stores some of its elements, in a layout that is known; dense ones are told at once."""
    return tensor.layout != torch.strided and patterns.is_sparse(tensor)


def parts(tensor: Tensor) -> list[Tensor]:
    """What it stores: its values first, then its indices, the compressed ones last."""
    return [values_of(tensor), *reversed(Pattern.of(tensor).indices)]


def dense(tensor: Tensor) -> Tensor:
    """The tensor that it stands for; a dense one is itself."""
    return tensor.detach().to_dense() if is_sparse(tensor) else tensor


def places(tensor: Tensor, once: bool = True) -> Array:
    """Where in the dense tensor, in C order, each of its values lies; in the shape of its values.

    Raises:
        Unsupported: Places repeat though they may be there `once` only; or the tensor is a batch of them.
    """
    indices = [part.numpy() for part in parts(tensor)[1:]]
    if tensor.layout == torch.sparse_coo:
        at, shape = list(indices[0]), tuple(tensor.shape[: tensor.sparse_dim()])
    else:
        if indices[0].ndim > 1:
            raise Unsupported("a batch of compressed sparse tensors: not yet; pass them one by one")
        rows = np.repeat(np.arange(len(indices[1]) - 1), np.diff(indices[1]))
        at, shape = [indices[0], indices[0]], tuple(tensor.shape[:2])
        at[ROWS[tensor.layout]] = rows
    flat = np.zeros(len(at[0]) if at else 1, np.int64) if not at else np.ravel_multi_index(at, shape)
    if once and len(np.unique(flat)) < len(flat):
        raise Unsupported("a sparse tensor that stores one place several times; coalesce() it")
    rest = tuple(tensor.shape[len(shape) :])
    inner = math.prod(rest)
    return np.asarray(flat.reshape(-1, *(1,) * len(rest)) * inner + np.arange(inner).reshape(rest))


def stored(tensor: Tensor) -> Array:
    """Which elements of the dense tensor it stores."""
    found = np.zeros(tensor.shape, bool)
    found.reshape(-1)[places(tensor, once=False).ravel()] = True
    return found
