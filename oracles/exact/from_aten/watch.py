"""Runs a function of tensors, operator by operator, and notes what would stand fixed in its record.

And where it stands: on which line of the user's, and in the forward of a custom function or not.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Container, Iterator, Sequence
from functools import cache, update_wrapper, wraps
from types import CodeType, FrameType
from typing import Any, TypeAlias, TypeVar

import torch
from torch import Tensor
from torch.autograd import Function
from torch.autograd.function import FunctionMeta, once_differentiable
from torch.utils._python_dispatch import _get_current_dispatch_mode, _pop_mode_temporarily
from torch.utils._pytree import tree_leaves

from oracles.exact.from_aten.call import BLANK, HIDDEN_WRITES, base_of, tensors_of, written
from oracles.exact.from_aten.memory import has_memory, key_of, mark_of, numbers, whole_of
from oracles.exact.from_aten.mode import DispatchMode, eagerly, handed_on
from oracles.exact.from_aten.notes import Notes, digest
from oracles.exact.from_aten.quasirandom import engines_apart
from oracles.exact.from_aten.sparse import has_own_layout, memories
from oracles.exact.program.errors import Opaque, Unsupported, uncaught
from oracles.exact.program.program import Line
from oracles.exact.program.user_modules import OURS

_OWN = (os.path.dirname(torch.__file__) + os.sep, *OURS, contextlib.__file__)


RETURNED = "returned"
R = TypeVar("R")
Tree: TypeAlias = Callable[[list[Any]], Any]  # makes an argument of its leaves
_one_at_a_time = threading.RLock()  # two records would take each other's wrapping for torch's own


def begins(leaves: Sequence[Any]) -> None:
    """A run that is watched is told where the graph of a gradient begins."""
    mode = _get_current_dispatch_mode()
    if isinstance(mode, Watch):
        mode.leaves += tensors_of(leaves)


def noted(result: Any) -> None:
    """A run that is watched is told what the function returned whose gradient it goes on to."""
    mode = _get_current_dispatch_mode()
    if isinstance(mode, Watch):
        with _pop_mode_temporarily():
            mode.returned(result)


def where() -> Line:
    """The user's line that is running: the innermost outside torch and this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    return Line(frame.f_code.co_filename, frame.f_lineno, frame.f_lasti)


def place_within(outermost: CodeType) -> Line | None:
    """Likewise of what was called from `outermost`; None if nothing of it is the user's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code is not outermost:
        if not frame.f_code.co_filename.startswith(_OWN):
            return Line(frame.f_code.co_filename, frame.f_lineno, frame.f_lasti)
        frame = frame.f_back
    return None


@contextlib.contextmanager
def differentiated(mode: Any) -> Iterator[None]:
    """Count how deep the run is inside custom functions' forwards, and derivatives that are differentiated.

    Wrapping `apply` would miss references to it that were bound before; but torch reads `forward` and
    `backward` from the class each time, so they are wrapped as they are read, whichever class it is and
    whenever that was made. Other threads read them as they are.
    """
    plain, thread = type.__getattribute__, threading.get_ident()
    with _one_at_a_time:
        outer = vars(FunctionMeta).get("__getattribute__", plain)  # of a record that this one is made in

        def reading(cls: type, name: str) -> Any:
            found = outer(cls, name)
            counts = _WRAPPED.get(name)
            if counts is None or found is plain(Function, name) or threading.get_ident() != thread:
                return found
            return counts(found, mode)

        FunctionMeta.__getattribute__ = reading  # type: ignore[assignment]
        try:
            yield
        finally:
            if outer is plain:
                del FunctionMeta.__getattribute__
            else:
                FunctionMeta.__getattribute__ = outer  # type: ignore[method-assign]


class InPlaceOf:
    """What is called in place of a `forward`: torch looks keywords of `apply` up in the code of that."""

    def __init__(self, forward: Callable[..., Any], call: Callable[..., Any]):
        update_wrapper(self, forward)
        self._call = call
        if hasattr(forward, "__code__"):
            self.__code__ = forward.__code__

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What is called instead."""
        return self._call(*args, **kwargs)


def _counted(forward: Callable[..., Any], mode: Any) -> Callable[..., Any]:
    def counted(*args: Any, **kwargs: Any) -> Any:
        fresh = tuple(mode.entering_forward(a) for a in args)
        mode.depth += 1
        try:
            result = forward(*fresh, **kwargs)
        finally:
            mode.depth -= 1
        mode.mark(args[0] if args else None)
        mode.spread_marks(tensors_of(args), tensors_of(result))
        mode.attach(tensors_of(args), tensors_of(result))
        return result

    return InPlaceOf(forward, counted)


def _marking(setup_context: Callable[..., Any], mode: Any) -> Callable[..., Any]:
    @wraps(setup_context)
    def marking(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        mode.depth += 1  # what it computes and keeps has no history, as in `forward`
        try:
            result = setup_context(ctx, *args, **kwargs)
        finally:
            mode.depth -= 1
        mode.mark(ctx)
        return result

    return marking


def _watched(backward: Callable[..., Any], mode: Any) -> Callable[..., Any]:
    @wraps(backward)
    def watched(*args: Any, **kwargs: Any) -> Any:
        again = torch.is_grad_enabled()  # create_graph=True: its own derivative is needed
        mode.within += again
        if again and getattr(backward, "__code__", None) is _ONCE:
            mode.once[".".join(backward.__qualname__.split(".")[-2:-1]) or "a custom function"] = None
        try:
            found = backward(*args, **kwargs)
            if again:
                mode.given_by_rule(tensors_of(found))
            return found
        finally:
            mode.within -= again

    return watched


_WRAPPED = {
    "forward": _counted,
    "setup_context": _marking,
    **dict.fromkeys(("backward", "vjp", "jvp"), _watched),
}
_ONCE = once_differentiable(lambda ctx: None).__code__


class Watch(DispatchMode):
    """Sees every operator below autograd, with real tensors in its hands; Python code runs as it always does.

    Memory from outside that the run changes (buffers of batch norm, counters) is put back in the end.

    Attributes:
        lines: What each operator was given and gave (see `notes`), in which modes, and the user's line.
        exact: What tells whole numbers that were made of whole numbers: a record may hold them as they are.
        notes: What tells tensors.
        place: The user's line whose operator runs; of a backward kernel, the line whose derivative it is.
        depth: How deep the run is inside the `forward`s of custom functions, or their `setup_context`s.
        within: Likewise inside `backward`s and `jvp`s that are differentiated themselves.
        once: The functions among those whose `backward` is for one derivative alone (once_differentiable).
        parts: The memory of those arguments that are views of a larger tensor, which is not copied.
        executed: The numbers that the run returned, where it is `checked` (see `notes`).
        saved: The memory from outside that the run has changed, and what it was before.
    """

    def __init__(self, checked: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.lines: list[tuple[Any, ...]] = []
        self.exact: list[bytes] = []
        self.notes = Notes(checked)
        self.place: Line | None = None
        self.depth = self.within = 0
        self.once: dict[str, None] = {}
        self.parts: set[int] = set()
        self.executed: tuple[Any, ...] = ()
        self._blank: dict[int, int] = {}  # memory from `empty` that nothing wrote, with its checksum
        self.saved: list[tuple[Tensor, Tensor]] = []
        self.leaves: list[Tensor] = []  # where what is differentiated begins
        self._places: dict[int, Line | None] = {}  # the user's lines, by the number of autograd's nodes

    def run(
        self,
        function: Callable[..., Any],
        leaves: list[list[Any]],
        trees: list[Tree],
        named: Any,
        differentiated: bool = True,
    ) -> Any:
        """Call the function on fresh tensors, in torch's default mode.

        Whichever mode the caller is in: a function that is differentiated runs as it would then.
        """
        with self.arguments(leaves, trees, differentiated) as args:
            result = self.within_it(lambda: function(*args, **named))
            with followed():
                return self.end(result)

    @contextlib.contextmanager
    def arguments(
        self, leaves: list[list[Any]], trees: list[Tree], differentiated: bool = True
    ) -> Iterator[list[Any]]:
        """What a function is called on, before other arguments if there are any.

        Floating ones require grad where it is `differentiated`. A gradient is called on tensors that do not,
        and gets a cotangent that does not: a backward may ask.
        """
        with torch.inference_mode(False), torch.enable_grad(), eagerly():
            fresh = [[_fresh(leaf, differentiated) for leaf in own] for own in leaves]
            pairs = zip(tensors_of(leaves), tensors_of(fresh), strict=True)
            self.parts |= {key_of(copy) for leaf, copy in pairs if is_part(leaf)}
            with self.notes.arriving(len(tensors := tensors_of(fresh))):
                for tensor in tensors:
                    self.begin(tensor)
            try:
                yield [tree(own) for own, tree in zip(fresh, trees, strict=True)]
            finally:
                with torch.no_grad():
                    for tensor, before in self.saved:
                        tensor.copy_(before)

    def within_it(self, call: Callable[[], R]) -> R:
        """What a call gives, seen."""
        with explained(), uncaught(), differentiated(self), engines_apart(), self:
            return call()

    def begin(self, tensor: Tensor) -> None:
        """An argument."""
        self.leaves.append(tensor)
        self._keep([tensor])

    def end(self, result: Any) -> Any:
        """What the run returns."""
        tensors = self.returned(result)
        if self.notes.checked:  # now, while what the run has written stands there
            self.executed = tuple(map(numbers, tensors))
        return result

    def returned(self, result: Any) -> list[Tensor]:
        """Note what the run gives, or the function whose gradient it is; all tensors in it."""
        tensors = tensors_of(tree_leaves(result))
        self.lines.append((RETURNED, self.notes.told(tensors)))
        return tensors

    def entering_forward(self, value: Any) -> Any:
        """An argument as a custom function's forward gets it."""
        return value

    def given_by_rule(self, gradients: list[Tensor]) -> None:
        """What a custom derivative gives that is differentiated itself."""

    def mark(self, ctx: Any) -> None:
        """The context of a custom function whose forward has run, if it has one."""
        if getattr(ctx, "non_differentiable", None):
            self.notes.complete = False

    def spread_marks(self, operands: list[Tensor], results: list[Tensor]) -> None:
        """A custom function has made these results of these operands."""

    def attach(self, operands: list[Tensor], results: list[Tensor]) -> None:
        """A custom function returns these results of these operands, and says what their gradient is."""

    def apply(self, func: Any, args: Any, kwargs: Any, changed: list[Tensor]) -> Any:
        """Run one operator, which will change these tensors."""
        return handed_on(func, args, kwargs)

    def forget(self, key: int) -> None:
        """Memory that turns out to be filled from outside."""
        del self.notes.made[key], self._blank[key]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, notes = kwargs or {}, self.notes
        writes, is_random, is_blank = _about(func)
        changed = written(func, args, kwargs) if writes else []
        self.place = self._place()
        if self._blank:
            self._fill(tensors_of((args, kwargs)))
        modes = torch.is_grad_enabled(), torch.is_inference_mode_enabled(), self.depth, self.within
        given = notes.given(args, kwargs)
        operands, keys = notes.operands, notes.keys
        saved = notes.told(self._save(changed)) if changed else ()
        results = self.apply(func, args, kwargs, changed)
        found = tensors_of(results)
        self._keep(found, keys)
        if changed:
            self._keep(changed)
            for tensor in changed:
                self._blank.pop(key_of(tensor), None)
        if is_random:
            notes.complete = False
        if is_blank:
            self._blank |= {key_of(t): mark_of(memories(t)[0]) for t in found}
        self.exact += [digest(t) for t in self._exact(operands, found)]
        returned = notes.told(results if isinstance(results, (tuple, list)) else (results,))
        self.lines.append((func, modes, given, saved, returned, self.place))
        return results

    def _place(self) -> Line | None:
        here = place_within(Watch.within_it.__code__)
        node: Any = torch._C._current_autograd_node()
        if node is not None:
            return here or self._places.get(node._sequence_nr())
        self._places[torch._C._autograd._get_sequence_nr() - 1] = here
        return here

    def _fill(self, operands: Sequence[Tensor]) -> None:
        """What is blank no more, but was filled by no operator: C++'s at::tensor does so."""
        for tensor in operands:
            key = key_of(tensor)
            if key in self._blank and self._blank[key] != mark_of(memories(tensor)[0]):
                self.forget(key)

    def _exact(self, operands: Sequence[Tensor], found: Sequence[Tensor]) -> Sequence[Tensor]:
        """Whole numbers made of whole numbers."""
        for tensor in (*operands, *found):
            if tensor.is_floating_point() or tensor.is_complex():
                return ()
        return [t for t in found if has_memory(t) and key_of(t) not in self._blank]

    def _keep(self, tensors: Sequence[Tensor], but: Container[int] = ()) -> None:
        """What an operator returns was made in the run, `but` for views of what was there before."""
        for tensor in tensors:
            if has_memory(tensor) or has_own_layout(tensor):
                self.notes.make(tensor, but)

    def _save(self, changed: Sequence[Tensor]) -> list[Tensor]:
        """What is to be put back: memory from outside, of which all becomes known."""
        found = [whole_of(t) for t in changed if has_memory(t) and key_of(t) not in self.notes.made]
        self.saved += [(whole, whole.clone()) for whole in found]
        return found


@contextlib.contextmanager
def followed() -> Iterator[None]:
    """As autograd follows what is done: the function may have left that off."""
    with explained(), torch.enable_grad():
        yield


@cache
def _about(func: Any) -> tuple[bool, bool, bool]:
    """Whether an operator may write into an argument, draws random numbers, and leaves its result blank."""
    writes = func._schema.is_mutable or base_of(func) in HIDDEN_WRITES
    return writes, torch.Tag.nondeterministic_seeded in func.tags, base_of(func) in BLANK


def is_part(leaf: Tensor) -> bool:
    """Whether it is a view of a larger tensor."""
    return has_memory(leaf) and leaf.untyped_storage().nbytes() > leaf.numel() * leaf.element_size()


def _fresh(leaf: Any, differentiated: bool) -> Any:
    """A copy of an argument; a floating one requires grad where it is differentiated."""
    if not isinstance(leaf, Tensor):
        return leaf
    copy = laid_out(leaf.detach())
    return copy.requires_grad_() if differentiated and copy.is_floating_point() else copy


def laid_out(tensor: Tensor) -> Tensor:
    """A copy with the strides of the tensor: kernels are chosen by them. Shared elements get memory each."""
    if tensor.layout != torch.strided or tensor.is_contiguous() or not tensor.numel():
        return tensor.clone()
    places = sum(((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True)), 1)
    seen = torch.zeros(places, dtype=torch.bool)
    seen.as_strided(tensor.shape, tensor.stride()).fill_(True)
    if int(seen.sum()) < tensor.numel():
        return tensor.clone()
    memory = torch.zeros(places, dtype=tensor.dtype, device=tensor.device)
    return memory.as_strided(tensor.shape, tensor.stride()).copy_(tensor)


class _Explained:
    """A context that is entered some twenty times in a check, so it is no generator."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, RuntimeError):
            return
        text = str(error)
        meaning = next((said for parts, said in MEANINGS if all(part in text for part in parts)), "")
        if meaning:
            raise (Opaque if meaning == LEAVES else Unsupported)(f"{meaning} ({text})") from None


_EXPLAINED = _Explained()


def explained() -> _Explained:
    """Say what torch's message means here, where it refuses what is no fault of the gradient.

    Raises:
        Unsupported: It does.
    """
    return _EXPLAINED


LEAVES = "the function leaves torch through .numpy(); use torch's operators"
REENTRANT = (
    "this checkpoint works with .backward() alone; torch.utils.checkpoint with use_reentrant=False has the "
    "same gradient"
)
MEANINGS = (
    (
        ("leaf Variable that requires grad", "in-place"),
        "the function changes its input in place; let it work on a clone",
    ),
    (("numpy() on Tensor that requires grad",), LEAVES),
    (
        ("nference tensor",),
        "the function uses a tensor that was made in inference mode, which has no derivative; make it "
        "outside of torch.inference_mode(), or clone it there",
    ),
    (("use_reentrant=True", "incompatible with .grad()"), REENTRANT),
    (("not compatible with .grad()",), REENTRANT),
    (("implement the jvp function",), "forward mode needs a jvp, which a custom function here lacks"),
    (("use forward AD with", "does not support it"), "torch has no forward derivative of this"),
    (("_jvp_", "not implemented for"), "torch has no forward derivative of this"),  # in this dtype
    (("derivative for", "is not implemented"), "torch has no derivative of this"),
    (("_backward_", "not implemented for"), "torch has no derivative of this"),
    (
        ("modified by an inplace operation",),
        "torch refuses: something that this derivative needs was written into meanwhile",
    ),
)
