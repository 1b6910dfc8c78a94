"""What torch's tensors look at while a function is recorded: the memory, and what it holds as equations.

A tensor is a view: a map of positions into the memory it shares with others. So an operator that only makes
a view needs no rule, and an in-place operator writes the memory, whatever views there are of it. Memory that
nothing recorded has written is a constant.
"""

from __future__ import annotations

import ctypes
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from oracles.exact.from_aten import sparse
from oracles.exact.from_aten.sparse import BlockedMemory, has_own_layout, is_sparse, memories
from oracles.exact.program import complex as cx
from oracles.exact.program.complex import OF_PARTS, REAL, Complex, each_part
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import detach
from oracles.exact.program.primitives.arrays import concatenate, permute, reshape, reshape_, take
from oracles.exact.program.program import FLOATS, Array, Builder, Var

Value: TypeAlias = Var | Complex
Hold: TypeAlias = Callable[[Var], Var]  # `detach`, or what reverse mode alone does not move
Memorized: TypeAlias = torch.UntypedStorage | BlockedMemory
REPLACED = "autograd follows this tensor, the record does not (was its .data replaced?)"
FREED = "this tensor's memory was freed (resize_(0)?): read it before, or once it is filled again"
_NO_VALUE = "this tensor was resized, or is a result of an operator whose rule gives it no exact value"


@dataclass(slots=True)
class Store:
    """One piece of memory: its elements as a flat `Var`, and whether autograd follows them.

    Of a sparse or mkldnn tensor it is the memory of its values, and the `Var` is the dense tensor.
    """

    storage: Memorized  # held, so that its address stays its own
    dtype: torch.dtype
    var: Value | None  # None: a result without an exact value
    live: bool
    mark: int


class Memory:
    """Every piece of memory that a recorded operator has written.

    Attributes:
        live: The values read or made so far that autograd follows: they may depend on an input.
        inputs: The memory of the inputs, which nothing may change.
        holds: Whether something that moves was read, or written, as held fixed.
        returned: That of what custom functions return and the record holds fixed: they say what its gradient
            is, so that autograd follows it.
    """

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.stores: dict[int, Store] = {}
        self.live: set[Value] = set()
        self._outside: dict[Any, tuple[Array, Value]] = {}
        self.inputs: set[int] = set()
        self.holds = False
        self.returned: set[int] = set()
        self._held: list[list[Any]] = []  # what tensors of their own layout store: its addresses stay its own

    def knows(self, tensor: Tensor) -> bool:
        """Whether something recorded wrote this tensor's memory."""
        return key_of(tensor) in self.stores

    def read(self, tensor: Tensor, hold: Hold | None = None) -> Any:
        """The value of a tensor, complex ones as pairs; what moves is held fixed by `hold`."""
        if tensor.is_conj() or tensor.is_neg():
            return self._read_lazily(tensor, hold)
        store, own = self.stores.get(key_of(tensor)), has_own_layout(tensor)
        if store is None:
            return self._constant(tensor)
        if store.dtype != tensor.dtype and tensor.layout == torch.strided:
            self._as_dtype(store, tensor.dtype)
        if store.dtype != tensor.dtype or not (tensor.layout == torch.strided or own):
            raise Unsupported(f"a {tensor.layout} view as {tensor.dtype} of {store.dtype} has no exact value")
        if store.mark != mark_of(store.storage):
            raise Unsupported(
                "a tensor's memory was changed outside torch (through .numpy()?); use torch's operators there"
            )
        if store.var is None or store.var.size != (tensor.numel() if own else _count(tensor)):
            raise Unsupported(_NO_VALUE)
        lost = tensor.requires_grad and not is_leaf(tensor) and not store.live and store.var.is_float
        if lost and key_of(tensor) not in self.returned:
            raise Unsupported(REPLACED)
        var = store.var if own else each_part(lambda part: _view(part, tensor), store.var)
        if store.live and var.is_float:
            if hold is not None:
                self.holds = True
                return each_part(hold, var)
            self.live.add(var)
        return var

    def _read_lazily(self, tensor: Tensor, hold: Hold | None) -> Any:
        """A view that stands for the conjugate, or the negative, of what is in memory."""
        conjugated, negative = tensor.is_conj(), tensor.is_neg()
        plain = torch._conj(tensor) if conjugated else tensor
        plain = torch._neg_view(plain) if negative else plain
        found = self.read(plain, hold)
        value = cx.conj(found) if conjugated else found
        value = -value if negative else value
        if found in self.live:
            self.live.add(value)
        return value

    def _as_dtype(self, store: Store, dtype: torch.dtype) -> None:
        """Memory of complex numbers is memory of real ones, two each."""
        name, own = str(dtype).removeprefix("torch."), str(store.dtype).removeprefix("torch.")
        if REAL.get(own) == name and isinstance(store.var, Complex):
            both = concatenate([reshape(v, (v.size, 1)) for v in (store.var.re, store.var.im)], 1)
            store.var = reshape(both, (both.size,))
        elif OF_PARTS.get(own) == name and isinstance(store.var, Var) and store.var.size % 2 == 0:
            store.var = Complex(store.var[0::2], store.var[1::2])
        else:
            return
        store.dtype = dtype
        if store.live:
            self.live.add(store.var)

    def create(self, tensor: Tensor, var: Value | None) -> None:
        """A new tensor with this value (None: with one that no rule knows); it may be lazy, too."""
        if var is not None and (tensor.is_conj() or tensor.is_neg()):
            stored = cx.conj(var) if isinstance(var, Complex) and tensor.is_conj() else var
            stored = -stored if tensor.is_neg() else stored
            if var in self.live:
                self.live.add(stored)
            var = stored
        if has_own_layout(tensor):
            storage, *_ = held = memories(tensor)
            self._held.append(held)
            self.stores[key_of(tensor)] = Store(
                storage, tensor.dtype, var, var in self.live, mark_of(storage)
            )
            return
        storage = tensor.untyped_storage()
        flat = None if var is None else each_part(lambda part: _flat(part, tensor, _count(tensor)), var)
        self.stores[key_of(tensor)] = Store(storage, tensor.dtype, flat, var in self.live, mark_of(storage))

    def prepare_write(self, tensor: Tensor, overwrites: bool) -> None:
        """Before an operator writes a tensor in place: memory from outside becomes known.

        Memory that was freed, and allocated anew, or that something else wrote, is known again as what
        `overwrites` all of it.
        """
        if is_sparse(tensor):
            raise Unsupported("a sparse tensor is written in place: not yet; make a new one")
        if has_own_layout(tensor) and not self.knows(tensor):
            raise Unsupported("an mkldnn tensor from outside is written in place: not yet; make a new one")
        if overwrites and self._is_lost(tensor):
            self.create(tensor, constant(self.builder, np.zeros(tensor.shape), name_of(tensor.dtype)))
            self.inputs.discard(key_of(tensor))
        if key_of(tensor) in self.inputs:
            raise Unsupported("the function changes its input in place; let it work on a clone")
        if key_of(tensor) not in self.stores:
            whole = whole_of(tensor)
            self.create(whole, self._constant(whole))

    def _is_lost(self, tensor: Tensor) -> bool:
        """Whether all memory of a tensor is something else than what was recorded."""
        store = self.stores.get(key_of(tensor))
        if store is None or has_own_layout(tensor) or tensor.numel() != _count(tensor):
            return False
        return store.mark != mark_of(store.storage)

    def write(self, tensor: Tensor, var: Value | None, tracked: bool) -> None:
        """A tensor gets this value in place. Where autograd is not told, the derivative stays as it was."""
        store = self.stores[key_of(tensor)]
        if store.dtype != tensor.dtype:
            self._as_dtype(store, tensor.dtype)
        if (
            store.var is None
            or var is None
            or store.dtype != tensor.dtype
            or tensor.is_neg()
            or tensor.is_conj()
        ):
            raise Unsupported(_NO_VALUE)
        old, count, live = store.var, store.var.size, var in self.live
        resized = not has_own_layout(tensor) and _count(tensor) != count
        if resized and (tensor.numel() != _count(tensor) or (store.live and not tracked)):
            raise Unsupported(_NO_VALUE)
        if has_own_layout(tensor):
            new = var
        elif tensor.numel() == _count(tensor):
            new = each_part(lambda part: _flat(part, tensor, tensor.numel()), var)
        else:
            where = np.arange(count)
            where[_positions(tensor, count).ravel()] = np.arange(count, count + var.size)

            def inside(memory: Var, part: Var) -> Var:
                return take(concatenate([memory, reshape(part, (part.size,))], 0), where)

            new = each_part(inside, old, var)
            live = live or store.live
        if store.live and not tracked and new.is_float:
            self.holds = True
            new, live = each_part(lambda v, w: v + detach(w - v), old, new), True
        store.var, store.live, store.mark = new, live, mark_of(store.storage)

    def _constant(self, tensor: Tensor) -> Value:
        values = numbers(tensor)
        layout = () if has_own_layout(tensor) else (tensor.storage_offset(), tensor.stride())
        key = (key_of(tensor), *layout, tensor.shape, tensor.dtype)
        before = self._outside.get(key)
        if before is not None and np.array_equal(before[0], values, equal_nan=values.dtype.kind in "fc"):
            return before[1]
        self._outside[key] = values, constant(self.builder, values, name_of(tensor.dtype))
        return self._outside[key][1]


def constant(builder: Builder, values: Array, dtype: str) -> Any:
    """A constant, of complex numbers too."""
    if dtype in REAL:
        return cx.constant(builder, values, dtype, constant)
    return builder.constant(values, dtype)


def numbers(tensor: Tensor) -> Array:
    """The numbers of a tensor, exactly: floating ones as float64, a sparse tensor's as a dense one's.

    torch copies them: memory that an array looks at can be freed no more, and the user's code may free it.
    """
    tensor = sparse.dense(tensor)
    refuse_strange(tensor)
    if tensor._is_zerotensor():
        return np.zeros(tensor.shape)
    if is_freed(tensor):
        raise Unsupported(FREED)
    wide = torch.float64 if tensor.is_floating_point() else tensor.dtype
    wide = torch.complex128 if tensor.is_complex() else wide
    return np.asarray(tensor.detach().to("cpu", wide, copy=True).numpy(force=True))


def refuse_strange(tensor: Tensor) -> None:
    """Raise for a tensor whose numbers nothing here reads.

    Raises:
        Unsupported: It is `strange`.
    """
    if kind := strange(tensor):
        raise Unsupported(f"{kind}: not yet; pass real, dense tensors")


def strange(tensor: Tensor) -> str:
    """What kind of a tensor it is whose memory is not its numbers one by one; "" for others."""
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.dtype == torch.complex32:
        return f"complex numbers in half precision (shape {tuple(tensor.shape)})"
    if tensor.is_quantized:
        return f"a quantized tensor ({tensor.dtype})"
    if tensor.layout != torch.strided:
        return f"a {tensor.layout} tensor (shape {tuple(tensor.shape)})"
    return ""


@cache
def name_of(dtype: torch.dtype) -> str:
    """torch.float64 is "float64".

    Raises:
        Unsupported: It is floating and none that is known: of eight bits or fewer.
    """
    name = str(dtype).removeprefix("torch.")
    if dtype.is_floating_point and name not in FLOATS:
        raise Unsupported(f"{name}: not yet; known are {', '.join(sorted(FLOATS))}")
    return name


def is_moving(tensor: Tensor) -> bool:
    """Whether it can be differentiated: it holds real or complex floating numbers."""
    return tensor.is_floating_point() or tensor.is_complex()


def is_floating_tensor(leaf: Any) -> bool:
    """Whether it is a tensor of real floating numbers."""
    return isinstance(leaf, Tensor) and leaf.is_floating_point()


def is_leaf(tensor: Tensor) -> bool:
    """Whether autograd's graph begins, or ends, with it, as torch says where it can.

    It raises for a view that it will not follow, since its base was written in place: one made under no_grad,
    by a custom function, or as one of several. Such a view requires grad as its base does, so it is no leaf;
    where autograd follows nothing, in a backward as it runs, it is a tensor like any.
    """
    try:
        return tensor.is_leaf
    except RuntimeError:
        return False


def has_memory(tensor: Tensor) -> bool:
    """Not so for sparse and mkldnn tensors, and for the zeros and bare shapes that torch.func makes up."""
    return tensor.layout == torch.strided and not tensor._is_zerotensor() and not tensor.is_meta


def is_freed(tensor: Tensor) -> bool:
    """Whether its memory was given back, as by a custom function whose backward computes it again."""
    return has_memory(tensor) and tensor.numel() > 0 and not tensor.untyped_storage().nbytes()


def innermost(tensor: Tensor) -> Tensor:
    """What operators get of a tensor that torch.func has wrapped, once for each transform; else itself."""
    while torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        tensor = torch._C._functorch.get_unwrapped(tensor)
    return tensor


def key_of(tensor: Tensor) -> int:
    """The name of a tensor's memory."""
    if has_own_layout(tensor):  # views of the same values may have other places
        cells = [
            part.data_ptr() if isinstance(part, BlockedMemory) else part._cdata for part in memories(tensor)
        ]
        return hash((str(tensor.layout), tuple(tensor.shape), *cells))
    if not has_memory(tensor):
        return -id(tensor)
    return int(tensor.untyped_storage()._cdata)


def mark_of(storage: Memorized) -> int:
    """A checksum of the bytes, to notice that something else wrote them."""
    size = storage.nbytes()
    return zlib.crc32((ctypes.c_char * size).from_address(storage.data_ptr())) if size else 0


def _count(tensor: Tensor) -> int:
    return tensor.untyped_storage().nbytes() // tensor.element_size()


def whole_of(tensor: Tensor) -> Tensor:
    """All of the memory a tensor looks at."""
    return torch.as_strided(tensor.detach(), (_count(tensor),), (1,), 0)


def _positions(tensor: Tensor, count: int) -> Array:
    """Where in its memory each element of a tensor lies."""
    ends = sum((n - 1) * s for n, s in zip(tensor.shape, tensor.stride(), strict=True))
    if tensor.numel() and tensor.storage_offset() + ends >= count:
        raise Unsupported(_NO_VALUE)
    grid = torch.arange(count).as_strided(tensor.shape, tensor.stride(), tensor.storage_offset())
    return np.asarray(grid.numpy())


def _order(tensor: Tensor, count: int) -> list[int] | None:
    """The order of the axes in which a tensor is all of its memory, None if it is not."""
    if tensor.numel() != count:
        return None
    if tensor.is_contiguous():  # as most are
        return list(range(tensor.ndim))
    strides = tensor.stride()
    axes = sorted(range(tensor.ndim), key=lambda a: (-strides[a], -tensor.shape[a]))
    return axes if tensor.permute(axes).is_contiguous() else None


def _view(flat: Var, tensor: Tensor) -> Var:
    """The elements of the memory that a tensor looks at."""
    repeated = [stride == 0 and n > 1 for stride, n in zip(tensor.stride(), tensor.shape, strict=True)]
    if any(repeated):
        once = tensor.detach()[tuple(slice(0, 1) if r else slice(None) for r in repeated)]
        return flat.builder.broadcast(_view(flat, once), tuple(tensor.shape))
    axes = _order(tensor, flat.size)
    if axes is None:
        return take(flat, _positions(tensor, flat.size))
    shape = tuple(tensor.shape[a] for a in axes)
    definition = flat.builder.definitions.get(flat)
    if definition is not None and definition.primitive is reshape_ and definition.operands[0].shape == shape:
        straight = definition.operands[0]  # as it was before it became memory
    else:
        straight = reshape(flat, shape)
    return permute(straight, [axes.index(a) for a in range(tensor.ndim)])


def _flat(var: Var, tensor: Tensor, count: int) -> Var:
    """The memory that a tensor with this value looks at; zero where the tensor does not look."""
    axes = _order(tensor, count)
    if axes is not None:
        return reshape(permute(var, axes), (count,))
    where = np.full(count, -1)
    where[_positions(tensor, count).ravel()] = np.arange(var.size)
    return take(var, where)
