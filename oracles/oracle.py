"""The abstract oracle: one system that computes a case's value and gradient; and the hand-derived ones."""

from __future__ import annotations

import importlib
import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, final

import numpy as np

from oracles.exact.program.errors import Unsupported
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.framework import Array, Gradient, Subject, framework

if TYPE_CHECKING:
    from oracles.exact.program.recording import Recording


class Case(Hashable, Protocol):
    """What an oracle reads of a case (`harness.Case`): its name, function, gradient and arguments."""

    @property
    def name(self) -> str:
        """What tables call it."""

    @property
    def function(self) -> Callable[..., Any]:
        """The NumPy function, `function(*args)`."""

    @property
    def vjp(self) -> Callable[..., Any] | None:
        """Its hand-derived gradient, `vjp(cotangent, *args)`; None where the output is an integer."""

    @property
    def argnums(self) -> tuple[int, ...]:
        """Which arguments are differentiated."""


class Oracle(ABC):
    """One system: how it runs a case (`subject`), and what program that is (`record`).

    Subclasses are final; they import their framework only when they are asked.

    Attributes:
        name: What tables and the command line call it.
        summary: What it does, in a line.
        package: The distribution it needs, "" if nothing beyond the harness.
        machine: Its rounding model, a key of `ROUNDING_MODELS`; "" if it is not judged.
        decides: False for an oracle whose rows inform and never pass or fail.
        slow: Why it is only asked in a full run, "" if it always is.
        sparse: Whether it pays for every new shape, so that only a full run asks it at all of them.
    """

    name: str
    summary: str = ""
    package: ClassVar[str] = ""
    machine: ClassVar[str] = ""
    decides: ClassVar[bool] = True
    slow: str = ""
    sparse: bool = False

    def unavailable(self) -> str:
        """Why it cannot be asked on this machine and what to do, "" if it can."""
        if not self.package or importlib.util.find_spec(self.package):
            return ""
        return f"{self.package} is not installed: pip install 'gradproof[{self.package}]'"

    @abstractmethod
    def unsupported(self, case: Case) -> str:
        """Why it cannot do this case, "" if it can."""

    @abstractmethod
    def subject(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case in this system, ready to run for floating arguments of `dtype`."""

    @property
    def eager(self) -> Oracle:
        """The oracle that runs the same program, operation by operation; itself unless it compiles."""
        return self

    def record(self, case: Case, cotangent: Array | None, args: tuple[Array, ...]) -> Recording:
        """The gradient program that `subject` runs: its inputs are the cotangent and the floating arguments.

        Without a cotangent it is the program of the value. What cannot be recorded is judged by its numbers
        alone, against the rounding of the true gradient's own program.

        Raises:
            Unsupported: It cannot be recorded, with the reason.
        """
        raise Unsupported(f"the {self.name} oracle has no gradient program to record")

    def watch(self, case: Case, cotangent: Array, args: tuple[Array, ...], mend: Mend) -> Watched:
        """Run the gradient, and see which functions of the libraries it calls.

        Raises:
            Unsupported: What it calls cannot be seen.
        """
        raise Unsupported(f"what the {self.name} oracle calls cannot be seen")


class WrittenOracle(Oracle):
    """The catalogue, written once more with a framework's own functions: `oracles/<package>_functions.py`.

    Attributes:
        own: The oracle that does not compile, itself if it is one.
    """

    own: Oracle

    @property
    def functions(self) -> dict[str, Callable[..., Any]]:
        """By the names of the cases."""
        found: dict[str, Callable[..., Any]]
        found = importlib.import_module(f"oracles.{self.package}_functions").FUNCTIONS
        return found

    @property
    def eager(self) -> Oracle:
        """The same functions, not compiled."""
        return self.own

    def unsupported(self, case: Case) -> str:
        """A case that is not written there."""
        missing = f"{case.name} is not written in oracles/{self.package}_functions.py"
        return "" if case.name in self.functions else missing

    def record(self, case: Case, cotangent: Array | None, args: tuple[Array, ...]) -> Recording:
        """What the framework differentiates itself, custom rules and all. Compiled, it is the same formula.

        The outputs are the gradients that are not None. Without a cotangent it is the program of the value.
        """
        own, function = framework(self.package), self.functions[case.name]
        if cotangent is None:
            return own.record(function, args, differentiate=False)
        return own.record(own.pullback(function, case.argnums), (cotangent, *args), differentiate=False)

    def watch(self, case: Case, cotangent: Array, args: tuple[Array, ...], mend: Mend) -> Watched:
        """What the framework differentiates itself."""
        own = framework(self.package)
        return own.watched(own.pullback(self.functions[case.name], case.argnums), (cotangent, *args), mend)


@final
class NumpyOracle(Oracle):
    """Calls the case's own function and hand-written VJP."""

    name = "numpy"
    summary = "The case's own NumPy function, and its gradient by hand."
    machine = "numpy"

    def unsupported(self, case: Case) -> str:
        """Every case has a function; one without a VJP has no gradient, which is an answer."""
        return ""

    def subject(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case as it is: NumPy needs no preparation and works in the dtype of its arguments."""
        own = framework(self.name).subject(case.function, case.vjp or _no_gradient)
        if case.vjp is not None:
            return own
        return replace(own, fetch_gradient=lambda result: Gradient((None,) * len(case.argnums)))

    def record(self, case: Case, cotangent: Array | None, args: tuple[Array, ...]) -> Recording:
        """The function or its hand-written VJP, run over recorded arrays."""
        own = framework(self.name)
        if cotangent is None:
            return own.record(case.function, args, differentiate=False)
        return own.record(case.vjp or _no_gradient, (cotangent, *args), differentiate=False)

    def watch(self, case: Case, cotangent: Array, args: tuple[Array, ...], mend: Mend) -> Watched:
        """The hand-written VJP."""
        return framework(self.name).watched(case.vjp or _no_gradient, (cotangent, *args), mend)


def _no_gradient(cotangent: Array, *args: Array) -> None:
    return None
