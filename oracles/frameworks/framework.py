"""What every framework does: record a function, differentiate it, and run both.

`framework("torch")` loads torch; nothing here does before it is asked.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from oracles.exact.from_numpy.writes import begun_again
from oracles.exact.program.errors import ExactError, Opaque, Unsupported, first_line
from oracles.exact.program.program import Origin
from oracles.exact.program.recording import Recording
from oracles.exact.program.trees import Flat, dtype_of
from oracles.exact.program.words import package_of
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.operands import Operands

Array = NDArray[Any]
Native = Any  # an array of a framework


@dataclass(frozen=True)
class Direction:
    """The derivative along one direction: `derivative` of the case along `tangents`, one per argument."""

    tangents: tuple[Array, ...]
    derivative: float


@dataclass(frozen=True)
class Gradient:
    """A gradient as NumPy arrays.

    Attributes:
        arrays: One per differentiated argument, in its shape and dtype; None is "no gradient", which is
            not a zero gradient. A masked array says that the masked entries were not computed.
        directions: Derivatives along random directions, where the entries were only sampled.
        error_estimate: The oracle's own estimate of its largest absolute error, None if it has none.
        note: How it was obtained, in words, where that is not plain.
        primal: The function's value as the derivative's own run returns it; None where it returns none.
    """

    arrays: tuple[Array | None, ...]
    directions: tuple[Direction, ...] = ()
    error_estimate: float | None = None
    note: str = ""
    primal: tuple[Array, ...] | None = None


@dataclass(frozen=True)
class Subject:
    """A function and its gradient, ready to run; loading, work and fetching are timed apart.

    Attributes:
        load: NumPy array to the framework's own, on its device.
        value: `value(*args)` on loaded arrays; the result is finished when it returns.
        gradient: `gradient(cotangent, *args)` on loaded arrays, likewise.
        fetch_value: What `value` returned, as a NumPy array; a tuple of them where it returns one.
        fetch_gradient: What `gradient` returned, as a `Gradient`.
    """

    load: Callable[[Array], Native]
    value: Callable[..., Native]
    gradient: Callable[..., Native]
    fetch_value: Callable[[Native], Any]
    fetch_gradient: Callable[[Native], Gradient]


def values_by(fetch: Callable[[Native], Array]) -> Callable[[Any], Any]:
    """Fetches a value, or each of a tuple of values: copies, as the next run may write there."""

    def own(found: Any) -> Array:
        return np.array(fetch(found))

    return lambda found: tuple(map(own, found)) if isinstance(found, tuple | list) else own(found)


def gradient_by(fetch: Callable[[Native], Array], primal: bool = False) -> Callable[[Any], Gradient]:
    """Fetches a gradient: one array or several; with `primal` a pair of the function's results and these."""

    def gradient(result: Any) -> Gradient:
        own, result = result if primal else (None, result)
        parts = result if isinstance(result, tuple | list) else (result,)
        values = None if own is None else tuple(map(fetch, own if isinstance(own, tuple | list) else (own,)))
        return Gradient(tuple(None if g is None else fetch(g) for g in parts), primal=values)

    return gradient


Function = Callable[..., Any]


class Framework(ABC):
    """NumPy, JAX or torch.

    Attributes:
        name: Its name, which is that of its rounding model too (`ROUNDING_MODELS`).
        gives_primal: Whether its own derivatives return the function's value beside them, which may be
            another than the function's: a `custom_vjp` writes both.
        has_strides: Whether a function can see how an array lies in memory.
        writes: Whether code may write into its arrays; JAX's stay as they are.
        conjugates: Whether its gradient of a complex argument is dL/da - i dL/db for a + ib, as JAX has it;
            torch has dL/da + i dL/db.
    """

    name: ClassVar[str]
    gives_primal: ClassVar[bool] = False
    has_strides: ClassVar[bool] = True
    writes: ClassVar[bool] = True
    conjugates: ClassVar[bool] = False

    def record(
        self, function: Function, args: Sequence[Any], differentiate: bool, exactly: bool = False
    ) -> Recording:
        """A function of arrays as a program; with `differentiate` it will be differentiated.

        Literals are the numbers that the source has. JAX knows some of them rounded only: a ball around
        those, or `exactly` the rounded number.

        Raises:
            Unsupported: An operation has no rule, or the function raises where it is recorded alone.
            Undecided: A branch that no precision decides.
            Exception: What the function raises where it runs too.
        """
        try:
            return begun_again(lambda: self._record(function, args, differentiate, exactly))
        except ExactError:
            raise
        except Exception as problem:
            alone = problem
        self._run(function, args, differentiate)
        line = _line(alone)
        raise Opaque(
            f"recording raises what running does not: {first_line(alone)}{f' (at {line})' if line else ''}"
        ) from alone

    def _run(self, function: Function, args: Sequence[Any], differentiate: bool) -> None:
        """Run a function of arrays, and of tuples of them, as it runs by itself."""
        arrays = [a for arg in args for a in (arg if isinstance(arg, tuple) else (arg,))]
        wide = any(getattr(a, "dtype", None) == np.float64 for a in arrays)
        own = self.subject(as_called(function), function, wide=wide)

        def loaded(array: Array) -> Any:
            return self.leaf(own.load(array)) if differentiate else own.load(array)

        with without_errors():
            own.value(*(tuple(map(loaded, a)) if isinstance(a, tuple) else loaded(a) for a in args))

    def writing(self, forward: Callable[[], Native], backward: Callable[[Native], Native]) -> Origin | None:
        """The operation of a backward that writes into what its forward computed; None where none is seen.

        Args:
            forward: Gives what the backward gets.
            backward: The backward.
        """
        return None

    def as_given(self, run: Function, natives: Sequence[Native]) -> Native | None:
        """What a function returns that is called on the arrays as they were given, and not on copies.

        None where it cannot know them.
        """
        return None

    def ends_by(self, derivative: Function, directions: Sequence[Native], *inputs: Native) -> bool:
        """Whether compiled code in a derivative repeats until its directions let it end, and nothing else.

        Raises:
            Exception: It cannot be looked into.
        """
        return False

    def leaf(self, array: Any) -> Any:
        """An array as what is differentiated is given to a function."""
        return array

    @abstractmethod
    def _record(
        self, function: Function, args: Sequence[Any], differentiate: bool, exactly: bool
    ) -> Recording:
        """As `record`, whatever the function raises."""

    @abstractmethod
    def subject(
        self, value: Function, gradient: Function, device: Any = None, wide: bool = True, primal: bool = False
    ) -> Subject:
        """What runs a value and a gradient on arrays of the host.

        Args:
            value: `value(*args)`, an array or a tuple of them.
            gradient: `gradient(cotangent, *args)`, an array or a tuple of them.
            device: Where they run, as `device_of` gives it; None is the framework's default.
            wide: Whether there are float64 arrays among the arguments: JAX has a setting for that.
            primal: Whether the gradient returns a pair, of the function's value and of itself.
        """

    @abstractmethod
    def watched(self, derivative: Function, inputs: Sequence[Any], mend: Mend, device: Any = None) -> Watched:
        """Run a derivative of arrays of the host, and see which functions of the library it calls.

        Args:
            derivative: One of ours (`pullback`), or one written by hand: `derivative(cotangents, *args)`.
            inputs: What it is given; tuples of arrays too.
            mend: What calls are to give instead of what they compute.
            device: Where it runs, as for `subject`.

        Raises:
            Unsupported: What it calls cannot be seen.
        """

    def device_of(self, args: Sequence[Any]) -> Any:
        """The one device on which these arguments are; None if there is no such one."""
        return None

    def pullback(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        """`pullback(cotangents, *args)`: the framework's own gradients for `argnums`; None where it has none.

        `nested` ones are differentiated again. With `primal` it returns a pair: the function's value as the
        derivative's own run gives it, and the gradients. A cotangent that is None belongs to a result that is
        not used, and is handed on as the framework does that.

        Raises:
            Unsupported: The framework does not differentiate.
        """
        if nested or not isinstance(function, Flat):
            raise Unsupported(
                "NumPy does not differentiate a gradient either, so vjp= is checked in reverse mode at order "
                "1 alone; write the function in JAX or torch to check what is beyond"
            )
        raise Unsupported(NO_GRADIENTS)

    def graph(self, function: Function, argnums: Sequence[int]) -> Function:
        """`graph(*args)` runs the forward, and gives `pull(cotangents)`, which may be called again.

        Raises:
            Unsupported: The framework does not differentiate.
        """
        raise Unsupported("NumPy does not differentiate")

    def pushforward(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        """`pushforward(tangents, *args)`: the framework's own derivatives of the results along tangents.

        `nested` and `primal` as for `pullback`.

        Raises:
            Unsupported: The framework does not differentiate.
        """
        raise Unsupported("NumPy does not differentiate; forward modes are for JAX and torch")

    def has_rules(self, function: Function, args: Sequence[Any]) -> bool:
        """Whether a person wrote how some of a function of arrays is differentiated, and not the framework.

        Raises:
            Exception: What the function raises.
        """
        raise NotImplementedError

    def held_weights(self, function: Flat, args: Sequence[Any]) -> str:
        """What a function of arrays holds that the framework differentiates too, in words; "" where nothing.

        Raises:
            Exception: What the function raises.
        """
        return ""

    def has_operands(self, function: Flat, args: Sequence[Any]) -> bool:
        """Whether custom functions may get something besides what is differentiated, as one run tells.

        Raises:
            Exception: What the function raises.
        """
        return False

    def operands(
        self, function: Flat, args: Sequence[Any], elsewhere: Sequence[Sequence[Any]]
    ) -> Operands | None:
        """What custom functions get besides what is differentiated; None where there is nothing of it.

        Args:
            function, args: A function of arrays of the host.
            elsewhere: Other arguments, at which it must be the same.

        Raises:
            Exception: What the function raises.
        """
        return None

    def primal(self, function: Function, argnums: Sequence[int], forward: bool) -> Function:
        """`primal(*args)`: the value that the run of a derivative gives, where `gives_primal`."""
        raise NotImplementedError

    def on_host(self, array: Any) -> Array:
        """An array as NumPy's."""
        raise NotImplementedError

    def as_run(self, native: Any, array: Array) -> Array:
        """What runs where this array is given, which is `array` on the host: JAX may convert it."""
        return array

    def joined(self, pairs: Any) -> Any:
        """Pairs along the last axis as complex numbers, whose memory they share where that is possible."""
        raise NotImplementedError

    def split(self, numbers: Any) -> Any:
        """Complex numbers as pairs along a last axis."""
        raise NotImplementedError

    def as_number(self, array: Any, kind: str) -> Any:
        """An array without axes as a number of the type of this name, if its functions are given such."""
        return array

    def zeros_like(self, array: Any) -> Any:
        """Zeros in an array's shape and dtype."""
        raise NotImplementedError

    def where(self, mask: Array, number: float, array: Any) -> Any:
        """The array with this number where the mask is."""
        raise NotImplementedError

    def leaving_alone(self, gradient: Function) -> Function:
        """The gradient given copies: one that writes into its arguments shows its formula all the same."""
        return gradient


NO_GRADIENTS = "NumPy has no gradients of its own; pass one by hand as vjp=, grad= or residual_vjp="
NAMES = ("numpy", "jax", "torch")
Name: TypeAlias = Literal["numpy", "jax", "torch"]


@cache
def framework(name: str) -> Framework:
    """The framework of that name.

    Raises:
        ValueError: There is none.
    """
    if name not in NAMES:
        raise ValueError(f"framework must be one of {', '.join(NAMES)}, got {name!r}")
    found: Framework = importlib.import_module(f"oracles.frameworks.in_{name}").FRAMEWORK
    return found


def framework_of(function: Callable[..., Any], leaves: Sequence[Any]) -> str:
    """By the types of the arguments' leaves, else by the function's module; NumPy if neither tells.

    An array of a class of the user's is of the framework whose array that class derives from.
    """
    roots = {
        kind.__module__.partition(".")[0]
        for leaf in leaves
        for kind in (type(leaf).__mro__ if dtype_of(leaf) else (type(leaf),))
    }
    if "torch" in roots:
        return "torch"
    if roots & {"jax", "jaxlib"}:
        return "jax"
    home = str(getattr(function, "__module__", None) or type(function).__module__).partition(".")[0]
    return home if home in NAMES else "numpy"


def bfloat16() -> Any:
    """NumPy's bfloat16.

    Raises:
        Unsupported: The package ml_dtypes is not installed.
    """
    try:
        import ml_dtypes
    except ImportError as missing:
        raise Unsupported("bfloat16 needs the package ml_dtypes: pip install ml_dtypes") from missing
    return ml_dtypes.bfloat16


def on_host(array: Any) -> Any:
    """An array of any framework as NumPy's."""
    return framework("torch" if package_of(array) == "torch" else "numpy").on_host(array)


# What NumPy does about floating-point errors where the user's functions run; None: what it does anyway.
_errors: ContextVar[Mapping[str, Any] | None] = ContextVar("_errors", default=None)


@contextmanager
def differentiating() -> Iterator[None]:
    """Settings as they are where gradients are taken, whatever the caller's are.

    torch differentiates (`no_grad`, `inference_mode`), JAX computes even where the caller is traced, and
    NumPy's floating-point errors are nobody's but the user's functions', which see them as the caller does
    (`np.errstate`).
    """
    torch, jax = sys.modules.get("torch"), sys.modules.get("jax._src.core")
    with ExitStack() as settings:
        settings.enter_context(_errors_in_functions(np.geterr()))
        if torch is not None:
            settings.enter_context(torch.inference_mode(False))
            settings.enter_context(torch.enable_grad())
        if jax is not None and hasattr(jax, "eval_context"):
            settings.enter_context(jax.eval_context())
        yield


def without_errors() -> AbstractContextManager[None]:
    """Where the user's functions run unasked: NumPy's floating-point errors are no news there."""
    return _errors_in_functions({"all": "ignore"})


@contextmanager
def silently() -> Iterator[None]:
    """The same, and what they warn of is no news either; raised, a warning would end a run."""
    with without_errors(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _errors_in_functions(errors: Mapping[str, Any]) -> Iterator[None]:
    token = _errors.set(errors)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        _errors.reset(token)


def as_called(function: Function) -> Function:
    """The user's function, with NumPy's floating-point errors as its caller has them."""

    def run(*args: Any) -> Any:
        with np.errstate(**(_errors.get() or {})):
            return function(*args)

    return run


def _line(problem: Exception) -> str:
    """The innermost line of the user's that an exception came through, as "file.py:12"; "" if none did."""
    modules = [sys.modules[name] for name in ("oracles", "harness", *NAMES) if name in sys.modules]
    own = tuple(os.path.dirname(str(module.__file__)) + os.sep for module in modules)
    standard = os.path.dirname(os.__file__) + os.sep
    places = [
        f"{frame.filename}:{frame.lineno}"
        for frame in traceback.extract_tb(problem.__traceback__)
        if not frame.filename.startswith(own)
        and ("site-packages" in frame.filename or not frame.filename.startswith(standard))
    ]
    return places[-1] if places else ""
