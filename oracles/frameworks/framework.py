"""What every framework does: record a function, differentiate it, and run both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from oracles.exact.program.errors import Unsupported
from oracles.exact.program.recording import Recording
from oracles.subject import Array, Subject

Function = Callable[..., Any]


class Framework(ABC):
    """NumPy, JAX or torch.

    Attributes:
        name: Its name, which is that of its rounding model too (`ROUNDING_MODELS`).
        gives_primal: Whether its own derivatives return the function's value beside them, which may be
            another than the function's: a `custom_vjp` writes both.
    """

    name: ClassVar[str]
    gives_primal: ClassVar[bool] = False

    @abstractmethod
    def record(self, function: Function, args: Sequence[Any], differentiate: bool) -> Recording:
        """A function of arrays as a program; with `differentiate` it will be differentiated.

        Raises:
            Unsupported: An operation has no rule.
            Undecided: A branch that no precision decides.
        """

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

    def device_of(self, args: Sequence[Any]) -> Any:
        """The one device on which these arguments are; None if there is no such one."""
        return None

    def pullback(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        """`pullback(cotangents, *args)`: the framework's own gradients for `argnums`; None where it has none.

        `nested` ones are differentiated again. With `primal` it returns a pair: the function's value as the
        derivative's own run gives it, and the gradients.

        Raises:
            Unsupported: The framework does not differentiate.
        """
        raise Unsupported("NumPy does not differentiate; pass the hand-written gradient as vjp=")

    def pushforward(self, function: Function, argnums: Sequence[int], primal: bool = False) -> Function:
        """`pushforward(tangents, *args)`: the framework's own derivatives of the results along tangents.

        With `primal` a pair, as `pullback` gives it.

        Raises:
            Unsupported: The framework does not differentiate.
        """
        raise Unsupported("NumPy does not differentiate; forward modes are for JAX and torch")

    def on_host(self, array: Any) -> Array:
        """An array as NumPy's."""
        raise NotImplementedError

    def zeros_like(self, array: Any) -> Any:
        """Zeros in an array's shape and dtype."""
        raise NotImplementedError

    def leaving_alone(self, gradient: Function) -> Function:
        """The gradient given copies: one that writes into its arguments shows its formula all the same."""
        return gradient
