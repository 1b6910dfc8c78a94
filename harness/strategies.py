"""Hypothesis strategies for what gradients are checked at: arrays with boundary values, and cotangents.

It needs the package hypothesis: pip install 'gradproof[hypothesis]'; without it importing this raises
ImportError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as numbers

from harness.inputs.corpus import CORPUS
from harness.inputs.points import at
from harness.subject import given
from harness.subject.derivative import Array
from oracles.exact.program.formats import format_of
from oracles.exact.program.program import FLOATS

__all__ = ["arrays", "boundary_values", "cotangents", "elements"]
LARGEST = 8.0  # of what is no boundary value
Shape = tuple[int, ...] | st.SearchStrategy[tuple[int, ...]]


def boundary_values(dtype: str = "float64") -> list[float]:
    """The numbers at which kernels break, in a dtype: zeros, subnormal, tiny, saturating and huge ones.

    Args:
        dtype: float64, float32, float16 or bfloat16.

    Returns:
        Each number once, as a float of Python's.

    Raises:
        ValueError: There is no such dtype.
    """
    _refuse_other(dtype)
    one, minus = (np.array([sign, -sign], _kind(dtype)) for sign in (1.0, -1.0))
    values = [entry for entry in CORPUS.values() if not entry.is_layout]
    found = [float(at(entry, sign)[0]) for entry in values for sign in (one, minus)]
    return list({repr(value): value for value in found}.values())


def elements(dtype: str = "float64", boundary: bool = True) -> st.SearchStrategy[float]:
    """Finite numbers of a dtype, half of them boundary values.

    Args:
        dtype: float64, float32, float16 or bfloat16.
        boundary: Whether boundary values occur; the others are of size 8 at the most.

    Raises:
        ValueError: There is no such dtype, or boundary is neither True nor False.
    """
    _refuse_other(dtype)
    given.switch("boundary", boundary)
    digits = 2.0 ** -min(format_of(dtype).digits, 8)
    ordinary = st.integers(int(-LARGEST / digits), int(LARGEST / digits)).map(lambda k: k * digits)
    return st.one_of(ordinary, st.sampled_from(boundary_values(dtype))) if boundary else ordinary


def arrays(
    shape: Shape | None = None, dtype: str = "float64", boundary: bool = True
) -> st.SearchStrategy[Array]:
    """Arrays to differentiate at: boundary values, ties, and layouts that are not contiguous.

    Args:
        shape: A shape, or a strategy of shapes; up to three axes of up to five elements if not given.
        dtype: float64, float32, float16 or bfloat16.
        boundary: Whether boundary values, ties and odd layouts occur.

    Raises:
        ValueError: There is no such dtype, the shape is none, or boundary is neither True nor False.
    """
    _refuse_other(dtype)
    given.switch("boundary", boundary)
    if shape is None:
        shape = numbers.array_shapes(max_dims=3, max_side=5)
    elif not isinstance(shape, st.SearchStrategy):
        shape = given.shape("shape", shape)
    return _arrays(shape, dtype, boundary)


@st.composite
def _arrays(draw: st.DrawFn, shape: Shape, dtype: str, boundary: bool) -> Array:
    size = given.shape("shape", draw(shape) if isinstance(shape, st.SearchStrategy) else shape)
    few = draw(st.booleans()) if boundary else False
    values = elements(dtype, boundary)
    pool = st.sampled_from(draw(st.lists(values, min_size=1, max_size=2))) if few else values
    drawn = draw(st.lists(pool, min_size=int(np.prod(size)), max_size=int(np.prod(size))))
    array = np.array(drawn, _kind(dtype)).reshape(size)
    layouts: list[Callable[[Array], Array]]
    layouts = [lambda a: a, lambda a: np.repeat(a[..., None], 2, -1)[..., 0], np.asfortranarray]
    return draw(st.sampled_from(layouts))(array) if boundary else array


def cotangents(shape: tuple[int, ...], dtype: str = "float64") -> st.SearchStrategy[Array]:
    """Cotangents of a shape: of both signs and never constant, since softmax has no gradient along ones.

    Args:
        shape: Of the result.
        dtype: float64, float32, float16 or bfloat16.

    Raises:
        ValueError: There is no such dtype, or the shape is none.
    """
    _refuse_other(dtype)
    return _cotangents(given.shape("shape", shape), dtype)


@st.composite
def _cotangents(draw: st.DrawFn, shape: tuple[int, ...], dtype: str) -> Array:
    size = int(np.prod(shape))
    drawn = draw(st.lists(st.integers(1, 200), min_size=size, max_size=size))
    signs = draw(st.lists(st.sampled_from([-1, 1]), min_size=size, max_size=size))
    array = np.array([k * sign / 64 for k, sign in zip(drawn, signs, strict=True)])
    if size > 1 and np.all(array == array[0]):
        array[0] = -array[0]
    return np.asarray(array.astype(_kind(dtype)).reshape(shape))


def _refuse_other(dtype: str) -> None:
    """Refuse a dtype of which nothing is known.

    Raises:
        ValueError: It is one.
    """
    if dtype not in sorted(FLOATS):
        raise ValueError(f"dtype must be one of {', '.join(sorted(FLOATS))}, got {dtype!r}")


def _kind(dtype: str) -> Any:
    if dtype != "bfloat16":
        return np.dtype(dtype)
    import ml_dtypes

    return np.dtype(ml_dtypes.bfloat16)
