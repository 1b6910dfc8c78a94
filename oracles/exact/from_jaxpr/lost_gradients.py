"""What JAX leaves out of a gradient where a rule by hand is differentiated again: what it holds fixed.

A function that differentiates inside, as a gradient penalty does, contains the rules of its custom functions.
`stop_gradient` in one may be a silent zero then, as in the function's own second derivative; or nothing, as
that of the largest number in a softmax. So it holds nothing here, and where that is not what JAX gives, it is
said.
"""

from __future__ import annotations

from typing import Any

from jax._src import custom_derivatives, source_info_util  # whose code an equation is from has no public name

HOLDS = "stop_gradient"
# Inside these is what a custom function computes, and no rule.
OF_FUNCTIONS = frozenset({"custom_jvp_call", "custom_vjp_call"})
# By which of its functions JAX runs rules: as it calls what is differentiated, or when that is pulled back.
RUNS_RULES = frozenset({"bind_with_trace", "_flatten_fwd", "_flatten_bwd", "_flatten_jvp"})

PULLED_BACK = source_info_util.Transform("transpose")  # all that JAX's own rules do there is linear

# What is said of one that holds something that moves.
HELD = (
    "a custom rule (custom_jvp, custom_vjp) that is differentiated again holds something fixed "
    "(stop_gradient), so its own derivative is lost; check its function with order=2"
)


def holds_in_rule(equation: Any) -> bool:
    """Whether a rule holds something fixed with it."""
    return PULLED_BACK in equation.source_info.name_stack.stack or is_run_by_rule(equation)


def is_run_by_rule(equation: Any) -> bool:
    """Whether a rule has called it, and so all that it contains.

    What JAX itself computes again where it pulls back (`jax.checkpoint`) is the function's.
    """
    trace = equation.source_info.traceback
    codes = trace.raw_frames()[0] if trace else ()
    return any(c.co_name in RUNS_RULES and c.co_filename == custom_derivatives.__file__ for c in codes)
