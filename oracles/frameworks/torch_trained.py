"""A function as it is differentiated in training: of parameters, with attributes and hooks."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import torch

from oracles.exact.from_aten.memory import is_leaf
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.trees import flatten
from oracles.frameworks.framework import Function
from oracles.frameworks.torch_modules import as_function, is_marked, pass_for
from oracles.frameworks.torch_rules import has_hooks


def as_trained(
    f: Function, args: Sequence[Any], parameters: bool, hooked: bool
) -> tuple[Function, Sequence[Any]]:
    """A function as it is differentiated in training, and its arguments.

    A `torch.nn.Module` is a function of `parameters` of its parameters too. Where `hooked`, arguments and
    parameters keep their hooks.

    Raises:
        ValueError: A lazy module has no parameters yet.
    """
    if isinstance(f, torch.nn.Module):
        f, args = as_function(f, args, parameters)
    else:
        f = _with_attributes(f, args)
    if not hooked:
        return f, args
    hooks = [_hooks_of(leaf) for leaf in flatten("torch", args)[0]]
    return (_with_hooks(f, hooks), args) if any(hooks) else (f, args)


def _with_attributes(f: Function, args: Sequence[Any]) -> Function:
    """The function, which gets tensors that pass for its arguments: as parameters, with their attributes."""
    given = flatten("torch", args)[0]
    if not any(isinstance(leaf, torch.nn.Parameter) or is_marked(leaf) for leaf in given):
        return f

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        for leaf, original in zip(flatten("torch", args)[0], given, strict=True):
            if isinstance(leaf, torch.Tensor) and isinstance(original, torch.Tensor):
                pass_for(leaf, original)
        return f(*args, **kwargs)

    return call


def _hooks_of(leaf: Any) -> list[Callable[[Any], Any]]:
    """What is called with the gradient of a tensor, and may change it."""
    if not isinstance(leaf, torch.Tensor):
        return []
    late = [_refused] if _is_stored_with_hooks(leaf) else []
    return [*(leaf._backward_hooks or {}).values(), *late]


def _is_stored_with_hooks(leaf: torch.Tensor) -> bool:
    """Whether hooks run where its gradient is added to `.grad`: after that, or around its graph's node."""
    if not (leaf.requires_grad and is_leaf(leaf)):
        return False
    node = torch.autograd.graph.get_gradient_edge(leaf).node
    return bool(leaf._post_accumulate_grad_hooks) or has_hooks(node)


def _refused(*gradients: Any) -> None:
    """In place of a hook on the stored gradient, which may well be an optimizer's step."""
    raise Unsupported(
        "a hook runs where this gradient is added to .grad (post-accumulate, or of the graph's node), not "
        "here: training may get another gradient; remove the hook for the check"
    )


def _with_hooks(f: Function, hooks: Sequence[Sequence[Callable[[Any], Any]]]) -> Function:
    """The function, which gives each leaf of its arguments its own hooks."""

    @functools.wraps(f)
    def call(*args: Any, **kwargs: Any) -> Any:
        for leaf, own in zip(flatten("torch", args)[0], hooks, strict=True):
            for hook in own if getattr(leaf, "requires_grad", False) else ():
                leaf.register_hook(hook)
        return f(*args, **kwargs)

    return call
