"""Derivatives of functions of tensors, as autograd takes them: pullbacks, graphs and pushforwards."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.autograd import forward_ad

from oracles.exact.from_aten.watch import begins, explained, noted
from oracles.exact.program.errors import Unsupported
from oracles.frameworks.torch_modules import as_called_in, calls_noted
from oracles.frameworks.torch_rules import nodes_of

NOT_FOLLOWED = "One of the differentiated Tensors does not require grad"


def pullback(
    function: Callable[..., Any], argnums: Sequence[int], nested: bool = False
) -> Callable[..., tuple[Any, ...]]:
    """`pull(cotangent, *args)`: the gradients of a function of tensors for the arguments in `argnums`.

    The cotangent is a tuple where the function returns several tensors; None of one that is not used. A
    gradient is None where autograd has none, and zero where others have one and no result depends on its
    argument, as in JAX. `nested` ones are differentiated again.
    """
    run = graph(function, argnums, nested)

    def pull(cotangent: Any, *args: Any) -> tuple[Any, ...]:
        return run(*args)(cotangent, nested)

    pull.contains, pull.graph = function, run  # type: ignore[attr-defined]
    pull.argnums, pull.nested = argnums, nested  # type: ignore[attr-defined]
    return pull


def graph(
    function: Callable[..., Any], argnums: Sequence[int], nested: bool = False
) -> Callable[..., Callable[..., tuple[Any, ...]]]:
    """`graph(*args)` runs the forward and gives `pull(cotangent)`, which may be called again."""

    def run(*args: Any) -> Callable[..., tuple[Any, ...]]:
        # Whatever grad mode the caller is in: a gradient is what is asked for.
        with explained(), torch.enable_grad():
            leaves = [a.detach() if isinstance(a, torch.Tensor) and not nested else a for a in args]
            active = [leaves[i] if leaves[i].requires_grad else leaves[i].requires_grad_() for i in argnums]
            begins(leaves)
            with calls_noted() as calls:
                result = function(*leaves)
            noted(result)

        def pull(cotangent: Any, retain: bool = True) -> tuple[Any, ...]:
            several = isinstance(result, (tuple, list))
            pairs = zip(result, cotangent, strict=True) if several else [(result, cotangent)]
            reached = [(out, ct) for out, ct in pairs if out.requires_grad and ct is not None]
            if not reached:
                return tuple(_trained(one, None) for one in active)
            outputs, cotangents = zip(*reached, strict=True)
            with explained(), torch.enable_grad(), as_called_in(calls):
                found: tuple[Any, ...] = torch.autograd.grad(
                    outputs, active, cotangents, retain, create_graph=nested, allow_unused=True
                )
                missing = [gradient is None for gradient in found]
                if not any(missing):
                    return found
                if not all(missing):
                    found = tuple(_or_nothing(one, g, outputs) for one, g in zip(active, found, strict=True))
                return tuple(map(_trained, active, found))

        return pull

    return run


def pushforward(
    function: Callable[..., Any], argnums: Sequence[int], nested: bool = False
) -> Callable[..., tuple[Any, ...]]:
    """`push(tangents, *args)`: the derivatives of a function's results along tangents, by dual numbers.

    `nested` ones are differentiated again.
    """
    kept = (lambda tensor: tensor) if nested else torch.Tensor.detach
    base = kept if nested else leaf_of

    def push(tangents: Sequence[Any], *args: Any) -> tuple[Any, ...]:
        load_forward_mode()
        if forward_ad._current_level >= 0:
            raise Unsupported("torch does not nest forward mode; one step may be forward, the others reverse")
        with explained(), forward_ad.dual_level(), torch.enable_grad():
            full = list(args)
            for position, tangent in zip(argnums, tangents, strict=True):
                if tangent is None:  # it does not move
                    continue
                full[position] = forward_ad.make_dual(  # type: ignore[no-untyped-call]
                    base(args[position]), tangent
                )
            try:
                results = function(*full)
            except RuntimeError as problem:
                if NOT_FOLLOWED not in str(problem) or all(t is not None for t in tangents):
                    raise
                raise Unsupported("the function differentiates by an argument that does not move") from None
            duals = [
                forward_ad.unpack_dual(out)  # type: ignore[no-untyped-call]
                for out in results
            ]
            return tuple(torch.zeros_like(d.primal) if d.tangent is None else kept(d.tangent) for d in duals)

    return push


def leaf_of(given: Any) -> Any:
    """A tensor as autograd is given it, whose history begins here; a floating one requires grad."""
    if not isinstance(given, torch.Tensor):
        return given
    leaf = given.detach()
    return leaf.requires_grad_() if leaf.is_floating_point() else leaf


def _trained(leaf: Any, gradient: Any) -> Any:
    """A gradient as an optimizer has it: a parameter without one stays where it is."""
    return torch.zeros_like(leaf) if gradient is None and hasattr(leaf, "is_trained") else gradient


def _or_nothing(leaf: Any, gradient: Any, outputs: Sequence[Any]) -> Any:
    """A gradient; zeros where there is none and no output depends on the leaf."""
    return torch.zeros_like(leaf) if gradient is None and not _depend(outputs, leaf) else gradient


def _depend(outputs: Sequence[Any], leaf: Any) -> bool:
    """Whether the graph of any of them leads to the leaf."""
    wanted = torch.autograd.graph.get_gradient_edge(leaf).node
    return any(node is wanted for node in nodes_of(outputs))


def load_forward_mode() -> None:
    """Load what torch loads with its first dual number, which warns of itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        importlib.import_module("torch._decomp.decompositions_for_jvp")
