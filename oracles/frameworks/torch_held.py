"""The weights that a function holds: autograd follows them, and they are no arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_leaves

from oracles.exact.program.reach import Reach
from oracles.frameworks.torch_rules import nodes_of

NAMED = 3  # of more weights only the number is told


def held_weights(function: Callable[..., Any], leaves: Sequence[Any], code: Any) -> str:
    """What is said of them; "" where there are none, or the function is a module, which has its own advice.

    Args:
        function: A function of these leaves.
        leaves: What is differentiated of them requires grad.
        code: The function as it was written, from which the modules are reached that name the weights.

    Raises:
        Exception: What the function raises.
    """
    if isinstance(code, torch.nn.Module) or hasattr(code, "alike"):  # see `torch_modules.unregistered`
        return ""
    with torch.enable_grad():
        results = tree_leaves(function(*leaves))
    given = set(map(id, leaves))
    reached = {id(v): v for node in nodes_of(results) if (v := getattr(node, "variable", None)) is not None}
    held = [weight for key, weight in reached.items() if key not in given]
    if not held:
        return ""
    names = _names(code)
    told = sorted(names.get(id(weight), f"a tensor of shape {tuple(weight.shape)}") for weight in held)
    which = ", ".join(told[:NAMED]) + (f" and {len(told) - NAMED} more" if len(told) > NAMED else "")
    return (
        f"the function holds {which}: no gradient of that is asked for; pass it as an argument, or the "
        "module as the function"
    )


def _names(code: Any) -> dict[int, str]:
    """By identity the parameters of the modules that code reaches: those of a part have the whole's name."""
    modules = [item for item in Reach().items([code]) if isinstance(item, torch.nn.Module)]
    parts = {id(part) for module in modules for part in module.modules() if part is not module}
    whole = [module for module in modules if id(module) not in parts]
    return {id(p): f"{name} of {type(m).__name__}" for m in whole for name, p in m.named_parameters()}
