"""All of ATen's operators that have a rule."""

from __future__ import annotations

from oracles.exact import (
    aten_backward_rules,
    aten_conv_rules,
    aten_factor_rules,
    aten_linalg_rules,
    aten_logic_rules,
    aten_loss_rules,
    aten_moving_rules,
    aten_nn_rules,
    aten_order_rules,
    aten_reduction_rules,
    aten_rules,
    aten_sampling_rules,
    aten_scatter_rules,
    aten_sequence_rules,
)
from oracles.exact.aten_call import Rule

RULES: dict[str, Rule] = {
    **aten_rules.RULES,
    **aten_logic_rules.RULES,
    **aten_moving_rules.RULES,
    **aten_scatter_rules.RULES,
    **aten_reduction_rules.RULES,
    **aten_order_rules.RULES,
    **aten_linalg_rules.RULES,
    **aten_factor_rules.RULES,
    **aten_nn_rules.RULES,
    **aten_loss_rules.RULES,
    **aten_conv_rules.RULES,
    **aten_sampling_rules.RULES,
    **aten_sequence_rules.RULES,
    **aten_backward_rules.RULES,
}
