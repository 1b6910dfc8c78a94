"""All of ATen's operators that have a rule."""

from __future__ import annotations

from oracles.exact.from_aten import (
    backward_rules,
    conv_rules,
    factor_rules,
    linalg_rules,
    logic_rules,
    loss_rules,
    moving_rules,
    nn_rules,
    order_rules,
    reduction_rules,
    rules,
    sampling_rules,
    scatter_rules,
    sequence_rules,
)
from oracles.exact.from_aten.call import Rule

RULES: dict[str, Rule] = {
    **rules.RULES,
    **logic_rules.RULES,
    **moving_rules.RULES,
    **scatter_rules.RULES,
    **reduction_rules.RULES,
    **order_rules.RULES,
    **linalg_rules.RULES,
    **factor_rules.RULES,
    **nn_rules.RULES,
    **loss_rules.RULES,
    **conv_rules.RULES,
    **sampling_rules.RULES,
    **sequence_rules.RULES,
    **backward_rules.RULES,
}
