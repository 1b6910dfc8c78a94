"""One call of an ATen operator, as its rule sees it, and what the operator's schema says."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor
from torch.autograd.forward_ad import _set_fwd_grad_enabled
from torch.autograd.graph import saved_tensors_hooks

from oracles.exact.from_aten.memory import constant, name_of
from oracles.exact.program import functions as f
from oracles.exact.program.primitives import compare, convert
from oracles.exact.program.primitives.arrays import concatenate, reshape, take
from oracles.exact.program.program import FLOATS, Array, Operand, Shape, Var
from oracles.exact.program.recording import Recorder

HIDDEN_WRITES = {"native_batch_norm": (3, 4)}  # arguments that change, though the schema does not say so
CUT_OFF = {"linspace", "logspace"}  # torch's Python functions of these names return leaves
BLANK = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted"}
OVERWRITING = {"copy_", "fill_", "zero_"}
SAVED = {  # arguments that are results of the forward: torch hands them on without their history
    "native_layer_norm_backward": (3, 4),
    "native_group_norm_backward": (2, 3),
    "native_batch_norm_backward": (5, 6),
    "batch_norm_backward": (5, 6),
    "_scaled_dot_product_flash_attention_for_cpu_backward": (4, 5),
}
# Results with a status, pivots, ranks: what no rule gives of them is what torch computed.
WITH_STATUS = ("linalg_", "_linalg_", "_embedding_bag", "_batch_norm_with_update")
_UNUSED = {"dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking", "generator"}


@cache
def base_of(func: Any) -> str:
    """aten::add_ is "add_"; an operator of another library keeps its library's name."""
    return str(func._schema.name).removeprefix("aten::")


def leaves_of(tree: Any) -> list[Any]:
    """All that is no list, tuple or dictionary among an operator's arguments or results, in order.

    Operators take no other trees than these, and torch's own walk costs an eighth of a small check.
    """
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, (tuple, list)):
        return [tree]
    return [leaf for part in tree for leaf in leaves_of(part)]


def with_leaves(function: Callable[[Any], Any], tree: Any) -> Any:
    """The same tree with each leaf replaced by the function of it."""
    if isinstance(tree, dict):
        return {key: with_leaves(function, part) for key, part in tree.items()}
    if isinstance(tree, (tuple, list)):
        parts = [
            with_leaves(function, part) if isinstance(part, (tuple, list, dict)) else function(part)
            for part in tree
        ]
        return tuple(parts) if isinstance(tree, tuple) else parts
    return function(tree)


def tensors_of(tree: Any) -> list[Tensor]:
    """All tensors among arguments or results, in order."""
    if isinstance(tree, Tensor):
        return [tree]
    found: list[Tensor] = []
    for part in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (tuple, list)) else ():
        if isinstance(part, Tensor):
            found.append(part)
        elif isinstance(part, (tuple, list, dict)):
            found += tensors_of(part)
    return found


def written(func: Any, args: Any, kwargs: Any) -> list[Tensor]:
    """The tensors that an operator will change."""
    marked = [args[i] if i < len(args) else kwargs.get(name) for i, name in _written(func)]
    return tensors_of([*marked, *(args[i] for i in HIDDEN_WRITES.get(base_of(func), ()))])


@cache
def _written(func: Any) -> list[tuple[int, str]]:
    """The places and names of the arguments that an operator will change, by its schema."""
    arguments = enumerate(func._schema.arguments)
    return [(i, a.name) for i, a in arguments if a.alias_info is not None and a.alias_info.is_write]


@cache
def overwrites(func: Any) -> bool:
    """Whether it writes without reading what was there."""
    return base_of(func) in OVERWRITING or any(a.is_out for a in func._schema.arguments)


@cache
def makes_view(func: Any) -> bool:
    """Whether all that an operator returns is a view, by its schema."""
    returns = func._schema.returns
    reshapes = torch.Tag.inplace_view in func.tags
    return reshapes or (
        bool(returns) and all(r.alias_info is not None and not r.alias_info.is_write for r in returns)
    )


_FOLLOWED: dict[tuple[Any, ...], bool] = {}


def gives_gradient(func: Any, args: Any, kwargs: Any) -> bool:
    """Whether autograd follows a floating result back to the operands that require grad; tried once."""
    if base_of(func) in CUT_OFF:
        return False
    kind = (func, *(t.requires_grad for t in tensors_of((args, kwargs))))
    if kind not in _FOLLOWED:
        # Forward mode needs more than that, and what the user does with saved tensors is none of ours.
        with above_autograd(), _set_fwd_grad_enabled(False), _without_hooks():
            _FOLLOWED[kind] = any(t.requires_grad for t in tensors_of(func(*args, **kwargs)))
    return _FOLLOWED[kind]


def accumulated_in(leaf: Tensor) -> Tensor | None:
    """The leaf whose gradient it has: another one where `saved_tensors_hooks` have made this anew."""
    with above_autograd(), torch.enable_grad():
        node = leaf.view_as(leaf).grad_fn
    return getattr(node.next_functions[0][0], "variable", None) if node else None


def _without_hooks() -> AbstractContextManager[Any]:
    """Saved tensors are themselves; transforms of `torch.func` take no hooks, these neither."""
    hooked = torch._C._autograd._top_saved_tensors_default_hooks(False) is not None
    return saved_tensors_hooks(_itself, _itself) if hooked else nullcontext()


def _itself(tensor: Tensor) -> Tensor:
    return tensor


@contextmanager
def above_autograd() -> Iterator[None]:
    """Within, operators are called as outside of a dispatch mode: autograd takes composite ones apart."""
    with _included("AutogradFunctionality"), _included("AutogradOther"):  # this one is mkldnn's
        yield


def _included(key: str) -> Any:
    return torch._C._SetExcludeDispatchKeyGuard(getattr(torch._C.DispatchKey, key), False)


@cache
def is_composite(func: Any) -> bool:
    """Whether autograd sees its parts only; rules are for those, and would misread its arguments."""
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"))


@cache
def only_checks(func: Any) -> bool:
    """Whether it returns nothing and changes nothing: it has raised, or nothing happened."""
    schema = func._schema
    return not schema.returns and not any(a.alias_info is not None for a in schema.arguments)


@cache
def unused_keywords(func: Any) -> set[str]:
    """Keywords that no rule needs: what is written into, and where and in which dtype it lies."""
    arguments = func._schema.arguments
    return {a.name for a in arguments if a.kwarg_only and a.alias_info is not None} | _UNUSED


Rule: TypeAlias = Callable[..., Any]
words = str.split  # names with blanks between them


@dataclass
class OperatorCall:
    """What a rule may ask for besides its operands.

    Attributes:
        recorder: Writes the equations.
        func: The operator.
        given: The operator's own positional arguments, with real tensors, whose numbers are this run's.
        kwargs: Its own keyword arguments.
        returned: The tensors it returned when it ran, flat; their shapes and dtypes are the rule's to meet.
        writes: Further tensors that it changes, which its schema does not say, and their new values.
    """

    recorder: Recorder
    func: Any
    given: tuple[Any, ...]
    kwargs: dict[str, Any]
    returned: list[Tensor]
    writes: list[tuple[Tensor, Var]] = field(default_factory=list)

    @property
    def args(self) -> tuple[Any, ...]:
        """The arguments as they are in this run."""
        self.recorder.looked = True
        return self.given

    @property
    def results(self) -> list[Tensor]:
        """The results as they are in this run."""
        self.recorder.looked = True
        return self.returned

    @property
    def shape(self) -> Shape:
        """The shape of the first result."""
        return tuple(self.returned[0].shape)

    @property
    def dtype(self) -> str:
        """The dtype of the first result."""
        return name_of(self.returned[0].dtype)

    def constant(self, value: Any) -> Var:
        """A constant of the result's dtype; infinities are allowed."""
        kind = "float64" if self.dtype in FLOATS else self.dtype
        found: Var = constant(self.recorder, np.asarray(value).astype(kind), self.dtype)
        return found

    def full(self, value: Any) -> Var:
        """One number in the shape of the result."""
        return self.recorder.broadcast(self.constant(value), self.shape)

    def decided(self, value: Var) -> Array:
        """The numbers of an integer or boolean operand: known, or decided here and guarded."""
        return self.recorder.decide(value)


def plain(rule: Rule) -> Rule:
    """A rule that needs its operands only."""
    return lambda call, *args, **kwargs: rule(*args, **kwargs)


def equal(name: str, x: Operand, y: Operand) -> Var:
    """x == y, or x != y: balls of what is computed twice, and alike, do not tell that it is one number."""
    if isinstance(x, Var) and isinstance(y, Var) and x.shape == y.shape:
        recorder = x.builder
        if isinstance(recorder, Recorder) and recorder.are_equal(x, y):
            y = x
    return compare(name, x, y)


def promoted(rule: Rule) -> Rule:
    """A rule of its operands alone, all in one dtype: the result's, or that of the floating operands."""

    def convert_all(call: OperatorCall, *args: Any, **kwargs: Any) -> Any:
        vars_ = [v for v in leaves_of((args, kwargs)) if isinstance(v, Var)]
        floating = [v.dtype for v in vars_ if v.is_float]
        dtype = call.dtype if call.dtype in FLOATS else next(iter(floating), "")
        if not dtype:  # whole numbers: those of the result, which wrap, or what is compared
            numbers = [v for v in leaves_of((args, kwargs)) if isinstance(v, float)]
            dtype = str(np.result_type(*(np.dtype(v.dtype) for v in vars_)))
            dtype = call.dtype if call.dtype != "bool" else "float64" if numbers else dtype

        def one(value: Any) -> Any:
            if isinstance(value, Var):
                return convert(value, dtype)
            if isinstance(value, float) and dtype not in FLOATS:
                return int(value)
            if isinstance(value, float) and not math.isfinite(value):
                return constant(call.recorder, np.asarray(value), dtype)
            return value

        return rule(*with_leaves(one, args), **with_leaves(one, kwargs))

    return convert_all


def logistic(x: Var) -> Var:
    """1 / (1 + e^-x) inside a kernel."""
    return f.as_one("logistic", f.logistic, x)


def softplus(x: Var) -> Var:
    """log(1 + e^x) inside a kernel, which does not let e^x overflow."""
    return f.as_one("log1p_exp", f.softplus, x)


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
    parts = [reshape(v, (v.size,)) for v in values]
    flat = concatenate(parts, 0) if len(parts) > 1 else parts[0]
    moving = call.func.overloadpacket if any(a.is_out for a in schema) else call.func
    found = moving(*numbered, **named)
    several = isinstance(found, (list, tuple))
    taken = [take(flat, p.numpy().astype(np.int64) - 1) for p in (found if several else [found])]
    return taken if several else taken[0]


INDICES = frozenset({"index", "indices", "mask", "condition"})
STEPS = frozenset(words("floor ceil trunc fix round sign sgn remainder fmod floor_divide frac heaviside"))
# What the rules of these say holds of integers as well, which wrap; what others make of integers, torch says.
ON_INTEGERS = frozenset(
    words(
        "add sub rsub mul neg abs maximum minimum clamp clamp_min clamp_max where masked_fill sum cumsum any"
        " all count_nonzero lt le gt ge eq ne logical_and logical_or logical_xor logical_not bitwise_and"
        " bitwise_or bitwise_xor bitwise_not _to_copy clone copy full_like fill zeros_like ones_like"
        " constant_pad_nd remainder fmod gather index _unsafe_index index_select take"
    )
)
