"""Whether a person wrote how a function of tensors is differentiated: custom functions, and hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch.autograd.function import BackwardCFunction
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves


class _Hooking(TorchFunctionMode):
    """Sees whether a function puts a hook on the gradient of a tensor."""

    met = False

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.met |= func is torch.Tensor.register_hook
        return func(*args, **(kwargs or {}))


def has_rules(function: Callable[..., Any], args: Sequence[Any]) -> bool:
    """Whether there are any on the way from these leaves to what the function returns."""
    with torch.enable_grad(), _Hooking() as hooking:
        results = function(*args)
    nodes = nodes_of(tree_leaves(results))
    return hooking.met or any(isinstance(node, BackwardCFunction) or has_hooks(node) for node in nodes)


def has_hooks(node: Any) -> bool:
    """Whether somebody put hooks on a node itself, before or after it."""
    handles = [node.register_hook(_none), node.register_prehook(_none)]  # they know the others
    try:
        return any(len(handle.hooks_dict_ref()) > 1 for handle in handles)
    finally:
        for handle in handles:
            handle.remove()


def _none(*gradients: Any) -> None:
    """A hook that changes nothing."""


def nodes_of(results: Sequence[Any]) -> Iterator[Any]:
    """The nodes of their graph."""
    waiting, seen = [getattr(result, "grad_fn", None) for result in results], set[Any]()
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen.add(node)
            yield node
            waiting += [following for following, _ in node.next_functions]
