"""JAX: run eagerly or compiled, on one device; recorded from its jaxpr, custom rules as they stand."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from oracles.exact.from_jaxpr import Pullback, Pushforward, record
from oracles.exact.program.recording import Recording
from oracles.frameworks.framework import Array, Framework, Function, Subject, gradient_by, values_by


class _Jax(Framework):
    name = "jax"
    gives_primal = True

    def record(
        self, function: Function, args: Sequence[Any], differentiate: bool, exactly: bool = False
    ) -> Recording:
        return record(function, tuple(args), {}, differentiate=differentiate, paired=True, exactly=exactly)

    def subject(
        self, value: Function, gradient: Function, device: Any = None, wide: bool = True, primal: bool = False
    ) -> Subject:
        """As `Framework.subject`, in JAX's 64-bit context if `wide`, else outside it.

        Inside, a float32 program may return float64. The user's own setting is neither needed nor touched.
        """

        def put(array: Array) -> Any:
            return jax.device_put(array, device)

        load, run, pull = (_within(wide, f) for f in (put, value, gradient))
        return Subject(load, run, pull, values_by(np.asarray), gradient_by(np.asarray, primal))

    def device_of(self, args: Sequence[Any]) -> Any:
        devices = {d for a in args if isinstance(a, jax.Array) for d in a.devices()}
        return devices.pop() if len(devices) == 1 else None

    def pullback(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        return Pullback(function, tuple(argnums), primal)

    def pushforward(
        self, function: Function, argnums: Sequence[int], nested: bool = False, primal: bool = False
    ) -> Function:
        return Pushforward(function, tuple(argnums), primal)

    def on_host(self, array: Any) -> Array:
        return np.asarray(array)

    def zeros_like(self, array: Any) -> Any:
        return jax.numpy.zeros_like(array)


FRAMEWORK = _Jax()


def compiled(function: Function) -> Function:
    """The function under `jax.jit`; a new one each time: JAX takes an equal one for one it knows."""
    return jax.jit(lambda *values: function(*values))


def with_forward_rule(function: Function, rule: Function) -> Function:
    """A function whose forward derivative is `rule(primals, tangents)`, which gives both."""

    def plain(*args: Any) -> Any:
        return function(*args)

    ruled = jax.custom_jvp(functools.update_wrapper(plain, function))
    ruled.defjvp(lambda primals, tangents: rule(primals, tangents))
    return ruled


def with_reverse_rule(function: Function, rule: Function) -> Function:
    """A function whose gradient is that of `rule(*primals)`, which gives its value and a pullback."""

    def plain(*args: Any) -> Any:
        return function(*args)

    ruled = jax.custom_vjp(functools.update_wrapper(plain, function))
    ruled.defvjp(lambda *primals: (rule(*primals)[0], primals), lambda primals, g: rule(*primals)[1](g))
    return ruled


def _within(wide: bool, function: Function) -> Function:
    """The function in JAX's context for its dtypes; its result is finished when it returns."""

    def call(*values: Any) -> Any:
        try:
            with jax.enable_x64(wide):
                return jax.block_until_ready(function(*values))  # type: ignore[no-untyped-call]
        except jax.errors.UnexpectedTracerError as leak:
            raise ValueError(
                "the function closes over a value of a trace that has ended; pass it as an argument"
            ) from leak

    return call
