"""torch's functions that a run calls, seen from the Python code that calls them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload, OpOverloadPacket
from torch.autograd import forward_ad
from torch.autograd.forward_ad import make_dual, unpack_dual
from torch.autograd.function import BackwardCFunction
from torch.overrides import TorchFunctionMode, resolve_name
from torch.utils._pytree import tree_flatten, tree_leaves, tree_map, tree_unflatten

from oracles.exact.from_aten.memory import is_floating_tensor, is_freed
from oracles.exact.from_aten.mode import eagerly
from oracles.exact.from_aten.watch import place_within
from oracles.frameworks.calls import Array, Call, Mend, Watched, is_code
from oracles.frameworks.torch_path import MOVES

BACKWARDS = frozenset({torch.autograd.grad, torch.autograd.backward, Tensor.backward})
NOT_COMPUTING = frozenset({"__get__", "__getitem__", "requires_grad_", "_make_dual", "_unpack_dual"})
AUGMENTED = ("add", "sub", "mul", "matmul", "truediv", "floordiv", "mod", "pow")


class TorchCalls(TorchFunctionMode):
    """Sees each call from outside torch, in the forward and in custom backwards.

    What moves numbers, writes into its operands or gives views computes nothing that could be off.

    Attributes:
        mend: What calls are to give instead.
        to_host, to_torch: Tensors to NumPy's arrays, and back.
        calls: What was called so far.
        complete: Whether nothing else was computed with.
        ruled: Whether a custom backward ran.
    """

    def __init__(self, mend: Mend, to_host: Callable[[Any], Array], to_torch: Callable[[Any], Any]) -> None:
        super().__init__()
        self.mend, self.to_host, self.to_torch = mend, to_host, to_torch
        self.calls: list[Call] = []
        self.complete, self.ruled = True, False
        self._inside = 0  # custom backwards that are running
        self._asked = 0  # what calls are to give is being found out: that is no part of the run

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._asked:
            return func(*args, **kwargs)
        if func in BACKWARDS:
            with self._in_custom(args):
                return func(*args, **kwargs)
        leaves, tree = tree_flatten((args, kwargs))
        places = [k for k, leaf in enumerate(leaves) if is_floating_tensor(leaf)]
        if any(isinstance(leaf, Tensor) and leaf.is_complex() for leaf in leaves):
            self.complete = False  # complex calls cannot be mended
            return func(*args, **kwargs)
        if any(map(is_freed, (leaves[k] for k in places))):
            self.complete = False  # it has no numbers now
            return func(*args, **kwargs)
        if not places or not _computes(func, kwargs):
            self.complete &= not places or not _writes(func, kwargs)
            return func(*args, **kwargs)
        if not _is_torchs(func) or any(map(is_code, leaves)):
            self.complete = False
            return func(*args, **kwargs)

        def function(*operands: Any) -> Any:
            whole = list(leaves)
            for place, operand in zip(places, operands, strict=True):
                whole[place] = operand.clone()  # some write into running statistics
            again, options = tree_unflatten(whole, tree)
            return func(*again, **options)

        tensors = [leaves[k] for k in places]
        tangents = list(map(_tangent, tensors))
        dual, moving = any(t is not None for t in tangents), torch.is_grad_enabled()
        active = tuple(
            k
            for k, t in enumerate(tensors)
            if (tangents[k] is not None if dual else moving and t.requires_grad)
        )
        number, name = len(self.calls), resolve_name(func) or func.__name__
        place = place_within(watched.__code__)
        call = Call(number, "torch", name, place, function, tuple(map(self.to_host, tensors)), active)
        values, result = self.mend(call), func(*args, **kwargs)
        if dual:
            call = replace(call, tangents=tuple(self.to_host(tangents[k]) for k in active))
        self.calls.append(call)
        if values is not None and dual:
            return self._dual(call, result, values)
        if values is not None:
            return self._mended(call, result, values, tensors)
        found = [leaf for leaf in tree_leaves(result) if is_floating_tensor(leaf)]
        for k, out in enumerate(found):
            if out.requires_grad and active:
                out.register_hook(lambda g, k=k: self._reached(number, found, k, g))
        return result

    def _given(self, call: Call) -> tuple[Array, ...]:
        """What a call is to give for its derivative, found out unseen."""
        self._asked += 1
        try:
            return self.mend(call) or ()
        finally:
            self._asked -= 1

    def _reached(self, number: int, results: Sequence[Tensor], k: int, cotangent: Tensor) -> None:
        call = self.calls[number]
        known = call.cotangents or tuple(self.to_host(torch.zeros_like(r)) for r in results)
        own = self.to_host(cotangent.detach())
        cotangents = tuple(own if j == k else known[j] for j in range(len(known)))
        self.calls[number] = replace(call, cotangents=cotangents)

    def _mended(self, call: Call, result: Any, values: Sequence[Array], tensors: Sequence[Tensor]) -> Any:
        """The result with other numbers, and a pullback that gives others too."""
        calls = self

        class Mended(torch.autograd.Function):
            @staticmethod
            def forward(ctx: Any, *operands: Any) -> Any:
                return tuple(map(calls.to_torch, values))

            @staticmethod
            def backward(ctx: Any, *cotangents: Any) -> Any:
                own = replace(call, cotangents=tuple(calls.to_host(c) for c in cotangents))
                calls.calls[call.number] = own
                gradients = iter(calls._given(own))
                ours = range(len(tensors))
                return tuple(calls.to_torch(next(gradients)) if k in call.active else None for k in ours)

        with torch._C.DisableTorchFunction():
            waiting = iter(Mended.apply(*tensors))  # type: ignore[no-untyped-call]
        return tree_map(lambda leaf: next(waiting) if is_floating_tensor(leaf) else leaf, result)

    def _dual(self, call: Call, result: Any, values: Sequence[Array]) -> Any:
        """The result with other numbers, which move otherwise."""
        pairs = zip(values, self._given(call), strict=True)
        with torch._C.DisableTorchFunction():
            waiting = iter([make_dual(self.to_torch(v), self.to_torch(t)) for v, t in pairs])  # type: ignore[no-untyped-call]
        return tree_map(lambda leaf: next(waiting) if is_floating_tensor(leaf) else leaf, result)

    @contextmanager
    def _in_custom(self, args: Any) -> Iterator[None]:
        """Sees the calls of custom backwards too: autograd runs them in this thread."""
        handles: list[Any] = []
        for node in _custom_nodes(args):
            self.ruled = True
            handles.append(node.register_prehook(lambda gradients: self._enter()))
            handles.append(node.register_hook(lambda inputs, outputs: self._exit()))
        try:
            yield
        finally:
            while self._inside:  # one raised
                self._exit()
            for handle in handles:
                handle.remove()

    def _enter(self) -> None:
        self._inside += 1
        self.__enter__()  # type: ignore[no-untyped-call]

    def _exit(self) -> None:
        self._inside -= 1
        self.__exit__(None, None, None)  # type: ignore[no-untyped-call]


def watched(derivative: Callable[..., Any], inputs: Sequence[Any], calls: TorchCalls) -> Watched:
    """Run a derivative of tensors, and see what it calls."""
    with eagerly(), calls:
        found = derivative(*inputs)
    parts = found if isinstance(found, tuple | list) else (found,)
    arrays = tuple(None if g is None else calls.to_host(g) for g in parts)
    return Watched(arrays, tuple(calls.calls), calls.complete, ruled=calls.ruled)


def duplicate(tensor: Tensor) -> Tensor:
    """A copy with the strides of the original, by which torch chooses kernels, gaps and repeats included."""
    once = tensor[tuple(slice(None if step else 1) for step in tensor.stride())]
    memory = torch.empty_strided(once.shape, once.stride(), dtype=tensor.dtype, device=tensor.device)
    return memory.copy_(once).expand(tensor.shape)


def _tangent(tensor: Tensor) -> Any:
    """Along what it moves; None if it does not."""
    with torch._C.DisableTorchFunction():
        known = forward_ad._current_level >= 0
        return unpack_dual(tensor).tangent if known else None  # type: ignore[no-untyped-call]


def _computes(func: Any, kwargs: Any) -> bool:
    name = getattr(func, "__name__", "")
    return not (name in MOVES or name in NOT_COMPUTING or _writes(func, kwargs))


def _writes(func: Any, kwargs: Any) -> bool:
    """Whether it writes its result into an operand."""
    name = getattr(func, "__name__", "")
    special = name.startswith("__")
    within = name.endswith("_") and not special and name != "requires_grad_"
    augmented = special and name[2:] in {f"i{op}__" for op in AUGMENTED}
    return within or augmented or name in {"__setitem__", "__set__"} or kwargs.get("out") is not None


def _is_torchs(func: Any) -> bool:
    """Whether torch itself has this function: operators may be anybody's."""
    if isinstance(func, OpOverload | OpOverloadPacket):
        return str(func).partition(".")[0] == "aten"
    return resolve_name(func) is not None


def _custom_nodes(args: Any) -> list[Any]:
    """The custom functions' nodes in the graph of these tensors."""
    waiting: list[Any] = [
        leaf.grad_fn for leaf in tree_leaves(args) if isinstance(leaf, Tensor) and leaf.grad_fn
    ]
    seen: dict[Any, None] = {}
    while waiting:
        node = waiting.pop()
        if node is not None and node not in seen:
            seen[node] = None
            waiting += [parent for parent, _ in node.next_functions]
    return [node for node in seen if isinstance(node, BackwardCFunction)]
