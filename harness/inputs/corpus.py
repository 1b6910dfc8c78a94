"""Boundary values: where gradients break. Each has a name, a maker, and a reported bug that shows there.

Cases, `boundary=` and the strategies take them from here. `tests/power/test_corpus.py` re-creates the bugs,
and sees each of them at its value. A maker takes a source of ordinary numbers, and returns an array.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from harness.selection import near_matches
from harness.subject.derivative import Array, Floating
from oracles.exact.program.formats import format_of
from oracles.exact.program.words import shown


class Source(Protocol):
    """Where an array of a shape and dtype gets its ordinary numbers from: a draw, or a user's array."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, of at least one axis."""

    @property
    def dtype(self) -> Floating:
        """The floating dtype."""

    def numbers(self, shape: tuple[int, ...]) -> Array:
        """A new array of ordinary numbers of another shape, nowhere longer than its own."""

    def signs(self) -> Array:
        """Plus and minus one, in float64."""

    def strided(self) -> Array:
        """Ordinary numbers of its own shape, contiguous in no order."""


def full(value: float) -> Callable[[Source], Array]:
    """One value everywhere."""
    return lambda of: np.full(of.shape, value, of.dtype)


def sized(size: float | Callable[[str], float]) -> Callable[[Source], Array]:
    """Numbers of one size and both signs; the size may depend on the dtype."""

    def make(of: Source) -> Array:
        return np.asarray(of.signs() * (size(of.dtype.name) if callable(size) else size), of.dtype)

    return make


def zeroed(count: int) -> Callable[[Source], Array]:
    """So many zeros, and ordinary numbers: products and quotients see them."""

    def make(of: Source) -> Array:
        found = of.numbers(of.shape)
        found.ravel()[:count] = 0
        return found

    return make


def zeros(of: Source) -> Array:
    """Zeros of both signs."""
    return np.asarray(np.where(alternate(of.shape), 0.0, -0.0), of.dtype)


def ties(of: Source) -> Array:
    """The first two columns equal and the largest: two candidates for every maximum."""
    found = of.numbers(of.shape)
    found[..., :2] = np.abs(found).max()
    return found


def equal_rows(of: Source) -> Array:
    """Each row one number, repeated."""
    return np.repeat(of.numbers((*of.shape[:-1], 1)), of.shape[-1], axis=-1)


def constant(of: Source) -> Array:
    """One ordinary number everywhere."""
    return np.broadcast_to(of.numbers((1,) * len(of.shape)), of.shape).copy()


def distinct(of: Source) -> Array:
    """All numbers different: from above 0 to 1, in steps of one size."""
    size = int(np.prod(of.shape))
    return np.asarray(np.arange(1, size + 1).reshape(of.shape) / size, of.dtype)


def integers(of: Source) -> Array:
    """The nearest integers: knots, borders, and where functions with steps take their steps."""
    return np.asarray(np.round(of.numbers(of.shape).astype(np.float64)), of.dtype)


def stride_0(of: Source) -> Array:
    """One row shown many times (a broadcast view, read-only)."""
    return np.broadcast_to(of.numbers((1, *of.shape[1:])), of.shape)


def strided(of: Source) -> Array:
    """Contiguous in no order."""
    return of.strided()


def one_element(of: Source) -> Array:
    """One element along each axis."""
    return of.numbers((1,) * len(of.shape))


def batch_of_one(of: Source) -> Array:
    """One row."""
    return of.numbers((1, *of.shape[1:]))


def empty(of: Source) -> Array:
    """No row."""
    return of.numbers((0, *of.shape[1:]))


def alternate(shape: tuple[int, ...]) -> Array:
    """True at every other element."""
    even: Array = np.arange(np.prod(shape, dtype=int)).reshape(shape) % 2 == 0
    return even


def exp_overflow(dtype: str) -> float:
    """Beyond what the exponential of this dtype can hold."""
    return 710.0 if dtype == "float64" else float(np.log(float(format_of(dtype).overflow))) + 1


def tiny(dtype: str) -> float:
    """1e-300; in a dtype that cannot hold it, some 2^16 of its smallest normal numbers."""
    of = format_of(dtype)
    return max(1e-300, 2.0 ** min(16, -of.least_exponent // 2) * of.normal)


def huge(dtype: str) -> float:
    """1e10; in a dtype that cannot hold it, a sixteenth of its largest number."""
    return 1e10 if dtype == "float64" else min(1e10, float(format_of(dtype).overflow) / 16)


def exp2_overflow(dtype: str) -> float:
    """The exponent from which on powers of two overflow."""
    return format_of(dtype).greatest_exponent + 1


def square_overflow(dtype: str) -> float:
    """A power of two whose square overflows."""
    return float(2.0 ** (exp2_overflow(dtype) // 2 + 1))


def subnormal(dtype: str) -> float:
    """A quarter of the smallest normal number."""
    return format_of(dtype).normal / 4


@dataclass(frozen=True, slots=True)
class Boundary:
    """One boundary value.

    Attributes:
        name: What tables, `boundary=` and `--input` call it.
        make: Makes the array.
        bug: A bug that shows there, in words.
        report: Where it was reported, on GitHub.
        is_layout: Whether it is about shape and memory, so that every array has it at once.
    """

    name: str
    make: Callable[[Source], Array]
    bug: str
    report: str
    is_layout: bool = False

    @property
    def link(self) -> str:
        """The report's address."""
        return f"https://github.com/{self.report}"


# fmt: off
ENTRIES = (
    Boundary("zeros", zeros, "x / |x| is not a number at the zero vector", "pytorch/pytorch/issues/2421"),
    Boundary("negative-zeros", full(-0.0), "the derivative of i0 at 0 was 1", "jax-ml/jax/issues/11479"),
    Boundary("ones", full(1.0), "the gradient of fmod along the divisor was always 0",
             "shader-slang/slang/issues/10071"),
    Boundary("distinct", distinct, "the gradient of fft was not conjugated, unseen where modes are symmetric",
             "HIPS/autograd/issues/185"),
    Boundary("ties", ties, "each of two tied elements got the whole gradient of max",
             "Theano/Theano/issues/4568"),
    Boundary("equal-rows", equal_rows, "the standard deviation of equal numbers gave 0/0",
             "pytorch/pytorch/issues/4320"),
    Boundary("constant", constant, "gather overwrote at repeated indices, and did not add",
             "pytorch/pytorch/issues/1631"),
    Boundary("one-zero", zeroed(1), "index_reduce masked zeros out of result / x",
             "pytorch/pytorch/issues/77382"),
    Boundary("two-zeros", zeroed(2), "prod with two zeros lost its graph, so the Hessian was 0",
             "pytorch/pytorch/issues/106789"),
    Boundary("integers", integers, "grid_sample took a neighbour outside of the image for 0",
             "pytorch/pytorch/issues/23925"),
    Boundary("saturated-8", sized(8.0), "0 times infinity of the branch not taken, 10^exp(a)",
             "tensorflow/tensorflow/issues/38349"),
    Boundary("saturated-20", sized(20.0), "1 - tanh(x)^2 from a rounded tanh was 0",
             "jax-ml/jax/issues/40343"),
    Boundary("saturated-40", sized(40.0), "expm1(x) + 1 lost exp(x)", "pytorch/pytorch/issues/192406"),
    Boundary("saturated-710", sized(710.0), "exp(x) / (exp(x) + 1) was infinity by infinity",
             "tracel-ai/burn/issues/5373"),
    Boundary("exp-overflows", sized(exp_overflow), "elu took exp of the whole input: 0 times infinity",
             "tinygrad/tinygrad/issues/17852"),
    Boundary("exp2-overflows", sized(exp2_overflow), "2^x log 2 was infinite where the product is not",
             "pytorch/pytorch/issues/192407"),
    Boundary("square-overflows", sized(square_overflow), "x^2 overflowed in the gradient of arcsinh: 0",
             "jax-ml/jax/issues/40634"),
    Boundary("subnormal", sized(subnormal), "result * (1 / x) was infinite in the gradient of prod",
             "tenstorrent/tt-metal/issues/54551"),
    Boundary("tiny", sized(tiny), "-2 y (1 - y^2) underflowed in the second derivative of tanh",
             "jax-ml/jax/issues/39801"),
    Boundary("huge", sized(huge), "exp(x - result) of two large numbers in log_sum_exp(x, x)",
             "stan-dev/math/issues/1679"),
    Boundary("strided", strided, "fused_ssim read an image that is not contiguous as if it were",
             "MrNeRF/optimized-fused-ssim/issues/1", is_layout=True),
    Boundary("stride-0", stride_0, "einsum of an expanded input had a wrong gradient",
             "pytorch/pytorch/issues/30303", is_layout=True),
    Boundary("one-element", one_element, "batch norm had the gradient of training when evaluating",
             "pytorch/xla/issues/913", is_layout=True),
    Boundary("batch-of-one", batch_of_one, "mul kept the broadcast shape in its gradient",
             "pytorch/pytorch/issues/1787", is_layout=True),
    Boundary("empty", empty, "the tangent of the mean of nothing was not a number",
             "jax-ml/jax/issues/10410", is_layout=True),
)
# fmt: on
_BOUNDARY = "boundary must be True, False or a list of names"
CORPUS = {one.name: one for one in ENTRIES}


def chosen(names: Iterable[str] | bool) -> list[Boundary]:
    """The entries of these names, in the corpus's order; all of them, or none.

    Raises:
        ValueError: There is no such entry, or no name is given.
    """
    if isinstance(names, bool):
        return list(CORPUS.values()) if names else []
    if names == "all":  # as the command line has it
        raise ValueError(f"{_BOUNDARY}, got 'all': pass boundary=True")
    if isinstance(names, str):
        raise ValueError(f"{_BOUNDARY}, got {names!r}: write [{names!r}]")
    if not isinstance(names, Iterable):
        raise ValueError(f"{_BOUNDARY}, got {shown(names)}")
    asked = list(names)
    for name in asked:
        if name not in CORPUS:
            if not isinstance(name, str):
                raise ValueError(f"{_BOUNDARY}, got {name!r}")
            raise ValueError(f"boundary: no {name!r}; {near_matches(name, list(CORPUS))}")
    if not asked:
        raise ValueError(f"{_BOUNDARY}, got an empty list: leave it out for none")
    return [one for one in CORPUS.values() if one.name in asked]
