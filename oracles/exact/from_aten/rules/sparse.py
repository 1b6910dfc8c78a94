"""Rules of operators on sparse tensors: those of the dense ones they stand for, on the pattern of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from oracles.exact.from_aten.call import OperatorCall, Rule, moved, plain, promoted, words
from oracles.exact.from_aten.rules import backward
from oracles.exact.from_aten.rules.linalg import added
from oracles.exact.from_aten.sparse import is_sparse, places, stored
from oracles.exact.program import functions as f
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import linear_algebra as la
from oracles.exact.program.primitives.arrays import reduce_sum, reshape, scatter_add, take
from oracles.exact.program.primitives.choices import select
from oracles.exact.program.program import Var


def _made(values: int) -> Rule:
    """A sparse tensor from its values, the operand of this number: each is added at its place."""

    def rule(call: OperatorCall, *operands: Any, **_: Any) -> Var:
        (result,) = call.results
        return scatter_add(operands[values], places(result, once=False), tuple(result.shape))

    return rule


def _values(call: OperatorCall, x: Var) -> Var:
    return take(x, places(call.args[0]))


def _on(x: Var, kept: Any) -> Var:
    """The elements at these places; zeros elsewhere."""
    return take(x, np.where(kept, np.arange(x.size).reshape(x.shape), -1))


def _to_sparse(call: OperatorCall, x: Var, *_: Any, **__: Any) -> Var:
    """Of what is 0, and not stored, torch takes the slope or leaves it out: `mm` and `sum` differ."""
    zeros = not is_sparse(call.args[0]) and not stored(call.results[0]).all()
    if zeros and call.recorder.depends(x):
        raise Unsupported(
            "a dense tensor with zeros becomes sparse: whether these have a gradient depends on what follows "
            "in torch; make the sparse tensor of its values and indices"
        )
    return x


def _mask(call: OperatorCall, x: Var, mask: Any, *_: Any) -> Var:
    """On the pattern of the mask, which may store no place twice: what is stored there would count twice."""
    other = call.args[1]
    if is_sparse(other):
        places(other)
    return _on(x, stored(other))


def _indices(call: OperatorCall, *_: Any) -> Any:
    return call.results[0].numpy()


def _sum(call: OperatorCall, x: Var, dims: Sequence[int] | None = None, *_: Any, **__: Any) -> Var:
    return reduce_sum(x, tuple(range(x.ndim)) if dims is None else tuple(d % x.ndim for d in dims))


def _sum_backward(call: OperatorCall, gradient: Var, x: Var, dims: Sequence[int]) -> Var:
    gone = {d % x.ndim for d in dims}
    kept = tuple(1 if d in gone else n for d, n in enumerate(x.shape))
    return _on(x.builder.broadcast(reshape(gradient, kept), x.shape), stored(call.args[1]))


def _softmax(logarithm: bool) -> Rule:
    """Along an axis, among what is stored; what is not counts as -inf."""

    def rule(call: OperatorCall, x: Var, dim: int, *_: Any) -> Var:
        kept = stored(call.args[0])
        lowest = call.constant(np.full((), -np.inf))
        among = select(x.builder.as_var(kept, "bool"), x, x.builder.broadcast(lowest, x.shape))
        if logarithm:  # where nothing is stored it is 0, as a sparse tensor has it
            return _on(f.log_softmax(among, dim), kept)
        return _on(f.softmax(among, dim), kept)

    return rule


def _softmax_backward(dense: Rule) -> Rule:
    """That of the dense one, on what is stored."""

    def rule(call: OperatorCall, gradient: Var, y: Var, dim: int, *_: Any) -> Var:
        kept = stored(call.args[1])
        return _on(dense(call, _on(gradient, kept), y, dim), kept)

    return rule


LINEAR = words(  # each part of complex numbers by itself
    "_sparse_coo_tensor_with_dims_and_tensors _sparse_coo_tensor_unsafe sparse_compressed_tensor"
    " _sparse_compressed_tensor_unsafe _coalesce _to_dense _to_sparse _to_sparse_csr _to_sparse_csc"
    " _to_sparse_bsr _to_sparse_bsc _values values sparse_mask _sparse_mask_projection _sparse_sum"
    " _sparse_sum_backward"
)
MOVED = words("t transpose permute unsqueeze squeeze select narrow slice")
INDICES = words("_indices indices crow_indices col_indices ccol_indices row_indices")

RULES: dict[str, Rule] = {
    "_sparse_coo_tensor_with_dims_and_tensors": _made(4),
    "_sparse_coo_tensor_unsafe": _made(1),
    **dict.fromkeys(("sparse_compressed_tensor", "_sparse_compressed_tensor_unsafe"), _made(2)),
    "_coalesce": plain(lambda x: x),
    "_to_dense": plain(lambda x, *_, **__: x),
    **dict.fromkeys(
        words("_to_sparse _to_sparse_csr _to_sparse_csc _to_sparse_bsr _to_sparse_bsc"), _to_sparse
    ),
    **dict.fromkeys(("_values", "values"), _values),
    **dict.fromkeys(INDICES, _indices),
    "sparse_mask": _mask,
    "_sparse_mask_projection": _mask,
    "_sparse_addmm": promoted(added(la.matmul)),
    "_sparse_sparse_matmul": promoted(la.matmul),
    "_sparse_sum": _sum,
    "_sparse_sum_backward": _sum_backward,
    "_sparse_softmax": _softmax(logarithm=False),
    "_sparse_log_softmax": _softmax(logarithm=True),
    "_sparse_softmax_backward_data": _softmax_backward(backward.RULES["_softmax_backward_data"]),
    "_sparse_log_softmax_backward_data": _softmax_backward(backward.RULES["_log_softmax_backward_data"]),
    **dict.fromkeys(MOVED, moved),
}
