"""The door to rules of the user's own: what an operation computes that has no rule."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from oracles.exact.program.errors import Unsupported
from oracles.exact.program.registered import definition_of, key_of, register
from oracles.exact.program.words import kind_of

OF_TORCH = ("aten", "prims")  # where torch's own operators are


def register_rule(operation: Any, definition: Callable[..., Any]) -> None:
    """Say what an operation without a rule computes, so that gradients through it can be proven.

    Args:
        operation: A function or ufunc of NumPy or SciPy; a primitive of JAX; or an operator of torch, such as
            `torch.ops.mylib.fused` or what `torch.library.custom_op` has made. (One whose Python code is of
            torch's operators, or of NumPy's, needs no rule.) What has a rule already keeps that, and is
            refused, but for SciPy's functions that are written in Python.
        definition: The same function of the same arguments, written in the same framework with operations
            that have rules. It is taken for what the operation *is*: its derivative is the operation's, and
            its rounding the bound on the operation's.

    Raises:
        ValueError: The operation is none of these, has a rule, or is registered already.
    """
    framework, key = key_of(operation)
    if not callable(definition):
        raise ValueError(f"definition is {kind_of(definition)}; it is a function")
    if definition_of(framework, key) is not None:
        raise ValueError(f"{key} is registered already; a rule is given once")
    if _has_rule(framework, key):
        raise ValueError(
            f"operation must be one without a rule, got {key}, which has one: it would be used, and not this "
            "definition; where another function is meant, pass spec="
        )
    register(framework, key, definition)


def _has_rule(framework: str, key: Any) -> bool:
    """Whether an operation is proven already; the front end knows, which loads its framework."""
    if framework == "numpy":
        from oracles.exact.from_numpy.ruled import has_rule

        return has_rule(key)
    if framework == "jax":
        from oracles.exact.from_jaxpr.rules import RULES

        return key in RULES
    return _is_torchs(key)


def _is_torchs(name: str) -> bool:
    """Whether every overload of an operator of torch's own has a rule, or is seen as its parts alone."""
    from oracles.exact.from_aten.call import is_composite
    from oracles.exact.from_aten.operators import rule_of

    namespace, base = name.split("::")
    if namespace not in OF_TORCH:
        return False
    torch: Any = sys.modules["torch"]  # the operator is of it
    packet = getattr(getattr(torch.ops, namespace), base)
    each = [getattr(packet, overload) for overload in packet.overloads() if not overload.endswith("out")]
    run = [one for one in each if torch._C._dispatch_has_kernel(one.name())]  # the others are TorchScript's
    try:
        return all(is_composite(one) or rule_of(one, base.endswith("_")) is not None for one in run)
    except Unsupported:  # it draws random numbers
        return False
