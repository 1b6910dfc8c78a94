"""A user's function made plain: a function of arrays, which of them are active, and what it returns."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from harness.subject.argnums import is_moving
from harness.subject.complex_pairs import ComplexName, as_pairs
from harness.subject.derivative import Array, Function
from harness.subject.leaves import Argument, Leaves
from harness.subject.misread import refuse_classes, refuse_numbers, tell_of_lists
from harness.subject.names import names_of
from harness.subject.objects import said
from harness.subject.refused import refuse_infinite, refuse_other_arrays
from harness.subject.results import Results, results_of, subject_of
from harness.subject.state import current
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.recording import Recording
from oracles.exact.program.trees import Fixed, Flat, dtype_of, flatten, is_floating
from oracles.exact.program.words import shown
from oracles.frameworks.framework import (
    NAMES,
    Framework,
    Subject,
    framework,
    framework_of,
    without_errors,
)

R = TypeVar("R")


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
            told = tree.ordered(given, bool(self.results.fixed), "the cotangent")
            return flatten(own, told)[0]
        parts = list(given) if isinstance(given, list | tuple) else [given]
        if len(parts) != len(self.arguments):
            return given
        return [
            leaf
            for part, argument in zip(parts, self.arguments, strict=True)
            for leaf in flatten(own, argument.tree.ordered(part, not all(argument.active), "the direction"))[
                0
            ]
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

    def recorded(
        self, function: Flat, arrays: Sequence[Array], differentiate: bool = True, exactly: bool = False
    ) -> Recording:
        """A function of these arrays, recorded before it has kept anything (see `Framework.record`).

        What has no rule may be done with what is not differentiated: then NumPy does it with the numbers.
        """

        def record(function: Function) -> Recording:
            with current().as_begun():
                return self.framework.record(function, arrays, differentiate, exactly)

        return self.with_plain(record, function, arrays)

    def with_plain(
        self, record: Callable[[Function], R], function: Function, arrays: Sequence[Array], lead: int = 0
    ) -> R:
        """What is recorded of a function of `lead` other arguments and these arrays.

        Raises:
            Unsupported: It has no rule, nor where those that are not differentiated are plain arrays.
        """
        plain = [k for k, a in enumerate(arrays) if k not in self.active and is_floating(a)]

        def with_numbers(*given: Any) -> Any:
            own = list(given)
            for k in plain:
                own[lead + k] = np.array(arrays[k])
            return function(*own)

        try:
            return record(function)
        except Unsupported:
            if plain and self.framework.name == "numpy":
                with suppress(Unsupported):
                    return record(with_numbers)
            raise

    @property
    def has_rules(self) -> bool:
        """Whether a person wrote how some of it is differentiated: a custom rule, or a hook on a gradient."""
        with without_errors(), suppress(Exception):  # who asks because of that runs it, and hears of it
            return self.framework.has_rules(self.flat, self.arrays)
        return True

    def told_of_held(self) -> list[str]:
        """What is to be said of weights that the function holds, which nobody asks for."""
        with without_errors(), suppress(Exception):  # who asks has run it
            return [*filter(None, [self.framework.held_weights(self.flat, self.arrays)])]
        return []

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
    around: Callable[[Function], Function] | None = None,
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
        around: Makes another function of it, where a module is one of its parameters too.

    Raises:
        ValueError: An argument is not what it must be.
        Unsupported: The function returns nothing that has a gradient.
    """
    if not isinstance(args, tuple | list):
        raise ValueError(f"args must be a tuple of arguments, got {shown(args)}: pass (x,) for one argument")
    if named is not None and named not in NAMES:
        raise ValueError(f"framework must be one of {', '.join(NAMES)}, got {named!r}")
    refuse_classes(f)
    refuse_numbers(f, args)
    state = current()
    of_module: list[str] = []
    if "torch" in sys.modules:
        from oracles.frameworks.torch_modules import unregistered
        from oracles.frameworks.torch_trained import as_trained

        of_module = unregistered(f)
        f, args = as_trained(f, args, trained and argnums is None, trained)
    f = around(f) if around else f
    trees = "jax" if "jax" in sys.modules else "numpy"  # JAX knows nodes of other libraries
    name = named or framework_of(f, flatten(trees, [tuple(args), dict(kwargs)])[0])
    own = framework(name)
    leaves = Leaves.of(name, args, kwargs, argnums)
    tree, every, places = leaves.tree, leaves.every, leaves.places(own)
    others = [k for k in range(len(every)) if k not in places]
    refuse_other_arrays({k: every[k] for k in places}, lambda k: names_of(f, tree, [k])[0])
    state.keep(every[k] for k in others if dtype_of(every[k]))
    natives = tuple(every[k] for k in places)
    hosts = tuple(own.on_host(native) for native in natives)
    runs = hosts if exactly else tuple(map(own.as_run, natives, hosts))
    complex_ = tuple(k for k, array in enumerate(runs) if array.dtype.kind == "c")
    arrays = tuple(as_pairs(array) if k in complex_ else array for k, array in enumerate(runs))
    names = names_of(f, tree, places)
    refuse_infinite(names, arrays)
    active = leaves.active(places)
    flat = Flat(
        f, tree, tuple(Fixed.of(k, every[k]) for k in others),
        tuple(k for k, native in enumerate(natives) if k not in active and is_moving(native)), complex_,
        own.joined, own.split, leaves.numbers(places) if name == "numpy" else (), own.as_number,
        state.restart,
    )  # fmt: skip
    try:
        flat, results = _as_it_runs(own, flat, structure or f, arrays, natives)
    except Exception as problem:
        tell_of_lists(problem, args, lambda k: names_of(f, tree, [leaves.owners.index(k)])[0])
        raise
    state.settle()
    opaque = [k for k in others if argnums is None and k < len(leaves.owners)]
    objects = [said(every[k], names_of(f, tree, [k])[0]) for k in opaque]
    notes = [*filter(None, [*map(_converted, hosts, runs), _elsewhere(natives), *objects]), *of_module]
    return Target(
        own,
        flat,
        results,
        leaves.arguments,
        tuple(ComplexName(name) if k in complex_ else name for k, name in enumerate(names)),
        arrays,
        active,
        natives,
        tuple(dict.fromkeys(notes)),
    )


def _as_it_runs(
    own: Framework, flat: Flat, function: Function, arrays: Sequence[Array], natives: Sequence[Any]
) -> tuple[Flat, Results]:
    """The function as it runs, with single numbers or with arrays for these, and what it returns."""
    try:
        return flat, results_of(own, replace(flat, function=function), arrays, natives)
    except Exception as problem:
        if not flat.numbers:
            raise
        flat = replace(flat, numbers=())  # it may want arrays
        try:
            return flat, results_of(own, replace(flat, function=function), arrays, natives)
        except Exception:
            raise problem from None


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
