"""The rules of ATen's operators, by kind."""

from oracles.exact.from_aten.call import Rule
from oracles.exact.from_aten.rules import (
    backward,
    convolutions,
    drawing,
    elementwise,
    linalg,
    losses,
    mkldnn,
    moving,
    networks,
    order,
    reductions,
    sampling,
    sequences,
    sparse,
)

RULES: dict[str, Rule] = {
    **elementwise.RULES,
    **moving.RULES,
    **reductions.RULES,
    **order.RULES,
    **linalg.RULES,
    **networks.RULES,
    **drawing.RULES,
    **losses.RULES,
    **convolutions.RULES,
    **sampling.RULES,
    **sequences.RULES,
    **sparse.RULES,
    **mkldnn.RULES,
    **backward.RULES,
}
