"""Whose values and gradients are proven: torch's own catalogue of operators against the enclosures.

Every sample of an entry is asked, up to MOST, so all of its modes and flags, and some of them in place where
there is such a twin; then values on integers, which are made of a floating input, so that a rule computes
them.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_unflatten

from oracles.exact.coverage.operations import Compared, Theirs, compared, examined
from oracles.exact.from_aten import record
from oracles.exact.from_aten.memory import numbers
from oracles.exact.program.program import Array

MOST = 60  # samples of an entry
FEW = 6  # of them also in place, and in each integer dtype
LARGEST = 20_000  # numbers in a sample
INTEGERS = (torch.uint8, torch.int8, torch.int32, torch.int64, torch.bool)


class Sample(NamedTuple):
    """A function of tensors, and what to call it with."""

    function: Callable[..., list[Tensor]]
    leaves: list[Tensor]


def coverage(named: str = "", every: int = 1, most: int = MOST) -> Iterator[tuple[str, str]]:
    """For each sample its entry and "proven", or "disagrees", "unsupported", "undecided" or "error": why.

    The entries are those of OpInfo that are differentiable in float64, or take integers; `named` asks for
    one, `every` for each such one, on at most so many samples.
    """
    from torch.testing._internal.common_methods_invocations import op_db

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)  # in which functions of integers answer
    try:
        for entry in op_db[::every]:
            name = f"{entry.name}.{entry.variant_test_name}".rstrip(".")
            if named in ("", name) and "jiterator" not in name:  # that is for GPUs
                for sample in map(
                    _with_pairs, itertools.chain(_moving(entry, most), _whole(entry, min(most, FEW)))
                ):
                    if sample.leaves and (theirs := _torch(sample)) is not None:
                        yield name, _examined(sample, theirs)
    finally:
        torch.set_default_dtype(before)


def complex_coverage(named: str = "", every: int = 1, most: int = MOST) -> Iterator[tuple[str, str]]:
    """The same of the entries that are differentiable in complex128, as functions of pairs of numbers."""
    from torch.testing._internal.common_methods_invocations import op_db

    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        for entry in op_db[::every]:
            name = f"{entry.name}.{entry.variant_test_name}".rstrip(".")
            dtypes: Any = entry.supported_backward_dtypes("cpu") & entry.dtypes  # type: ignore[no-untyped-call]
            asked = named in ("", name) and "jiterator" not in name
            if not asked or not entry.supports_autograd or torch.complex128 not in dtypes:
                continue
            for sample in samples(entry, torch.complex128, most):
                one = _of_pairs(differentiated(entry, entry.op, sample))
                if one is not None and (theirs := _torch(one)) is not None:
                    yield name, _examined(one, theirs)
    finally:
        torch.set_default_dtype(before)


def _with_pairs(sample: Sample) -> Sample:
    """Complex results as pairs."""

    def function(*leaves: Tensor) -> list[Tensor]:
        return [
            torch.view_as_real(y.resolve_conj()) if y.is_complex() else y for y in sample.function(*leaves)
        ]

    return Sample(function, sample.leaves)


def _of_pairs(sample: Sample) -> Sample | None:
    """Complex arguments and results as pairs; None where something is sparse, or nothing moves."""
    if not sample.leaves or any(leaf.layout != torch.strided for leaf in sample.leaves):
        return None
    kinds = [leaf.is_complex() for leaf in sample.leaves]

    def function(*pairs: Tensor) -> list[Tensor]:
        return sample.function(
            *(torch.view_as_complex(x) if k else x for x, k in zip(pairs, kinds, strict=True))
        )

    whole = [torch.view_as_real(x.detach().resolve_conj()) if x.is_complex() else x for x in sample.leaves]
    return _with_pairs(Sample(function, [x.detach().clone().requires_grad_() for x in whole]))


def _examined(sample: Sample, theirs: Theirs) -> str:
    if (size := sum(x.numel() for x in sample.leaves)) > LARGEST:
        return f"too large: more than {LARGEST} numbers ({size})"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return examined(lambda: _compared(sample, theirs), "torch")


def _torch(sample: Sample) -> Theirs | None:
    """None where torch itself does not take it: in place the shape or the dtype may have to change."""
    draw = np.random.default_rng(0)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = sample.function(*sample.leaves)
            moving = [k for k, y in enumerate(values) if y.requires_grad]
            drawn = {k: np.round(draw.normal(size=tuple(values[k].shape)), 2) for k in moving}
            given = {k: torch.from_numpy(np.array(c)).to(values[k].dtype) for k, c in drawn.items()}
            found = torch.autograd.grad(
                [values[k] for k in moving], sample.leaves, list(given.values()), allow_unused=True
            ) if moving else []  # fmt: skip
    except Exception:
        return None
    gradients = zip(found, sample.leaves, strict=True) if moving else ()
    return Theirs(values, given, [torch.zeros(tuple(x.shape)) if g is None else g for g, x in gradients])


def _compared(sample: Sample, theirs: Theirs) -> Iterator[Compared]:
    return compared(record(sample.function, tuple(sample.leaves)), theirs, _numbers)


def _numbers(tensor: Tensor) -> tuple[Array, float]:
    unit = torch.finfo(tensor.dtype).eps if tensor.is_floating_point() else 0.0
    return (numbers(tensor.to_dense()), unit)


# -- OpInfo's samples as functions ------------------------------------------------------------------------


def _moving(entry: Any, most: int) -> Iterator[Sample]:
    """As functions of the tensors that require grad, structured as OpInfo differentiates them."""
    dtypes = entry.supported_backward_dtypes("cpu")
    if not entry.supports_autograd or torch.float64 not in dtypes:
        return
    in_place = entry.get_inplace()

    def on_a_copy(x: Tensor, *args: Any, **kwargs: Any) -> Any:
        return in_place(x.clone(), *args, **kwargs)

    for number, sample in enumerate(samples(entry, torch.float64, most)):
        yield differentiated(entry, entry.op, sample)
        if in_place and number < FEW and isinstance(sample.input, Tensor):
            yield differentiated(entry, on_a_copy, sample)


def differentiated(entry: Any, op: Callable[..., Any], sample: Any, widened: bool = True) -> Sample:
    """A sample as a function of what OpInfo differentiates; `widened`, what is float32 in it is float64."""

    def call(first: Any, *args: Any, **kwargs: Any) -> Any:
        return sample.output_process_fn_grad(entry.gradcheck_wrapper(op, first, *args, **kwargs))

    return _of(sample, call, lambda t: t.requires_grad, lambda t: t, lambda t: t, widened)


def _whole(entry: Any, most: int) -> Iterator[Sample]:
    """As functions of floating numbers, which they make integers of."""
    for dtype in INTEGERS:
        if dtype in entry.dtypes:
            for sample in samples(entry, dtype, most):
                yield _of(sample, entry.op, lambda t: t.dtype == dtype, Tensor.double, lambda t: t.to(dtype))  # noqa: B023


def samples(entry: Any, dtype: torch.dtype, most: int) -> list[Any]:
    """OpInfo's own, drawn anew, each from its seed.

    `entry.sample_inputs` would look for its test in the stack before each of them, which takes longer.
    """
    from torch.testing._internal.common_utils import set_rng_seed

    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        drawn = entry.sample_inputs_func(entry, "cpu", dtype, dtype.is_floating_point or dtype.is_complex)
        set_rng_seed()  # type: ignore[no-untyped-call]
        found = []
        for sample in itertools.islice(drawn, most):
            found.append(sample)
            set_rng_seed()  # type: ignore[no-untyped-call]
        return found


def _of(
    sample: Any,
    call: Callable[..., Any],
    moves: Callable[[Tensor], bool],
    outside: Callable[[Tensor], Tensor],
    inside: Callable[[Tensor], Tensor],
    widened: bool = True,
) -> Sample:
    """The sample as a function of those of its tensors that move."""
    leaves, spec = tree_flatten((sample.input, sample.args, sample.kwargs))
    leaves = [_wide(leaf) for leaf in leaves] if widened else leaves
    moving = [i for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor) and moves(leaf)]

    def function(*moved: Tensor) -> list[Tensor]:
        whole = list(leaves)
        for i, tensor in zip(moving, moved, strict=True):
            whole[i] = inside(tensor)
        first, args, kwargs = tree_unflatten(whole, spec)
        return [y for y in tree_flatten(call(first, *args, **kwargs))[0] if isinstance(y, Tensor)]

    return Sample(function, [outside(leaves[i]) for i in moving])


def _wide(leaf: Any) -> Any:
    """In float64, also where the sample has weights in float32."""
    if isinstance(leaf, Tensor) and leaf.dtype == torch.float32 and leaf.layout == torch.strided:
        return leaf.detach().double().requires_grad_(leaf.requires_grad)
    return leaf
