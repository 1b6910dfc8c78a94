"""A public report of a wrong gradient, re-created: a rule in one notation, and in each framework's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from harness.verdicts import Verdict
from oracles.frameworks.in_torch import as_tensor

Function = Callable[..., Any]
Arrays = tuple[Any, ...]


def _torch(function: Function) -> Function:
    """NumPy's keywords for one of torch's functions."""
    return lambda x, axis=-1: function(x, axis)


ALIKE = ("exp", "log", "log1p", "sqrt", "where", "abs", "sign", "trunc", "arctan", "stack")
# What a rule may call besides operators and methods, with one meaning in all three.
NUMPY = SimpleNamespace(
    **{n: getattr(np, n) for n in (*ALIKE, "flip", "cumsum", "cumprod")},
    sum=lambda x, axis=None: np.sum(x, axis),
    max=lambda x, axis=None: np.max(x, axis),
    concatenate=np.concatenate,
    const=lambda values, like: np.asarray(values, like.dtype),
    added_at=lambda x, index, values: _added(np.zeros_like(x), index, values),
    put_at=lambda x, index, values: _put(np.zeros_like(x), index, values),
    is_contiguous=lambda x: x.flags.c_contiguous,
    has_stride_0=lambda x: 0 in x.strides,
)
TORCH = SimpleNamespace(
    **{n: getattr(torch, n) for n in ALIKE},
    **{n: _torch(getattr(torch, n)) for n in ("cumsum", "cumprod")},
    flip=lambda x, axis: torch.flip(x, (axis,)),
    sum=lambda x, axis=None: torch.sum(x) if axis is None else torch.sum(x, axis),
    max=lambda x, axis=None: torch.amax(x) if axis is None else torch.amax(x, axis),
    concatenate=torch.cat,
    const=lambda values, like: torch.as_tensor(values, dtype=like.dtype),
    added_at=lambda x, index, values: torch.zeros_like(x).index_put((index,), values, accumulate=True),
    put_at=lambda x, index, values: torch.zeros_like(x).index_put((index,), values),
    is_contiguous=lambda x: x.is_contiguous(),
    has_stride_0=lambda x: 0 in x.stride(),
)
JAX = SimpleNamespace(
    **{n: getattr(jnp, n) for n in (*ALIKE, "flip", "cumsum", "cumprod")},
    sum=lambda x, axis=None: jnp.sum(x, axis),
    max=lambda x, axis=None: jnp.max(x, axis),
    concatenate=jnp.concatenate,
    const=lambda values, like: jnp.asarray(values, like.dtype),
    added_at=lambda x, index, values: jnp.zeros_like(x).at[index].add(values),
    put_at=lambda x, index, values: jnp.zeros_like(x).at[index].set(values),
)


def _added(out: Any, index: Any, values: Any) -> Any:
    np.add.at(out, index, values)
    return out


def _put(out: Any, index: Any, values: Any) -> Any:
    out[index] = values
    return out


def address(report: str) -> str:
    """Where a report "project/name#number" is."""
    project, _, number = report.partition("#")
    return f"https://github.com/{project}/issues/{number}"


def loaded(framework: str, array: Any) -> Any:
    """A NumPy array in a framework."""
    return {"numpy": np.asarray, "torch": as_tensor, "jax": jnp.asarray}[framework](array)


@dataclass(frozen=True)
class Rule:
    """A function and its backward, `forward(xp, *args)` and `backward(xp, g, *args)`, in any framework.

    The backward gives the gradients of the arguments that are differentiated, which come first.
    """

    forward: Function
    backward: Function

    def numpy(self) -> tuple[Function, Function]:
        """The function and its vjp."""
        return (lambda *a: self.forward(NUMPY, *a)), (lambda g, *a: self.backward(NUMPY, g, *a))

    @cached_property
    def torch(self) -> Function:
        """An `autograd.Function`, applied."""
        rule = self

        class Rule(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *args: Any) -> Any:
                ctx.save_for_backward(*args)
                return rule.forward(TORCH, *args)

            @staticmethod
            def backward(ctx: Any, g: Any) -> Any:
                found = rule.backward(TORCH, g, *ctx.saved_tensors)
                found = found if isinstance(found, tuple) else (found,)
                return (*found, *(None for _ in ctx.saved_tensors[len(found) :]))

        return Rule.apply

    @cached_property
    def jax(self) -> Function:
        """A `custom_vjp`."""

        def backward(args: Any, g: Any) -> Any:
            found = self.backward(JAX, g, *args)
            found = found if isinstance(found, tuple) else (found,)
            rest = args[len(found) :]
            return (
                *found,
                *(np.zeros(r.shape, jax.dtypes.float0) if r.dtype.kind in "iub" else 0 * r for r in rest),
            )

        function = jax.custom_vjp(lambda *args: self.forward(JAX, *args))
        function.defvjp(lambda *args: (self.forward(JAX, *args), args), backward)
        return function

    def with_backward(self, backward: Function) -> Rule:
        """The same function with another rule."""
        return Rule(self.forward, backward)


@dataclass(frozen=True)
class Fault:
    """A bug that was reported.

    Attributes:
        id, report: Its number in the list of reports, and where it was reported.
        name: The function.
        what: What is wrong, in words.
        kind: overflow_nan, precision_loss, wrong_rule, shape, dtype, higher_order, mutation or convention.
        faulty, right: The function with the reported gradient and with the right one: a `Rule`, or, where the
            framework's own function still has the fault or the fault is in its mechanism, a dictionary from
            "torch" or "jax" to a function.
        trigger: The arguments that the report has.
        ordinary: Draws arguments as a test would.
        verdict: What it is at the trigger.
        moves: How many arguments are differentiated: the first ones.
        mode, order: Of the derivative.
        frameworks: Where the rule can be asked about.
        live: Whether the installed framework still has it.
        legal: Whether it was right all along.
    """

    id: str
    report: str
    name: str
    what: str
    kind: str
    faulty: Rule | dict[str, Function]
    right: Rule | dict[str, Function]
    trigger: Arrays
    ordinary: Callable[[np.random.Generator], Arrays]
    verdict: Verdict
    moves: int = 1
    order: int = 1
    mode: str | tuple[str, ...] = "reverse"
    frameworks: tuple[str, ...] = ("numpy", "torch", "jax")
    live: bool = False
    legal: bool = False

    @property
    def link(self) -> str:
        """The report."""
        return address(self.report)

    def subject(self, framework: str, right: bool = False) -> Any:
        """The function in a framework (NumPy: with its vjp), None where it cannot be asked about there."""
        rule = self.right if right else self.faulty
        if isinstance(rule, dict):
            return rule.get(framework)
        if framework not in self.frameworks:
            return None
        return rule.numpy() if framework == "numpy" else getattr(rule, framework)
