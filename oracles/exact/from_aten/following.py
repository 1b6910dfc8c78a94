"""A run of torch as autograd sees it: what of it would be differentiated, and what is held fixed."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from oracles.exact.from_aten.call import accumulated_in, gives_gradient, tensors_of, with_leaves
from oracles.exact.from_aten.lost_gradients import refuse_marked, refuse_without_gradient
from oracles.exact.from_aten.memory import REPLACED, Hold, Memory, innermost, is_leaf, is_moving, key_of
from oracles.exact.from_aten.replaced import refuse_replaced
from oracles.exact.from_aten.watch import Watch
from oracles.exact.program.complex import each_part, vars_of
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import detach, no_grad
from oracles.exact.program.program import Line, Var
from oracles.exact.program.recording import Recorder


class AutogradView(Watch):  # type: ignore[no-untyped-call]
    """Reads each tensor of a run as autograd would: held fixed where it would not be differentiated.

    That is a tensor that does not require grad (`detach`, `.data`), and all that runs under `no_grad`; but
    not what is inside the `forward` of a custom function, which is a forward like any.

    Attributes:
        moves: Whether the program will be differentiated; if not, nothing is held fixed.
        copies: Whether an argument of a custom function was copied, as no other run does.
        marks: What custom functions have marked as non-differentiable, and which of them.
        attached: The values that are held fixed, and that custom functions give a gradient (see `attached`).
        released: The first `detach` of the user's inside a custom function's forward of what moves; torch
            detaches what `torch.ones` makes there, too.
    """

    def __init__(self, moves: bool) -> None:
        super().__init__()
        self.recorder = Recorder()
        self.memory = Memory(self.recorder)
        self.moves = moves
        self.copies = False
        self.marks: dict[int, tuple[Tensor, str]] = {}
        self.attached: set[Var] = set()
        self.released: Line | None = None
        self._below: list[Tensor] | None = None
        self._lost: dict[int, str] = {}  # the operator without a gradient that made this memory
        self._held: set[Var] = set()  # what was read of these, though it moves with what is differentiated
        self._silent: dict[Var, str] = {}  # and went into something that autograd follows
        self._followed = self._entering = False  # whether autograd follows what is recorded; or may
        self._resolved: dict[int, tuple[Tensor, Tensor]] = {}  # written out below autograd, and lazily

    def read(self, tensor: Tensor) -> Any:
        """The value of a tensor, held fixed where autograd would not differentiate it."""
        if not self.moves:
            return self.memory.read(tensor)
        if torch.is_grad_enabled() and not self.depth:
            # What steps, or depends on a shape alone (`zeros_like`), is a constant.
            operator = self._lost.get(key_of(tensor))
            if operator and self._depends(self.memory.read(tensor)):
                refuse_without_gradient(operator)
        own = self._seen_by_autograd(tensor)
        if self.depth:
            refuse_replaced(own)
        seen = own.requires_grad and not self._begins_anew(own)
        seen = seen or self._is_below(tensor)
        free = self.depth or self.within or (torch.is_grad_enabled() and seen)
        var = self.memory.read(tensor, None if free else self._hold_of(seen))
        if not free and torch.is_grad_enabled() and id(tensor) in self.marks:
            self._read_marked(tensor, var)
        if own.requires_grad and is_leaf(own) and seen and free and var not in self.memory.live:
            raise Unsupported(REPLACED)
        return self._attached(var) if seen and free and key_of(own) in self.memory.returned else var

    def _attached(self, value: Any) -> Any:
        """The value of such a result, where it is read as that: others read that memory too."""
        if self._depends(value) or not any(map(self.recorder.is_held, vars_of(value))):
            return value
        self.notes.complete = False
        held = each_part(detach, value)
        self.attached.update(vars_of(held))
        return held

    def _hold_of(self, seen: bool) -> Hold:
        """How a tensor is held fixed that autograd follows (`seen`), or does not."""
        if not seen or torch.is_grad_enabled():
            return detach
        in_backward = torch._C._current_autograd_node() is not None and not self.within
        return partial(no_grad, in_backward=in_backward)

    def _begins_anew(self, tensor: Tensor) -> bool:
        """Whether another graph begins here: `x.detach().requires_grad_()`, a new Parameter."""
        base = tensor._base if tensor.requires_grad and tensor._base is not None else tensor
        if not (base.is_leaf and base.requires_grad) or any(base is t for t in self.leaves):
            return False
        whose = accumulated_in(base)
        return not any(whose is t for t in self.leaves)

    def _seen_by_autograd(self, leaf: Any) -> Any:
        """The tensor that autograd saw: torch writes out a lazy conjugate or negative below it."""
        return self._resolved[id(leaf)][1] if id(leaf) in self._resolved else leaf

    def _is_below(self, tensor: Tensor) -> bool:
        """Whether it is made in such a step."""
        return any(tensor is t for t in self._below or ())

    def _read_marked(self, tensor: Tensor, var: Any) -> None:
        """A marked tensor is read as that."""
        whole = self.memory.read(tensor)
        if self._depends(whole) or self.recorder.reach(vars_of(whole), self._held):
            self._held.update(vars_of(var))
            if self._followed:
                self._silent |= dict.fromkeys(vars_of(var), self.marks[id(tensor)][1])

    def mark(self, ctx: Any) -> None:
        """What a custom function's forward has marked as non-differentiable."""
        super().mark(ctx)
        name = type(ctx).__name__.removesuffix("Backward")
        marked = tensors_of(getattr(ctx, "non_differentiable", None) or ())
        self.marks |= {id(t): (t, name) for t in marked}

    def spread_marks(self, operands: list[Tensor], results: list[Tensor]) -> None:
        """What is made of a marked result is as that is."""
        by = next((self.marks[id(t)][1] for t in operands if id(t) in self.marks), "")
        self.marks |= {id(t): (t, by) for t in results if by}

    def attach(self, operands: list[Tensor], results: list[Tensor]) -> None:
        """Those that move, and have no derivative: they step, or move with what was held fixed before."""
        unseen = (t for t in map(innermost, operands) if is_moving(t) and not t.requires_grad)
        if not self.moves or self.depth or not any(map(self.memory.knows, unseen)):
            return
        for tensor in map(innermost, results):
            store = self.memory.stores.get(key_of(tensor)) if is_moving(tensor) else None
            if store is None or store.var is None or self._depends(store.var):
                continue
            if not all(map(self.recorder.is_fixed, vars_of(store.var))):
                self.memory.returned.add(key_of(tensor))

    def _release(self, tensor: Tensor) -> None:
        """A tensor is detached where that is nothing: what moves, moves on."""
        if self.moves and self.released is None and self.memory.knows(tensor):
            self.released = self.place if self._depends(self.memory.read(tensor)) else None

    def entering_forward(self, value: Any) -> Any:
        """In a custom function's forward `detach` is nothing; what comes detached is copied on its way in."""
        if not self.moves or self.depth:
            return value
        if isinstance(value, Tensor) and is_moving(value) and not (own := innermost(value)).requires_grad:
            store = self.memory.stores.get(key_of(own))
            if store is not None and store.live:
                self.copies = self._entering = True
                try:
                    with torch.enable_grad():  # it is read before the forward begins
                        return value.clone()
                finally:
                    self._entering = False
        return value

    def _is_tracked(self, tensors: list[Tensor]) -> bool:
        """Whether autograd follows an operator on these."""
        tracked = not self.moves or self.depth > 0
        tracked = tracked or (
            torch.is_grad_enabled() and any(self._seen_by_autograd(t).requires_grad for t in tensors)
        )
        self._followed = tracked or self._entering
        return tracked

    def _follow(self, args: Any, results: Any) -> None:
        """Forward mode adds a made-up zero to x by working out the shape alone and then copying x.

        Autograd sees the sum and not these steps, so what they make does not require grad, but counts. They
        are the operators after one without data, each working on what the last one gave.
        """
        if self._below is not None:
            goes_on = not self._below or any(t is b for t in tensors_of(args) for b in self._below)
            self._below = self._below + tensors_of(results) if goes_on else None

    def _note_lost(
        self, func: Any, args: Any, kwargs: Any, results: list[Tensor], changed: list[Tensor], tracked: bool
    ) -> None:
        """What an operator made that autograd follows, and has no gradient of."""
        for tensor in changed:
            self._lost.pop(key_of(tensor), None)
        follows = self.moves and tracked and not (self.depth or changed)
        follows = follows and any(map(is_moving, results))
        if self._resolved:
            args, kwargs = with_leaves(self._seen_by_autograd, (args, kwargs))
        if follows and not gives_gradient(func, args, kwargs):
            self._lost |= {key_of(t): str(func._schema.name).replace("::", ".") for t in results}

    def _refuse_marked(self, outputs: list[Var]) -> None:
        refuse_marked(self.recorder, self._silent, outputs)

    def _counts_unfollowed(self, tensors: list[Tensor]) -> bool:
        """Whether something counts that autograd does not follow."""
        return any(self._counts(t) for t in tensors if not (t.requires_grad or self._is_below(t)))

    def _counts(self, tensor: Tensor) -> bool:
        """Whether a tensor moves with what is differentiated, and autograd could follow it."""
        store = self.memory.stores.get(key_of(tensor)) if is_moving(tensor) else None
        return store is not None and store.live and self._depends(self.memory.read(tensor))

    def _depends(self, value: Any) -> bool:
        return any(map(self.recorder.depends, vars_of(value)))
