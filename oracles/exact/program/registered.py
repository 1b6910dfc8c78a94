"""Rules of the user's own: an operation without a rule, as a function of operations that have one."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any

from oracles.exact.program.words import kind_of

Definition = Callable[..., Any]
_definitions: dict[tuple[str, Any], Definition] = {}


def register_rule(operation: Any, definition: Definition) -> None:
    """Say what an operation without a rule computes, so that gradients through it can be proven.

    Args:
        operation: A function or ufunc of NumPy or SciPy; a primitive of JAX; or an operator of torch, such as
            `torch.ops.mylib.fused` or what `torch.library.custom_op` has made. (One whose Python code is of
            torch's operators, or of NumPy's, needs no rule.)
        definition: The same function of the same arguments, written in the same framework with operations
            that have rules. It is taken for what the operation *is*: its derivative is the operation's, and
            its rounding the bound on the operation's.

    Raises:
        ValueError: The operation is none of these, or is registered already.
    """
    key = _key(operation)
    if not callable(definition):
        raise ValueError(f"definition is {kind_of(definition)}; it is a function")
    if key in _definitions:
        raise ValueError(f"{key[1]} is registered already; a rule is given once")
    _definitions[key] = definition


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


def _key(operation: Any) -> tuple[str, Any]:
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
