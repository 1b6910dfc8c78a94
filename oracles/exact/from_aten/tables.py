"""All of ATen's operators that have a rule."""

from __future__ import annotations

from oracles.exact.from_aten.call import Rule
from oracles.exact.from_aten.rules import (
    backward,
    convolutions,
    elementwise,
    factorizations,
    linalg,
    logic,
    losses,
    moving,
    networks,
    order,
    reductions,
    sampling,
    scatter,
    sequences,
)

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **logic.RULES,
    **moving.RULES,
    **scatter.RULES,
    **reductions.RULES,
    **order.RULES,
    **linalg.RULES,
    **factorizations.RULES,
    **networks.RULES,
    **losses.RULES,
    **convolutions.RULES,
    **sampling.RULES,
    **sequences.RULES,
    **backward.RULES,
}
