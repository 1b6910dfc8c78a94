"""One call of an ATen operator, as its rule sees it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from oracles.exact.from_aten.memory import constant, name_of
from oracles.exact.from_aten.operators import leaves_of, with_leaves
from oracles.exact.program import functions as f
from oracles.exact.program.primitives.arithmetic import convert
from oracles.exact.program.program import FLOATS, Array, Shape, Var
from oracles.exact.program.recording import Recorder

Rule: TypeAlias = Callable[..., Any]


@dataclass
class OperatorCall:
    """What a rule may ask for besides its operands.

    Attributes:
        recorder: Writes the equations.
        func: The operator.
        args: The operator's own positional arguments, with real tensors.
        kwargs: Its own keyword arguments.
        results: The tensors it returned when it ran, flat; their shapes and dtypes are the rule's to meet.
        writes: Further tensors that it changes, which its schema does not say, and their new values.
    """

    recorder: Recorder
    func: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: list[Tensor]
    writes: list[tuple[Tensor, Var]] = field(default_factory=list)

    @property
    def shape(self) -> Shape:
        """The shape of the first result."""
        return tuple(self.results[0].shape)

    @property
    def dtype(self) -> str:
        """The dtype of the first result."""
        return name_of(self.results[0].dtype)

    def constant(self, value: Any) -> Var:
        """A constant of the result's dtype; infinities are allowed."""
        kind = "float64" if self.dtype in FLOATS else self.dtype
        return constant(self.recorder, np.asarray(value).astype(kind), self.dtype)

    def full(self, value: Any) -> Var:
        """One number in the shape of the result."""
        return self.recorder.broadcast(self.constant(value), self.shape)

    def decided(self, value: Var) -> Array:
        """The numbers of an integer or boolean operand: known, or decided here and guarded."""
        return self.recorder.decide(value)


def words(text: str) -> list[str]:
    """Names with blanks between them."""
    return text.split()


def plain(rule: Rule) -> Rule:
    """A rule that needs its operands only."""
    return lambda call, *args, **kwargs: rule(*args, **kwargs)


def promoted(rule: Rule) -> Rule:
    """A rule of its operands alone, all in one dtype: the result's, or that of the floating operands."""

    def convert_all(call: OperatorCall, *args: Any, **kwargs: Any) -> Any:
        vars_ = [v for v in leaves_of((args, kwargs)) if isinstance(v, Var)]
        found = [v.dtype for v in vars_ if v.is_float]
        dtype = call.dtype if call.dtype in FLOATS else found[0] if found else _widest(vars_)

        def one(value: Any) -> Any:
            if isinstance(value, Var):
                return convert(value, dtype)
            if isinstance(value, float) and not math.isfinite(value):
                return constant(call.recorder, np.asarray(value), dtype)
            return value

        return rule(*with_leaves(one, args), **with_leaves(one, kwargs))

    return convert_all


def as_one(name: str, compute: Callable[[Var], Var], x: Var) -> Var:
    """compute(x), which the kernel that is recorded computes as one library function of this name."""
    builder, outer = x.builder, x.builder.origin
    if outer is None:
        return compute(x)
    builder.calls(name, outer.place)
    result = compute(x)
    builder.calls(outer.operation, outer.place)
    return result


def logistic(x: Var) -> Var:
    """1 / (1 + e^-x) inside a kernel."""
    return as_one("logistic", f.logistic, x)


def softplus(x: Var) -> Var:
    """log(1 + e^x) inside a kernel, which does not let e^x overflow."""
    return as_one("log1p_exp", f.softplus, x)


def _widest(values: list[Var]) -> str:
    return str(np.result_type(*(np.dtype(v.dtype) for v in values)))


def moved(call: OperatorCall, *args: Any, **kwargs: Any) -> Var | list[Var]:
    """An operator that only moves elements (and fills with zeros): it moves their positions itself.

    The elements of all its values are numbered from 1 and the operator runs on the numbers; 0 is a fill.
    """
    values: list[Var] = []
    schema = call.func._schema.arguments
    names = [a.name for a in schema]
    total = 0

    def number(value: Any, name: str) -> Any:
        nonlocal total
        if isinstance(value, (list, tuple)):
            return [number(v, name) for v in value]
        if not isinstance(value, Var):
            return value
        if name in INDICES:
            return torch.from_numpy(call.decided(value).copy())
        values.append(convert(value, call.dtype))
        first, total = total + 1, total + value.size
        return torch.arange(first, total + 1, dtype=torch.float64).reshape(value.shape)

    numbered = [number(v, n) for v, n in zip(args, names, strict=False)]
    named = {k: number(v, k) for k, v in kwargs.items() if k != "dtype"}
    from oracles.exact.program.primitives.arrays import concatenate, reshape, take

    parts = [reshape(v, (v.size,)) for v in values]
    flat = concatenate(parts, 0) if len(parts) > 1 else parts[0]
    found = call.func(*numbered, **named)
    several = isinstance(found, (list, tuple))
    taken = [take(flat, f.numpy().astype(np.int64) - 1) for f in (found if several else [found])]
    return taken if several else taken[0]


INDICES = frozenset({"index", "indices", "mask", "condition"})
