"""JAX: run eagerly or compiled, on one device; recorded from its jaxpr, custom rules as they stand."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import finalize

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr

from oracles.exact.from_jaxpr import compiling_once, record, x64_for
from oracles.exact.from_jaxpr.freedom import freedom_of
from oracles.exact.from_jaxpr.tracing import OfNumPy, is_floating, trace
from oracles.exact.program.errors import Unsupported, first_line
from oracles.exact.program.recording import Recording
from oracles.exact.program.trees import Flat
from oracles.frameworks.calls import Mend, Watched
from oracles.frameworks.framework import Array, Framework, Function, Subject, gradient_by, values_by
from oracles.frameworks.jax_ending import ends_by
from oracles.frameworks.jax_operands import operands_of
from oracles.frameworks.jax_programs import are_same, computes_of, needed
from oracles.frameworks.operands import Operands


class _Jax(Framework):
    name = "jax"
    gives_primal = True
    has_strides = False
    writes = False
    conjugates = True

    def _record(
        self, function: Function, args: Sequence[Any], differentiate: bool, exactly: bool
    ) -> Recording:
        return record(function, tuple(args), {}, differentiate=differentiate, paired=True, exactly=exactly)

    def subject(
        self, value: Function, gradient: Function, device: Any = None, wide: bool = True, primal: bool = False
    ) -> Subject:
        """As `Framework.subject`, as the caller's JAX is set, and in 64 bits in any case if `wide`.

        A loaded array that a function donates (`donate_argnums`), and JAX has deleted, is loaded again.
        """
        hosts: dict[int, Array] = {}

        def put(array: Array) -> Any:
            loaded = jax.device_put(np.asarray(array), device)
            hosts[id(loaded)] = array
            finalize(loaded, hosts.pop, id(loaded), None)
            return loaded

        def alive(leaf: Any) -> Any:
            deleted = isinstance(leaf, jax.Array) and leaf.is_deleted() and id(leaf) in hosts
            return put(hosts[id(leaf)]) if deleted else leaf

        def of_living(function: Function) -> Function:
            def call(*values: Any) -> Any:
                try:
                    return function(*values)
                except RuntimeError as problem:
                    if "has been deleted" not in str(problem):
                        raise
                    return function(*jax.tree.map(alive, values))

            return call

        load, run, pull = (_within(wide, f) for f in (put, of_living(value), of_living(gradient)))
        return Subject(load, run, pull, values_by(np.asarray), gradient_by(np.asarray, primal))

    def watched(self, derivative: Function, inputs: Sequence[Any], mend: Mend, device: Any = None) -> Watched:
        from oracles.frameworks.jax_calls import watched

        return watched(derivative, inputs, mend, device)

    def device_of(self, args: Sequence[Any]) -> Any:
        arrays = [a for a in args if isinstance(a, jax.Array)]
        devices = {d for a in arrays for d in a.devices()}
        # An array that nobody has bound to the default device must not be: JAX compiles for bound ones apart,
        # and refuses to mix them with those of another device.
        free = not any(a.committed for a in arrays) and devices == jax.device_put(0.0).devices()
        return None if free or len(devices) != 1 else devices.pop()

    def pullback(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        return Pullback(function, tuple(argnums), primal)

    def graph(self, function: Function, argnums: Sequence[int]) -> Function:
        return Graph(function, tuple(argnums))

    def pushforward(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        return Pushforward(function, tuple(argnums), primal)

    def primal(self, function: Function, argnums: Sequence[int], forward: bool) -> Function:
        def run(*args: Any) -> Any:
            alone, moving = _of_moving(function, argnums, args, {})
            if forward:
                return jax.jvp(alone, tuple(moving), tuple(map(self.zeros_like, moving)))[0]
            return jax.vjp(alone, *moving)[0]

        return run

    def has_rules(self, function: Function, args: Sequence[Any]) -> bool:
        return freedom_of(trace(function, tuple(args), {}).own).keeps

    def has_operands(self, function: Flat, args: Sequence[Any]) -> bool:
        return self.has_rules(function, args)

    def operands(
        self, function: Flat, args: Sequence[Any], elsewhere: Sequence[Sequence[Any]]
    ) -> Operands | None:
        with x64_for(any(getattr(a, "dtype", None) == np.float64 for a in args)):
            floats = [f.leaf for f in function.fixed if type(f.leaf) is float]
            return operands_of(trace(function, tuple(args), {}).own, floats)

    def on_host(self, array: Any) -> Array:
        if isinstance(array, jax.Array) and array.is_deleted():
            raise ValueError(
                "an argument has been deleted (it was donated, donate_argnums); pass another one"
            )
        host = np.asarray(array)
        return host if isinstance(array, jax.Array) or is_floating(host) else host.view(OfNumPy)

    def as_run(self, native: Any, array: Array) -> Array:
        return (
            array
            if isinstance(native, jax.Array)
            else array.astype(jax.dtypes.canonicalize_dtype(array.dtype))
        )

    def joined(self, pairs: Any) -> Any:
        return jax.lax.complex(pairs[..., 0], pairs[..., 1])

    def split(self, numbers: Any) -> Any:
        return jax.numpy.stack([jax.numpy.real(numbers), jax.numpy.imag(numbers)], -1)

    def ends_by(self, derivative: Function, directions: Sequence[Any], *inputs: Any) -> bool:
        return ends_by(derivative, directions, *inputs)

    def zeros_like(self, array: Any) -> Any:
        return jax.numpy.zeros_like(array)

    def where(self, mask: Array, number: float, array: Any) -> Any:
        return jax.numpy.where(mask, number, array)


FRAMEWORK = _Jax()


def compiled(function: Function) -> Function:
    """The function under `jax.jit`; a new one each time: JAX takes an equal one for one it knows."""
    return jax.jit(lambda *values: function(*values))


def with_forward_rule(function: Function, rule: Function) -> Function:
    """A function whose forward derivative is `rule(primals, tangents)`, which gives both."""

    ruled = jax.custom_jvp(_plain(function))
    ruled.defjvp(lambda primals, tangents: rule(primals, tangents))
    return ruled


def with_reverse_rule(function: Function, rule: Function) -> Function:
    """A function whose gradient is that of `rule(*primals)`, which gives its value and a pullback."""

    ruled = jax.custom_vjp(_plain(function))
    ruled.defvjp(lambda *primals: (rule(*primals)[0], primals), lambda primals, g: rule(*primals)[1](g))
    return ruled


def _plain(function: Function) -> Function:
    """The function of positional arguments alone: JAX would add the defaults to what a rule gets."""

    def plain(*args: Any) -> Any:
        return function(*args)

    plain.__name__ = plain.__qualname__ = str(getattr(function, "__name__", type(function).__name__))
    with contextlib.suppress(TypeError, ValueError):
        plain.__dict__["argument_names"] = list(inspect.signature(function).parameters)
    return plain


# What JAX says where it refuses what is no fault of the gradient.
REFUSALS = {
    "forward-mode autodiff (jvp) to a custom_vjp": "forward mode needs a jvp, which a custom function lacks",
    "Reverse-mode differentiation does not work for lax.while_loop": "JAX has no reverse mode of this loop; "
    'ask for mode="forward", or give the loop a fixed number of turns',
    "ifferentiation rule for": "JAX has no derivative of this",
    "only implemented if `unique_indices=True`": "JAX differentiates this only where it is told that no two "
    "indices are equal",
    "Derivatives of non-symmetric eigenvectors": "jax.lax.linalg.eig has the derivative of eigenvectors if "
    "it is given enable_eigvec_derivs=True",
    "Transpose rule": "JAX has no reverse mode of this",
}


def _within(wide: bool, function: Function) -> Function:
    """The function in JAX's context for its dtypes; its result is finished when it returns."""

    def call(*values: Any) -> Any:
        try:
            with x64_for(wide), compiling_once:
                return jax.block_until_ready(function(*values))  # type: ignore[no-untyped-call]
        except jax.errors.UnexpectedTracerError as leak:
            raise ValueError(
                "the function closes over a value of a trace that has ended; pass it as an argument"
            ) from leak
        except (TypeError, ValueError, NotImplementedError) as problem:
            meaning = next((said for part, said in REFUSALS.items() if part in str(problem)), "")
            if not meaning:
                raise
            raise Unsupported(f"{meaning} ({first_line(problem)})") from None
        except RuntimeError as problem:
            if "has been deleted" not in str(problem):
                raise
            raise Unsupported(
                "the function donates an argument (donate_argnums), and JAX has deleted it where the "
                "gradient is taken: jit=True compiles both as one, and then none is"
            ) from problem

    return call


@dataclass(frozen=True)
class _Derivative:
    """A derivative of a function in the arguments `argnums`."""

    function: Callable[..., Any]
    argnums: tuple[int, ...]
    primal: bool = False


class Pullback(_Derivative):
    """`pull(cotangents, *args)`, the gradients of a function with respect to the arguments `argnums`.

    The cotangents have the structure of the function's result; that of an integer result is ignored, and one
    of a tuple that is None is a symbolic zero: that result is not used. The gradients are a tuple, one per
    entry of `argnums`; all None if no result is floating. The other arguments may be anything that the
    function takes, labels for example. With `primal` it returns (value, gradients):
    the value is what the rule's own forward returns.
    """

    def __call__(self, cotangents: Any, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The gradients of <cotangents, function(*args)>."""
        function, moving = _of_moving(self.function, self.argnums, args, kwargs)
        if isinstance(cotangents, tuple) and any(c is None for c in cotangents):
            used = [k for k, c in enumerate(cotangents) if c is not None]
            function, cotangents = _giving(function, used), tuple(cotangents[k] for k in used)
            _, pull, out = jax.vjp(function, *moving, has_aux=True)
            return (out, tuple(pull(cotangents))) if self.primal else tuple(pull(cotangents))
        out, pull = jax.vjp(function, *moving)
        gradients: tuple[Any, ...] = (None,) * len(self.argnums)
        if any(map(_is_floating, jax.tree.leaves(out))):
            gradients = tuple(pull(jax.tree.map(_cotangent, out, cotangents)))
        return (out, gradients) if self.primal else gradients


class Graph(_Derivative):
    """`graph(*args)` runs the forward, and gives what pulls back."""

    def __call__(self, *args: Any) -> Function:
        """The pullback."""
        function, moving = _of_moving(self.function, self.argnums, args, {})
        return jax.vjp(function, *moving)[1]

    def is_of(self, whole: Graph, cotangents: Any, *args: Any) -> bool:
        """Whether it runs, for the gradient of its first argument, the program that another runs for that.

        Raises:
            Exception: What the function raises where its arguments are traced.
        """
        own, moving = self._traced(cotangents, args)
        other, of_whole = whole._traced(cotangents, args)
        if computes_of(own, [args[k] for k in whole.argnums if k not in self.argnums]):
            return False
        at = whole.argnums.index(self.argnums[0])
        return are_same(needed(own, 0), moving, needed(other, at), of_whole)

    def _traced(self, cotangents: Any, args: Sequence[Any]) -> tuple[ClosedJaxpr, list[Any]]:
        """What it runs for the gradients, and of which arrays."""

        def gradients(along: Any, *moving: Any) -> tuple[Any, ...]:
            full = list(args)
            for position, argument in zip(self.argnums, moving, strict=True):
                full[position] = argument
            return tuple(self(*full)(along))

        moving = [args[k] for k in self.argnums]
        return jax.make_jaxpr(gradients)(cotangents, *moving), jax.tree.leaves([cotangents, moving])


class Pushforward(_Derivative):
    """`push(tangents, *args)`: the derivative of every result along the tangents of the arguments `argnums`.

    An argument whose tangent is None does not move. With `primal` it returns (value, tangents).
    """

    def __call__(self, tangents: Sequence[Any], *args: Any) -> Any:
        """The tangents of the results."""
        moved = {k: t for k, t in zip(self.argnums, tangents, strict=True) if t is not None}
        function, moving = _of_moving(self.function, tuple(moved), args, {})
        found = jax.jvp(function, tuple(moving), tuple(moved.values()))
        return found if self.primal else found[1]


def _of_moving(
    function: Callable[..., Any], argnums: Sequence[int], args: Sequence[Any], kwargs: dict[str, Any]
) -> tuple[Callable[..., Any], list[Any]]:
    """The function of its differentiated arguments alone, and these."""

    def of_moving(*moving: Any) -> Any:
        full = list(args)
        for position, argument in zip(argnums, moving, strict=True):
            full[position] = argument
        return function(*full, **kwargs)

    return of_moving, [args[i] for i in argnums]


def _giving(function: Function, used: Sequence[int]) -> Function:
    """The function of some of its results, and all of them beside."""

    def of_used(*moving: Any) -> Any:
        out = function(*moving)
        return tuple(out[k] for k in used), out

    return of_used


def _is_floating(result: Any) -> bool:
    return bool(jax.numpy.issubdtype(jax.numpy.result_type(result), jax.numpy.floating))


def _cotangent(result: Any, given: Any) -> Any:
    """What `jax.vjp` wants: for an integer result an array of its own kind of zeros.

    A function that casts has results of its own dtype where it is traced in float64, for its literals.
    """
    if not _is_floating(result):
        return np.zeros(np.shape(result), jax.dtypes.float0)
    own = jax.numpy.result_type(result)
    return given if jax.numpy.result_type(given) == own else jax.numpy.asarray(given, own)
