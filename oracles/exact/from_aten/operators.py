"""What an ATen operator's schema says, and the few things it does not say."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

HIDDEN_WRITES = {"native_batch_norm": (3, 4)}  # arguments that change, though the schema does not say so
BLANK = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided", "empty_permuted"}
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
        parts = [with_leaves(function, part) for part in tree]
        return tuple(parts) if isinstance(tree, tuple) else parts
    return function(tree)


def tensors_of(tree: Any) -> list[Tensor]:
    """All tensors among arguments or results, in order."""
    return [leaf for leaf in leaves_of(tree) if isinstance(leaf, Tensor)]


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
    kind = (func, *(t.requires_grad for t in tensors_of((args, kwargs))))
    if kind not in _FOLLOWED:
        with torch._C._SetExcludeDispatchKeyGuard(torch._C.DispatchKey.AutogradFunctionality, False):
            _FOLLOWED[kind] = any(t.requires_grad for t in tensors_of(func(*args, **kwargs)))
    return _FOLLOWED[kind]


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
