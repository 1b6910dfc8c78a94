"""What has no numbers, or others than it seems, and is refused: what it is, and what to pass instead."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np

from harness.subject.argnums import is_moving
from harness.subject.derivative import Array
from harness.subject.names import place_of
from harness.subject.objects import instead_of, is_foreign
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.indices import first_true
from oracles.exact.program.program import FLOATS
from oracles.exact.program.trees import is_floating
from oracles.exact.program.words import package_of
from oracles.frameworks.framework import Framework


def refuse_strange(leaves: Sequence[Any], where: str = "an argument is") -> None:
    """What stands for numbers while something else is traced has none; a nested tensor has no one shape.

    Raises:
        ValueError: One of these stands for numbers.
        Unsupported: One is nested.
    """
    for leaf in leaves:
        if getattr(leaf, "is_nested", False) is True:
            raise Unsupported("a nested tensor: not yet; pass its parts, or a padded tensor")
        kind = type(leaf)
        home = f"{kind.__module__}.{kind.__name__}"
        if home.startswith("jax") and "Tracer" in kind.__name__:
            raise ValueError(
                f"{where} JAX's {kind.__name__}, which has no numbers: call this outside of jit, grad "
                "and vmap"
            )
        fake = home == "torch._subclasses.fake_tensor.FakeTensor"
        if fake or getattr(leaf, "is_meta", False) is True:
            what = "a fake tensor" if fake else "a tensor on the device meta"
            raise ValueError(f"{where} {what}, which has a shape and no numbers; a check needs real ones")


def refuse_subclasses(leaves: Sequence[Any]) -> None:
    """A user's class of tensors may compute anything; torch's own parameters and buffers do not.

    Raises:
        Unsupported: One of these is of such a class.
    """
    torch: Any = sys.modules.get("torch")
    for leaf in leaves if torch else ():
        kind = type(leaf)
        if isinstance(leaf, torch.Tensor) and kind not in {torch.Tensor, torch.nn.Parameter, torch.nn.Buffer}:
            raise Unsupported(
                f"an argument is a {kind.__module__}.{kind.__name__}, a subclass of torch.Tensor: not yet; "
                "pass x.as_subclass(torch.Tensor)"
            )


def refuse_other_arrays(leaves: Mapping[int, Any], name_of: Callable[[int], str]) -> None:
    """What is like an array and may compute otherwise would be judged as if it were a plain one.

    Raises:
        ValueError: One of these is such an array.
    """
    for k, leaf in leaves.items():
        kind, foreign = type(leaf), is_foreign(leaf) and is_moving(leaf)
        if foreign or (isinstance(leaf, np.ndarray) and kind not in {np.ndarray, np.memmap}):
            name = name_of(k)
            advice = f"pass np.asarray({name}), and convert inside the function if it must be"
            if foreign:
                advice = f"{instead_of(leaf, name) or advice}; as a constant leave it out of argnums="
            raise ValueError(
                f"{name} is a {package_of(leaf)} {kind.__name__}, whose operations may be others than an "
                f"array's; {advice}"
            )


def refuse_infinite(names: Sequence[str], arrays: Sequence[Array]) -> None:
    """What no exact arithmetic has as an input.

    Raises:
        Unsupported: An array holds NaN or an infinite number.
    """
    for name, array in zip(names, arrays, strict=True):
        if told := _infinite(name, array):
            what = "missing data" if told.endswith("nan") else "a mask"
            raise Unsupported(f"{told}: leave {what} out of argnums=")


def refuse_infinite_of_object(
    names: Sequence[str], args: Sequence[Any], moving: Collection[int], is_lost: Callable[[], bool]
) -> None:
    """Likewise in what a layer or a network is given, which knows no argnums.

    What is not differentiated (not `moving`) may hold missing data, but where the loss `is_lost` with it.

    Raises:
        Unsupported: An array holds NaN or an infinite number.
    """
    for k, (name, arg) in enumerate(zip(names, args, strict=True)):
        if not isinstance(arg, np.ndarray | np.generic | float):  # a target may be anything
            continue
        if (told := _infinite(name, np.asarray(arg))) and (k in moving or is_lost()):
            raise Unsupported(f"{told}: pass finite numbers")


def _infinite(name: str, array: Array) -> str:
    """The first element that is not finite, in words; "" if there is none."""
    if array.dtype.name not in FLOATS or (finite := np.isfinite(array)).all():
        return ""
    at = first_true(~finite)
    return f"{place_of(name, at)} must be finite to have a derivative, got {float(array[at])}"


def lacks_numbers(own: Framework, leaf: Any) -> bool:
    """Whether a real array holds other than finite numbers, as a mask does, and data that lack some."""
    return is_floating(leaf) and not bool(np.isfinite(own.on_host(leaf)).all())
