"""Rules of the user's own: an operation without a rule, as a function of operations that have one."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

Definition = Callable[..., Any]
_definitions: dict[tuple[str, Any], Definition] = {}


def register(framework: str, operation: Any, definition: Definition) -> None:
    """Keep what an operation computes; `framework` and `operation` as `key_of` has them."""
    _definitions[framework, operation] = definition


def definition_of(framework: str, operation: Any) -> Definition | None:
    """What a user said that an operation is, None if nobody did."""
    return _definitions.get((framework, operation))


def registered_functions() -> tuple[Any, ...]:
    """Those of SciPy's functions that are written in Python: such a call is seen only by its name."""
    return tuple(
        operation
        for framework, operation in _definitions
        if framework == "numpy"
        and isinstance(operation, FunctionType)
        and "scipy" in str(operation.__module__)
    )


def key_of(operation: Any) -> tuple[str, Any]:
    """The framework of an operation, and what it is told by there: itself, or its name.

    Raises:
        ValueError: It is no operation that can have a rule.
    """
    home = type(operation).__module__
    if home.startswith("torch"):
        overload = getattr(operation, "_opoverload", operation)  # of a custom_op
        packet = getattr(overload, "overloadpacket", overload)
        schemas = getattr(packet, "_schemas", None)
        if schemas:
            return "torch", next(iter(schemas.values())).name
    elif home.startswith("jax") and isinstance(getattr(operation, "name", None), str):
        return "jax", operation.name
    elif callable(operation) and hasattr(operation, "__name__"):
        root = str(getattr(operation, "__module__", "")).partition(".")[0]
        if home == "numpy" or root in {"numpy", "scipy"} or hasattr(operation, "nin"):  # a compiler's ufunc
            return "numpy", operation
    raise ValueError(
        f"{operation!r} is no operation that can have a rule: pass a function or ufunc of NumPy or SciPy, a "
        "primitive of JAX, or an operator of torch (torch.ops.mylib.fused)"
    )
