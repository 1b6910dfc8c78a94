"""What ATen's operators are on complex numbers, which are pairs of real values (`program.complex`).

An operator that is linear with real coefficients runs by its rule on both parts; others are named here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from oracles.exact.from_aten.call import OperatorCall, Rule, unused_keywords, words
from oracles.exact.from_aten.rules import RULES, sparse
from oracles.exact.from_aten.rules.complex import (
    arrays,
    elementwise,
    factorizations,
    matrices,
    reductions,
    spectra,
)
from oracles.exact.from_aten.rules.complex.calls import apart
from oracles.exact.from_aten.rules.moving import MOVERS
from oracles.exact.program.errors import Unsupported

APART = frozenset((*MOVERS, *sparse.MOVED, *sparse.LINEAR)) | frozenset(
    words(
        "sum cumsum trace nansum index_add scatter_add index_put _index_put_impl_ put clone"
        " lift_fresh_copy positive zeros zeros_like new_zeros zero _new_zeros_with_same_feature_meta"
        " unfold_backward _unsafe_masked_index _unsafe_masked_index_put_accumulate col2im"
    )
)
COMPLEX: dict[str, Rule] = {
    **elementwise.RULES,
    **arrays.RULES,
    **reductions.RULES,
    **matrices.RULES,
    **factorizations.RULES,
    **spectra.RULES,
}


def of_complex(call: OperatorCall, name: str, operands: Sequence[Any], named: dict[str, Any]) -> Any:
    """The results of an operator that takes or gives complex numbers.

    Raises:
        Unsupported: It has no rule for them.
    """
    overload = f"{name}.{call.func._schema.overload_name}"
    for key in (overload, name):
        if key in COMPLEX:
            return COMPLEX[key](call, *operands, **_used(call, named))
        if key in APART:
            return apart(call, RULES.get(overload) or RULES[name], operands, _used(call, named))
    raise Unsupported(
        f"aten.{name} of complex numbers has no rule; work with the real and the imaginary part"
    )


def _used(call: OperatorCall, named: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in named.items() if k not in unused_keywords(call.func)}
