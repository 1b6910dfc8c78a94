"""Objects that hold arrays and are none: what they are, and what is passed in their place.

A function may take them as they are: then they are constants. What is differentiated is an array, or in a
tree: matrices of scipy.sparse, tables of pandas and the like compute in ways of their own.
"""

from __future__ import annotations

import dataclasses
from array import array
from types import FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np

from oracles.exact.program.trees import dtype_of, is_complex, is_floating
from oracles.exact.program.words import kind_of, package_of

# Whose arrays are judged as what they are; what is made of torch's tensors may be anybody's.
ARRAYS = ("numpy", "jax", "jaxlib", "torch", "ml_dtypes")
# What gives an object's numbers as an array: scipy.sparse's; pandas', xarray's and others'.
CONVERSIONS = ("toarray", "to_numpy")
CODE = (type, ModuleType, FunctionType, MethodType)
NAMED = 4  # arrays of an object


def is_foreign(leaf: Any) -> bool:
    """Whether it is like an array, of a package that computes with it as it likes."""
    known = package_of(leaf) in ARRAYS or isinstance(leaf, np.ndarray) or hasattr(leaf, "__torch_function__")
    return bool(dtype_of(leaf)) and not known


def stays(leaf: Any) -> bool:
    """Whether a function that takes it as a constant takes it as it is: not as an array of whole numbers."""
    whole = dtype_of(leaf).startswith(("int", "uint", "bool"))
    return is_foreign(leaf) and (not whole or hasattr(leaf, "toarray"))


def instead_of(leaf: Any, name: str) -> str:
    """What to pass for an object of this name, in words; "" where nothing is known of it."""
    if isinstance(leaf, CODE) or package_of(leaf) in ARRAYS:
        return ""
    for conversion in CONVERSIONS:
        if hasattr(leaf, conversion):
            return f"pass {name}.{conversion}(), and make it inside of the function if it must be"
    if isinstance(leaf, memoryview | array):
        return f"pass np.asarray({name})"
    if held := _arrays(leaf):
        arrays = ", ".join(f"{name}.{one}" for one in held[:NAMED]) + (", ..." if len(held) > NAMED else "")
        return f"pass {arrays}, and make the {type(leaf).__name__} inside of the function"
    return ""


def said(leaf: Any, name: str) -> str:
    """That an object is a constant, in words; "" where nothing is known of it."""
    advice = "" if hasattr(leaf, "dtype") else instead_of(leaf, name)  # of words, or of whole numbers
    return f"{name} is {kind_of(leaf)}, and so a constant; for its gradient, {advice}" if advice else ""


def _arrays(leaf: Any) -> list[str]:
    """The names of the floating arrays that an object holds."""
    fields = [f.name for f in dataclasses.fields(leaf)] if dataclasses.is_dataclass(leaf) else []
    names = fields or list(getattr(leaf, "__dict__", ()))
    own = {name: getattr(leaf, name, None) for name in names}
    return [name for name, value in own.items() if is_floating(value) or is_complex(value)]
