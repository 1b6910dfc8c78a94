"""What was found as code: a line that shows it again, and a test that fails while it is there."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from harness.proof.question import Answer
from harness.search.numbers import written
from harness.search.point import Point, plain
from harness.subject.derivative import Array
from harness.subject.names import PARAMETERS
from harness.subject.target import Target
from oracles.exact.program.trees import is_floating

LIBRARIES = {"numpy": "np", "torch": "torch", "jax": "jnp"}
UNNAMED = {"gradient": "f", "network": "net"}  # what a thing without a name is called in code
IMPORTS = {"np": "import numpy as np", "torch": "import torch", "jnp": "import jax.numpy as jnp"}


def literal(array: Array, framework: str) -> str:
    """An array of a framework as an expression."""
    library = LIBRARIES[framework]
    name = "bool_" if array.dtype.name == "bool" and library != "torch" else array.dtype.name
    dtype = "ml_dtypes.bfloat16" if name == "bfloat16" and library == "np" else f"{library}.{name}"
    typed = f"dtype={dtype}" if library == "torch" else dtype
    maker = f"{library}.tensor" if library == "torch" else f"{library}.array"
    if array.dtype.kind == "c":
        dtype = f"{library}.{array.dtype.name}"
    if not array.size:
        return f"{library}.zeros({array.shape}, {typed})"
    first = array.reshape(-1)[:1]
    if array.ndim and array.shape[0] > 1 and array.strides[0] == 0:
        row = literal(np.ascontiguousarray(array[:1]), framework)
        return (
            f"{row}.expand{array.shape}" if library == "torch" else f"np.broadcast_to({row}, {array.shape})"
        )
    if array.size > 8 and (array == first).all():
        told = f"{library}.full({array.shape}, {_number(first[0], array)}, {typed})"
    else:
        told = f"{maker}({_nested(array, array)}, {typed})"
    if plain(array) or library == "jnp":
        return told
    if array.flags.f_contiguous:
        turned = "mT.contiguous().mT" if array.ndim == 2 else ""
        if library == "torch" and turned:
            return f"{told}.{turned}"
        return (
            f"np.asfortranarray({told})"
            if library == "np"
            else f"torch.from_numpy(np.asfortranarray({told}))"
        )
    return (
        f"{told}.repeat_interleave(2, -1)[..., ::2]"
        if library == "torch"
        else f"np.repeat({told}, 2, -1)[..., ::2]"
    )


def _nested(array: Array, like: Array) -> str:
    if not array.ndim:
        return _number(array[()], like)
    return f"[{', '.join(_nested(row, like) for row in array)}]"


def _number(number: Any, like: Array) -> str:
    if not is_floating(like):
        return str(number.item() if isinstance(number, np.generic) else number)
    return written(float(number), like.dtype.name)


def expression(tree: Any, framework: str) -> str:
    """Arguments in their structure, arrays as they are written."""
    if isinstance(tree, np.ndarray):
        return literal(tree, framework)
    if type(tree) in (list, tuple):
        inner = [expression(one, framework) for one in tree]
        comma = "," if len(inner) == 1 and isinstance(tree, tuple) else ""
        return f"({', '.join(inner)}{comma})" if isinstance(tree, tuple) else f"[{', '.join(inner)}]"
    if type(tree) is dict:
        return f"{{{', '.join(f'{k!r}: {expression(v, framework)}' for k, v in tree.items())}}}"
    return repr(tree)


def named(thing: Any, door: str = "") -> tuple[str, str]:
    """How a function is called in code, and the import that gives it; no import where nothing does."""
    module, path = (getattr(thing, name, "") or "" for name in ("__module__", "__qualname__"))
    is_own = module != "__main__" and module.partition(".")[0] not in LIBRARIES
    if path and is_own and _found(sys.modules.get(module), path) is thing:
        return path, f"from {module} import {path.partition('.')[0]}"
    if callable(thing) and (found := _name_in_a_module(thing)):
        return found[1], f"from {found[0]} import {found[1]}" if found[0] != "__main__" else ""
    short, owner = getattr(thing, "__name__", ""), getattr(thing, "__self__", None)
    if (
        short and owner is not None and not isinstance(owner, ModuleType)
    ):  # a method, such as F.apply of torch
        own, more = named(owner)
        return f"{own}.{short}", more
    return (short if short.isidentifier() else UNNAMED.get(door, door or "f")), ""


def _name_in_a_module(thing: Any) -> tuple[str, str] | None:
    """The module that has a thing, and its public name there: a library's at best, and the shortest."""
    return min(
        (
            (module, name)
            for module, home in list(sys.modules.items())
            if not re.search(r"\b_", module.removeprefix("__main__"))
            for name, held in list(getattr(home, "__dict__", {}).items())
            if held is thing and name[0] != "_"
        ),
        key=lambda one: (one[0].partition(".")[0] not in LIBRARIES, one[0].count("."), one),
        default=None,
    )


def _found(home: Any, path: str) -> Any:
    for part in path.split("."):
        home = getattr(home, part, None)
    return home


@dataclass(frozen=True)
class Code:
    """A check of one input as code.

    Attributes:
        function: What is checked.
        door: "gradient", "layer" or "network".
        args: What the check is given after the function, the arrays on the host.
        options: Its keywords; functions by their names.
        framework: Whose arrays they are.
        before: Lines that come first.
        called: What the function is called, and the imports that give it; read from it if not given.
    """

    function: Any
    door: str
    args: Sequence[Any]
    options: Mapping[str, Any]
    framework: str
    before: Sequence[str] = ()
    called: tuple[str, ...] = ()

    def _call(self, verb: str) -> tuple[str, list[str]]:
        name, *imports = self.called or named(self.function)
        told = []
        for key, value in self.options.items():
            if isinstance(value, Callable):  # type: ignore[arg-type]
                own, more = named(value, key)
                told.append(f"{key}={own}")
                imports += [more] if more else []
            else:
                told.append(f"{key}={expression(value, self.framework)}")
        given = [expression(a, self.framework) for a in self.args]
        call = f"gradproof.{verb}_{self.door}({', '.join([name, *given, *told])})"
        wide = self.framework == "jax" and "jnp.float64" in call
        whole = "\n".join([*self.before, call])
        used = [*["import jax", 'jax.config.update("jax_enable_x64", True)'][: 2 * wide]]
        used += [line for short, line in IMPORTS.items() if re.search(rf"\b{short}\.", whole)]
        used += ["import ml_dtypes"] if "ml_dtypes." in whole else []
        return call, [*used, "import gradproof", *dict.fromkeys(filter(None, imports))]

    @property
    def line(self) -> str:
        """What shows it again."""
        call, imports = self._call("check")
        return "; ".join([*imports, *self.before, f"print({call})"])

    @property
    def test(self) -> str:
        """What fails while it is there."""
        call, imports = self._call("assert")
        name = (self.called or named(self.function))[0]
        head = f"def test_the_gradient_of_{re.sub(r'[^0-9a-z]+', '_', name.lower()).strip('_')}():"
        body = [f"    {line}" for line in (*self.before, call)]
        return "\n".join([*imports, "", "", head, *body])


def arguments(target: Target, arrays: Sequence[Array]) -> tuple[Any, Any]:
    """The arguments and keywords of a function with these arrays, on the host, complex numbers as such."""
    leaves: dict[int, Any] = {f.place: f.leaf for f in target.flat.fixed}
    places = (k for k in range(len(target.flat.tree.names)) if k not in leaves)
    for k, (place, array, native) in enumerate(zip(places, arrays, target.natives, strict=True)):
        own = array[..., 0] + 1j * array[..., 1] if k in target.flat.complex else array
        is_number = not own.ndim and (
            (k, "float") in target.flat.numbers
            if target.framework.name == "numpy"
            else isinstance(native, np.ndarray)
        )
        leaves[place] = own.item() if is_number else own
    args, kwargs = target.flat.tree.filled([leaves[k] for k in sorted(leaves)])
    return args, kwargs


def of_function(f: Any, target: Target, options: Mapping[str, Any], point: Point, answer: Answer) -> Code:
    """The check of a function, or of a torch module, at an input.

    Args:
        f, target, options: What was checked: the function, its arguments, and the keywords of the check.
        point, answer: An input, and what was found there.
    """
    args, kwargs = arguments(target, point.arrays)
    called: tuple[str, ...] = ()
    own, before, framework = dict(options), [], target.framework.name
    if any(name.startswith(PARAMETERS) for name in target.names):
        given, args = args[0], args[1:]
        moved = [n for n, a, b in zip(target.names, point.arrays, target.arrays, strict=True) if a is not b]
        called = named(f, "module")
        name = called[0]
        before = [
            f"{name}.get_parameter({key!r}).data = {literal(value, framework)}"
            for key, value in given.items()
            if f"{PARAMETERS}{key!r}]" in moved
        ]
    if kwargs:
        own["kwargs"] = kwargs
    if point.cotangent is not None:
        own["cotangent"] = point.cotangent[0] if len(point.cotangent) == 1 else point.cotangent
    if framework != "numpy" and not any(part.blame and part.blame.is_yours for part in answer.parts):
        own["upstream"] = "fail"  # also where it is not known here, and may be when it is asked again
    return Code(f, "gradient", [args], own, framework, before, called)


def of_object(
    thing: Any,
    door: str,
    target: Target,
    places: Sequence[str],
    more: Sequence[Any],
    options: Mapping[str, Any],
    point: Point,
    answer: Answer,
) -> Code:
    """The check of a layer or a network of the book's kind at an input.

    Args:
        thing, door: What was checked, and whether it is a "layer" or a "network".
        target, places: Its inputs and its parameters, and what stands in code for those: ".params[0]".
        more: What the check was given beside the input: a target.
        options: The keywords of the check.
        point, answer: An input, and what was found there.
    """
    called, count = named(thing, door), len(target.arrays) - len(places)
    before = [
        f"{called[0]}{place}[...] = {literal(value, 'numpy')}"
        for place, value, old in zip(places, point.arrays[count:], target.arrays[count:], strict=True)
        if value is not old
    ]
    inputs = tuple(point.arrays[:count])
    along = {} if point.cotangent is None else {"cotangent": point.cotangent[0]}
    args = [inputs if count > 1 else inputs[0], *more]
    return Code(thing, door, args, {**options, **along}, "numpy", before, called)
