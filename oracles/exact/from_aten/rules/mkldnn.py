"""Rules of the operators that are for mkldnn tensors alone: those of the dense tensors they stand for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from oracles.exact.from_aten.call import OperatorCall, Rule, plain, promoted
from oracles.exact.from_aten.rules import backward, convolutions
from oracles.exact.from_aten.rules.pullback import pulled
from oracles.exact.program.primitives.arrays import permute, reduce_sum, reshape
from oracles.exact.program.primitives.linear_algebra import matmul, transpose
from oracles.exact.program.program import Var


def _linear(x: Var, weight: Var, bias: Var | None = None) -> Var:
    product = matmul(x, transpose(weight))
    return product if bias is None else product + bias


def _linear_backward(
    _: OperatorCall, x: Var, gradient: Var, weight: Var, mask: Sequence[bool]
) -> list[Var | None]:
    """y = x W^T + b: the gradients are g W, g^T x and the sum of g."""
    rows, outputs = (reshape(v, (math.prod(v.shape[:-1]), v.shape[-1])) for v in (x, gradient))
    return [
        matmul(gradient, weight) if mask[0] else None,
        matmul(transpose(outputs), rows) if mask[1] else None,
        reduce_sum(outputs, (0,)) if mask[2] else None,
    ]


def _transpose(x: Var, one: int, other: int) -> Var:
    axes = list(range(x.ndim))
    axes[one], axes[other] = axes[other], axes[one]
    return permute(x, axes)


def _convolution(
    call: OperatorCall, x: Var, weight: Var, bias: Var | None, padding: Any, stride: Any, dilation: Any,
    groups: int,
) -> Any:  # fmt: skip
    rule = convolutions.RULES["convolution"]
    return rule(call, x, weight, bias, stride, padding, dilation, False, [0], groups)


def _largest(n: int) -> Rule:
    pool = convolutions.RULES[f"max_pool{n}d_with_indices"]
    return lambda call, *operands: pool(call, *operands)[0]


def _largest_backward(n: int) -> Rule:
    """backward(gradient, result, x, ...): each gradient goes where the largest element was."""

    def rule(call: OperatorCall, gradient: Var, _: Var, *operands: Any) -> Any:
        return pulled(call, f"max_pool{n}d_with_indices", gradient, operands)[0]

    return rule


RULES: dict[str, Rule] = {
    "to_mkldnn": plain(lambda x, *_, **__: x),
    "mkldnn_reorder_conv2d_weight": plain(lambda weight, *_: weight),
    "mkldnn_reorder_conv3d_weight": plain(lambda weight, *_: weight),
    "_mkldnn_reshape": plain(lambda x, shape: reshape(x, tuple(shape))),
    "_mkldnn_transpose": plain(_transpose),
    "mkldnn_convolution": _convolution,
    "mkldnn_linear": promoted(_linear),
    "mkldnn_linear_backward": _linear_backward,
    "mkldnn_adaptive_avg_pool2d": convolutions.RULES["_adaptive_avg_pool2d"],
    "mkldnn_adaptive_avg_pool2d_backward": backward.RULES["_adaptive_avg_pool2d_backward"],
    **{f"mkldnn_max_pool{n}d": _largest(n) for n in (2, 3)},
    **{f"mkldnn_max_pool{n}d_backward": _largest_backward(n) for n in (2, 3)},
}
