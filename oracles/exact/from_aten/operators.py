"""Facts of one operator of ATen: its plain name, its rule, and whether it steps."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from oracles.exact.from_aten.call import STEPS, Rule, base_of
from oracles.exact.from_aten.rules import RULES
from oracles.exact.program.errors import Unsupported

EXPLICIT = ("CompositeExplicitAutograd", "CompositeExplicitAutogradNonFunctional")  # one for all devices


def is_step(func: Any, kwargs: Any, found: list[Tensor], in_place: bool) -> bool:
    """Whether an operator of floating numbers gives integers or booleans, or steps."""
    discrete = not any(t.is_floating_point() or t.is_complex() for t in found)
    return bool(discrete or plain_name(func, in_place) in STEPS or kwargs.get("rounding_mode"))


def plain_name(func: Any, in_place: bool) -> str:
    """The operator's name; an in-place operator has its twin's."""
    base = base_of(func)
    return base.removesuffix("_") if in_place and not base.endswith("__") else base


def rule_of(func: Any, in_place: bool) -> Rule | None:
    """The rule of an operator: of this overload, or of all; an in-place operator has its twin's.

    Raises:
        Unsupported: It draws random numbers.
    """
    base = base_of(func)
    for name in (base, base.removesuffix("_")) if in_place else (base,):
        for key in (f"{name}.{func._schema.overload_name}", name):
            if key in RULES:
                return RULES[key]
    if torch.Tag.nondeterministic_seeded in func.tags:
        raise Unsupported("random numbers have no derivative to prove; draw them before, and pass them in")
    return None


def missing_rule(func: Any) -> str:
    """What is said of an operator that has none."""
    name = str(func._schema.name).replace("::", ".")
    return f"{name} has no rule: say what it computes with gradproof.register_rule"


def body_of(func: Any, tensors: list[Tensor]) -> Callable[..., Any] | None:
    """The Python code of an operator that a user has added, where these tensors are; None if it has none.

    `torch.library` keeps the names of what was added from Python: `custom_op`, or `Library.impl`.
    """
    namespace, name = func._schema.name.split("::")
    overload = func._schema.overload_name
    called = f"{namespace}/{name}.{overload}" if overload else f"{namespace}/{name}"
    for key in (*{t.device.type.upper() for t in tensors}, *EXPLICIT):
        if f"{called}/{key}" in torch.library._impls:
            return partial(func._op_dk, getattr(torch._C.DispatchKey, key))
    return None


def padded(values: Any, count: int) -> list[Any]:
    """One value per result; the last ones may have none."""
    flat = list(values) if isinstance(values, (tuple, list)) else [values]
    return flat + [None] * (count - len(flat))
