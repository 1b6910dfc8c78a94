"""What stands for a gradient: a list of numbers for an array, an array of one element for a number.

scipy.optimize takes lists from `jac`: arrays of one axis. A number has no shape, and `b -= rate * db` moves
it by a sum that kept an axis, too. An array without axes cannot take such a step in place: there it is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from oracles.exact.program.trees import cast, dtype_of, is_floating


def is_list_for(part: Any, argument: Any) -> bool:
    """Whether it is a list of as many numbers as an array of one axis has. A tuple is several gradients."""
    if type(part) is not list or not dtype_of(argument) or len(argument.shape) != 1:
        return False
    return bool(part) and len(part) == argument.shape[0] and all(map(_is_number, part))


def stacked(framework: str, numbers: Sequence[Any], argument: Any) -> Any:
    """The numbers as an array; a list has no dtype, and takes that of the argument."""
    floats = [float(x) if type(x) is int else x for x in numbers]
    if framework == "numpy":
        found: Any = np.stack(floats)
    else:
        own = sys.modules["jax.numpy" if framework == "jax" else "torch"]
        found = own.stack([x if dtype_of(x) else own.asarray(x, dtype=argument.dtype) for x in floats])
    return cast(framework, found, dtype_of(argument)) if is_floating(found) else found


def is_single(gradient: Any) -> bool:
    """Whether it is an array of one element that has axes, as a sum over the first of two has."""
    return bool(dtype_of(gradient) and gradient.shape) and all(n == 1 for n in gradient.shape)


def as_number(gradient: Any) -> Any:
    """The gradient of a number."""
    return gradient.reshape(()) if is_single(gradient) else gradient


def _is_number(x: Any) -> bool:
    return type(x) in {int, float, complex} or bool(dtype_of(x) and not x.shape)
