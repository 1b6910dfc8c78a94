"""JAX's primitives that read or write at positions: all are `take` and `scatter_add` with computed positions.

The dimension numbers of gather and scatter are those of XLA (openxla.org/stablehlo/spec, "gather").
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from oracles.exact.from_jaxpr.call import Eqn, Rule, constant
from oracles.exact.program import complex as cx
from oracles.exact.program import functions as f
from oracles.exact.program.complex import Complex
from oracles.exact.program.errors import Unsupported
from oracles.exact.program.primitives import compare, convert, select
from oracles.exact.program.primitives.arrays import concatenate, permute, reshape, scatter_add, take
from oracles.exact.program.program import FLOATS, Array, Var


def _strides(shape: Sequence[int]) -> list[int]:
    return [int(np.prod(shape[i + 1 :], dtype=int)) for i in range(len(shape))]


def _grid(shape: Sequence[int], sizes: Sequence[int]) -> Array:
    """The positions of a window of these sizes at the origin of an array."""
    return np.arange(int(np.prod(shape, dtype=int))).reshape(shape)[tuple(map(slice, sizes))]


# -- gather and scatter -----------------------------------------------------------------------------------


class _Windows:
    """Which axes of the indices and the windows belong to which axes of the array, for gather and scatter."""

    def __init__(self, numbers: Any) -> None:
        gathers = hasattr(numbers, "offset_dims")
        self.offset = numbers.offset_dims if gathers else numbers.update_window_dims
        self.gone = numbers.collapsed_slice_dims if gathers else numbers.inserted_window_dims
        self.map = numbers.start_index_map if gathers else numbers.scatter_dims_to_operand_dims
        batch = numbers.start_indices_batching_dims if gathers else numbers.scatter_indices_batching_dims
        self.batch = dict(zip(numbers.operand_batching_dims, batch, strict=True))

    def kept(self, ndim: int) -> list[int]:
        """The axes of the array that windows keep."""
        return [a for a in range(ndim) if a not in self.gone and a not in self.batch]


def _positions(
    windows: _Windows, shape: Sequence[int], indices: Var, sizes: Sequence[int], clips: bool
) -> Var:
    """The position of every element of every window; where one sticks out it is moved in, or else -1."""
    recorder, strides, lead = indices.builder, _strides(shape), indices.shape[:-1]
    indices = convert(indices, "int64")
    start = recorder.broadcast(recorder.constant(np.int64(0)), lead)
    inside: Var | None = None
    for k, axis in enumerate(windows.map):
        at, last = indices[..., k], shape[axis] - sizes[axis]
        if not clips:
            ok = recorder.elementwise("and", compare("ge", at, 0), compare("le", at, last), dtype="bool")
            inside = ok if inside is None else recorder.elementwise("and", inside, ok, dtype="bool")
        start = start + f.clamp(at, 0, last) * strides[axis]
    for axis, where in windows.batch.items():
        along = np.arange(lead[where]).reshape([-1 if i == where else 1 for i in range(len(lead))])
        start = start + along * strides[axis]
    kept = windows.kept(len(shape))
    grid = _grid(shape, sizes).reshape([sizes[a] for a in kept])
    spread = (*lead, *([1] * len(kept)))
    found = reshape(start, spread) + grid
    if inside is not None:
        found = select(reshape(inside, spread), found, -1)
    rank = len(lead) + len(kept)
    outer = [a for a in range(rank) if a not in windows.offset]
    places = [0] * rank
    for source, place in enumerate([*outer, *windows.offset]):
        places[place] = source
    return permute(found, places)


def _gather(call: Eqn, x: Var, indices: Var) -> Var:
    """Outside the array it fills or moves in; XLA moves in, too, what is promised to be inside."""
    p = call.params
    fills = "FILL" in str(p["mode"])
    positions = _positions(_Windows(p["dimension_numbers"]), x.shape, indices, p["slice_sizes"], not fills)
    found = take(x, positions)
    if not fills:
        return found
    inside = compare("ge", positions, 0)
    if (known := call.recorder.known(inside)) is not None and known.all():
        return found
    return select(inside, found, constant(call.recorder, _fill_value(p["fill_value"], x.dtype), x.dtype))


def _fill_value(given: Any, dtype: str) -> Any:
    """What gather gives outside the array: NaN, and for integers the most unlikely one."""
    if given is not None or dtype == "bool":
        return True if given is None else given
    if dtype in FLOATS:
        return np.nan
    bounds = np.iinfo(dtype)
    return bounds.min if bounds.min < 0 else bounds.max


def _targets(call: Eqn, x: Var, indices: Var, updates: Var) -> Var:
    """Where updates go; one outside the array is dropped, by XLA also where it is promised to be inside."""
    windows, p = _Windows(call.params["dimension_numbers"]), call.params
    sizes = [1] * x.ndim
    for axis, where in zip(windows.kept(x.ndim), windows.offset, strict=True):
        sizes[axis] = updates.shape[where]
    return _positions(windows, x.shape, indices, sizes, "CLIP" in str(p["mode"]))


def _scatter_add(call: Eqn, x: Var, indices: Var, updates: Var) -> Any:
    if not x.is_float:
        return _scatter_by(lambda old, new: old + new)(call, x, indices, updates)
    return x + scatter_add(updates, _targets(call, x, indices, updates), x.shape)


def _scatter(call: Eqn, x: Var, indices: Var, updates: Var) -> Var:
    """The updates in place of what they meet; the last one wins."""
    if call.params.get("update_jaxpr") is not None:
        raise Unsupported("x.at[...].apply(f): write x.at[...].set(f(x[...]))")
    positions = call.recorder.decide(_targets(call, x, indices, updates))
    return _overwrite(x, updates, positions)


def _overwrite(x: Var, updates: Var, positions: Array) -> Var:
    source, inside = np.arange(x.size), positions.ravel() >= 0
    source[positions.ravel()[inside]] = x.size + np.arange(updates.size)[inside]
    both = concatenate([reshape(x, (x.size,)), reshape(updates, (updates.size,))], 0)
    return take(both, source.reshape(x.shape))


def _scatter_by(combine: Callable[[Var, Var], Var]) -> Rule:
    """Every update combined with what it meets, in rounds that meet each element at most once."""

    def rule(call: Eqn, x: Var, indices: Var, updates: Var) -> Var:
        for now, places in _rounds(call, x, indices, updates):
            x = _overwrite(x, combine(take(x, places), take(updates, now)), places)
        return x

    return rule


def scatter_mul_complex(call: Eqn, x: Complex, indices: Var, updates: Complex) -> Complex:
    """The same of products of complex numbers, of which both parts are needed at once."""
    for now, places in _rounds(call, x.re, indices, updates.re):
        old, by = x.apart(partial(take, positions=places)), updates.apart(partial(take, positions=now))
        new = cx.mul(old, by)
        x = Complex(_overwrite(x.re, new.re, places), _overwrite(x.im, new.im, places))
    return x


def _rounds(call: Eqn, x: Var, indices: Var, updates: Var) -> Iterator[tuple[Array, Array]]:
    """Which updates meet which elements, each element at most once in a round."""
    positions = call.recorder.decide(_targets(call, x, indices, updates)).ravel()
    order = [i for i in np.argsort(positions, kind="stable").tolist() if positions[i] >= 0]
    while order:
        now = order[:1] + [j for i, j in pairwise(order) if positions[i] != positions[j]]
        yield np.array(now), positions[now]
        order = [i for i in order if i not in set(now)]


def _block(x: Var, starts: Sequence[Var], sizes: Sequence[int]) -> Var:
    """The positions of a block that is moved inside the array if it sticks out."""
    where = x.builder.constant(_grid(x.shape, sizes))
    for start, n, size, stride in zip(starts, x.shape, sizes, _strides(x.shape), strict=True):
        where = where + f.clamp(convert(start, "int64"), 0, n - size) * stride
    return where


INDEXING: dict[str, Rule] = {
    "gather": _gather,
    "scatter": _scatter,
    "scatter-add": _scatter_add,
    "scatter-sub": _scatter_by(lambda old, new: old - new),
    "scatter-mul": _scatter_by(lambda old, new: old * new),
    "scatter-min": _scatter_by(f.minimum),
    "scatter-max": _scatter_by(f.maximum),
    "dynamic_slice": lambda call, x, *starts: take(x, _block(x, starts, call.params["slice_sizes"])),
    "dynamic_update_slice": lambda call, x, update, *starts: _overwrite(
        x, update, call.recorder.decide(_block(x, starts, update.shape))
    ),
}
