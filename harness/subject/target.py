"""A user's function made plain: a function of arrays, which of them are active, and what it returns."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from harness.subject.derivative import Array
from harness.subject.state import current
from oracles.exact.from_numpy.held import Held
from oracles.exact.program.complex import REAL
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.program import FLOATS
from oracles.exact.program.trees import Fixed, Flat, Tree, dtype_of, flatten, is_complex, is_floating
from oracles.exact.program.words import kind_of, many
from oracles.frameworks.framework import (
    NAMES,
    Framework,
    Subject,
    as_called,
    framework,
    framework_of,
    on_host,
    without_errors,
)  # fmt: skip

Function = Callable[..., Any]
# Whose arrays are judged as what they are; what is made of torch's tensors may be anybody's.
ARRAYS = ("numpy", "jax", "jaxlib", "torch", "ml_dtypes")
PARAMETERS = "parameters["  # so the names of a module's parameters begin


class ComplexName(str):
    """The name of a complex array, which is one of pairs here."""

    def at(self, index: tuple[int, ...]) -> str:
        """What an element of the pairs is called."""
        *place, part = index
        of = f"{self}[{', '.join(map(str, place))}]" if place else str(self)
        return f"{of}.{('real', 'imag')[part]}"


def shape_of(name: str, array: Array) -> tuple[int, ...]:
    """That of an array, as the user has it."""
    return array.shape[:-1] if isinstance(name, ComplexName) else array.shape


def place_of(name: str, at: tuple[int, ...]) -> str:
    """An element in words: "x[2, 3]"; of complex numbers "x[2, 3].imag"."""
    if isinstance(name, ComplexName):
        return name.at(at)
    return f"{name}[{', '.join(map(str, at))}]" if at else name


@dataclass(frozen=True)
class Results:
    """The structure of what a function returns.

    Attributes:
        tree: Its tree.
        fixed: The leaves in it that are not floating.
        names, shapes: Those of the others, complex ones as pairs.
        dtypes: And theirs, of pairs that of their parts; "" for Python's own numbers.
        as_given: The numbers of the others, of the function called on the arrays as they were given; empty
            where it cannot know these from copies.
    """

    tree: Tree
    fixed: tuple[Fixed, ...]
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[str, ...]
    as_given: tuple[Array, ...] = ()


@dataclass(frozen=True)
class Argument:
    """A differentiated argument: its place among all, its tree, which of its leaves are active."""

    place: int
    tree: Tree
    active: tuple[bool, ...]

    def rebuilt(self, parts: Sequence[Any]) -> Any:
        """One thing per active leaf, in the structure of the argument; None at the other leaves."""
        waiting = iter(parts)
        return self.tree.filled([next(waiting) if active else None for active in self.active])


@dataclass(frozen=True)
class Target:
    """A function of arrays at its arguments.

    Attributes:
        framework: Where it runs.
        flat: The function.
        results: What it returns.
        arguments: The differentiated arguments, in the order of argnums.
        names, arrays: The arrays' names, and they themselves on the host; complex ones as pairs.
        active: Which of them are differentiated.
        natives: The arrays as they were given, which say where to run.
        notes: What of this is to be said.
    """

    framework: Framework
    flat: Flat
    results: Results
    arguments: tuple[Argument, ...]
    names: tuple[str, ...]
    arrays: tuple[Array, ...]
    active: tuple[int, ...]
    natives: tuple[Any, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_complex(self) -> bool:
        """Whether some argument or result is complex."""
        return bool(self.flat.complex) or any(isinstance(name, ComplexName) for name in self.results.names)

    def meaning(self, specification: Function | None) -> Flat:
        """Another function of the same arrays, whose derivative is the truth; the function itself if None."""
        if specification is None:
            return self.flat
        alike = getattr(self.flat.function, "alike", None)  # of a module with its parameters
        meant = alike(specification) if alike else specification
        return replace(self.flat, function=meant, like=self.results.tree, dtypes=self.results.dtypes)

    def arranged(self, given: Any, of_results: bool) -> Any:
        """Directions in the order of the results, or of the differentiated arguments: a list, if in trees.

        Raises:
            ValueError: A dictionary has other keys.
        """
        own = self.framework.name
        if given is None:
            return None
        if of_results:
            tree = self.results.tree
            return flatten(own, tree.ordered(given, partly=bool(self.results.fixed)))[0]
        parts = list(given) if isinstance(given, list | tuple) else [given]
        if len(parts) != len(self.arguments):
            return given
        return [
            leaf
            for part, argument in zip(parts, self.arguments, strict=True)
            for leaf in flatten(own, argument.tree.ordered(part, partly=not all(argument.active)))[0]
        ]

    def subject(self, value: Function, gradient: Function, primal: bool = False) -> Subject:
        """What runs functions of these arrays where they are."""
        return _subject(self.framework, self.natives, self.arrays, value, gradient, primal)

    def values(self) -> tuple[Array, ...]:
        """What the function returns where it runs by itself."""
        if self.results.as_given:
            return self.results.as_given
        own = self.subject(self.flat, self.flat)
        with without_errors():
            found: tuple[Array, ...] = own.fetch_value(
                own.value(*(own.load(a.copy("K")) for a in self.arrays))
            )
        return found


def target_of(
    f: Function,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    argnums: int | Sequence[int] | None,
    named: str | None,
    trained: bool = True,
    exactly: bool = False,
    structure: Function | None = None,
) -> Target:
    """A user's function at its arguments.

    Args:
        f, args, kwargs: The function and its arguments: arrays, or trees of them.
        argnums: Which arguments are differentiated; all floating ones if None.
        named: The framework; recognised if None.
        trained: Whether the framework differentiates it, as in training: parameters of a `torch.nn.Module`
            too, with the hooks that they and the arguments have.
        exactly: Whether the arrays stay the numbers that they are, even where the framework converts them.
        structure: What runs to see what the function returns, its shapes and dtypes; the function if None.

    Raises:
        ValueError: An argument is not what it must be.
        Unsupported: The function returns nothing that has a gradient.
    """
    if not isinstance(args, tuple | list):
        raise ValueError(f"args is {kind_of(args)}; pass a tuple, (x,) for one argument")
    if named is not None and named not in NAMES:
        raise ValueError(f"framework is {named!r}; it must be one of {', '.join(NAMES)}")
    state = current()
    of_module: list[str] = []
    if "torch" in sys.modules:
        from oracles.frameworks.in_torch import as_trained
        from oracles.frameworks.torch_modules import unregistered

        of_module = unregistered(f)
        f, args = as_trained(f, args, trained and argnums is None, trained)
    trees = "jax" if "jax" in sys.modules else "numpy"  # JAX knows nodes of other libraries
    name = named or framework_of(f, flatten(trees, [tuple(args), dict(kwargs)])[0])
    own = framework(name)
    args = [_itself(name, a) for a in args]
    parts = [flatten(name, a) for a in args]
    given = [leaf for own, _ in (*parts, flatten(name, dict(kwargs))) for leaf in own]
    _refuse_strange(given)
    _refuse_subclasses(given)
    chosen = _chosen([leaves for leaves, _ in parts], argnums)
    leaves = [*(leaf for part, _ in parts for leaf in part), *flatten(name, dict(kwargs))[0]]
    owners = [k for k, (part, _) in enumerate(parts) for _ in part]
    for k, owner in enumerate(owners):
        if type(leaves[k]) is float and owner in chosen:
            leaves[k] = np.array(leaves[k])
    _refuse_other_arrays(leaves)
    tree = flatten(name, (tuple(args), dict(kwargs)))[1]
    moves = {k for k, owner in enumerate(owners) if owner in chosen}
    # An infinite number in a mask is a constant, as in a closure.
    places = [
        k for k, leaf in enumerate(leaves) if dtype_of(leaf) and (k in moves or not _is_mask(own, leaf))
    ]
    fixed = tuple(Fixed.of(k, leaf) for k, leaf in enumerate(leaves) if k not in places)
    state.keep(leaf for k, leaf in enumerate(leaves) if k not in places and dtype_of(leaf))
    natives = tuple(leaves[k] for k in places)
    hosts = tuple(own.on_host(native) for native in natives)
    runs = hosts if exactly else tuple(map(own.as_run, natives, hosts))
    complex_ = tuple(k for k, array in enumerate(runs) if array.dtype.kind == "c")
    arrays = tuple(as_pairs(array) if k in complex_ else array for k, array in enumerate(runs))
    # Several arguments in the order that argnums has: so come the gradients of a hand-written backward.
    active = tuple(
        at
        for k in chosen
        for at, place in enumerate(places)
        if place < len(owners) and owners[place] == k and is_moving(leaves[place])
    )
    held = tuple(k for k, place in enumerate(places) if k not in active and is_moving(leaves[place]))
    names = _names(f, tree, places)
    _refuse_infinite(names, arrays)
    flat = Flat(f, tree, fixed, held, complex_, own.joined, own.split, state.restart)
    arguments = tuple(
        Argument(k, parts[k][1], tuple(is_moving(leaf) or type(leaf) is float for leaf in parts[k][0]))
        for k in chosen
    )
    results = _results(own, replace(flat, function=structure) if structure else flat, arrays, natives)
    state.settle()
    notes = [*filter(None, [*map(_converted, hosts, runs), _elsewhere(natives)]), *of_module]
    return Target(
        own,
        flat,
        results,
        arguments,
        tuple(ComplexName(name) if k in complex_ else name for k, name in enumerate(names)),
        arrays,
        active,
        natives,
        tuple(dict.fromkeys(notes)),
    )


def _itself(name: str, arg: Any) -> Any:
    """An argument as it is, where another thread that records has replaced the caller's variables."""
    leaves, tree = flatten(name, arg)
    if not any(type(leaf) is Held for leaf in leaves):
        return arg
    return tree.filled([leaf.view(np.ndarray) if type(leaf) is Held else leaf for leaf in leaves])


def _is_mask(own: Framework, leaf: Any) -> bool:
    """Whether a real array holds infinite numbers, and none that is NaN."""
    if not is_floating(leaf):
        return False
    numbers = own.on_host(leaf)
    return bool(np.isinf(numbers).any() and not np.isnan(numbers).any())


def _refuse_infinite(names: Sequence[str], arrays: Sequence[Array]) -> None:
    """What no exact arithmetic has as an input.

    Raises:
        Unsupported: An array holds NaN, or one that is differentiated an infinite number.
    """
    for name, array in zip(names, arrays, strict=True):
        if array.dtype.name in FLOATS and not (finite := np.isfinite(array)).all():
            at = tuple(int(i) for i in np.argwhere(~finite)[0])
            number = float(array[at])
            mask = "" if np.isnan(number) else "; leave a mask out of argnums="
            raise Unsupported(
                f"{place_of(name, at)} is {number}; only finite numbers have a derivative{mask}"
            )


def is_moving(leaf: Any) -> bool:
    """Whether a leaf is an array that can be differentiated: of real or of complex floating numbers."""
    return is_floating(leaf) or dtype_of(leaf).startswith("complex")


def as_pairs(numbers: Array) -> Array:
    """Complex numbers as pairs along a last axis, in the same memory.

    Raises:
        Unsupported: Their parts are no float32 or float64.
    """
    if numbers.dtype.name not in REAL:
        raise Unsupported(f"{numbers.dtype}: use complex64 or complex128")
    size = np.dtype(REAL[numbers.dtype.name]).itemsize
    shape, steps = (*numbers.shape, 2), (*numbers.strides, size)
    return np.lib.stride_tricks.as_strided(numbers.real, shape, steps)


def directions_as_pairs(given: Any, conjugated: bool) -> Any:
    """A tree of cotangents or tangents, the complex ones as pairs."""
    leaves, tree = flatten("numpy", given)
    if not any(map(is_complex, leaves)):
        return given
    hosts = [np.array(on_host(leaf)) if is_complex(leaf) else leaf for leaf in leaves]
    return tree.filled([as_pairs(h.conj() if conjugated else h) if is_complex(h) else h for h in hosts])


def _converted(given: Array, runs: Array) -> str:
    """What the framework makes of an array, in words; "" if it takes it as it is."""
    if given.dtype == runs.dtype or given.dtype.kind not in "fc":
        return ""
    return (
        f"JAX runs this in {runs.dtype}, so the {given.dtype} numbers were rounded to it first; "
        'jax.config.update("jax_enable_x64", True) keeps float64'
    )


def _elsewhere(natives: Sequence[Any]) -> str:
    """That arrays of several devices are checked on the default one, in words; "" where they are of one."""
    devices = sorted({str(native.device) for native in natives if hasattr(native, "device")})
    if len(devices) < 2:
        return ""
    return f"the arrays are on {' and '.join(devices)}, and are checked on the default device together"


def _subject(
    own: Framework,
    natives: Sequence[Any],
    arrays: Sequence[Array],
    value: Function,
    gradient: Function,
    primal: bool = False,
) -> Subject:
    wide = any(array.dtype == np.float64 for array in arrays)
    return own.subject(as_called(value), as_called(gradient), own.device_of(natives), wide, primal)


def _chosen(leaves: Sequence[Sequence[Any]], argnums: int | Sequence[int] | None) -> list[int]:
    """The differentiated arguments: those with floating arrays; Python numbers only if nothing else is."""
    floating = [k for k, own in enumerate(leaves) if any(map(is_moving, own))]
    numbers = [k for k, own in enumerate(leaves) if any(type(leaf) is float for leaf in own)]
    known = ", ".join([*sorted(FLOATS), *REAL])
    strange = {k: told for k, own in enumerate(leaves) for leaf in own if (told := _unjudged(leaf))}
    if not floating and not numbers:
        if strange:
            ((place, (dtype, near)), *_) = strange.items()
            raise ValueError(
                "no argument holds floating numbers, of a dtype that can be judged: "
                f'argument {place} has {dtype}; allowed are {known}; pass x.astype("{near}")'
            )
        kinds = ", ".join(_kind(x) for own in leaves for x in own) or "none"
        raise ValueError(
            f"no argument holds floating numbers, so there is nothing to differentiate (dtypes: {kinds}); "
            f"allowed are {known}"
        )
    if argnums is None:
        for place, (dtype, near) in strange.items():
            raise ValueError(
                f"argument {place} has dtype {dtype}, which cannot be judged; allowed are {known}; pass "
                f'x.astype("{near}"), or name the arguments to differentiate with argnums='
            )
        return floating or numbers
    one = isinstance(argnums, int | np.integer)
    if not one and not isinstance(argnums, list | tuple | range | np.ndarray):
        raise ValueError(f"argnums is {argnums!r}; name arguments by their numbers, from 0")
    asked = [argnums] if one else list(argnums)  # type: ignore[arg-type]
    if not asked:
        raise ValueError("argnums is empty; name at least one argument, or leave it out")
    allowed = ", ".join(map(str, sorted({*floating, *numbers})))
    chosen = []
    for k in asked:
        if isinstance(k, bool) or not isinstance(k, int | np.integer):
            raise ValueError(f"argnums has {k!r}; name arguments by their numbers, from 0")
        at = int(k) + len(leaves) if k < 0 else int(k)
        if at not in floating and at not in numbers:
            raise ValueError(f"argnums has {k}{_what(leaves, at)}; the floating arguments are {allowed}")
        if at in chosen:
            raise ValueError(f"argnums has {k} twice; name each argument once")
        chosen.append(at)
    return chosen


def _unjudged(leaf: Any) -> tuple[str, str] | None:
    """The dtype of NumPy's floating numbers that are wide, or in the other byte order, and which to take."""
    if not isinstance(leaf, np.ndarray | np.generic) or leaf.dtype.kind not in "fc" or is_moving(leaf):
        return None
    near = leaf.dtype.newbyteorder("=").name
    return str(leaf.dtype), near if near in {*FLOATS, *REAL} else "float64"


def _what(leaves: Sequence[Sequence[Any]], k: int) -> str:
    if not isinstance(k, int) or not 0 <= k < len(leaves):
        return f", and the function got {many(len(leaves), 'argument')}"
    kinds = set(map(_kind, leaves[k]))
    return f", which holds {', '.join(sorted(kinds)) or 'nothing'}"


def _kind(leaf: Any) -> str:
    return str(leaf.dtype).removeprefix("torch.") if hasattr(leaf, "dtype") else type(leaf).__name__


def _refuse_strange(leaves: Sequence[Any], where: str = "an argument is") -> None:
    """What stands for numbers while something else is traced has none; a nested tensor has no one shape."""
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


def _refuse_subclasses(leaves: Sequence[Any]) -> None:
    """A user's class of tensors may compute anything; torch's own parameters and buffers do not."""
    torch: Any = sys.modules.get("torch")
    for leaf in leaves if torch else ():
        kind = type(leaf)
        if isinstance(leaf, torch.Tensor) and kind not in {torch.Tensor, torch.nn.Parameter, torch.nn.Buffer}:
            raise Unsupported(
                f"an argument is a {kind.__module__}.{kind.__name__}, a subclass of torch.Tensor: not yet; "
                "pass x.as_subclass(torch.Tensor)"
            )


def _refuse_other_arrays(leaves: Sequence[Any]) -> None:
    """What is like an array and may compute otherwise would be judged as if it were a plain one."""
    for leaf in leaves:
        kind = type(leaf)
        subclass = isinstance(leaf, np.ndarray) and kind not in {np.ndarray, np.memmap}
        foreign = is_moving(leaf) and kind.__module__.partition(".")[0] not in ARRAYS
        if subclass or (foreign and not hasattr(leaf, "__torch_function__")):
            raise ValueError(
                f"an argument is a {kind.__module__.partition('.')[0]} {kind.__name__}, whose operations may "
                "be others than an array's; pass np.asarray(x), and convert inside the function if it must be"
            )


def _results(own: Framework, flat: Flat, arrays: Sequence[Array], natives: Sequence[Any]) -> Results:
    """What the function returns, run once on copies: what it does to its arguments is seen later."""
    subject = _subject(own, natives, arrays, flat.result, flat.result)
    as_given = None if flat.complex else own.as_given(flat.result, natives)
    written = _written_in(flat.function)
    others = [] if own.name in written else sorted(written)
    try:
        with without_errors():
            result = as_given
            if as_given is None:
                result = subject.value(*(subject.load(a.copy("K")) for a in arrays))
    except TypeError as problem:
        if others:
            said = str(problem).splitlines()[0]
            raise ValueError(f"{said}; {_other(others[0], own.name)}") from problem
        raise
    leaves, tree = flatten(own.name, result)
    _refuse_strange(leaves, "the function returns")
    roots = {type(leaf).__module__.partition(".")[0].removesuffix("lib") for leaf in leaves}
    if own.name == "numpy" and roots & {"jax", "torch"}:
        raise ValueError(_other(min(roots & {"jax", "torch"}), own.name))
    floating = [is_moving(leaf) or type(leaf) in {float, complex} for leaf in leaves]
    if not any(floating):
        kinds = ", ".join(map(_kind, leaves)) or "nothing"
        advice = "" if all(map(dtype_of, leaves)) else (
            ": return floating arrays, or tuples, lists and dictionaries of them"
        )  # fmt: skip
        raise Unsupported(f"the function returns {kinds}, which has no gradient (not a zero one){advice}")
    fixed = tuple(Fixed(k, None, "") for k, moves in enumerate(floating) if not moves)
    found = [
        (name, leaf, is_complex(leaf))
        for name, leaf, moves in zip(tree.names, leaves, floating, strict=True)
        if moves
    ]
    return Results(
        tree,
        fixed,
        tuple(ComplexName(name) if pairs else name for name, _, pairs in found),
        tuple((*np.shape(leaf), *(2,) * pairs) for _, leaf, pairs in found),
        tuple(REAL.get(dtype_of(leaf), dtype_of(leaf)) for _, leaf, _ in found),
        ()
        if as_given is None or any(pairs for *_, pairs in found)
        else tuple(own.on_host(x) for _, x, _ in found),
    )


def _other(written: str, runs: str) -> str:
    """What to do about a function of one framework at another's arrays."""
    return (
        f"the function is written in {written} and its arguments are {runs}'s: pass "
        f'framework="{written}", or {written} arrays'
    )


def _written_in(function: Function) -> set[str]:
    """Which frameworks' modules a function names."""
    code, own = getattr(function, "__code__", None), getattr(function, "__globals__", {})
    named = (own.get(name) for name in getattr(code, "co_names", ()))
    homes = [getattr(module, "__name__", "") for module in named if isinstance(module, ModuleType)]
    homes.append(str(getattr(function, "__module__", "") or ""))
    return {home.partition(".")[0] for home in homes} & set(NAMES)


def _names(function: Function, tree: Tree, places: Sequence[int]) -> tuple[str, ...]:
    """The arrays' names: the parameters' own, where the function tells them, and the path inside."""
    own = _parameters(function)
    found = []
    for place in places:
        path = tree.names[place]
        which, rest = path[1 : path.index("]")], path[path.index("]") + 1 :]
        head, tail = rest[1 : rest.index("]")], rest[rest.index("]") + 1 :]
        if which == "1":
            found.append(head.strip("'\"") + tail)
        else:
            k = int(head)
            found.append((own[k] if k < len(own) else f"argument {k}") + tail)
    return tuple(found)


def _parameters(function: Function) -> list[str]:
    """What the function calls its positional arguments, as far as it tells."""
    function = inspect.unwrap(function, stop=lambda one: hasattr(one, "argument_names"))
    if hasattr(function, "argument_names"):
        return list(function.argument_names)
    owner = getattr(function, "__self__", None)
    rule = isinstance(owner, type) and hasattr(owner, "setup_context")  # the apply of an autograd.Function
    told = owner.forward if rule else getattr(function, "forward", function)  # type: ignore[union-attr]
    if type(told) is FunctionType and not {"__signature__", "__wrapped__"} & vars(told).keys():
        return list(told.__code__.co_varnames[: told.__code__.co_argcount])[rule:]  # without `ctx`
    try:
        found = [
            p.name
            for p in inspect.signature(told).parameters.values()
            if p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD}
        ]
    except (TypeError, ValueError):
        return []
    return found[1:] if rule and found[:1] == ["ctx"] else found
