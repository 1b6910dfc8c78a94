"""A user's function made plain: a function of arrays, which of them are active, and what it returns."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.subject.argnums import chosen_arguments, is_moving
from harness.subject.complex_pairs import ComplexName, as_pairs
from harness.subject.derivative import Array, Function
from harness.subject.names import names_of
from harness.subject.objects import said, stays
from harness.subject.refused import (
    lacks_numbers,
    refuse_infinite,
    refuse_other_arrays,
    refuse_strange,
    refuse_subclasses,
)
from harness.subject.results import Results, results_of, subject_of
from harness.subject.state import current
from oracles.exact.from_numpy.held import Held
from oracles.exact.program.trees import Fixed, Flat, Tree, dtype_of, flatten
from oracles.exact.program.words import many, shown
from oracles.frameworks.framework import (
    NAMES,
    Framework,
    Subject,
    framework,
    framework_of,
    without_errors,
)


@dataclass(frozen=True)
class Argument:
    """A differentiated argument: its place among all, its tree, which of its leaves are active.

    Attributes:
        numbers: Which of them are numbers of Python's or NumPy's, and no arrays of no axes.
    """

    place: int
    tree: Tree
    active: tuple[bool, ...]
    numbers: tuple[bool, ...]

    def holding(self, at: int) -> Argument:
        """The same with one leaf as a constant."""
        return replace(self, active=tuple(moves and k != at for k, moves in enumerate(self.active)))

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

    def holding(self, place: int, at: int) -> Target:
        """The same with one leaf of an argument as a constant."""
        moving = [(a.place, n) for a in self.arguments for n, moves in enumerate(a.active) if moves]
        k = self.active[moving.index((place, at))]
        return replace(
            self,
            flat=replace(self.flat, held=tuple(sorted([*self.flat.held, k]))),
            arguments=tuple(a.holding(at) if a.place == place else a for a in self.arguments),
            active=tuple(j for j in self.active if j != k),
        )

    def subject(self, value: Function, gradient: Function, primal: bool = False) -> Subject:
        """What runs functions of these arrays where they are."""
        return subject_of(self.framework, self.natives, self.arrays, value, gradient, primal)

    @property
    def has_rules(self) -> bool:
        """Whether a person wrote how some of it is differentiated: a custom rule, or a hook on a gradient."""
        with without_errors(), suppress(Exception):  # who asks because of that runs it, and hears of it
            return self.framework.has_rules(self.flat, self.arrays)
        return True

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
        raise ValueError(f"args must be a tuple of arguments, got {shown(args)}: pass (x,) for one argument")
    if named is not None and named not in NAMES:
        raise ValueError(f"framework must be one of {', '.join(NAMES)}, got {named!r}")
    _refuse_classes(f)
    _refuse_numbers(f, args)
    state = current()
    of_module: list[str] = []
    if "torch" in sys.modules:
        from oracles.frameworks.torch_modules import unregistered
        from oracles.frameworks.torch_trained import as_trained

        of_module = unregistered(f)
        f, args = as_trained(f, args, trained and argnums is None, trained)
    trees = "jax" if "jax" in sys.modules else "numpy"  # JAX knows nodes of other libraries
    name = named or framework_of(f, flatten(trees, [tuple(args), dict(kwargs)])[0])
    own = framework(name)
    args = [_itself(name, a) for a in args]
    parts = [flatten(name, a) for a in args]
    given = [leaf for own, _ in (*parts, flatten(name, dict(kwargs))) for leaf in own]
    refuse_strange(given)
    refuse_subclasses(given)
    chosen = chosen_arguments([leaves for leaves, _ in parts], argnums)
    leaves = [*(leaf for part, _ in parts for leaf in part), *flatten(name, dict(kwargs))[0]]
    owners = [k for k, (part, _) in enumerate(parts) for _ in part]
    kinds = list(map(type, leaves))
    for k, owner in enumerate(owners):
        if kinds[k] is float and owner in chosen:
            leaves[k] = np.array(leaves[k])
    tree = flatten(name, (tuple(args), dict(kwargs)))[1]
    moves = {k for k, owner in enumerate(owners) if owner in chosen}
    # A mask's infinities, and what is missing of data, are constants, as in a closure.
    places = [
        k for k, leaf in enumerate(leaves)
        if dtype_of(leaf)
        and ((k in moves and is_moving(leaf)) or not (stays(leaf) or lacks_numbers(own, leaf)))
    ]  # fmt: skip
    refuse_other_arrays({k: leaves[k] for k in places}, lambda k: names_of(f, tree, [k])[0])
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
    numbers = tuple(
        (k, kinds[place].__name__)
        for k, place in enumerate(places)
        if name == "numpy" and (kinds[place] is float or issubclass(kinds[place], np.generic))
    )
    names = names_of(f, tree, places)
    refuse_infinite(names, arrays)
    flat = Flat(f, tree, fixed, held, complex_, own.joined, own.split, numbers, own.as_number, state.restart)
    arguments = tuple(
        Argument(
            k,
            parts[k][1],
            tuple(is_moving(leaf) or type(leaf) is float for leaf in parts[k][0]),
            tuple(type(leaf) is float or isinstance(leaf, np.generic) for leaf in parts[k][0]),
        )
        for k in chosen
    )
    structure = structure or f
    try:
        results = results_of(own, replace(flat, function=structure), arrays, natives)
    except Exception as problem:
        if not numbers:
            _tell_of_lists(problem, args, names_of(f, tree, range(len(owners))), owners)
            raise
        flat = replace(flat, numbers=())  # it may want arrays
        try:
            results = results_of(own, replace(flat, function=structure), arrays, natives)
        except Exception:
            _tell_of_lists(problem, args, names_of(f, tree, range(len(owners))), owners)
            raise problem from None
    state.settle()
    opaque = [k for k in range(len(owners)) if argnums is None and k not in places]
    objects = [said(leaves[k], names_of(f, tree, [k])[0]) for k in opaque]
    notes = [*filter(None, [*map(_converted, hosts, runs), _elsewhere(natives), *objects]), *of_module]
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


def _refuse_classes(f: Function) -> None:
    """Say so where a class of torch's was passed for what it makes.

    Raises:
        ValueError: It was.
    """
    if not isinstance(f, type) or "torch" not in sys.modules:
        return
    torch = sys.modules["torch"]
    if issubclass(f, torch.autograd.Function):
        raise ValueError(f"f must be a function, got the class {f.__name__}: pass {f.__name__}.apply")
    if issubclass(f, torch.nn.Module):
        raise ValueError(f"f must be a module, got the class {f.__name__}: pass {f.__name__}(...)")


def _refuse_numbers(f: Function, args: Sequence[Any]) -> None:
    """Say so where a list of numbers was given for the arguments, and the function takes another number.

    Raises:
        ValueError: It was.
    """
    if not isinstance(args, list) or len(args) < 2 or not all(type(arg) in {float, int} for arg in args):
        return
    takes = f.nin if isinstance(f, np.ufunc) else _most(f)
    if takes is not None and takes < len(args):
        raise ValueError(
            f"args must be a tuple of {many(takes, 'argument')}, got {len(args)} numbers: for one array of "
            "these pass (np.array(args),)"
        )


def _most(f: Function) -> int | None:
    """How many positional arguments a function takes at most; None if nobody can tell."""
    try:
        parameters = inspect.signature(f, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        return None
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return None
    return sum(p.kind in {p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD} for p in parameters)


def _tell_of_lists(
    problem: Exception, args: Sequence[Any], names: Sequence[str], owners: Sequence[int]
) -> None:
    """Add to an error of types that an argument is a list of numbers, with which no array code computes."""
    lists = [
        k
        for k, arg in enumerate(args)
        if type(arg) is list and arg and all(type(x) in {float, int} for x in arg)
    ]
    if type(problem) is TypeError and lists and problem.args:
        name = names[owners.index(lists[0])].partition("[")[0]
        said = f"argument {lists[0]} ({name}) is a list of numbers; for an array pass np.array({name})"
        problem.args = (f"{problem.args[0]}; {said}", *problem.args[1:])


def _itself(name: str, arg: Any) -> Any:
    """An argument as it is, where another thread that records has replaced the caller's variables."""
    leaves, tree = flatten(name, arg)
    if not any(type(leaf) is Held for leaf in leaves):
        return arg
    return tree.filled([leaf.view(np.ndarray) if type(leaf) is Held else leaf for leaf in leaves])


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
    given = [n for n in natives if hasattr(n, "device") and not isinstance(n, np.ndarray | np.generic)]
    devices = sorted({str(native.device) for native in given})
    if len({device.partition(":0")[0] for device in devices}) < 2:  # "cuda:0" is "cuda"
        return ""
    return f"the arrays are on {' and '.join(devices)}, and are checked on the default device together"
