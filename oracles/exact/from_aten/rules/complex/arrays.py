"""Arrays of complex numbers: filled, chosen, cast and padded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from oracles.exact.from_aten.call import BLANK, OperatorCall, Rule
from oracles.exact.from_aten.memory import constant
from oracles.exact.from_aten.rules import RULES as REAL_RULES
from oracles.exact.from_aten.rules import sparse
from oracles.exact.from_aten.rules.complex.calls import apart, kind_of
from oracles.exact.program import complex as cx
from oracles.exact.program.complex import REAL, Complex
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import convert
from oracles.exact.program.program import Var


def fill(call: OperatorCall, value: Any) -> Any:
    """One number everywhere."""
    if isinstance(value, Complex):
        return value.apart(lambda v: call.recorder.broadcast(v, call.shape))
    if isinstance(value, Var):
        return cx.as_complex(call.recorder.broadcast(value, call.shape), kind_of(call))
    return cx.constant(call.recorder, np.full(call.shape, complex(value)), kind_of(call), constant)


def _where(call: OperatorCall, condition: Var, x: Any, y: Any) -> Any:
    kind = kind_of(call)
    x, y = (cx.as_complex(v, kind) if isinstance(v, Var | Complex) else fill(call, v) for v in (x, y))
    return cx.choose(condition, x, y)


def _cast(call: OperatorCall, x: Any, *_: Any, **__: Any) -> Any:
    """In the dtype of the result: of a real one, the real part."""
    kind = kind_of(call)
    if kind == "complex32":
        raise Unsupported("complex numbers in half precision")
    return cx.as_complex(x, kind) if kind in REAL else convert(x.re, kind)


def _copied(call: OperatorCall, x: Any, source: Any, *_: Any) -> Any:
    found = _cast(call, source)
    return cx.each_part(lambda v: call.recorder.broadcast(v, call.shape), found)


def _index_fill(call: OperatorCall, x: Complex, dim: int, where: Var, value: Any) -> Complex:
    index_ = torch.from_numpy(call.decided(where).copy())
    hit = torch.zeros(x.shape, dtype=torch.bool).index_fill(dim, index_, True).numpy()
    return cx.choose(call.recorder.constant(hit), fill(call, value), x)


def _padded(call: OperatorCall, x: Complex, pad: Sequence[int], value: Any) -> Any:
    out = apart(call, REAL_RULES["constant_pad_nd"], (x, pad, 0.0), {})
    if value == 0:
        return out
    inside = torch.constant_pad_nd(torch.ones(x.shape), list(pad), 0.0).numpy() > 0
    return cx.choose(call.recorder.constant(inside), out, fill(call, value))


RULES: dict[str, Rule] = {
    **dict.fromkeys(("full", "full_like", "new_full", "fill", "scalar_tensor"),
                    lambda call, first, *rest, **_: fill(call, rest[-1] if rest else first)),
    **dict.fromkeys(BLANK, lambda call, *_, **__: fill(call, complex(np.nan, np.nan))),
    **dict.fromkeys(("ones", "ones_like", "new_ones"), lambda call, *_, **__: fill(call, 1.0)),
    "eye": lambda call, *_: cx.as_complex(call.recorder.constant(np.eye(*call.shape)), kind_of(call)),
    "where": _where,
    "masked_fill": lambda call, x, mask, value: _where(call, mask, value, x),
    "index_fill": _index_fill,
    **dict.fromkeys(("_to_copy", "to"), _cast),
    "copy": _copied,
    "constant_pad_nd": lambda call, x, pad, value=0.0: _padded(call, x, pad, value),
    **{name: REAL_RULES[name] for name in sparse.INDICES},
}  # fmt: skip
