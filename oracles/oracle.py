"""The abstract oracle: an adapter that computes a case's value and gradient in one way of its own."""

from __future__ import annotations

import importlib.util
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from oracles.exact.program.errors import Unsupported

if TYPE_CHECKING:
    from harness.case import Case
    from oracles.exact.program.recording import Recording

Array = NDArray[Any]
Native = Any  # an array of the oracle's own framework


@dataclass(frozen=True)
class Direction:
    """The derivative along one direction: `derivative` of the case along `tangents`, one per argument."""

    tangents: tuple[Array, ...]
    derivative: float


@dataclass(frozen=True)
class Gradient:
    """What an oracle says the gradient is, as NumPy arrays.

    Attributes:
        arrays: One per differentiated argument, in its shape and dtype; None is "no gradient", which is
            not a zero gradient. A masked array says that the masked entries were not computed.
        directions: Derivatives along random directions, where the entries were only sampled.
        error_estimate: The oracle's own estimate of its largest absolute error, None if it has none.
        note: How it was obtained, in words, where that is not plain.
    """

    arrays: tuple[Array | None, ...]
    directions: tuple[Direction, ...] = ()
    error_estimate: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Subject:
    """One case made ready in one framework and dtype, so that loading, work and fetching are timed apart.

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


class Oracle(ABC):
    """How one system is asked. Subclasses are final; they import their framework only when asked.

    Attributes:
        name: What tables and the command line call it.
        package: The distribution it needs, "" if nothing beyond the harness.
        machine: How it rounds, a key of `oracles.exact.rounding.bound.MACHINES`; "" if it is not judged.
        decides: False for an oracle whose rows inform and never pass or fail.
        opaque: True where nobody can look into its program, so that `record` has nothing to give: it is
            judged by its numbers alone, against the rounding of the true gradient's own program.
        slow: Why it is only asked in a full run, "" if it always is.
        sparse: Whether it pays for every new shape, so that only a full run asks it at all of them.
    """

    name: str
    package: ClassVar[str] = ""
    machine: ClassVar[str] = ""
    decides: ClassVar[bool] = True
    opaque: ClassVar[bool] = False
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
    def prepare(self, case: Case, dtype: np.dtype[Any]) -> Subject:
        """The case in this framework, for floating arguments of `dtype`."""

    @property
    def eager(self) -> Oracle:
        """The oracle that runs the same program, operation by operation; itself unless it compiles."""
        return self

    def record(self, case: Case, cotangent: Array | None, args: tuple[Array, ...]) -> Recording:
        """The gradient program that `prepare` runs: its inputs are the cotangent and the floating arguments.

        Without a cotangent it is the program of the value.

        Raises:
            Unsupported: It cannot be recorded, with the reason.
        """
        raise Unsupported(f"the {self.name} oracle has no gradient program to record")
