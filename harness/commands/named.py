"""What the command `check` is given: a function or a layer by its import path, arrays by shapes or a file."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from harness.commands.options import CheckOptions
from harness.runs.raised import Ended, staying, told
from harness.selection import UsageError
from harness.subject.derivative import Array, signed
from oracles.exact.program.program import FLOATS
from oracles.exact.program.words import kind_of

INTEGERS = ("bool", "uint8", "int8", "int16", "int32", "int64")


def imported(path: str) -> Callable[..., Any]:
    """The function of `package.module:name`, or `package.module:Class.name`.

    Raises:
        UsageError: There is no such module, or no such function in it.
    """
    found = named(path)
    if not callable(found):
        layer = "; --layer checks a layer" if hasattr(found, "forward") else ""
        raise UsageError(f"{path} must be a function, got {kind_of(found)}{layer}")
    if isinstance(found, type) and hasattr(found, "backward") and not hasattr(found, "setup_context"):
        raise UsageError(f"{path} must be a function, got the class {found.__name__}; --layer checks a layer")
    function: Callable[..., Any] = found
    return function


def named(path: str) -> Any:
    """What `package.module:name` names.

    Raises:
        UsageError: There is no such module, or nothing of that name in it.
    """
    module, colon, name = path.partition(":")
    if not (colon and name and all(map(str.isidentifier, module.split(".")))):
        raise UsageError(f"a function must be named as package.module:function, got {path!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")  # the folder that the command runs in, as `python -m` has it
    home = _module(path, module)
    try:
        return reduce(getattr, name.split("."), home)
    except AttributeError:
        near = difflib.get_close_matches(name, vars(home), 3, 0.5)
        also = f"; near matches: {', '.join(near)}" if near else ""
        raise UsageError(f"{module} has no {name}{also}") from None


def _module(path: str, module: str) -> ModuleType:
    try:
        with staying():
            return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        file = ", and name it without .py" if module.endswith(".py") else ""
        raise UsageError(f"{path}: {missing}; run where it can be imported, or install it{file}") from missing
    except Ended as ended:
        raise UsageError(
            f'{path}: importing {module}: {ended}; a script does so below `if __name__ == "__main__":`'
        ) from ended
    except Exception as problem:
        raise UsageError(
            told(problem, f"{path}: importing {module}", {module.partition(".")[0]})
        ) from problem


def arguments_of(options: CheckOptions) -> list[Array]:
    """The arguments, drawn by --shape or loaded from --inputs.

    Raises:
        UsageError: There are none, or they cannot be read.
    """
    if options.inputs is not None and options.shape:
        raise UsageError(
            f"--inputs {options.inputs} and --shape {' --shape '.join(options.shape)} are both given; the "
            "arguments come from one of them"
        )
    if options.inputs is not None:
        return _loaded(options.inputs)
    if not options.shape:
        raise UsageError("no arguments are given: add --shape 32,64 for each, or --inputs FILE.npz")
    rng = np.random.default_rng(options.seed)
    return [_made(rng, text, options.dtype) for text in options.shape]


def _made(rng: np.random.Generator, text: str, usual: str) -> Array:
    try:
        return _drawn(rng, text, usual)
    except UsageError:
        raise
    except (MemoryError, ValueError, OverflowError) as problem:
        raise UsageError(
            f"--shape must fit into memory, got {text!r} ({problem}): write a smaller shape"
        ) from None


def _drawn(rng: np.random.Generator, text: str, usual: str) -> Array:
    """An argument as --shape says it: 32,64 or 32:int64 or 32:int64:10, whose integers are below 10."""
    shape, *kind = text.split(":")
    name = kind[0] if kind else usual
    if name not in {*FLOATS, *INTEGERS} or len(kind) > 2 or (len(kind) == 2 and name not in INTEGERS):
        raise UsageError(
            "--shape must be such as 32,64, or 32,64:float32, or 32:int64:10 for integers below 10, got "
            f"{text!r}; dtypes are {', '.join([*sorted(FLOATS), *INTEGERS])}"
        )
    if name in FLOATS:
        return signed(rng, _dtype(name), _shape(shape))
    below = kind[1] if len(kind) == 2 else "2"
    most = 2 if name == "bool" else int(np.iinfo(name).max)
    if not below.isdecimal() or not 0 < int(below) <= most:
        raise UsageError(
            f"--shape must end in a number from 1 to {most}, below which the integers are, as in "
            f"32:int64:10, got {text!r}"
        )
    return rng.integers(0, int(below), _shape(shape)).astype(name)


def _dtype(name: str) -> np.dtype[Any]:
    if name != "bfloat16":
        return np.dtype(name)
    try:
        import ml_dtypes
    except ImportError:
        raise UsageError("--dtype bfloat16 needs the package ml_dtypes: pip install ml_dtypes") from None
    found: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return found


def _shape(text: str) -> tuple[int, ...]:
    """The shape of "32,64"; "()" is a single number."""
    parts = [part for part in text.strip("() ").split(",") if part.strip()]
    if not all(part.strip().isdecimal() for part in parts):
        raise UsageError(
            f"--shape must be such as 32,64, or () for a single number, with a dtype after a colon, got "
            f"{text!r}"
        )
    return tuple(map(int, parts))


def _loaded(path: Path) -> list[Array]:
    """The arrays of a file, in its order; nothing in it is executed."""
    try:
        with path.open("rb") as opened:  # by us: NumPy leaves a damaged one open
            file = np.load(opened, allow_pickle=False)
            if is_archive := hasattr(file, "files"):
                found = [np.asarray(file[name]) for name in file.files]
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}; write one with numpy.savez(FILE, x, w)") from None
    except Exception as problem:  # of a damaged archive, whatever the layers below raise
        if "pickle" in str(problem):  # which is what NumPy says of any file that is no array, too
            raise UsageError(
                f"--inputs must be an .npz file of numbers, got {path}; write it with numpy.savez(FILE, x, w)"
            ) from None
        raise UsageError(
            f"--inputs {path} cannot be read: {problem}; write it with numpy.savez(FILE, x, w)"
        ) from None
    if not is_archive:
        raise UsageError(
            f"--inputs must be an .npz file, got {path}, which holds one array; write numpy.savez(FILE, x, w)"
        )
    if not found:
        raise UsageError(f"--inputs {path} holds no array")
    return found


def framework_of(function: Callable[..., Any]) -> str:
    """The framework whose modules the function's own module has imported; NumPy if none, or several."""
    home = sys.modules.get(getattr(function, "__module__", "") or "")
    known = vars(home).values() if home else ()
    roots = {value.__name__.partition(".")[0] for value in known if isinstance(value, ModuleType)}
    own = (getattr(function, "__module__", "") or "").partition(".")[0]
    named = [name for name in ("jax", "torch") if name in roots | {own}]
    return named[0] if len(named) == 1 else "numpy"
